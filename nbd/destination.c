/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/destination.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "nbd/extents.h"

#define PAGE 4096u
#define ZERO_RUN_BYTES 65536 /* shorter runs of zeros in data are written like data */
static const char zeros[65536];

int
osm_destination_init (struct osm_destination *d, int fd, uint64_t size_bytes, bool is_zero,
                      struct osm_error *err)
{
  struct stat st;
  off_t end;
  int sector = 0;

  memset (d, 0, sizeof *d);
  d->fd = fd;
  d->is_zero = is_zero;
  d->align = PAGE;
  if (fd == -1)
    return 0;
  if (fstat (fd, &st) == -1)
    return osm_error_set_errno (err, errno, "destination");
  if (S_ISREG (st.st_mode)) {
    if ((uint64_t)st.st_size < size_bytes && ftruncate (fd, (off_t)size_bytes) == -1)
      return osm_error_set_errno (err, errno, "extend the destination to %" PRIu64 " bytes",
                                  size_bytes);
    return 0;
  }
  if (!S_ISBLK (st.st_mode))
    return osm_error_set (err, OSM_ERROR_USER, 0,
                          "the destination is neither a block device nor a file");
  d->block_device = true;
  end = lseek (fd, 0, SEEK_END);
  if (end == -1)
    return osm_error_set_errno (err, errno, "size of the destination");
  if ((uint64_t)end < size_bytes)
    return osm_error_set (err, OSM_ERROR_USER, 0,
                          "the destination has %" PRIu64 " bytes, the source %" PRIu64,
                          (uint64_t)end, size_bytes);
  if (ioctl (fd, BLKSSZGET, &sector) == 0 && sector > (int)PAGE)
    d->align = (uint64_t)sector;
  return 0;
}

static int
write_at (struct osm_destination *d, const void *buf, size_t len, uint64_t offset,
          struct osm_error *err)
{
  if (osm_pwrite_full (d->fd, buf, len, offset, err) == 0)
    return 0;
  return osm_error_wrap (err, "write %zu bytes at offset %" PRIu64 " of the destination", len,
                         offset);
}

int
osm_destination_write (struct osm_destination *d, const void *buf, size_t len, uint64_t offset,
                       struct osm_error *err)
{
  OSM_EXTENTS (e);

  if (d->fd == -1)
    return 0;
  if (osm_extents_scan (&e, buf, len, offset, ZERO_RUN_BYTES, err) == -1)
    return -1;
  for (size_t i = 0; i < e.nr; i++) {
    const struct osm_extent *x = &e.v[i];
    int r = x->zero ? osm_destination_zero (d, x->offset, x->length, err)
                    : write_at (d, (const char *)buf + (x->offset - offset), (size_t)x->length,
                                x->offset, err);

    if (r == -1)
      return -1;
  }
  return 0;
}

static int
write_zeros (struct osm_destination *d, uint64_t offset, uint64_t length, struct osm_error *err)
{
  while (length > 0) {
    size_t n = length < sizeof zeros ? (size_t)length : sizeof zeros;

    if (write_at (d, zeros, n, offset, err) == -1)
      return -1;
    offset += n;
    length -= n;
  }
  return 0;
}

static bool
is_hole (struct osm_destination *d, uint64_t offset, uint64_t length)
{
  off_t data;

  if (d->block_device || atomic_load_explicit (&d->no_seek, memory_order_relaxed))
    return false;
  data = lseek (d->fd, (off_t)offset, SEEK_DATA);
  if (data == -1 && errno == EINVAL)
    atomic_store_explicit (&d->no_seek, true, memory_order_relaxed);
  return data == -1 ? errno == ENXIO : (uint64_t)data >= offset + length;
}

static bool
not_supported (int e)
{
  return e == EOPNOTSUPP || e == ENOSYS || e == EINVAL || e == ENOTTY || e == ENODEV || e == EPERM;
}

/* Whole blocks by the kernel; false if it does not do that (writing then says why). */
static bool
zero_blocks (struct osm_destination *d, uint64_t offset, uint64_t length)
{
  if (!atomic_load_explicit (&d->no_punch, memory_order_relaxed)) {
    /* On block devices too: the kernel then unmaps or writes zeros, and only where reading gives
     * zeros afterwards (block/fops.c: blkdev_fallocate). */
    if (fallocate (d->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
                   (off_t)length) == 0)
      return true;
    if (not_supported (errno))
      atomic_store_explicit (&d->no_punch, true, memory_order_relaxed);
  }
  if (d->block_device && !atomic_load_explicit (&d->no_zeroout, memory_order_relaxed)) {
    uint64_t range[2] = { offset, length };

    if (ioctl (d->fd, BLKZEROOUT, range) == 0)
      return true;
    if (not_supported (errno))
      atomic_store_explicit (&d->no_zeroout, true, memory_order_relaxed);
  }
  return false;
}

int
osm_destination_zero (struct osm_destination *d, uint64_t offset, uint64_t length,
                      struct osm_error *err)
{
  uint64_t end = offset + length;
  uint64_t first = (offset + d->align - 1) / d->align * d->align;
  uint64_t last = end / d->align * d->align;

  if (d->fd == -1 || d->is_zero || length == 0 || is_hole (d, offset, length))
    return 0;
  if (first >= last || !zero_blocks (d, first, last - first))
    return write_zeros (d, offset, length, err);
  if (write_zeros (d, offset, first - offset, err) == -1)
    return -1;
  return write_zeros (d, last, end - last, err);
}

int
osm_destination_flush (struct osm_destination *d, struct osm_error *err)
{
  if (d->fd != -1 && fdatasync (d->fd) == -1)
    return osm_error_set_errno (err, errno, "flush the destination");
  return 0;
}
