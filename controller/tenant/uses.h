/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What uses an object, so that it cannot be deleted, or should not be. Neutron refuses some of that with 409, but not all: the interface of a
 * router goes although servers are behind it, and a server group although it has members. Pure.
 *
 *   json_t *uses = osm_tenant_uses (found);      {TYPE: {ID: [{"type", "id", "text"}]}}
 *
 * type and id: the user is an object of the tenant, which may go first; text: for people. */

#ifndef OSM_CONTROLLER_TENANT_USES_H
#define OSM_CONTROLLER_TENANT_USES_H

#include <jansson.h>

/* found: everything that the cloud shows, as its API has it: "ports", "servers", "subnets", "routers", "server_groups", "security_group_rules",
 * "rbac_policies", "floating_ips". New object. */
json_t *osm_tenant_uses (const json_t *found);

#endif
