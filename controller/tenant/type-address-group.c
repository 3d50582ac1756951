/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/tenant/types.h"

/* https://docs.openstack.org/api-ref/network/v2/#address-groups */
static const struct osm_field fields[] = {
  OSM_FIELD ("addresses", OSM_FIELD_SET),
  OSM_FIELD ("description", OSM_FIELD_TEXT),
  OSM_FIELD ("name", OSM_FIELD_TEXT),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("project_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELDS_END,
};

/* Those of `all` that are not in `without`. New array. */
static json_t *
minus (const json_t *all, const json_t *without)
{
  OSM_CLEANUP_JSON json_t *seen = json_object ();
  json_t *left = json_array (), *text;
  size_t i;

  json_array_foreach (without, i, text) if (json_is_string (text))
      json_object_set_new (seen, json_string_value (text), json_true ());
  json_array_foreach (all, i, text) if (json_is_string (text) &&
                                        !json_object_get (seen, json_string_value (text)))
      json_array_append (left, text);
  return left;
}

static int
change_addresses (const struct osm_change *change, const char *id, const char *how,
                  const json_t *addresses, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/address-groups/%s/%s", id, how);
  OSM_CLEANUP_JSON json_t *body = osm_json_pack ("{s:O}", "addresses", addresses);

  return json_array_size (addresses) == 0
             ? 0
             : osm_cloud_put (change->cloud, OSM_NETWORK, path, body, NULL, NULL, err);
}

/* Addresses come and go by requests of their own, and Neutron refuses what is there already, or is not there. New ones first: what is
 * allowed before and after is not cut off in between. */
static int
update (const struct osm_change *change, const char *id, const json_t *body, const json_t *entry,
        const json_t *is, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (id),
                        *path = osm_asprintf ("/address-groups/%s", quoted);
  OSM_CLEANUP_JSON json_t *rest = json_copy ((json_t *)body), *wrapped = NULL, *more = NULL,
                          *less = NULL;
  const json_t *wanted = json_object_get (body, "addresses"),
               *now = osm_tenant_path (is, "params.addresses");

  (void)entry;
  more = minus (wanted, now);
  less = minus (wanted ? now : NULL, wanted);
  json_object_del (rest, "addresses");
  wrapped = osm_json_pack ("{s:O}", "address_group", rest);
  if (json_object_size (rest) > 0 &&
      osm_cloud_put (change->cloud, OSM_NETWORK, path, wrapped, NULL, NULL, err) == -1)
    return -1;
  if (change_addresses (change, quoted, "add_addresses", more, err) == -1)
    return -1;
  return change_addresses (change, quoted, "remove_addresses", less, err);
}

static const char *const match[] = { "name", NULL };

const struct osm_tenant_type osm_type_address_group = {
  .name = "address_groups",
  .noun = "address group",
  .yaml_type = "osm.network.AddressGroup",
  .file = OSM_OWN_FILES "address_groups.yml",
  .optional = true,
  .service = OSM_NETWORK,
  .list_path = "/address-groups?project_id=%s",
  .list_key = "address_groups",
  .member_path = "/address-groups",
  .member_key = "address_group",
  .list_by_id = true,
  .owner = "project_id",
  .match = match,
  .fields = fields,
  .update = update,
};
