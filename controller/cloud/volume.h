/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Cinder: volumes, snapshots, types, limits. */

#ifndef OSM_CONTROLLER_VOLUME_H
#define OSM_CONTROLLER_VOLUME_H

#include "controller/cloud/cloud.h"

extern const struct osm_collection osm_volumes, osm_snapshots, osm_volume_types;

int osm_volume_get (struct osm_cloud *cloud, const char *id, json_t **ret, struct osm_error *err);
/* Volumes / snapshots of the project whose metadata has key=value (value NULL: any). New array. */
int osm_volume_list_marked (struct osm_cloud *cloud, const char *key, const char *value,
                            json_t **ret, struct osm_error *err);
int osm_snapshot_list_marked (struct osm_cloud *cloud, const char *key, const char *value,
                              json_t **ret, struct osm_error *err);
/* spec: the inner object ("size", "name", "volume_type", "snapshot_id", "metadata" ...); returns at once. */
int osm_volume_create (struct osm_cloud *cloud, const json_t *spec, char **ret_id,
                       struct osm_error *err);
/* Until `status` ("available"); error* states: REMOTE error with Cinder's own user message when it has one. */
int osm_volume_wait (struct osm_cloud *cloud, const char *id, const char *status,
                     uint64_t timeout_ms, json_t **ret, struct osm_error *err);
/* Until nothing is going on with it: whoever began it (a process of ours that was killed, perhaps) does not wait for it any more, and
 * Cinder refuses what is asked meanwhile. *ret NULL if it is not there (any more). */
int osm_volume_settle (struct osm_cloud *cloud, const char *id, uint64_t timeout_ms, json_t **ret,
                       struct osm_error *err);
/* Delete, once it has settled, and wait until it is gone. Not there: success. */
int osm_volume_delete (struct osm_cloud *cloud, const char *id, uint64_t timeout_ms,
                       struct osm_error *err);
int osm_volume_update (struct osm_cloud *cloud, const char *id, const json_t *fields,
                       struct osm_error *err);
int osm_volume_set_metadata (struct osm_cloud *cloud, const char *id, const char *key,
                             const char *value, struct osm_error *err);
int osm_volume_delete_metadata (struct osm_cloud *cloud, const char *id, const char *key,
                                struct osm_error *err);
int osm_volume_set_bootable (struct osm_cloud *cloud, const char *id, bool bootable,
                             struct osm_error *err);
int osm_volume_set_image_metadata (struct osm_cloud *cloud, const char *id, const json_t *metadata,
                                   struct osm_error *err);
int osm_snapshot_create (struct osm_cloud *cloud, const json_t *spec, char **ret_id,
                         struct osm_error *err);
int osm_snapshot_get (struct osm_cloud *cloud, const char *id, json_t **ret, struct osm_error *err);
int osm_snapshot_wait (struct osm_cloud *cloud, const char *id, const char *status,
                       uint64_t timeout_ms, json_t **ret, struct osm_error *err);
int osm_snapshot_delete (struct osm_cloud *cloud, const char *id, uint64_t timeout_ms,
                         struct osm_error *err);
int osm_volume_limits (struct osm_cloud *cloud, json_t **ret, struct osm_error *err);

#endif
