/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/listen.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"

#define BACKLOG 64

int
osm_listen_at (const char *path, mode_t mode, struct osm_error *err)
{
  OSM_CLEANUP_FD int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_un address = { .sun_family = AF_UNIX };

  if (fd == -1)
    return osm_error_set_errno (err, errno, "socket");
  if (strlen (path) >= sizeof address.sun_path)
    return osm_error_set (err, OSM_ERROR_USER, ENAMETOOLONG, "socket path %s is too long", path);
  memcpy (address.sun_path, path, strlen (path) + 1);
  if (unlink (path) == -1 && errno != ENOENT)
    return osm_error_set_errno (err, errno, "%s", path);
  if (bind (fd, (struct sockaddr *)&address, sizeof address) == -1 || chmod (path, mode) == -1 ||
      listen (fd, BACKLOG) == -1)
    return osm_error_set_errno (err, errno, "listen at %s", path);
  return osm_take_fd (&fd);
}
