/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/extents.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/strbuf.h"

#define SAMPLE_BYTES ((size_t)4096)

void
osm_extents_done (struct osm_extents *e)
{
  free (e->v);
  memset (e, 0, sizeof *e);
}

void
osm_extents_clear (struct osm_extents *e)
{
  e->nr = 0;
}

uint64_t
osm_extents_end (const struct osm_extents *e)
{
  return e->nr ? e->v[e->nr - 1].offset + e->v[e->nr - 1].length : 0;
}

int
osm_extents_add (struct osm_extents *e, uint64_t offset, uint64_t length, bool zero,
                 struct osm_error *err)
{
  uint64_t end;

  if (length == 0)
    return 0;
  if (__builtin_add_overflow (offset, length, &end))
    return osm_error_set (err, OSM_ERROR_BUG, 0, "extent at %" PRIu64 " is too long", offset);
  if (e->nr > 0 && offset != osm_extents_end (e))
    return osm_error_set (err, OSM_ERROR_BUG, 0,
                          "extent at %" PRIu64 " does not follow the one that ends at %" PRIu64,
                          offset, osm_extents_end (e));
  if (e->nr > 0 && e->v[e->nr - 1].zero == zero) {
    e->v[e->nr - 1].length += length;
    return 0;
  }
  if (e->nr == e->allocated) {
    if (e->nr >= OSM_EXTENTS_MAX)
      return osm_error_set (err, OSM_ERROR_USER, 0, "more than %d extents", OSM_EXTENTS_MAX);
    e->allocated = e->allocated ? e->allocated * 2 : 16;
    e->v = osm_realloc (e->v, e->allocated, sizeof *e->v);
  }
  e->v[e->nr++] = (struct osm_extent){ .offset = offset, .length = length, .zero = zero };
  return 0;
}

bool
osm_is_zero (const void *buf, size_t len)
{
  const unsigned char *p = buf;
  size_t head = len < 16 ? len : 16;

  for (size_t i = 0; i < head; i++)
    if (p[i])
      return false;
  /* The first 16 bytes are zero, so comparing the rest with its shifted self walks on. */
  return len <= 16 || memcmp (p, p + 16, len - 16) == 0;
}

int
osm_extents_scan (struct osm_extents *e, const void *buf, size_t len, uint64_t offset,
                  size_t block_bytes, struct osm_error *err)
{
  const char *p = buf;

  while (len > 0) {
    size_t n = block_bytes - (size_t)(offset & (block_bytes - 1));
    bool whole = n == block_bytes;

    if (n > len)
      n = len;
    /* What precedes the first block boundary is not worth a zero extent of its own. */
    if (osm_extents_add (e, offset, n, whole && osm_is_zero (p, n), err) == -1)
      return -1;
    p += n;
    offset += n;
    len -= n;
  }
  return 0;
}

/* *ret_end: where the hole or the data at offset ends (at most `end`). */
static bool
hole_at (int fd, uint64_t offset, uint64_t end, struct osm_extents_memo *memo, uint64_t *ret_end)
{
  off_t data, hole;

  if (memo && offset >= memo->data_from && offset < memo->data_to) {
    *ret_end = memo->data_to < end ? memo->data_to : end;
    return false;
  }
  data = lseek (fd, (off_t)offset, SEEK_DATA);
  if (data == -1) {
    *ret_end = end;
    /* No data up to the end, unless it has become shorter. Other errors: not supported, so it is data. */
    return errno == ENXIO && lseek (fd, 0, SEEK_END) >= (off_t)end;
  }
  if ((uint64_t)data > offset) {
    *ret_end = (uint64_t)data < end ? (uint64_t)data : end;
    return true;
  }
  hole = lseek (fd, (off_t)offset, SEEK_HOLE);
  if (memo && hole > data)
    *memo = (struct osm_extents_memo){ .data_from = offset, .data_to = (uint64_t)hole };
  *ret_end = hole > data && (uint64_t)hole < end ? (uint64_t)hole : end;
  return false;
}

static int
read_some (int fd, void *buf, size_t len, uint64_t offset, struct osm_error *err)
{
  char *p = buf;

  while (len > 0) {
    ssize_t r = pread (fd, p, len, (off_t)offset);

    if (r == -1 && errno == EINTR)
      continue;
    if (r == -1)
      return osm_error_set_errno (err, errno, "cannot read %zu bytes at offset %" PRIu64, len,
                                  offset);
    if (r == 0)
      return osm_error_set (err, OSM_ERROR_USER, 0, "ends unexpectedly at offset %" PRIu64, offset);
    p += r;
    len -= (size_t)r;
    offset += (uint64_t)r;
  }
  return 0;
}

/* Whether the bytes are all zero. Data shows that in its first page nearly always, and only that page is then read twice: here and when
 * it is asked for. */
static int
is_zero_at (int fd, char *buf, size_t len, uint64_t offset, bool *ret, struct osm_error *err)
{
  size_t first = len < SAMPLE_BYTES ? len : SAMPLE_BYTES;

  if (read_some (fd, buf, first, offset, err) == -1)
    return -1;
  *ret = osm_is_zero (buf, first);
  if (!*ret || first == len)
    return 0;
  if (read_some (fd, buf, len - first, offset + first, err) == -1)
    return -1;
  *ret = osm_is_zero (buf, len - first);
  return 0;
}

int
osm_extents_detect (int fd, uint64_t offset, uint64_t length,
                    const struct osm_extents_options *options, struct osm_extents *e,
                    struct osm_error *err)
{
  OSM_CLEANUP_FREE char *buf = NULL;
  uint64_t end, piece_end, left = options->max_read_bytes;
  size_t block = options->block_bytes;

  if (__builtin_add_overflow (offset, length, &end) || end > INT64_MAX)
    return osm_error_set (err, OSM_ERROR_BUG, 0, "range of extents is too long");

  for (; offset < end; offset = piece_end) {
    if (hole_at (fd, offset, end, options->memo, &piece_end)) {
      if (osm_extents_add (e, offset, piece_end - offset, true, err) == -1)
        return -1;
      continue;
    }
    if (options->max_read_bytes == 0) {
      if (osm_extents_add (e, offset, piece_end - offset, false, err) == -1)
        return -1;
      continue;
    }
    if (!buf)
      buf = osm_calloc (1, block);
    /* The samples are apart from each other: the kernel would not see that all of it will be read. */
    (void)posix_fadvise (fd, (off_t)offset,
                         (off_t)(piece_end - offset < left ? piece_end - offset : left),
                         POSIX_FADV_WILLNEED);
    while (offset < piece_end) {
      size_t n = block - (size_t)(offset & (block - 1));
      bool whole = n == block, zero = false;

      if (n > piece_end - offset)
        n = (size_t)(piece_end - offset);
      if (n > left)
        return 0; /* at least one block or all of a shorter piece was reported before */
      /* What precedes the first block boundary is not worth a zero extent of its own. */
      if (whole && is_zero_at (fd, buf, n, offset, &zero, err) == -1)
        return -1;
      if (osm_extents_add (e, offset, n, zero, err) == -1)
        return -1;
      left -= n;
      offset += n;
    }
  }
  return 0;
}
