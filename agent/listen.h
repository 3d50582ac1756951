/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A Unix socket to listen at.
 *
 *   fd = osm_listen_at (path, 0660, err);      what was at the path before is removed
 */

#ifndef OSM_AGENT_LISTEN_H
#define OSM_AGENT_LISTEN_H

#include <sys/types.h>

#include "common/error.h"

/* -1 with err; the caller closes it and unlinks the path. mode: of the socket's file, whatever the umask. */
int osm_listen_at (const char *path, mode_t mode, struct osm_error *err);

#endif
