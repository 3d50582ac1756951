/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/device.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "agent/paths.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/json.h"
#include "common/strbuf.h"

/* virtio-blk and NVMe serials and ATA serials hold 20 characters; a volume id has 36.
 * https://docs.openstack.org/nova/latest/ : libvirt's <serial> is the volume id. */
#define SHORT_SERIAL 20
#define CANDIDATES_MAX 8
#define DEVICES_MAX 1024
#define HOLDER_PATIENCE_MS 2000

static void
cleanup_dir (DIR **d)
{
  if (*d)
    closedir (*d);
}
#define CLEANUP_DIR __attribute__ ((cleanup (cleanup_dir)))

static bool
is_partition_link (const char *link)
{
  const char *part = strstr (link, "-part");

  return part && part[5] && strspn (part + 5, "0123456789") == strlen (part + 5);
}

bool
osm_device_link_names (const char *link, const char *volume_id)
{
  static const char *const prefixes[] = { "virtio-", "scsi-", "nvme-", "ata-" };
  size_t n = strlen (link), full = strlen (volume_id), digits;
  bool known = false;

  for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
    known = known || osm_str_starts_with (link, prefixes[i]);
  if (!known || is_partition_link (link) || full < SHORT_SERIAL)
    return false;
  /* Newer udev rules add the number of the NVMe namespace: "nvme-MODEL_SERIAL_1". */
  for (digits = 0; digits < n && strchr ("0123456789", link[n - digits - 1]); digits++)
    ;
  if (osm_str_starts_with (link, "nvme-") && digits > 0 && digits < 4 && n > digits + 1 &&
      link[n - digits - 1] == '_')
    n -= digits + 1;
  for (size_t len = full;; len = SHORT_SERIAL) {
    /* The serial is the last part, after "-" or "_". */
    if (n > len && strncmp (link + n - len, volume_id, len) == 0 &&
        (link[n - len - 1] == '-' || link[n - len - 1] == '_'))
      return true;
    if (len == SHORT_SERIAL)
      return false;
  }
}

struct candidates {
  char *path[CANDIDATES_MAX];
  dev_t dev[CANDIDATES_MAX];
  size_t nr;
};

static void
candidates_done (struct candidates *c)
{
  for (size_t i = 0; i < c->nr; i++)
    free (c->path[i]);
}

static void
add_candidate (struct candidates *c, const char *path)
{
  struct stat st;

  if (stat (path, &st) == -1 || !S_ISBLK (st.st_mode))
    return;
  for (size_t i = 0; i < c->nr; i++)
    if (c->dev[i] == st.st_rdev)
      return;
  if (c->nr < CANDIDATES_MAX) {
    c->path[c->nr] = osm_strdup (path);
    c->dev[c->nr++] = st.st_rdev;
  }
}

static void
find_by_link (const char *volume_id, struct candidates *c)
{
  OSM_CLEANUP_FREE char *folder = osm_asprintf ("%s/disk/by-id", osm_path_dev ());
  CLEANUP_DIR DIR *dir = opendir (folder);
  struct dirent *entry;

  while (dir && (entry = readdir (dir))) {
    OSM_CLEANUP_FREE char *link = NULL;
    char *path;

    if (!osm_device_link_names (entry->d_name, volume_id))
      continue;
    link = osm_asprintf ("%s/%s", folder, entry->d_name);
    path = realpath (link, NULL);
    if (path)
      add_candidate (c, path);
    free (path);
  }
}

/* One line of a sysfs file, or NULL. Caller frees. */
static char *
sys_line (const char *disk, const char *attribute)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/block/%s/%s", osm_path_sys (), disk, attribute);
  OSM_CLEANUP_FREE char *data = NULL;
  size_t len, first = 0;
  OSM_ERROR (ignored);

  if (osm_file_read (path, 4096, &data, &len, &ignored) == -1)
    return NULL;
  /* vpd_pg80 is binary: a header of 4 bytes, then the serial. */
  if (strcmp (attribute, "device/vpd_pg80") == 0)
    first = len < 4 ? len : 4;
  while (first < len && data[first] == ' ')
    first++;
  while (len > first && strchr (" \n\r", data[len - 1]))
    len--;
  return len > first ? osm_strndup (data + first, len - first) : NULL;
}

