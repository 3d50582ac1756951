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
#include <stdint.h>

#include "common/error.h"

#define OSM_HTTP_MAX_BODY (64 * 1024 * 1024)

struct osm_http_answer;
struct osm_http_pool; /* connections kept open, shared by threads */
struct osm_http_tls {
  bool verify;                             /* default true */
  const char *ca_file, *certificate, *key; /* or NULL */
  unsigned
      silence_s; /* no byte for so long: given up (0: two minutes, Nova's slowest calls stay below one) */
};
struct osm_http_pool *osm_http_pool_new (const struct osm_http_tls *tls);
void osm_http_pool_free (struct osm_http_pool *pool);
/* How many were sent, each attempt counts. */
uint64_t osm_http_requests (const struct osm_http_pool *pool);

struct osm_http_request {
  const char *method, *url;
  const char *body;         /* JSON text or NULL */
  const char *content_type; /* whole header line; NULL: JSON */
  const char *token;        /* X-Auth-Token or NULL */
  char *const *headers;     /* further "Name: value" lines, NULL-terminated, or NULL */

  /* Bodies that are too large for memory. There is no limit of their time then, but that of silence. */
  /* Instead of body; *ret_len 0: the end. */
  int (*read) (void *data, void *buffer, size_t size, size_t *ret_len, struct osm_error *err);
  int64_t read_size; /* of all that will be read; -1: not known, sent in chunks */
  /* Instead of answer.body, if the status is 2xx; status and range_start are known by then. */
  int (*write) (void *data, const struct osm_http_answer *answer, const void *bytes, size_t len,
                struct osm_error *err);
  void *data;
};

struct osm_http_answer {
  int status;
  char *body; /* NUL-terminated */
  size_t len;
  char *request_id, *subject_token; /* or NULL */
  char *location;                   /* where a redirect leads, or NULL; it is not followed */
  double retry_after_s;             /* < 0: none given */
  uint64_t range_start;             /* of a 206; UINT64_MAX: none given */
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
