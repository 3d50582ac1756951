/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/types.h"

/* https://docs.openstack.org/api-ref/network/v2/#subnet-pools-extension-subnetpools. Neutron only ever adds prefixes, and has lengths as
 * text. */
static const struct osm_field fields[] = {
  OSM_FIELD ("default_prefix_length", OSM_FIELD_INTEGER, .flags = OSM_FIELD_AS_TEXT,
             .api = "default_prefixlen"),
  OSM_FIELD ("default_quota", OSM_FIELD_INTEGER),
  OSM_FIELD ("description", OSM_FIELD_TEXT),
  OSM_FIELD ("is_default", OSM_FIELD_BOOL, .extension = "default-subnetpools"),
  OSM_FIELD ("is_shared", OSM_FIELD_BOOL, .flags = OSM_FIELD_FIXED, .api = "shared"),
  OSM_FIELD ("maximum_prefix_length", OSM_FIELD_INTEGER, .flags = OSM_FIELD_AS_TEXT,
             .api = "max_prefixlen"),
  OSM_FIELD ("minimum_prefix_length", OSM_FIELD_INTEGER, .flags = OSM_FIELD_AS_TEXT,
             .api = "min_prefixlen"),
  OSM_FIELD ("name", OSM_FIELD_TEXT),
  OSM_FIELD ("prefixes", OSM_FIELD_SET),
  OSM_FIELD ("tags", OSM_FIELD_SET, .flags = OSM_FIELD_SEPARATE),
  OSM_FIELD ("address_scope_ref", OSM_FIELD_REF, .flags = OSM_FIELD_NULLABLE,
             .api = "address_scope_id", .refers = "address_scopes", .extension = "address-scope"),
  OSM_FIELD ("created_at", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("ip_version", OSM_FIELD_INTEGER, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("project_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("revision_number", OSM_FIELD_INTEGER, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("updated_at", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELDS_END,
};

static const char *const match[] = { "name", NULL };

const struct osm_tenant_type osm_type_subnet_pool = {
  .name = "subnet_pools",
  .noun = "subnet pool",
  .yaml_type = "osm.network.SubnetPool",
  .file = OSM_OWN_FILES "subnet_pools.yml",
  .optional = true,
  .service = OSM_NETWORK,
  .list_path = "/subnetpools?project_id=%s",
  .list_key = "subnetpools",
  .member_path = "/subnetpools",
  .member_key = "subnetpool",
  .list_by_id = true,
  .owner = "project_id",
  .match = match,
  .fields = fields,
  .set = osm_tenant_set_tags,
};
