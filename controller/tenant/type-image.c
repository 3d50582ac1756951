/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <string.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/strbuf.h"
#include "controller/cloud/image.h"
#include "controller/tenant/image-data.h"
#include "controller/tenant/inventory.h"
#include "controller/tenant/types.h"

/* What Glance itself says of an image, and may not be written back as a property. */
static const char *const glance_own[] = { "checksum",   "created_at", "direct_url", "file",
                                          "id",         "locations",  "owner",      "schema",
                                          "self",       "size",       "status",     "stores",
                                          "tags",       "updated_at", "url",        "virtual_size",
                                          "owner_name", NULL };

static const struct osm_field fields[];

static bool
has_a_field (const char *key)
{
  for (const struct osm_field *f = fields; f->name; f++)
    if (strcmp (f->api ? f->api : f->name, key) == 0)
      return true;
  for (size_t i = 0; glance_own[i]; i++)
    if (strcmp (glance_own[i], key) == 0)
      return true;
  return false;
}

/* What Glance and Nova write about this very image, and Glance refuses or others would misread. */
static bool
is_about_itself (const char *key)
{
  static const char *const keys[] = { "bdm_v2",
                                      "block_device_mapping",
                                      "base_image_ref",
                                      "image_location",
                                      "image_state",
                                      "instance_uuid",
                                      "owner_id",
                                      "root_device_name",
                                      "user_id",
                                      "boot_roles",
                                      NULL };

  for (size_t i = 0; keys[i]; i++)
    if (strcmp (keys[i], key) == 0)
      return true;
  return osm_str_starts_with (key, "osm.") || osm_str_starts_with (key, "os_glance_");
}

/* Properties are members of the image like all others: those that nothing else here takes. */
static int
properties_to_file (const struct osm_inventory *inventory, const json_t *image, json_t **ret,
                    struct osm_error *err)
{
  const char *key;
  json_t *value;

  (void)inventory;
  (void)err;
  *ret = json_object ();
  json_object_foreach ((json_t *)image, key, value)
  {
    if (!has_a_field (key) && !is_about_itself (key))
      json_object_set (*ret, key, value);
  }
  return 0;
}

static int
properties_to_api (const struct osm_inventory *inventory, const json_t *value, json_t *body,
                   struct osm_error *err)
{
  (void)inventory;
  (void)err;
  json_object_update_missing (body, (json_t *)value);
  return 0;
}

#define PROPERTY OSM_FIELD_AS_TEXT

/* https://docs.openstack.org/api-ref/image/v2/#images, https://docs.openstack.org/glance/latest/admin/useful-image-properties.html;
 * kinds are those of openstacksdk, in which OS Migrate writes them. */
