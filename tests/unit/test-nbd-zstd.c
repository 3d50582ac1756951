/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <stdlib.h>
#include <zstd.h>

#include "common/cleanup.h"
#include "common/strbuf.h"
#include "nbd/zstd.h"

/* Text-like, with a seed, so that a failure comes again. */
static char *
data (size_t n, unsigned seed)
{
  char *s = osm_calloc (1, n + 1);

  for (size_t i = 0; i < n; i++) {
    seed = seed * 1103515245u + 12345u;
    s[i] = (i / 4096) % 3 == 2 ? (char)(seed >> 16) : "moves servers\n"[(seed >> 24) % 14];
  }
  return s;
}

/* Sizes of slices: small, odd, large. */
static size_t
slice (unsigned *seed, size_t left)
{
  size_t n;

  *seed = *seed * 1103515245u + 12345u;
  n = (*seed >> 16) % 5 == 0 ? (*seed >> 8) % 70000 + 1 : (*seed >> 8) % 300 + 1;
  return n < left ? n : left;
}

/* All of it, flushed. */
static size_t
compress_all (const char *in, size_t n, char *out, size_t size)
{
  struct osm_compressor *c = osm_compressor_new (OSM_ZSTD_LEVEL);
  struct osm_zstd_io io = { .in = in, .in_len = n, .out = out, .out_len = size };
  OSM_ERROR (err);

  assert_int_equal (osm_compress (c, &io, true, &err), 0);
  osm_compressor_free (c);
  return size - io.out_len;
}

TEST (round_trip_in_random_slices)
{
  enum { N = 3 * 1024 * 1024 + 17 };
  OSM_CLEANUP_FREE char *in = data (N, 7), *wire = osm_calloc (2, N), *out = osm_calloc (1, N + 1);
  struct osm_compressor *c = osm_compressor_new (OSM_ZSTD_LEVEL);
  struct osm_decompressor *d = osm_decompressor_new ();
  size_t made = 0, left = N, got = 0;
  struct osm_zstd_io io = { .in = in };
  unsigned seed = 3;
  OSM_ERROR (err);

  while (left > 0) {
    size_t n = slice (&seed, left);
    bool flush = seed % 3 == 0;
    int r;

    io.in_len = n;
    do {
      size_t room = slice (&seed, 2 * N - made), before;

      io.out = wire + made;
      io.out_len = before = room;
      r = osm_compress (c, &io, flush || n == left, &err);
      assert_int_not_equal (r, -1);
      made += before - io.out_len;
    } while (r == 1);
    assert_int_equal (io.in_len, 0);
    left -= n;
  }
  assert_true (made < N * 7 / 10);

  io.in = wire;
  for (left = made; left > 0;) {
    size_t n = slice (&seed, left);
    int r;

    io.in_len = n;
    left -= n;
    do {
      size_t room = slice (&seed, N + 1 - got);

      io.out = out + got;
      io.out_len = room;
      r = osm_decompress (d, &io, &err);
      assert_no_error (&err);
      got += room - io.out_len;
    } while (r == 1);
    assert_int_equal (io.in_len, 0);
  }
  assert_int_equal (got, N);
  assert_memory_equal (in, out, N);
  osm_compressor_free (c);
  osm_decompressor_free (d);
}

TEST (what_was_flushed_can_be_read_at_once)
{
  struct osm_compressor *c = osm_compressor_new (OSM_ZSTD_LEVEL);
  struct osm_decompressor *d = osm_decompressor_new ();
  OSM_ERROR (err);

  for (int i = 0; i < 100; i++) {
    char text[32], wire[256], out[64];
    struct osm_zstd_io io = { .in = text, .out = wire, .out_len = sizeof wire };

    io.in_len = (size_t)snprintf (text, sizeof text, "reply %d", i);
    assert_int_equal (osm_compress (c, &io, true, &err), 0);
    io = (struct osm_zstd_io){
      .in = wire, .in_len = sizeof wire - io.out_len, .out = out, .out_len = sizeof out
    };
    assert_int_equal (osm_decompress (d, &io, &err), 0);
    assert_int_equal (sizeof out - io.out_len, strlen (text));
    assert_memory_equal (out, text, strlen (text));
  }
  osm_compressor_free (c);
  osm_decompressor_free (d);
}

