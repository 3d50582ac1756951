/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/worker.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "nbd/badblocks.h"
#include "nbd/client.h"
#include "nbd/extents.h"
#include "nbd/range.h"

#define HANDSHAKE_MS 30000
#define POLL_MS 100 /* how soon a cancel is seen */
#define RANGE_BYTES_FIRST (UINT64_C (4) << 20)
#define RANGE_BYTES_MAX (UINT64_C (32) << 20)
#define RANGES_AHEAD 2 /* ranges not wholly asked for: block status of the next is under way */
#define HOLE_MIN_BYTES 65536 /* smaller ones are read with the data around them */
#define BACKOFF_FIRST_MS 200
#define BACKOFF_MAX_MS 5000
#define BUFFER_ALIGN 4096

/* A range on its way: [.., position) was asked for, [.., known) has extents. */
struct transfer {
  struct osm_worker *worker;
  struct osm_range range;
  struct osm_extents extents;
  size_t extent;
  uint64_t position, known;
  uint64_t asked; /* known at the last question for block status */
  bool status_pending;
  unsigned in_flight; /* commands of any kind */
  uint64_t found;     /* data in the extents */
  /* Whole blocks at the destination; of these, did not cross the network. */
  uint64_t finished, zero;
  struct transfer *next;
};

/* One read; becomes the write from the same buffer. */
struct command {
  struct transfer *transfer;
  char *buf;
  uint64_t offset;
  size_t length;
  int error; /* errno of the server */
  bool done; /* of a probe, which belongs to no transfer */
  struct command *next;
};

struct osm_worker {
  struct osm_copy *copy;
  unsigned index;
  int wait_ms; /* the rate limit lets nothing through before */
  struct osm_nbd *nbd;
  struct osm_source_connection connection;
  bool extents; /* the server has block status */
  bool stale;   /* to be opened anew as soon as nothing is in flight */
  size_t request_bytes;
  uint64_t range_bytes;
  struct transfer *first, **last; /* in order of their start */
  struct command *free_commands;
  struct command *completed, **completed_last;
  unsigned in_flight; /* reads and block status */
  struct command *commands;
  char *memory;
};

struct osm_worker *
osm_worker_new (struct osm_copy *c, unsigned index)
{
  struct osm_worker *w = osm_calloc (1, sizeof *w);
  void *memory;

  w->copy = c;
  w->index = index;
  w->range_bytes = RANGE_BYTES_FIRST;
  w->last = &w->first;
  w->completed_last = &w->completed;
  if (posix_memalign (&memory, BUFFER_ALIGN, c->request_bytes * c->requests) != 0)
    osm_oom ();
  w->memory = memory;
  w->commands = osm_calloc (c->requests, sizeof *w->commands);
  for (unsigned i = 0; i < c->requests; i++) {
    w->commands[i].buf = w->memory + i * c->request_bytes;
    w->commands[i].next = w->free_commands;
    w->free_commands = &w->commands[i];
  }
  return w;
}

static void
transfer_free (struct transfer *t)
{
  osm_range_done (&t->range);
  osm_extents_done (&t->extents);
  free (t);
}

/* What was known of the part that is not finished will be asked for again. */
static void
forget_extents (struct osm_copy_progress *p, const struct transfer *t)
{
  uint64_t left = t->found - (t->finished - t->zero);

  atomic_fetch_sub (&p->found_bytes, left);
  atomic_fetch_sub (&p->left_bytes, left);
  atomic_fetch_add (&p->unknown_bytes, t->known - t->range.offset - t->finished);
}

/* Closes the connection; what was under way is given back. */
static void
disconnect (struct osm_worker *w)
{
  struct osm_copy *c = w->copy;

  if (w->nbd) {
    osm_nbd_free (osm_take (w->nbd)); /* also ends the callbacks */
    atomic_fetch_sub (&c->progress->connections, 1);
  }
  if (w->connection.close)
    w->connection.close (w->connection.handle);
  memset (&w->connection, 0, sizeof w->connection);

  while (w->first) {
    struct transfer *t = w->first;

    w->first = t->next;
    forget_extents (c->progress, t);
    osm_copy_range_return (
        c, (struct osm_copy_piece){ .offset = t->range.offset, .length = t->range.length });
    transfer_free (t);
  }
  w->last = &w->first;
  w->completed = NULL;
  w->completed_last = &w->completed;
  w->in_flight = 0;
  w->free_commands = NULL;
  for (unsigned i = 0; i < c->requests; i++) {
    w->commands[i].next = w->free_commands;
    w->free_commands = &w->commands[i];
  }
  w->range_bytes = RANGE_BYTES_FIRST;
}

