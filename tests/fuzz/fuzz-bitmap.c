/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "nbd/bitmap.h"
#include "nbd/freemap.h"
#include "tests/fuzz/fuzz.h"

/* Files that an agent finds after a crash. Byte 0: whether the sum of a bitmap is put right first, so that the rest is looked at. */

static char path[64];
static int fd = -1;

static void
put_sum_right (uint8_t *data, size_t size)
{
  uint64_t words, sum;

  /* nbd/bitmap.c: magic, size, block, words, sum, then the words */
  if (size < 40)
    return;
  memcpy (data, "osmbitm1", 8);
  words = (size - 40) / 8;
  words = htole64 (words);
  memcpy (data + 24, &words, 8);
  sum = htole64 (XXH3_64bits_withSeed (data + 40, (size - 40) / 8 * 8, XXH3_64bits (data, 32)));
  memcpy (data + 32, &sum, 8);
}

static void
try_bitmap (uint64_t size_bytes)
{
  OSM_CLEANUP_BITMAP struct osm_bitmap *b = NULL;
  OSM_ERROR (err);
  uint64_t at = 0, offset, length, done = 0;

  if (osm_bitmap_load (path, size_bytes, &b, &err) == -1)
    return;
  ASSERT (osm_bitmap_size (b) == size_bytes);
  for (unsigned i = 0; i < 1000 && osm_bitmap_next (b, at, true, &offset, &length); i++) {
    ASSERT (offset >= at && length > 0 && length <= size_bytes - offset);
    ASSERT (osm_bitmap_get (b, offset));
    done += length;
    at = offset + length;
    ASSERT (i < 999);
  }
  ASSERT (done == osm_bitmap_done_bytes (b));
  osm_bitmap_set (b, 0, size_bytes);
  ASSERT (osm_bitmap_done_bytes (b) == size_bytes);
}

static void
try_freemap (uint64_t size_bytes)
{
  OSM_FREEMAP (m);
  OSM_ERROR (err);
  uint64_t end = 0, sum = 0;

  if (osm_freemap_load (path, size_bytes, &m, &err) == -1)
    return;
  for (size_t i = 0; i < m.nr; i++) {
    ASSERT (i == 0 || m.v[i].offset > end);
    ASSERT (m.v[i].length > 0 && m.v[i].offset <= size_bytes &&
            m.v[i].length <= size_bytes - m.v[i].offset);
    end = m.v[i].offset + m.v[i].length;
    sum += m.v[i].length;
  }
  ASSERT (sum == m.free_bytes);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  OSM_CLEANUP_FREE uint8_t *copy = NULL;
  uint64_t size_bytes = 0;
  OSM_ERROR (err);

  if (size < 1 || size > 4096)
    return 0;
  if (fd == -1) {
    fd = memfd_create ("bitmap", MFD_CLOEXEC);
    ASSERT (fd != -1);
    snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
  }
  copy = malloc (size);
  ASSERT (copy);
  memcpy (copy, data + 1, size - 1);
  if (data[0] & 1)
    put_sum_right (copy, size - 1);
  ASSERT (ftruncate (fd, 0) == 0);
  ASSERT (osm_pwrite_full (fd, copy, size - 1, 0, &err) == 0);
  if (size > 16)
    memcpy (&size_bytes, copy + 8, 8);
  size_bytes = le64toh (size_bytes);
  try_bitmap (size_bytes);
  try_freemap (size_bytes);
  return 0;
}
