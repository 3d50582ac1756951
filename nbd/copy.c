/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/copy.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "nbd/worker.h"

/* As many as the round trip needs: libssh lets about 1 MiB be on its way on each. More than needed only cost. */
#define CONNECTIONS 2
#define CONNECTIONS_FAR 4
#define CONNECTIONS_VERY_FAR 8
#define VERY_FAR_US 25000
/* 2 MiB on their way on each connection fill libssh's window; with more, neither end finds the bytes in its cache (docs/PERFORMANCE.md) */
#define REQUESTS 8
#define REQUEST_BYTES ((size_t)256 << 10)
#define RANGES_IN_FLIGHT 2 /* the smallest range is what a connection has in flight, by this */
#define REQUEST_BYTES_MIN 4096
#define REQUEST_BYTES_MAX ((size_t)32 << 20) /* every NBD server takes that */
#define MEMORY_BYTES (UINT64_C (64) << 20)
#define RECONNECT_MS 60000
#define FIRST_CONNECT_MS \
  10000 /* at the start nobody wants to wait for a minute to learn of a typing error */
/* After a crash at most 64 MiB are sent again: what was received and not saved, and the blocks that were not
 * complete when it was saved. A save begins at the first, and the second stops everything until it is done. */
#define FLUSH_BYTES (UINT64_C (16) << 20)
#define UNSAVED_MAX (UINT64_C (48) << 20)
#define PAUSE_MS 100

bool
osm_copy_stopped (const struct osm_copy *c)
{
  return atomic_load (&c->stop) || (c->cancel && atomic_load (c->cancel));
}

bool
osm_copy_must_save (const struct osm_copy *c)
{
  return c->unsaved_max > 0 && atomic_load (&c->unsaved_bytes) >= c->unsaved_max;
}

void
osm_copy_received (struct osm_copy *c, uint64_t length)
{
  uint64_t before = atomic_fetch_add (&c->unsaved_bytes, length);

  if (c->flush_bytes == 0 || before >= c->flush_bytes || before + length < c->flush_bytes)
    return;
  OSM_LOCKED (&c->lock);
  pthread_cond_broadcast (&c->changed);
}

static void
pause_locked (struct osm_copy *c, uint64_t ms)
{
  struct timespec ts;

  clock_gettime (CLOCK_MONOTONIC, &ts);
  ts.tv_sec += (time_t)(ms / 1000);
  ts.tv_nsec += (long)(ms % 1000) * 1000000;
  if (ts.tv_nsec >= 1000000000) {
    ts.tv_sec++;
    ts.tv_nsec -= 1000000000;
  }
  pthread_cond_timedwait (&c->changed, &c->lock, &ts);
}

void
osm_copy_pause (struct osm_copy *c, uint64_t ms)
{
  OSM_LOCKED (&c->lock);
  pause_locked (c, ms);
}

/* The next clear blocks of the piece, at most length; what follows is put back into the piece. */
static bool
take_clear (struct osm_copy *c, struct osm_copy_piece *piece, uint64_t length,
            struct osm_copy_piece *ret)
{
  uint64_t end = piece->offset + piece->length;
  uint64_t block = osm_bitmap_block (c->bitmap);
  uint64_t offset, n;

  if (!osm_bitmap_next (c->bitmap, piece->offset, false, &offset, &n) || offset >= end)
    return false;
  if (n > end - offset)
    n = end - offset;
  length = length / block * block;
  if (length < block)
    length = block;
  if (n > length)
    n = length;
  *ret = (struct osm_copy_piece){ .offset = offset, .length = n };
  piece->offset = offset + n;
  piece->length = end - piece->offset;
  return true;
}

