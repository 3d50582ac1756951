/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Nova: servers, volume attachments, flavors, key pairs. */

#ifndef OSM_CONTROLLER_COMPUTE_H
#define OSM_CONTROLLER_COMPUTE_H

#include "controller/cloud/cloud.h"

extern const struct osm_collection osm_servers, osm_flavors, osm_keypairs, osm_server_groups;

int osm_server_get (struct osm_cloud *cloud, const char *id, json_t **ret, struct osm_error *err);
/* Servers of the project whose metadata has key=value; value NULL: any value. New array. */
int osm_server_list_marked (struct osm_cloud *cloud, const char *key, const char *value,
                            json_t **ret, struct osm_error *err);
/* body: {"server": {...}} (and "os:scheduler_hints"); returns the id at once. */
int osm_server_create (struct osm_cloud *cloud, const json_t *body, char **ret_id,
                       struct osm_error *err);
/* Until the status is `status` and no task is running. ERROR: REMOTE error with Nova's fault message. */
int osm_server_wait (struct osm_cloud *cloud, const char *id, const char *status,
                     uint64_t timeout_ms, json_t **ret, struct osm_error *err);
/* Until no task is running: what another process began (one of ours that was killed, perhaps) has its effect. */
int osm_server_settle (struct osm_cloud *cloud, const char *id, uint64_t timeout_ms, json_t **ret,
                       struct osm_error *err);
/* {"os-stop": null} and the like. */
int osm_server_action (struct osm_cloud *cloud, const char *id, const json_t *action,
                       struct osm_error *err);
int osm_server_stop (struct osm_cloud *cloud, const char *id, struct osm_error *err);
int osm_server_start (struct osm_cloud *cloud, const char *id, struct osm_error *err);
int osm_server_lock (struct osm_cloud *cloud, const char *id, const char *reason,
                     struct osm_error *err);
int osm_server_unlock (struct osm_cloud *cloud, const char *id, struct osm_error *err);
/* Delete and wait until it is gone. */
int osm_server_delete (struct osm_cloud *cloud, const char *id, uint64_t timeout_ms,
                       struct osm_error *err);
int osm_server_set_metadata (struct osm_cloud *cloud, const char *id, const char *key,
                             const char *value, struct osm_error *err);
/* Several at once, beside those that there are. */
int osm_server_add_metadata (struct osm_cloud *cloud, const char *id, const json_t *metadata,
                             struct osm_error *err);
int osm_server_delete_metadata (struct osm_cloud *cloud, const char *id, const char *key,
                                struct osm_error *err);
/* Makes an image of its root disk; marks become properties of it. Returns at once, see osm_image_wait_active. Needs 2.45. */
int osm_server_create_image (struct osm_cloud *cloud, const char *id, const char *name,
                             const json_t *marks, char **ret_image_id, struct osm_error *err);
/* The last `lines` lines (0: all that Nova gives). Caller frees. */
int osm_server_console (struct osm_cloud *cloud, const char *id, unsigned lines, char **ret,
                        struct osm_error *err);
/* {"volume_id":..., "device":..., "attachment_id"..., "delete_on_termination":..., "tag":...} of each volume. New array. */
int osm_server_attachments (struct osm_cloud *cloud, const char *id, json_t **ret,
                            struct osm_error *err);
/* Shorter names first, then by letters: vdb before vdaa. (pure) */
int osm_device_name_compare (const char *a, const char *b);
/* Objects with a key "device" (attachments), in the order of their devices: Nova lists them in no promised order, and gives out names
 * in the order in which volumes are attached. New array. (pure) */
json_t *osm_sorted_by_device (const json_t *attachments);
/* Attach and wait until the volume is in-use there. device may be NULL (Nova chooses), likewise the tag that the server's metadata
 * has for it. Already attached to that server: success. */
int osm_server_attach (struct osm_cloud *cloud, const char *server_id, const char *volume_id,
                       const char *device, const char *tag,
                       int delete_on_termination /* -1: default */, uint64_t timeout_ms,
                       struct osm_error *err);
/* Detach and wait until the volume has left that server. Not attached there: success. A detach that the guest refuses (volume
 * back to in-use) is a RETRY error. */
int osm_server_detach (struct osm_cloud *cloud, const char *server_id, const char *volume_id,
                       uint64_t timeout_ms, struct osm_error *err);
/* The ports of a server, in the order Nova has them (os-interface). New array. */
int osm_server_interfaces (struct osm_cloud *cloud, const char *id, json_t **ret,
                           struct osm_error *err);
/* type: "ssh" or "x509"; NULL: "ssh". The same key is there already: success. */
int osm_keypair_create (struct osm_cloud *cloud, const char *name, const char *public_key,
                        const char *type, struct osm_error *err);
/* Or NULL. Borrowed. (pure) */
const char *osm_server_group_policy (const json_t *group);
/* Replaces the tags of a server. Needs 2.26. */
int osm_server_set_tags (struct osm_cloud *cloud, const char *id, const json_t *tags,
                         struct osm_error *err);
/* Absolute limits of the project ("limits.absolute"). */
int osm_compute_limits (struct osm_cloud *cloud, json_t **ret, struct osm_error *err);

#endif
