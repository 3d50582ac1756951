/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* One OpenStack cloud as one user sees it: credentials, token, catalogue, requests.
 *
 *   OSM_CLEANUP_CLOUD struct osm_cloud *src = NULL;
 *   osm_cloud_open ("src", &src, err);                 reads clouds.yaml, asks for a token
 *   osm_cloud_get (src, OSM_COMPUTE, "/servers/ID", "server", &server, err);
 *
 * All functions may be called from several threads at once. Objects are the API's own JSON. Errors name the cloud, the
 * service, the method and path, the HTTP status, the API's own message and the request id; err->code is the HTTP status
 * (0 when there was none). */

#ifndef OSM_CONTROLLER_CLOUD_H
#define OSM_CONTROLLER_CLOUD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

struct osm_cloud;

enum osm_service { OSM_IDENTITY, OSM_COMPUTE, OSM_VOLUME, OSM_NETWORK, OSM_IMAGE };

/* name: of clouds.yaml ("envvars" or NULL: from OS_* variables). An unknown name lists the known ones. */
int osm_cloud_open (const char *name, struct osm_cloud **ret, struct osm_error *err);
/* The same user with a token of another project, in which it must have a role. */
int osm_cloud_open_project (const struct osm_cloud *cloud, const char *project_id,
                            struct osm_cloud **ret, struct osm_error *err);
void osm_cloud_free (struct osm_cloud *cloud);
const char *osm_cloud_name (const struct osm_cloud *cloud);
const char *osm_cloud_project_id (const struct osm_cloud *cloud);
const char *osm_cloud_project_name (const struct osm_cloud *cloud); /* NULL: not told */
const char *osm_cloud_user_id (const struct osm_cloud *cloud);
/* By the roles of the token: what it may really do is up to each service. */
bool osm_cloud_is_administrator (const struct osm_cloud *cloud);
/* Identifies the cloud itself whatever the name in the file: its auth_url without a path. */
const char *osm_cloud_url (const struct osm_cloud *cloud);
/* How many requests were sent so far, with those for tokens and versions; each attempt counts. */
uint64_t osm_cloud_requests (const struct osm_cloud *cloud);
/* The microversion in use for a service, "2.79"; "" if the service has none. */
const char *osm_cloud_microversion (struct osm_cloud *cloud, enum osm_service service);
/* True if it is at least that. */
bool osm_cloud_has_microversion (struct osm_cloud *cloud, enum osm_service service,
                                 const char *version);

/* GET; `key` is the member of the answer to return ("server"), NULL for the whole answer. New reference. */
int osm_cloud_get (struct osm_cloud *cloud, enum osm_service service, const char *path,
                   const char *key, json_t **ret, struct osm_error *err);
/* GET of a collection, all pages; *ret is a new array. */
int osm_cloud_list (struct osm_cloud *cloud, enum osm_service service, const char *path,
                    const char *key, json_t **ret, struct osm_error *err);
/* POST/PUT/PATCH with a JSON body. ret may be NULL. POST and PATCH are not repeated when their outcome is unknown (connection
 * lost after the request was sent, an answer that cannot be read, HTTP 500, 502, 504): then class RETRY and
 * osm_error_outcome_unknown (err). */
int osm_cloud_post (struct osm_cloud *cloud, enum osm_service service, const char *path,
                    const json_t *body, const char *key, json_t **ret, struct osm_error *err);
/* A POST that may be repeated, because doing it twice does no more than doing it once ("os-stop", "unlock"). */
int osm_cloud_action (struct osm_cloud *cloud, enum osm_service service, const char *path,
                      const json_t *body, const char *key, json_t **ret, struct osm_error *err);
int osm_cloud_put (struct osm_cloud *cloud, enum osm_service service, const char *path,
                   const json_t *body, const char *key, json_t **ret, struct osm_error *err);
int osm_cloud_patch (struct osm_cloud *cloud, enum osm_service service, const char *path,
                     const json_t *body, const char *key, json_t **ret, struct osm_error *err);
/* DELETE; an object that is not there is a success. */
int osm_cloud_delete (struct osm_cloud *cloud, enum osm_service service, const char *path,
                      struct osm_error *err);
/* Collection + "?name=..." and "/ID": the one object of that name or id. None: USER error, code 404. Several of that name: USER
 * error that lists their ids. `what` is for messages ("flavor"), `path` "/flavors/detail",
 * `member_path` "/flavors", keys "flavors" and "flavor". */
struct osm_collection {
  enum osm_service service;
  const char *what, *list_path, *member_path, *list_key, *member_key;
  /* The API filters by ?name= exactly or as a pattern (the answer is filtered again anyway). */
  bool name_filter;
  bool free_ids; /* ids may be any text (flavors, key pairs); otherwise they are UUIDs */
};
int osm_cloud_find (struct osm_cloud *cloud, const struct osm_collection *collection,
                    const char *name_or_id, json_t **ret, struct osm_error *err);

static inline bool
osm_error_not_found (const struct osm_error *err)
{
  return err->class != OSM_ERROR_NONE && err->code == 404;
}
bool osm_error_outcome_unknown (const struct osm_error *err);

static inline void
osm_cleanup_cloud (struct osm_cloud **c)
{
  osm_cloud_free (*c);
}
#define OSM_CLEANUP_CLOUD __attribute__ ((cleanup (osm_cleanup_cloud)))

#endif