void
osm_worker_free (struct osm_worker *w)
{
  if (!w)
    return;
  disconnect (w);
  free (w->commands);
  free (w->memory);
  free (w);
}

/* The next bytes of the range are known now. */
static void
note_known (struct transfer *t, uint64_t length, bool zero)
{
  struct osm_copy_progress *p = t->worker->copy->progress;

  t->known += length;
  atomic_fetch_sub (&p->unknown_bytes, length);
  if (zero)
    return;
  t->found += length;
  atomic_fetch_add (&p->found_bytes, length);
  atomic_fetch_add (&p->left_bytes, length);
}

/* One of the extents that a server tells of. */
static void
status_extent (void *data, void *cookie, uint64_t length, bool zero)
{
  struct transfer *t = cookie;
  uint64_t end = t->range.offset + t->range.length;
  OSM_ERROR (ignored);

  (void)data;
  if (length > end - t->known)
    length = end - t->known;
  if (length < HOLE_MIN_BYTES && t->known + length < end)
    zero = false;
  /* What has no extent is asked for again, or read. */
  if (length > 0 && osm_extents_add (&t->extents, t->known, length, zero, &ignored) == 0)
    note_known (t, length, zero);
}

static void
status_done (void *data, void *cookie, int error)
{
  struct osm_worker *w = data;
  struct transfer *t = cookie;

  (void)error; /* without an answer the range is read: see ask_status */
  t->status_pending = false;
  t->in_flight--;
  w->in_flight--;
  atomic_store (&w->copy->last_progress_ms, osm_now_ms ());
}

/* The error is looked at in write_completed. */
static void
read_done (void *data, void *cookie, int error)
{
  struct osm_worker *w = data;
  struct command *cmd = cookie;

  cmd->error = error;
  cmd->next = NULL;
  if (!cmd->transfer) {
    cmd->done = true;
    return;
  }
  *w->completed_last = cmd;
  w->completed_last = &cmd->next;
}

static int
handshake (struct osm_worker *w, struct osm_error *err)
{
  uint64_t deadline = osm_now_ms () + HANDSHAKE_MS;
  int r;

  while ((r = osm_nbd_handshake (w->nbd, POLL_MS, err)) == 0) {
    if (osm_copy_stopped (w->copy))
      return osm_error_set (err, OSM_ERROR_INTERRUPTED, 0, "stopped");
    if (osm_now_ms () >= deadline)
      return osm_error_set (err, OSM_ERROR_RETRY, ETIMEDOUT, "NBD server does not answer");
  }
  return r == -1 ? -1 : 0;
}

static int
check_export (struct osm_worker *w, struct osm_error *err)
{
  struct osm_copy *c = w->copy;
  uint64_t size = osm_nbd_size (w->nbd);

  if (size != c->size_bytes)
    return osm_error_set (err, OSM_ERROR_USER, 0,
                          "the source has %" PRIu64 " bytes, expected %" PRIu64, size,
                          c->size_bytes);
  w->extents = osm_nbd_has_extents (w->nbd);
  w->request_bytes = c->request_bytes;
  if (osm_nbd_max_request (w->nbd) < w->request_bytes)
    w->request_bytes = osm_nbd_max_request (w->nbd);
  return 0;
}

static void
note_cipher (struct osm_worker *w)
{
  struct osm_copy *c = w->copy;
  const char *name = w->connection.cipher ? w->connection.cipher (w->connection.handle) : NULL;

  OSM_LOCKED (&c->lock);
  if (!name || atomic_load (&c->progress->cipher_known))
    return;
  snprintf (c->progress->cipher, sizeof c->progress->cipher, "%s", name);
  atomic_store (&c->progress->cipher_known, true);
}

int
osm_worker_connect (struct osm_worker *w, struct osm_error *err)
{
  const struct osm_nbd_callbacks callbacks = {
    .read_done = read_done, .extent = status_extent, .status_done = status_done, .data = w
  };

  assert (!w->nbd);
  if (w->copy->source->open (w->copy->source->data, &w->connection, err) == -1) {
    memset (&w->connection, 0, sizeof w->connection);
    return -1;
  }
  w->stale = false;
  w->nbd = osm_nbd_new (&w->connection.stream, "", &callbacks);
  atomic_fetch_add (&w->copy->progress->connections, 1);
  if (handshake (w, err) == -1 || check_export (w, err) == -1) {
    disconnect (w);
    return -1;
  }
  if (w->connection.stream.far && osm_worker_rtt_us (w) >= OSM_COPY_FAR_US)
    w->connection.stream.far (w->connection.stream.data);
  note_cipher (w);
  return 0;
}

