/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

/* nbdkit plugin "osm": one block device or file, read-only, with its holes and zeros.
 *
 *   nbdkit --readonly osm device=/dev/vdb [size=BYTES]     size: refuse another size
 *       free=FILE    a free-space map, which may come later: what it names reads as zero from then on;
 *                    the extents of the export "free" are that map alone
 *       reads=FILE   note there which granules were read (a bit for each OSM_READS_GRANULE bytes)
 *   nbdkit --readonly osm test=BYTES                       synthetic data that does not compress */

#define NBDKIT_API_VERSION 2

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <nbdkit-plugin.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/coredump.h"
#include "common/parse.h"
#include "common/strbuf.h"
#include "nbd/extents.h"
#include "nbd/freemap.h"
#include "nbd/reads.h"

/* Connections run side by side, the requests of one connection one after the other: nbdkit 1.32 aborts
 * (connections.c, raw_send_socket: sock >= 0) when a client vanishes while several threads answer
 * it.  Clients open several connections; each has its own file descriptor, so that the kernel
 * reads ahead for each. */
#define THREAD_MODEL NBDKIT_THREAD_MODEL_SERIALIZE_REQUESTS

/* One extents call reads at most so much (a client waits for its answer); what follows is not
 * reported, so the client asks again. */
#define EXTENTS_READ_BYTES (UINT64_C (64) << 20)
#define EXTENTS_BLOCK_BYTES 65536

static char *device;       /* device= */
static int device_fd = -1; /* checked; connections open it again through /proc */
static bool test, size_given;
static uint64_t size_bytes;
static char *free_path; /* free= */
static struct osm_freemap free_map;
static atomic_bool free_known;      /* free_map is there, and does not change any more */
static _Atomic int64_t free_looked; /* tenths of a second */
static char *reads_path;            /* reads= */
static _Atomic unsigned char *reads;
static size_t reads_len;

/* nbdkit holds what is in the volume. */
static void
osm_load (void)
{
  osm_no_core_dumps ();
}

static void
osm_unload (void)
{
  if (device_fd >= 0)
    close (device_fd);
  if (reads)
    munmap ((void *)reads, reads_len);
  osm_freemap_done (&free_map);
  free (free_path);
  free (reads_path);
  free (device);
}

static int
fail (const struct osm_error *err)
{
  nbdkit_error ("%s", err->message);
  nbdkit_set_error (err->code > 0 ? err->code : EIO);
  return -1;
}

static int
osm_config (const char *key, const char *value)
{
  OSM_ERROR (err);

  if (strcmp (key, "device") == 0) {
    if (device) {
      nbdkit_error ("device= given twice");
      return -1;
    }
    device = nbdkit_absolute_path (value);
    return device ? 0 : -1;
  }
  if (strcmp (key, "free") == 0 || strcmp (key, "reads") == 0) {
    char **path = strcmp (key, "free") == 0 ? &free_path : &reads_path;

    free (*path);
    *path = nbdkit_absolute_path (value);
    return *path ? 0 : -1;
  }
  if (strcmp (key, "test") == 0 || strcmp (key, "size") == 0) {
    if (size_given) {
      nbdkit_error ("%s=: the size was given before", key);
      return -1;
    }
    if (osm_parse_uint (value, key, 0, INT64_MAX, &size_bytes, &err) == -1)
      return fail (&err);
    size_given = true;
    test = strcmp (key, "test") == 0;
    return 0;
  }
  nbdkit_error ("unknown parameter '%s'", key);
  return -1;
}

static int
osm_config_complete (void)
{
  if (test == (device != NULL)) {
    nbdkit_error ("give either device=PATH or test=BYTES");
    return -1;
  }
  return 0;
}

