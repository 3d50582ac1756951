/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/types.h"

/* https://docs.openstack.org/api-ref/network/v2/#subnets. OS Migrate sorts the name servers; guests ask them in their order, so it
 * stays here. */
static const struct osm_field fields[] = {
  OSM_FIELD ("allocation_pools", OSM_FIELD_SET, .sort_by = "start"),
  OSM_FIELD ("cidr", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED),
  OSM_FIELD ("description", OSM_FIELD_TEXT),
  OSM_FIELD ("dns_nameservers", OSM_FIELD_LIST),
  OSM_FIELD ("gateway_ip", OSM_FIELD_TEXT, .flags = OSM_FIELD_NULLABLE),
  OSM_FIELD ("host_routes", OSM_FIELD_SET, .sort_by = "destination"),
  OSM_FIELD ("ip_version", OSM_FIELD_INTEGER, .flags = OSM_FIELD_FIXED),
  OSM_FIELD ("ipv6_address_mode", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED),
  OSM_FIELD ("ipv6_ra_mode", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED),
  OSM_FIELD ("is_dhcp_enabled", OSM_FIELD_BOOL, .api = "enable_dhcp"),
  OSM_FIELD ("name", OSM_FIELD_TEXT),
  OSM_FIELD ("service_types", OSM_FIELD_SET, .flags = OSM_FIELD_NO_EMPTY,
             .extension = "subnet-service-types"),
  OSM_FIELD ("tags", OSM_FIELD_SET, .flags = OSM_FIELD_SEPARATE),
  OSM_FIELD ("use_default_subnet_pool", OSM_FIELD_BOOL, .flags = OSM_FIELD_FIXED,
             .api = "use_default_subnetpool"),
  OSM_FIELD ("network_ref", OSM_FIELD_REF, .flags = OSM_FIELD_FIXED, .api = "network_id",
             .refers = "networks"),
  OSM_FIELD ("segment_ref", OSM_FIELD_REF, .flags = OSM_FIELD_CLOUD, .api = "segment_id",
             .refers = "segments"),
  OSM_FIELD ("subnet_pool_ref", OSM_FIELD_REF, .flags = OSM_FIELD_FIXED, .api = "subnetpool_id",
             .refers = "subnet_pools"),
  OSM_FIELD ("created_at", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("network_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("prefix_length", OSM_FIELD_INTEGER, .flags = OSM_FIELD_INFO, .api = "prefixlen"),
  OSM_FIELD ("project_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("revision_number", OSM_FIELD_INTEGER, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("segment_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("subnet_pool_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO, .api = "subnetpool_id"),
  OSM_FIELD ("updated_at", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELDS_END,
};

/* Two networks may each have a subnet "subnet". */
static const char *const match[] = { "name", "network_ref", NULL };

const struct osm_tenant_type osm_type_subnet = {
  .name = "subnets",
  .noun = "subnet",
  .yaml_type = "openstack.subnet.Subnet",
  .file = "subnets.yml",
  .service = OSM_NETWORK,
  .list_path = "/subnets?project_id=%s",
  .list_key = "subnets",
  .member_path = "/subnets",
  .member_key = "subnet",
  .list_by_id = true,
  .owner = "project_id",
  .part_of = "network_ref",
  .match = match,
  .cleanable = true,
  .fields = fields,
  .set = osm_tenant_set_tags,
};
