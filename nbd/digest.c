/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/strbuf.h"

#define READ_BYTES ((size_t)1 << 20)
#define ALIGN 4096 /* of buffers and offsets for O_DIRECT */

struct reader {
  const char *path;
  int fd;
  bool direct;
  uint64_t size_bytes;
  unsigned char *buf;             /* READ_BYTES, aligned */
  const unsigned char *zeros;     /* READ_BYTES */
  const struct osm_freemap *free; /* or NULL */
  uint64_t data_end,
      hole_end; /* known: [.., data_end) from the last look is data, or up to hole_end a hole */
  XXH3_state_t *state;
  struct osm_bad_blocks *bad; /* or NULL */
};

void
osm_manifest_done (struct osm_manifest *m)
{
  free (m->digests);
  memset (m, 0, sizeof *m);
}

char *
osm_manifest_hex (const struct osm_manifest *m, uint64_t first, uint64_t count)
{
  static const char digits[] = "0123456789abcdef";
  const unsigned char *p;
  size_t n;
  char *s;

  if (first > m->nr_chunks)
    first = m->nr_chunks;
  if (count > m->nr_chunks - first)
    count = m->nr_chunks - first;
  n = (size_t)count * OSM_DIGEST_LEN;
  s = osm_calloc (n * 2 + 1, 1);
  p = n ? m->digests + first * OSM_DIGEST_LEN : NULL;
  for (size_t i = 0; i < n; i++) {
    s[2 * i] = digits[p[i] >> 4];
    s[2 * i + 1] = digits[p[i] & 15];
  }
  return s;
}

int
osm_manifest_init (struct osm_manifest *m, uint64_t size_bytes, uint64_t chunk_bytes,
                   struct osm_error *err)
{
  uint64_t chunk = chunk_bytes ? chunk_bytes : OSM_DIGEST_CHUNK_DEFAULT;
  uint64_t nr = size_bytes / chunk + (size_bytes % chunk != 0);

  if (chunk < OSM_DIGEST_CHUNK_MIN || chunk > OSM_DIGEST_CHUNK_MAX || (chunk & (chunk - 1)))
    return osm_error_set (err, OSM_ERROR_USER, 0,
                          "chunk of %" PRIu64 " bytes: not a power of two from %d to %u", chunk,
                          OSM_DIGEST_CHUNK_MIN, OSM_DIGEST_CHUNK_MAX);
  if (nr > OSM_DIGEST_CHUNKS_MAX)
    return osm_error_set (err, OSM_ERROR_USER, 0,
                          "%" PRIu64 " bytes are too many chunks of %" PRIu64 " bytes", size_bytes,
                          chunk);
  *m = (struct osm_manifest){ .size_bytes = size_bytes, .chunk_bytes = chunk, .nr_chunks = nr };
  m->digests = osm_calloc (nr ? nr : 1, OSM_DIGEST_LEN);
  return 0;
}

