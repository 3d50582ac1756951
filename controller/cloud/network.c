/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cloud/network.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"

#define COLLECTION(noun, path, plural, singular, filter)                                \
  {                                                                                     \
    .service = OSM_NETWORK, .what = (noun), .list_path = (path), .member_path = (path), \
    .list_key = (plural), .member_key = (singular), .name_filter = (filter)             \
  }

const struct osm_collection osm_networks =
    COLLECTION ("network", "/networks", "networks", "network", true);
const struct osm_collection osm_subnets =
    COLLECTION ("subnet", "/subnets", "subnets", "subnet", true);
const struct osm_collection osm_routers =
    COLLECTION ("router", "/routers", "routers", "router", true);
const struct osm_collection osm_ports = COLLECTION ("port", "/ports", "ports", "port", true);
const struct osm_collection osm_security_groups =
    COLLECTION ("security group", "/security-groups", "security_groups", "security_group", true);
const struct osm_collection osm_floating_ips =
    COLLECTION ("floating IP", "/floatingips", "floatingips", "floatingip", false);

const struct osm_collection osm_qos_policies =
    COLLECTION ("QoS policy", "/qos/policies", "policies", "policy", true);

int
osm_network_list (struct osm_cloud *cloud, const struct osm_collection *c, const char *query,
                  json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path =
      osm_asprintf ("%s%s%s", c->list_path, query && *query ? "?" : "", query ? query : "");

  return osm_cloud_list (cloud, OSM_NETWORK, path, c->list_key, ret, err);
}

int
osm_network_extensions (struct osm_cloud *cloud, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *all = NULL;
  size_t i;
  const json_t *extension;

  if (osm_cloud_list (cloud, OSM_NETWORK, "/extensions", "extensions", &all, err) == -1)
    return -1;
  *ret = json_object ();
  json_array_foreach (all, i, extension)
  {
    const char *alias = osm_json_str (extension, "alias");

    if (alias)
      json_object_set_new (*ret, alias, json_true ());
  }
  return 0;
}

int
osm_network_create (struct osm_cloud *cloud, const struct osm_collection *c, const json_t *spec,
                    json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *body = osm_json_pack ("{s:O}", c->member_key, spec);

  return osm_cloud_post (cloud, OSM_NETWORK, c->member_path, body, c->member_key, ret, err);
}

int
osm_network_update (struct osm_cloud *cloud, const struct osm_collection *c, const char *id,
                    const json_t *fields, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/%s", c->member_path, id);
  OSM_CLEANUP_JSON json_t *body = osm_json_pack ("{s:O}", c->member_key, fields);

  return osm_cloud_put (cloud, OSM_NETWORK, path, body, NULL, NULL, err);
}

int
osm_network_delete (struct osm_cloud *cloud, const struct osm_collection *c, const char *id,
                    struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/%s", c->member_path, id);

  return osm_cloud_delete (cloud, OSM_NETWORK, path, err);
}

int
osm_network_tag (struct osm_cloud *cloud, const struct osm_collection *c, const char *id,
                 const json_t *tags, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/%s/tags", c->member_path, id);
  OSM_CLEANUP_JSON json_t *body = osm_json_pack ("{s:O}", "tags", tags);

  return osm_cloud_put (cloud, OSM_NETWORK, path, body, NULL, NULL, err);
}

static int
router_interface (struct osm_cloud *cloud, const char *router_id, const char *subnet_id,
                  const char *what, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/routers/%s/%s", router_id, what);
  OSM_CLEANUP_JSON json_t *body = osm_json_pack ("{s:s}", "subnet_id", subnet_id);

  return osm_cloud_put (cloud, OSM_NETWORK, path, body, NULL, NULL, err);
}

/* Has the router a port in that subnet? */
static bool
is_in_subnet (struct osm_cloud *cloud, const char *router_id, const char *subnet_id)
{
  OSM_CLEANUP_FREE char *query =
      osm_asprintf ("device_id=%s&fixed_ips=subnet_id%%3D%s", router_id, subnet_id);
  OSM_CLEANUP_JSON json_t *ports = NULL;
  OSM_ERROR (ignored);

  return osm_network_list (cloud, &osm_ports, query, &ports, &ignored) == 0 &&
         json_array_size (ports) > 0;
}

/* Already there: success, because the first of two requests may have lost its answer. */
int
osm_router_add_subnet (struct osm_cloud *cloud, const char *router_id, const char *subnet_id,
                       struct osm_error *err)
{
  OSM_ERROR (why);

  if (router_interface (cloud, router_id, subnet_id, "add_router_interface", &why) == 0 ||
      (why.code == 400 && is_in_subnet (cloud, router_id, subnet_id)))
    return 0;
  osm_error_move (err, &why);
  return -1;
}

int
osm_router_remove_subnet (struct osm_cloud *cloud, const char *router_id, const char *subnet_id,
                          struct osm_error *err)
{
  OSM_ERROR (why);

  if (router_interface (cloud, router_id, subnet_id, "remove_router_interface", &why) == 0 ||
      osm_error_not_found (&why))
    return 0;
  osm_error_move (err, &why);
  return -1;
}

int
osm_security_group_rule_create (struct osm_cloud *cloud, const json_t *spec, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *body = osm_json_pack ("{s:O}", "security_group_rule", spec);

  return osm_cloud_post (cloud, OSM_NETWORK, "/security-group-rules", body, NULL, NULL, err);
}

int
osm_security_group_rule_delete (struct osm_cloud *cloud, const char *id, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/security-group-rules/%s", id);

  return osm_cloud_delete (cloud, OSM_NETWORK, path, err);
}
