/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The root disk of a server that booted from an image, as a volume of the plan. */

#include <config.h>

#include "controller/migration/plan-internal.h"

#include <inttypes.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/cloud/image.h"

/* Properties that say how the disk is to be used; the others are about the image itself. */
static bool
is_disk_property (const char *key)
{
  static const char *const prefixes[] = { "hw_", "os_", "img_", "trait:" };
  static const char *const names[] = { "architecture", "vm_mode", "hypervisor_type" };

  if (osm_str_starts_with (key, "os_hash_") || strcmp (key, "os_hidden") == 0)
    return false;
  for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
    if (osm_str_starts_with (key, prefixes[i]))
      return true;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (strcmp (key, names[i]) == 0)
      return true;
  return false;
}

json_t *
osm_plan_image_metadata (const json_t *image)
{
  json_t *found = json_object (), *value;
  const char *key;

  json_object_foreach ((json_t *)image, key,
                       value) if (json_is_string (value) && is_disk_property (key))
      json_object_set (found, key, value);
  return found;
}

static json_int_t
gigabytes (const json_t *image, const char *key)
{
  json_int_t bytes = json_integer_value (json_object_get (image, key));

  return bytes > 0 ? (bytes + (1 << 30) - 1) >> 30 : 0;
}

json_int_t
osm_plan_root_size (const json_t *flavor, const json_t *image)
{
  json_int_t disk = json_integer_value (json_object_get (flavor, "disk")), size = disk;
  const json_int_t others[] = { json_integer_value (json_object_get (image, "min_disk")),
                                gigabytes (image, "virtual_size"), gigabytes (image, "size") };

  if (disk > 0)
    return disk;
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
    if (others[i] > size)
      size = others[i];
  return size;
}

int
osm_plan_add_root (const struct osm_plan_input *input, json_t *plan, const json_t *server,
                   struct osm_error *err)
{
  const char *name = osm_json_str (server, "name"),
             *image_id = osm_json_str (json_object_get (server, "image"), "id"),
             *device = osm_json_str (server, "OS-EXT-SRV-ATTR:root_device_name");
  OSM_CLEANUP_FREE char *volume_name = osm_asprintf ("%s-boot", name ? name : "");
  OSM_CLEANUP_JSON json_t *image = NULL, *metadata = NULL, *type = NULL, *planned = NULL;
  const json_t *wish = osm_plan_wish (input, "volumes", osm_json_str (server, "id"));
  const json_t *flavor = json_object_get (server, "flavor");
  bool image_boot = osm_str_equal (input->boot_disk, "image") && !osm_json_str (wish, "use");
  json_int_t size;
  OSM_ERROR (why);

  if (image_id && osm_image_get (input->cloud[OSM_SOURCE], image_id, &image, &why) == -1) {
    if (!osm_error_not_found (&why) && why.code != 403) {
      osm_error_move (err, &why);
      return -1;
    }
    if (image_boot)
      osm_plan_finding (
          plan, "source-image-gone", "blocker", name, "copy the root disk: --boot-disk copy",
          "image %s that server '%s' booted from cannot be read any more: whether the "
          "destination has the same is not known",
          image_id, name);
    else
      osm_plan_finding (plan, "source-image-gone", "warning", name, NULL,
                        "image %s that server '%s' booted from cannot be read any more: what it "
                        "said about the disk (bus, firmware) is not known",
                        image_id, name);
  }
  size = osm_plan_root_size (flavor, image);
  if (!image_boot && (size <= 0 || size > (json_int_t)1 << 20)) {
    osm_plan_finding (
        plan, "source-root-size-unknown", "blocker", name, "resize it to a flavor with a disk",
        "server '%s': neither its flavor nor its image tells the size of its root disk", name);
    return 0;
  }
  metadata = osm_plan_image_metadata (image);
  planned = osm_json_pack (
      "{s:s, s:s, s:I, s:b, s:b, s:s, s:{}, s:O, s:s?, s:b}", "id", osm_json_str (server, "id"),
      "name", volume_name, "size_gb", size, "boot", 1, "bootable", 1, "access", OSM_ACCESS_IMAGE,
      "metadata", "image_metadata", metadata, "device", device, "delete_on_termination", 1);
  if (osm_json_str (wish, "use"))
    return osm_plan_use_volume (input, plan, volume_name, wish, planned, err);
  if (image_boot)
    return osm_plan_boot_image (input, plan, server, image, planned, err);
  json_array_append (json_object_get (plan, "volumes"), planned);
  osm_plan_wished_volume (wish, planned);
  if (osm_plan_volume_type (input, plan, volume_name, wish, NULL, NULL, planned, &type, err) ==
          -1 ||
      osm_plan_encryption (input, plan, volume_name, type, planned, err) == -1)
    return -1;
  osm_plan_check_kernel (plan, name, image);
  osm_plan_carried_image (plan, name, image, metadata);
  osm_plan_finding (plan, "source-image-booted", "info", name, NULL,
                    "server '%s' boots from an image: its root disk becomes a volume of %" PRId64
                    " GiB, read from an image of the stopped server",
                    name, (int64_t)size);
  return 0;
}