/* The part of the range from known to end is data. */
static int
add_data (struct transfer *t, uint64_t end, struct osm_error *err)
{
  if (end > t->known && osm_extents_add (&t->extents, t->known, end - t->known, false, err) == -1)
    return -1;
  note_known (t, end - t->known, false);
  return 0;
}

static int
ask_status (struct osm_worker *w, struct transfer *t, struct osm_error *err)
{
  uint64_t end = t->range.offset + t->range.length;
  uint64_t count = end - t->known;

  /* An answer that did not say anything of this place will not do so the next time. */
  if (!w->extents || t->asked == t->known)
    return add_data (t, end, err);
  t->asked = t->known;
  t->status_pending = true;
  t->in_flight++;
  w->in_flight++;
  return osm_nbd_block_status (w->nbd, (uint32_t)count, t->known, t, err);
}

/* Bytes of a transfer that are at the destination. */
static void
finished (struct osm_worker *w, struct transfer *t, uint64_t offset, uint64_t length, bool zero)
{
  struct osm_copy *c = w->copy;
  uint64_t zero_bytes = 0;
  uint64_t done = osm_range_finish (&t->range, offset, length, zero, c->bitmap, &zero_bytes);

  if (done)
    atomic_fetch_add (&c->progress->done_bytes, done);
  if (zero_bytes)
    atomic_fetch_add (&c->progress->zero_bytes, zero_bytes);
  t->finished += done;
  t->zero += zero_bytes;
  atomic_fetch_sub (&c->progress->left_bytes, done - zero_bytes);
}

uint64_t
osm_worker_rtt_us (const struct osm_worker *w)
{
  return osm_nbd_rtt_us (w->nbd);
}

/* Asks for the next piece of a transfer or zeroes it, unless the rate limit says to wait. */
static int
start_piece (struct osm_worker *w, struct transfer *t, struct osm_error *err)
{
  struct osm_extent *x = &t->extents.v[t->extent];
  uint64_t length = x->offset + x->length - t->position;
  struct command *cmd;

  if (x->zero) {
    if (osm_destination_zero (&w->copy->destination, t->position, length, err) == -1)
      return -1;
    finished (w, t, t->position, length, true);
  }
  else {
    size_t max = osm_throttle_piece (w->copy->throttle, w->request_bytes);
    uint64_t wait_us;

    if (length > max)
      length = max;
    wait_us = osm_throttle_take (w->copy->throttle, (size_t)length, osm_now_us ());
    if (wait_us) {
      w->wait_ms = wait_us < POLL_MS * 1000 ? (int)(wait_us / 1000) + 1 : POLL_MS;
      return 0;
    }
    cmd = w->free_commands;
    cmd->transfer = t;
    cmd->offset = t->position;
    cmd->length = (size_t)length;
    cmd->error = 0;
    if (osm_nbd_read (w->nbd, cmd->buf, (uint32_t)cmd->length, cmd->offset, cmd, err) == -1)
      return -1;
    w->free_commands = cmd->next;
    cmd->next = NULL;
    t->in_flight++;
    w->in_flight++;
  }
  t->position += length;
  if (t->position == x->offset + x->length)
    t->extent++;
  return 0;
}

static bool
all_asked (const struct transfer *t)
{
  return t->position == t->range.offset + t->range.length;
}

static int
start_transfer (struct osm_worker *w, struct osm_copy_piece piece, struct osm_error *err)
{
  struct transfer *t = osm_calloc (1, sizeof *t);

  t->worker = w;
  osm_range_init (&t->range, piece.offset, piece.length, osm_bitmap_block (w->copy->bitmap));
  t->position = t->known = piece.offset;
  t->asked = UINT64_MAX;
  *w->last = t;
  w->last = &t->next;
  if (w->range_bytes < RANGE_BYTES_MAX)
    w->range_bytes *= 2;
  return ask_status (w, t, err);
}

