/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The compressed twin of an export: every connection to one Unix socket is joined to another, with
 * what the server says compressed as one zstd stream that is flushed whenever the server pauses, and
 * what the client says passed through as it is.
 *
 *   osm_zstd_serve (listen_fd, "/run/osm-peer/exports/ID", OSM_ZSTD_LEVEL, err);     does not return
 *
 * A thread per connection. Nothing that a client sends is looked at. */

#ifndef OSM_NBD_ZSTDSERVER_H
#define OSM_NBD_ZSTDSERVER_H

#include "common/error.h"

/* One such connection: what comes from `server` (a socket) goes compressed to client_out, what comes from client_in as it is to it,
 * until either side ends. Client's are sockets, or pipes in non-blocking mode. Blocks. */
int osm_zstd_join (int client_in, int client_out, int server, int level, struct osm_error *err);

#define OSM_ZSTD_CONNECTIONS_MAX 64 /* one more is closed at once */

/* Only comes back when it cannot listen any more: -1. */
int osm_zstd_serve (int listen_fd, const char *socket_path, int level, struct osm_error *err);

#endif
