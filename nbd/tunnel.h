/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A Unix socket of another host (direct-streamlocal), or a command run there, as a stream of bytes, through SSH.
 *
 *   OSM_CLEANUP_TUNNEL struct osm_tunnel *tunnel = NULL;
 *   struct osm_tunnel_end end = { .socket_path = "/exports/ID" };
 *   osm_tunnel_open (&target, &end, &tunnel, err);
 *   stream = osm_tunnel_stream (tunnel);                       nbd/stream.h
 *
 * One connection, one channel, no thread and no socket of its own: what libssh has decrypted goes straight to the stream's reader. */

#ifndef OSM_NBD_TUNNEL_H
#define OSM_NBD_TUNNEL_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "nbd/sshconn.h"
#include "nbd/stream.h"

struct osm_tunnel;

/* What is opened on the connection: a socket, or else a command. */
struct osm_tunnel_end {
  const char *socket_path;
  /* It gets one frame and answers with one (nbd/sshexec.h); what follows is the stream. */
  const char *command;
  const char *request; /* encoded (osm_frame_encode) */
  size_t request_len;
};

/* The server's refusal of the socket or command (absent, not permitted) is a REMOTE error, as is
 * what the command answers as one. */
int osm_tunnel_open (const struct osm_ssh_target *target, const struct osm_tunnel_end *end,
                     struct osm_tunnel **ret, struct osm_error *err);
/* The command's answer, valid as long as the tunnel; NULL with a socket. */
const json_t *osm_tunnel_reply (const struct osm_tunnel *tunnel);
/* Valid as long as the tunnel. */
struct osm_stream osm_tunnel_stream (struct osm_tunnel *tunnel);
/* Name of the cipher from the server to us; valid as long as the tunnel. */
const char *osm_tunnel_cipher (const struct osm_tunnel *tunnel);
/* Disconnects. NULL is allowed. */
void osm_tunnel_free (struct osm_tunnel *tunnel);

static inline void
osm_cleanup_tunnel (struct osm_tunnel **t)
{
  osm_tunnel_free (*t);
}
#define OSM_CLEANUP_TUNNEL __attribute__ ((cleanup (osm_cleanup_tunnel)))

#endif
