/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/zstdstream.h"

#include <stdlib.h>

#include "common/strbuf.h"
#include "nbd/zstd.h"

#define OUT_BYTES ((size_t)128 << 10) /* a block of zstd */

struct osm_zstd_stream {
  struct osm_stream inner;
  struct osm_compression *compression;
  struct osm_decompressor *decompressor; /* NULL: plain */
  char *out;

  /* Of the call of receive that is under way. */
  osm_sink_fn sink;
  void *sink_data;
};

static int
take_plain (void *data, const void *bytes, size_t len, struct osm_error *err)
{
  struct osm_zstd_stream *z = data;

  osm_compression_passed (z->compression, false, len, bytes, len);
  return z->sink (z->sink_data, bytes, len, err);
}

static int
take_compressed (void *data, const void *bytes, size_t len, struct osm_error *err)
{
  struct osm_zstd_stream *z = data;
  struct osm_zstd_io io = { .in = bytes, .in_len = len };
  int r;

  do {
    size_t made;

    io.out = z->out;
    io.out_len = OUT_BYTES;
    r = osm_decompress (z->decompressor, &io, err);
    if (r == -1)
      return -1;
    made = OUT_BYTES - io.out_len;
    osm_compression_passed (z->compression, true, len, z->out, made);
    len = 0;
    if (made > 0 && z->sink (z->sink_data, z->out, made, err) == -1)
      return -1;
  } while (r == 1);
  return 0;
}

static int
zstd_receive (void *data, int timeout_ms, osm_sink_fn sink, void *sink_data, struct osm_error *err)
{
  struct osm_zstd_stream *z = data;

  z->sink = sink;
  z->sink_data = sink_data;
  return z->inner.receive (z->inner.data, timeout_ms,
                           z->decompressor ? take_compressed : take_plain, z, err);
}

static int
zstd_write (void *data, const void *bytes, size_t len, struct osm_error *err)
{
  struct osm_zstd_stream *z = data;

  return z->inner.write (z->inner.data, bytes, len, err);
}

struct osm_zstd_stream *
osm_zstd_stream_new (struct osm_stream inner, struct osm_compression *compression, bool compressed)
{
  struct osm_zstd_stream *z = osm_calloc (1, sizeof *z);

  z->inner = inner;
  z->compression = compression;
  if (compressed) {
    z->decompressor = osm_decompressor_new ();
    z->out = osm_calloc (1, OUT_BYTES);
  }
  return z;
}

static void
zstd_far (void *data)
{
  struct osm_zstd_stream *z = data;

  if (z->inner.far)
    z->inner.far (z->inner.data);
}

struct osm_stream
osm_zstd_stream_get (struct osm_zstd_stream *z)
{
  return (struct osm_stream){
    .receive = zstd_receive, .write = zstd_write, .far = zstd_far, .data = z
  };
}

bool
osm_zstd_stream_compressed (const struct osm_zstd_stream *z)
{
  return z->decompressor != NULL;
}

void
osm_zstd_stream_free (struct osm_zstd_stream *z)
{
  if (!z)
    return;
  osm_decompressor_free (z->decompressor);
  free (z->out);
  free (z);
}
