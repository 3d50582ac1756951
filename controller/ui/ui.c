/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/ui/ui.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/pace.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/ui/format.h"

#define MAX_BARS 256
#define REDRAW_MS 200
#define PLAIN_MS 10000
#define JSON_MS 1000

struct bar {
  struct osm_ui_progress progress; /* name and phase are ours */
  struct osm_pace pace;
  struct osm_pace_left left;
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
  struct bar total;     /* of all bars; its name is NULL, its phase not ours */
  bool output_lost;     /* stdout did not take something */
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

static int64_t
eta_of (const struct bar *bar)
{
  return osm_pace_eta_ms (&bar->pace, &bar->left, osm_now_ms ());
}

static void
draw_bar (struct osm_ui *ui, struct osm_strbuf *out, const struct bar *bar, size_t columns)
{
  uint64_t rate = osm_rate_get (&bar->pace.rate);
  int64_t eta_ms = eta_of (bar);
  OSM_CLEANUP_FREE char *line = osm_format_bar (&bar->progress, rate, eta_ms, columns, ui->colour);
  OSM_CLEANUP_FREE char *bare = osm_format_bar (&bar->progress, rate, eta_ms, columns, false);

  draw_line (ui, out, line, osm_display_width (bare));
}

/* All bars if they fit on the screen, else first those that still move; then the total. */
static void
draw (struct osm_ui *ui, struct osm_strbuf *out)
{
  size_t columns, rows, room, total = 0, drawn = 0;

  terminal_size (&columns, &rows);
  for (unsigned i = 0; i < ui->nr_bars; i++)
    total += ui->bars[i].used;
  if (total > 1 && ui->total.used && rows > 3)
    rows--; /* for the line of the total */
  room = total < rows ? total : rows > 2 ? rows - 2 : 1;
  for (unsigned i = 0; i < ui->nr_bars && drawn < room; i++) {
    const struct bar *bar = &ui->bars[i];

    if (!bar->used || (total > room && is_done (bar)))
      continue;
    draw_bar (ui, out, bar, columns - 1);
    drawn++;
  }
  if (drawn < total) {
    OSM_CLEANUP_FREE char *line = osm_asprintf ("(%zu more)", total - drawn);

    draw_line (ui, out, line, strlen (line));
  }
  if (total > 1 && ui->total.used)
    draw_bar (ui, out, &ui->total, columns - 1);
  ui->drawn_ms = osm_now_ms ();
}

/* A reader that went away, a full disk or a closed terminal must not end what is being done. It is said once; osm_command_main
 * makes it the failure of the command, unless osm_ui_forgive. */
static void
flush (struct osm_ui *ui)
{
  if (fflush (stdout) == 0)
    return;
  /* Not once more with the next line. */
  __fpurge (stdout);
  /* On a terminal the log comes through us, and nobody sees it anyway. */
  if (!ui->output_lost && !ui->log_on_terminal)
    osm_warning ("cannot write to standard output: %s", strerror (errno));
  ui->output_lost = true;
}

void
osm_ui_forgive (struct osm_ui *ui)
{
  OSM_LOCKED (&ui->lock);

  clearerr (stdout);
}

static void
put (struct osm_ui *ui, const struct osm_strbuf *out)
{
  if (out->len == 0)
    return;
  fwrite (out->s, 1, out->len, stdout);
  flush (ui);
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
  put (ui, &out);
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
  put (ui, &out);
  if (colour && ui->colour)
    fprintf (stderr, "%s%s\033[0m\n", colour, line);
  else
    fprintf (stderr, "%s\n", line);
  fflush (stderr);
  osm_strbuf_clear (&out);
  if (ui->nr_bars > 0)
    draw (ui, &out);
  put (ui, &out);
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
    put (ui, &out);
    ui->nr_drawn = 0;
  }
  for (unsigned i = 0; i < ui->nr_bars; i++) {
    free ((char *)ui->bars[i].progress.name);
    free ((char *)ui->bars[i].progress.phase);
    ui->bars[i] = (struct bar){ 0 };
  }
  ui->nr_bars = 0;
  ui->total = (struct bar){ 0 };
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

void
osm_ui_end_bars (struct osm_ui *ui)
{
  OSM_LOCKED (&ui->lock);

  settle (ui);
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
put_json (struct osm_ui *ui, const json_t *object)
{
  OSM_CLEANUP_FREE char *text = osm_json_dump (object), *shown = osm_quote_json (text);

  printf ("%s\n", shown);
  flush (ui);
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
    OSM_CLEANUP_JSON json_t *event =
        osm_json_pack ("{s:s, s:f}", "event", "step", "elapsed_seconds", seconds);

    osm_json_set_str (event, "text", text);
    put_json (ui, event);
  }
  else {
    OSM_CLEANUP_FREE char *quoted = osm_quote_terminal (text);
    OSM_CLEANUP_FREE char *line = osm_asprintf ("[%7.1fs] %s\n", seconds, quoted);

    if (ui->nr_bars > 0 && all_done (ui))
      settle (ui);
    put_above (ui, line);
  }
}

/* index -1: the total */
static void
put_progress_json (struct osm_ui *ui, int index, const struct bar *bar)
{
  const struct osm_ui_progress *p = &bar->progress;
  int64_t eta_ms = eta_of (bar);
  const struct {
    const char *key;
    uint64_t value;
  } numbers[] = {
    { "size_bytes", p->size_bytes },   { "done_bytes", p->done_bytes },
    { "sent_bytes", p->sent_bytes },   { "zero_bytes", p->zero_bytes },
    { "free_bytes", p->free_bytes },   { "wire_bytes", p->wire_bytes },
    { "found_bytes", p->found_bytes }, { "bytes_per_second", osm_rate_get (&bar->pace.rate) },
  };
  OSM_CLEANUP_JSON json_t *event =
      osm_json_pack ("{s:s}", "event", index == -1 ? "total" : "progress");

  if (index >= 0)
    json_object_set_new (event, "index", json_integer (index));
  osm_json_set_str (event, "name", p->name);
  osm_json_set_str (event, "phase", p->phase);
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
    json_object_set_new (event, numbers[i].key, json_integer ((json_int_t)numbers[i].value));
  if (eta_ms >= 0)
    json_object_set_new (event, "eta_seconds", json_real ((double)eta_ms / 1000));
  put_json (ui, event);
}

static bool
is_copying (const struct osm_ui_progress *p)
{
  return osm_str_equal (p->phase, "copy");
}

static void
set_pace (struct bar *bar, uint64_t now)
{
  const struct osm_ui_progress *p = &bar->progress;

  /* Whoever reads back sends nothing: all its bytes cost the same. */
  if (is_copying (p))
    osm_pace_update (&bar->pace, p->sent_bytes, p->zero_bytes, now);
  else
    osm_pace_update (&bar->pace, p->done_bytes, 0, now);
}

static struct osm_pace_left
left_of (const struct osm_ui_progress *p)
{
  const struct osm_pace_counts counts = { .size_bytes = p->size_bytes,
                                          .done_bytes = p->done_bytes,
                                          .found_bytes = p->found_bytes,
                                          .skipped_bytes = p->zero_bytes,
                                          .left_bytes = p->left_bytes,
                                          .unknown_bytes = p->unknown_bytes };

  if (is_copying (p))
    return osm_pace_left (&counts);
  return (struct osm_pace_left){ .send_bytes = p->size_bytes > p->done_bytes
                                                   ? p->size_bytes - p->done_bytes
                                                   : 0 };
}

/* Copies it; true if the phase is another one. */
static bool
remember (struct bar *bar, const struct osm_ui_progress *p, uint64_t now)
{
  const char *phase = p->phase ? p->phase : "", *name = p->name ? p->name : "";
  bool changed = !bar->used || !osm_str_equal (bar->progress.phase, phase);
  char *old_name = (char *)bar->progress.name, *old_phase = (char *)bar->progress.phase;

  if (changed)
    bar->pace = (struct osm_pace){ 0 };
  bar->progress = *p;
  bar->progress.name = osm_strdup (name);
  bar->progress.phase = osm_strdup (phase);
  bar->used = true;
  free (old_name);
  free (old_phase);
  set_pace (bar, now);
  bar->left = left_of (&bar->progress);
  return changed;
}

/* The sum of all bars, in the phase of the one that is least far. True if it is another one than before. */
static bool
add_up (struct osm_ui *ui, uint64_t now)
{
  static const char *const phases[] = { "copy", "repair", "verify", "done" };
  struct bar *total = &ui->total;
  struct osm_ui_progress sum = { .phase = NULL };
  struct osm_pace_left left = { 0 };
  bool changed;

  for (size_t i = 0; i < sizeof phases / sizeof phases[0] && !sum.phase; i++)
    for (unsigned k = 0; k < ui->nr_bars && !sum.phase; k++)
      if (ui->bars[k].used && osm_str_equal (ui->bars[k].progress.phase, phases[i]))
        sum.phase = phases[i];
  if (!sum.phase)
    sum.phase = "copy";
  for (unsigned k = 0; k < ui->nr_bars; k++) {
    const struct osm_ui_progress *p = &ui->bars[k].progress;
    bool in_phase = osm_str_equal (p->phase, sum.phase);

    sum.size_bytes += p->size_bytes;
    sum.done_bytes += in_phase ? p->done_bytes : p->size_bytes;
    sum.sent_bytes += p->sent_bytes;
    sum.zero_bytes += p->zero_bytes;
    sum.free_bytes += p->free_bytes;
    sum.wire_bytes += p->wire_bytes;
    sum.found_bytes += p->found_bytes;
    left.send_bytes += in_phase ? ui->bars[k].left.send_bytes : 0;
    left.skip_bytes += in_phase ? ui->bars[k].left.skip_bytes : 0;
  }
  changed = !total->used || !osm_str_equal (total->progress.phase, sum.phase);
  if (changed)
    total->pace = (struct osm_pace){ 0 };
  total->progress = sum;
  total->left = left;
  total->used = true;
  set_pace (total, now);
  return changed;
}

/* Plain and JSON: prints it if its time has come. */
static void
show (struct osm_ui *ui, struct bar *bar, int index, bool changed, uint64_t now)
{
  OSM_CLEANUP_FREE char *line = NULL;

  if (bar->shown && !changed &&
      now - bar->shown_ms < (ui->mode == OSM_UI_JSON ? JSON_MS : PLAIN_MS))
    return;
  bar->shown = true;
  bar->shown_ms = now;
  if (ui->mode == OSM_UI_JSON) {
    put_progress_json (ui, index, bar);
    return;
  }
  line = osm_format_progress (&bar->progress, osm_rate_get (&bar->pace.rate), eta_of (bar));
  printf ("[%7.1fs] %s\n", (double)(now - ui->started_ms) / 1000, line);
  flush (ui);
}

void
osm_ui_bar (struct osm_ui *ui, unsigned index, const struct osm_ui_progress *progress)
{
  OSM_LOCKED (&ui->lock);
  uint64_t now = osm_now_ms ();
  struct bar *bar;
  bool changed, round, total_changed = false;

  if (index >= MAX_BARS)
    return;
  bar = &ui->bars[index];
  if (index >= ui->nr_bars)
    ui->nr_bars = index + 1;
  /* With the first bar again all are there; the end is seen with the last one. */
  round = index == 0 && bar->used;
  changed = remember (bar, progress, now);
  round = round || (changed && all_done (ui));
  if (round)
    total_changed = add_up (ui, now);

  if (ui->mode == OSM_UI_BARS) {
    if (now - ui->drawn_ms >= REDRAW_MS || changed) {
      OSM_STRBUF (out);

      erase (ui, &out);
      draw (ui, &out);
      put (ui, &out);
    }
    return;
  }
  show (ui, bar, (int)index, changed, now);
  if (round && ui->nr_bars > 1)
    show (ui, &ui->total, -1, total_changed, now);
}

void
osm_ui_event (struct osm_ui *ui, json_t *object, const char *text)
{
  OSM_CLEANUP_JSON json_t *owned = object;
  OSM_LOCKED (&ui->lock);

  if (ui->mode == OSM_UI_JSON) {
    if (owned)
      put_json (ui, owned);
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
  OSM_CLEANUP_FREE char *text = json_dumps (value, JSON_INDENT (2) | JSON_ENCODE_ANY),
                        *shown = NULL;

  if (!text)
    osm_oom ();
  shown = osm_quote_json (text);
  printf ("%s\n", shown);
}
