/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/source.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"

static void
unix_close (void *handle)
{
  osm_fd_stream_free (handle);
}

static int
unix_open (void *data, struct osm_source_connection *ret, struct osm_error *err)
{
  const char *path = data;
  struct sockaddr_un sa = { .sun_family = AF_UNIX };
  struct osm_fd_stream *fd_stream;
  OSM_CLEANUP_FD int fd = -1;
  size_t len = strlen (path);

  if (len >= sizeof sa.sun_path)
    return osm_error_set (err, OSM_ERROR_USER, 0, "socket path %s is too long", path);
  memcpy (sa.sun_path, path, len + 1);
  fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd == -1)
    return osm_error_set_errno (err, errno, "socket");
  while (connect (fd, (struct sockaddr *)&sa, sizeof sa) == -1)
    if (errno != EINTR) /* a server that is away may come back */
      return osm_error_set (err, OSM_ERROR_RETRY, errno, "cannot connect to %s: %s", path,
                            strerror (errno));
  fd_stream = osm_fd_stream_new (osm_take_fd (&fd));
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

static const char *
tunnel_cipher (void *handle)
{
  return osm_tunnel_cipher (handle);
}

static void
tunnel_close (void *handle)
{
  osm_tunnel_free (handle);
}

static int
tunnel_open (void *data, struct osm_source_connection *ret, struct osm_error *err)
{
  struct osm_tunnel_source *source = data;
  struct osm_tunnel *tunnel;
  struct osm_tunnel_end end = source->end;

  if (source->socket_path)
    end = (struct osm_tunnel_end){ .socket_path = source->socket_path };
  if (osm_tunnel_open (&source->target, &end, &tunnel, err) == -1)
    return -1;
  *ret = (struct osm_source_connection){ .stream = osm_tunnel_stream (tunnel),
                                         .cipher = tunnel_cipher,
                                         .reply = osm_tunnel_reply (tunnel),
                                         .close = tunnel_close,
                                         .handle = tunnel };
  return 0;
}

struct osm_source
osm_source_tunnel (struct osm_tunnel_source *tunnel)
{
  return (struct osm_source){ .open = tunnel_open, .data = tunnel };
}
