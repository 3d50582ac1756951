/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The reading half of a NBD client (https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md): READ and BLOCK_STATUS with
 * base:allocation, many at once, straight from an osm_stream into the caller's buffers. The server is not trusted: what it may not
 * say ends the connection, and never touches memory that was not asked for.
 *
 *   struct osm_nbd *nbd = osm_nbd_new (&stream, "", &callbacks);
 *   while ((r = osm_nbd_handshake (nbd, 100, err)) == 0) ...     until 1
 *   osm_nbd_read (nbd, buf, len, offset, cookie, err);           buf stays the client's until read_done
 *   osm_nbd_receive (nbd, 100, err);                             calls the callbacks
 *   osm_nbd_free (nbd);                                          no callback and no write to a buffer afterwards
 */

#ifndef OSM_NBD_CLIENT_H
#define OSM_NBD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "nbd/stream.h"

/* Requests without an answer. */
#define OSM_NBD_REQUESTS_MAX 256
#define OSM_NBD_NAME_MAX 64

struct osm_nbd;

struct osm_nbd_callbacks {
  /* error: 0 or an errno of the server's. Either way the buffer is the caller's again. */
  void (*read_done) (void *data, void *cookie, int error);
  /* One extent of the answer, in order from the offset that was asked for; the last may reach beyond the range. */
  void (*extent) (void *data, void *cookie, uint64_t length, bool zero);
  void (*status_done) (void *data, void *cookie, int error);
  void *data;
};

/* The stream is copied, what it stands for stays the caller's. export: its name, kept as a pointer, at most OSM_NBD_NAME_MAX bytes. */
struct osm_nbd *osm_nbd_new (const struct osm_stream *stream, const char *export,
                             const struct osm_nbd_callbacks *callbacks);
/* Says goodbye if the connection is good. NULL is allowed. */
void osm_nbd_free (struct osm_nbd *nbd);
/* 1: ready; 0: not yet, call it again; -1: RETRY connection lost, REMOTE it is no NBD server that we understand, or refuses. */
int osm_nbd_handshake (struct osm_nbd *nbd, int timeout_ms, struct osm_error *err);
/* After the handshake. */
uint64_t osm_nbd_size (const struct osm_nbd *nbd);
uint32_t osm_nbd_max_request (const struct osm_nbd *nbd);
/* The round trip of the handshake, microseconds. */
uint64_t osm_nbd_rtt_us (const struct osm_nbd *nbd);
bool osm_nbd_has_extents (const struct osm_nbd *nbd);

/* length: 1 to osm_nbd_max_request; at most OSM_NBD_REQUESTS_MAX at once (BUG error). */
int osm_nbd_read (struct osm_nbd *nbd, void *buf, uint32_t length, uint64_t offset, void *cookie,
                  struct osm_error *err);
int osm_nbd_block_status (struct osm_nbd *nbd, uint32_t length, uint64_t offset, void *cookie,
                          struct osm_error *err);
/* 1: something came, 0: nothing within timeout_ms; -1: RETRY connection lost, REMOTE the server broke the protocol. */
int osm_nbd_receive (struct osm_nbd *nbd, int timeout_ms, struct osm_error *err);

#endif
