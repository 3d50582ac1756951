/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/tenant/inventory.h"
#include "controller/tenant/types.h"

/* What can be shared, and as what it is known here. */
static const struct {
  const char *object_type, *type;
} shared[] = {
  { "network", "networks" },
  { "qos_policy", "qos_policies" },
  { "subnetpool", "subnet_pools" },
  { "security_group", "security_groups" },
  { "address_group", "address_groups" },
  { "address_scope", "address_scopes" },
};

static int
find_type (const json_t *object, const char **ret, struct osm_error *err)
{
  const char *object_type = osm_json_str (object, "object_type");

  for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++)
    if (osm_str_equal (shared[i].object_type, object_type)) {
      *ret = shared[i].type;
      return 0;
    }
  return osm_error_set (err, OSM_ERROR_USER, 0, "shares a %s, which osm does not know",
                        object_type ? object_type : "thing");
}

static int
object_to_file (const struct osm_inventory *inventory, const json_t *policy, json_t **ret,
                struct osm_error *err)
{
  const char *type;

  if (find_type (policy, &type, err) == -1)
    return -1;
  return osm_inventory_ref (inventory, type, json_object_get (policy, "object_id"), ret, err);
}

/* object_type is in the body before. */
static int
object_to_api (const struct osm_inventory *inventory, const json_t *value, json_t *body,
               struct osm_error *err)
{
  const char *type;
  json_t *id = NULL;

  if (find_type (body, &type, err) == -1 ||
      osm_inventory_id (inventory, type, value, &id, err) == -1)
    return -1;
  json_object_set_new (body, "object_id", id);
  return 0;
}

/* "*" is everybody. A project that is not shown to us is known by its id only: the operator has to say which one it is elsewhere. */
static int
target_to_file (const struct osm_inventory *inventory, const json_t *policy, json_t **ret,
                struct osm_error *err)
{
  json_t *id = json_object_get (policy, "target_tenant");
  OSM_ERROR (why);

  if (!osm_str_equal (json_string_value (id), "*")) {
    if (osm_inventory_ref (inventory, "projects", id, ret, &why) == 0)
      return 0;
    if (why.code != 404) {
      osm_error_move (err, &why);
      return -1;
    }
  }
  *ret = osm_json_pack ("{s:O?, s:n, s:n}", "name", id, "project_name", "domain_name");
  return 0;
}

static int
target_to_api (const struct osm_inventory *inventory, const json_t *value, json_t *body,
               struct osm_error *err)
{
  json_t *id = NULL;

  if (osm_str_equal (osm_json_str (value, "name"), "*"))
    id = json_string ("*");
  else if (osm_inventory_id (inventory, "projects", value, &id, err) == -1)
    return -1;
  json_object_set_new (body, "target_tenant", id);
  return 0;
}

/* https://docs.openstack.org/api-ref/network/v2/#rbac-policies. A share of a network is one of these, too. */
static const struct osm_field fields[] = {
  OSM_FIELD ("action", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED),
  OSM_FIELD ("object_type", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED),
  OSM_FIELD ("object_ref", OSM_FIELD_REF, .flags = OSM_FIELD_FIXED, .refers = "networks",
             .to_file = object_to_file, .to_api = object_to_api),
  OSM_FIELD ("target_project_ref", OSM_FIELD_REF, .flags = OSM_FIELD_FIXED, .refers = "projects",
             .to_file = target_to_file, .to_api = target_to_api),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("object_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("project_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("target_project_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO, .api = "target_tenant"),
  OSM_FIELDS_END,
};

static const char *const match[] = { "object_type", "object_ref", "action", "target_project_ref",
                                     NULL };

const struct osm_tenant_type osm_type_rbac_policy = {
  .name = "rbac_policies",
  .noun = "RBAC policy",
  .yaml_type = "osm.network.RBACPolicy",
  .file = OSM_OWN_FILES "rbac_policies.yml",
  .service = OSM_NETWORK,
  .optional = true,
  .list_path = "/rbac-policies?project_id=%s",
  .list_key = "rbac_policies",
  .member_path = "/rbac-policies",
  .member_key = "rbac_policy",
  .owner = "project_id",
  .match = match,
  .by_content = true,
  .filter_by = "object_ref.name",
  .fields = fields,
};