static void
find_by_serial (const char *volume_id, struct candidates *c)
{
  static const char *const attributes[] = { "serial", "device/serial", "device/vpd_pg80" };
  OSM_CLEANUP_FREE char *folder = osm_asprintf ("%s/block", osm_path_sys ());
  CLEANUP_DIR DIR *dir = opendir (folder);
  struct dirent *entry;

  while (dir && (entry = readdir (dir))) {
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
      OSM_CLEANUP_FREE char *serial = NULL, *path = NULL, *number = NULL;
      char node[32];
      struct stat st;

      if (entry->d_name[0] == '.')
        break;
      serial = sys_line (entry->d_name, attributes[i]);
      if (!serial ||
          (strcmp (serial, volume_id) != 0 &&
           !(strlen (serial) == SHORT_SERIAL && strncmp (serial, volume_id, SHORT_SERIAL) == 0)))
        continue;
      path = osm_asprintf ("%s/%s", osm_path_dev (), entry->d_name);
      number = sys_line (entry->d_name, "dev");
      /* The node must be the disk that sysfs speaks of. */
      if (!number || stat (path, &st) == -1)
        continue;
      snprintf (node, sizeof node, "%u:%u", major (st.st_rdev), minor (st.st_rdev));
      if (strcmp (node, number) == 0)
        add_candidate (c, path);
    }
  }
}

static int
device_size (int fd, const char *path, uint64_t *ret, struct osm_error *err)
{
  if (ioctl (fd, BLKGETSIZE64, ret) == -1)
    return osm_error_set_errno (err, errno, "size of %s", path);
  return 0;
}

struct osm_device_size
osm_device_size_of (const json_t *params)
{
  const json_t *bytes = json_object_get (params, "size_bytes");

  return (struct osm_device_size){ .bytes = (uint64_t)json_integer_value (bytes),
                                   .larger = !bytes ||
                                             json_is_true (json_object_get (params, "larger")) };
}

static int
check_size (int fd, const char *path, struct osm_device_size wanted, uint64_t *ret,
            struct osm_error *err)
{
  uint64_t size;

  if (device_size (fd, path, &size, err) == -1)
    return -1;
  if (wanted.larger ? size < wanted.bytes : size != wanted.bytes)
    return osm_error_set (err, OSM_ERROR_USER, 0,
                          "device %s has %" PRIu64 " bytes, the volume has %" PRIu64, path, size,
                          wanted.bytes);
  if (ret)
    *ret = size;
  return 0;
}

/* The kernel lends a block device exclusively to one holder: a mount, LVM, md, or an O_EXCL open. */
static bool
is_held (const char *path)
{
  OSM_CLEANUP_FD int fd = open (path, O_RDONLY | O_EXCL | O_CLOEXEC);

  return fd == -1 && errno == EBUSY;
}

static void
find_candidates (const char *volume_id, struct candidates *c)
{
  find_by_link (volume_id, c);
  find_by_serial (volume_id, c);
}

/* Exactly one, or an error. */
static int
check_number (const struct candidates *c, const char *volume_id, struct osm_error *err)
{
  if (c->nr == 0)
    return osm_error_set (err, OSM_ERROR_RETRY, ENOENT, "no disk with the id of volume %s",
                          volume_id);
  if (c->nr > 1)
    return osm_error_set (err, OSM_ERROR_USER, 0,
                          "two disks carry the id of volume %s: %s and %s; nothing was touched",
                          volume_id, c->path[0], c->path[1]);
  return 0;
}

int
osm_device_check (int fd, const char *volume_id, struct osm_error *err)
{
  struct candidates c = { .nr = 0 };
  struct stat st;
  int r;

  if (fstat (fd, &st) == -1)
    return osm_error_set_errno (err, errno, "disk of volume %s", volume_id);
  find_candidates (volume_id, &c);
  r = check_number (&c, volume_id, err);
  if (r == 0 && c.dev[0] != st.st_rdev)
    r = osm_error_set (err, OSM_ERROR_RETRY, ESTALE,
                       "the disk of volume %s is %s now, another one was opened", volume_id,
                       c.path[0]);
  candidates_done (&c);
  return r;
}

