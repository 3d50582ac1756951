/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/source.h"

#include <stdlib.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/strbuf.h"
#include "nbd/zstdstream.h"

static void
unix_close (void *handle)
{
  osm_fd_stream_free (handle);
}

static int
unix_open (void *data, struct osm_source_connection *ret, struct osm_error *err)
{
  struct osm_fd_stream *fd_stream;
  int fd = osm_unix_connect (data, err);

  if (fd == -1)
    return -1;
  fd_stream = osm_fd_stream_new (fd);
  *ret = (struct osm_source_connection){ .stream = osm_fd_stream (fd_stream),
                                         .close = unix_close,
                                         .handle = fd_stream };
  return 0;
}

struct osm_source
osm_source_unix (const char *path)
{
  return (struct osm_source){ .open = unix_open, .data = (void *)path };
}

struct tunnel_handle {
  struct osm_tunnel *tunnel;
  struct osm_compression *compression;
  struct osm_zstd_stream *zstd; /* NULL without compression */
};

static const char *
tunnel_cipher (void *data)
{
  const struct tunnel_handle *handle = data;

  return osm_tunnel_cipher (handle->tunnel);
}

static bool
tunnel_stale (void *data)
{
  const struct tunnel_handle *handle = data;

  return handle->zstd &&
         osm_compression_stale (handle->compression, osm_zstd_stream_compressed (handle->zstd));
}

static void
tunnel_close (void *data)
{
  struct tunnel_handle *handle = data;

  if (handle->zstd)
    osm_compression_closed (handle->compression, osm_zstd_stream_compressed (handle->zstd));
  osm_zstd_stream_free (handle->zstd);
  osm_tunnel_free (handle->tunnel);
  free (handle);
}

/* The compressed end if that is wanted (of a socket: its twin), else the plain one. */
static int
open_end (const struct osm_tunnel_source *source, struct osm_tunnel **ret, bool *ret_compressed,
          struct osm_error *err)
{
  struct osm_tunnel_end end = source->end, compressed = source->compressed_end;
  OSM_CLEANUP_FREE char *path = NULL;

  if (source->socket_path) {
    path = osm_asprintf ("%s" OSM_SOURCE_ZSTD_SUFFIX, source->socket_path);
    end = (struct osm_tunnel_end){ .socket_path = source->socket_path };
    compressed = (struct osm_tunnel_end){ .socket_path = path };
  }
  *ret_compressed = osm_compression_wanted (source->compression) &&
                    (compressed.socket_path || compressed.command);
  if (!*ret_compressed)
    return osm_tunnel_open (&source->target, &end, ret, err);
  if (osm_tunnel_open (&source->target, &compressed, ret, err) == 0)
    return 0;
  if (err->class != OSM_ERROR_REMOTE || !osm_compression_refused (source->compression))
    return -1;
  osm_error_clear (err);
  *ret_compressed = false;
  return osm_tunnel_open (&source->target, &end, ret, err);
}

static int
tunnel_open (void *data, struct osm_source_connection *ret, struct osm_error *err)
{
  const struct osm_tunnel_source *source = data;
  struct tunnel_handle *handle;
  struct osm_tunnel *tunnel;
  bool compressed = false;

  if (open_end (source, &tunnel, &compressed, err) == -1)
    return -1;
  handle = osm_calloc (1, sizeof *handle);
  handle->tunnel = tunnel;
  *ret = (struct osm_source_connection){ .stream = osm_tunnel_stream (tunnel),
                                         .cipher = tunnel_cipher,
                                         .stale = tunnel_stale,
                                         .reply = osm_tunnel_reply (tunnel),
                                         .close = tunnel_close,
                                         .handle = handle };
  if (source->compression) {
    handle->compression = source->compression;
    handle->zstd = osm_zstd_stream_new (ret->stream, source->compression, compressed);
    osm_compression_opened (source->compression, compressed);
    ret->stream = osm_zstd_stream_get (handle->zstd);
  }
  return 0;
}

struct osm_source
osm_source_tunnel (struct osm_tunnel_source *tunnel)
{
  return (struct osm_source){ .open = tunnel_open, .data = tunnel };
}
