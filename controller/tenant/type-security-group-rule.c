/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/types.h"

/* https://docs.openstack.org/api-ref/network/v2/#security-group-rules-security-group-rules. A rule cannot be changed: another one
 * takes its place. */
static const struct osm_field fields[] = {
  OSM_FIELD ("description", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED),
  OSM_FIELD ("direction", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED),
  OSM_FIELD ("ether_type", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED, .api = "ethertype"),
  OSM_FIELD ("port_range_max", OSM_FIELD_INTEGER, .flags = OSM_FIELD_FIXED | OSM_FIELD_NULLABLE),
  OSM_FIELD ("port_range_min", OSM_FIELD_INTEGER, .flags = OSM_FIELD_FIXED | OSM_FIELD_NULLABLE),
  OSM_FIELD ("protocol", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED | OSM_FIELD_NULLABLE),
  OSM_FIELD ("remote_ip_prefix", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED | OSM_FIELD_NULLABLE),
  OSM_FIELD ("security_group_ref", OSM_FIELD_REF, .flags = OSM_FIELD_FIXED,
             .api = "security_group_id", .refers = "security_groups"),
  OSM_FIELD ("remote_group_ref", OSM_FIELD_REF, .flags = OSM_FIELD_FIXED | OSM_FIELD_NULLABLE,
             .api = "remote_group_id", .refers = "security_groups"),
  OSM_FIELD ("remote_address_group_ref", OSM_FIELD_REF, .flags = OSM_FIELD_FIXED | OSM_FIELD_BEYOND,
             .api = "remote_address_group_id", .refers = "address_groups",
             .extension = "security-groups-remote-address-group"),
  OSM_FIELD ("created_at", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("project_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("remote_group_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("revision_number", OSM_FIELD_INTEGER, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("security_group_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("updated_at", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELDS_END,
};

/* All that Neutron takes for the same rule: the description is not part of it. */
static const char *const match[] = { "security_group_ref",
                                     "direction",
                                     "ether_type",
                                     "protocol",
                                     "port_range_min",
                                     "port_range_max",
                                     "remote_ip_prefix",
                                     "remote_group_ref",
                                     "remote_address_group_ref",
                                     NULL };

const struct osm_tenant_type osm_type_security_group_rule = {
  .name = "security_group_rules",
  .noun = "security group rule",
  .yaml_type = "openstack.network.SecurityGroupRule",
  .file = "security_group_rules.yml",
  .service = OSM_NETWORK,
  .list_path = "/security-group-rules?project_id=%s",
  .list_key = "security_group_rules",
  .member_path = "/security-group-rules",
  .member_key = "security_group_rule",
  .owner = "project_id",
  .match = match,
  .by_content = true,
  .filter_by = "security_group_ref.name",
  .fields = fields,
  .removable = true,
};
