/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "controller/cloud/network.h"
#include "controller/tenant/inventory.h"
#include "controller/tenant/types.h"

/* external_gateway_info comes apart: the network, which OS Migrate knows, and the rest of it. The hooks that put it together
 * again add to the same member of the body. */

static const json_t *
gateway (const json_t *router)
{
  return json_object_get (router, "external_gateway_info");
}

/* NULL: the router shall have none, whatever else is said about it. */
static json_t *
gateway_of_body (json_t *body)
{
  json_t *info = json_object_get (body, "external_gateway_info");

  if (!info) {
    info = json_object ();
    json_object_set_new (body, "external_gateway_info", info);
  }
  return json_is_object (info) ? info : NULL;
}

/* value: stolen. */
static void
add_to_gateway (json_t *body, const char *key, json_t *value)
{
  json_t *info = gateway_of_body (body);

  if (info)
    json_object_set_new (info, key, value);
  else
    json_decref (value);
}

static int
network_to_file (const struct osm_inventory *inventory, const json_t *router, json_t **ret,
                 struct osm_error *err)
{
  json_t *ref = NULL;

  if (!json_is_object (gateway (router))) {
    *ret = json_null ();
    return 0;
  }
  if (osm_inventory_ref (inventory, "networks", json_object_get (gateway (router), "network_id"),
                         &ref, err) == -1)
    return -1;
  *ret = osm_json_pack ("{s:o}", "network_ref", ref);
  return 0;
}

static int
network_to_api (const struct osm_inventory *inventory, const json_t *value, json_t *body,
                struct osm_error *err)
{
  json_t *id = NULL;

  if (!json_is_object (value)) {
    json_object_set_new (body, "external_gateway_info", json_null ());
    return 0;
  }
  if (osm_inventory_id (inventory, "networks", json_object_get (value, "network_ref"), &id, err) ==
      -1)
    return -1;
  add_to_gateway (body, "network_id", id);
  return 0;
}

/* Where tenants are not told the external subnet's name there is nothing to carry; nor may they choose an address of it. It is in
 * _info all the same, for whoever wants to ask for it elsewhere. */
static int
addresses_to_file (const struct osm_inventory *inventory, const json_t *router, json_t **ret,
                   struct osm_error *err)
{
  const json_t *ips = json_object_get (gateway (router), "external_fixed_ips"), *ip;
  OSM_CLEANUP_JSON json_t *list = json_array ();
  size_t i;

  if (!json_is_array (ips))
    return 0;
  json_array_foreach (ips, i, ip)
  {
    json_t *ref = NULL;
    OSM_ERROR (why);

    if (osm_inventory_ref (inventory, "subnets", json_object_get (ip, "subnet_id"), &ref, &why) ==
        -1) {
      if (why.code == 404)
        return 0;
      osm_error_move (err, &why);
      return -1;
    }
    json_array_append_new (list,
                           osm_json_pack ("{s:O?, s:o}", "ip_address",
                                          json_object_get (ip, "ip_address"), "subnet_ref", ref));
  }
  *ret = osm_take (list);
  return 0;
}

static int
addresses_to_api (const struct osm_inventory *inventory, const json_t *value, json_t *body,
                  struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *list = json_array ();
  const json_t *ip;
  size_t i;

  json_array_foreach (value, i, ip)
  {
    const json_t *ref = json_object_get (ip, "subnet_ref");
    json_t *one = osm_json_pack ("{s:O?}", "ip_address", json_object_get (ip, "ip_address")),
           *id = NULL;

    json_array_append_new (list, one);
    if (!json_is_object (ref))
      continue;
    if (osm_inventory_id (inventory, "subnets", ref, &id, err) == -1)
      return -1;
    json_object_set_new (one, "subnet_id", id);
  }
  add_to_gateway (body, "external_fixed_ips", json_incref (list));
  return 0;
}

static int
qos_to_api (const struct osm_inventory *inventory, const json_t *value, json_t *body,
            struct osm_error *err)
{
  json_t *id = NULL;

  if (osm_inventory_id (inventory, "qos_policies", value, &id, err) == -1)
    return -1;
  add_to_gateway (body, "qos_policy_id", id);
  return 0;
}

