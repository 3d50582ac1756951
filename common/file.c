/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/strbuf.h"

int
osm_file_read (const char *path, size_t max_bytes, char **ret_data, size_t *ret_len,
               struct osm_error *err)
{
  OSM_CLEANUP_FD int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  OSM_STRBUF (b);
  char buf[8192];

  if (fd == -1)
    return osm_error_set_errno (err, errno, "open %s", path);
  for (;;) {
    ssize_t r = read (fd, buf, sizeof buf);

    if (r == -1 && errno == EINTR)
      continue;
    if (r == -1)
      return osm_error_set_errno (err, errno, "read %s", path);
    if (r == 0)
      break;
    if ((size_t)r > max_bytes - b.len)
      return osm_error_set (err, OSM_ERROR_USER, EFBIG, "%s is larger than %zu bytes", path,
                            max_bytes);
    osm_strbuf_add_mem (&b, buf, (size_t)r);
  }
  explicit_bzero (buf, sizeof buf);
  if (ret_len)
    *ret_len = b.len;
  *ret_data = osm_strbuf_take (&b);
  return 0;
}

/* The rename itself must survive a power cut too. */
static int
sync_folder (const char *path, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *folder = NULL;
  OSM_CLEANUP_FD int fd = -1;
  const char *slash = strrchr (path, '/');

  if (slash == NULL)
    folder = osm_strdup (".");
  else if (slash == path)
    folder = osm_strdup ("/");
  else
    folder = osm_strndup (path, (size_t)(slash - path));
  fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd == -1)
    return osm_error_set_errno (err, errno, "open folder %s", folder);
  if (fsync (fd) == -1 && errno != EINVAL)
    return osm_error_set_errno (err, errno, "sync folder %s", folder);
  return 0;
}

int
osm_file_write (const char *path, const void *data, size_t len, mode_t mode, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *temporary = osm_asprintf ("%s.XXXXXX", path);
  OSM_CLEANUP_FD int fd = mkostemp (temporary, O_CLOEXEC);

  if (fd == -1)
    return osm_error_set_errno (err, errno, "create %s", temporary);
  if (fchmod (fd, mode) == -1) {
    osm_error_set_errno (err, errno, "set the mode of %s", temporary);
    goto fail;
  }
  if (osm_write_full (fd, data, len, err) == -1) {
    osm_error_wrap (err, "%s", temporary);
    goto fail;
  }
  if (fsync (fd) == -1) {
    osm_error_set_errno (err, errno, "sync %s", temporary);
    goto fail;
  }
  if (rename (temporary, path) == -1) {
    osm_error_set_errno (err, errno, "rename %s to %s", temporary, path);
    goto fail;
  }
  return sync_folder (path, err);
fail:
  unlink (temporary);
  return -1;
}

int
osm_mkdir_p (const char *path, mode_t mode, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *copy = osm_strdup (path);
  struct stat st;

  for (char *p = copy; *p;) {
    char saved;

    p += strspn (p, "/");
    p += strcspn (p, "/");
    saved = *p;
    *p = '\0';
    if (*copy && mkdir (copy, mode) == -1) {
      int errnum = errno;

      /* EROFS and EACCES come before EEXIST on some file systems. */
      if (stat (copy, &st) == -1)
        return osm_error_set_errno (err, errnum, "create folder %s", copy);
      if (!S_ISDIR (st.st_mode))
        return osm_error_set_errno (err, ENOTDIR, "create folder %s", copy);
    }
    *p = saved;
  }
  return 0;
}

bool
osm_file_exists (const char *path)
{
  return access (path, F_OK) == 0;
}

/* True if the call should be made again. */
static bool
try_again (int fd, short events)
{
  if (errno == EINTR)
    return true;
  if (errno == EAGAIN) {
    struct pollfd pfd = { .fd = fd, .events = events };

    return poll (&pfd, 1, -1) >= 0 || errno == EINTR;
  }
  return false;
}

int
osm_read_full (int fd, void *buf, size_t len, struct osm_error *err)
{
  size_t done = 0;

  while (done < len) {
    ssize_t r = read (fd, (char *)buf + done, len - done);

    if (r == -1 && try_again (fd, POLLIN))
      continue;
    if (r == -1)
      return osm_error_set_errno (err, errno, "read");
    if (r == 0)
      return osm_error_set (err, OSM_ERROR_RETRY, EPIPE, "read: end after %zu of %zu bytes", done,
                            len);
    done += (size_t)r;
  }
  return 0;
}

int
osm_write_full (int fd, const void *buf, size_t len, struct osm_error *err)
{
  size_t done = 0;

  while (done < len) {
    ssize_t r = write (fd, (const char *)buf + done, len - done);

    if (r == -1 && try_again (fd, POLLOUT))
      continue;
    if (r == -1)
      return osm_error_set_errno (err, errno, "write");
    done += (size_t)r;
  }
  return 0;
}

static int
check_range (size_t len, uint64_t offset, struct osm_error *err)
{
  uint64_t end;

  if (__builtin_add_overflow (offset, len, &end) || end > INT64_MAX)
    return osm_error_set (err, OSM_ERROR_BUG, EINVAL, "offset %" PRIu64 " is out of range", offset);
  return 0;
}

int
osm_pread_full (int fd, void *buf, size_t len, uint64_t offset, struct osm_error *err)
{
  size_t done = 0;

  if (check_range (len, offset, err) == -1)
    return -1;
  while (done < len) {
    ssize_t r = pread (fd, (char *)buf + done, len - done, (off_t)(offset + done));

    if (r == -1 && errno == EINTR)
      continue;
    if (r == -1)
      return osm_error_set_errno (err, errno, "read at offset %" PRIu64, offset + done);
    if (r == 0)
      return osm_error_set (err, OSM_ERROR_USER, 0, "read at offset %" PRIu64 ": end of file",
                            offset + done);
    done += (size_t)r;
  }
  return 0;
}

int
osm_pwrite_full (int fd, const void *buf, size_t len, uint64_t offset, struct osm_error *err)
{
  size_t done = 0;

  if (check_range (len, offset, err) == -1)
    return -1;
  while (done < len) {
    ssize_t r = pwrite (fd, (const char *)buf + done, len - done, (off_t)(offset + done));

    if (r == -1 && errno == EINTR)
      continue;
    /* 0 is what the end of a block device looks like. */
    if (r <= 0)
      return osm_error_set_errno (err, r == 0 ? ENOSPC : errno, "write at offset %" PRIu64,
                                  offset + done);
    done += (size_t)r;
  }
  return 0;
}