/* The memory and the connections of the host are shared with other copies, and this one is beyond our share. */
static bool
must_rest (const struct osm_worker *w)
{
  return w->index > 0 && w->copy->connections_now &&
         w->index >= atomic_load (w->copy->connections_now);
}

/* Keeps the connection busy. *ret_finished: all of the volume is at the destination. */
static int
start_work (struct osm_worker *w, bool *ret_finished, struct osm_error *err)
{
  *ret_finished = false;
  w->wait_ms = 0;
  for (;;) {
    struct transfer *ready = NULL;
    unsigned ahead = 0;

    if (osm_copy_stopped (w->copy) || w->stale || must_rest (w))
      return 0;
    for (struct transfer *t = w->first; t; t = t->next) {
      if (all_asked (t))
        continue;
      ahead++;
      if (!ready && t->position < t->known)
        ready = t;
    }
    if (ahead < RANGES_AHEAD) {
      struct osm_copy_piece piece;
      int r = osm_copy_range_get (w->copy, w->range_bytes, &piece);

      if (r == 1) {
        if (start_transfer (w, piece, err) == -1)
          return -1;
        continue;
      }
      *ret_finished = r == -1;
    }
    if (!ready || (!ready->extents.v[ready->extent].zero &&
                   (!w->free_commands || osm_copy_must_save (w->copy))))
      return 0;
    if (start_piece (w, ready, err) == -1)
      return -1;
    if (w->wait_ms)
      return 0;
  }
}

/* An osm_probe_fn: alone on its connection but for what is under way. */
static int
probe (void *data, void *buf, size_t length, uint64_t offset, struct osm_error *err)
{
  struct osm_worker *w = data;
  struct command cmd = { .transfer = NULL };

  if (osm_nbd_read (w->nbd, buf, (uint32_t)length, offset, &cmd, err) == -1)
    return -1;
  while (!cmd.done) {
    if (osm_copy_stopped (w->copy))
      return osm_error_set (err, OSM_ERROR_INTERRUPTED, 0, "stopped");
    if (osm_nbd_receive (w->nbd, POLL_MS, err) == -1)
      return -1;
  }
  atomic_store (&w->copy->last_progress_ms, osm_now_ms ());
  return cmd.error;
}

/* 0: it is in the buffer all the same. */
static int
read_failed (struct osm_worker *w, const struct command *cmd, struct osm_error *err)
{
  uint64_t offset = cmd->offset;
  size_t length = cmd->length;

  /* The server is being ended: another one may come. */
  if (cmd->error == ESHUTDOWN)
    return osm_error_set (err, OSM_ERROR_RETRY, ESHUTDOWN, "the NBD server ends");
  /* EINVAL and the like are of the request, not of the disk. */
  if (w->copy->bad_blocks && cmd->error == EIO)
    return osm_read_around (probe, w, w->copy->bad_blocks, cmd->buf, offset, length, err);
  if (osm_find_bad (probe, w, &offset, &length, err) == -1)
    return -1;
  return osm_error_set (err, OSM_ERROR_REMOTE, cmd->error,
                        "the source cannot read %zu bytes at offset %" PRIu64 ": %s", length,
                        offset, strerror (cmd->error));
}

/* Writes what was received. */
static int
write_completed (struct osm_worker *w, struct osm_error *err)
{
  struct osm_copy *c = w->copy;

  while (w->completed) {
    struct command *cmd = w->completed;
    struct transfer *t = cmd->transfer;

    w->completed = cmd->next;
    if (!w->completed)
      w->completed_last = &w->completed;
    w->in_flight--;
    t->in_flight--;
    if (cmd->error && read_failed (w, cmd, err) == -1)
      return -1;
    atomic_store (&c->last_progress_ms, osm_now_ms ());
    atomic_fetch_add (&c->progress->sent_bytes, cmd->length);
    if (osm_destination_write (&c->destination, cmd->buf, cmd->length, cmd->offset, err) == -1)
      return -1;
    osm_copy_received (c, cmd->length);
    osm_copy_note_data (c, cmd->offset, cmd->length);
    finished (w, t, cmd->offset, cmd->length, false);
    cmd->next = w->free_commands;
    w->free_commands = cmd;
  }
  return 0;
}

