/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/ui/format.h"

#include <inttypes.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/parse.h"
#include "common/quote.h"
#include "common/strbuf.h"

#define RATE_WINDOW_MS 5000.0
#define NAME_MIN 8
#define NAME_MAX_WIDTH 24
#define GRAPH_MIN 10
#define GRAPH_MAX 40
#define MAX_ETA_MS (INT64_C (1000) * 3600 * 1000) /* beyond a thousand hours nothing is known */

/* ---- numbers ---- */

void
osm_rate_update (struct osm_rate *rate, uint64_t bytes, uint64_t now_ms)
{
  double sample, weight;
  uint64_t elapsed;

  if (!rate->started || bytes < rate->bytes) {
    *rate = (struct osm_rate){ .bytes = bytes, .at_ms = now_ms, .started = true };
    return;
  }
  elapsed = now_ms - rate->at_ms;
  if (now_ms <= rate->at_ms)
    return;
  sample = (double)(bytes - rate->bytes) * 1000 / (double)elapsed;
  /* The share of an old average that a first-order low-pass keeps after that time, without exp(). */
  weight = (double)elapsed / ((double)elapsed + RATE_WINDOW_MS);
  rate->per_second = rate->known ? rate->per_second + (sample - rate->per_second) * weight : sample;
  rate->known = true;
  rate->bytes = bytes;
  rate->at_ms = now_ms;
}

uint64_t
osm_rate_get (const struct osm_rate *rate)
{
  return rate->known && rate->per_second < 1e18 ? (uint64_t)rate->per_second : 0;
}

int64_t
osm_rate_eta_ms (uint64_t size_bytes, uint64_t done_bytes, uint64_t bytes_per_second)
{
  double ms;

  if (done_bytes >= size_bytes)
    return 0;
  if (bytes_per_second == 0)
    return -1;
  ms = (double)(size_bytes - done_bytes) * 1000 / (double)bytes_per_second;
  return ms > (double)MAX_ETA_MS ? -1 : (int64_t)ms;
}

unsigned
osm_percent (uint64_t done_bytes, uint64_t size_bytes)
{
  unsigned percent;

  if (done_bytes >= size_bytes)
    return 100;
  percent = (unsigned)((double)done_bytes * 100 / (double)size_bytes);
  return percent > 99 ? 99 : percent;
}

/* ---- a bar ---- */

/* Text filled up with blanks to the width. */
static void
add_padded (struct osm_strbuf *b, const char *s, size_t width, bool right)
{
  size_t used = osm_display_width (s), fill = used < width ? width - used : 0;

  if (right)
    osm_strbuf_addf (b, "%*s", (int)fill, "");
  osm_strbuf_add (b, s);
  if (!right)
    osm_strbuf_addf (b, "%*s", (int)fill, "");
}

static void
add_graph (struct osm_strbuf *b, const struct osm_ui_progress *p, size_t width)
{
  size_t inner = width - 2, full = inner * osm_percent (p->done_bytes, p->size_bytes) / 100;

  osm_strbuf_add (b, "[");
  for (size_t i = 0; i < inner; i++)
    osm_strbuf_add (b, i < full ? "#" : i == full ? ">" : " ");
  osm_strbuf_add (b, "]");
}

static bool
is_done (const struct osm_ui_progress *p)
{
  return osm_str_equal (p->phase, "done");
}

char *
osm_format_bar (const struct osm_ui_progress *p, uint64_t bytes_per_second, size_t width,
                bool colour)
{
  char done[OSM_HUMAN_LEN], size[OSM_HUMAN_LEN], speed[OSM_HUMAN_LEN], left[OSM_HUMAN_LEN];
  int64_t eta_ms = osm_rate_eta_ms (p->size_bytes, p->done_bytes, bytes_per_second);
  OSM_CLEANUP_FREE char *bytes = osm_asprintf (
      "%s/%s", osm_human_size (p->done_bytes < p->size_bytes ? p->done_bytes : p->size_bytes, done),
      osm_human_size (p->size_bytes, size));
  OSM_CLEANUP_FREE char *rate =
      bytes_per_second > 0 && !is_done (p)
          ? osm_asprintf ("%s/s", osm_human_size (bytes_per_second, speed))
          : osm_strdup ("");
  OSM_CLEANUP_FREE char *eta =
      is_done (p)   ? osm_strdup ("")
      : eta_ms >= 0 ? osm_asprintf ("ETA %s", osm_human_duration ((uint64_t)eta_ms, left))
                    : osm_strdup ("ETA --");
  OSM_CLEANUP_FREE char *phase = osm_display_fit (p->phase ? p->phase : "", 6);
  /* Percent, phase, bytes, rate, ETA: in order of importance, each with a blank before it. */
  static const size_t parts[] = { 4 + 1, 6 + 1, 21 + 1, 12 + 1, 10 + 1 };
  size_t nr = 0, used = NAME_MIN, name_width, graph = 0;
  OSM_CLEANUP_FREE char *name = NULL;
  OSM_STRBUF (b);

  while (nr < sizeof parts / sizeof parts[0] && used + parts[nr] <= width)
    used += parts[nr++];
  name_width = used <= width ? NAME_MIN + (width - used) : width;
  if (name_width > NAME_MAX_WIDTH)
    name_width = NAME_MAX_WIDTH;
  used += name_width > NAME_MIN ? name_width - NAME_MIN : 0;
  if (nr == sizeof parts / sizeof parts[0] && used + GRAPH_MIN + 1 <= width) {
    graph = width - used - 1;
    if (graph > GRAPH_MAX)
      graph = GRAPH_MAX;
  }

  name = osm_display_fit (p->name ? p->name : "", name_width);
  add_padded (&b, name, name_width, false);
  if (nr > 0)
    osm_strbuf_addf (&b, " %3u%%", osm_percent (p->done_bytes, p->size_bytes));
  if (nr > 1) {
    osm_strbuf_add (&b, " ");
    if (colour && is_done (p))
      osm_strbuf_add (&b, "\033[32m");
    add_padded (&b, phase, 6, false);
    if (colour && is_done (p))
      osm_strbuf_add (&b, "\033[0m");
  }
  if (graph > 0) {
    osm_strbuf_add (&b, " ");
    add_graph (&b, p, graph);
  }
  if (nr > 2) {
    osm_strbuf_add (&b, " ");
    add_padded (&b, bytes, 21, true);
  }
  if (nr > 3) {
    osm_strbuf_add (&b, " ");
    add_padded (&b, rate, 12, true);
  }
  if (nr > 4) {
    osm_strbuf_add (&b, " ");
    add_padded (&b, eta, 10, false);
  }
  return osm_strbuf_take (&b);
}

