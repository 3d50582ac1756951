/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A connection as bytes that are handed on as they come: between the cipher and the NBD client there is neither a socket nor a thread.
 *
 *   stream->write (stream->data, request, len, err);
 *   stream->receive (stream->data, 100, sink, sink_data, err);      calls sink (...) with what has come
 *
 * Used by one thread at a time. */

#ifndef OSM_NBD_STREAM_H
#define OSM_NBD_STREAM_H

#include <stddef.h>

#include "common/error.h"

/* Takes all of it; -1: the stream is of no use any more, and receive returns that error. */
typedef int (*osm_sink_fn) (void *data, const void *bytes, size_t len, struct osm_error *err);

struct osm_stream {
  /* Waits at most timeout_ms for bytes and hands them to the sink. 1: there were some, 0: there were none; -1: RETRY error, the
   * connection ended, or the sink's error. */
  int (*receive) (void *data, int timeout_ms, osm_sink_fn sink, void *sink_data,
                  struct osm_error *err);
  /* All of it; may block while the peer does not read, not for longer than TCP's own time-outs. */
  int (*write) (void *data, const void *bytes, size_t len, struct osm_error *err);
  /* The round trip turned out to be long: more may be on its way at once. NULL: nothing to be done. */
  void (*far) (void *data);
  void *data;
};

/* Connects to a Unix socket; -1 with a RETRY error: a server that is away may come back. */
int osm_unix_connect (const char *path, struct osm_error *err);
/* A connected socket of this machine. Takes the descriptor. */
struct osm_fd_stream;
struct osm_fd_stream *osm_fd_stream_new (int fd);
/* Valid as long as the object. */
struct osm_stream osm_fd_stream (struct osm_fd_stream *s);
/* Closes it. NULL is allowed. */
void osm_fd_stream_free (struct osm_fd_stream *s);

#endif
