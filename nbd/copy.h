/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The copy engine: NBD connections in, a block device or file out.
 *
 *   struct osm_source source = osm_source_tunnel (&t);
 *   struct osm_copy_progress progress = { 0 };
 *   struct osm_copy_options options = { .size_bytes = size, .progress = &progress, .cancel = &flag
 * }; osm_copy_run (&source, fd, &options, err);      blocks; other threads read progress, set
 * cancel
 *
 * On success every byte of the destination's first size_bytes equals the source and is flushed.
 * Errors: USER source of another size (nothing written), destination full or failing, host key;
 * REMOTE the source's disk cannot be read (with the offset; not with bad_blocks); RETRY connection lost for longer than
 * reconnect_ms; INTERRUPTED cancelled.  With a bitmap, a later run carries on. */

#ifndef OSM_NBD_COPY_H
#define OSM_NBD_COPY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "nbd/badblocks.h"
#include "nbd/bitmap.h"
#include "nbd/source.h"
#include "nbd/throttle.h"

#define OSM_COPY_CONNECTIONS_MAX 16
#define OSM_COPY_REQUESTS_MAX 128
#define OSM_COPY_CIPHER_LEN 64

/* All zero at the start. */
struct osm_copy_progress {
  _Atomic uint64_t
      done_bytes; /* finished: written or known to be zero; includes the bitmap's at start */
  _Atomic uint64_t sent_bytes; /* received as data, those received again included */
  _Atomic uint64_t zero_bytes; /* did not have to cross the network */
  _Atomic uint64_t
      free_bytes; /* of the source's free-space map; known at the end; part of the above */
  _Atomic uint64_t found_bytes;   /* data that block status has found, copied or not */
  _Atomic uint64_t left_bytes;    /* of these, not copied yet */
  _Atomic uint64_t unknown_bytes; /* neither finished nor looked at */
  _Atomic unsigned connections;   /* now open */
  _Atomic unsigned reconnects;    /* lost and opened again */
  _Atomic bool cipher_known;      /* once true, cipher does not change */
  char cipher[OSM_COPY_CIPHER_LEN];
};

struct osm_copy_options {
  uint64_t size_bytes;   /* of the source, exactly; the destination must have at least as much */
  unsigned connections;  /* 0: by the distance (2 to 8) */
  unsigned requests;     /* in flight per connection; 0: 8 */
  size_t request_bytes;  /* 0: 256 KiB */
  uint64_t memory_bytes; /* for all buffers together, limits the above; 0: 64 MiB */
  bool
      destination_is_zero; /* the destination reads as zero everywhere: zeros need not be written */
  bool free_map; /* the source is our server, and may get a free-space map while the copy runs */
  bool discard;  /* no destination (fd -1): read and forget */
  uint64_t reconnect_ms;     /* carry on trying for so long after the last byte; 0: 60 s */
  struct osm_bitmap *bitmap; /* blocks that are set are not copied; updated. May be NULL */
  const char *bitmap_path;   /* saved there after each flush. May be NULL */
  uint64_t flush_bytes; /* flush and save the bitmap after so much; 0: 16 MiB with bitmap_path, else
                           never */
  /* Not NULL: what the source cannot read is zeros, and is added here; saved before the bitmap. */
  struct osm_bad_blocks *bad_blocks;
  const atomic_bool *cancel;     /* may be NULL */
  struct osm_throttle *throttle; /* of the data that crosses the network; may be NULL */
  /* So many of the connections may be used now, at least one; may change at any time. NULL: all. */
  const _Atomic unsigned *connections_now;
  struct osm_copy_progress *progress; /* may be NULL */
};

int osm_copy_run (const struct osm_source *source, int destination_fd,
                  const struct osm_copy_options *options, struct osm_error *err);

#endif
