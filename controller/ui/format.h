/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The pure part of what the operator sees: text of a given width from numbers and names.
 *
 *   osm_rate_update (&rate, progress.done_bytes, osm_now_ms ());
 *   char *line = osm_format_bar (&progress, osm_rate_get (&rate), terminal_width, true);
 */

#ifndef OSM_CONTROLLER_UI_FORMAT_H
#define OSM_CONTROLLER_UI_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/ui/ui.h"

/* Columns that UTF-8 text takes on a terminal: combining marks none, East Asian wide characters and emoji two. A byte that is not UTF-8
 * counts one. Does not depend on the locale. */
size_t osm_display_width (const char *s);
/* Quoted for the terminal, cut to at most width columns (the last one is then "~"). Caller frees. */
char *osm_display_fit (const char *s, size_t width);

/* Bytes per second over about the last five seconds. */
struct osm_rate {
  uint64_t bytes, at_ms;
  double per_second;
  bool started, known;
};
/* A count that went back (another phase) starts anew. */
void osm_rate_update (struct osm_rate *rate, uint64_t bytes, uint64_t now_ms);
/* 0 while unknown. */
uint64_t osm_rate_get (const struct osm_rate *rate);
/* Milliseconds left; -1: unknown. */
int64_t osm_rate_eta_ms (uint64_t size_bytes, uint64_t done_bytes, uint64_t bytes_per_second);

/* 0 to 100; 100 only when all is done, also of nothing. */
unsigned osm_percent (uint64_t done_bytes, uint64_t size_bytes);
/* One line without newline that takes at most width columns: what does not fit is left out from the least important on.
 * Caller frees. */
char *osm_format_bar (const struct osm_ui_progress *p, uint64_t bytes_per_second, size_t width,
                      bool colour);
/* The same for a log: "volume 'data': copy 42%, 1.2 GiB of 3.0 GiB, 120.0 MiB/s, 15s left". Caller frees. */
char *osm_format_progress (const struct osm_ui_progress *p, uint64_t bytes_per_second);
/* A table as osm_ui_table prints it. Caller frees. */
char *osm_format_table (const char *const *columns, const json_t *rows);

#endif
