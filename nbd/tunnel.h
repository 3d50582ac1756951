/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A Unix socket of another host (direct-streamlocal), or a command run there, as a local file
 * descriptor, through SSH.
 *
 *   OSM_CLEANUP_TUNNEL struct osm_tunnel *tunnel = NULL;
 *   struct osm_tunnel_end end = { .socket_path = "/exports/ID" };
 *   osm_tunnel_open (&target, &end, &tunnel, err);
 *   nbd_connect_socket (nbd, osm_tunnel_take_fd (tunnel));     now owned by libnbd
 *   ...
 *   if the fd ended: osm_tunnel_error (tunnel, err) says why
 *
 * One connection, one channel, one thread that carries bytes.  The copy engine sees only
 * nbd/source.h, so that the path between cipher and NBD can be shortened without touching it. */

#ifndef OSM_NBD_TUNNEL_H
#define OSM_NBD_TUNNEL_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "nbd/sshconn.h"

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
/* Our end; the caller closes it. Once; -1 afterwards. */
int osm_tunnel_take_fd (struct osm_tunnel *tunnel);
/* 0 while the tunnel works or after it ended regularly, else -1 with the reason (RETRY: lost). */
int osm_tunnel_error (struct osm_tunnel *tunnel, struct osm_error *err);
/* Name of the cipher from the server to us; valid as long as the tunnel. */
const char *osm_tunnel_cipher (const struct osm_tunnel *tunnel);
/* Ends the thread at once, disconnects. NULL is allowed. */
void osm_tunnel_free (struct osm_tunnel *tunnel);

static inline void
osm_cleanup_tunnel (struct osm_tunnel **t)
{
  osm_tunnel_free (*t);
}
#define OSM_CLEANUP_TUNNEL __attribute__ ((cleanup (osm_cleanup_tunnel)))

#endif
