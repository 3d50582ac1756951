/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <errno.h>
#include <libnbd.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "nbd/freemap.h"
#include "nbd/worker.h"

/* The last part of a copy from a source that may have a free-space map: the map came while ranges were
 * copied with what deleted files had left in them, and these are made zero now, so that the
 * destination equals what the source shows. */

#define STATUS_BYTES (UINT64_C (4095) << 20) /* in one question; NBD has 32 bits for it */
#define BACKOFF_FIRST_MS 200
#define BACKOFF_MAX_MS 5000

struct listing {
  struct osm_freemap *map;
  uint64_t offset; /* known so far */
};

static int
add_extents (void *data, const char *context, uint64_t offset, uint32_t *entries, size_t nr_entries,
             int *error)
{
  struct listing *l = data;
  OSM_ERROR (ignored);

  if (*error || strcmp (context, LIBNBD_CONTEXT_BASE_ALLOCATION) != 0 || offset != l->offset)
    return 0;
  for (size_t i = 0; i + 1 < nr_entries; i += 2) {
    uint64_t length = entries[i];

    if (length > l->map->size_bytes - l->offset)
      length = l->map->size_bytes - l->offset;
    /* What cannot be added (more than any agent makes) stays as it was copied. */
    if ((entries[i + 1] & LIBNBD_STATE_ZERO) && l->map->nr < OSM_FREEMAP_MAX)
      (void)osm_freemap_add (l->map, l->offset, length, &ignored);
    l->offset += length;
  }
  return 0;
}

static int
nbd_failed (const struct osm_source_connection *connection, struct osm_error *err)
{
  const char *text = nbd_get_error ();

  if (connection->error && connection->error (connection->handle, err) == -1)
    return -1;
  return osm_error_set (err, OSM_ERROR_RETRY, nbd_get_errno (), "free-space map of the source: %s",
                        text ? text : "connection lost");
}

static int
list_free (struct nbd_handle *nbd, struct osm_source_connection *connection,
           struct osm_freemap *map, struct osm_error *err)
{
  struct listing l = { .map = map };

  if (nbd_add_meta_context (nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) == -1 ||
      nbd_set_export_name (nbd, OSM_FREEMAP_EXPORT) == -1 ||
      nbd_connect_socket (nbd, connection->fd) == -1)
    return nbd_failed (connection, err);
  connection->fd = -1; /* the library's */
  if (nbd_can_meta_context (nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) != 1)
    return 0;
  while (l.offset < map->size_bytes) {
    uint64_t before = l.offset, left = map->size_bytes - l.offset;

    if (nbd_block_status (nbd, left < STATUS_BYTES ? left : STATUS_BYTES, l.offset,
                          (nbd_extent_callback){ .callback = add_extents, .user_data = &l },
                          0) == -1)
      return nbd_failed (connection, err);
    if (l.offset == before)
      return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                            "free-space map of the source: it does not answer");
  }
  nbd_shutdown (nbd, 0);
  return 0;
}

static int
fetch (struct osm_copy *c, struct osm_freemap *map, struct osm_error *err)
{
  struct osm_source_connection connection = { .fd = -1 };
  struct nbd_handle *nbd;
  int r;

  if (c->source->open (c->source->data, &connection, err) == -1)
    return -1;
  nbd = nbd_create ();
  if (!nbd)
    osm_oom ();
  osm_freemap_init (map, c->size_bytes);
  r = list_free (nbd, &connection, map, err);
  if (connection.fd >= 0)
    close (connection.fd);
  nbd_close (nbd);
  if (connection.close)
    connection.close (connection.handle);
  return r;
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