/* Drops finished transfers; asks again where block status told less than asked. */
static int
tend_transfers (struct osm_worker *w, struct osm_error *err)
{
  struct transfer **p = &w->first;

  while (*p) {
    struct transfer *t = *p;

    if (t->range.missing == 0 && t->in_flight == 0) {
      *p = t->next;
      transfer_free (t);
      osm_copy_range_finished (w->copy);
      continue;
    }
    if (!w->stale && !t->status_pending && t->known < t->range.offset + t->range.length &&
        ask_status (w, t, err) == -1)
      return -1;
    p = &t->next;
  }
  w->last = p;
  return 0;
}

/* 0: all finished or stopped. 1: connect anew, or rest. -1: failed; RETRY means that the connection is lost. */
static int
transfer_all (struct osm_worker *w, struct osm_error *err)
{
  bool all_finished;

  while (!osm_copy_stopped (w->copy)) {
    if (!w->stale && w->connection.stale && w->connection.stale (w->connection.handle))
      w->stale = true;
    if (write_completed (w, err) == -1 || tend_transfers (w, err) == -1 ||
        start_work (w, &all_finished, err) == -1)
      return -1;
    if ((w->stale || must_rest (w)) && w->in_flight == 0 && !w->completed)
      return 1;
    if (w->completed ||
        (w->first && w->in_flight == 0 && !w->wait_ms && !osm_copy_must_save (w->copy)))
      continue; /* zeroed or failed at once */
    if (w->in_flight > 0) {
      if (osm_nbd_receive (w->nbd, w->wait_ms ? w->wait_ms : POLL_MS, err) == -1)
        return -1;
    }
    else if (all_finished && !w->wait_ms) {
      return 0;
    }
    else {
      osm_copy_pause (w->copy, w->wait_ms ? (uint64_t)w->wait_ms : POLL_MS);
    }
  }
  return 0;
}

/* Whether a failed attempt may be repeated. The first connection of the copy had been accepted by
 * the source, so a refusal now (its export is being restarted) may pass; a wrong key will not. */
static bool
may_retry (const struct osm_error *err)
{
  return err->class == OSM_ERROR_RETRY || err->class == OSM_ERROR_REMOTE;
}

static void
run (struct osm_worker *w)
{
  struct osm_copy *c = w->copy;
  uint64_t backoff_ms = BACKOFF_FIRST_MS;

  while (!osm_copy_stopped (c) && !osm_copy_all_finished (c)) {
    OSM_ERROR (err);
    uint64_t progress = atomic_load (&c->last_progress_ms);
    bool retry;
    int r;

    if (must_rest (w)) {
      disconnect (w);
      madvise (w->memory, c->request_bytes * c->requests, MADV_DONTNEED);
      osm_copy_pause (c, POLL_MS);
      continue;
    }
    if (!w->nbd) {
      retry = osm_worker_connect (w, &err) == -1;
      if (retry && (err.class == OSM_ERROR_INTERRUPTED || osm_copy_stopped (c)))
        break;
      if (retry && !may_retry (&err)) {
        osm_copy_fail (c, &err);
        break;
      }
      if (!retry)
        continue;
    }
    else if ((r = transfer_all (w, &err)) == 0) {
      break;
    }
    else if (r == 1) {
      disconnect (w);
      continue;
    }
    else {
      retry = err.class == OSM_ERROR_RETRY;
      if (!retry) {
        osm_copy_fail (c, &err);
        break;
      }
      disconnect (w);
      atomic_fetch_add (&c->progress->reconnects, 1);
      if (atomic_load (&c->last_progress_ms) != progress)
        backoff_ms = BACKOFF_FIRST_MS;
    }
    osm_debug ("copy: %s", err.message);
    if (osm_now_ms () - atomic_load (&c->last_progress_ms) > c->reconnect_ms) {
      osm_error_wrap (&err, "no answer for %" PRIu64 " s", c->reconnect_ms / 1000);
      osm_copy_fail (c, &err);
      break;
    }
    {
      uint64_t until = osm_now_ms () + backoff_ms;
      uint64_t now;

      while (!osm_copy_stopped (c) && !osm_copy_all_finished (c) && (now = osm_now_ms ()) < until)
        osm_copy_pause (c, until - now < POLL_MS ? until - now : POLL_MS);
    }
    backoff_ms = backoff_ms * 2 < BACKOFF_MAX_MS ? backoff_ms * 2 : BACKOFF_MAX_MS;
  }
  disconnect (w);
}

void *
osm_worker_thread (void *data)
{
  struct osm_worker *w = data;

  run (w);
  osm_copy_worker_ended (w->copy);
  return NULL;
}
