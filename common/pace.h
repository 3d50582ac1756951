/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* How fast something goes, and how long it will take. Pure: the caller has the clock.
 *
 *   osm_pace_update (&pace, sent_bytes, skipped_bytes, osm_now_ms ());        now and then
 *   struct osm_pace_left left = osm_pace_left (&counts);
 *   rate = osm_rate_get (&pace.rate);
 *   eta = osm_pace_eta_ms (&pace, &left, osm_now_ms ());
 *
 * Bytes that are sent and bytes that are skipped cost time of their own each, learnt while it runs. So the time left does not jump
 * when a disk that was full so far turns out to be empty from here on, or the other way round. */

#ifndef OSM_COMMON_PACE_H
#define OSM_COMMON_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes per second over about the last five seconds. All zero at the start. */
struct osm_rate {
  uint64_t bytes, at_ms;
  double per_second;
  bool started, known;
};
/* A count that went back (another phase) starts anew. */
void osm_rate_update (struct osm_rate *rate, uint64_t bytes, uint64_t now_ms);
/* 0 while unknown. */
uint64_t osm_rate_get (const struct osm_rate *rate);

/* What a copy says of itself (docs/PROTOCOL.md, job). */
struct osm_pace_counts {
  uint64_t size_bytes, done_bytes;
  uint64_t found_bytes;   /* data found so far, copied or not */
  uint64_t skipped_bytes; /* finished without being sent */
  uint64_t left_bytes;    /* data found and not yet copied */
  uint64_t unknown_bytes; /* neither finished nor looked at */
};
/* Bytes that will have to be sent, and that will be skipped. Of what is unknown so much is thought to be data as of what is known. */
struct osm_pace_left {
  uint64_t send_bytes, skip_bytes;
};
struct osm_pace_left osm_pace_left (const struct osm_pace_counts *counts);

/* Time that bytes took; the past counts the less the longer ago it is. */
struct osm_pace_cost {
  double ms, bytes;
};
/* All zero at the start. */
struct osm_pace {
  struct osm_rate rate; /* of what is sent */
  struct osm_pace_cost send, skip;
  uint64_t sent_bytes, skipped_bytes;
  uint64_t at_ms; /* of the last update that had something new */
  uint64_t observed_ms;
  bool started;
};
/* Counts that went back start anew. */
void osm_pace_update (struct osm_pace *pace, uint64_t sent_bytes, uint64_t skipped_bytes,
                      uint64_t now_ms);
/* Milliseconds left; -1: not known, as in the first second, or when nothing has moved for a while. */
int64_t osm_pace_eta_ms (const struct osm_pace *pace, const struct osm_pace_left *left,
                         uint64_t now_ms);

#endif
