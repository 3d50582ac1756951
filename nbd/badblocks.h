/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Places of the source that cannot be read, where the operator has said that they are to be zeros.
 *
 *   osm_bad_blocks_new (path, size_bytes, &b, err);     with what an earlier attempt found; path may be NULL
 *   osm_bad_blocks_add (b, offset, length, err);        any thread
 *   osm_bad_blocks_save (b, err);                       before the copy is said to be finished there
 *   osm_bad_blocks_to_json (b)                          [[offset, length], ...] */

#ifndef OSM_NBD_BADBLOCKS_H
#define OSM_NBD_BADBLOCKS_H

#include <jansson.h>
#include <stdint.h>

#include "common/error.h"

#define OSM_BAD_BLOCKS_MAX 1024 /* ranges; a disk with more needs another kind of rescue */
/* Unreadable pieces are looked for in steps of the first, in these in steps of the second. */
#define OSM_BAD_BLOCK_BYTES 4096
#define OSM_BAD_SECTOR_BYTES 512

struct osm_bad_blocks;
/* A file that is absent or damaged counts as empty. */
int osm_bad_blocks_new (const char *path, uint64_t size_bytes, struct osm_bad_blocks **ret,
                        struct osm_error *err);
void osm_bad_blocks_free (struct osm_bad_blocks *b);
/* REMOTE error when there are too many. */
int osm_bad_blocks_add (struct osm_bad_blocks *b, uint64_t offset, uint64_t length,
                        struct osm_error *err);
/* It will be read again. */
void osm_bad_blocks_remove (struct osm_bad_blocks *b, uint64_t offset, uint64_t length);
/* Durable when it returns; nothing is written if nothing has changed since. */
int osm_bad_blocks_save (struct osm_bad_blocks *b, struct osm_error *err);
json_t *osm_bad_blocks_to_json (struct osm_bad_blocks *b);

static inline void
osm_cleanup_bad_blocks (struct osm_bad_blocks **b)
{
  osm_bad_blocks_free (*b);
}
#define OSM_CLEANUP_BAD_BLOCKS __attribute__ ((cleanup (osm_cleanup_bad_blocks)))

#endif