int
osm_copy_range_get (struct osm_copy *c, uint64_t length, struct osm_copy_piece *ret)
{
  uint64_t left, share, least = c->request_bytes * c->requests / RANGES_IN_FLIGHT;

  OSM_LOCKED (&c->lock);
  while (c->nr_returned > 0) {
    struct osm_copy_piece *piece = &c->returned[c->nr_returned - 1];

    if (take_clear (c, piece, length, ret)) {
      if (piece->length == 0)
        c->nr_returned--;
      c->ranges_out++;
      return 1;
    }
    c->nr_returned--;
  }
  left = c->size_bytes - c->cursor;
  /* Towards the end smaller ones, so that all connections finish together; but what a connection has ahead keeps it busy. */
  share = left / (4 * (uint64_t)c->connections);
  if (share < least)
    share = least;
  if (length > share)
    length = share;
  if (left > 0) {
    struct osm_copy_piece piece = { .offset = c->cursor, .length = left };

    if (take_clear (c, &piece, length, ret)) {
      c->cursor = piece.offset;
      c->ranges_out++;
      return 1;
    }
    c->cursor = c->size_bytes;
  }
  return c->ranges_out > 0 ? 0 : -1;
}

void
osm_copy_range_return (struct osm_copy *c, struct osm_copy_piece piece)
{
  OSM_LOCKED (&c->lock);
  if (c->nr_returned == c->allocated_returned) {
    c->allocated_returned = c->allocated_returned ? c->allocated_returned * 2 : 16;
    c->returned = osm_realloc (c->returned, c->allocated_returned, sizeof *c->returned);
  }
  c->returned[c->nr_returned++] = piece;
  c->ranges_out--;
  pthread_cond_broadcast (&c->changed);
}

void
osm_copy_range_finished (struct osm_copy *c)
{
  OSM_LOCKED (&c->lock);
  c->ranges_out--;
  if (c->ranges_out == 0)
    pthread_cond_broadcast (&c->changed);
}

bool
osm_copy_all_finished (struct osm_copy *c)
{
  uint64_t offset, length;

  OSM_LOCKED (&c->lock);
  return c->ranges_out == 0 && c->nr_returned == 0 &&
         !osm_bitmap_next (c->bitmap, c->cursor, false, &offset, &length);
}

void
osm_copy_fail (struct osm_copy *c, struct osm_error *err)
{
  OSM_LOCKED (&c->lock);
  if (!osm_error_is_set (&c->error))
    osm_error_move (&c->error, err);
  atomic_store (&c->stop, true);
  pthread_cond_broadcast (&c->changed);
}

void
osm_copy_worker_ended (struct osm_copy *c)
{
  OSM_LOCKED (&c->lock);
  c->workers--;
  pthread_cond_broadcast (&c->changed);
}

/* What is marked finished in the file must be on the disk before. */
static int
flush (struct osm_copy *c, const struct osm_copy_options *options, struct osm_error *err)
{
  OSM_CLEANUP_BITMAP struct osm_bitmap *snapshot = NULL;
  uint64_t saved = atomic_load (&c->unsaved_bytes);

  if (options->bitmap_path)
    snapshot = osm_bitmap_copy (c->bitmap);
  if (osm_destination_flush (&c->destination, err) == -1)
    return -1;
  if (options->bad_blocks && osm_bad_blocks_save (options->bad_blocks, err) == -1)
    return -1;
  if (snapshot && osm_bitmap_save (snapshot, options->bitmap_path, err) == -1)
    return -1;
  atomic_fetch_sub (&c->unsaved_bytes, saved);
  OSM_LOCKED (&c->lock);
  pthread_cond_broadcast (&c->changed);
  return 0;
}

static int
first_connect (struct osm_copy *c, struct osm_worker *w, struct osm_error *err)
{
  uint64_t limit = c->reconnect_ms < FIRST_CONNECT_MS ? c->reconnect_ms : FIRST_CONNECT_MS;
  uint64_t start = osm_now_ms ();
  uint64_t pause_ms = 100;

  while (osm_worker_connect (w, err) == -1) {
    if (err->class != OSM_ERROR_RETRY || osm_now_ms () - start + pause_ms > limit ||
        osm_copy_stopped (c))
      return -1;
    osm_debug ("copy: %s", err->message);
    osm_error_clear (err);
    osm_copy_pause (c, pause_ms);
    pause_ms *= 2;
  }
  return 0;
}

