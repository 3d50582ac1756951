/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/inventory.h"
#include "controller/tenant/types.h"

/* Keystone keeps the id of a default project that was deleted long ago. */
static int
default_project_to_file (const struct osm_inventory *inventory, const json_t *user, json_t **ret,
                         struct osm_error *err)
{
  OSM_ERROR (why);

  if (osm_inventory_ref (inventory, "projects", json_object_get (user, "default_project_id"), ret,
                         &why) == 0)
    return 0;
  if (why.code == 404) {
    *ret = json_null ();
    return 0;
  }
  osm_error_move (err, &why);
  return -1;
}

/* https://docs.openstack.org/api-ref/identity/v3/#users. Nobody is told the password. */
static const struct osm_field fields[] = {
  OSM_FIELD ("name", OSM_FIELD_TEXT),
  OSM_FIELD ("description", OSM_FIELD_TEXT),
  OSM_FIELD ("email", OSM_FIELD_TEXT),
  OSM_FIELD ("is_enabled", OSM_FIELD_BOOL, .api = "enabled"),
  OSM_FIELD ("default_project_ref", OSM_FIELD_REF, .flags = OSM_FIELD_NULLABLE,
             .api = "default_project_id", .refers = "projects", .to_file = default_project_to_file),
  OSM_FIELD ("domain_ref", OSM_FIELD_REF, .flags = OSM_FIELD_FIXED, .api = "domain_id",
             .refers = "domains"),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("domain_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("default_project_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELDS_END,
};

static const char *const match[] = { "name", "domain_ref", NULL };

const struct osm_tenant_type osm_type_user = {
  .name = "users",
  .noun = "user",
  .yaml_type = "openstack.user.User",
  .file = "users.yml",
  .administrator = true,
  .service = OSM_IDENTITY,
  .list_path = "/users",
  .list_key = "users",
  .member_path = "/users",
  .member_key = "user",
  .ref_style = OSM_REF_USER,
  .match = match,
  .fields = fields,
  .patch = true,
};
