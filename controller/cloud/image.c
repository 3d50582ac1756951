/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cloud/image.h"

#include "common/cleanup.h"
#include "common/strbuf.h"

const struct osm_collection osm_images = { .service = OSM_IMAGE,
                                           .what = "image",
                                           .list_path = "/images",
                                           .member_path = "/images",
                                           .list_key = "images",
                                           .name_filter = true };

int
osm_image_get (struct osm_cloud *cloud, const char *id, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/images/%s", id);

  return osm_cloud_get (cloud, OSM_IMAGE, path, NULL, ret, err);
}
