/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/tenant/types.h"

/* https://docs.openstack.org/api-ref/block-storage/v3/#quality-of-service-qos-specifications-qos-specs */
static const struct osm_field fields[] = {
  OSM_FIELD ("consumer", OSM_FIELD_TEXT),
  OSM_FIELD ("name", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED),
  OSM_FIELD ("specs", OSM_FIELD_OBJECT),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELDS_END,
};

/* What is shown as an object of its own is sent beside the name. */
static json_t *
flat (const json_t *body)
{
  json_t *all = json_copy ((json_t *)body), *specs = json_object_get (body, "specs");

  json_object_del (all, "specs");
  if (json_is_object (specs))
    json_object_update_missing (all, specs);
  return osm_json_pack ("{s:o}", "qos_specs", all);
}

static int
create (const struct osm_change *change, const json_t *entry, const json_t *body, json_t **ret,
        struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *wrapped = flat (body);

  (void)entry;
  return osm_cloud_post (change->cloud, OSM_VOLUME, "/qos-specs", wrapped, "qos_specs", ret, err);
}

static int
update (const struct osm_change *change, const char *id, const json_t *body, const json_t *entry,
        const json_t *is, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (id),
                        *path = osm_asprintf ("/qos-specs/%s", quoted),
                        *of_keys = osm_asprintf ("%s/delete_keys", path);
  OSM_CLEANUP_JSON json_t *wrapped = flat (body), *keys = json_array (), *gone = NULL;
  const json_t *wanted = json_object_get (body, "specs");
  const char *key;
  json_t *ignored;

  (void)entry;
  if (json_object_size (json_object_get (wrapped, "qos_specs")) > 0 &&
      osm_cloud_put (change->cloud, OSM_VOLUME, path, wrapped, NULL, NULL, err) == -1)
    return -1;
  if (json_is_object (wanted))
    json_object_foreach (osm_tenant_path (is, "params.specs"), key, ignored)
    {
      if (!json_object_get (wanted, key))
        json_array_append_new (keys, json_string (key));
    }
  gone = osm_json_pack ("{s:O}", "keys", keys);
  return json_array_size (keys) == 0
             ? 0
             : osm_cloud_put (change->cloud, OSM_VOLUME, of_keys, gone, NULL, NULL, err);
}

static const char *const match[] = { "name", NULL };

const struct osm_tenant_type osm_type_volume_qos = {
  .name = "volume_qos_specs",
  .noun = "QoS of volumes",
  .yaml_type = "osm.block_storage.QoSSpecs",
  .file = OSM_OWN_FILES "volume_qos_specs.yml",
  .administrator = true,
  .service = OSM_VOLUME,
  .list_path = "/qos-specs",
  .list_key = "qos_specs",
  .member_path = "/qos-specs",
  .member_key = "qos_specs",
  .ref_style = OSM_REF_GLOBAL,
  .match = match,
  .fields = fields,
  .create = create,
  .update = update,
};
