/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* An NBD server of one volume, read-only: fixed newstyle, structured answers, block status ("base:allocation"). What is read goes from
 * the page cache through a pipe to the client, and is not copied by this process.
 *
 *   osm_serve (volume, in_fd, out_fd, err);          one connection, to its end
 *   osm_serve_socket (volume, listen_fd, err);       a thread for each connection, until it is killed
 *
 * SIGPIPE must be ignored. A client that breaks the protocol loses its connection. */

#ifndef OSM_NBD_SERVER_H
#define OSM_NBD_SERVER_H

#include "common/error.h"
#include "nbd/volume.h"

#define OSM_SERVE_CONNECTIONS_MAX 64

/* 0: the client has gone. Blocking descriptors: pipes or sockets; they stay the caller's. */
int osm_serve (struct osm_volume *v, int in_fd, int out_fd, struct osm_error *err);
/* Returns only with an error. */
int osm_serve_socket (struct osm_volume *v, int listen_fd, struct osm_error *err);

#endif
