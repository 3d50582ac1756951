/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Token, catalogue and endpoints of one cloud. Used by request.c only. */

#ifndef OSM_CONTROLLER_SESSION_H
#define OSM_CONTROLLER_SESSION_H

#include <pthread.h>
#include <stdint.h>

#include "controller/cloud/cloud.h"
#include "controller/cloud/clouds.h"
#include "controller/cloud/http.h"

#define OSM_NR_SERVICES 5

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
  uint64_t token_generation; /* which token a request was sent with */
  int64_t token_renew_ms;
  json_t *catalog;
  char *project_id, *user_id;
  struct osm_endpoint *endpoints[OSM_NR_SERVICES];
};

/* A copy of the current token (caller frees with osm_secret_free); renewed when it is about to expire, or when
 * `refused` is the generation in use (it was answered with 401). */
int osm_session_token (struct osm_cloud *cloud, uint64_t refused, char **ret_token,
                       uint64_t *ret_generation, struct osm_error *err);
/* Found in the catalogue and asked for its versions at first use. Borrowed; lives as long as the cloud. */
int osm_session_endpoint (struct osm_cloud *cloud, enum osm_service service,
                          const struct osm_endpoint **ret, struct osm_error *err);
const char *osm_service_name (enum osm_service service); /* "compute" */

/* Pure parts, for tests. */
json_t *osm_session_auth_body (const struct osm_credentials *c);
/* The endpoint's URL for a service type (with its aliases), or NULL. Borrowed from the catalogue. */
const char *osm_catalog_find (const json_t *catalog, enum osm_service service, const char *region,
                              const char *interface);
/* "http://h:9696" -> "http://h:9696/v2.0"; a URL that has the version keeps it. Caller frees. */
char *osm_endpoint_base (const char *url, enum osm_service service);
/* The highest of [min, max] that is not above `known`; NULL if there is none. Caller frees. */
char *osm_microversion_choose (const char *min, const char *max, const char *known);
/* <0, 0, >0 */
int osm_microversion_compare (const char *a, const char *b);

#endif
