/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Frames of the control channel: 32-bit big-endian length, then that many bytes of JSON, one object
 * per frame.  docs/PROTOCOL.md draws it.  The transport is any pair of functions that move bytes. */

#ifndef OSM_COMMON_FRAME_H
#define OSM_COMMON_FRAME_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "common/error.h"

#define OSM_FRAME_MAX (1024 * 1024) /* bytes of JSON in one frame */

struct osm_frame_io {
  /* Some bytes (> 0), 0 at end of stream, -1 with err set. */
  ssize_t (*read) (void *data, void *buf, size_t len, struct osm_error *err);
  /* All bytes or -1. */
  int (*write) (void *data, const void *buf, size_t len, struct osm_error *err);
  void *data;
};

/* Blocking. *ret is NULL at a clean end of stream (between two frames). Too long, not JSON, not an object:
 * REMOTE error, the stream cannot be used any more. */
int osm_frame_read (const struct osm_frame_io *io, json_t **ret, struct osm_error *err);
int osm_frame_write (const struct osm_frame_io *io, const json_t *object, struct osm_error *err);

/* For a poll loop: feed what was read, take complete frames until there is none.  At most
 * OSM_FRAME_PARSER_MAX bytes may wait. */
#define OSM_FRAME_PARSER_MAX (2 * (OSM_FRAME_MAX + 4))
struct osm_frame_parser {
  unsigned char *buf;
  size_t len, allocated;
};
void osm_frame_parser_done (struct osm_frame_parser *p);
int osm_frame_parser_feed (struct osm_frame_parser *p, const void *data, size_t len,
                           struct osm_error *err);
/* *ret = next complete frame, or NULL when more bytes are needed. */
int osm_frame_parser_take (struct osm_frame_parser *p, json_t **ret, struct osm_error *err);
/* The bytes of one frame (header and JSON); caller frees. */
int osm_frame_encode (const json_t *object, char **ret_data, size_t *ret_len,
                      struct osm_error *err);

/* io over file descriptors (blocking). data is not owned. */
struct osm_frame_fds {
  int in, out;
};
struct osm_frame_io osm_frame_io_fds (struct osm_frame_fds *fds);

#endif
