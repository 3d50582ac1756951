/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/ui/ui.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/ui/format.h"

#define MAX_BARS 256
#define REDRAW_MS 200
#define PLAIN_MS 10000
#define JSON_MS 1000

struct bar {
  struct osm_ui_progress progress; /* name and phase are ours */
  struct osm_rate rate;
  uint64_t shown_ms; /* plain and JSON: when this one was last printed */
  bool used, shown;
};

struct osm_ui {
  enum osm_ui_mode mode; /* resolved: never OSM_UI_AUTO */
  bool colour;
  bool log_on_terminal; /* stderr is a terminal too, so that log lines would hit the bars */
  uint64_t started_ms, drawn_ms;
  pthread_mutex_t lock;
  struct bar bars[MAX_BARS];
  unsigned nr_bars;
  size_t *drawn_widths; /* of the lines that are on the screen below the log */
  size_t nr_drawn;
};

/* ---- the terminal ---- */

static void
terminal_size (size_t *ret_columns, size_t *ret_rows)
{
  struct winsize size = { 0 };

  if (ioctl (STDOUT_FILENO, TIOCGWINSZ, &size) == -1)
    size.ws_col = 0;
  *ret_columns = size.ws_col > 0 ? size.ws_col : 80;
  *ret_rows = size.ws_row > 0 ? size.ws_row : 24;
}

/* Away with the bars, cursor where the first one was. The terminal may have become narrower since: then they wrap. */
static void
erase (struct osm_ui *ui, struct osm_strbuf *out)
{
  size_t columns, rows, up = 0;

  if (ui->nr_drawn == 0)
    return;
  terminal_size (&columns, &rows);
  for (size_t i = 0; i < ui->nr_drawn; i++)
    up += ui->drawn_widths[i] > columns ? (ui->drawn_widths[i] + columns - 1) / columns : 1;
  osm_strbuf_addf (out, "\r\033[%zuA\033[J", up);
  ui->nr_drawn = 0;
}

static bool
is_done (const struct bar *bar)
{
  return osm_str_equal (bar->progress.phase, "done");
}

static void
draw_line (struct osm_ui *ui, struct osm_strbuf *out, const char *line, size_t width)
{
  ui->drawn_widths = osm_realloc (ui->drawn_widths, ui->nr_drawn + 1, sizeof *ui->drawn_widths);
  ui->drawn_widths[ui->nr_drawn++] = width;
  osm_strbuf_addf (out, "%s\n", line);
}

/* All bars if they fit on the screen, else first those that still move. */
static void
draw (struct osm_ui *ui, struct osm_strbuf *out)
{
  size_t columns, rows, room, total = 0, drawn = 0;

  terminal_size (&columns, &rows);
  for (unsigned i = 0; i < ui->nr_bars; i++)
    total += ui->bars[i].used;
  room = total < rows ? total : rows > 2 ? rows - 2 : 1;
  for (unsigned i = 0; i < ui->nr_bars && drawn < room; i++) {
    const struct bar *bar = &ui->bars[i];
    OSM_CLEANUP_FREE char *line = NULL, *bare = NULL;
    uint64_t rate = osm_rate_get (&bar->rate);

    if (!bar->used || (total > room && is_done (bar)))
      continue;
    if (rate == 0)
      rate = bar->progress.bytes_per_second;
    line = osm_format_bar (&bar->progress, rate, columns - 1, ui->colour);
    bare = osm_format_bar (&bar->progress, rate, columns - 1, false);
    draw_line (ui, out, line, osm_display_width (bare));
    drawn++;
  }
  if (drawn < total) {
    OSM_CLEANUP_FREE char *line = osm_asprintf ("(%zu more)", total - drawn);

    draw_line (ui, out, line, strlen (line));
  }
  ui->drawn_ms = osm_now_ms ();
}

/* A reader that went away is found out when the command ends. */
static void
put (const struct osm_strbuf *out)
{
  if (out->len == 0)
    return;
  fwrite (out->s, 1, out->len, stdout);
  fflush (stdout);
}

/* Whole lines above the bars. */
static void
put_above (struct osm_ui *ui, const char *lines)
{
  OSM_STRBUF (out);
  bool bars = ui->nr_drawn > 0;

  erase (ui, &out);
  osm_strbuf_add (&out, lines);
  if (bars)
    draw (ui, &out);
  put (&out);
}

