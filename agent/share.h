/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* How the copies of one host share what it may use: bytes per second, connections, memory. Pure.
 *
 *   struct osm_share v[] = { { .limit = 1 << 20, .demand = UINT64_MAX }, { .demand = UINT64_MAX } };
 *   osm_share_rates (v, 2, host_limit);
 *   ... v[i].rate
 */

#ifndef OSM_AGENT_SHARE_H
#define OSM_AGENT_SHARE_H

#include <stddef.h>
#include <stdint.h>

/* Of all copies together; each has one connection at least. */
#define OSM_SHARE_CONNECTIONS 8
#define OSM_SHARE_MEMORY (UINT64_C (256) << 20)
/* Of one copy at most. */
#define OSM_SHARE_MEMORY_ONE (UINT64_C (64) << 20)

/* One copy. Limits in bytes per second, 0: none. */
struct osm_share {
  const char *group; /* copies of one migration, or NULL */
  uint64_t limit;
  uint64_t group_limit; /* of all copies of the group together; the lowest that one of them has */
  uint64_t demand;      /* it does not use more than that; UINT64_MAX: all that it gets */
  uint64_t rate;        /* the result; 0: no limit */
};

/* What is limited is divided evenly; what one does not use or may not use goes to the others. Never in sum more than a limit (but each
 * gets one byte per second). */
void osm_share_rates (struct osm_share *v, size_t n, uint64_t host_limit);
/* For each of n copies. */
unsigned osm_share_connections (size_t n);
uint64_t osm_share_memory (size_t n);

#endif
