/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/tenant/convert.h"
#include "controller/tenant/inventory.h"
#include "controller/tenant/types.h"

/* A port that has no name goes by its MAC address, which is the same in both clouds. */
static int
port_ref (const struct osm_inventory *inventory, const json_t *id, json_t **ret,
          struct osm_error *err)
{
  const json_t *port;
  const char *name;

  if (osm_inventory_ref (inventory, "ports", id, ret, err) == -1)
    return -1;
  name = osm_json_str (*ret, "name");
  port =
      json_is_string (id) ? osm_inventory_get (inventory, "ports", json_string_value (id)) : NULL;
  if (port && (!name || !*name))
    json_object_set (*ret, "name", json_object_get (port, "mac_address"));
  return 0;
}

static int
port_id (const struct osm_inventory *inventory, const json_t *ref, json_t **ret,
         struct osm_error *err)
{
  const char *name = osm_json_str (ref, "name"), *id;
  json_t *port;

  json_object_foreach ((json_t *)osm_inventory_own (inventory, "ports"), id, port)
  {
    if (name && osm_str_equal (osm_json_str (port, "mac_address"), name)) {
      *ret = json_string (id);
      return 0;
    }
  }
  return osm_inventory_id (inventory, "ports", ref, ret, err);
}

static int
parent_to_file (const struct osm_inventory *inventory, const json_t *trunk, json_t **ret,
                struct osm_error *err)
{
  return port_ref (inventory, json_object_get (trunk, "port_id"), ret, err);
}

static int
parent_to_api (const struct osm_inventory *inventory, const json_t *value, json_t *body,
               struct osm_error *err)
{
  json_t *id = NULL;

  if (port_id (inventory, value, &id, err) == -1)
    return -1;
  json_object_set_new (body, "port_id", id);
  return 0;
}

static int
sub_ports_to_file (const struct osm_inventory *inventory, const json_t *trunk, json_t **ret,
                   struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *list = json_array ();
  const json_t *sub;
  size_t i;

  json_array_foreach (json_object_get (trunk, "sub_ports"), i, sub)
  {
    json_t *ref = NULL;

    if (port_ref (inventory, json_object_get (sub, "port_id"), &ref, err) == -1)
      return -1;
    json_array_append_new (
        list, osm_json_pack ("{s:O?, s:O?, s:o}", "segmentation_id",
                             json_object_get (sub, "segmentation_id"), "segmentation_type",
                             json_object_get (sub, "segmentation_type"), "port_ref", ref));
  }
  /* The cloud has them in no order. */
  *ret = osm_tenant_sorted (list, NULL);
  return 0;
}

static int
sub_ports_to_api (const struct osm_inventory *inventory, const json_t *value, json_t *body,
                  struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *list = json_array ();
  const json_t *sub;
  size_t i;

  json_array_foreach (value, i, sub)
  {
    json_t *id = NULL;

    if (port_id (inventory, json_object_get (sub, "port_ref"), &id, err) == -1)
      return -1;
    json_array_append_new (
        list, osm_json_pack ("{s:O?, s:O?, s:o}", "segmentation_id",
                             json_object_get (sub, "segmentation_id"), "segmentation_type",
                             json_object_get (sub, "segmentation_type"), "port_id", id));
  }
  json_object_set (body, "sub_ports", list);
  return 0;
}

/* ---- changes ---- */

/* Those of `all` that are not in `without`: [{"port_id", ...}]. New array. */
static json_t *
minus (const json_t *all, const json_t *without)
{
  json_t *left = json_array (), *sub, *other;
  size_t i, j;

  json_array_foreach (all, i, sub)
  {
    bool found = false;

    json_array_foreach (without, j, other) found = found || json_equal (sub, other);
    if (!found)
      json_array_append (left, sub);
  }
  return left;
}

void
osm_trunk_changes (const json_t *now, const json_t *wanted, json_t **ret_remove, json_t **ret_add)
{
  OSM_CLEANUP_JSON json_t *gone = minus (now, wanted);
  const json_t *sub;
  size_t i;

  *ret_add = minus (wanted, now);
  *ret_remove = json_array ();
  json_array_foreach (gone, i, sub) json_array_append_new (
      *ret_remove, osm_json_pack ("{s:O?}", "port_id", json_object_get (sub, "port_id")));
}

static int
change_sub_ports (const struct osm_change *change, const char *id, const char *how,
                  const json_t *sub_ports, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/trunks/%s/%s", id, how);
  OSM_CLEANUP_JSON json_t *body = osm_json_pack ("{s:O}", "sub_ports", sub_ports);

  return json_array_size (sub_ports) == 0
             ? 0
             : osm_cloud_put (change->cloud, OSM_NETWORK, path, body, NULL, NULL, err);
}

/* Sub-ports come and go by requests of their own. Old ones first: a port that gets another VLAN is both, and so is a VLAN that gets
 * another port. */
static int
update (const struct osm_change *change, const char *id, const json_t *body, const json_t *entry,
        const json_t *is, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (id), *path = osm_asprintf ("/trunks/%s", quoted);
  OSM_CLEANUP_JSON json_t *rest = json_copy ((json_t *)body), *now = json_object (),
                          *wrapped = NULL, *less = NULL, *more = NULL;
  const json_t *wanted = json_object_get (body, "sub_ports");

  (void)entry;
  json_object_del (rest, "sub_ports");
  wrapped = osm_json_pack ("{s:O}", "trunk", rest);
  if (json_object_size (rest) > 0 &&
      osm_cloud_put (change->cloud, OSM_NETWORK, path, wrapped, NULL, NULL, err) == -1)
    return -1;
  if (!wanted)
    return 0;
  if (sub_ports_to_api (change->inventory, osm_tenant_path (is, "params.sub_ports_refs"), now,
                        err) == -1)
    return -1;
  osm_trunk_changes (json_object_get (now, "sub_ports"), wanted, &less, &more);
  if (change_sub_ports (change, quoted, "remove_subports", less, err) == -1)
    return -1;
  return change_sub_ports (change, quoted, "add_subports", more, err);
}

/* https://docs.openstack.org/api-ref/network/v2/#trunk-networking */
static const struct osm_field fields[] = {
  OSM_FIELD ("description", OSM_FIELD_TEXT),
  OSM_FIELD ("is_admin_state_up", OSM_FIELD_BOOL, .api = "admin_state_up"),
  OSM_FIELD ("name", OSM_FIELD_TEXT),
  OSM_FIELD ("tags", OSM_FIELD_SET, .flags = OSM_FIELD_SEPARATE),
  OSM_FIELD ("port_ref", OSM_FIELD_REF, .flags = OSM_FIELD_FIXED, .refers = "ports",
             .to_file = parent_to_file, .to_api = parent_to_api),
  OSM_FIELD ("sub_ports_refs", OSM_FIELD_REFS, .flags = OSM_FIELD_UNORDERED,
             .to_file = sub_ports_to_file, .to_api = sub_ports_to_api),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("port_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("project_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("status", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELDS_END,
};

static const char *const match[] = { "name", "port_ref", NULL };

const struct osm_tenant_type osm_type_trunk = {
  .name = "trunks",
  .noun = "trunk",
  .yaml_type = "osm.network.Trunk",
  .file = OSM_OWN_FILES "trunks.yml",
  .service = OSM_NETWORK,
  .optional = true,
  .list_path = "/trunks?project_id=%s",
  .list_key = "trunks",
  .member_path = "/trunks",
  .member_key = "trunk",
  .owner = "project_id",
  .nameless = true,
  .match = match,
  .fields = fields,
  .update = update,
  .set = osm_tenant_set_tags,
};
