/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/types.h"

/* https://docs.openstack.org/api-ref/network/v2/#security-groups-security-groups */
static const struct osm_field fields[] = {
  OSM_FIELD ("description", OSM_FIELD_TEXT),
  OSM_FIELD ("name", OSM_FIELD_TEXT),
  OSM_FIELD ("is_stateful", OSM_FIELD_BOOL, .flags = OSM_FIELD_BEYOND, .api = "stateful"),
  OSM_FIELD ("tags", OSM_FIELD_SET, .flags = OSM_FIELD_BEYOND | OSM_FIELD_SEPARATE),
  OSM_FIELD ("created_at", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("project_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("revision_number", OSM_FIELD_INTEGER, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("updated_at", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELDS_END,
};

static const char *const match[] = { "name", NULL };

const struct osm_tenant_type osm_type_security_group = {
  .name = "security_groups",
  .noun = "security group",
  .yaml_type = "openstack.network.SecurityGroup",
  .file = "security_groups.yml",
  .service = OSM_NETWORK,
  .list_path = "/security-groups?project_id=%s",
  .list_key = "security_groups",
  .member_path = "/security-groups",
  .member_key = "security_group",
  .list_by_id = true,
  .owner = "project_id",
  .match = match,
  .fields = fields,
};