static int
run_workers (struct osm_copy *c, struct osm_worker **workers,
             const struct osm_copy_options *options, struct osm_error *err)
{
  pthread_t threads[OSM_COPY_CONNECTIONS_MAX];
  unsigned started = 0;

  for (; started < c->connections; started++) {
    OSM_ERROR (failed);
    int e;

    {
      OSM_LOCKED (&c->lock);
      c->workers++;
    }
    e = pthread_create (&threads[started], NULL, osm_worker_thread, workers[started]);
    if (e != 0) {
      osm_error_set_errno (&failed, e, "cannot start a thread");
      osm_copy_worker_ended (c);
      osm_copy_fail (c, &failed);
      break;
    }
  }
  for (;;) {
    OSM_ERROR (failed);

    {
      OSM_LOCKED (&c->lock);
      if (c->workers == 0)
        break;
      if (c->flush_bytes == 0 || atomic_load (&c->unsaved_bytes) < c->flush_bytes)
        pause_locked (c, PAUSE_MS);
    }
    if (c->flush_bytes > 0 && atomic_load (&c->unsaved_bytes) >= c->flush_bytes &&
        flush (c, options, &failed) == -1)
      osm_copy_fail (c, &failed);
  }
  for (unsigned i = 0; i < started; i++)
    pthread_join (threads[i], NULL);

  if (osm_error_is_set (&c->error)) {
    osm_error_move (err, &c->error);
    return -1;
  }
  if (!osm_copy_all_finished (c))
    return osm_error_set (err, OSM_ERROR_INTERRUPTED, 0, "copy cancelled");
  return 0;
}

static unsigned
connections_for (uint64_t rtt_us)
{
  if (rtt_us < OSM_COPY_FAR_US)
    return CONNECTIONS;
  return rtt_us < VERY_FAR_US ? CONNECTIONS_FAR : CONNECTIONS_VERY_FAR;
}

static int
copy_init (struct osm_copy *c, const struct osm_source *source,
           const struct osm_copy_options *options, struct osm_copy_progress *progress,
           struct osm_error *err)
{
  uint64_t memory = options->memory_bytes ? options->memory_bytes : MEMORY_BYTES;
  size_t request = options->request_bytes ? options->request_bytes : REQUEST_BYTES;
  pthread_condattr_t attr;

  memset (c, 0, sizeof *c);
  c->destination.fd = -1;
  c->source = source;
  c->cancel = options->cancel;
  c->bad_blocks = options->bad_blocks;
  c->progress = progress;
  c->throttle = options->throttle;
  c->connections_now = options->connections_now;
  c->size_bytes = options->size_bytes;
  c->reconnect_ms = options->reconnect_ms ? options->reconnect_ms : RECONNECT_MS;
  pthread_mutex_init (&c->lock, NULL);
  pthread_condattr_init (&attr);
  pthread_condattr_setclock (&attr, CLOCK_MONOTONIC);
  pthread_cond_init (&c->changed, &attr);
  pthread_condattr_destroy (&attr);
  atomic_store (&c->last_progress_ms, osm_now_ms ());

  /* Not given: the first one measures the distance. */
  c->connections = options->connections ? options->connections : CONNECTIONS_VERY_FAR;
  if (c->connections > OSM_COPY_CONNECTIONS_MAX)
    c->connections = OSM_COPY_CONNECTIONS_MAX;
  c->requests = options->requests ? options->requests : REQUESTS;
  if (c->requests > OSM_COPY_REQUESTS_MAX)
    c->requests = OSM_COPY_REQUESTS_MAX;
  request = request / REQUEST_BYTES_MIN * REQUEST_BYTES_MIN;
  if (request < REQUEST_BYTES_MIN)
    request = REQUEST_BYTES_MIN;
  if (request > REQUEST_BYTES_MAX)
    request = REQUEST_BYTES_MAX;
  while (request > REQUEST_BYTES_MIN && request > memory / c->connections)
    request = request / 2 / REQUEST_BYTES_MIN * REQUEST_BYTES_MIN;
  c->request_bytes = request;
  if (c->requests > memory / c->connections / request)
    c->requests = (unsigned)(memory / c->connections / request);
  if (c->requests == 0)
    c->requests = 1;

