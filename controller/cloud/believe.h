/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What osm believes of a cloud's answers before it uses them: ids, which become part of paths, file names and marks.
 *
 *   if (osm_cloud_check_object (cloud, service, path, server, err) == -1)
 *     return -1;
 */

#ifndef OSM_CONTROLLER_BELIEVE_H
#define OSM_CONTROLLER_BELIEVE_H

#include <jansson.h>
#include <stdbool.h>

#include "controller/cloud/cloud.h"

/* May it be the id of something? */
bool osm_cloud_is_id (const char *s);
/* The ids in an object of the answer to a path: a UUID, a number, a short word. */
int osm_cloud_check_object (struct osm_cloud *cloud, enum osm_service service, const char *path,
                            const json_t *object, struct osm_error *err);
/* A path that is about to be asked for: no "..", no characters that paths of these APIs have not. For ids that are deeper in an
 * object, and for links to a next page; libcurl would resolve the "..". */
int osm_cloud_check_path (struct osm_cloud *cloud, enum osm_service service, const char *path,
                          struct osm_error *err);

#endif
