/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/zstd.h"

#include <stdlib.h>
#include <zstd.h>

#include "common/strbuf.h"

struct osm_compressor {
  ZSTD_CCtx *z;
};

struct osm_compressor *
osm_compressor_new (int level)
{
  struct osm_compressor *c = osm_calloc (1, sizeof *c);

  c->z = ZSTD_createCCtx ();
  if (!c->z || ZSTD_isError (ZSTD_CCtx_setParameter (c->z, ZSTD_c_compressionLevel, level)) ||
      ZSTD_isError (ZSTD_CCtx_setParameter (c->z, ZSTD_c_windowLog, OSM_ZSTD_WINDOW_LOG)))
    osm_oom ();
  return c;
}

void
osm_compressor_free (struct osm_compressor *c)
{
  if (!c)
    return;
  ZSTD_freeCCtx (c->z);
  free (c);
}

int
osm_compress (struct osm_compressor *c, struct osm_zstd_io *io, bool flush, struct osm_error *err)
{
  ZSTD_inBuffer in = { .src = io->in, .size = io->in_len };
  ZSTD_outBuffer out = { .dst = io->out, .size = io->out_len };
  size_t left = ZSTD_compressStream2 (c->z, &out, &in, flush ? ZSTD_e_flush : ZSTD_e_continue);

  io->in += in.pos;
  io->in_len -= in.pos;
  io->out += out.pos;
  io->out_len -= out.pos;
  if (ZSTD_isError (left))
    return osm_error_set (err, OSM_ERROR_BUG, 0, "compress: %s", ZSTD_getErrorName (left));
  return io->in_len > 0 || (flush && left > 0);
}

/* ZSTD_MAGICNUMBER as it comes. */
static const unsigned char magic[] = { 0x28, 0xb5, 0x2f, 0xfd };

struct osm_decompressor {
  ZSTD_DCtx *z;
  size_t seen; /* of the magic */
  bool ended;
};

struct osm_decompressor *
osm_decompressor_new (void)
{
  struct osm_decompressor *d = osm_calloc (1, sizeof *d);

  d->z = ZSTD_createDCtx ();
  if (!d->z ||
      ZSTD_isError (ZSTD_DCtx_setParameter (d->z, ZSTD_d_windowLogMax, OSM_ZSTD_WINDOW_LOG)))
    osm_oom ();
  return d;
}

void
osm_decompressor_free (struct osm_decompressor *d)
{
  if (!d)
    return;
  ZSTD_freeDCtx (d->z);
  free (d);
}

/* libzstd would also read the formats of old versions, whose decoders know no limit of the window, and frames to be skipped. */
static bool
is_zstd (struct osm_decompressor *d, const struct osm_zstd_io *io)
{
  for (size_t i = 0; i < io->in_len && d->seen < sizeof magic; i++)
    if ((unsigned char)io->in[i] != magic[d->seen++])
      return false;
  return true;
}

int
osm_decompress (struct osm_decompressor *d, struct osm_zstd_io *io, struct osm_error *err)
{
  ZSTD_inBuffer in = { .src = io->in, .size = io->in_len };
  ZSTD_outBuffer out = { .dst = io->out, .size = io->out_len };
  size_t r = 1;

  if (!is_zstd (d, io))
    return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                          "the source sends damaged compressed data: not the format zstd");
  if (!d->ended && (in.size > 0 || out.size > 0))
    r = ZSTD_decompressStream (d->z, &out, &in);
  io->in += in.pos;
  io->in_len -= in.pos;
  io->out += out.pos;
  io->out_len -= out.pos;
  if (ZSTD_isError (r))
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "the source sends damaged compressed data: %s",
                          ZSTD_getErrorName (r));
  /* Ours never ends; frame after frame without content would be work for nothing. */
  d->ended = d->ended || r == 0;
  if (d->ended && io->in_len > 0)
    return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                          "the source sends damaged compressed data: more after its end");
  return io->out_len == 0;
}