char *
osm_format_progress (const struct osm_ui_progress *p, uint64_t bytes_per_second)
{
  char done[OSM_HUMAN_LEN], size[OSM_HUMAN_LEN], speed[OSM_HUMAN_LEN], left[OSM_HUMAN_LEN];
  int64_t eta_ms = osm_rate_eta_ms (p->size_bytes, p->done_bytes, bytes_per_second);
  OSM_CLEANUP_FREE char *name = osm_quote_terminal (p->name ? p->name : "");
  OSM_STRBUF (b);

  osm_strbuf_addf (&b, "volume '%s': %s", name, p->phase ? p->phase : "");
  if (is_done (p)) {
    osm_strbuf_addf (&b, ", %s, %s sent", osm_human_size (p->size_bytes, size),
                     osm_human_size (p->sent_bytes, done));
    return osm_strbuf_take (&b);
  }
  osm_strbuf_addf (&b, " %u%%, %s of %s", osm_percent (p->done_bytes, p->size_bytes),
                   osm_human_size (p->done_bytes, done), osm_human_size (p->size_bytes, size));
  if (bytes_per_second > 0)
    osm_strbuf_addf (&b, ", %s/s", osm_human_size (bytes_per_second, speed));
  if (bytes_per_second > 0 && eta_ms > 0)
    osm_strbuf_addf (&b, ", %s left", osm_human_duration ((uint64_t)eta_ms, left));
  return osm_strbuf_take (&b);
}

/* ---- tables ---- */

static char *
cell_text (const json_t *cell)
{
  if (json_is_string (cell))
    return osm_quote_terminal (json_string_value (cell));
  if (json_is_integer (cell))
    return osm_asprintf ("%" JSON_INTEGER_FORMAT, json_integer_value (cell));
  if (json_is_real (cell))
    return osm_asprintf ("%.1f", json_real_value (cell));
  if (json_is_boolean (cell))
    return osm_strdup (json_is_true (cell) ? "yes" : "no");
  return osm_strdup ("-");
}

static void
trim (struct osm_strbuf *b)
{
  while (b->len > 0 && b->s[b->len - 1] == ' ')
    b->s[--b->len] = '\0';
}

char *
osm_format_table (const char *const *columns, const json_t *rows)
{
  size_t nr = osm_strv_len ((char *const *)(void *)columns), i;
  OSM_CLEANUP_FREE size_t *widths = osm_calloc (nr + 1, sizeof *widths);
  const json_t *row;
  OSM_STRBUF (b);

  for (size_t c = 0; c < nr; c++) {
    widths[c] = osm_display_width (columns[c]);
    json_array_foreach (rows, i, row)
    {
      OSM_CLEANUP_FREE char *text = cell_text (json_array_get (row, c));
      size_t w = osm_display_width (text);

      if (w > widths[c])
        widths[c] = w;
    }
  }
  for (size_t c = 0; c < nr; c++) {
    bool right = json_is_number (json_array_get (json_array_get (rows, 0), c));

    osm_strbuf_add (&b, c > 0 ? "  " : "");
    add_padded (&b, columns[c], widths[c], right);
  }
  trim (&b);
  osm_strbuf_add (&b, "\n");
  json_array_foreach (rows, i, row)
  {
    for (size_t c = 0; c < nr; c++) {
      const json_t *cell = json_array_get (row, c);
      OSM_CLEANUP_FREE char *text = cell_text (cell);

      osm_strbuf_add (&b, c > 0 ? "  " : "");
      add_padded (&b, text, widths[c], json_is_number (cell));
    }
    trim (&b);
    osm_strbuf_add (&b, "\n");
  }
  return osm_strbuf_take (&b);
}
