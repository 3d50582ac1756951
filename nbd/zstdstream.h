/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A stream around a stream: what is received is decompressed, or left as it is, and told to the copy's osm_compression, which decides
 * from it. What is written goes through.
 *
 *   struct osm_zstd_stream *z = osm_zstd_stream_new (inner, compression, true);
 *   stream = osm_zstd_stream_get (z);                   for one thread at a time, like inner
 *   osm_zstd_stream_free (z);                           inner is the caller's */

#ifndef OSM_NBD_ZSTDSTREAM_H
#define OSM_NBD_ZSTDSTREAM_H

#include <stdbool.h>

#include "nbd/compression.h"
#include "nbd/stream.h"

struct osm_zstd_stream;
struct osm_zstd_stream *osm_zstd_stream_new (struct osm_stream inner,
                                             struct osm_compression *compression, bool compressed);
struct osm_stream osm_zstd_stream_get (struct osm_zstd_stream *z);
bool osm_zstd_stream_compressed (const struct osm_zstd_stream *z);
void osm_zstd_stream_free (struct osm_zstd_stream *z);

#endif
