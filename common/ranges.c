/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/ranges.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"

void
osm_ranges_done (struct osm_ranges *r)
{
  free (r->v);
  *r = (struct osm_ranges){ 0 };
}

static uint64_t
end_of (const struct osm_ranges_item *x)
{
  return x->offset + x->length;
}

/* First item that ends at or behind offset. */
static size_t
lower (const struct osm_ranges *r, uint64_t offset)
{
  size_t low = 0, high = r->nr;

  while (low < high) {
    size_t middle = low + (high - low) / 2;

    if (end_of (&r->v[middle]) < offset)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void
make_room (struct osm_ranges *r, size_t at)
{
  if (r->nr == r->allocated) {
    r->allocated = r->allocated ? r->allocated * 2 : 16;
    r->v = osm_realloc (r->v, r->allocated, sizeof *r->v);
  }
  memmove (&r->v[at + 1], &r->v[at], (r->nr - at) * sizeof *r->v);
  r->nr++;
}

static void
drop (struct osm_ranges *r, size_t at, size_t n)
{
  if (n == 0)
    return;
  memmove (&r->v[at], &r->v[at + n], (r->nr - at - n) * sizeof *r->v);
  r->nr -= n;
}

static uint64_t
cut (uint64_t offset, uint64_t length)
{
  if (offset >= INT64_MAX)
    return 0;
  return length < INT64_MAX - offset ? length : INT64_MAX - offset;
}

void
osm_ranges_add (struct osm_ranges *r, uint64_t offset, uint64_t length)
{
  uint64_t end;
  size_t first, last;

  length = cut (offset, length);
  if (length == 0)
    return;
  end = offset + length;
  first = last = lower (r, offset);
  while (last < r->nr && r->v[last].offset <= end) {
    if (r->v[last].offset < offset)
      offset = r->v[last].offset;
    if (end_of (&r->v[last]) > end)
      end = end_of (&r->v[last]);
    last++;
  }
  if (first == last)
    make_room (r, first);
  else
    drop (r, first + 1, last - first - 1);
  r->v[first] = (struct osm_ranges_item){ .offset = offset, .length = end - offset };
}

void
osm_ranges_remove (struct osm_ranges *r, uint64_t offset, uint64_t length)
{
  uint64_t end;
  size_t i = lower (r, offset);

  length = cut (offset, length);
  if (length == 0)
    return;
  end = offset + length;
  while (i < r->nr && r->v[i].offset < end) {
    struct osm_ranges_item x = r->v[i];

    if (end_of (&x) <= offset) {
      i++;
      continue;
    }
    if (x.offset < offset && end_of (&x) > end)
      make_room (r, i);
    if (x.offset < offset)
      r->v[i++].length = offset - x.offset;
    if (end_of (&x) > end)
      r->v[i++] = (struct osm_ranges_item){ .offset = end, .length = end_of (&x) - end };
    else if (x.offset >= offset)
      drop (r, i, 1);
  }
}

bool
osm_ranges_touch (const struct osm_ranges *r, uint64_t offset, uint64_t length)
{
  size_t i = lower (r, offset);

  length = cut (offset, length);
  if (length == 0)
    return false;
  for (; i < r->nr && r->v[i].offset < offset + length; i++)
    if (end_of (&r->v[i]) > offset)
      return true;
  return false;
}

uint64_t
osm_ranges_bytes (const struct osm_ranges *r)
{
  uint64_t n = 0;

  for (size_t i = 0; i < r->nr; i++)
    n += r->v[i].length;
  return n;
}

/* Gaps of at most `gap` bytes are filled; at least one gap is that small. */
static void
fill_gaps (struct osm_ranges *r, uint64_t gap)
{
  size_t n = 1;

  for (size_t i = 1; i < r->nr; i++) {
    if (r->v[i].offset - end_of (&r->v[n - 1]) <= gap)
      r->v[n - 1].length = end_of (&r->v[i]) - r->v[n - 1].offset;
    else
      r->v[n++] = r->v[i];
  }
  r->nr = n;
}

static int
compare_numbers (const void *a, const void *b)
{
  const uint64_t *x = a, *y = b;

  return *x < *y ? -1 : *x > *y;
}

void
osm_ranges_coarsen (struct osm_ranges *r, size_t max)
{
  OSM_CLEANUP_FREE uint64_t *gaps = NULL;

  if (max == 0)
    max = 1;
  if (r->nr <= max)
    return;
  gaps = osm_calloc (r->nr, sizeof *gaps);
  for (size_t i = 1; i < r->nr; i++)
    gaps[i - 1] = r->v[i].offset - end_of (&r->v[i - 1]);
  qsort (gaps, r->nr - 1, sizeof *gaps, compare_numbers);
  fill_gaps (r, gaps[r->nr - max - 1]);
}

json_t *
osm_ranges_to_json (const struct osm_ranges *r)
{
  json_t *list = json_array ();

  for (size_t i = 0; i < r->nr; i++)
    json_array_append_new (
        list, osm_json_pack ("[I, I]", (json_int_t)r->v[i].offset, (json_int_t)r->v[i].length));
  return list;
}

int
osm_ranges_from_json (const json_t *list, uint64_t size_bytes, size_t max, struct osm_ranges *ret,
                      struct osm_error *err)
{
  OSM_RANGES (r);
  size_t i;
  const json_t *pair;

  if (!json_is_array (list) || json_array_size (list) > max)
    return osm_error_set (err, OSM_ERROR_USER, EINVAL,
                          "ranges must be a list of at most %zu pairs of offset and length", max);
  json_array_foreach (list, i, pair)
  {
    json_int_t offset = json_integer_value (json_array_get (pair, 0)),
               length = json_integer_value (json_array_get (pair, 1));

    if (json_array_size (pair) != 2 || !json_is_integer (json_array_get (pair, 0)) ||
        !json_is_integer (json_array_get (pair, 1)) || offset < 0 || length <= 0 ||
        (uint64_t)offset > size_bytes || (uint64_t)length > size_bytes - (uint64_t)offset)
      return osm_error_set (err, OSM_ERROR_USER, EINVAL,
                            "range %zu is no pair of offset and length within %" PRIu64 " bytes",
                            i + 1, size_bytes);
    osm_ranges_add (&r, (uint64_t)offset, (uint64_t)length);
  }
  osm_ranges_done (ret);
  *ret = r;
  r = (struct osm_ranges){ 0 };
  return 0;
}

char *
osm_ranges_text (const struct osm_ranges *r, size_t max)
{
  OSM_STRBUF (text);

  for (size_t i = 0; i < r->nr && i < max; i++)
    osm_strbuf_addf (&text, "%s%" PRIu64 " bytes at offset %" PRIu64, i > 0 ? ", " : "",
                     r->v[i].length, r->v[i].offset);
  if (r->nr > max)
    osm_strbuf_addf (&text, "%s%zu more", max > 0 ? " and " : "", r->nr - max);
  return osm_strbuf_take (&text);
}