/* Not an error by itself: the rest may come. Nothing is invented. */
TEST (truncated_stream)
{
  enum { N = 100000 };
  OSM_CLEANUP_FREE char *in = data (N, 1), *wire = osm_calloc (2, N), *out = osm_calloc (2, N);
  size_t made = compress_all (in, N, wire, 2 * N);

  for (size_t cut = 0; cut < made; cut += 97) {
    struct osm_decompressor *d = osm_decompressor_new ();
    struct osm_zstd_io io = { .in = wire, .in_len = cut, .out = out, .out_len = 2 * N };
    OSM_ERROR (err);

    assert_int_equal (osm_decompress (d, &io, &err), 0);
    assert_true (2 * N - io.out_len < N);
    assert_memory_equal (out, in, 2 * N - io.out_len);
    osm_decompressor_free (d);
  }
}

TEST (damaged_stream_is_an_error_or_ends_within_its_bounds)
{
  enum { N = 60000 };
  OSM_CLEANUP_FREE char *in = data (N, 5), *wire = osm_calloc (2, N), *out = osm_calloc (1, N + 64);
  size_t made = compress_all (in, N, wire, 2 * N), errors = 0;

  for (size_t at = 0; at < made; at += 31) {
    struct osm_decompressor *d = osm_decompressor_new ();
    struct osm_zstd_io io = { .in = wire, .in_len = made, .out = out, .out_len = N };
    OSM_ERROR (err);

    memcpy (out + N, "canary", 6);
    wire[at] ^= 0x55;
    if (osm_decompress (d, &io, &err) == -1) {
      assert_error (&err, OSM_ERROR_REMOTE, "damaged compressed data");
      errors++;
    }
    wire[at] ^= 0x55;
    assert_memory_equal (out + N, "canary", 6);
    osm_decompressor_free (d);
  }
  assert_true (errors > 0);
}

TEST (no_zstd_at_all)
{
  struct osm_decompressor *d = osm_decompressor_new ();
  char out[64];
  struct osm_zstd_io io = { .in = "NBDMAGICIHAVEOPT", .in_len = 16, .out = out, .out_len = 64 };
  OSM_ERROR (err);

  assert_int_equal (osm_decompress (d, &io, &err), -1);
  assert_error (&err, OSM_ERROR_REMOTE, "damaged compressed data: ");
  osm_decompressor_free (d);
}

/* libzstd would read these too: formats of its old versions, without a limit of the window, and frames that hold nothing. */
TEST (other_formats_of_libzstd_are_refused_in_any_pieces)
{
  static const char *const frames[] = { "\x24\xb5\x2f\xfd", "\x25\xb5\x2f\xfd", "\x26\xb5\x2f\xfd",
                                        "\x27\xb5\x2f\xfd", "\x50\x2a\x4d\x18", "\x5f\x2a\x4d\x18",
                                        "\x28\xb5\x2f\xfc" };

  for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++)
    for (size_t piece = 1; piece <= 4; piece++) {
      struct osm_decompressor *d = osm_decompressor_new ();
      char out[64];
      struct osm_zstd_io io = { .out = out, .out_len = sizeof out };
      int r = 0;
      OSM_ERROR (err);

      for (size_t at = 0; r == 0 && at < 4; at += piece) {
        io.in = frames[i] + at;
        io.in_len = 4 - at < piece ? 4 - at : piece;
        r = osm_decompress (d, &io, &err);
      }
      assert_int_equal (r, -1);
      assert_error (&err, OSM_ERROR_REMOTE, "not the format zstd");
      osm_decompressor_free (d);
    }
}

