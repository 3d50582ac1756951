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

#define NAME_MIN 8
#define NAME_MAX_WIDTH 24
#define GRAPH_MIN 10
#define GRAPH_MAX 40
#define MAX_ETA_MS (INT64_C (1000) * 3600 * 1000) /* more has no room, and is not to be believed */

/* ---- numbers ---- */

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

/* At most ten columns. */
static char *
eta_text (const struct osm_ui_progress *p, int64_t eta_ms)
{
  char text[OSM_HUMAN_LEN];

  if (is_done (p))
    return osm_strdup ("");
  if (eta_ms < 0 || eta_ms >= MAX_ETA_MS)
    return osm_strdup ("ETA -");
  osm_human_duration ((uint64_t)eta_ms, text);
  return osm_asprintf ("%s%s", strlen (text) > 6 ? "" : "ETA ", text);
}

char *
osm_format_bar (const struct osm_ui_progress *p, uint64_t bytes_per_second, int64_t eta_ms,
                size_t width, bool colour)
{
  char done[OSM_HUMAN_LEN], size[OSM_HUMAN_LEN], speed[OSM_HUMAN_LEN];
  OSM_CLEANUP_FREE char *bytes = osm_asprintf (
      "%s/%s", osm_human_size (p->done_bytes < p->size_bytes ? p->done_bytes : p->size_bytes, done),
      osm_human_size (p->size_bytes, size));
  OSM_CLEANUP_FREE char *rate =
      bytes_per_second > 0 && !is_done (p)
          ? osm_asprintf ("%s/s", osm_human_size (bytes_per_second, speed))
          : osm_strdup ("");
  OSM_CLEANUP_FREE char *eta = eta_text (p, eta_ms);
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

  name = osm_display_fit (p->name ? p->name : "total", name_width);
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

/* What became of the bytes: of what there is none nothing is said. */
static void
add_kinds (struct osm_strbuf *b, const struct osm_ui_progress *p)
{
  const struct {
    uint64_t bytes;
    const char *what;
  } kinds[] = {
    { is_done (p) ? 0 : p->found_bytes, "found to copy" },
    { p->sent_bytes, "sent" },
    { p->wire_bytes < p->sent_bytes / 100 * 98 ? p->wire_bytes : 0, "on the wire" },
    { p->zero_bytes, "zero" },
    { p->free_bytes, "free space" },
  };
  char text[OSM_HUMAN_LEN];

  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
    if (kinds[i].bytes > 0)
      osm_strbuf_addf (b, ", %s %s", osm_human_size (kinds[i].bytes, text), kinds[i].what);
}

char *
osm_format_progress (const struct osm_ui_progress *p, uint64_t bytes_per_second, int64_t eta_ms)
{
  char done[OSM_HUMAN_LEN], size[OSM_HUMAN_LEN], speed[OSM_HUMAN_LEN], left[OSM_HUMAN_LEN];
  OSM_CLEANUP_FREE char *name = osm_quote_terminal (p->name ? p->name : "");
  OSM_STRBUF (b);

  if (p->name)
    osm_strbuf_addf (&b, "volume '%s': %s", name, p->phase ? p->phase : "");
  else
    osm_strbuf_addf (&b, "total: %s", p->phase ? p->phase : "");
  if (is_done (p)) {
    osm_strbuf_addf (&b, ", %s", osm_human_size (p->size_bytes, size));
    add_kinds (&b, p);
    return osm_strbuf_take (&b);
  }
  osm_strbuf_addf (&b, " %u%%, %s of %s", osm_percent (p->done_bytes, p->size_bytes),
                   osm_human_size (p->done_bytes, done), osm_human_size (p->size_bytes, size));
  if (osm_str_equal (p->phase, "copy"))
    add_kinds (&b, p);
  if (bytes_per_second > 0)
    osm_strbuf_addf (&b, ", %s/s", osm_human_size (bytes_per_second, speed));
  if (eta_ms > 0)
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
