/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/json.h"
#include "controller/tenant/inventory.h"
#include "controller/tenant/types.h"

/* The parent is a project, or at the top the domain, which Keystone also has as a project of the same id. OS Migrate prefers
 * that one, and it has no domain. */
static int
parent_to_file (const struct osm_inventory *inventory, const json_t *project, json_t **ret,
                struct osm_error *err)
{
  const json_t *parent = json_object_get (project, "parent_id");

  if (json_is_string (parent) && json_equal (parent, json_object_get (project, "domain_id")))
    return osm_inventory_ref (inventory, "domains", parent, ret, err);
  return osm_inventory_ref (inventory, "projects", parent, ret, err);
}

static int
parent_to_api (const struct osm_inventory *inventory, const json_t *value, json_t *body,
               struct osm_error *err)
{
  json_t *id = NULL;
  OSM_ERROR (why);

  if (osm_inventory_id (inventory, "projects", value, &id, &why) == -1 &&
      osm_inventory_id (inventory, "domains", value, &id, err) == -1)
    return -1;
  json_object_set_new (body, "parent_id", id);
  return 0;
}

/* https://docs.openstack.org/api-ref/identity/v3/#projects */
static const struct osm_field fields[] = {
  OSM_FIELD ("description", OSM_FIELD_TEXT),
  OSM_FIELD ("is_domain", OSM_FIELD_BOOL, .flags = OSM_FIELD_FIXED),
  OSM_FIELD ("is_enabled", OSM_FIELD_BOOL, .api = "enabled"),
  OSM_FIELD ("name", OSM_FIELD_TEXT),
  OSM_FIELD ("domain_ref", OSM_FIELD_REF, .flags = OSM_FIELD_FIXED, .api = "domain_id",
             .refers = "domains"),
  OSM_FIELD ("parent_ref", OSM_FIELD_REF, .flags = OSM_FIELD_FIXED, .refers = "projects",
             .to_file = parent_to_file, .to_api = parent_to_api),
  OSM_FIELD ("tags", OSM_FIELD_SET, .flags = OSM_FIELD_BEYOND),
  OSM_FIELD ("domain_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("parent_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELDS_END,
};

static const char *const match[] = { "name", "domain_ref", NULL };

const struct osm_tenant_type osm_type_project = {
  .name = "projects",
  .noun = "project",
  .yaml_type = "openstack.identity.Project",
  .file = "projects.yml",
  .administrator = true,
  .service = OSM_IDENTITY,
  .list_path = "/projects",
  .list_key = "projects",
  .member_path = "/projects",
  .member_key = "project",
  .ref_style = OSM_REF_DOMAIN,
  .match = match,
  .fields = fields,
  .patch = true,
};
