/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The server's note of what was read: one bit for each granule of the volume, bit n%8 of byte n/8. */

#ifndef OSM_NBD_READS_H
#define OSM_NBD_READS_H

#include <stddef.h>
#include <stdint.h>

#define OSM_READS_GRANULE 65536 /* qcow2's cluster */

/* Bytes of the file, at least one. */
static inline size_t
osm_reads_len (uint64_t size_bytes)
{
  return (size_t)(size_bytes / OSM_READS_GRANULE / 8 + 1);
}

#endif
