/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Token and endpoints of one cloud, shared by its threads. Used by request.c only.
 *
 *   osm_session_endpoint (cloud, OSM_VOLUME, &e, err);
 *   osm_session_token (cloud, 0, &token, &generation, err);
 *   ... answered with 401 ...
 *   osm_session_token (cloud, generation, &token, &generation, err);    another one */

#ifndef OSM_CONTROLLER_SESSION_H
#define OSM_CONTROLLER_SESSION_H

#include <pthread.h>
#include <stdint.h>

#include "controller/cloud/catalog.h"
#include "controller/cloud/cloud.h"
#include "controller/cloud/clouds.h"
#include "controller/cloud/http.h"

struct osm_endpoint {
  char *base;         /* "http://host:8774/v2.1", no slash at the end */
  char *microversion; /* "2.90", or "" */
};

struct osm_cloud {
  struct osm_credentials *credentials;
  struct osm_http_pool *pool;
  char *url;

  pthread_mutex_t lock; /* everything below */
  char *token;
  uint64_t token_generation; /* which token a request was sent with; the first is 1 */
  uint64_t token_renew_ms;   /* when, by osm_now_ms */
  json_t *catalog;
  bool administrator;
  char *project_id, *project_name, *user_id; /* never change once they are known */
  struct osm_endpoint *endpoints[OSM_NR_SERVICES];
  struct osm_error renewal_failed; /* why there is no new token */
  uint64_t renewal_failed_ms;      /* since when, by osm_now_ms */
};

/* A copy of the current token (caller frees with osm_secret_free); renewed when it is about to expire, or when
 * `refused` is the generation in use (it was answered with 401): once, however many threads ask for it. */
int osm_session_token (struct osm_cloud *cloud, uint64_t refused, char **ret_token,
                       uint64_t *ret_generation, struct osm_error *err);
/* Found in the catalogue and asked for its versions at first use. Borrowed; lives as long as the cloud. */
int osm_session_endpoint (struct osm_cloud *cloud, enum osm_service service,
                          const struct osm_endpoint **ret, struct osm_error *err);

#endif
