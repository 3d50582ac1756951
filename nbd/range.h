/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A range of the volume that one worker copies: which bytes of each of its blocks are still missing.
 *
 *   osm_range_init (&r, offset, length, block_bytes);
 *   done += osm_range_finish (&r, offset, length, zero, bitmap, &zero_bytes);   in pieces, any order */

#ifndef OSM_NBD_RANGE_H
#define OSM_NBD_RANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "nbd/bitmap.h"

struct osm_range {
  uint64_t offset, length, block_bytes;
  uint64_t missing; /* bytes, all blocks together */
  struct osm_range_block {
    uint64_t missing, zero; /* bytes */
  } * blocks;
};

/* offset is the start of a block; length ends at one or at the end of the volume. */
void osm_range_init (struct osm_range *r, uint64_t offset, uint64_t length, uint64_t block_bytes);
void osm_range_done (struct osm_range *r);
/* A piece is at the destination; each piece once. Blocks that are now complete are set in the bitmap.
 * Returns their bytes; *ret_zero_bytes (added to): how many of these were zero. */
uint64_t osm_range_finish (struct osm_range *r, uint64_t offset, uint64_t length, bool zero,
                           struct osm_bitmap *bitmap, uint64_t *ret_zero_bytes);

#endif
