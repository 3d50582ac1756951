/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Which ranges of a volume are finished: what a copy needs to carry on where it was.
 *
 *   osm_bitmap_load (path, size_bytes, &b, err)   or   osm_bitmap_new (size_bytes, 0, &b, err);
 *   osm_bitmap_set (b, offset, length);
 *   osm_bitmap_save (b, path, err);               after the data is on the disk
 *
 * One bit per block; any thread may call anything but free. */

#ifndef OSM_NBD_BITMAP_H
#define OSM_NBD_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

#define OSM_BITMAP_BLOCK 1048576 /* bytes per bit, doubled for volumes of more blocks than */
#define OSM_BITMAP_BLOCKS_MAX (64u << 20) /* this: the file has at most 8 MiB and a header */

struct osm_bitmap;

/* block_bytes: a power of two from 4096 on, or 0 for the default. */
int osm_bitmap_new (uint64_t size_bytes, uint64_t block_bytes, struct osm_bitmap **ret,
                    struct osm_error *err);
void osm_bitmap_free (struct osm_bitmap *b);
struct osm_bitmap *osm_bitmap_copy (const struct osm_bitmap *b);

uint64_t osm_bitmap_size (const struct osm_bitmap *b);
uint64_t osm_bitmap_block (const struct osm_bitmap *b);
/* Sets the bits of all blocks that lie wholly in the range (the last block of the volume may be
 * short). */
void osm_bitmap_set (struct osm_bitmap *b, uint64_t offset, uint64_t length);
void osm_bitmap_clear (struct osm_bitmap *b, uint64_t offset,
                       uint64_t length); /* all blocks touched */
/* Is the block that holds this byte finished? */
bool osm_bitmap_get (const struct osm_bitmap *b, uint64_t offset);
/* First range at or after offset whose blocks are all set (or all clear); false if there is none.
 */
bool osm_bitmap_next (const struct osm_bitmap *b, uint64_t offset, bool set, uint64_t *ret_offset,
                      uint64_t *ret_length);
/* Bytes of the volume in finished blocks. */
uint64_t osm_bitmap_done_bytes (const struct osm_bitmap *b);

/* The file carries size, block size and a checksum. Saving is atomic. */
int osm_bitmap_save (const struct osm_bitmap *b, const char *path, struct osm_error *err);
/* A file that is absent, damaged or of another volume size is an error (USER): start anew then. */
int osm_bitmap_load (const char *path, uint64_t size_bytes, struct osm_bitmap **ret,
                     struct osm_error *err);

static inline void
osm_cleanup_bitmap (struct osm_bitmap **b)
{
  osm_bitmap_free (*b);
}
#define OSM_CLEANUP_BITMAP __attribute__ ((cleanup (osm_cleanup_bitmap)))

#endif
