/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/share.h"

#include "common/cleanup.h"
#include "common/strbuf.h"

#define NO_LIMIT UINT64_MAX

struct part {
  uint64_t cap, share;
};

static uint64_t
least (uint64_t a, uint64_t b)
{
  return a < b ? a : b;
}

/* Divides total evenly among parts that take at most their cap. Returns what nobody took. */
static uint64_t
fill (struct part *v, size_t n, uint64_t total)
{
  size_t open = 0;
  bool changed = true;

  for (size_t i = 0; i < n; i++) {
    v[i].share = NO_LIMIT; /* open */
    open++;
  }
  while (changed && open > 0) {
    uint64_t fair = total / open;

    changed = false;
    for (size_t i = 0; i < n; i++)
      if (v[i].share == NO_LIMIT && v[i].cap <= fair) {
        v[i].share = v[i].cap;
        total -= v[i].cap;
        open--;
        changed = true;
      }
  }
  for (size_t i = 0; open > 0 && i < n; i++)
    if (v[i].share == NO_LIMIT)
      v[i].share = total / open;
  return open > 0 ? 0 : total;
}

/* The members' limits become what they get of the total. */
static void
divide (struct osm_share **members, size_t n, uint64_t total)
{
  OSM_CLEANUP_FREE struct part *parts = osm_calloc (n, sizeof *parts);
  OSM_CLEANUP_FREE uint64_t *got = osm_calloc (n, sizeof *got);

  for (size_t i = 0; i < n; i++)
    parts[i].cap = least (members[i]->rate, members[i]->demand);
  total = fill (parts, n, total);
  for (size_t i = 0; i < n; i++) {
    got[i] = parts[i].share;
    parts[i].cap = members[i]->rate - got[i];
  }
  /* All have what they use; the rest is room to use more. */
  fill (parts, n, total);
  for (size_t i = 0; i < n; i++)
    members[i]->rate = got[i] + parts[i].share;
}

static void
divide_group (struct osm_share *v, size_t n, size_t first, struct osm_share **members)
{
  uint64_t limit = NO_LIMIT;
  size_t nr = 0;

  for (size_t i = 0; i < n; i++)
    if (osm_str_equal (v[i].group, v[first].group)) {
      if (i < first)
        return; /* done before */
      if (v[i].group_limit)
        limit = least (limit, v[i].group_limit);
      members[nr++] = &v[i];
    }
  if (limit != NO_LIMIT)
    divide (members, nr, limit);
}

void
osm_share_rates (struct osm_share *v, size_t n, uint64_t host_limit)
{
  OSM_CLEANUP_FREE struct osm_share **members = osm_calloc (n ? n : 1, sizeof *members);

  for (size_t i = 0; i < n; i++)
    v[i].rate = v[i].limit ? v[i].limit : NO_LIMIT;
  for (size_t i = 0; i < n; i++)
    if (v[i].group)
      divide_group (v, n, i, members);
  if (host_limit > 0 && n > 0) {
    for (size_t i = 0; i < n; i++)
      members[i] = &v[i];
    divide (members, n, host_limit);
  }
  for (size_t i = 0; i < n; i++) {
    if (v[i].rate == NO_LIMIT)
      v[i].rate = 0;
    else if (v[i].rate == 0)
      v[i].rate = 1;
  }
}

unsigned
osm_share_connections (size_t n)
{
  return n > 1 ? (unsigned)(OSM_SHARE_CONNECTIONS / n ? OSM_SHARE_CONNECTIONS / n : 1)
               : OSM_SHARE_CONNECTIONS;
}

uint64_t
osm_share_memory (size_t n)
{
  return least (OSM_SHARE_MEMORY / (n ? n : 1), OSM_SHARE_MEMORY_ONE);
}
