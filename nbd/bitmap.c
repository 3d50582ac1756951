/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/bitmap.h"

#include <endian.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <xxhash.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/strbuf.h"

struct osm_bitmap {
  pthread_mutex_t lock;
  uint64_t size_bytes, block_bytes;
  uint64_t nr_blocks, nr_words;
  uint64_t done_bytes;
  uint64_t *words;
};

/* File: this header, then the words; all numbers little-endian. */
struct header {
  char magic[8];
  uint64_t size_bytes, block_bytes, nr_words;
  uint64_t checksum; /* XXH3-64 of the words, seeded with that of the fields before */
};
#define MAGIC "osmbitm1"

int
osm_bitmap_new (uint64_t size_bytes, uint64_t block_bytes, struct osm_bitmap **ret,
                struct osm_error *err)
{
  struct osm_bitmap *b;
  uint64_t block = block_bytes ? block_bytes : OSM_BITMAP_BLOCK;
  uint64_t nr;

  if (size_bytes > INT64_MAX || block < 4096 || block > INT64_MAX || (block & (block - 1)))
    return osm_error_set (err, OSM_ERROR_BUG, 0,
                          "no bitmap of %" PRIu64 " bytes in blocks of %" PRIu64, size_bytes,
                          block);
  nr = size_bytes / block + (size_bytes % block != 0);
  while (nr > OSM_BITMAP_BLOCKS_MAX && block_bytes == 0) {
    block *= 2;
    nr = size_bytes / block + (size_bytes % block != 0);
  }
  if (nr > OSM_BITMAP_BLOCKS_MAX)
    return osm_error_set (err, OSM_ERROR_BUG, 0, "bitmap of %" PRIu64 " blocks is too large", nr);

  b = osm_calloc (1, sizeof *b);
  pthread_mutex_init (&b->lock, NULL);
  b->size_bytes = size_bytes;
  b->block_bytes = block;
  b->nr_blocks = nr;
  b->nr_words = (nr + 63) / 64;
  b->words = osm_calloc (b->nr_words ? b->nr_words : 1, sizeof *b->words);
  *ret = b;
  return 0;
}

void
osm_bitmap_free (struct osm_bitmap *b)
{
  if (!b)
    return;
  pthread_mutex_destroy (&b->lock);
  free (b->words);
  free (b);
}

struct osm_bitmap *
osm_bitmap_copy (const struct osm_bitmap *b)
{
  struct osm_bitmap *c = osm_calloc (1, sizeof *c);

  OSM_LOCKED ((pthread_mutex_t *)&b->lock);
  pthread_mutex_init (&c->lock, NULL);
  c->size_bytes = b->size_bytes;
  c->block_bytes = b->block_bytes;
  c->nr_blocks = b->nr_blocks;
  c->nr_words = b->nr_words;
  c->done_bytes = b->done_bytes;
  c->words = osm_calloc (b->nr_words ? b->nr_words : 1, sizeof *c->words);
  memcpy (c->words, b->words, b->nr_words * sizeof *c->words);
  return c;
}

uint64_t
osm_bitmap_size (const struct osm_bitmap *b)
{
  return b->size_bytes;
}

uint64_t
osm_bitmap_block (const struct osm_bitmap *b)
{
  return b->block_bytes;
}

static bool
get (const struct osm_bitmap *b, uint64_t block)
{
  return b->words[block / 64] >> (block % 64) & 1;
}

static uint64_t
bytes_of (const struct osm_bitmap *b, uint64_t block)
{
  uint64_t start = block * b->block_bytes;

  return b->size_bytes - start < b->block_bytes ? b->size_bytes - start : b->block_bytes;
}

static void
put (struct osm_bitmap *b, uint64_t block, bool set)
{
  if (get (b, block) == set)
    return;
  b->words[block / 64] ^= UINT64_C (1) << (block % 64);
  if (set)
    b->done_bytes += bytes_of (b, block);
  else
    b->done_bytes -= bytes_of (b, block);
}

/* End of the range, not beyond the volume. */
static uint64_t
range_end (const struct osm_bitmap *b, uint64_t offset, uint64_t length)
{
  if (offset >= b->size_bytes)
    return offset;
  return length < b->size_bytes - offset ? offset + length : b->size_bytes;
}

void
osm_bitmap_set (struct osm_bitmap *b, uint64_t offset, uint64_t length)
{
  uint64_t end = range_end (b, offset, length);
  uint64_t first = offset / b->block_bytes + (offset % b->block_bytes != 0);
  uint64_t last = end == b->size_bytes ? b->nr_blocks : end / b->block_bytes;

  OSM_LOCKED (&b->lock);
  for (uint64_t i = first; i < last; i++)
    put (b, i, true);
}

void
osm_bitmap_clear (struct osm_bitmap *b, uint64_t offset, uint64_t length)
{
  uint64_t end = range_end (b, offset, length);

  if (end <= offset)
    return;
  OSM_LOCKED (&b->lock);
  for (uint64_t i = offset / b->block_bytes; i <= (end - 1) / b->block_bytes; i++)
    put (b, i, false);
}

