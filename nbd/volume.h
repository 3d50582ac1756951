/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A block device or file that is served read-only, with its holes and zeros, without its free space.
 *
 *   struct osm_volume_options options = { .fd = fd, .size_bytes = size };
 *   osm_volume_new (&options, &volume, err);
 *   r = osm_volume_open (volume, export);               one for each connection, used by one thread
 *   e = osm_volume_pipe (r, pipe, offset, length, &n);  without a copy, as far as that goes
 *   e = osm_volume_read (r, buf, offset, length);
 *   osm_volume_extents (r, offset, length, &extents);
 *   osm_volume_close (r);
 *   osm_volume_free (volume); */

#ifndef OSM_NBD_VOLUME_H
#define OSM_NBD_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "nbd/extents.h"

struct osm_volume_options {
  int fd; /* stays the caller's; -1: synthetic data that does not compress */
  uint64_t size_bytes;
  /* A free-space map, which may come later: what it names reads as zero from then on; the extents of the export "free" are that
   * map alone. NULL: none. */
  const char *free_path;
  /* Which granules were read is noted there (a bit for each OSM_READS_GRANULE bytes). NULL: nowhere. */
  const char *reads_path;
};

struct osm_volume;
int osm_volume_new (const struct osm_volume_options *options, struct osm_volume **ret,
                    struct osm_error *err);
/* After its readers. NULL is allowed. */
void osm_volume_free (struct osm_volume *v);
uint64_t osm_volume_size (const struct osm_volume *v);

struct osm_reader;
struct osm_reader *osm_volume_open (struct osm_volume *v, const char *export);
/* NULL is allowed. */
void osm_volume_close (struct osm_reader *r);

/* The callers have checked that what they ask for is within the volume. Both: 0 or an errno that NBD knows. */
int osm_volume_read (struct osm_reader *r, void *buf, uint64_t offset, size_t length);
/* Moves the bytes into a pipe that has room for them. ENOTSUP: they have to be read instead. After any error the pipe may hold a
 * part of them. */
int osm_volume_pipe (struct osm_reader *r, int pipe_fd, uint64_t offset, size_t length);
/* At least one extent, perhaps less than was asked for. What cannot be read is not known to be zero. */
void osm_volume_extents (struct osm_reader *r, uint64_t offset, uint64_t length,
                         struct osm_extents *ret);

#endif