static void
log_line (void *data, enum osm_log_level level, const char *line)
{
  struct osm_ui *ui = data;
  OSM_LOCKED (&ui->lock);
  const char *colour = level == OSM_LOG_ERROR     ? "\033[31m"
                       : level == OSM_LOG_WARNING ? "\033[33m"
                                                  : NULL;
  OSM_STRBUF (out);

  if (ui->nr_drawn > 0)
    erase (ui, &out);
  put (&out);
  if (colour && ui->colour)
    fprintf (stderr, "%s%s\033[0m\n", colour, line);
  else
    fprintf (stderr, "%s\n", line);
  fflush (stderr);
  osm_strbuf_clear (&out);
  if (ui->nr_bars > 0)
    draw (ui, &out);
  put (&out);
}

/* ---- life ---- */

static bool
wants_colour (void)
{
  const char *no_color = getenv ("NO_COLOR"); /* https://no-color.org */

  return no_color == NULL || *no_color == '\0';
}

static enum osm_ui_mode
resolve (enum osm_ui_mode mode)
{
  const char *term = getenv ("TERM");

  if (mode != OSM_UI_AUTO)
    return mode;
  return isatty (STDOUT_FILENO) && term && *term && strcmp (term, "dumb") != 0 ? OSM_UI_BARS
                                                                               : OSM_UI_PLAIN;
}

struct osm_ui *
osm_ui_new (enum osm_ui_mode mode)
{
  struct osm_ui *ui = osm_calloc (1, sizeof *ui);

  ui->mode = resolve (mode);
  ui->colour = ui->mode == OSM_UI_BARS && wants_colour ();
  ui->log_on_terminal = ui->mode == OSM_UI_BARS && isatty (STDERR_FILENO);
  ui->started_ms = osm_now_ms ();
  pthread_mutex_init (&ui->lock, NULL);
  if (ui->log_on_terminal)
    osm_log_set_sink (log_line, ui);
  return ui;
}

/* Leave the bars as they stand now; what comes goes below them. */
static void
settle (struct osm_ui *ui)
{
  OSM_STRBUF (out);

  if (ui->mode == OSM_UI_BARS && ui->nr_bars > 0) {
    erase (ui, &out);
    draw (ui, &out);
    put (&out);
    ui->nr_drawn = 0;
  }
  for (unsigned i = 0; i < ui->nr_bars; i++) {
    free ((char *)ui->bars[i].progress.name);
    free ((char *)ui->bars[i].progress.phase);
    ui->bars[i] = (struct bar){ 0 };
  }
  ui->nr_bars = 0;
}

void
osm_ui_free (struct osm_ui *ui)
{
  if (!ui)
    return;
  if (ui->log_on_terminal)
    osm_log_set_sink (NULL, NULL);
  settle (ui);
  pthread_mutex_destroy (&ui->lock);
  free (ui->drawn_widths);
  free (ui);
}

int
osm_ui_mode_parse (const char *output, enum osm_ui_mode *ret, struct osm_error *err)
{
  if (output == NULL || strcmp (output, "text") == 0)
    *ret = OSM_UI_AUTO;
  else if (strcmp (output, "json") == 0)
    *ret = OSM_UI_JSON;
  else
    return osm_error_set (err, OSM_ERROR_USER, 0, "--output must be text or json, not '%s'",
                          output);
  return 0;
}

enum osm_ui_mode
osm_ui_get_mode (const struct osm_ui *ui)
{
  return ui->mode;
}

/* ---- what happens ---- */

static void
put_json (const json_t *object)
{
  OSM_CLEANUP_FREE char *text = osm_json_dump (object);

  printf ("%s\n", text);
  fflush (stdout);
}

/* Each line of text quoted, with a newline. */
static char *
quote_lines (const char *text)
{
  OSM_STRBUF (b);

  for (const char *p = text; *p;) {
    size_t len = strcspn (p, "\n");
    OSM_CLEANUP_FREE char *line = osm_strndup (p, len);
    OSM_CLEANUP_FREE char *quoted = osm_quote_terminal (line);

    osm_strbuf_addf (&b, "%s\n", quoted);
    p += len + (p[len] == '\n');
  }
  return osm_strbuf_take (&b);
}

static bool
all_done (const struct osm_ui *ui)
{
  for (unsigned i = 0; i < ui->nr_bars; i++)
    if (ui->bars[i].used && !is_done (&ui->bars[i]))
      return false;
  return true;
}

