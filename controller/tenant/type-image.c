/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
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
    if (!has_a_field (key) && !osm_str_starts_with (key, "osm."))
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
             .api = "os_hash_algo"),
  OSM_FIELD ("hash_value", OSM_FIELD_TEXT, .flags = OSM_FIELD_SEPARATE | OSM_FIELD_FIXED,
             .api = "os_hash_value"),
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
  .never_made = "the data of images is not copied yet",
};
