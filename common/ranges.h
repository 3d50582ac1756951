/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A set of byte ranges of a volume: sorted, and neighbours are one.
 *
 *   OSM_RANGES (r);
 *   osm_ranges_from_json (params, size_bytes, max, &r, err);   [[offset, length], ...]
 *   osm_ranges_add (&r, offset, length);
 *   osm_ranges_coarsen (&r, max);                              joins the nearest until that many are left
 *   osm_ranges_to_json (&r)
 *
 * For short lists: what is added is inserted into an array. */

#ifndef OSM_COMMON_RANGES_H
#define OSM_COMMON_RANGES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct osm_ranges_item {
  uint64_t offset, length;
};

struct osm_ranges {
  struct osm_ranges_item *v;
  size_t nr, allocated;
};
#define OSM_RANGES(name) __attribute__ ((cleanup (osm_ranges_done))) struct osm_ranges name = { 0 }
void osm_ranges_done (struct osm_ranges *r);

/* Touching and overlapping ranges become one. Length 0 adds nothing; what is beyond 2^63 - 1 is cut off. */
void osm_ranges_add (struct osm_ranges *r, uint64_t offset, uint64_t length);
/* A range that is hit in its middle becomes two. */
void osm_ranges_remove (struct osm_ranges *r, uint64_t offset, uint64_t length);
/* Is any byte of it in the set? */
bool osm_ranges_touch (const struct osm_ranges *r, uint64_t offset, uint64_t length);
uint64_t osm_ranges_bytes (const struct osm_ranges *r);
/* Fills the smallest gaps until there are at most max (at least 1). */
void osm_ranges_coarsen (struct osm_ranges *r, size_t max);
json_t *osm_ranges_to_json (const struct osm_ranges *r);
/* USER error if it is not a list of at most max ranges within size_bytes. */
int osm_ranges_from_json (const json_t *list, uint64_t size_bytes, size_t max,
                          struct osm_ranges *ret, struct osm_error *err);
/* "4096 bytes at offset 1048576, 512 bytes at ... and 7 more"; caller frees. */
char *osm_ranges_text (const struct osm_ranges *r, size_t max);

#endif
