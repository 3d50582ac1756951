/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* One endless zstd stream in pieces: pure transformers, no descriptors.
 *
 *   struct osm_zstd_io io = { .in = received, .in_len = n, .out = buf, .out_len = sizeof buf };
 *   do {
 *     io.out = buf, io.out_len = sizeof buf;
 *     r = osm_decompress (d, &io, err);            1: the output is full, there may be more
 *     ... sizeof buf - io.out_len bytes of buf are made ...
 *   } while (r == 1);
 *
 * What is decompressed comes from the network: memory is bounded by the window (OSM_ZSTD_WINDOW_LOG),
 * output by the caller's buffer, and the stream never ends while its connection lives. */

#ifndef OSM_NBD_ZSTD_H
#define OSM_NBD_ZSTD_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

#define OSM_ZSTD_LEVEL 1
#define OSM_ZSTD_WINDOW_LOG 19 /* 512 KiB: what level 1 uses, and all that a receiver allocates */

/* Moves on as bytes are taken and made. */
struct osm_zstd_io {
  const char *in;
  size_t in_len;
  char *out;
  size_t out_len;
};

struct osm_compressor;
struct osm_compressor *osm_compressor_new (int level);
void osm_compressor_free (struct osm_compressor *c);
/* 0: all input is taken (and, with flush, all of it is in the output); 1: the output is full, call
 * again with room; -1 cannot happen short of a bug. */
int osm_compress (struct osm_compressor *c, struct osm_zstd_io *io, bool flush,
                  struct osm_error *err);

struct osm_decompressor;
struct osm_decompressor *osm_decompressor_new (void);
void osm_decompressor_free (struct osm_decompressor *d);
/* 0: all input is taken; 1: the output is full, call again with room, also without input; -1: not
 * what osm_compress makes (REMOTE). */
int osm_decompress (struct osm_decompressor *d, struct osm_zstd_io *io, struct osm_error *err);

#endif
