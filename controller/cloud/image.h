/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Glance: images by name or id, and those that osm makes of servers. */

#ifndef OSM_CONTROLLER_IMAGE_H
#define OSM_CONTROLLER_IMAGE_H

#include "controller/cloud/cloud.h"

extern const struct osm_collection osm_images;

int osm_image_get (struct osm_cloud *cloud, const char *id, json_t **ret, struct osm_error *err);
/* The project's images with the property key=value; value NULL: any value. Each with its marks as "metadata", as other objects have them.
 * New array. */
int osm_image_list_marked (struct osm_cloud *cloud, const char *key, const char *value,
                           json_t **ret, struct osm_error *err);
/* Until its data is there. Gone or killed: REMOTE error. ret may be NULL. */
int osm_image_wait_active (struct osm_cloud *cloud, const char *id, uint64_t timeout_ms,
                           json_t **ret, struct osm_error *err);
/* Delete and wait until it is gone. Not there: success. */
int osm_image_delete (struct osm_cloud *cloud, const char *id, uint64_t timeout_ms,
                      struct osm_error *err);

#endif
