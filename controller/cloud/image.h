/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Glance: images by name or id. */

#ifndef OSM_CONTROLLER_IMAGE_H
#define OSM_CONTROLLER_IMAGE_H

#include "controller/cloud/cloud.h"

extern const struct osm_collection osm_images;

int osm_image_get (struct osm_cloud *cloud, const char *id, json_t **ret, struct osm_error *err);

#endif
