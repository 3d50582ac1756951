/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Which ranges of a volume no file system uses: their content need not be copied, and reads as zero
 * for everybody once the map is there (docs/ARCHITECTURE.md, "Free space").
 *
 *   OSM_FREEMAP (m);
 *   osm_freemap_init (&m, size_bytes);
 *   osm_freemap_add (&m, offset, length, err);          ascending
 *   osm_freemap_subtract (&m, bits, granule);           what must be kept after all
 *   osm_freemap_save (&m, path, err);                   atomically
 *
 *   osm_freemap_load (path, size_bytes, &m, err);       everything in it is checked
 *   length = osm_freemap_at (&m, offset, &next);        free bytes from offset on
 *   osm_freemap_mask (&m, buf, len, offset);            what was read, with zeros where it is free */

#ifndef OSM_NBD_FREEMAP_H
#define OSM_NBD_FREEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define OSM_FREEMAP_MAX 1048576   /* ranges in a file */
#define OSM_FREEMAP_EXPORT "free" /* name of the export whose extents are the map alone */

struct osm_free_range {
  uint64_t offset, length;
};

struct osm_freemap {
  uint64_t size_bytes; /* of the volume */
  uint64_t free_bytes;
  size_t nr, allocated;
  struct osm_free_range *v; /* ascending, with something between them */
};

#define OSM_FREEMAP(name) \
  __attribute__ ((cleanup (osm_freemap_done))) struct osm_freemap name = { 0 }
void osm_freemap_init (struct osm_freemap *m, uint64_t size_bytes);
void osm_freemap_done (struct osm_freemap *m);

/* Not before the end of the last one; within the volume. */
int osm_freemap_add (struct osm_freemap *m, uint64_t offset, uint64_t length,
                     struct osm_error *err);
/* The whole pages of [from, to), if these are enough to be worth a range. False: it would be the one too many, or is not in
 * order. */
bool osm_freemap_add_pages (struct osm_freemap *m, uint64_t from, uint64_t to);
/* What is in a or in b, into the empty m. */
int osm_freemap_union (struct osm_freemap *m, const struct osm_freemap *a,
                       const struct osm_freemap *b, struct osm_error *err);
/* Takes away the granules of the volume whose bit is set (bit n%8 of byte n/8); whole granules
 * remain, and the end of the volume. `bits` has one bit for each granule. */
void osm_freemap_subtract (struct osm_freemap *m, const unsigned char *bits, uint64_t granule);
/* Leaves the smallest ranges out until there are at most max. */
void osm_freemap_limit (struct osm_freemap *m, size_t max);
/* Free bytes in [offset, offset + length). */
uint64_t osm_freemap_count (const struct osm_freemap *m, uint64_t offset, uint64_t length);

/* Free bytes from offset on, 0 if it is in use; then *ret_next is where the next free range begins
 * (or the volume ends). */
uint64_t osm_freemap_at (const struct osm_freemap *m, uint64_t offset, uint64_t *ret_next);
void osm_freemap_mask (const struct osm_freemap *m, void *buf, size_t len, uint64_t offset);

/* The content of such a file. Caller frees. */
void *osm_freemap_encode (const struct osm_freemap *m, size_t *ret_len);
int osm_freemap_save (const struct osm_freemap *m, const char *path, struct osm_error *err);
/* ENOENT in err->code if there is none. */
int osm_freemap_load (const char *path, uint64_t size_bytes, struct osm_freemap *ret,
                      struct osm_error *err);

#endif
