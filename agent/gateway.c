/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/gateway.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/paths.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/frame.h"
#include "common/json.h"

#define PATIENCE_MS 15000

static int
connect_service (const char *path, struct osm_error *err)
{
  uint64_t started = osm_now_ms ();
  struct sockaddr_un address = { .sun_family = AF_UNIX };

  if (strlen (path) >= sizeof address.sun_path)
    return osm_error_set (err, OSM_ERROR_USER, ENAMETOOLONG, "socket path %s is too long", path);
  memcpy (address.sun_path, path, strlen (path) + 1);
  for (;;) {
    OSM_CLEANUP_FD int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd == -1)
      return osm_error_set_errno (err, errno, "socket");
    if (connect (fd, (struct sockaddr *)&address, sizeof address) == 0)
      return osm_take_fd (&fd);
    if (errno == EACCES)
      return osm_error_set (err, OSM_ERROR_USER, EACCES,
                            "this user may not talk to the agent's service at %s", path);
    if (osm_now_ms () - started > PATIENCE_MS) {
      osm_error_set (err, OSM_ERROR_RETRY, errno, "the agent's service does not answer at %s: %s",
                     path, strerror (errno));
      return osm_error_hint (err,
                             "look at its log in the conversion host: journalctl -u osm-agent, "
                             "or /var/log/osm-agent.log");
    }
    (void)poll (NULL, 0, 100);
  }
}

/* Moves what is there; 0 at end of stream. */
static int
move (int from, int to, struct osm_error *err)
{
  char buf[8192];
  ssize_t n = read (from, buf, sizeof buf);

  if (n == -1 && (errno == EINTR || errno == EAGAIN))
    return 1;
  if (n == -1)
    return osm_error_set_errno (err, errno, "read");
  if (n == 0)
    return 0;
  return osm_write_full (to, buf, (size_t)n, err) == -1 ? -1 : 1;
}

static int
join (int fd, struct osm_error *err)
{
  struct pollfd fds[3] = { { .fd = STDIN_FILENO, .events = POLLIN },
                           { .fd = fd, .events = POLLIN },
                           { .fd = STDOUT_FILENO, .events = 0 } };

  for (;;) {
    int r;

    if (poll (fds, 3, -1) == -1) {
      if (errno == EINTR)
        continue;
      return osm_error_set_errno (err, errno, "poll");
    }
    if (fds[2].revents)
      return 0; /* nobody reads the answers */
    if (fds[1].revents) {
      r = move (fd, STDOUT_FILENO, err);
      if (r <= 0)
        return r; /* the service has closed: so do we */
    }
    if (fds[0].revents) {
      r = move (STDIN_FILENO, fd, err);
      if (r == -1)
        return -1;
      if (r == 0) {
        /* The controller says no more; what it has asked is answered yet. */
        shutdown (fd, SHUT_WR);
        fds[0].fd = -1;
      }
    }
  }
}

int
osm_gateway_run (struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_path_control_socket ();
  OSM_CLEANUP_FD int fd = connect_service (path, err);

  if (fd == -1) {
    struct osm_frame_fds fds = { -1, STDOUT_FILENO };
    struct osm_frame_io io = osm_frame_io_fds (&fds);
    OSM_CLEANUP_JSON json_t *frame = osm_json_pack ("{s:o}", "error", osm_error_to_json (err));
    OSM_ERROR (ignored);

    (void)osm_frame_write (&io, frame, &ignored);
    return -1;
  }
  return join (fd, err);
}
