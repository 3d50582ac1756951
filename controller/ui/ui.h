/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What the operator sees: progress while something runs, tables and JSON at the end.
 *
 *   struct osm_ui *ui = osm_ui_new (OSM_UI_AUTO);          bars on a terminal, plain lines otherwise, JSON lines when asked
 *   osm_ui_step (ui, "stop server web1");
 *   osm_ui_bar (ui, index, &progress);                      one line per volume
 *   osm_ui_done (ui) ...
 *
 * Text output goes to stdout, log lines to stderr; both pass through here while bars are drawn. Names from the clouds are quoted for
 * the terminal. In JSON mode each event is one object per line on stdout: {"event": "step"|"progress"|"total"|"finding"|"result", ...}. */

#ifndef OSM_CONTROLLER_UI_H
#define OSM_CONTROLLER_UI_H

#include <jansson.h>
#include <stdint.h>

#include "common/error.h"

enum osm_ui_mode { OSM_UI_AUTO, OSM_UI_PLAIN, OSM_UI_BARS, OSM_UI_JSON };

struct osm_ui_progress {
  const char *name;  /* volume name or id; NULL: all volumes together */
  const char *phase; /* "copy", "verify", "done" */
  uint64_t size_bytes, done_bytes, sent_bytes;
  uint64_t zero_bytes; /* not sent */
  uint64_t
      free_bytes; /* that no file system uses, as far as is known; not sent, unless that was found out too late */
  uint64_t wire_bytes;    /* what sent_bytes took on the network */
  uint64_t found_bytes;   /* data found so far, copied or not */
  uint64_t left_bytes;    /* of these, not copied yet */
  uint64_t unknown_bytes; /* neither finished nor looked at */
};

struct osm_ui;
struct osm_ui *osm_ui_new (enum osm_ui_mode mode);
/* What was done is done, and in the journal: that standard output took not all of the story is no failure of the command. */
void osm_ui_forgive (struct osm_ui *ui);
void osm_ui_free (struct osm_ui *ui); /* clears bars, restores the log sink */
/* "text", "json" (or NULL) from --output. */
int osm_ui_mode_parse (const char *output, enum osm_ui_mode *ret, struct osm_error *err);
enum osm_ui_mode osm_ui_get_mode (const struct osm_ui *ui);
/* A sentence about what happens now, with the time since the start. Any thread. */
void osm_ui_step (struct osm_ui *ui, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));
/* Current state of bar `index`. Rate, ETA, the total of several bars and redraw frequency (plain: a line every 10 s and at the end) are the
 * UI's business. Bars are updated in turn, from 0 on. */
void osm_ui_bar (struct osm_ui *ui, unsigned index, const struct osm_ui_progress *progress);
/* The bars stay as they stand; what comes, such as a table, goes below them. */
void osm_ui_end_bars (struct osm_ui *ui);
/* An arbitrary event; in JSON mode the object is printed (stolen), in text mode `text` if not NULL. */
void osm_ui_event (struct osm_ui *ui, json_t *object, const char *text);

/* A table: columns are NULL-terminated titles, rows arrays of strings or numbers. Widths by display width, right-aligned numbers. */
void osm_ui_table (const char *const *columns, const json_t *rows);
/* Pretty-printed JSON document on stdout. */
void osm_ui_json (const json_t *value);

#endif