void
osm_ui_step (struct osm_ui *ui, const char *format, ...)
{
  OSM_CLEANUP_FREE char *text = NULL;
  double seconds = (double)(osm_now_ms () - ui->started_ms) / 1000;
  va_list args;
  OSM_LOCKED (&ui->lock);

  va_start (args, format);
  text = osm_vasprintf (format, args);
  va_end (args);
  if (ui->mode == OSM_UI_JSON) {
    OSM_CLEANUP_FREE char *quoted = osm_quote_terminal (text);
    OSM_CLEANUP_JSON json_t *event = osm_json_pack ("{s:s, s:s, s:f}", "event", "step", "text",
                                                    quoted, "elapsed_seconds", seconds);

    put_json (event);
  }
  else {
    OSM_CLEANUP_FREE char *quoted = osm_quote_terminal (text);
    OSM_CLEANUP_FREE char *line = osm_asprintf ("[%7.1fs] %s\n", seconds, quoted);

    if (ui->nr_bars > 0 && all_done (ui))
      settle (ui);
    put_above (ui, line);
  }
}

static void
put_progress_json (unsigned index, const struct osm_ui_progress *p, uint64_t rate)
{
  int64_t eta_ms = osm_rate_eta_ms (p->size_bytes, p->done_bytes, rate);
  OSM_CLEANUP_FREE char *name = osm_quote_terminal (p->name);
  OSM_CLEANUP_JSON json_t *event = osm_json_pack (
      "{s:s, s:i, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "event", "progress", "index", (int)index,
      "name", name, "phase", p->phase, "size_bytes", (json_int_t)p->size_bytes, "done_bytes",
      (json_int_t)p->done_bytes, "sent_bytes", (json_int_t)p->sent_bytes, "zero_bytes",
      (json_int_t)p->zero_bytes, "bytes_per_second", (json_int_t)rate);

  if (eta_ms >= 0)
    json_object_set_new (event, "eta_seconds", json_real ((double)eta_ms / 1000));
  put_json (event);
}

/* Copies it; true if the phase is another one. */
static bool
remember (struct bar *bar, const struct osm_ui_progress *p, uint64_t now)
{
  const char *phase = p->phase ? p->phase : "", *name = p->name ? p->name : "";
  bool changed = !bar->used || !osm_str_equal (bar->progress.phase, phase);
  char *old_name = (char *)bar->progress.name, *old_phase = (char *)bar->progress.phase;

  if (changed)
    bar->rate = (struct osm_rate){ 0 };
  bar->progress = *p;
  bar->progress.name = osm_strdup (name);
  bar->progress.phase = osm_strdup (phase);
  bar->used = true;
  free (old_name);
  free (old_phase);
  osm_rate_update (&bar->rate, p->done_bytes, now);
  return changed;
}

void
osm_ui_bar (struct osm_ui *ui, unsigned index, const struct osm_ui_progress *progress)
{
  OSM_LOCKED (&ui->lock);
  uint64_t now = osm_now_ms (), rate;
  struct bar *bar;
  bool changed;

  if (index >= MAX_BARS)
    return;
  bar = &ui->bars[index];
  if (index >= ui->nr_bars)
    ui->nr_bars = index + 1;
  changed = remember (bar, progress, now);
  rate = osm_rate_get (&bar->rate);
  if (rate == 0)
    rate = progress->bytes_per_second;

  if (ui->mode == OSM_UI_BARS) {
    if (now - ui->drawn_ms >= REDRAW_MS || changed) {
      OSM_STRBUF (out);

      erase (ui, &out);
      draw (ui, &out);
      put (&out);
    }
    return;
  }
  if (bar->shown && !changed &&
      now - bar->shown_ms < (ui->mode == OSM_UI_JSON ? JSON_MS : PLAIN_MS))
    return;
  bar->shown = true;
  bar->shown_ms = now;
  if (ui->mode == OSM_UI_JSON)
    put_progress_json (index, &bar->progress, rate);
  else {
    OSM_CLEANUP_FREE char *line = osm_format_progress (&bar->progress, rate);

    printf ("[%7.1fs] %s\n", (double)(now - ui->started_ms) / 1000, line);
    fflush (stdout);
  }
}

void
osm_ui_event (struct osm_ui *ui, json_t *object, const char *text)
{
  OSM_CLEANUP_JSON json_t *owned = object;
  OSM_LOCKED (&ui->lock);

  if (ui->mode == OSM_UI_JSON) {
    if (owned)
      put_json (owned);
  }
  else if (text) {
    OSM_CLEANUP_FREE char *lines = quote_lines (text);

    if (ui->nr_bars > 0 && all_done (ui))
      settle (ui);
    put_above (ui, lines);
  }
}

void
osm_ui_table (const char *const *columns, const json_t *rows)
{
  OSM_CLEANUP_FREE char *text = osm_format_table (columns, rows);

  fputs (text, stdout);
}

void
osm_ui_json (const json_t *value)
{
  OSM_CLEANUP_FREE char *text = json_dumps (value, JSON_INDENT (2) | JSON_ENCODE_ANY);

  if (!text)
    osm_oom ();
  printf ("%s\n", text);
}
