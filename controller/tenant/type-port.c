/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/tenant/convert.h"
#include "controller/tenant/inventory.h"
#include "controller/tenant/types.h"

/* One that osm made for a server that is on its way. */
static bool
is_of_a_migration (const json_t *port)
{
  const json_t *tag;
  size_t i;

  json_array_foreach (json_object_get (port, "tags"), i, tag)
  {
    if (json_is_string (tag) && osm_str_starts_with (json_string_value (tag), "osm."))
      return true;
  }
  return false;
}

/* Those that belong to nobody, and those below a trunk. A server's ports move with it; all others are the services' own. */
static bool
is_standalone (const struct osm_inventory *inventory, const json_t *port)
{
  const char *owner = osm_json_str (port, "device_owner"),
             *device = osm_json_str (port, "device_id");

  (void)inventory;
  return (osm_str_equal (owner, "trunk:subport") ||
          ((!owner || !*owner) && (!device || !*device))) &&
         !is_of_a_migration (port);
}

static int
groups_to_file (const struct osm_inventory *inventory, const json_t *port, json_t **ret,
                struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *list = json_array ();
  const json_t *id;
  size_t i;

  json_array_foreach (json_object_get (port, "security_groups"), i, id)
  {
    json_t *ref = NULL;

    if (osm_inventory_ref (inventory, "security_groups", id, &ref, err) == -1)
      return -1;
    json_array_append_new (list, osm_json_pack ("{s:o}", "security_group_ref", ref));
  }
  /* The cloud has them in no order. */
  *ret = osm_tenant_sorted (list, NULL);
  return 0;
}

static int
groups_to_api (const struct osm_inventory *inventory, const json_t *value, json_t *body,
               struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *list = json_array ();
  const json_t *item;
  size_t i;

  json_array_foreach (value, i, item)
  {
    json_t *id = NULL;

    if (osm_inventory_id (inventory, "security_groups",
                          json_object_get (item, "security_group_ref"), &id, err) == -1)
      return -1;
    json_array_append_new (list, id);
  }
  json_object_set (body, "security_groups", list);
  return 0;
}

/* https://docs.openstack.org/api-ref/network/v2/#ports. Groups come after what allows them, port security. */
static const struct osm_field fields[] = {
  OSM_FIELD ("allowed_address_pairs", OSM_FIELD_SET, .flags = OSM_FIELD_NO_EMPTY,
             .sort_by = "ip_address", .extension = "allowed-address-pairs"),
  OSM_FIELD ("binding_vnic_type", OSM_FIELD_TEXT, .api = "binding:vnic_type",
             .extension = "binding"),
  OSM_FIELD ("description", OSM_FIELD_TEXT),
  OSM_FIELD ("dns_name", OSM_FIELD_TEXT, .flags = OSM_FIELD_NO_EMPTY,
             .extension = "dns-integration"),
  OSM_FIELD ("extra_dhcp_opts", OSM_FIELD_SET, .flags = OSM_FIELD_NO_EMPTY, .sort_by = "opt_name",
             .extension = "extra_dhcp_opt"),
  OSM_FIELD ("is_admin_state_up", OSM_FIELD_BOOL, .api = "admin_state_up"),
  OSM_FIELD ("is_port_security_enabled", OSM_FIELD_BOOL, .api = "port_security_enabled",
             .extension = "port-security"),
  OSM_FIELD ("mac_address", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED),
  OSM_FIELD ("name", OSM_FIELD_TEXT),
  OSM_FIELD ("tags", OSM_FIELD_SET, .flags = OSM_FIELD_SEPARATE),
  OSM_FIELD ("fixed_ips_refs", OSM_FIELD_REFS, .to_file = osm_fixed_ips_to_file,
             .to_api = osm_fixed_ips_to_api),
  OSM_FIELD ("network_ref", OSM_FIELD_REF, .flags = OSM_FIELD_FIXED, .api = "network_id",
             .refers = "networks"),
  OSM_FIELD ("qos_policy_ref", OSM_FIELD_REF, .flags = OSM_FIELD_NULLABLE, .api = "qos_policy_id",
             .refers = "qos_policies", .extension = "qos"),
  OSM_FIELD ("security_groups_refs", OSM_FIELD_REFS, .flags = OSM_FIELD_UNORDERED,
             .to_file = groups_to_file, .to_api = groups_to_api),
  OSM_FIELD ("created_at", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("project_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("status", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("updated_at", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELDS_END,
};

/* Most have no name. */
static const char *const match[] = { "name", "network_ref", "mac_address", NULL };

const struct osm_tenant_type osm_type_port = {
  .name = "ports",
  .noun = "port",
  .yaml_type = "osm.network.Port",
  .file = OSM_OWN_FILES "ports.yml",
  .service = OSM_NETWORK,
  .list_path = "/ports?project_id=%s",
  .list_key = "ports",
  .member_path = "/ports",
  .member_key = "port",
  .list_by_id = true,
  .owner = "project_id",
  .nameless = true,
  .called_by_mac = true,
  .part_of = "network_ref",
  .match = match,
  .fields = fields,
  .wanted = is_standalone,
  .set = osm_tenant_set_tags,
};
