/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/badblocks.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "common/ranges.h"
#include "common/strbuf.h"

#define FILE_MAX (64 * OSM_BAD_BLOCKS_MAX)
/* Unreadable pieces are looked for in steps of the first, in these in steps of the second. */
#define BLOCK_BYTES 4096
#define SECTOR_BYTES 512

struct osm_bad_blocks {
  char *path;
  pthread_mutex_t lock;
  bool changed; /* since it was saved */
  struct osm_ranges ranges;
};

static void
load (struct osm_bad_blocks *b, uint64_t size_bytes)
{
  OSM_CLEANUP_FREE char *text = NULL;
  OSM_CLEANUP_JSON json_t *list = NULL;
  size_t len;
  OSM_ERROR (why);

  if (!b->path || !osm_file_exists (b->path))
    return;
  if (osm_file_read (b->path, FILE_MAX, &text, &len, &why) == -1 ||
      osm_json_parse (text, len, b->path, &list, &why) == -1 ||
      osm_ranges_from_json (list, size_bytes, OSM_BAD_BLOCKS_MAX, &b->ranges, &why) == -1)
    osm_debug ("%s", why.message);
}

int
osm_bad_blocks_new (const char *path, uint64_t size_bytes, struct osm_bad_blocks **ret,
                    struct osm_error *err)
{
  struct osm_bad_blocks *b = osm_calloc (1, sizeof *b);
  int e = pthread_mutex_init (&b->lock, NULL);

  if (e != 0) {
    free (b);
    return osm_error_set_errno (err, e, "mutex");
  }
  b->path = osm_strdup (path);
  load (b, size_bytes);
  *ret = b;
  return 0;
}

void
osm_bad_blocks_free (struct osm_bad_blocks *b)
{
  if (!b)
    return;
  pthread_mutex_destroy (&b->lock);
  osm_ranges_done (&b->ranges);
  free (b->path);
  free (b);
}

int
osm_bad_blocks_add (struct osm_bad_blocks *b, uint64_t offset, uint64_t length,
                    struct osm_error *err)
{
  OSM_LOCKED (&b->lock);
  osm_ranges_add (&b->ranges, offset, length);
  b->changed = true;
  if (b->ranges.nr <= OSM_BAD_BLOCKS_MAX)
    return 0;
  return osm_error_set (err, OSM_ERROR_REMOTE, EIO,
                        "the source cannot be read at more than %d places", OSM_BAD_BLOCKS_MAX);
}

void
osm_bad_blocks_remove (struct osm_bad_blocks *b, uint64_t offset, uint64_t length)
{
  OSM_LOCKED (&b->lock);
  osm_ranges_remove (&b->ranges, offset, length);
  b->changed = true;
}

int
osm_bad_blocks_save (struct osm_bad_blocks *b, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *list = NULL;
  OSM_CLEANUP_FREE char *text = NULL;

  {
    OSM_LOCKED (&b->lock);
    if (!b->path || !b->changed)
      return 0;
    list = osm_ranges_to_json (&b->ranges);
    b->changed = false;
  }
  text = osm_json_dump (list);
  return osm_file_write (b->path, text, strlen (text), 0600, err);
}

json_t *
osm_bad_blocks_to_json (struct osm_bad_blocks *b)
{
  OSM_LOCKED (&b->lock);
  return osm_ranges_to_json (&b->ranges);
}

int
osm_find_bad (osm_probe_fn probe, void *data, uint64_t *offset, size_t *length,
              struct osm_error *err)
{
  uint64_t at = *offset, end = *offset + *length;
  size_t part = *length / 128 < BLOCK_BYTES ? BLOCK_BYTES : *length / 128;
  OSM_CLEANUP_FREE char *buf = osm_calloc (1, part);

  if (*length <= part)
    return 0;
  for (; at < end; at += part) {
    size_t n = end - at < part ? (size_t)(end - at) : part;
    int r = probe (data, buf, n, at, err);

    if (r == -1)
      return -1;
    if (r > 0) {
      *offset = at;
      *length = n;
      return 0;
    }
  }
  return 0;
}

static int
read_in_pieces (osm_probe_fn probe, void *data, struct osm_bad_blocks *b, char *buf,
                uint64_t offset, size_t length, size_t piece, struct osm_error *err)
{
  while (length > 0) {
    size_t n = piece - (size_t)(offset % piece);
    int r;

    if (n > length)
      n = length;
    r = probe (data, buf, n, offset, err);
    if (r == -1)
      return -1;
    if (r > 0 && piece > SECTOR_BYTES) {
      if (read_in_pieces (probe, data, b, buf, offset, n, SECTOR_BYTES, err) == -1)
        return -1;
    }
    else if (r > 0) {
      memset (buf, 0, n);
      if (osm_bad_blocks_add (b, offset, n, err) == -1)
        return -1;
    }
    buf += n;
    offset += n;
    length -= n;
  }
  return 0;
}

int
osm_read_around (osm_probe_fn probe, void *data, struct osm_bad_blocks *b, void *buf,
                 uint64_t offset, size_t length, struct osm_error *err)
{
  return read_in_pieces (probe, data, b, buf, offset, length, BLOCK_BYTES, err);
}
