/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Inside of the copy engine: what the workers share (nbd/copy.c) and the worker, one thread per NBD
 * connection (nbd/worker.c).  Nobody else includes this.
 *
 * Locks: osm_copy.lock is held for moments only, never while a disk or a network is waited for. */

#ifndef OSM_NBD_WORKER_H
#define OSM_NBD_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "nbd/bitmap.h"
#include "nbd/copy.h"
#include "nbd/destination.h"
#include "nbd/source.h"

#define OSM_COPY_FAR_US 5000 /* a round trip from which on more must be on its way at once */

struct osm_copy_piece {
  uint64_t offset, length;
};

struct osm_copy {
  const struct osm_source *source;
  struct osm_destination destination;
  struct osm_bitmap *bitmap;
  struct osm_bitmap *touched; /* blocks that have got data, for the free pass; or NULL */
  struct osm_copy_progress *progress;
  const atomic_bool *cancel;
  struct osm_bad_blocks *bad_blocks; /* or NULL */
  struct osm_throttle *throttle;
  const _Atomic unsigned *connections_now;
  uint64_t size_bytes, reconnect_ms;
  size_t request_bytes;
  unsigned connections, requests; /* per connection; within the memory limit */

  atomic_bool stop;                  /* failed or cancelled: every worker ends */
  _Atomic uint64_t last_progress_ms; /* osm_now_ms of the last answer of the source */
  /* Received and not yet in a saved bitmap: what would be sent again after a crash. */
  _Atomic uint64_t unsaved_bytes;
  uint64_t flush_bytes, unsaved_max; /* flush at so much; ask for no more beyond (0: never) */

  pthread_mutex_t lock;
  pthread_cond_t changed;          /* a range came back or was finished, a worker ended, stop */
  uint64_t cursor;                 /* ranges before were handed out */
  struct osm_copy_piece *returned; /* by workers that lost their connection */
  size_t nr_returned, allocated_returned;
  unsigned ranges_out;    /* handed out, neither finished nor returned */
  unsigned workers;       /* threads running */
  struct osm_error error; /* the first one */
};

bool osm_copy_stopped (const struct osm_copy *c);
/* Bytes that were received are at the destination. */
void osm_copy_received (struct osm_copy *c, uint64_t length);
/* A save is overdue: nothing may be asked for until it is done. */
bool osm_copy_must_save (const struct osm_copy *c);
/* Wait for `changed`, at most ms. */
void osm_copy_pause (struct osm_copy *c, uint64_t ms);
/* 1: a range of about `length` bytes; 0: nothing now, others may return theirs; -1: all is finished. */
int osm_copy_range_get (struct osm_copy *c, uint64_t length, struct osm_copy_piece *ret);
void osm_copy_range_return (struct osm_copy *c, struct osm_copy_piece piece);
void osm_copy_range_finished (struct osm_copy *c);
bool osm_copy_all_finished (struct osm_copy *c);
void osm_copy_worker_ended (struct osm_copy *c);
/* After the workers: zero what is free at the source by now, but was copied with data before. */
int osm_copy_free_pass (struct osm_copy *c, struct osm_error *err);
/* This range was written with data. */
void osm_copy_note_data (struct osm_copy *c, uint64_t offset, uint64_t length);
/* Takes the error; the first one is kept. */
void osm_copy_fail (struct osm_copy *c, struct osm_error *err);

struct osm_worker;
/* index: from 0; those from connections_now on rest. */
struct osm_worker *osm_worker_new (struct osm_copy *c, unsigned index);
void osm_worker_free (struct osm_worker *w);
/* Connect and check the size of the export. Blocks. */
int osm_worker_connect (struct osm_worker *w, struct osm_error *err);
/* Of the connection that is open, microseconds. */
uint64_t osm_worker_rtt_us (const struct osm_worker *w);
/* A thread's function, with the worker: until all is finished or the copy stops; errors go to
 * osm_copy_fail. */
void *osm_worker_thread (void *worker);

#endif
