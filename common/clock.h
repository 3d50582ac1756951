/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Time: monotonic for measuring, wall for records; waiting that an interrupt ends. */

#ifndef OSM_COMMON_CLOCK_H
#define OSM_COMMON_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

uint64_t osm_now_ms (void); /* CLOCK_MONOTONIC */
uint64_t osm_now_us (void); /* the same, microseconds */
int64_t osm_wall_ms (void); /* CLOCK_REALTIME, since 1970 */
/* "2026-11-21T05:12:05Z" */
#define OSM_TIME_LEN 24
const char *osm_time_text (int64_t wall_ms, char buf[OSM_TIME_LEN]);

/* The operator's wish to stop, set by a signal handler installed with osm_interrupt_init: by SIGINT and SIGTERM, of which
 * the second kills at once, and by SIGHUP.  All waiting goes through osm_wait_ms and all long loops
 * ask osm_interrupt_check. */
void osm_interrupt_init (void);
/* SIGHUP, the end of the terminal, is no such wish. After osm_interrupt_init, which leaves a SIGHUP alone that was ignored from
 * the start (nohup(1)). */
void osm_hangup_ignore (void);
bool osm_interrupted (void);
void osm_interrupt_set (void); /* as the signal would (also for tests) */
void osm_interrupt_clear (void);
/* -1 with class INTERRUPTED if so. */
int osm_interrupt_check (struct osm_error *err);
/* Wait; ends early (-1, class INTERRUPTED) when interrupted. */
int osm_wait_ms (uint64_t ms, struct osm_error *err);
/* While > 0 (counted), interrupts are noted but osm_wait_ms and osm_interrupt_check do not report
 * them: for undo steps that must run to their end. Per thread; osm_parallel hands it to its tasks. */
void osm_interrupt_hold (void);
void osm_interrupt_release (void);
bool osm_interrupt_held (void);
/* For a poll of one's own: readable while interrupted, -1 (which poll ignores) while the calling
 * thread holds interrupts.  Never read from it. */
int osm_interrupt_fd (void);

/* Back-off for polling: first, first*1.5, ... up to max. */
struct osm_backoff {
  uint64_t next_ms, max_ms;
};
#define OSM_BACKOFF_POLL ((struct osm_backoff){ .next_ms = 300, .max_ms = 5000 })
int osm_backoff_wait (struct osm_backoff *b, struct osm_error *err);

#endif
