/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/strbuf.h"

#define RECEIVE_BYTES ((size_t)256 << 10)

struct osm_fd_stream {
  int fd;
  char buf[RECEIVE_BYTES];
};

static int
fd_receive (void *data, int timeout_ms, osm_sink_fn sink, void *sink_data, struct osm_error *err)
{
  struct osm_fd_stream *s = data;
  struct pollfd pfd = { .fd = s->fd, .events = POLLIN };
  int r = poll (&pfd, 1, timeout_ms);
  ssize_t n;

  if (r == 0 || (r == -1 && errno == EINTR))
    return 0;
  if (r == -1)
    return osm_error_set_errno (err, errno, "poll");
  n = recv (s->fd, s->buf, sizeof s->buf, 0);
  if (n == -1 && (errno == EINTR || errno == EAGAIN))
    return 0;
  if (n == -1)
    return osm_error_set (err, OSM_ERROR_RETRY, errno, "connection lost: %s", strerror (errno));
  if (n == 0)
    return osm_error_set (err, OSM_ERROR_RETRY, 0, "the other end closed the socket");
  return sink (sink_data, s->buf, (size_t)n, err) == -1 ? -1 : 1;
}

static int
fd_write (void *data, const void *bytes, size_t len, struct osm_error *err)
{
  const struct osm_fd_stream *s = data;
  const char *p = bytes;

  while (len > 0) {
    ssize_t n = send (s->fd, p, len, MSG_NOSIGNAL);

    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1)
      return osm_error_set (err, OSM_ERROR_RETRY, errno, "connection lost: %s", strerror (errno));
    p += n;
    len -= (size_t)n;
  }
  return 0;
}

int
osm_unix_connect (const char *path, struct osm_error *err)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  OSM_CLEANUP_FD int fd = -1;
  size_t len = strlen (path);

  if (len >= sizeof address.sun_path)
    return osm_error_set (err, OSM_ERROR_USER, ENAMETOOLONG, "socket path %s is too long", path);
  memcpy (address.sun_path, path, len + 1);
  fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd == -1)
    return osm_error_set_errno (err, errno, "socket");
  while (connect (fd, (struct sockaddr *)&address, sizeof address) == -1)
    if (errno != EINTR)
      return osm_error_set (err, OSM_ERROR_RETRY, errno, "cannot connect to %s: %s", path,
                            strerror (errno));
  return osm_take_fd (&fd);
}

struct osm_fd_stream *
osm_fd_stream_new (int fd)
{
  struct osm_fd_stream *s = osm_calloc (1, sizeof *s);

  s->fd = fd;
  return s;
}

struct osm_stream
osm_fd_stream (struct osm_fd_stream *s)
{
  return (struct osm_stream){ .receive = fd_receive, .write = fd_write, .data = s };
}

void
osm_fd_stream_free (struct osm_fd_stream *s)
{
  if (!s)
    return;
  close (s->fd);
  free (s);
}
