/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Whether the connections of a copy are to be compressed; decided while it runs, from what passes.
 *
 *   struct osm_compression *c = osm_compression_new (OSM_COMPRESSION_AUTO);
 *   compressed = osm_compression_wanted (c);                a connection is about to be made
 *   osm_compression_opened (c, compressed);                 ... and was; osm_compression_closed
 *   osm_compression_passed (c, compressed, wire, buf, n);   a tunnel got n plain bytes out of `wire`
 *   if (osm_compression_stale (c, compressed))              reconnect when nothing is under way
 *
 * The rule of `auto` (osm_compression_decide):
 *
 *   A copy begins plain. Ten times a second a piece of what arrives is compressed on trial, which
 *   tells the ratio and how fast a core does it. Twice a second: if the ratio is below 0.8 and the
 *   bytes arrive more slowly than one core compresses (half as fast, if not half a core of this
 *   machine is idle: it may be the processor that is slow, not the link), then the connections are
 *   made anew compressed, at most half of them at a time. When all are, the next window is
 *   compared: if the data does not arrive at least a tenth faster than before, back to plain, and
 *   the next trial not before 15 s, then 30 s and so on up to 5 minutes. While compressed, a window
 *   whose ratio is above 0.9 leads back to plain, too. */

#ifndef OSM_NBD_COMPRESSION_H
#define OSM_NBD_COMPRESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

enum osm_compression_mode { OSM_COMPRESSION_AUTO, OSM_COMPRESSION_ON, OSM_COMPRESSION_OFF };
/* "auto" (also NULL), "on", "off". USER. */
int osm_compression_parse (const char *text, enum osm_compression_mode *ret, struct osm_error *err);

struct osm_compression;
struct osm_compression *osm_compression_new (enum osm_compression_mode mode);
void osm_compression_free (struct osm_compression *c);

static inline void
osm_cleanup_compression (struct osm_compression **c)
{
  osm_compression_free (*c);
}
#define OSM_CLEANUP_COMPRESSION __attribute__ ((cleanup (osm_cleanup_compression)))

/* These take NULL as `off`, and may be called by any thread. */
bool osm_compression_wanted (const struct osm_compression *c);
void osm_compression_opened (struct osm_compression *c, bool compressed);
void osm_compression_closed (struct osm_compression *c, bool compressed);
/* The source has no compressed twin. True: carry on plain; false: it was demanded. */
bool osm_compression_refused (struct osm_compression *c);
/* True for at most half of the connections at a time, at least one. */
bool osm_compression_stale (struct osm_compression *c, bool compressed);
void osm_compression_passed (struct osm_compression *c, bool compressed, size_t wire_bytes,
                             const char *plain, size_t plain_bytes);
/* Bytes that came out of SSH so far, compressed or not. */
uint64_t osm_compression_wire_bytes (const struct osm_compression *c);

/* ---- the rule by itself ---- */

enum osm_compression_state { OSM_COMPRESSION_PLAIN, OSM_COMPRESSION_TRIAL, OSM_COMPRESSION_KEPT };
struct osm_compression_rule {
  enum osm_compression_state state;
  uint64_t plain_rate;         /* bytes per second, the best of the last windows */
  uint64_t last_rates[3];      /* of plain windows */
  uint64_t retry_ms, pause_ms; /* no trial before; the last pause */
  uint64_t trial_until_ms;     /* all connections must be compressed by then */
};
/* What was seen since the last one, in one state. */
struct osm_compression_window {
  uint64_t now_ms, ms;
  uint64_t data_bytes, wire_bytes;
  bool switched;        /* all connections are as the state wants them */
  double sample_ratio;  /* of the trial pieces; 0: there was none */
  uint64_t sample_rate; /* bytes per second of one core */
  double idle_cores;
};
/* True if the state changed. */
bool osm_compression_decide (struct osm_compression_rule *rule,
                             const struct osm_compression_window *window);

#endif
