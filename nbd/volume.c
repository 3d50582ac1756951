/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "nbd/freemap.h"
#include "nbd/reads.h"

/* One question for extents reads at most so much (a client waits for its answer); what follows is not reported, so the client asks
 * again. */
#define EXTENTS_READ_BYTES (UINT64_C (64) << 20)
#define EXTENTS_BLOCK_BYTES 65536

struct osm_volume {
  int fd;
  uint64_t size_bytes;
  char *free_path;
  struct osm_freemap free_map;
  atomic_bool free_known;      /* free_map is there, and does not change any more */
  _Atomic int64_t free_looked; /* tenths of a second */
  pthread_mutex_t lock;        /* of loading it */
  _Atomic unsigned char *reads;
  size_t reads_len;
};

struct osm_reader {
  struct osm_volume *volume;
  bool free_only; /* export "free" */
  bool no_splice;
  int fd; /* its own, so that the kernel reads ahead for each; or the volume's */
  struct osm_extents_memo memo;
};

static int
map_reads (struct osm_volume *v, const char *path, struct osm_error *err)
{
  OSM_CLEANUP_FD int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  void *p;

  v->reads_len = osm_reads_len (v->size_bytes);
  if (fd == -1 || ftruncate (fd, (off_t)v->reads_len) == -1 ||
      (p = mmap (NULL, v->reads_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) == MAP_FAILED)
    return osm_error_set_errno (err, errno, "cannot map %s", path);
  v->reads = p;
  return 0;
}

int
osm_volume_new (const struct osm_volume_options *options, struct osm_volume **ret,
                struct osm_error *err)
{
  struct osm_volume *v = osm_calloc (1, sizeof *v);

  v->fd = options->fd;
  v->size_bytes = options->size_bytes;
  v->free_path = options->free_path ? osm_strdup (options->free_path) : NULL;
  pthread_mutex_init (&v->lock, NULL);
  if (options->reads_path && map_reads (v, options->reads_path, err) == -1) {
    osm_volume_free (v);
    return -1;
  }
  *ret = v;
  return 0;
}

void
osm_volume_free (struct osm_volume *v)
{
  if (!v)
    return;
  if (v->reads)
    munmap ((void *)v->reads, v->reads_len);
  osm_freemap_done (&v->free_map);
  pthread_mutex_destroy (&v->lock);
  free (v->free_path);
  free (v);
}

uint64_t
osm_volume_size (const struct osm_volume *v)
{
  return v->size_bytes;
}

static void
load_free_map (struct osm_volume *v)
{
  OSM_ERROR (err);

  OSM_LOCKED (&v->lock);
  if (atomic_load (&v->free_known))
    return;
  if (osm_freemap_load (v->free_path, v->size_bytes, &v->free_map, &err) == -1) {
    if (err.code != ENOENT)
      osm_debug ("%s", err.message);
    return;
  }
  osm_debug ("free-space map: %" PRIu64 " bytes", v->free_map.free_bytes);
  atomic_store_explicit (&v->free_known, true, memory_order_release);
}

/* The map, once it is there. Looked for ten times a second, or now. */
static const struct osm_freemap *
find_free_map (struct osm_volume *v, bool now)
{
  struct timespec ts;
  int64_t before, tick;

  if (!v->free_path)
    return NULL;
  if (!atomic_load_explicit (&v->free_known, memory_order_acquire)) {
    clock_gettime (CLOCK_MONOTONIC_COARSE, &ts);
    tick = (int64_t)ts.tv_sec * 10 + ts.tv_nsec / 100000000;
    before = atomic_load (&v->free_looked);
    if (before == tick && !now)
      return NULL;
    atomic_store (&v->free_looked, tick);
    load_free_map (v);
  }
  return atomic_load_explicit (&v->free_known, memory_order_acquire) ? &v->free_map : NULL;
}

struct osm_reader *
osm_volume_open (struct osm_volume *v, const char *export)
{
  struct osm_reader *r = osm_calloc (1, sizeof *r);
  char path[64];

  r->volume = v;
  snprintf (path, sizeof path, "/proc/self/fd/%d", v->fd);
  r->fd = v->fd == -1 ? -1 : open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (r->fd == -1)
    r->fd = v->fd; /* its permissions may be gone: pread does not mind sharing */
  r->free_only = v->free_path && strcmp (export, OSM_FREEMAP_EXPORT) == 0;
  (void)find_free_map (v, true);
  return r;
}

void
osm_volume_close (struct osm_reader *r)
{
  if (!r)
    return;
  if (r->fd != r->volume->fd)
    close (r->fd);
  free (r);
}

/* splitmix64 of the word's number: any byte can be had without those before it. */
static uint64_t
test_word (uint64_t n)
{
  uint64_t z = (n + 1) * UINT64_C (0x9e3779b97f4a7c15);

  z = (z ^ (z >> 30)) * UINT64_C (0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C (0x94d049bb133111eb);
  return z ^ (z >> 31);
}

static void
test_fill (char *p, uint64_t offset, size_t length)
{
  while (length > 0) {
    uint64_t word = test_word (offset / 8);
    size_t skip = (size_t)(offset % 8);
    size_t n = sizeof word - skip;

    if (n > length)
      n = length;
    memcpy (p, (char *)&word + skip, n);
    p += n;
    offset += n;
    length -= n;
  }
}

static void
note_read (struct osm_volume *v, uint64_t offset, size_t length)
{
  for (uint64_t n = offset / OSM_READS_GRANULE; v->reads && n * OSM_READS_GRANULE < offset + length;
       n++)
    atomic_fetch_or (&v->reads[n / 8], (unsigned char)(1u << (n % 8)));
}

/* NBD has no name for most errors of a disk (ENODATA, EILSEQ ...). */
static int
cannot_read (uint64_t offset, ssize_t r)
{
  int e = r == 0 ? 0 : errno;

  osm_debug ("cannot read at offset %" PRIu64 ": %s", offset, e ? strerror (e) : "it ends there");
  return e == ENOMEM ? ENOMEM : EIO;
}

int
osm_volume_read (struct osm_reader *r, void *buf, uint64_t offset, size_t length)
{
  struct osm_volume *v = r->volume;
  const struct osm_freemap *map = find_free_map (v, false);
  uint64_t ignored;
  char *p = buf;
  size_t done = 0;

  if (map && osm_freemap_at (map, offset, &ignored) >= length) {
    memset (buf, 0, length);
    return 0;
  }
  note_read (v, offset, length);
  if (v->fd == -1) {
    test_fill (buf, offset, length);
    return 0;
  }
  while (done < length) {
    ssize_t n = pread (r->fd, p + done, length - done, (off_t)(offset + done));

    if (n == -1 && errno == EINTR)
      continue;
    if (n <= 0)
      return cannot_read (offset + done, n);
    done += (size_t)n;
  }
  if (map)
    osm_freemap_mask (map, buf, length, offset);
  return 0;
}

int
osm_volume_pipe (struct osm_reader *r, int pipe_fd, uint64_t offset, size_t length)
{
  struct osm_volume *v = r->volume;
  const struct osm_freemap *map = find_free_map (v, false);
  off64_t at = (off64_t)offset;

  if (v->fd == -1 || r->no_splice || (map && osm_freemap_count (map, offset, length) > 0))
    return ENOTSUP;
  note_read (v, offset, length);
  while (length > 0) {
    ssize_t n = splice (r->fd, &at, pipe_fd, NULL, length, SPLICE_F_NONBLOCK);

    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1 && (errno == EINVAL || errno == EAGAIN)) {
      r->no_splice = errno == EINVAL;
      return ENOTSUP;
    }
    if (n <= 0)
      return cannot_read ((uint64_t)at, n);
    length -= (size_t)n;
  }
  return 0;
}

/* By the map alone. */
static int
free_extents (const struct osm_freemap *map, uint64_t offset, uint64_t end, struct osm_extents *e,
              struct osm_error *err)
{
  while (offset < end) {
    uint64_t next = end, length = map ? osm_freemap_at (map, offset, &next) : 0;

    if (length)
      next = length < end - offset ? offset + length : end;
    if (next > end)
      next = end;
    if (osm_extents_add (e, offset, next - offset, length > 0, err) == -1)
      return -1;
    offset = next;
  }
  return 0;
}

/* What is free is not even read. */
static int
detect (struct osm_reader *r, const struct osm_freemap *map, uint64_t offset, uint64_t end,
        struct osm_extents *e, struct osm_error *err)
{
  struct osm_extents_options options = { .max_read_bytes = EXTENTS_READ_BYTES,
                                         .block_bytes = EXTENTS_BLOCK_BYTES,
                                         .memo = &r->memo };

  while (offset < end) {
    uint64_t next = end, length = map ? osm_freemap_at (map, offset, &next) : 0;

    if (length > 0) {
      next = length < end - offset ? offset + length : end;
      if (osm_extents_add (e, offset, next - offset, true, err) == -1)
        return -1;
    }
    else {
      if (next > end)
        next = end;
      if (osm_extents_detect (r->fd, offset, next - offset, &options, e, err) == -1)
        return -1;
      if (osm_extents_end (e) < next || options.max_read_bytes <= next - offset)
        return 0;
      options.max_read_bytes -= next - offset;
    }
    offset = next;
  }
  return 0;
}

void
osm_volume_extents (struct osm_reader *r, uint64_t offset, uint64_t length, struct osm_extents *ret)
{
  struct osm_volume *v = r->volume;
  const struct osm_freemap *map = find_free_map (v, false);
  uint64_t end = offset + length;
  int result = 0;
  OSM_ERROR (err);
  OSM_ERROR (ignored);

  osm_extents_clear (ret);
  if (r->free_only)
    result = free_extents (map, offset, end, ret, &err);
  else if (v->fd != -1)
    result = detect (r, map, offset, end, ret, &err);
  if (result == -1)
    osm_debug ("extents at %" PRIu64 ": %s", offset, err.message);
  if (ret->nr == 0)
    (void)osm_extents_add (ret, offset, length, false, &ignored);
}