  if (options->flush_bytes || options->bitmap_path)
    c->flush_bytes = options->flush_bytes ? options->flush_bytes : FLUSH_BYTES;
  if (options->bitmap_path)
    c->unsaved_max = c->flush_bytes + UNSAVED_MAX - FLUSH_BYTES;

  if (options->bitmap && osm_bitmap_size (options->bitmap) != options->size_bytes)
    return osm_error_set (err, OSM_ERROR_BUG, 0, "the bitmap is of a volume of another size");
  c->bitmap = options->bitmap;
  if (!c->bitmap && osm_bitmap_new (options->size_bytes, 0, &c->bitmap, err) == -1)
    return -1;
  if (options->free_map) /* of blocks that an earlier run finished it is not known how */
    c->touched = osm_bitmap_copy (c->bitmap);
  atomic_store (&progress->done_bytes, osm_bitmap_done_bytes (c->bitmap));
  atomic_store (&progress->unknown_bytes, c->size_bytes - osm_bitmap_done_bytes (c->bitmap));
  return 0;
}

static void
copy_done (struct osm_copy *c, const struct osm_copy_options *options)
{
  if (c->bitmap != options->bitmap)
    osm_bitmap_free (c->bitmap);
  osm_bitmap_free (c->touched);
  osm_error_done (&c->error);
  free (c->returned);
  pthread_cond_destroy (&c->changed);
  pthread_mutex_destroy (&c->lock);
}

int
osm_copy_run (const struct osm_source *source, int destination_fd,
              const struct osm_copy_options *options, struct osm_error *err)
{
  struct osm_copy_progress own = { 0 };
  struct osm_worker *workers[OSM_COPY_CONNECTIONS_MAX] = { 0 };
  struct osm_copy c;
  int r = -1;

  if (!options->discard && destination_fd < 0)
    return osm_error_set (err, OSM_ERROR_BUG, EBADF, "copy without a destination");
  if (copy_init (&c, source, options, options->progress ? options->progress : &own, err) == -1)
    goto out;
  workers[0] = osm_worker_new (&c, 0);

  /* The first connection alone, so that a wrong source leaves the destination untouched. */
  if (first_connect (&c, workers[0], err) == -1) {
    if (c.cancel && atomic_load (c.cancel)) {
      osm_error_clear (err);
      osm_error_set (err, OSM_ERROR_INTERRUPTED, 0, "copy cancelled");
    }
    goto out;
  }
  if (osm_destination_init (&c.destination, options->discard ? -1 : destination_fd, c.size_bytes,
                            options->destination_is_zero, err) == -1)
    goto out;
  if (!options->connections)
    c.connections = connections_for (osm_worker_rtt_us (workers[0]));
  for (unsigned i = 1; i < c.connections; i++)
    workers[i] = osm_worker_new (&c, i);
  atomic_store (&c.last_progress_ms, osm_now_ms ());
  r = run_workers (&c, workers, options, err);
  if (r == 0 && c.touched)
    r = osm_copy_free_pass (&c, err);
  {
    /* Also after a failure: what is finished need not be sent again. */
    OSM_ERROR (failed);

    if ((r == 0 || options->bitmap_path) && flush (&c, options, &failed) == -1) {
      r = -1;
      if (!osm_error_is_set (err))
        osm_error_move (err, &failed);
    }
  }

out:
  for (unsigned i = 0; i < OSM_COPY_CONNECTIONS_MAX; i++)
    osm_worker_free (workers[i]);
  copy_done (&c, options);
  return r;
}
