/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/types.h"

/* https://docs.openstack.org/api-ref/network/v2/#networks */
static const struct osm_field fields[] = {
  OSM_FIELD ("availability_zone_hints", OSM_FIELD_SET, .flags = OSM_FIELD_NO_EMPTY,
             .extension = "network_availability_zone"),
  OSM_FIELD ("description", OSM_FIELD_TEXT),
  OSM_FIELD ("dns_domain", OSM_FIELD_TEXT, .flags = OSM_FIELD_NO_EMPTY,
             .extension = "dns-integration"),
  OSM_FIELD ("is_admin_state_up", OSM_FIELD_BOOL, .api = "admin_state_up"),
  OSM_FIELD ("is_default", OSM_FIELD_BOOL),
  OSM_FIELD ("is_port_security_enabled", OSM_FIELD_BOOL, .api = "port_security_enabled",
             .extension = "port-security"),
  OSM_FIELD ("is_router_external", OSM_FIELD_BOOL, .api = "router:external",
             .extension = "external-net"),
  OSM_FIELD ("is_shared", OSM_FIELD_BOOL, .api = "shared"),
  OSM_FIELD ("is_vlan_transparent", OSM_FIELD_BOOL, .flags = OSM_FIELD_FIXED,
             .api = "vlan_transparent", .extension = "vlan-transparent"),
  OSM_FIELD ("mtu", OSM_FIELD_INTEGER, .extension = "net-mtu-writable"),
  OSM_FIELD ("name", OSM_FIELD_TEXT),
  OSM_FIELD ("provider_network_type", OSM_FIELD_TEXT, .flags = OSM_FIELD_CLOUD,
             .api = "provider:network_type"),
  OSM_FIELD ("provider_physical_network", OSM_FIELD_TEXT, .flags = OSM_FIELD_CLOUD,
             .api = "provider:physical_network"),
  OSM_FIELD ("provider_segmentation_id", OSM_FIELD_INTEGER, .flags = OSM_FIELD_CLOUD,
             .api = "provider:segmentation_id"),
  OSM_FIELD ("segments", OSM_FIELD_LIST, .flags = OSM_FIELD_CLOUD),
  OSM_FIELD ("tags", OSM_FIELD_SET, .flags = OSM_FIELD_SEPARATE),
  OSM_FIELD ("qos_policy_ref", OSM_FIELD_REF, .flags = OSM_FIELD_NULLABLE, .api = "qos_policy_id",
             .refers = "qos_policies", .extension = "qos"),
  OSM_FIELD ("availability_zones", OSM_FIELD_SET, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("created_at", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("project_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("qos_policy_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("revision_number", OSM_FIELD_INTEGER, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("status", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("subnet_ids", OSM_FIELD_SET, .flags = OSM_FIELD_INFO, .api = "subnets"),
  OSM_FIELD ("updated_at", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELDS_END,
};

static const char *const match[] = { "name", NULL };

const struct osm_tenant_type osm_type_network = {
  .name = "networks",
  .noun = "network",
  .yaml_type = "openstack.network.Network",
  .file = "networks.yml",
  .service = OSM_NETWORK,
  .list_path = "/networks?project_id=%s",
  .list_key = "networks",
  .member_path = "/networks",
  .member_key = "network",
  .list_by_id = true,
  .owner = "project_id",
  .match = match,
  .cleanable = true,
  .fields = fields,
  .set = osm_tenant_set_tags,
};
