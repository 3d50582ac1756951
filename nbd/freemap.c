/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/freemap.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/strbuf.h"

/* The file: magic, size of the volume, number of ranges, then offset and length of each; numbers of
 * 64 bits, little-endian. */
static const char magic[8] = "OSMFREE1";
#define HEADER_WORDS 3
#define PAGE_BYTES 4096
#define PIECE_MIN_BYTES 65536 /* the engine reads across smaller holes */

void
osm_freemap_init (struct osm_freemap *m, uint64_t size_bytes)
{
  *m = (struct osm_freemap){ .size_bytes = size_bytes };
}

void
osm_freemap_done (struct osm_freemap *m)
{
  free (m->v);
  memset (m, 0, sizeof *m);
}

static uint64_t
end_of (const struct osm_free_range *r)
{
  return r->offset + r->length;
}

int
osm_freemap_add (struct osm_freemap *m, uint64_t offset, uint64_t length, struct osm_error *err)
{
  struct osm_free_range *last = m->nr ? &m->v[m->nr - 1] : NULL;

  if (length == 0)
    return 0;
  if (offset > m->size_bytes || length > m->size_bytes - offset || (last && offset < end_of (last)))
    return osm_error_set (err, OSM_ERROR_USER, EINVAL,
                          "free range of %" PRIu64 " bytes at offset %" PRIu64
                          ": not in order, or beyond the end",
                          length, offset);
  m->free_bytes += length;
  if (last && offset == end_of (last)) {
    last->length += length;
    return 0;
  }
  if (m->nr == m->allocated) {
    m->allocated = m->allocated ? m->allocated * 2 : 64;
    m->v = osm_realloc (m->v, m->allocated, sizeof *m->v);
  }
  m->v[m->nr++] = (struct osm_free_range){ .offset = offset, .length = length };
  return 0;
}