static int
map_reads (void)
{
  int fd = open (reads_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  void *p = MAP_FAILED;

  reads_len = osm_reads_len (size_bytes);
  if (fd != -1 && ftruncate (fd, (off_t)reads_len) == 0)
    p = mmap (NULL, reads_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED)
    nbdkit_error ("cannot map %s: %m", reads_path);
  else
    reads = p;
  if (fd != -1)
    close (fd);
  return p == MAP_FAILED ? -1 : 0;
}

static int
osm_get_ready (void)
{
  struct stat st;
  off_t end;

  if (test)
    return 0;
  device_fd = open (device, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (device_fd == -1) {
    nbdkit_error ("cannot open %s: %m", device);
    return -1;
  }
  if (fstat (device_fd, &st) == -1) {
    nbdkit_error ("cannot stat %s: %m", device);
    return -1;
  }
  if (!S_ISBLK (st.st_mode) && !S_ISREG (st.st_mode)) {
    nbdkit_error ("%s is neither a block device nor a file", device);
    return -1;
  }
  end = lseek (device_fd, 0, SEEK_END);
  if (end == -1) {
    nbdkit_error ("cannot find the size of %s: %m", device);
    return -1;
  }
  if (size_given && (uint64_t)end != size_bytes) {
    nbdkit_error ("%s has %" PRIu64 " bytes, expected %" PRIu64, device, (uint64_t)end, size_bytes);
    return -1;
  }
  size_bytes = (uint64_t)end;
  return reads_path ? map_reads () : 0;
}

/* The map, once it is there. Looked for ten times a second, or now. */
static const struct osm_freemap *
find_free_map (bool now)
{
  struct timespec ts;
  int64_t before, tick;
  OSM_ERROR (err);

  if (atomic_load_explicit (&free_known, memory_order_acquire))
    return &free_map;
  if (!free_path)
    return NULL;
  clock_gettime (CLOCK_MONOTONIC_COARSE, &ts);
  tick = (int64_t)ts.tv_sec * 10 + ts.tv_nsec / 100000000;
  before = atomic_load (&free_looked);
  if (before == tick && !now)
    return NULL;
  atomic_store (&free_looked, tick);
  {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

    OSM_LOCKED (&lock);
    if (!atomic_load (&free_known)) {
      if (osm_freemap_load (free_path, size_bytes, &free_map, &err) == -1) {
        if (err.code != ENOENT)
          nbdkit_debug ("%s", err.message);
        return NULL;
      }
      nbdkit_debug ("free-space map: %" PRIu64 " bytes", free_map.free_bytes);
      atomic_store_explicit (&free_known, true, memory_order_release);
    }
  }
  return &free_map;
}

struct connection {
  bool free_only;               /* export "free" */
  int fd;                       /* of this connection, or device_fd */
  struct osm_extents_memo memo; /* requests of one connection come one after the other */
};

static void *
osm_open (int readonly)
{
  struct connection *c = osm_calloc (1, sizeof *c);
  char path[64];

  (void)readonly; /* nothing here can write */
  snprintf (path, sizeof path, "/proc/self/fd/%d", device_fd);
  c->fd = test ? -1 : open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (c->fd == -1)
    c->fd = device_fd; /* its permissions may be gone: pread does not mind sharing */
  c->free_only = free_path && strcmp (nbdkit_export_name (), OSM_FREEMAP_EXPORT) == 0;
  (void)find_free_map (true);
  return c;
}

static void
osm_close (void *handle)
{
  struct connection *c = handle;

  if (c->fd != device_fd)
    close (c->fd);
  free (c);
}

static int64_t
osm_get_size (void *handle)
{
  (void)handle;
  return (int64_t)size_bytes;
}

static int
osm_no (void *handle)
{
  (void)handle;
  return 0;
}

static int
osm_yes (void *handle)
{
  (void)handle;
  return 1;
}

static int
osm_can_cache (void *handle)
{
  (void)handle;
  return NBDKIT_CACHE_NONE;
}

static int
osm_can_extents (void *handle)
{
  (void)handle;
  return !test;
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
test_fill (char *p, uint32_t count, uint64_t offset)
{
  while (count > 0) {
    uint64_t word = test_word (offset / 8);
    size_t skip = (size_t)(offset % 8);
    size_t n = sizeof word - skip;

    if (n > count)
      n = count;
    memcpy (p, (char *)&word + skip, n);
    p += n;
    offset += n;
    count -= (uint32_t)n;
  }
}

static int
osm_pread (void *handle, void *buf, uint32_t count, uint64_t offset, uint32_t flags)
{
  const struct connection *c = handle;
  const struct osm_freemap *map = find_free_map (false);
  char *p = buf;
  uint64_t start = offset, ignored;

  (void)flags;
  if (map && osm_freemap_at (map, offset, &ignored) >= count) {
    memset (buf, 0, count);
    return 0;
  }
  for (uint64_t n = offset / OSM_READS_GRANULE; reads && n * OSM_READS_GRANULE < offset + count;
       n++)
    atomic_fetch_or (&reads[n / 8], (unsigned char)(1u << (n % 8)));
  if (test) {
    test_fill (p, count, offset);
    return 0;
  }
  while (count > 0) {
    ssize_t r = pread (c->fd, p, count, (off_t)offset);

    if (r == -1 && errno == EINTR)
      continue;
    if (r <= 0) {
      /* NBD has no name for most errors of a disk (ENODATA, EILSEQ ...): nbdkit would make them EINVAL. */
      int e = r == -1 && errno == ENOMEM ? ENOMEM : EIO;

      nbdkit_error ("cannot read %s at offset %" PRIu64 ": %s", device, offset,
                    r == -1 ? strerror (errno) : "it ends there");
      nbdkit_set_error (e);
      return -1;
    }
    p += r;
    offset += (uint64_t)r;
    count -= (uint32_t)r;
  }
  if (map)
    osm_freemap_mask (map, buf, (size_t)(offset - start), start);
  return 0;
}

/* By the map alone. */
static int
free_extents (const struct osm_freemap *map, uint64_t offset, uint64_t end, uint32_t flags,
              struct nbdkit_extents *extents)
{
  while (offset < end) {
    uint64_t next = end, length = map ? osm_freemap_at (map, offset, &next) : 0;
    uint32_t type = length ? NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO : 0;

    if (length)
      next = offset + length;
    if (next > end)
      next = end;
    if (nbdkit_add_extent (extents, offset, next - offset, type) == -1)
      return -1;
    if (flags & NBDKIT_FLAG_REQ_ONE)
      break;
    offset = next;
  }
  return 0;
}

/* What is free is not even read. */
static int
detect (struct connection *c, const struct osm_freemap *map, uint64_t offset, uint64_t end,
        struct osm_extents *e, struct osm_error *err)
{
  struct osm_extents_options options = { .max_read_bytes = EXTENTS_READ_BYTES,
                                         .block_bytes = EXTENTS_BLOCK_BYTES,
                                         .memo = &c->memo };

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
      if (osm_extents_detect (c->fd, offset, next - offset, &options, e, err) == -1)
        return -1;
      if (osm_extents_end (e) < next || options.max_read_bytes <= next - offset)
        return 0;
      options.max_read_bytes -= next - offset;
    }
    offset = next;
  }
  return 0;
}

static int
osm_extents (void *handle, uint32_t count, uint64_t offset, uint32_t flags,
             struct nbdkit_extents *extents)
{
  struct connection *c = handle;
  const struct osm_freemap *map = find_free_map (false);
  OSM_EXTENTS (e);
  OSM_ERROR (err);

  if (c->free_only)
    return free_extents (map, offset, offset + count, flags, extents);
  if (detect (c, map, offset, offset + count, &e, &err) == -1) {
    /* A place that cannot be read is for pread to report; here it is just not known to be zero. */
    nbdkit_debug ("extents at %" PRIu64 ": %s", offset, err.message);
    if (e.nr == 0)
      return nbdkit_add_extent (extents, offset, count, 0);
  }
  for (size_t i = 0; i < e.nr; i++) {
    uint32_t type = e.v[i].zero ? NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO : 0;

    if (nbdkit_add_extent (extents, e.v[i].offset, e.v[i].length, type) == -1)
      return -1;
    if (flags & NBDKIT_FLAG_REQ_ONE)
      break;
  }
  return 0;
}

static struct nbdkit_plugin plugin = {
  .name = "osm",
  .longname = "osm source volume",
  .version = PACKAGE_VERSION,
  .description = "A volume that is being migrated, read-only",
  .magic_config_key = "device",
  .config_help = "device=PATH      block device or file to serve, read-only\n"
                 "size=BYTES       refuse a device of another size\n"
                 "free=FILE        free-space map, may appear later\n"
                 "reads=FILE       note what was read\n"
                 "test=BYTES       serve synthetic data instead",
  .load = osm_load,
  .unload = osm_unload,
  .config = osm_config,
  .config_complete = osm_config_complete,
  .get_ready = osm_get_ready,
  .open = osm_open,
  .close = osm_close,
  .get_size = osm_get_size,
  .can_write = osm_no,
  .can_flush = osm_no,
  .is_rotational = osm_no,
  .can_multi_conn = osm_yes,
  .can_cache = osm_can_cache,
  .can_extents = osm_can_extents,
  .pread = osm_pread,
  .extents = osm_extents,
};

NBDKIT_REGISTER_PLUGIN (plugin)
