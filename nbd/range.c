/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/range.h"

#include <assert.h>
#include <string.h>

#include "common/strbuf.h"

static uint64_t
min_u64 (uint64_t a, uint64_t b)
{
  return a < b ? a : b;
}

void
osm_range_init (struct osm_range *r, uint64_t offset, uint64_t length, uint64_t block_bytes)
{
  uint64_t nr = length / block_bytes + (length % block_bytes != 0);

  assert (offset % block_bytes == 0);
  *r = (struct osm_range){
    .offset = offset, .length = length, .block_bytes = block_bytes, .missing = length
  };
  r->blocks = osm_calloc (nr ? nr : 1, sizeof *r->blocks);
  for (uint64_t i = 0; i < nr; i++)
    r->blocks[i].missing = min_u64 (block_bytes, length - i * block_bytes);
}

void
osm_range_done (struct osm_range *r)
{
  free (r->blocks);
  memset (r, 0, sizeof *r);
}

uint64_t
osm_range_finish (struct osm_range *r, uint64_t offset, uint64_t length, bool zero,
                  struct osm_bitmap *bitmap, uint64_t *ret_zero_bytes)
{
  uint64_t completed = 0;

  assert (offset >= r->offset && length <= r->length && offset - r->offset <= r->length - length);
  while (length > 0) {
    uint64_t i = (offset - r->offset) / r->block_bytes;
    uint64_t start = r->offset + i * r->block_bytes;
    uint64_t size = min_u64 (r->block_bytes, r->offset + r->length - start);
    uint64_t n = min_u64 (length, start + size - offset);
    struct osm_range_block *b = &r->blocks[i];

    assert (n <= b->missing);
    b->missing -= n;
    r->missing -= n;
    if (zero)
      b->zero += n;
    if (b->missing == 0) {
      osm_bitmap_set (bitmap, start, size);
      completed += size;
      *ret_zero_bytes += b->zero;
    }
    offset += n;
    length -= n;
  }
  return completed;
}
