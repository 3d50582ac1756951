/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Where NBD connections come from: what the copy engine and the link test need to know of a source.
 *
 *   struct osm_source source = osm_source_tunnel (&tunnel_source);     the agent
 *                                                                      (osm-agent copy: a command)
 *   struct osm_source source = osm_source_unix ("/run/test.sock");     tests, a local export
 *
 * open may be called by several threads at once. */

#ifndef OSM_NBD_SOURCE_H
#define OSM_NBD_SOURCE_H

#include <stddef.h>

#include "common/error.h"
#include "nbd/compression.h"
#include "nbd/tunnel.h"

#define OSM_SOURCE_ZSTD_SUFFIX ".zst" /* of the socket beside a socket that speaks compressed */

/* One connection: a stream on which a NBD server speaks. */
struct osm_source_connection {
  struct osm_stream stream;
  /* Name of the cipher or NULL; valid until close. May be NULL. */
  const char *(*cipher) (void *handle);
  /* Should this connection be closed when nothing is under way, and opened anew? May be NULL. */
  bool (*stale) (void *handle);
  const json_t *reply; /* what a command answered first, or NULL; valid until close */
  void (*close) (void *handle);
  void *handle;
};

struct osm_source {
  int (*open) (void *data, struct osm_source_connection *ret, struct osm_error *err);
  void *data;
};

/* Both keep the pointer they are given. */
struct osm_source osm_source_unix (const char *path);
struct osm_tunnel_source {
  struct osm_ssh_target target;
  const char *socket_path;              /* all that a conversion host allows */
  struct osm_tunnel_end end;            /* instead, if socket_path is NULL */
  struct osm_tunnel_end compressed_end; /* the same compressed; without a command: there is none */
  struct osm_compression *compression;  /* counts what passes, and decides. NULL: none */
};
struct osm_source osm_source_tunnel (struct osm_tunnel_source *tunnel);

#endif
