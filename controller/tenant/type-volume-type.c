/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/tenant/types.h"

/* Without the rights they are not shown: that is not to have none. */
static int
specs_to_file (const struct osm_inventory *inventory, const json_t *type, json_t **ret,
               struct osm_error *err)
{
  json_t *specs = json_object_get (type, "extra_specs");

  (void)inventory;
  (void)err;
  *ret = json_is_object (specs) ? json_incref (specs) : json_null ();
  return 0;
}

/* https://docs.openstack.org/api-ref/block-storage/v3/#volume-types-types */
static const struct osm_field fields[] = {
  OSM_FIELD ("description", OSM_FIELD_TEXT),
  OSM_FIELD ("extra_specs", OSM_FIELD_OBJECT, .flags = OSM_FIELD_SEPARATE,
             .to_file = specs_to_file),
  OSM_FIELD ("is_public", OSM_FIELD_BOOL, .flags = OSM_FIELD_FIXED,
             .api = "os-volume-type-access:is_public"),
  OSM_FIELD ("name", OSM_FIELD_TEXT),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("qos_specs_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELDS_END,
};

/* Those that differ, and those that are too many. */
static int
set (const struct osm_change *change, const struct osm_tenant_type *type, const char *id,
     const struct osm_field *field, const json_t *value, const json_t *is, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (id);
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/types/%s/extra_specs", quoted);
  OSM_CLEANUP_JSON json_t *body = osm_json_pack ("{s:O}", "extra_specs", value);
  const char *key;
  json_t *ignored;

  (void)type;
  (void)field;
  if (json_object_size (value) > 0 &&
      osm_cloud_action (change->cloud, OSM_VOLUME, path, body, NULL, NULL, err) == -1)
    return -1;
  json_object_foreach ((json_t *)is, key, ignored)
  {
    OSM_CLEANUP_FREE char *word = osm_quote_url (key);
    OSM_CLEANUP_FREE char *member = osm_asprintf ("%s/%s", path, word);

    if (!json_object_get (value, key) &&
        osm_cloud_delete (change->cloud, OSM_VOLUME, member, err) == -1)
      return -1;
  }
  return 0;
}

static const char *const match[] = { "name", NULL };

const struct osm_tenant_type osm_type_volume_type = {
  .name = "volume_types",
  .noun = "volume type",
  .yaml_type = "osm.block_storage.VolumeType",
  .file = OSM_OWN_FILES "volume_types.yml",
  .administrator = true,
  .service = OSM_VOLUME,
  .list_path = "/types?is_public=None",
  .list_key = "volume_types",
  .member_path = "/types",
  .member_key = "volume_type",
  .ref_style = OSM_REF_GLOBAL,
  .match = match,
  .fields = fields,
  .set = set,
};
