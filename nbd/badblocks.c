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
