/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Which parts of a volume hold data and which read as zero.
 *
 *   OSM_EXTENTS (e);
 *   osm_extents_detect (fd, offset, length, &options, &e, err);     holes, then reading
 *   for (size_t i = 0; i < e.nr; i++) ... e.v[i].offset, .length, .zero
 *
 * The list is sorted and without gaps; neighbours of the same kind are one extent. */

#ifndef OSM_NBD_EXTENTS_H
#define OSM_NBD_EXTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define OSM_EXTENTS_MAX 1048576 /* extents in one list */

struct osm_extent {
  uint64_t offset, length;
  bool zero;
};

struct osm_extents {
  struct osm_extent *v;
  size_t nr, allocated;
};

#define OSM_EXTENTS(name) \
  __attribute__ ((cleanup (osm_extents_done))) struct osm_extents name = { 0 }
void osm_extents_done (struct osm_extents *e);
void osm_extents_clear (struct osm_extents *e);
/* offset must be where the last one ends (any for the first); length 0 adds nothing. */
int osm_extents_add (struct osm_extents *e, uint64_t offset, uint64_t length, bool zero,
                     struct osm_error *err);
/* End of the last extent, or 0. */
uint64_t osm_extents_end (const struct osm_extents *e);

/* All bytes zero? */
bool osm_is_zero (const void *buf, size_t len);
/* Add what buf, read from offset, shows; a zero extent is made of whole blocks of the volume
 * (a short block at the end of buf counts). */
int osm_extents_scan (struct osm_extents *e, const void *buf, size_t len, uint64_t offset,
                      size_t block_bytes, struct osm_error *err);

/* What the last look for a hole found: file systems that keep no list of them (tmpfs) search all of the data for one. */
struct osm_extents_memo {
  uint64_t data_from, data_to;
};

struct osm_extents_options {
  uint64_t max_read_bytes; /* read at most so much; what follows is not reported. 0: do not read */
  size_t block_bytes;      /* granularity of zero detection by reading; a power of two */
  struct osm_extents_memo *memo; /* kept from call to call for the same file; may be NULL */
};
/* Extents of a file or block device from offset on: holes by SEEK_HOLE where supported, the rest by
 * reading. Reports at least one extent (if length > 0), perhaps less than asked. */
int osm_extents_detect (int fd, uint64_t offset, uint64_t length,
                        const struct osm_extents_options *options, struct osm_extents *e,
                        struct osm_error *err);

#endif
