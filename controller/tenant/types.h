/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The entries of the table, one file each (type-*.c). For types.c, and for unit tests of one of them. */

#ifndef OSM_CONTROLLER_TENANT_TYPES_H
#define OSM_CONTROLLER_TENANT_TYPES_H

#include "controller/tenant/type.h"

extern const struct osm_tenant_type osm_type_project, osm_type_user, osm_type_role_assignment,
    osm_type_flavor, osm_type_network, osm_type_subnet, osm_type_router, osm_type_router_interface,
    osm_type_security_group, osm_type_security_group_rule, osm_type_keypair, osm_type_users_keypair,
    osm_type_image, osm_type_server_group, osm_type_port, osm_type_trunk, osm_type_rbac_policy,
    osm_type_volume_type, osm_type_quota, osm_type_address_scope, osm_type_subnet_pool,
    osm_type_qos_policy, osm_type_address_group, osm_type_volume_qos;
extern const struct osm_tenant_type osm_type_domain, osm_type_role, osm_type_segment,
    osm_type_network_flavor;

/* .set of Neutron's objects: their tags, by a request of their own. */
int osm_tenant_set_tags (const struct osm_change *change, const struct osm_tenant_type *type,
                         const char *id, const struct osm_field *field, const json_t *value,
                         const json_t *is, struct osm_error *err);
/* What makes a QoS policy's rules those of the file: [{"method", "id" or null, "rule"}] in their order; a rule of the same type and direction is
 * changed in place. now: of the API; wanted: of the file. New array. (pure) */
json_t *osm_qos_rule_changes (const json_t *now, const json_t *wanted);
/* The body of the PUT that leaves nothing of what Cinder has now but what is wanted: it keeps what it is not told to clear. New object.
 * (pure) */
json_t *osm_encryption_changes (const json_t *now, const json_t *wanted);
/* Sub-ports of a trunk, as the API has them: which to remove ([{"port_id"}]) and which to add. New arrays. (pure) */
void osm_trunk_changes (const json_t *now, const json_t *wanted, json_t **ret_remove,
                        json_t **ret_add);
/* Of ports: "fixed_ips" and [{"ip_address", "subnet_ref"}]. */
int osm_fixed_ips_to_file (const struct osm_inventory *inventory, const json_t *port, json_t **ret,
                           struct osm_error *err);
int osm_fixed_ips_to_api (const struct osm_inventory *inventory, const json_t *value, json_t *body,
                          struct osm_error *err);

#endif