static int
hex_digit (char c)
{
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
osm_manifest_from_hex (struct osm_manifest *m, uint64_t first, const char *hex)
{
  size_t n = strlen (hex) / (2 * OSM_DIGEST_LEN);
  unsigned char *p;

  if (strlen (hex) % (2 * OSM_DIGEST_LEN) != 0 || n > INT32_MAX || first > m->nr_chunks ||
      n > m->nr_chunks - first)
    return -1;
  p = m->digests + first * OSM_DIGEST_LEN;
  for (size_t i = 0; i < n * OSM_DIGEST_LEN; i++) {
    int high = hex_digit (hex[2 * i]), low = hex_digit (hex[2 * i + 1]);

    if (high < 0 || low < 0)
      return -1;
    p[i] = (unsigned char)(high << 4 | low);
  }
  return (int)n;
}

bool
osm_manifest_differ (const struct osm_manifest *a, const struct osm_manifest *b,
                     uint64_t *ret_offset)
{
  for (uint64_t i = 0; i < a->nr_chunks && i < b->nr_chunks; i++)
    if (memcmp (a->digests + i * OSM_DIGEST_LEN, b->digests + i * OSM_DIGEST_LEN, OSM_DIGEST_LEN) !=
        0) {
      *ret_offset = i * a->chunk_bytes;
      return true;
    }
  return false;
}

static void
reader_done (struct reader *r)
{
  if (r->fd >= 0)
    close (r->fd);
  free (r->buf);
  free ((void *)r->zeros);
  XXH3_freeState (r->state);
}

/* So that what is read afterwards comes from the disk. */
static void
drop_cache (const char *path, int fd, bool block_device)
{
  if (fsync (fd) == -1)
    osm_debug ("fsync %s: %m", path); /* a read-only descriptor may refuse: the copy has flushed */
  if (block_device && ioctl (fd, BLKFLSBUF, 0) == 0)
    return; /* needs CAP_SYS_ADMIN */
  if (posix_fadvise (fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
    osm_debug ("posix_fadvise %s: %m", path);
}

static int
reader_open (struct reader *r, const char *path, uint64_t size_bytes,
             const struct osm_digest_options *options, struct osm_error *err)
{
  struct stat st;
  off_t end;
  void *p;

  *r = (struct reader){ .path = path, .fd = -1, .size_bytes = size_bytes };
  r->fd = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (r->fd == -1)
    return osm_error_set_errno (err, errno, "cannot open %s", path);
  if (fstat (r->fd, &st) == -1 || (end = lseek (r->fd, 0, SEEK_END)) == -1)
    return osm_error_set_errno (err, errno, "cannot find the size of %s", path);
  if (!S_ISBLK (st.st_mode) && !S_ISREG (st.st_mode))
    return osm_error_set (err, OSM_ERROR_USER, 0, "%s is neither a block device nor a file", path);
  if (options->larger ? (uint64_t)end < size_bytes : (uint64_t)end != size_bytes)
    return osm_error_set (err, OSM_ERROR_USER, 0, "%s has %" PRIu64 " bytes, expected %" PRIu64,
                          path, (uint64_t)end, size_bytes);
  if (options->drop_cache) {
    int flags = fcntl (r->fd, F_GETFL);

    drop_cache (path, r->fd, S_ISBLK (st.st_mode));
    r->direct = flags != -1 && fcntl (r->fd, F_SETFL, flags | O_DIRECT) == 0;
  }
  if (!r->direct)
    posix_fadvise (r->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  if (posix_memalign (&p, ALIGN, READ_BYTES) != 0)
    osm_oom ();
  r->buf = p;
  r->zeros = osm_calloc (1, READ_BYTES);
  r->state = XXH3_createState ();
  if (!r->state)
    osm_oom ();
  return 0;
}

/* Bytes from offset on that are known to be a hole. */
static uint64_t
hole_length (struct reader *r, uint64_t offset)
{
  off_t data;
  uint64_t ignored, length = r->free ? osm_freemap_at (r->free, offset, &ignored) : 0;

  if (length > 0)
    return length;
  if (offset < r->hole_end)
    return r->hole_end - offset;
  if (offset < r->data_end)
    return 0;
  data = lseek (r->fd, (off_t)offset, SEEK_DATA);
  if (data == -1 && errno == ENXIO) {
    r->hole_end = r->size_bytes;
  }
  else if (data != -1 && (uint64_t)data > offset) {
    r->hole_end = (uint64_t)data < r->size_bytes ? (uint64_t)data : r->size_bytes;
  }
  else {
    off_t hole = data == -1 ? -1 : lseek (r->fd, (off_t)offset, SEEK_HOLE);

    r->data_end = hole > (off_t)offset ? (uint64_t)hole : r->size_bytes;
    return 0;
  }
  return r->hole_end - offset;
}

static int
read_at (struct reader *r, unsigned char *buf, size_t len, uint64_t offset, struct osm_error *err)
{
  size_t have = 0;

  while (have < len) {
    /* O_DIRECT wants whole blocks: ask for more than there is, it ends at the end. */
    size_t want = r->direct ? (len - have + ALIGN - 1) / ALIGN * ALIGN : len - have;
    ssize_t n = pread (r->fd, buf + have, want, (off_t)(offset + have));

    if (n == -1 && errno == EINTR)
      continue;
    if ((n == -1 && errno == EINVAL && r->direct) ||
        (n > 0 && r->direct && (size_t)n % ALIGN != 0 && have + (size_t)n < len)) {
      int flags = fcntl (r->fd, F_GETFL);

      if (flags == -1 || fcntl (r->fd, F_SETFL, flags & ~O_DIRECT) == -1)
        return osm_error_set_errno (err, errno, "cannot read %s", r->path);
      r->direct = false;
      continue;
    }
    if (n == -1)
      return osm_error_set_errno (err, errno, "cannot read %s at offset %" PRIu64, r->path,
                                  offset + have);
    if (n == 0)
      return osm_error_set (err, OSM_ERROR_USER, 0, "%s ends unexpectedly at offset %" PRIu64,
                            r->path, offset + have);
    have += (size_t)n;
  }
  if (r->free)
    osm_freemap_mask (r->free, buf, len, offset);
  return 0;
}

/* The disk has lost what was there (block/blk-core.c: blk_errors), as opposed to the disk being gone. */
static bool
is_bad_sector (int e)
{
  return e == EIO || e == ENODATA || e == EILSEQ || e == EREMOTEIO;
}

/* An osm_probe_fn. */
static int
probe (void *data, void *buf, size_t length, uint64_t offset, struct osm_error *err)
{
  OSM_ERROR (why);

  if (read_at (data, buf, length, offset, &why) == 0)
    return 0;
  if (is_bad_sector (why.code))
    return why.code;
  osm_error_move (err, &why);
  return -1;
}

/* Into the reader's buffer. */
static int
read_piece (struct reader *r, size_t len, uint64_t offset, struct osm_error *err)
{
  OSM_ERROR (why);

  if (read_at (r, r->buf, len, offset, &why) == 0)
    return 0;
  if (!r->bad || !is_bad_sector (why.code)) {
    osm_error_move (err, &why);
    return -1;
  }
  if (r->direct) {
    /* Past the cache only whole blocks can be asked for. */
    int flags = fcntl (r->fd, F_GETFL);

    if (flags == -1 || fcntl (r->fd, F_SETFL, flags & ~O_DIRECT) == -1)
      return osm_error_set_errno (err, errno, "cannot read %s", r->path);
    r->direct = false;
  }
  return osm_read_around (probe, r, r->bad, r->buf, offset, len, err);
}

static int
digest_chunk (struct reader *r, uint64_t offset, uint64_t length, unsigned char *ret,
              struct osm_error *err)
{
  XXH128_canonical_t canonical;
  uint64_t end = offset + length;

  XXH3_128bits_reset (r->state);
  while (offset < end) {
    uint64_t hole = hole_length (r, offset);
    /* Read on the grid of READ_BYTES (chunks are aligned to ALIGN): holes end on blocks too. */
    uint64_t n = end - offset < READ_BYTES ? end - offset : READ_BYTES;
    const void *p = r->buf;

    if (hole > 0) {
      n = hole < n ? hole : n;
      if (offset + n < end)
        n = n / ALIGN * ALIGN;
    }
    if (hole > 0 && n > 0) {
      p = r->zeros;
    }
    else {
      if (n == 0)
        n = end - offset < ALIGN ? end - offset : ALIGN;
      if (read_piece (r, (size_t)n, offset, err) == -1)
        return -1;
    }
    XXH3_128bits_update (r->state, p, (size_t)n);
    offset += n;
  }
  XXH128_canonicalFromHash (&canonical, XXH3_128bits_digest (r->state));
  memcpy (ret, canonical.digest, OSM_DIGEST_LEN);
  return 0;
}

static int
sha256_hex (const void *data, size_t len, char ret[65], struct osm_error *err)
{
  unsigned char md[32];
  unsigned md_len = 0;

  if (EVP_Digest (data, len, md, &md_len, EVP_sha256 (), NULL) != 1 || md_len != sizeof md)
    return osm_error_set (err, OSM_ERROR_BUG, 0, "SHA-256 failed");
  for (size_t i = 0; i < sizeof md; i++)
    snprintf (ret + 2 * i, 3, "%02x", md[i]);
  return 0;
}

int
osm_digest_run (const char *path, uint64_t size_bytes, const struct osm_digest_options *options,
                struct osm_manifest *ret, struct osm_error *err)
{
  OSM_MANIFEST (m);
  __attribute__ ((cleanup (reader_done))) struct reader r;
  unsigned char zero_digest[OSM_DIGEST_LEN];
  bool zero_known = false;
  uint64_t chunk;

  r.fd = -1;
  r.buf = NULL;
  r.zeros = NULL;
  r.state = NULL;
  if (osm_manifest_init (&m, size_bytes, options->chunk_bytes, err) == -1)
    return -1;
  chunk = m.chunk_bytes;
  if (options->ranges) {
    const struct osm_manifest *previous = options->previous;

    if (!previous || previous->size_bytes != size_bytes || previous->chunk_bytes != chunk ||
        previous->nr_chunks != m.nr_chunks)
      return osm_error_set (err, OSM_ERROR_BUG, 0, "the digests of before are of something else");
    if (m.nr_chunks > 0)
      memcpy (m.digests, previous->digests, m.nr_chunks * OSM_DIGEST_LEN);
  }
  if (reader_open (&r, path, size_bytes, options, err) == -1)
    return -1;
  r.bad = options->bad_blocks;

  r.free = options->free;
  for (uint64_t i = 0; i < m.nr_chunks; i++) {
    uint64_t offset = i * chunk;
    uint64_t n = size_bytes - offset < chunk ? size_bytes - offset : chunk;
    unsigned char *d = m.digests + i * OSM_DIGEST_LEN;
    bool hole;

    if (options->ranges && !osm_ranges_touch (options->ranges, offset, n))
      continue;
    hole = n == chunk && hole_length (&r, offset) >= n;
    if (options->cancel && atomic_load (options->cancel))
      return osm_error_set (err, OSM_ERROR_INTERRUPTED, 0, "digest of %s cancelled", path);
    if (hole && zero_known) {
      memcpy (d, zero_digest, sizeof zero_digest);
    }
    else {
      if (digest_chunk (&r, offset, n, d, err) == -1)
        return -1;
      if (hole) {
        memcpy (zero_digest, d, sizeof zero_digest);
        zero_known = true;
      }
    }
    if (options->done_bytes)
      atomic_store (options->done_bytes, offset + n);
    if (options->progress)
      options->progress (options->progress_data, offset + n);
  }
  if (sha256_hex (m.digests, m.nr_chunks * OSM_DIGEST_LEN, m.sha256, err) == -1)
    return -1;
  osm_manifest_done (ret);
  *ret = m;
  memset (&m, 0, sizeof m);
  return 0;
}
