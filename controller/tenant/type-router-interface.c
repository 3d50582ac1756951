/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/cloud/network.h"
#include "controller/tenant/inventory.h"
#include "controller/tenant/types.h"

/* So many ids go into one request: some proxies cut long addresses off. */
#define IDS_AT_ONCE 40

/* Ports that make up a router's interfaces, not its gateway or what agents have made for it. */
static bool
is_interface (const struct osm_inventory *inventory, const json_t *port)
{
  const char *owner = osm_json_str (port, "device_owner");

  (void)inventory;
  return osm_str_equal (owner, "network:router_interface") ||
         osm_str_equal (owner, "network:ha_router_replicated_interface") ||
         osm_str_equal (owner, "network:router_interface_distributed");
}

static int
list_some (const struct osm_listing *l, const char *query, json_t *all, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *ports = NULL;

  if (osm_network_list (l->cloud, &osm_ports, query, &ports, err) == -1)
    return -1;
  json_array_extend (all, ports);
  return 0;
}

/* A port belongs to whoever attached it, so it is the routers that are ours. */
static int
list (const struct osm_listing *l, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *all = json_array ();
  const json_t *routers = osm_inventory_own (l->inventory, "routers");
  OSM_STRBUF (query);
  const char *id;
  json_t *router;
  size_t n = 0;

  json_object_foreach ((json_t *)routers, id, router)
  {
    osm_strbuf_addf (&query, "%sdevice_id=%s", query.len > 0 ? "&" : "", id);
    if (++n % IDS_AT_ONCE > 0)
      continue;
    if (list_some (l, osm_strbuf_str (&query), all, err) == -1)
      return -1;
    osm_strbuf_clear (&query);
  }
  if (query.len > 0 && list_some (l, osm_strbuf_str (&query), all, err) == -1)
    return -1;
  *ret = osm_take (all);
  return 0;
}

int
osm_fixed_ips_to_file (const struct osm_inventory *inventory, const json_t *port, json_t **ret,
                       struct osm_error *err)
{
  const json_t *ips = json_object_get (port, "fixed_ips"), *ip;
  OSM_CLEANUP_JSON json_t *addresses = json_array ();
  size_t i;

  json_array_foreach (ips, i, ip)
  {
    json_t *ref = NULL;

    if (osm_inventory_ref (inventory, "subnets", json_object_get (ip, "subnet_id"), &ref, err) ==
        -1)
      return -1;
    json_array_append_new (addresses,
                           osm_json_pack ("{s:O?, s:o}", "ip_address",
                                          json_object_get (ip, "ip_address"), "subnet_ref", ref));
  }
  *ret = osm_take (addresses);
  return 0;
}

int
osm_fixed_ips_to_api (const struct osm_inventory *inventory, const json_t *value, json_t *body,
                      struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *addresses = json_array ();
  const json_t *ip;
  size_t i;

  json_array_foreach (value, i, ip)
  {
    json_t *id = NULL;

    if (osm_inventory_id (inventory, "subnets", json_object_get (ip, "subnet_ref"), &id, err) == -1)
      return -1;
    json_array_append_new (addresses,
                           osm_json_pack ("{s:O?, s:o}", "ip_address",
                                          json_object_get (ip, "ip_address"), "subnet_id", id));
  }
  json_object_set (body, "fixed_ips", addresses);
  return 0;
}

static bool
is_nothing (const json_t *port, const char *key)
{
  const char *value = osm_json_str (port, key);

  return !value || !*value;
}

/* {ADDRESS: subnet's id} */
static json_t *
addresses (const json_t *port)
{
  json_t *all = json_object (), *ip;
  size_t i;

  json_array_foreach (json_object_get (port, "fixed_ips"), i, ip)
  {
    const char *address = osm_json_str (ip, "ip_address");

    if (address)
      json_object_set (all, address, json_object_get (ip, "subnet_id"));
  }
  return all;
}

