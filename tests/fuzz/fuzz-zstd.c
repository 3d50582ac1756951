/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <string.h>

#include "common/cleanup.h"
#include "common/strbuf.h"
#include "nbd/zstdstream.h"
#include "tests/fuzz/fuzz.h"

/* A source that sends anything on the compressed twin of an export's socket. The first byte is the length of the pieces in which it comes.
 * Either the connection ends, or everything that was sent was taken; what comes out does not depend on the pieces, and it never comes in
 * pieces that are larger than a block. */

#define PIECE_MAX ((size_t)128 << 10)
#define OUT_MAX ((size_t)8 << 20) /* bombs are cut there: it is the NBD client that ends them */

struct source {
  const uint8_t *data;
  size_t left, piece;
};

struct sum {
  uint64_t bytes, hash;
};

static int
source_receive (void *data, int timeout_ms, osm_sink_fn sink, void *sink_data,
                struct osm_error *err)
{
  struct source *s = data;
  size_t n = s->left < s->piece ? s->left : s->piece;
  OSM_CLEANUP_FREE char *exact = NULL; /* so that reading beside it is seen */

  (void)timeout_ms;
  if (n == 0)
    return osm_error_set (err, OSM_ERROR_RETRY, 0, "end");
  exact = osm_calloc (n, 1);
  memcpy (exact, s->data, n);
  s->data += n;
  s->left -= n;
  return sink (sink_data, exact, n, err) == -1 ? -1 : 1;
}

static int
source_write (void *data, const void *bytes, size_t len, struct osm_error *err)
{
  (void)data;
  (void)bytes;
  (void)len;
  (void)err;
  return 0;
}

static int
take (void *data, const void *bytes, size_t len, struct osm_error *err)
{
  struct sum *sum = data;

  ASSERT (len > 0 && len <= PIECE_MAX);
  for (size_t i = 0; i < len; i++)
    sum->hash = (sum->hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C (0x100000001b3);
  sum->bytes += len;
  if (sum->bytes > OUT_MAX)
    return osm_error_set (err, OSM_ERROR_RETRY, 0, "enough");
  return 0;
}

/* How it ended: RETRY at the end of the input, REMOTE where it is damaged. */
static enum osm_error_class
receive_all (const uint8_t *data, size_t size, size_t piece, struct sum *sum)
{
  struct source source = { .data = data, .left = size, .piece = piece };
  const struct osm_stream inner = { .receive = source_receive,
                                    .write = source_write,
                                    .data = &source };
  struct osm_zstd_stream *z = osm_zstd_stream_new (inner, NULL, true);
  struct osm_stream stream = osm_zstd_stream_get (z);
  OSM_ERROR (err);

  while (stream.receive (stream.data, 0, take, sum, &err) >= 0)
    ;
  ASSERT (err.class == OSM_ERROR_RETRY || err.class == OSM_ERROR_REMOTE);
  osm_zstd_stream_free (z);
  return err.class;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct sum whole = { 0 }, pieces = { 0 };
  enum osm_error_class a, b;

  if (size < 2)
    return 0;
  a = receive_all (data + 1, size - 1, size, &whole);
  b = receive_all (data + 1, size - 1, data[0] ? data[0] : 1, &pieces);
  /* Where the damage is found may depend on how much of it is there; what was sound before it does not. */
  if (whole.bytes <= OUT_MAX)
    ASSERT (a == b);
  if (a == OSM_ERROR_RETRY && whole.bytes <= OUT_MAX)
    ASSERT (whole.bytes == pieces.bytes && whole.hash == pieces.hash);
  return 0;
}