bool
osm_bitmap_get (const struct osm_bitmap *b, uint64_t offset)
{
  if (offset >= b->size_bytes)
    return false;
  OSM_LOCKED ((pthread_mutex_t *)&b->lock);
  return get (b, offset / b->block_bytes);
}

/* First block from `block` on that is set (or not); nr_blocks if there is none. Steps over uniform words. */
static uint64_t
find (const struct osm_bitmap *b, uint64_t block, bool set)
{
  while (block < b->nr_blocks) {
    uint64_t word = set ? b->words[block / 64] : ~b->words[block / 64];

    word &= ~UINT64_C (0) << (block % 64);
    if (word) {
      block = block / 64 * 64 + (uint64_t)__builtin_ctzll (word);
      return block < b->nr_blocks ? block : b->nr_blocks;
    }
    block = (block / 64 + 1) * 64;
  }
  return b->nr_blocks;
}

bool
osm_bitmap_next (const struct osm_bitmap *b, uint64_t offset, bool set, uint64_t *ret_offset,
                 uint64_t *ret_length)
{
  uint64_t first, last, start, end;

  if (offset >= b->size_bytes)
    return false;
  OSM_LOCKED ((pthread_mutex_t *)&b->lock);
  first = find (b, offset / b->block_bytes, set);
  if (first == b->nr_blocks)
    return false;
  last = find (b, first, !set);
  start = first * b->block_bytes;
  if (start < offset)
    start = offset;
  end = last == b->nr_blocks ? b->size_bytes : last * b->block_bytes;
  *ret_offset = start;
  *ret_length = end - start;
  return true;
}

uint64_t
osm_bitmap_done_bytes (const struct osm_bitmap *b)
{
  OSM_LOCKED ((pthread_mutex_t *)&b->lock);
  return b->done_bytes;
}

static uint64_t
checksum (const struct header *h, const void *words)
{
  uint64_t seed = XXH3_64bits (h, offsetof (struct header, checksum));

  return htole64 (XXH3_64bits_withSeed (words, le64toh (h->nr_words) * sizeof (uint64_t), seed));
}

int
osm_bitmap_save (const struct osm_bitmap *b, const char *path, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *data = NULL;
  struct header h = { .magic = MAGIC };
  size_t len = sizeof h + b->nr_words * sizeof *b->words;
  uint64_t *words;

  data = osm_calloc (1, len);
  words = (uint64_t *)(data + sizeof h);
  {
    OSM_LOCKED ((pthread_mutex_t *)&b->lock);
    for (uint64_t i = 0; i < b->nr_words; i++)
      words[i] = htole64 (b->words[i]);
  }
  h.size_bytes = htole64 (b->size_bytes);
  h.block_bytes = htole64 (b->block_bytes);
  h.nr_words = htole64 (b->nr_words);
  h.checksum = checksum (&h, words);
  memcpy (data, &h, sizeof h);
  return osm_file_write (path, data, len, 0600, err);
}

int
osm_bitmap_load (const char *path, uint64_t size_bytes, struct osm_bitmap **ret,
                 struct osm_error *err)
{
  OSM_CLEANUP_FREE char *data = NULL;
  OSM_CLEANUP_BITMAP struct osm_bitmap *b = NULL;
  OSM_ERROR (ignored);
  struct header h;
  size_t len;

  if (osm_file_read (path, sizeof h + OSM_BITMAP_BLOCKS_MAX / 8, &data, &len, err) == -1)
    return -1;
  if (len < sizeof h)
    goto damaged;
  memcpy (&h, data, sizeof h);
  if (memcmp (h.magic, MAGIC, sizeof h.magic) != 0)
    goto damaged;
  if (le64toh (h.size_bytes) != size_bytes)
    return osm_error_set (err, OSM_ERROR_USER, 0,
                          "bitmap %s is of a volume of %" PRIu64 " bytes, not %" PRIu64, path,
                          le64toh (h.size_bytes), size_bytes);
  if (osm_bitmap_new (size_bytes, le64toh (h.block_bytes), &b, &ignored) == -1 ||
      le64toh (h.nr_words) != b->nr_words || len != sizeof h + b->nr_words * sizeof *b->words ||
      checksum (&h, data + sizeof h) != h.checksum)
    goto damaged;
  for (uint64_t i = 0; i < b->nr_words; i++) {
    uint64_t word;

    memcpy (&word, data + sizeof h + i * sizeof word, sizeof word);
    b->words[i] = le64toh (word);
  }
  if (b->nr_blocks % 64 != 0 && b->words[b->nr_words - 1] >> (b->nr_blocks % 64) != 0)
    goto damaged;
  for (uint64_t i = 0; i < b->nr_blocks; i++)
    if (get (b, i))
      b->done_bytes += bytes_of (b, i);
  *ret = osm_take (b);
  return 0;

damaged:
  return osm_error_set (err, OSM_ERROR_USER, 0, "bitmap %s is damaged", path);
}
