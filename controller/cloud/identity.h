/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What is said to Keystone and what it answers; no requests are made here. Version 3, and 2.0 where auth_type is
 * v2password.
 * https://docs.openstack.org/api-ref/identity/v3/#password-authentication-with-scoped-authorization
 *
 *   url = osm_identity_token_url (c);  body = osm_identity_token_body (c);
 *   ... POST ...
 *   OSM_GRANT (grant);
 *   osm_identity_read (c, &answer, &grant, err); */

#ifndef OSM_CONTROLLER_IDENTITY_H
#define OSM_CONTROLLER_IDENTITY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "controller/cloud/clouds.h"
#include "controller/cloud/http.h"

struct osm_grant {
  char *token, *project_id, *project_name, *user_id;
  bool administrator;   /* one of its roles is "admin" */
  uint64_t lifetime_ms; /* from its issue to its end, by the cloud's own clock */
  json_t *catalog;      /* in the form of version 3 */
};
void osm_grant_done (struct osm_grant *grant);
#define OSM_GRANT(name) __attribute__ ((cleanup (osm_grant_done))) struct osm_grant name = { 0 }

/* "http://h:5000/v3", whatever version auth_url names. Caller frees. */
char *osm_identity_base (const struct osm_credentials *c);
char *osm_identity_token_url (const struct osm_credentials *c);
json_t *osm_identity_token_body (const struct osm_credentials *c);
/* Grant of a good answer; the error of any other. */
int osm_identity_read (const struct osm_credentials *c, const struct osm_http_answer *answer,
                       struct osm_grant *ret, struct osm_error *err);

#endif
