/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/tenant/inventory.h"
#include "controller/tenant/types.h"

/* https://docs.openstack.org/api-ref/identity/v3/#list-role-assignments. Nothing in it can be changed: it is, or is not. */
static const struct osm_field fields[] = {
  OSM_FIELD ("project_ref", OSM_FIELD_REF, .flags = OSM_FIELD_FIXED, .api = "scope.project.id",
             .refers = "projects"),
  OSM_FIELD ("role_ref", OSM_FIELD_REF, .flags = OSM_FIELD_FIXED, .api = "role.id",
             .refers = "roles"),
  OSM_FIELD ("user_ref", OSM_FIELD_REF, .flags = OSM_FIELD_FIXED, .api = "user.id",
             .refers = "users"),
  OSM_FIELD ("project_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO, .api = "scope.project.id"),
  OSM_FIELD ("role_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO, .api = "role.id"),
  OSM_FIELD ("user_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO, .api = "user.id"),
  OSM_FIELDS_END,
};

static char *
assignment_id (const json_t *a)
{
  const json_t *project = osm_tenant_path (a, "scope.project.id"),
               *role = osm_tenant_path (a, "role.id"), *user = osm_tenant_path (a, "user.id");

  return osm_asprintf ("%s/%s/%s", project ? json_string_value (project) : "",
                       user ? json_string_value (user) : "", role ? json_string_value (role) : "");
}

/* A user's on a project. Inherited ones are something else: they hold in the projects below, not in this one. */
static bool
is_users_on_project (const struct osm_inventory *inventory, const json_t *a)
{
  (void)inventory;
  return json_is_string (osm_tenant_path (a, "user.id")) &&
         json_is_string (osm_tenant_path (a, "role.id")) &&
         json_is_string (osm_tenant_path (a, "scope.project.id")) &&
         !osm_tenant_path (a, "scope.OS-INHERIT:inherited_to");
}

static int
create (const struct osm_change *change, const json_t *entry, const json_t *body, json_t **ret,
        struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *project = NULL, *user = NULL, *role = NULL;
  OSM_CLEANUP_FREE char *path = NULL;
  const json_t *params = json_object_get (entry, "params");

  (void)body;
  if (osm_inventory_id (change->inventory, "projects", json_object_get (params, "project_ref"),
                        &project, err) == -1 ||
      osm_inventory_id (change->inventory, "users", json_object_get (params, "user_ref"), &user,
                        err) == -1 ||
      osm_inventory_id (change->inventory, "roles", json_object_get (params, "role_ref"), &role,
                        err) == -1)
    return -1;
  path = osm_asprintf ("/projects/%s/users/%s/roles/%s", json_string_value (project),
                       json_string_value (user), json_string_value (role));
  if (osm_cloud_put (change->cloud, OSM_IDENTITY, path, NULL, NULL, NULL, err) == -1)
    return -1;
  *ret = osm_json_pack ("{s:{s:O}, s:{s:O}, s:{s:{s:O}}}", "role", "id", role, "user", "id", user,
                        "scope", "project", "id", project);
  return 0;
}

static const char *const match[] = { "project_ref", "user_ref", "role_ref", NULL };

const struct osm_tenant_type osm_type_role_assignment = {
  .name = "user_project_role_assignments",
  .noun = "role assignment",
  .yaml_type = "openstack.identity.UserProjectRoleAssignment",
  .file = "user_project_role_assignments.yml",
  .administrator = true,
  .service = OSM_IDENTITY,
  .list_path = "/role_assignments",
  .list_key = "role_assignments",
  .match = match,
  .filter_by = "user_ref.name",
  .fields = fields,
  .id = assignment_id,
  .wanted = is_users_on_project,
  .create = create,
};
