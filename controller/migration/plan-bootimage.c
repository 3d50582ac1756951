/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A server that booted from an image is made anew from the destination's own image, without its root disk, when the operator says so. */

#include <config.h>

#include "controller/migration/plan-internal.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/cloud/image.h"

#define GIB ((json_int_t)1 << 30)

/* ---- pure ---- */

/* NULL: they hold the same bytes; else how one knows that they do not. */
static const char *
difference (const json_t *old, const json_t *new)
{
  const char *const hash[] = { osm_json_str (old, "os_hash_value"),
                               osm_json_str (new, "os_hash_value") },
                    *const sum[] = { osm_json_str (old, "checksum"),
                                     osm_json_str (new, "checksum") };

  if (hash[0] && hash[1] &&
      osm_str_equal (osm_json_str (old, "os_hash_algo"), osm_json_str (new, "os_hash_algo")))
    return strcmp (hash[0], hash[1]) == 0 ? NULL : "has another checksum";
  if (sum[0] && sum[1])
    return strcmp (sum[0], sum[1]) == 0 ? NULL : "has another checksum";
  return "cannot be compared, because a cloud shows no checksum of it";
}

static bool
is_too_small (const json_t *flavor, const json_t *image, json_int_t *ret_needed)
{
  json_int_t disk = json_integer_value (json_object_get (flavor, "disk")),
             needed = json_integer_value (json_object_get (image, "min_disk")),
             bytes = json_integer_value (json_object_get (image, "virtual_size"));

  if (bytes > 0 && (bytes + GIB - 1) / GIB > needed)
    needed = (bytes + GIB - 1) / GIB;
  *ret_needed = needed;
  return disk > 0 && disk < needed;
}

void
osm_plan_check_boot_image (json_t *plan, const char *server_name, const char *cloud,
                           const json_t *old, const json_t *image, const json_t *flavor)
{
  const char *name = osm_json_str (image, "name"), *id = osm_json_str (image, "id"),
             *status = osm_json_str (image, "status"), *why = difference (old, image);
  OSM_CLEANUP_JSON json_t *was = osm_plan_image_metadata (old),
                          *is = osm_plan_image_metadata (image);
  OSM_CLEANUP_FREE char *properties = osm_plan_specs_difference (was, is);
  json_int_t needed;

  if (why)
    osm_plan_finding (plan, "destination-image-differs", "blocker", name,
                      "bring the same image there, name it with map: { images: { OLD: NEW } }, or "
                      "copy the root disk: --boot-disk copy",
                      "image '%s' (%s) of cloud '%s' %s: server '%s' cannot be made of it", name,
                      id, cloud, why, server_name);
  else if (!osm_str_equal (status, "active"))
    osm_plan_finding (plan, "destination-image-differs", "blocker", name,
                      "wait until it is active, or copy the root disk: --boot-disk copy",
                      "image '%s' (%s) of cloud '%s' is in state '%s'", name, id, cloud,
                      status ? status : "");
  if (properties)
    osm_plan_finding (plan, "destination-image-properties-differ", "warning", name,
                      "set them at the destination's image, if they are wanted",
                      "image '%s' of cloud '%s' says something else about the disk or the machine: "
                      "%s",
                      name, cloud, properties);
  if (json_is_integer (json_object_get (flavor, "disk")) &&
      json_integer_value (json_object_get (flavor, "disk")) == 0)
    osm_plan_finding (plan, "destination-flavor-too-small", "blocker",
                      osm_json_str (flavor, "name"),
                      "map it to one with a disk: map: { flavors: { OLD: NEW } }, or copy the root "
                      "disk: --boot-disk copy",
                      "flavor '%s' of cloud '%s' has no root disk: Nova makes only servers with a "
                      "boot volume of it",
                      osm_json_str (flavor, "name"), cloud);
  if (flavor && is_too_small (flavor, image, &needed))
    osm_plan_finding (plan, "destination-flavor-too-small", "blocker",
                      osm_json_str (flavor, "name"),
                      "map it to one with a larger disk: map: { flavors: { OLD: NEW } }",
                      "flavor '%s' of cloud '%s' has a disk of %" JSON_INTEGER_FORMAT
                      " GiB, image '%s' needs %" JSON_INTEGER_FORMAT,
                      osm_json_str (flavor, "name"), cloud,
                      json_integer_value (json_object_get (flavor, "disk")), name, needed);
  osm_plan_finding (plan, "source-root-disk-dropped", "warning", server_name,
                    "--boot-disk copy takes it along as a volume",
                    "server '%s' boots from an image: the new one gets a fresh root disk of image "
                    "'%s' of cloud '%s', and what was written to the old one does not come along",
                    server_name, name, cloud);
}

/* ---- asking ---- */

int
osm_plan_boot_image (const struct osm_plan_input *input, json_t *plan, const json_t *server,
                     const json_t *old, json_t *planned, struct osm_error *err)
{
  json_t *made = json_object_get (plan, "server");
  const char *label = osm_json_str (server, "name"), *name = osm_json_str (old, "name");
  struct osm_cloud *cloud = input->cloud[OSM_DESTINATION];
  OSM_CLEANUP_FREE char *wanted = NULL;
  OSM_CLEANUP_JSON json_t *image = NULL, *flavor = NULL;

  json_object_set_new (plan, "local_root", osm_json_pack ("[O]", planned));
  /* Without the old image nothing can be compared: there is a blocker about it. */
  if (!old)
    return 0;
  wanted = osm_config_map (input->config, "images", name, osm_json_str (old, "id"));
  if (osm_plan_look_up (input, plan, "images", &osm_images, name ? name : osm_json_str (old, "id"),
                        wanted ? wanted
                        : name ? name
                               : osm_json_str (old, "id"),
                        &image, err) == -1)
    return -1;
  if (!image)
    return 0;
  flavor = osm_json_pack (
      "{s:s?, s:O?}", "name",
      osm_json_str (json_object_get (json_object_get (made, "chosen"), "flavor"), "name"), "disk",
      json_object_get (made, "disk_gb"));
  json_object_set_new (made, "image",
                       osm_json_pack ("{s:s?, s:s?, s:o}", "id", osm_json_str (image, "id"), "name",
                                      osm_json_str (image, "name"), "metadata",
                                      osm_plan_image_metadata (image)));
  osm_plan_check_boot_image (plan, label, osm_cloud_name (cloud), old, image, flavor);
  return 0;
}
