/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The pure part of what the operator sees: text of a given width from numbers and names.
 *
 *   char *line = osm_format_bar (&progress, bytes_per_second, eta_ms, terminal_width, true);
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

/* 0 to 100; 100 only when all is done, also of nothing. */
unsigned osm_percent (uint64_t done_bytes, uint64_t size_bytes);
/* One line without newline that takes at most width columns: what does not fit is left out from the least important on.
 * eta_ms -1: not known. Caller frees. */
char *osm_format_bar (const struct osm_ui_progress *p, uint64_t bytes_per_second, int64_t eta_ms,
                      size_t width, bool colour);
/* The same for a log: "volume 'data': copy 42%, 1.2 GiB of 3.0 GiB, 800.0 MiB sent, 400.0 MiB zero, 120.0 MiB/s, 15s left". Without a
 * name it is the total of all volumes. Caller frees. */
char *osm_format_progress (const struct osm_ui_progress *p, uint64_t bytes_per_second,
                           int64_t eta_ms);
/* A table as osm_ui_table prints it. Caller frees. */
char *osm_format_table (const char *const *columns, const json_t *rows);

#endif