/* On is what Neutron does where nothing is said, also when the gateway changes. Tenants may not say it. */
static int
snat_to_api (const struct osm_inventory *inventory, const json_t *value, json_t *body,
             struct osm_error *err)
{
  (void)inventory;
  (void)err;
  if (json_is_false (value))
    add_to_gateway (body, "enable_snat", json_incref ((json_t *)value));
  return 0;
}

/* https://docs.openstack.org/api-ref/network/v2/#routers-routers. The routes can be set only when the interfaces are there. */
static const struct osm_field fields[] = {
  OSM_FIELD ("availability_zone_hints", OSM_FIELD_SET,
             .flags = OSM_FIELD_NO_EMPTY | OSM_FIELD_FIXED,
             .extension = "router_availability_zone"),
  OSM_FIELD ("description", OSM_FIELD_TEXT),
  OSM_FIELD ("is_admin_state_up", OSM_FIELD_BOOL, .api = "admin_state_up"),
  OSM_FIELD ("is_distributed", OSM_FIELD_BOOL, .flags = OSM_FIELD_CLOUD, .api = "distributed",
             .extension = "dvr"),
  OSM_FIELD ("is_ha", OSM_FIELD_BOOL, .flags = OSM_FIELD_CLOUD, .api = "ha", .extension = "l3-ha"),
  OSM_FIELD ("name", OSM_FIELD_TEXT),
  OSM_FIELD ("tags", OSM_FIELD_SET, .flags = OSM_FIELD_SEPARATE),
  OSM_FIELD ("external_gateway_refinfo", OSM_FIELD_REFS, .flags = OSM_FIELD_NULLABLE,
             .group = "gateway", .to_file = network_to_file, .to_api = network_to_api),
  OSM_FIELD ("flavor_ref", OSM_FIELD_REF, .flags = OSM_FIELD_FIXED, .api = "flavor_id",
             .refers = "network_flavors", .extension = "l3-flavors"),
  OSM_FIELD ("external_fixed_ips", OSM_FIELD_REFS,
             .flags = OSM_FIELD_BEYOND | OSM_FIELD_ADMIN | OSM_FIELD_CLOUD, .group = "gateway",
             .to_file = addresses_to_file, .to_api = addresses_to_api),
  OSM_FIELD ("gateway_qos_policy_ref", OSM_FIELD_REF, .flags = OSM_FIELD_BEYOND,
             .api = "external_gateway_info.qos_policy_id", .refers = "qos_policies",
             .group = "gateway", .to_api = qos_to_api, .extension = "qos-gateway-ip"),
  OSM_FIELD ("is_snat_enabled", OSM_FIELD_BOOL, .flags = OSM_FIELD_BEYOND | OSM_FIELD_ADMIN,
             .api = "external_gateway_info.enable_snat", .group = "gateway", .to_api = snat_to_api,
             .extension = "ext-gw-mode"),
  OSM_FIELD ("routes", OSM_FIELD_SET,
             .flags = OSM_FIELD_BEYOND | OSM_FIELD_SEPARATE | OSM_FIELD_LATE,
             .sort_by = "destination"),
  OSM_FIELD ("availability_zones", OSM_FIELD_SET, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("created_at", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("external_gateway_info", OSM_FIELD_OBJECT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("flavor_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("project_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("revision_number", OSM_FIELD_INTEGER, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("routes", OSM_FIELD_LIST, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("status", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("updated_at", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELDS_END,
};

static int
set (const struct osm_change *change, const struct osm_tenant_type *type, const char *id,
     const struct osm_field *field, const json_t *value, const json_t *is, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *routes = NULL;

  if (strcmp (field->name, "routes") != 0)
    return osm_tenant_set_tags (change, type, id, field, value, is, err);
  routes = osm_json_pack ("{s:O}", "routes", value);
  return osm_network_update (change->cloud, &osm_routers, id, routes, err);
}

static const char *const match[] = { "name", NULL };

const struct osm_tenant_type osm_type_router = {
  .name = "routers",
  .noun = "router",
  .yaml_type = "openstack.network.Router",
  .file = "routers.yml",
  .service = OSM_NETWORK,
  .list_path = "/routers?project_id=%s",
  .list_key = "routers",
  .member_path = "/routers",
  .member_key = "router",
  .list_by_id = true,
  .owner = "project_id",
  .match = match,
  .cleanable = true,
  .fields = fields,
  .set = set,
};
