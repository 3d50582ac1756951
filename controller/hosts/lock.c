/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* One deployment or deletion of a pair at a time, and whether the last one was cut off: then what it had asked a cloud for may still
 * be on its way, and is not in any list yet. */

#include <config.h>

#include "controller/hosts/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/strbuf.h"

/* An API answers a creation in a second or two; a busy one takes a few more. */
#define SETTLE_MS 10000

static int
busy (int fd, const char *path, struct osm_error *err)
{
  char pid[32] = "";
  ssize_t n = pread (fd, pid, sizeof pid - 1, 0);

  pid[n > 0 ? n : 0] = '\0';
  osm_error_set (err, OSM_ERROR_USER, EBUSY,
                 "these conversion hosts are being worked on by process %s", *pid ? pid : "?");
  return osm_error_hint (err, "wait until it has ended (%s is locked)", path);
}

static int
settle (struct osm_hosts_context *context, struct osm_error *err)
{
  if (context->report)
    context->report (context->report_data, OSM_SOURCE,
                     "the last command was cut off: waiting for what it had asked for");
  return osm_wait_ms (SETTLE_MS, err);
}

int
osm_hosts_lock (struct osm_hosts_context *context, int *ret_fd, struct osm_error *err)
{
  const struct osm_config *config = context->config;
  OSM_CLEANUP_FREE char *path =
      osm_asprintf ("%s/hosts-%s-%s.lock", config->state_dir, config->host[OSM_SOURCE].name,
                    config->host[OSM_DESTINATION].name);
  OSM_CLEANUP_FD int fd = -1;
  char pid[32];

  if (osm_mkdir_p (config->state_dir, 0700, err) == -1)
    return -1;
  fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd == -1)
    return osm_error_set_errno (err, errno, "%s", path);
  if (flock (fd, LOCK_EX | LOCK_NB) == -1)
    return errno == EWOULDBLOCK ? busy (fd, path, err)
                                : osm_error_set_errno (err, errno, "lock %s", path);
  if (pread (fd, pid, 1, 0) == 1 && settle (context, err) == -1)
    return -1;
  snprintf (pid, sizeof pid, "%ld", (long)getpid ());
  if (ftruncate (fd, 0) == -1)
    return osm_error_set_errno (err, errno, "write %s", path);
  if (osm_pwrite_full (fd, pid, strlen (pid), 0, err) == -1)
    return osm_error_wrap (err, "write %s", path);
  *ret_fd = osm_take_fd (&fd);
  return 0;
}

void
osm_hosts_unlock (int fd, const struct osm_error *err)
{
  /* Cut off, or an answer did not come: the next one had better wait. */
  bool unsure = err->class == OSM_ERROR_INTERRUPTED || err->class == OSM_ERROR_RETRY;

  if (!unsure && ftruncate (fd, 0) == -1)
    unsure = true; /* and it will */
  close (fd);
}