/* What an import that was interrupted before the router got it has left: a port of ours with exactly these addresses, and nothing else. */
static int
take_up (const struct osm_change *change, const json_t *body, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *ports = NULL, *wanted = addresses (body);
  OSM_CLEANUP_FREE char *query = osm_asprintf ("network_id=%s", osm_json_str (body, "network_id"));
  const char *project = osm_inventory_project (change->inventory);
  json_t *port;
  size_t i;

  if (json_object_size (wanted) == 0)
    return 0;
  if (osm_network_list (change->cloud, &osm_ports, query, &ports, err) == -1)
    return -1;
  json_array_foreach (ports, i, port)
  {
    OSM_CLEANUP_JSON json_t *has = addresses (port);

    if (!project || !osm_str_equal (osm_json_str (port, "project_id"), project) ||
        !is_nothing (port, "name") || !is_nothing (port, "device_id") ||
        !is_nothing (port, "device_owner") || !json_equal (has, wanted))
      continue;
    *ret = json_incref (port);
    return 0;
  }
  return 0;
}

static int
make_port (const struct osm_change *change, const json_t *body, json_t **ret, bool *ret_new,
           struct osm_error *err)
{
  OSM_ERROR (why);

  *ret_new = true;
  if (osm_network_create (change->cloud, &osm_ports, body, ret, &why) == 0)
    return 0;
  *ret_new = false;
  if (why.code == 409 && take_up (change, body, ret, err) == -1)
    return -1;
  if (*ret)
    return 0;
  osm_error_move (err, &why);
  return -1;
}

/* A port with these addresses, and then it is the router's. */
static int
create (const struct osm_change *change, const json_t *entry, const json_t *body, json_t **ret,
        struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *port = NULL, *router = NULL, *attach = NULL;
  OSM_CLEANUP_FREE char *path = NULL;
  OSM_ERROR (ignored);
  const char *id;
  bool is_new;

  if (osm_inventory_id (change->inventory, "routers", osm_tenant_path (entry, "params.device_ref"),
                        &router, err) == -1 ||
      make_port (change, body, &port, &is_new, err) == -1)
    return -1;
  id = osm_json_str (port, "id");
  path = osm_asprintf ("/routers/%s/add_router_interface", json_string_value (router));
  attach = osm_json_pack ("{s:s?}", "port_id", id);
  if (osm_cloud_put (change->cloud, OSM_NETWORK, path, attach, NULL, NULL, err) == -1) {
    /* Left alone, it would keep the address from the next attempt. */
    if (is_new && !osm_error_outcome_unknown (err))
      osm_network_delete (change->cloud, &osm_ports, id, &ignored);
    return -1;
  }
  *ret = osm_take (port);
  return 0;
}

/* Ports of routers are not deleted by themselves. */
static int
detach (struct osm_cloud *cloud, const json_t *port, struct osm_error *err)
{
  const char *router = osm_json_str (port, "device_id");
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/routers/%s/remove_router_interface", router);
  OSM_CLEANUP_JSON json_t *body = osm_json_pack ("{s:O?}", "port_id", json_object_get (port, "id"));

  return osm_cloud_put (cloud, OSM_NETWORK, path, body, NULL, NULL, err);
}

/* https://docs.openstack.org/api-ref/network/v2/#add-interface-to-router */
static const struct osm_field fields[] = {
  /* Which of the three it is depends on the cloud and the router. */
  OSM_FIELD ("device_owner", OSM_FIELD_TEXT, .flags = OSM_FIELD_SEPARATE | OSM_FIELD_FIXED),
  OSM_FIELD ("device_ref", OSM_FIELD_REF, .flags = OSM_FIELD_SEPARATE | OSM_FIELD_FIXED,
             .api = "device_id", .refers = "routers"),
  OSM_FIELD ("fixed_ips_refs", OSM_FIELD_REFS, .to_file = osm_fixed_ips_to_file,
             .to_api = osm_fixed_ips_to_api),
  OSM_FIELD ("network_ref", OSM_FIELD_REF, .flags = OSM_FIELD_FIXED, .api = "network_id",
             .refers = "networks"),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELDS_END,
};

static const char *const match[] = { "device_ref", "network_ref", "fixed_ips_refs", NULL };

const struct osm_tenant_type osm_type_router_interface = {
  .name = "router_interfaces",
  .noun = "router interface",
  .yaml_type = "openstack.network.RouterInterface",
  .file = "router_interfaces.yml",
  .service = OSM_NETWORK,
  .member_path = "/ports",
  .member_key = "port",
  .of_project = true,
  .part_of = "device_ref",
  .match = match,
  .cleanable = true,
  .filter_by = "device_ref.name",
  .fields = fields,
  .list = list,
  .create = create,
  .remove = detach,
  .wanted = is_interface,
};