static const struct osm_field fields[] = {
  OSM_FIELD ("architecture", OSM_FIELD_TEXT),
  OSM_FIELD ("container_format", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED),
  OSM_FIELD ("disk_format", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED),
  OSM_FIELD ("has_auto_disk_config", OSM_FIELD_TEXT, .api = "auto_disk_config"),
  OSM_FIELD ("hash_algo", OSM_FIELD_TEXT, .flags = OSM_FIELD_SEPARATE | OSM_FIELD_FIXED,
             .api = "os_hash_algo", .with = "hash_value"),
  OSM_FIELD ("hash_value", OSM_FIELD_TEXT, .flags = OSM_FIELD_SEPARATE | OSM_FIELD_FIXED,
             .api = "os_hash_value", .with = "hash_algo"),
  OSM_FIELD ("hw_cpu_cores", OSM_FIELD_INTEGER, .flags = PROPERTY),
  OSM_FIELD ("hw_cpu_policy", OSM_FIELD_TEXT),
  OSM_FIELD ("hw_cpu_sockets", OSM_FIELD_INTEGER, .flags = PROPERTY),
  OSM_FIELD ("hw_cpu_thread_policy", OSM_FIELD_TEXT),
  OSM_FIELD ("hw_cpu_threads", OSM_FIELD_INTEGER, .flags = PROPERTY),
  OSM_FIELD ("hw_disk_bus", OSM_FIELD_TEXT),
  OSM_FIELD ("hw_machine_type", OSM_FIELD_TEXT),
  OSM_FIELD ("hw_qemu_guest_agent", OSM_FIELD_BOOL, .flags = PROPERTY),
  OSM_FIELD ("hw_rng_model", OSM_FIELD_TEXT),
  OSM_FIELD ("hw_scsi_model", OSM_FIELD_TEXT),
  OSM_FIELD ("hw_serial_port_count", OSM_FIELD_INTEGER, .flags = PROPERTY),
  OSM_FIELD ("hw_video_model", OSM_FIELD_TEXT),
  OSM_FIELD ("hw_video_ram", OSM_FIELD_INTEGER, .flags = PROPERTY),
  OSM_FIELD ("hw_vif_model", OSM_FIELD_TEXT),
  OSM_FIELD ("hw_watchdog_action", OSM_FIELD_TEXT),
  OSM_FIELD ("hypervisor_type", OSM_FIELD_TEXT),
  OSM_FIELD ("instance_type_rxtx_factor", OSM_FIELD_REAL, .flags = PROPERTY),
  OSM_FIELD ("is_hidden", OSM_FIELD_BOOL, .api = "os_hidden"),
  OSM_FIELD ("is_hw_boot_menu_enabled", OSM_FIELD_BOOL, .flags = PROPERTY, .api = "hw_boot_menu"),
  OSM_FIELD ("is_hw_vif_multiqueue_enabled", OSM_FIELD_BOOL, .flags = PROPERTY,
             .api = "hw_vif_multiqueue_enabled"),
  OSM_FIELD ("is_protected", OSM_FIELD_BOOL, .api = "protected"),
  OSM_FIELD ("min_disk", OSM_FIELD_INTEGER),
  OSM_FIELD ("min_ram", OSM_FIELD_INTEGER),
  OSM_FIELD ("name", OSM_FIELD_TEXT),
  /* "mandatory" and "optional", not only true and false: left as they are. */
  OSM_FIELD ("needs_config_drive", OSM_FIELD_TEXT, .api = "img_config_drive"),
  OSM_FIELD ("needs_secure_boot", OSM_FIELD_TEXT, .api = "os_secure_boot"),
  OSM_FIELD ("os_admin_user", OSM_FIELD_TEXT),
  OSM_FIELD ("os_command_line", OSM_FIELD_TEXT),
  OSM_FIELD ("os_distro", OSM_FIELD_TEXT),
  OSM_FIELD ("os_require_quiesce", OSM_FIELD_BOOL, .flags = PROPERTY),
  OSM_FIELD ("os_shutdown_timeout", OSM_FIELD_INTEGER, .flags = PROPERTY),
  OSM_FIELD ("os_type", OSM_FIELD_TEXT),
  OSM_FIELD ("os_version", OSM_FIELD_TEXT),
  OSM_FIELD ("properties", OSM_FIELD_OBJECT, .to_file = properties_to_file,
             .to_api = properties_to_api),
  OSM_FIELD ("visibility", OSM_FIELD_TEXT),
  OSM_FIELD ("vm_mode", OSM_FIELD_TEXT),
  OSM_FIELD ("vmware_adaptertype", OSM_FIELD_TEXT),
  OSM_FIELD ("vmware_ostype", OSM_FIELD_TEXT),
  OSM_FIELD ("kernel_ref", OSM_FIELD_REF, .api = "kernel_id", .refers = "images"),
  OSM_FIELD ("ramdisk_ref", OSM_FIELD_REF, .api = "ramdisk_id", .refers = "images"),
  OSM_FIELD ("tags", OSM_FIELD_SET, .flags = OSM_FIELD_BEYOND),
  OSM_FIELD ("checksum", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("created_at", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("direct_url", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("file", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("instance_uuid", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("kernel_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("locations", OSM_FIELD_LIST, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("metadata", OSM_FIELD_OBJECT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("owner_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO, .api = "owner"),
  OSM_FIELD ("ramdisk_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("schema", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("size", OSM_FIELD_INTEGER, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("status", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("store", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("updated_at", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("url", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("virtual_size", OSM_FIELD_INTEGER, .flags = OSM_FIELD_INFO),
  OSM_FIELDS_END,
};

/* One that osm makes of a server for the time of a migration is no image of the tenant. */
static bool
is_tenants (const struct osm_inventory *inventory, const json_t *image)
{
  (void)inventory;
  return !osm_json_str (image, "osm.migration");
}

/* Hidden images are in a list of their own. */
static int
list (const struct osm_listing *l, json_t **ret, struct osm_error *err)
{
  static const char *const hidden[] = { "", "&os_hidden=true" };
  const char *project = osm_inventory_project (l->inventory);
  OSM_CLEANUP_JSON json_t *all = json_array ();

  for (size_t i = 0; i < 2; i++) {
    OSM_CLEANUP_FREE char *path =
        osm_asprintf ("/images?owner=%s%s", project ? project : "", hidden[i]);
    OSM_CLEANUP_JSON json_t *images = NULL;

    if (osm_cloud_list (l->cloud, OSM_IMAGE, path, "images", &images, err) == -1)
      return -1;
    json_array_extend (all, images);
  }
  *ret = osm_take (all);
  return 0;
}

static int
source_image (const struct osm_change *change, const char *id, json_t **ret, struct osm_error *err)
{
  struct osm_cloud *source = NULL;
  OSM_CLEANUP_JSON json_t *image = NULL;
  const char *status;

  if (change->images->open (change->images->data, &source, err) == -1 ||
      osm_image_get (source, id, &image, err) == -1)
    return -1;
  status = osm_json_str (image, "status");
  if (!osm_str_equal (status, "active"))
    return osm_error_set (err, OSM_ERROR_USER, 0, "the source's image %s is %s: it has no data", id,
                          status ? status : "in no state");
  if (osm_json_str (image, "block_device_mapping") && osm_json_uint (image, "size") == 0)
    return osm_error_set (err, OSM_ERROR_USER, 0,
                          "the source's image %s has no data but refers to snapshots of volumes",
                          id);
  *ret = osm_take (image);
  return 0;
}

/* What the file says of the data, if that is a file, too. */
static int
file_image (const struct osm_change *change, const json_t *entry, char **ret_path, json_t **ret,
            struct osm_error *err)
{
  const char *id = osm_json_str (json_object_get (entry, "_info"), "id"),
             *name = osm_json_str (json_object_get (entry, "params"), "name");
  OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/%s-%s", change->images->blobs, id, name);
  const json_t *params = json_object_get (entry, "params"),
               *info = json_object_get (entry, "_info");

  if (!name || strchr (name, '/') || !osm_file_exists (path))
    return osm_error_set (err, OSM_ERROR_USER, 0, "there is no file %s", path);
  *ret = osm_json_pack (
      "{s:s, s:O?, s:O?, s:O?, s:O?}", "id", id, "size", json_object_get (info, "size"), "checksum",
      json_object_get (info, "checksum"), "os_hash_algo", json_object_get (params, "hash_algo"),
      "os_hash_value", json_object_get (params, "hash_value"));
  *ret_path = osm_take (path);
  return 0;
}

/* *ret_path: a file with the data, or NULL: it is at the source. *ret: what is known of it. */
static int
find_data (const struct osm_change *change, const json_t *entry, char **ret_path, json_t **ret,
           struct osm_error *err)
{
  const char *id = osm_json_str (json_object_get (entry, "_info"), "id");

  *ret_path = NULL;
  if (!id || !osm_is_uuid (id))
    return osm_error_set (err, OSM_ERROR_USER, 0,
                          "the file does not say which image of the source it is (_info.id)");
  return change->images->blobs ? file_image (change, entry, ret_path, ret, err)
                               : source_image (change, id, ret, err);
}

/* Without data, which it gets in finish, and with the mark. */
static int
create (const struct osm_change *change, const json_t *entry, const json_t *body, json_t **ret,
        struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *image = json_copy ((json_t *)body), *data = NULL;
  OSM_CLEANUP_FREE char *path = NULL;

  if (find_data (change, entry, &path, &data, err) == -1)
    return -1;
  json_object_del (image, "protected");
  json_object_set (image, OSM_MARK_IMPORT, json_object_get (data, "id"));
  return osm_cloud_post (change->cloud, OSM_IMAGE, "/images", image, NULL, ret, err);
}

static int
is_unfinished (const struct osm_inventory *inventory, const char *id, const json_t *entry,
               struct osm_error *err)
{
  const json_t *image = osm_inventory_get (inventory, "images", id);
  const char *mark = osm_json_str (image, OSM_MARK_IMPORT);

  if (!mark || (!osm_str_equal (osm_json_str (image, "status"), "queued") &&
                !osm_str_equal (osm_json_str (image, "status"), "saving")))
    return 0;
  if (osm_str_equal (mark, osm_json_str (json_object_get (entry, "_info"), "id")))
    return 1;
  osm_error_set (err, OSM_ERROR_USER, 0,
                 "image %s of this name has no data yet, and was begun for the source's image %s",
                 id, mark);
  return osm_error_hint (err, "delete it, or let the import that makes it come to its end");
}

static void
set_result (json_t *row, const struct osm_error *why)
{
  OSM_CLEANUP_FREE char *reason =
      why->hint ? osm_asprintf ("%s (%s)", why->message, why->hint) : osm_strdup (why->message);

  json_object_set_new (row, "result", json_string ("failed"));
  osm_json_set_str (row, "reason", reason);
}

/* The data of those that were made now, or by an import that was interrupted. */
static int
finish (const struct osm_change *change, json_t *rows, struct osm_error *err)
{
  struct osm_image_job *jobs = osm_calloc (json_array_size (rows) + 1, sizeof *jobs);
  json_t **made = osm_calloc (json_array_size (rows) + 1, sizeof *made), *row;
  size_t i, n = 0;
  int r;

  json_array_foreach (rows, i, row)
  {
    const json_t *entry = json_object_get (row, "entry");
    struct osm_image_job *job = &jobs[n];
    OSM_ERROR (why);

    if (!osm_str_equal (osm_json_str (row, "result"), "created") || !osm_json_str (row, "id"))
      continue;
    if (find_data (change, entry, &job->file, &job->source, &why) == -1) {
      set_result (row, &why);
      continue;
    }
    job->name = osm_json_str (row, "name");
    job->id = osm_json_str (row, "id");
    job->protect =
        json_is_true (json_object_get (json_object_get (entry, "params"), "is_protected"));
    made[n++] = row;
  }
  r = n > 0 ? osm_image_data_copy (change, jobs, n, err) : 0;
  for (i = 0; i < n; i++) {
    if (osm_error_is_set (&jobs[i].why))
      set_result (made[i], &jobs[i].why);
    osm_error_done (&jobs[i].why);
    json_decref (jobs[i].source);
    free (jobs[i].file);
  }
  free (jobs);
  free (made);
  return r;
}

static void
add_operation (json_t *patch, const char *operation, const char *key, json_t *value)
{
  OSM_STRBUF (path);

  osm_strbuf_add (&path, "/");
  /* RFC 6901 */
  for (const char *p = key; *p; p++)
    osm_strbuf_addf (&path, *p == '~' ? "~0" : *p == '/' ? "~1" : "%c", *p);
  json_array_append_new (patch, osm_json_pack ("{s:s, s:s, s:O?}", "op", operation, "path",
                                               osm_strbuf_str (&path), "value", value));
}

/* Glance's updates are JSON patches. Properties that the file does not have any more go. */
static int
update (const struct osm_change *change, const char *id, const json_t *body, const json_t *entry,
        const json_t *is, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *patch = json_array ();
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/images/%s", id);
  const json_t *wanted = osm_tenant_path (entry, "params.properties");
  json_t *value;
  const char *key;

  json_object_foreach ((json_t *)body, key, value) add_operation (patch, "add", key, value);
  json_object_foreach (json_object_get (json_object_get (is, "params"), "properties"), key, value)
  {
    if (json_is_object (wanted) && !json_object_get (wanted, key))
      add_operation (patch, "remove", key, NULL);
  }
  return osm_cloud_patch (change->cloud, OSM_IMAGE, path, patch, NULL, NULL, err);
}

static const char *const match[] = { "name", NULL };

const struct osm_tenant_type osm_type_image = {
  .name = "images",
  .noun = "image",
  .yaml_type = "openstack.image.Image",
  .file = "images.yml",
  .service = OSM_IMAGE,
  .list_key = "images",
  .member_path = "/images",
  .owner = "owner",
  .match = match,
  .fields = fields,
  .list = list,
  .wanted = is_tenants,
  .create = create,
  .update = update,
  .unfinished = is_unfinished,
  .finish = finish,
};
