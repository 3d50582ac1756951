/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cloud/network.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"

#define COLLECTION(what, plural, singular)                            \
  {                                                                   \
    OSM_NETWORK, what, "/" plural, "/" plural, plural, singular, true \
  }

const struct osm_collection osm_networks = COLLECTION ("network", "networks", "network");
const struct osm_collection osm_subnets = COLLECTION ("subnet", "subnets", "subnet");
const struct osm_collection osm_routers = COLLECTION ("router", "routers", "router");
const struct osm_collection osm_ports = COLLECTION ("port", "ports", "port");
/* These two have a dash in the path and an underscore in the body. */
const struct osm_collection osm_security_groups = { OSM_NETWORK,
                                                    "security group",
                                                    "/security-groups",
                                                    "/security-groups",
                                                    "security_groups",
                                                    "security_group",
                                                    true };
const struct osm_collection osm_floating_ips = { OSM_NETWORK,    "floating IP", "/floatingips",
                                                 "/floatingips", "floatingips", "floatingip",
                                                 false };

int
osm_network_list (struct osm_cloud *cloud, const struct osm_collection *c, const char *query,
                  json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path =
      osm_asprintf ("%s%s%s", c->list_path, query && *query ? "?" : "", query ? query : "");

  return osm_cloud_list (cloud, OSM_NETWORK, path, c->list_key, ret, err);
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

int
osm_router_add_subnet (struct osm_cloud *cloud, const char *router_id, const char *subnet_id,
                       struct osm_error *err)
{
  return router_interface (cloud, router_id, subnet_id, "add_router_interface", err);
}

int
osm_router_remove_subnet (struct osm_cloud *cloud, const char *router_id, const char *subnet_id,
                          struct osm_error *err)
{
  return router_interface (cloud, router_id, subnet_id, "remove_router_interface", err);
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
