/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* HTTP: the only module that calls libcurl.  One request, one answer, no judgement.
 *
 *   struct osm_http_request r = { .method = "GET", .url = url, .token = token };
 *   OSM_HTTP_ANSWER (a);
 *   osm_http_perform (pool, &r, &a, err);     -1 only when no answer came; 404 and 503 are answers
 */

#ifndef OSM_CONTROLLER_HTTP_H
#define OSM_CONTROLLER_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

#define OSM_HTTP_MAX_BODY (64 * 1024 * 1024)

struct osm_http_pool; /* connections kept open, shared by threads */
struct osm_http_tls {
  bool verify;                             /* default true */
  const char *ca_file, *certificate, *key; /* or NULL */
  unsigned
      silence_s; /* no byte for so long: given up (0: two minutes, Nova's slowest calls stay below one) */
};
struct osm_http_pool *osm_http_pool_new (const struct osm_http_tls *tls);
void osm_http_pool_free (struct osm_http_pool *pool);

struct osm_http_request {
  const char *method, *url;
  const char *body;         /* JSON text or NULL */
  const char *content_type; /* whole header line; NULL: JSON */
  const char *token;        /* X-Auth-Token or NULL */
  char *const *headers;     /* further "Name: value" lines, NULL-terminated, or NULL */
};

struct osm_http_answer {
  int status;
  char *body; /* NUL-terminated */
  size_t len;
  char *request_id, *subject_token; /* or NULL */
  char *location;                   /* where a redirect leads, or NULL; it is not followed */
  double retry_after_s;             /* < 0: none given */
};
void osm_http_answer_done (struct osm_http_answer *answer);
#define OSM_HTTP_ANSWER(name) \
  __attribute__ ((cleanup (osm_http_answer_done))) struct osm_http_answer name = { 0 }

/* What is known about a request that got no answer. */
enum osm_http_loss {
  OSM_HTTP_NOT_SENT, /* no connection: the service has not seen it */
  OSM_HTTP_UNKNOWN,  /* lost after (part of) it was sent */
  OSM_HTTP_HOPELESS, /* bad URL, certificate refused, not HTTP: it will be the same again */
  OSM_HTTP_TOO_LARGE /* the answer is beyond the limit */
};
int osm_http_perform (struct osm_http_pool *pool, const struct osm_http_request *request,
                      struct osm_http_answer *ret, enum osm_http_loss *ret_loss,
                      struct osm_error *err);

#endif