/* A gibibyte of zeros in a few KiB comes out in pieces as large as the caller's buffer. */
TEST (bomb_fills_no_more_than_the_buffer)
{
  enum { STEP = 1 << 20, OUT = 64 << 10 };
  OSM_CLEANUP_FREE char *zeros = osm_calloc (1, STEP), *wire = osm_calloc (1, STEP),
                        *out = osm_calloc (1, OUT);
  struct osm_compressor *c = osm_compressor_new (19);
  struct osm_decompressor *d = osm_decompressor_new ();
  struct osm_zstd_io io = { .out = wire, .out_len = STEP };
  size_t got = 0;
  int r = 0;
  OSM_ERROR (err);

  for (int i = 0; i < 1024; i++) {
    io.in = zeros;
    io.in_len = STEP;
    assert_int_equal (osm_compress (c, &io, i == 1023, &err), 0);
  }
  io.in = wire;
  io.in_len = STEP - io.out_len;
  assert_true (io.in_len < 200000);
  do {
    io.out = out;
    io.out_len = OUT;
    r = osm_decompress (d, &io, &err);
    assert_no_error (&err);
    got += OUT - io.out_len;
  } while (r == 1);
  assert_int_equal (got, (size_t)1024 * STEP);
  osm_compressor_free (c);
  osm_decompressor_free (d);
}

TEST (window_that_wants_much_memory_is_refused)
{
  enum { N = 8 << 20 };
  OSM_CLEANUP_FREE char *in = data (N, 9), *wire = osm_calloc (2, N), *out = osm_calloc (1, N);
  ZSTD_CCtx *z = ZSTD_createCCtx ();
  struct osm_decompressor *d = osm_decompressor_new ();
  ZSTD_inBuffer from = { .src = in, .size = N };
  ZSTD_outBuffer to = { .dst = wire, .size = 2 * N };
  struct osm_zstd_io io = { .in = wire, .out = out, .out_len = N };
  OSM_ERROR (err);

  ZSTD_CCtx_setParameter (z, ZSTD_c_windowLog, 27);
  assert_false (ZSTD_isError (ZSTD_compressStream2 (z, &to, &from, ZSTD_e_flush)));
  io.in_len = to.pos;
  assert_int_equal (osm_decompress (d, &io, &err), -1);
  assert_error (&err, OSM_ERROR_REMOTE, "memory");
  ZSTD_freeCCtx (z);
  osm_decompressor_free (d);
}

TEST (nothing_may_follow_the_end_of_the_stream)
{
  char wire[256], out[64];
  size_t n = ZSTD_compress (wire, 128, "end", 3, 1);
  struct osm_decompressor *d = osm_decompressor_new ();
  struct osm_zstd_io io = { .in = wire, .in_len = n, .out = out, .out_len = 64 };
  OSM_ERROR (err);

  assert_int_equal (osm_decompress (d, &io, &err), 0);
  assert_int_equal (64 - io.out_len, 3);
  io.in = wire;
  io.in_len = n;
  assert_int_equal (osm_decompress (d, &io, &err), -1);
  assert_error (&err, OSM_ERROR_REMOTE, "after its end");
  osm_decompressor_free (d);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (round_trip_in_random_slices),
    cmocka_unit_test (what_was_flushed_can_be_read_at_once),
    cmocka_unit_test (truncated_stream),
    cmocka_unit_test (damaged_stream_is_an_error_or_ends_within_its_bounds),
    cmocka_unit_test (no_zstd_at_all),
    cmocka_unit_test (other_formats_of_libzstd_are_refused_in_any_pieces),
    cmocka_unit_test (bomb_fills_no_more_than_the_buffer),
    cmocka_unit_test (window_that_wants_much_memory_is_refused),
    cmocka_unit_test (nothing_may_follow_the_end_of_the_stream),
  };

  return cmocka_run_group_tests_name ("nbd/zstd", tests, NULL, NULL);
}
