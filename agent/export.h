/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Exports: a Unix socket in the peer's chroot, served by a worker (nbd/server.h), read-only, and beside it ID.zst, which serves the
 * same compressed (nbd/zstdserver.h). The listening sockets belong to the service, so that a restart of the worker loses no client that is
 * about to connect. Kept on disk. */

#ifndef OSM_AGENT_EXPORT_H
#define OSM_AGENT_EXPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "common/error.h"

#define OSM_EXPORTS_MAX 64
#define OSM_EXPORT_ZSTD_SUFFIX ".zst" /* of the compressed twin's socket; no id ends so */

struct osm_exports;
int osm_exports_load (struct osm_exports **ret, struct osm_error *err);
/* Stops the workers; the exports come back with the next load. */
void osm_exports_free (struct osm_exports *exports);
/* *ret_socket: path as the peer names it, inside its chroot. Caller frees. */
int osm_export_start (struct osm_exports *exports, const json_t *params, char **ret_socket,
                      struct osm_error *err);
/* Not there: success. */
int osm_export_stop (struct osm_exports *exports, const char *id, struct osm_error *err);
/* The exports that the service keeps on disk, for other processes: array of their parameters. New reference. */
int osm_exports_saved (json_t **ret, struct osm_error *err);
json_t *osm_exports_list (const struct osm_exports *exports);
bool osm_exports_child_ended (struct osm_exports *exports, pid_t pid, int status);
/* Starts again what died, a second later. */
void osm_exports_tick (struct osm_exports *exports);

#endif
