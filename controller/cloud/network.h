/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Neutron: networks, subnets, routers, ports, floating IPs, security groups. */

#ifndef OSM_CONTROLLER_NETWORK_H
#define OSM_CONTROLLER_NETWORK_H

#include "controller/cloud/cloud.h"

extern const struct osm_collection osm_networks, osm_subnets, osm_routers, osm_ports,
    osm_security_groups, osm_floating_ips, osm_qos_policies;

/* query: "device_id=ID&..." already encoded, or "". New array. collection as above. */
int osm_network_list (struct osm_cloud *cloud, const struct osm_collection *collection,
                      const char *query, json_t **ret, struct osm_error *err);
/* What this Neutron can do beside its core: {ALIAS: true}. New object. */
int osm_network_extensions (struct osm_cloud *cloud, json_t **ret, struct osm_error *err);
/* spec: the inner object; *ret the created one. Tags are set by osm_network_tag (a second request). */
int osm_network_create (struct osm_cloud *cloud, const struct osm_collection *collection,
                        const json_t *spec, json_t **ret, struct osm_error *err);
int osm_network_update (struct osm_cloud *cloud, const struct osm_collection *collection,
                        const char *id, const json_t *fields, struct osm_error *err);
/* Not there: success. */
int osm_network_delete (struct osm_cloud *cloud, const struct osm_collection *collection,
                        const char *id, struct osm_error *err);
/* Replaces the tags of an object. */
int osm_network_tag (struct osm_cloud *cloud, const struct osm_collection *collection,
                     const char *id, const json_t *tags, struct osm_error *err);
int osm_router_add_subnet (struct osm_cloud *cloud, const char *router_id, const char *subnet_id,
                           struct osm_error *err);
int osm_router_remove_subnet (struct osm_cloud *cloud, const char *router_id, const char *subnet_id,
                              struct osm_error *err);
int osm_security_group_rule_create (struct osm_cloud *cloud, const json_t *spec,
                                    struct osm_error *err);
int osm_security_group_rule_delete (struct osm_cloud *cloud, const char *id, struct osm_error *err);

#endif