bool
osm_freemap_add_pages (struct osm_freemap *map, uint64_t from, uint64_t to)
{
  OSM_ERROR (ignored);

  from = (from + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
  to = to / PAGE_BYTES * PAGE_BYTES;
  if (to < from || to - from < PIECE_MIN_BYTES)
    return true;
  return map->nr < OSM_FREEMAP_MAX && osm_freemap_add (map, from, to - from, &ignored) == 0;
}

int
osm_freemap_union (struct osm_freemap *m, const struct osm_freemap *a, const struct osm_freemap *b,
                   struct osm_error *err)
{
  size_t i = 0, k = 0;
  uint64_t end = 0;

  while (i < a->nr || k < b->nr) {
    const struct osm_free_range *r =
        k == b->nr || (i < a->nr && a->v[i].offset <= b->v[k].offset) ? &a->v[i++] : &b->v[k++];
    uint64_t from = r->offset > end ? r->offset : end;

    if (end_of (r) <= from)
      continue;
    if (osm_freemap_add (m, from, end_of (r) - from, err) == -1)
      return -1;
    end = end_of (r);
  }
  return 0;
}

void
osm_freemap_subtract (struct osm_freemap *m, const unsigned char *bits, uint64_t granule)
{
  OSM_FREEMAP (left);
  OSM_ERROR (never);

  osm_freemap_init (&left, m->size_bytes);
  for (size_t i = 0; i < m->nr; i++) {
    uint64_t first = m->v[i].offset / granule + (m->v[i].offset % granule != 0);
    uint64_t end = end_of (&m->v[i]);
    uint64_t last = end == m->size_bytes ? end / granule + (end % granule != 0) : end / granule;

    for (uint64_t n = first; n < last; n++) {
      uint64_t offset = n * granule;

      if (!(bits[n / 8] & (1u << (n % 8))))
        (void)osm_freemap_add (&left, offset, end - offset < granule ? end - offset : granule,
                               &never);
    }
  }
  free (m->v);
  *m = left;
  memset (&left, 0, sizeof left);
}

void
osm_freemap_limit (struct osm_freemap *m, size_t max)
{
  for (uint64_t shortest = 65536; m->nr > max; shortest *= 2) {
    size_t n = 0;

    m->free_bytes = 0;
    for (size_t i = 0; i < m->nr; i++)
      if (m->v[i].length > shortest) {
        m->free_bytes += m->v[i].length;
        m->v[n++] = m->v[i];
      }
    m->nr = n;
  }
}

/* The first range that ends after offset; nr if there is none. */
static size_t
first_after (const struct osm_freemap *m, uint64_t offset)
{
  size_t low = 0, high = m->nr;

  while (low < high) {
    size_t middle = low + (high - low) / 2;

    if (end_of (&m->v[middle]) > offset)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

uint64_t
osm_freemap_at (const struct osm_freemap *m, uint64_t offset, uint64_t *ret_next)
{
  size_t i = first_after (m, offset);

  if (i == m->nr) {
    *ret_next = m->size_bytes;
    return 0;
  }
  if (m->v[i].offset <= offset)
    return end_of (&m->v[i]) - offset;
  *ret_next = m->v[i].offset;
  return 0;
}

uint64_t
osm_freemap_count (const struct osm_freemap *m, uint64_t offset, uint64_t length)
{
  uint64_t end = offset + length, n = 0;

  for (size_t i = first_after (m, offset); i < m->nr && m->v[i].offset < end; i++) {
    uint64_t from = m->v[i].offset > offset ? m->v[i].offset : offset;
    uint64_t to = end_of (&m->v[i]) < end ? end_of (&m->v[i]) : end;

    n += to - from;
  }
  return n;
}

void
osm_freemap_mask (const struct osm_freemap *m, void *buf, size_t len, uint64_t offset)
{
  uint64_t end = offset + len;

  for (size_t i = first_after (m, offset); i < m->nr && m->v[i].offset < end; i++) {
    uint64_t from = m->v[i].offset > offset ? m->v[i].offset : offset;
    uint64_t to = end_of (&m->v[i]) < end ? end_of (&m->v[i]) : end;

    memset ((char *)buf + (from - offset), 0, (size_t)(to - from));
  }
}

/* ---- file ---- */

void *
osm_freemap_encode (const struct osm_freemap *m, size_t *ret_len)
{
  size_t words = HEADER_WORDS + 2 * m->nr;
  uint64_t *data = osm_calloc (words, sizeof *data);

  memcpy (data, magic, sizeof magic);
  data[1] = htole64 (m->size_bytes);
  data[2] = htole64 (m->nr);
  for (size_t i = 0; i < m->nr; i++) {
    data[HEADER_WORDS + 2 * i] = htole64 (m->v[i].offset);
    data[HEADER_WORDS + 2 * i + 1] = htole64 (m->v[i].length);
  }
  *ret_len = words * sizeof *data;
  return data;
}

int
osm_freemap_save (const struct osm_freemap *m, const char *path, struct osm_error *err)
{
  size_t len;
  OSM_CLEANUP_FREE void *data = osm_freemap_encode (m, &len);

  return osm_file_write (path, data, len, 0600, err);
}

int
osm_freemap_load (const char *path, uint64_t size_bytes, struct osm_freemap *ret,
                  struct osm_error *err)
{
  OSM_FREEMAP (m);
  OSM_CLEANUP_FREE char *text = NULL;
  uint64_t header[HEADER_WORDS] = { 0 }, range[2];
  size_t len;

  if (osm_file_read (path, (HEADER_WORDS + 2 * (size_t)OSM_FREEMAP_MAX) * sizeof (uint64_t), &text,
                     &len, err) == -1)
    return -1;
  if (len >= sizeof header)
    memcpy (header, text, sizeof header);
  if (len < sizeof header || memcmp (header, magic, sizeof magic) != 0 ||
      le64toh (header[2]) > OSM_FREEMAP_MAX ||
      len != sizeof header + (size_t)le64toh (header[2]) * sizeof range)
    return osm_error_set (err, OSM_ERROR_USER, EINVAL, "%s is no free-space map", path);
  if (le64toh (header[1]) != size_bytes)
    return osm_error_set (err, OSM_ERROR_USER, EINVAL,
                          "%s is of a volume of %" PRIu64 " bytes, not %" PRIu64, path,
                          le64toh (header[1]), size_bytes);
  osm_freemap_init (&m, size_bytes);
  for (size_t at = sizeof header; at < len; at += sizeof range) {
    memcpy (range, text + at, sizeof range);
    if (osm_freemap_add (&m, le64toh (range[0]), le64toh (range[1]), err) == -1)
      return osm_error_wrap (err, "%s", path);
  }
  osm_freemap_done (ret);
  *ret = m;
  memset (&m, 0, sizeof m);
  return 0;
}