static int
in_use (const char *path, const char *volume_id, struct osm_error *err)
{
  return osm_error_set (err, OSM_ERROR_USER, EBUSY,
                        "device %s of volume %s is in use (mounted, or part of LVM or RAID)", path,
                        volume_id);
}

static int
open_block (const char *path, int flags, struct osm_device_size size, uint64_t *ret_bytes,
            struct osm_error *err)
{
  OSM_CLEANUP_FD int fd = open (path, flags | O_CLOEXEC | O_NOCTTY);
  struct stat st;

  if (fd == -1)
    return osm_error_set_errno (err, errno, "open %s", path);
  if (fstat (fd, &st) == -1)
    return osm_error_set_errno (err, errno, "%s", path);
  if (!S_ISBLK (st.st_mode))
    return osm_error_set (err, OSM_ERROR_USER, 0, "%s is not a block device", path);
  if (check_size (fd, path, size, ret_bytes, err) == -1)
    return -1;
  return osm_take_fd (&fd);
}

int
osm_device_open (const char *volume_id, const char *path, struct osm_device_size size,
                 bool writable, struct osm_error *err)
{
  uint64_t started = osm_now_ms ();
  OSM_CLEANUP_FD int fd = -1;

  for (;;) {
    OSM_ERROR (why);

    fd = open_block (path, writable ? O_RDWR | O_EXCL : O_RDONLY, size, NULL, &why);
    if (fd >= 0)
      break;
    if (why.code != EBUSY) {
      osm_error_move (err, &why);
      return -1;
    }
    /* The service's own look at a disk holds it for a moment, and so does a worker that ends. */
    if (osm_now_ms () - started > HOLDER_PATIENCE_MS)
      return in_use (path, volume_id, err);
    (void)poll (NULL, 0, 20);
  }
  if (osm_device_check (fd, volume_id, err) == -1)
    return -1;
  return osm_take_fd (&fd);
}

int
osm_device_find (const char *volume_id, struct osm_device_size size, char **ret_path,
                 uint64_t *ret_bytes, struct osm_error *err)
{
  struct candidates c = { .nr = 0 };
  OSM_CLEANUP_FD int fd = -1;
  int r;

  find_candidates (volume_id, &c);
  r = check_number (&c, volume_id, err);
  if (r == 0) {
    fd = open_block (c.path[0], O_RDONLY, size, ret_bytes, err);
    if (fd == -1)
      r = osm_error_wrap (err, "volume %s", volume_id);
    else if (is_held (c.path[0]))
      r = in_use (c.path[0], volume_id, err);
  }
  if (r == 0)
    *ret_path = osm_strdup (c.path[0]);
  candidates_done (&c);
  return r;
}

static bool
is_listed (const json_t *list, const char *path)
{
  size_t i;
  json_t *one;

  json_array_foreach (list, i, one)
  {
    if (strcmp (osm_json_str (one, "path"), path) == 0)
      return true;
  }
  return false;
}

json_t *
osm_device_list (void)
{
  json_t *list = json_array ();
  OSM_CLEANUP_FREE char *folder = osm_asprintf ("%s/disk/by-id", osm_path_dev ());
  CLEANUP_DIR DIR *dir = opendir (folder);
  struct dirent *entry;

  while (dir && (entry = readdir (dir)) && json_array_size (list) < DEVICES_MAX) {
    OSM_CLEANUP_FREE char *link = NULL, *path = NULL;
    OSM_CLEANUP_FD int fd = -1;
    const char *serial;
    uint64_t size = 0;
    OSM_ERROR (ignored);

    if (entry->d_name[0] == '.' || is_partition_link (entry->d_name))
      continue;
    link = osm_asprintf ("%s/%s", folder, entry->d_name);
    path = realpath (link, NULL);
    if (!path || is_listed (list, path))
      continue;
    fd = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd == -1 || device_size (fd, path, &size, &ignored) == -1)
      continue;
    serial = strrchr (entry->d_name, '_');
    if (!serial)
      serial = strchr (entry->d_name, '-');
    json_array_append_new (list, osm_json_pack ("{s:s, s:s, s:I, s:b}", "path", path, "serial",
                                                serial ? serial + 1 : "", "size_bytes",
                                                (json_int_t)size, "in_use", is_held (path)));
  }
  return list;
}
