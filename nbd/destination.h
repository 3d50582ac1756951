/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Where a copy is written: a block device or a regular file, opened by the caller.
 *
 *   osm_destination_init (&d, fd, size_bytes, false, err);
 *   osm_destination_write (&d, buf, len, offset, err);    zeros in it are zeroed rather than written
 *   osm_destination_zero (&d, offset, length, err);
 *   osm_destination_flush (&d, err);
 *
 * write, zero and flush may be called by several threads at once. */

#ifndef OSM_NBD_DESTINATION_H
#define OSM_NBD_DESTINATION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct osm_destination {
  int fd; /* not owned; -1: what is written is forgotten */
  bool block_device;
  bool is_zero;   /* reads as zero where nothing was written yet */
  uint64_t align; /* of zeroing by the kernel */
  atomic_bool no_punch, no_zeroout, no_seek;
};

/* A regular file shorter than size_bytes is extended; a device must be large enough. */
int osm_destination_init (struct osm_destination *d, int fd, uint64_t size_bytes, bool is_zero,
                          struct osm_error *err);
int osm_destination_write (struct osm_destination *d, const void *buf, size_t len, uint64_t offset,
                           struct osm_error *err);
int osm_destination_zero (struct osm_destination *d, uint64_t offset, uint64_t length,
                          struct osm_error *err);
int osm_destination_flush (struct osm_destination *d, struct osm_error *err);

#endif
