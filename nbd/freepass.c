/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "nbd/client.h"
#include "nbd/freemap.h"
#include "nbd/worker.h"

/* The last part of a copy from a source that may have a free-space map: the map came while ranges were
 * copied with what deleted files had left in them, and these are made zero now, so that the
 * destination equals what the source shows. */

#define STATUS_BYTES (UINT64_C (4095) << 20) /* in one question; NBD has 32 bits for it */
#define ANSWER_MS 30000
#define POLL_MS 100
#define BACKOFF_FIRST_MS 200
#define BACKOFF_MAX_MS 5000

struct listing {
  struct osm_freemap *map;
  uint64_t offset; /* known so far */
  bool done;       /* the question was answered */
};

static void
add_extent (void *data, void *cookie, uint64_t length, bool zero)
{
  struct listing *l = data;
  OSM_ERROR (ignored);

  (void)cookie;
  if (length > l->map->size_bytes - l->offset)
    length = l->map->size_bytes - l->offset;
  /* What cannot be added (more than any agent makes) stays as it was copied. */
  if (zero && l->map->nr < OSM_FREEMAP_MAX)
    (void)osm_freemap_add (l->map, l->offset, length, &ignored);
  l->offset += length;
}

static void
status_done (void *data, void *cookie, int error)
{
  struct listing *l = data;

  (void)cookie;
  (void)error; /* an offset that did not move says it */
  l->done = true;
}

static int
receive (struct osm_copy *c, struct osm_nbd *nbd, uint64_t deadline_ms, struct osm_error *err)
{
  if (osm_copy_stopped (c))
    return osm_error_set (err, OSM_ERROR_INTERRUPTED, 0, "copy cancelled");
  if (osm_now_ms () > deadline_ms)
    return osm_error_set (err, OSM_ERROR_RETRY, ETIMEDOUT, "NBD server does not answer");
  return osm_nbd_receive (nbd, POLL_MS, err);
}

static int
list_free (struct osm_copy *c, struct osm_nbd *nbd, struct listing *l, struct osm_error *err)
{
  uint64_t size = l->map->size_bytes, deadline_ms = osm_now_ms () + ANSWER_MS;
  int r;

  while ((r = osm_nbd_handshake (nbd, POLL_MS, err)) == 0)
    if (osm_copy_stopped (c) || osm_now_ms () > deadline_ms)
      return receive (c, nbd, deadline_ms, err);
  if (r == -1)
    return -1;
  if (!osm_nbd_has_extents (nbd))
    return 0;
  if (osm_nbd_size (nbd) != size)
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "it is of another size than the volume");
  while (l->offset < size) {
    uint64_t before = l->offset, left = size - before;

    l->done = false;
    deadline_ms = osm_now_ms () + ANSWER_MS;
    if (osm_nbd_block_status (nbd, (uint32_t)(left < STATUS_BYTES ? left : STATUS_BYTES), before,
                              NULL, err) == -1)
      return -1;
    while (!l->done)
      if (receive (c, nbd, deadline_ms, err) == -1)
        return -1;
    if (l->offset == before)
      return osm_error_set (err, OSM_ERROR_REMOTE, 0, "it does not answer");
  }
  return 0;
}

static int
fetch (struct osm_copy *c, struct osm_freemap *map, struct osm_error *err)
{
  struct listing l = { .map = map };
  const struct osm_nbd_callbacks callbacks = { .extent = add_extent,
                                               .status_done = status_done,
                                               .data = &l };
  struct osm_source_connection connection;
  struct osm_nbd *nbd;
  int r;

  if (c->source->open (c->source->data, &connection, err) == -1)
    return -1;
  osm_freemap_init (map, c->size_bytes);
  nbd = osm_nbd_new (&connection.stream, OSM_FREEMAP_EXPORT, &callbacks);
  r = list_free (c, nbd, &l, err);
  osm_nbd_free (nbd);
  connection.close (connection.handle);
  return r == 0 ? 0 : osm_error_wrap (err, "free-space map of the source");
}

/* The part of a free range that lies in blocks with data. */
static int
zero_range (struct osm_copy *c, const struct osm_free_range *r, struct osm_error *err)
{
  uint64_t end = r->offset + r->length, block = osm_bitmap_block (c->touched), at = r->offset;
  uint64_t from, length;

  while (at < end && osm_bitmap_next (c->touched, at / block * block, true, &from, &length)) {
    uint64_t to = from + length < end ? from + length : end;

    if (from < at)
      from = at;
    if (from >= end)
      break;
    if (osm_destination_zero (&c->destination, from, to - from, err) == -1)
      return -1;
    at = to;
  }
  return 0;
}

int
osm_copy_free_pass (struct osm_copy *c, struct osm_error *err)
{
  OSM_FREEMAP (map);
  uint64_t backoff_ms = BACKOFF_FIRST_MS, start = osm_now_ms ();

  while (fetch (c, &map, err) == -1) {
    osm_freemap_done (&map);
    if ((err->class != OSM_ERROR_RETRY && err->class != OSM_ERROR_REMOTE) ||
        osm_now_ms () - start > c->reconnect_ms || osm_copy_stopped (c))
      return -1;
    osm_debug ("copy: %s", err->message);
    osm_error_clear (err);
    osm_copy_pause (c, backoff_ms);
    backoff_ms = backoff_ms * 2 < BACKOFF_MAX_MS ? backoff_ms * 2 : BACKOFF_MAX_MS;
  }
  c->destination.is_zero = false; /* no longer: it was written to */
  for (size_t i = 0; i < map.nr; i++) {
    if (osm_copy_stopped (c))
      return osm_error_set (err, OSM_ERROR_INTERRUPTED, 0, "copy cancelled");
    if (zero_range (c, &map.v[i], err) == -1)
      return -1;
  }
  atomic_store (&c->progress->free_bytes, map.free_bytes);
  return 0;
}

void
osm_copy_note_data (struct osm_copy *c, uint64_t offset, uint64_t length)
{
  uint64_t block, from, to;

  if (!c->touched)
    return;
  block = osm_bitmap_block (c->touched);
  from = offset / block * block;
  to = (offset + length + block - 1) / block * block;
  osm_bitmap_set (c->touched, from, (to < c->size_bytes ? to : c->size_bytes) - from);
}
