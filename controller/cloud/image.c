/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cloud/image.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/cloud/wait.h"

const struct osm_collection osm_images = { .service = OSM_IMAGE,
                                           .what = "image",
                                           .list_path = "/images",
                                           .member_path = "/images",
                                           .list_key = "images",
                                           .name_filter = true };

static char *
image_path (const char *id)
{
  return osm_asprintf ("/images/%s", id);
}

int
osm_image_get (struct osm_cloud *cloud, const char *id, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = image_path (id);

  return osm_cloud_get (cloud, OSM_IMAGE, path, NULL, ret, err);
}

int
osm_image_list_marked (struct osm_cloud *cloud, const char *key, const char *value, json_t **ret,
                       struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/images?owner=%s", osm_cloud_project_id (cloud));
  OSM_CLEANUP_JSON json_t *all = NULL;
  size_t i;
  json_t *image;

  if (osm_cloud_list (cloud, OSM_IMAGE, path, "images", &all, err) == -1)
    return -1;
  *ret = json_array ();
  json_array_foreach (all, i, image)
  {
    const char *mark = osm_json_str (image, key), *property;
    json_t *metadata, *text;

    if (!mark || (value && strcmp (mark, value) != 0))
      continue;
    metadata = json_object ();
    json_object_foreach (image, property, text) if (osm_str_starts_with (property, "osm."))
        json_object_set (metadata, property, text);
    json_object_set_new (image, "metadata", metadata);
    json_array_append (*ret, image);
  }
  return 0;
}

static enum osm_wait
judge_active (struct osm_cloud *cloud, const json_t *image, void *data, struct osm_error *err)
{
  const char *id = data, *status = osm_json_str (image, "status");

  if (osm_str_equal (status, "active"))
    return OSM_WAIT_DONE;
  /* Nova deletes the image of a snapshot that failed. */
  if (!image || osm_str_equal (status, "killed") || osm_str_equal (status, "deleted")) {
    osm_error_set (err, OSM_ERROR_REMOTE, image ? 0 : 404, "cloud '%s': image %s is %s",
                   osm_cloud_name (cloud), id, image ? status : "gone");
    return OSM_WAIT_FAILED;
  }
  return OSM_WAIT_MORE;
}

static int
wait_image (struct osm_cloud *cloud, const char *id, const char *wanted, uint64_t timeout_ms,
            enum osm_wait (*judge) (struct osm_cloud *, const json_t *, void *, struct osm_error *),
            json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = image_path (id), *what = osm_asprintf ("image %s", id);
  const struct osm_waiting waiting = { .service = OSM_IMAGE,
                                       .path = path,
                                       .what = what,
                                       .wanted = wanted,
                                       .timeout_ms = timeout_ms,
                                       .judge = judge,
                                       .data = (void *)id };

  return osm_cloud_wait (cloud, &waiting, ret, err);
}

int
osm_image_wait_active (struct osm_cloud *cloud, const char *id, uint64_t timeout_ms, json_t **ret,
                       struct osm_error *err)
{
  return wait_image (cloud, id, "active", timeout_ms, judge_active, ret, err);
}

int
osm_image_delete (struct osm_cloud *cloud, const char *id, uint64_t timeout_ms,
                  struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = image_path (id);

  if (osm_cloud_delete (cloud, OSM_IMAGE, path, err) == -1)
    return -1;
  return wait_image (cloud, id, "it to be gone", timeout_ms, osm_wait_gone, NULL, err);
}
