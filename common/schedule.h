/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A rate that depends on the time of the day and of the week. Pure, but for the time zone of the machine.
 *
 *   osm_window_parse ("mon-fri", "08:00", "18:00", 10 << 20, &windows[n++], err);
 *   rate = osm_rate_at (&schedule, time (NULL));
 *
 * Windows are of local time as clocks show it: an hour that a clock skips in spring has no part of a window, and one that it repeats in
 * autumn belongs to it twice. */

#ifndef OSM_COMMON_SCHEDULE_H
#define OSM_COMMON_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "common/error.h"

struct osm_window {
  unsigned days;                   /* bit n: it begins on that day; 0 is Sunday */
  unsigned from_minute, to_minute; /* of the day; to <= from: it ends on the next day */
  uint64_t bytes_per_second;       /* 0: no limit */
};

#define OSM_WINDOWS_MAX 64
struct osm_schedule {
  uint64_t bytes_per_second; /* outside of all windows; 0: no limit */
  struct osm_window windows[OSM_WINDOWS_MAX];
  size_t nr_windows;
};

/* days: "mon", "mon-fri", "sat,sun", NULL: all. Times "HH:MM"; to also "24:00". */
int osm_window_parse (const char *days, const char *from, const char *to, uint64_t bytes_per_second,
                      struct osm_window *ret, struct osm_error *err);
/* Of the first window that holds then. 0: no limit. */
uint64_t osm_rate_at (const struct osm_schedule *schedule, time_t when);

#endif
