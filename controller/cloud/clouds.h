/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Credentials: clouds.yaml, secure.yaml and OS_* variables, as openstacksdk reads them.
 * https://docs.openstack.org/openstacksdk/latest/user/config/configuration.html
 *
 *   osm_credentials_load ("src", &c, err);
 */

#ifndef OSM_CONTROLLER_CLOUDS_H
#define OSM_CONTROLLER_CLOUDS_H

#include <jansson.h>
#include <stdbool.h>

#include "common/error.h"

struct osm_credentials {
  char *name;      /* of the cloud, for messages */
  char *auth_type; /* "password", "token", "v3applicationcredential", "v2password" */
  char *auth_url;
  char *username, *user_id, *user_domain_name, *user_domain_id, *password, *token;
  char *project_name, *project_id, *project_domain_name, *project_domain_id;
  char *domain_name, *domain_id, *system_scope;
  char *application_credential_id, *application_credential_name, *application_credential_secret;
  char *region_name;
  char *interface; /* "public", "internal", "admin" */
  bool verify;
  unsigned silence_s; /* api_timeout: no byte for so long: given up; 0: osm's own */
  char *ca_file, *certificate, *key;
  json_t *overrides; /* {"compute": URL, ...} from <service>_endpoint_override */
};

/* name "envvars" or NULL: OS_* variables. */
int osm_credentials_load (const char *name, struct osm_credentials **ret, struct osm_error *err);
void osm_credentials_free (struct osm_credentials *c);

static inline void
osm_cleanup_credentials (struct osm_credentials **c)
{
  osm_credentials_free (*c);
}
#define OSM_CLEANUP_CREDENTIALS __attribute__ ((cleanup (osm_cleanup_credentials)))

#endif
