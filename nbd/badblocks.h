/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Places of the source that cannot be read, where the operator has said that they are to be zeros.
 *
 *   osm_bad_blocks_new (path, size_bytes, &b, err);     with what an earlier attempt found; path may be NULL
 *   osm_read_around (probe, data, b, buf, offset, length, err);   what could not be read: any thread
 *   osm_bad_blocks_save (b, err);                       before the copy is said to be finished there
 *   osm_bad_blocks_to_json (b)                          [[offset, length], ...] */

#ifndef OSM_NBD_BADBLOCKS_H
#define OSM_NBD_BADBLOCKS_H

#include <jansson.h>
#include <stdint.h>

#include "common/error.h"

#define OSM_BAD_BLOCKS_MAX 1024 /* ranges; a disk with more needs another kind of rescue */

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

/* Reads once more. 0: it can be read; an errno: it cannot; -1 with err: neither can be said. */
typedef int (*osm_probe_fn) (void *data, void *buf, size_t length, uint64_t offset,
                             struct osm_error *err);
/* The first place of a piece that could not be read, narrowed down for the message. */
int osm_find_bad (osm_probe_fn probe, void *data, uint64_t *offset, size_t *length,
                  struct osm_error *err);
/* Reads a piece that could not be read in smaller pieces, at last in sectors; what cannot be read is added to b, and zeros in buf. */
int osm_read_around (osm_probe_fn probe, void *data, struct osm_bad_blocks *b, void *buf,
                     uint64_t offset, size_t length, struct osm_error *err);

static inline void
osm_cleanup_bad_blocks (struct osm_bad_blocks **b)
{
  osm_bad_blocks_free (*b);
}
#define OSM_CLEANUP_BAD_BLOCKS __attribute__ ((cleanup (osm_cleanup_bad_blocks)))

#endif
