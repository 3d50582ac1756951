/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/types.h"

/* https://docs.openstack.org/api-ref/network/v2/#address-scopes */
static const struct osm_field fields[] = {
  OSM_FIELD ("ip_version", OSM_FIELD_INTEGER, .flags = OSM_FIELD_FIXED),
  OSM_FIELD ("is_shared", OSM_FIELD_BOOL, .api = "shared"),
  OSM_FIELD ("name", OSM_FIELD_TEXT),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("project_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELDS_END,
};

static const char *const match[] = { "name", NULL };

const struct osm_tenant_type osm_type_address_scope = {
  .name = "address_scopes",
  .noun = "address scope",
  .yaml_type = "osm.network.AddressScope",
  .file = OSM_OWN_FILES "address_scopes.yml",
  .optional = true,
  .service = OSM_NETWORK,
  .list_path = "/address-scopes?project_id=%s",
  .list_key = "address_scopes",
  .member_path = "/address-scopes",
  .member_key = "address_scope",
  .list_by_id = true,
  .owner = "project_id",
  .match = match,
  .fields = fields,
};
