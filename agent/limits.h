/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The limit of the whole host, and telling the copy workers what each may use.
 *
 *   osm_limits_load (&limits, err);
 *   osm_limits_set_host (limits, 10 << 20, err);       kept on disk
 *   osm_limits_share (limits, copies, n, osm_now_ms ());   whenever something changed, and now and then
 *
 * Only whom the division changes something for is told: a frame {"limit": {"bytes_per_second", "connections"}} to its stdin. */

#ifndef OSM_AGENT_LIMITS_H
#define OSM_AGENT_LIMITS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/child.h"
#include "common/error.h"

/* What one copy may use now. All zero at the start of its worker. */
struct osm_limit {
  uint64_t bytes_per_second; /* 0: no limit */
  unsigned connections;
  uint64_t told_bytes_per_second; /* what its worker knows */
  unsigned told_connections;      /* 0: it has not been told anything */
  uint64_t demand;                /* 0: not known, it may want all */
  uint64_t sent_bytes, at_ms;     /* when demand was last looked at */
  uint64_t started_ms;
};

/* A running copy. params: "group", "limit_bytes_per_second", "group_limit_bytes_per_second", each may be absent. */
struct osm_limited {
  const json_t *params;
  struct osm_child *child; /* pid 0: about to start, is told by its specification */
  uint64_t sent_bytes;
  struct osm_limit *limit;
};

struct osm_limits;
int osm_limits_load (struct osm_limits **ret, struct osm_error *err);
void osm_limits_free (struct osm_limits *limits);
uint64_t osm_limits_host (const struct osm_limits *limits); /* 0: none */
int osm_limits_set_host (struct osm_limits *limits, uint64_t bytes_per_second,
                         struct osm_error *err);
void osm_limits_share (const struct osm_limits *limits, const struct osm_limited *copies, size_t n,
                       uint64_t now_ms);
/* {"bytes_per_second", "connections"} for a specification. New reference. */
json_t *osm_limit_json (const struct osm_limit *limit);

#endif
