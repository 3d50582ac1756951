/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/tenant/types.h"

/* Before 2.75 no swap was "". */
static int
swap_to_file (const struct osm_inventory *inventory, const json_t *flavor, json_t **ret,
              struct osm_error *err)
{
  json_t *swap = json_object_get (flavor, "swap");

  (void)inventory;
  (void)err;
  *ret = json_is_integer (swap) ? json_incref (swap) : json_integer (0);
  return 0;
}

/* Without the rights (or 2.61) extra specs are not shown: that is not to have none. */
static int
specs_to_file (const struct osm_inventory *inventory, const json_t *flavor, json_t **ret,
               struct osm_error *err)
{
  json_t *specs = json_object_get (flavor, "extra_specs");

  (void)inventory;
  (void)err;
  *ret = json_is_object (specs) ? json_incref (specs) : json_null ();
  return 0;
}

/* https://docs.openstack.org/api-ref/compute/#flavors. A flavor is not changed: but for its description and extra specs. */
static const struct osm_field fields[] = {
  OSM_FIELD ("description", OSM_FIELD_TEXT, .since = "2.55"),
  OSM_FIELD ("disk", OSM_FIELD_INTEGER, .flags = OSM_FIELD_FIXED),
  OSM_FIELD ("ephemeral", OSM_FIELD_INTEGER, .flags = OSM_FIELD_FIXED,
             .api = "OS-FLV-EXT-DATA:ephemeral"),
  OSM_FIELD ("extra_specs", OSM_FIELD_OBJECT, .flags = OSM_FIELD_SEPARATE, .since = "2.61",
             .to_file = specs_to_file),
  OSM_FIELD ("is_public", OSM_FIELD_BOOL, .flags = OSM_FIELD_FIXED,
             .api = "os-flavor-access:is_public"),
  OSM_FIELD ("name", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED),
  OSM_FIELD ("ram", OSM_FIELD_INTEGER, .flags = OSM_FIELD_FIXED),
  OSM_FIELD ("rxtx_factor", OSM_FIELD_REAL, .flags = OSM_FIELD_FIXED),
  OSM_FIELD ("swap", OSM_FIELD_INTEGER, .flags = OSM_FIELD_FIXED, .to_file = swap_to_file),
  OSM_FIELD ("vcpus", OSM_FIELD_INTEGER, .flags = OSM_FIELD_FIXED),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("is_disabled", OSM_FIELD_BOOL, .flags = OSM_FIELD_INFO,
             .api = "OS-FLV-DISABLED:disabled"),
  OSM_FIELDS_END,
};

/* Extra specs: those that differ, and those that are too many. */
static int
set (const struct osm_change *change, const struct osm_tenant_type *type, const char *id,
     const struct osm_field *field, const json_t *value, const json_t *is, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (id);
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/flavors/%s/os-extra_specs", quoted);
  OSM_CLEANUP_JSON json_t *body = osm_json_pack ("{s:O}", "extra_specs", value);
  const char *key;
  json_t *ignored;

  (void)type;
  (void)field;
  if (json_object_size (value) > 0 &&
      osm_cloud_action (change->cloud, OSM_COMPUTE, path, body, NULL, NULL, err) == -1)
    return -1;
  json_object_foreach ((json_t *)is, key, ignored)
  {
    OSM_CLEANUP_FREE char *word = osm_quote_url (key);
    OSM_CLEANUP_FREE char *member = osm_asprintf ("%s/%s", path, word);

    if (!json_object_get (value, key) &&
        osm_cloud_delete (change->cloud, OSM_COMPUTE, member, err) == -1)
      return -1;
  }
  return 0;
}

static const char *const match[] = { "name", NULL };

const struct osm_tenant_type osm_type_flavor = {
  .name = "flavors",
  .noun = "flavor",
  .yaml_type = "openstack.compute.Flavor",
  .file = "flavors.yml",
  .administrator = true,
  .service = OSM_COMPUTE,
  .list_path = "/flavors/detail?is_public=None",
  .list_key = "flavors",
  .member_path = "/flavors",
  .member_key = "flavor",
  .ref_style = OSM_REF_GLOBAL,
  .match = match,
  .fields = fields,
  .set = set,
};
