/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <endian.h>
#include <errno.h>

#include "common/cleanup.h"
#include "common/strbuf.h"
#include "nbd/client.h"

/* A server that says what a test has prepared, in pieces of a given size. */

#define SIZE (UINT64_C (64) << 20)
#define CONTEXT_ID 7u
#define REPLY UINT64_C (0x0003e889045565a9)

struct server {
  char said[2048], heard[12288];
  size_t said_len, given, heard_len, piece;
  /* what the client told */
  unsigned reads_done, status_done;
  int read_error, status_error;
  uint64_t extents[16];
  bool zero[16];
  unsigned nr_extents;
};

static void
say (struct server *s, const void *bytes, size_t len)
{
  assert_true (s->said_len + len <= sizeof s->said);
  memcpy (s->said + s->said_len, bytes, len);
  s->said_len += len;
}

static void
say16 (struct server *s, uint16_t v)
{
  v = htobe16 (v);
  say (s, &v, sizeof v);
}

static void
say32 (struct server *s, uint32_t v)
{
  v = htobe32 (v);
  say (s, &v, sizeof v);
}

static void
say64 (struct server *s, uint64_t v)
{
  v = htobe64 (v);
  say (s, &v, sizeof v);
}

static int
server_receive (void *data, int timeout_ms, osm_sink_fn sink, void *sink_data,
                struct osm_error *err)
{
  struct server *s = data;
  size_t n = s->said_len - s->given;

  (void)timeout_ms;
  if (n == 0)
    return 0;
  if (n > s->piece)
    n = s->piece;
  s->given += n;
  return sink (sink_data, s->said + s->given - n, n, err) == -1 ? -1 : 1;
}

static int
server_write (void *data, const void *bytes, size_t len, struct osm_error *err)
{
  struct server *s = data;

  (void)err;
  assert_true (s->heard_len + len <= sizeof s->heard);
  memcpy (s->heard + s->heard_len, bytes, len);
  s->heard_len += len;
  return 0;
}

static void
read_done (void *data, void *cookie, int error)
{
  struct server *s = data;

  (void)cookie;
  s->reads_done++;
  s->read_error = error;
}

static void
extent (void *data, void *cookie, uint64_t length, bool zero)
{
  struct server *s = data;

  (void)cookie;
  assert_true (s->nr_extents < 16);
  s->extents[s->nr_extents] = length;
  s->zero[s->nr_extents++] = zero;
}

static void
status_done (void *data, void *cookie, int error)
{
  struct server *s = data;

  (void)cookie;
  s->status_done++;
  s->status_error = error;
}

static void
say_reply (struct server *s, uint32_t option, uint32_t type, uint32_t length)
{
  say64 (s, REPLY);
  say32 (s, option);
  say32 (s, type);
  say32 (s, length);
}

static void
say_greeting (struct server *s)
{
  say64 (s, UINT64_C (0x4e42444d41474943));
  say64 (s, UINT64_C (0x49484156454f5054));
  say16 (s, 3);
}

static void
say_go (struct server *s)
{
  say_reply (s, 7, 3, 12); /* size and flags */
  say16 (s, 0);
  say64 (s, SIZE);
  say16 (s, 3);
  say_reply (s, 7, 3, 14); /* block sizes */
  say16 (s, 3);
  say32 (s, 1);
  say32 (s, 4096);
  say32 (s, 1 << 20);
  say_reply (s, 7, 1, 0);
}

static struct osm_nbd *
client_of (struct server *s, const char *export)
{
  const struct osm_stream stream = { .receive = server_receive, .write = server_write, .data = s };
  const struct osm_nbd_callbacks callbacks = {
    .read_done = read_done, .extent = extent, .status_done = status_done, .data = s
  };

  return osm_nbd_new (&stream, export, &callbacks);
}

static int
shake (struct server *s, struct osm_nbd *nbd, struct osm_error *err)
{
  int r = 0;

  while (r == 0 && s->given < s->said_len)
    r = osm_nbd_handshake (nbd, 0, err);
  return r;
}

/* Ready, with structured answers and extents. */
static struct osm_nbd *
ready (struct server *s, size_t piece)
{
  struct osm_nbd *nbd;
  OSM_ERROR (err);

  *s = (struct server){ .piece = piece };
  nbd = client_of (s, "");
  say_greeting (s);
  say_reply (s, 8, 1, 0);
  say_reply (s, 10, 4, 4 + 15);
  say32 (s, CONTEXT_ID);
  say (s, "base:allocation", 15);
  say_reply (s, 10, 1, 0);
  say_go (s);
  assert_int_equal (shake (s, nbd, &err), 1);
  assert_no_error (&err);
  s->heard_len = 0;
  return nbd;
}

/* The cookie of the n-th request that the client sent (28 bytes each). */
static uint64_t
cookie_of (const struct server *s, size_t n)
{
  uint64_t cookie;

  assert_true (s->heard_len >= (n + 1) * 28);
  memcpy (&cookie, s->heard + n * 28 + 8, sizeof cookie);
  return be64toh (cookie);
}

static void
say_chunk (struct server *s, bool done, uint16_t type, uint64_t cookie, uint32_t length)
{
  say32 (s, 0x668e33ef);
  say16 (s, done);
  say16 (s, type);
  say64 (s, cookie);
  say32 (s, length);
}

static void
say_data (struct server *s, bool done, uint64_t cookie, uint64_t offset, char c, uint32_t length)
{
  say_chunk (s, done, 1, cookie, 8 + length);
  say64 (s, offset);
  for (uint32_t i = 0; i < length; i++)
    say (s, &c, 1);
}

static int
receive_all (struct server *s, struct osm_nbd *nbd, struct osm_error *err)
{
  while (s->given < s->said_len)
    if (osm_nbd_receive (nbd, 0, err) == -1)
      return -1;
  return 0;
}

/* What the server has said ends the connection: REMOTE, and the text. */
static void
assert_broken (struct server *s, struct osm_nbd *nbd, const char *text)
{
  OSM_ERROR (err);

  assert_int_equal (receive_all (s, nbd, &err), -1);
  assert_error (&err, OSM_ERROR_REMOTE, text);
  osm_nbd_free (nbd);
}

/* ---- handshake ---- */

static void
handshake_in_pieces (size_t piece)
{
  struct server s;
  struct osm_nbd *nbd = ready (&s, piece);

  assert_int_equal (osm_nbd_size (nbd), SIZE);
  assert_int_equal (osm_nbd_max_request (nbd), 1 << 20);
  assert_true (osm_nbd_has_extents (nbd));
  assert_true (osm_nbd_rtt_us (nbd) != UINT64_MAX);
  osm_nbd_free (nbd);
}

TEST (handshake_in_pieces_of_any_size)
{
  for (size_t piece = 1; piece < 24; piece++)
    handshake_in_pieces (piece);
  handshake_in_pieces (65536);
}

TEST (the_export_is_asked_for_by_its_name)
{
  struct server s = { .piece = 65536 };
  struct osm_nbd *nbd = client_of (&s, "free");
  OSM_ERROR (err);

  say_greeting (&s);
  assert_int_equal (shake (&s, nbd, &err), 0);
  /* flags, structured replies, the context, and GO: the name, no other information but the block sizes; all at once */
  assert_int_equal (s.heard_len, 4 + 16 + (16 + 4 + 4 + 8 + 15) + (16 + 4 + 4 + 2 + 2));
  assert_memory_equal (s.heard + 4 + 16 + 12,
                       "\0\0\0\037\0\0\0\004free\0\0\0\1\0\0\0\017base:allocation", 35);
  assert_memory_equal (s.heard + 4 + 16 + 47 + 12, "\0\0\0\014\0\0\0\004free\0\1\0\3", 16);
  osm_nbd_free (nbd);
}

TEST (a_server_without_structured_answers_has_no_extents)
{
  struct server s = { .piece = 65536 };
  struct osm_nbd *nbd = client_of (&s, "");
  char buf[512];
  OSM_ERROR (err);

  say_greeting (&s);
  say_reply (&s, 8, 0x80000001, 3);
  say (&s, "no!", 3);
  say_reply (&s, 10, 4, 4 + 15); /* it may not, after its no */
  say32 (&s, CONTEXT_ID);
  say (&s, "base:allocation", 15);
  say_reply (&s, 10, 1, 0);
  say_go (&s);
  assert_int_equal (shake (&s, nbd, &err), 1);
  assert_false (osm_nbd_has_extents (nbd));
  assert_int_equal (osm_nbd_block_status (nbd, 512, 0, NULL, &err), -1);
  assert_error (&err, OSM_ERROR_BUG, "no block status");

  s.heard_len = 0;
  assert_int_equal (osm_nbd_read (nbd, buf, sizeof buf, 0, NULL, &err), 0);
  say32 (&s, 0x67446698);
  say32 (&s, 0);
  say64 (&s, cookie_of (&s, 0));
  for (size_t i = 0; i < sizeof buf; i++)
    say (&s, "x", 1);
  assert_int_equal (receive_all (&s, nbd, &err), 0);
  assert_int_equal (s.reads_done, 1);
  assert_int_equal (s.read_error, 0);
  assert_int_equal (buf[0], 'x');
  assert_int_equal (buf[511], 'x');
  /* Such a server may not begin to speak in chunks. */
  assert_int_equal (osm_nbd_read (nbd, buf, sizeof buf, 0, NULL, &err), 0);
  say_data (&s, true, cookie_of (&s, 1), 0, 'y', sizeof buf);
  assert_broken (&s, nbd, "an answer that is none");
}

TEST (what_is_no_nbd_server_is_told)
{
  struct server s = { .piece = 65536 };
  struct osm_nbd *nbd = client_of (&s, "");
  OSM_ERROR (err);

  say (&s, "SSH-2.0-OpenSSH_9.2p1", 21);
  assert_int_equal (shake (&s, nbd, &err), -1);
  assert_error (&err, OSM_ERROR_REMOTE, "not an NBD server");
  osm_nbd_free (nbd);
}

TEST (a_refusal_is_quoted)
{
  struct server s = { .piece = 65536 };
  struct osm_nbd *nbd = client_of (&s, "");
  OSM_ERROR (err);

  say_greeting (&s);
  say_reply (&s, 8, 0x80000001, 0);
  say_reply (&s, 10, 0x80000001, 0);
  say_reply (&s, 7, 0x80000006, 9);
  say (&s, "not today", 9);
  assert_int_equal (shake (&s, nbd, &err), -1);
  assert_error (&err, OSM_ERROR_REMOTE, "not today");
  osm_nbd_free (nbd);
}

TEST (a_server_that_never_ends_an_option_is_left)
{
  struct server s = { .piece = 65536 };
  struct osm_nbd *nbd = client_of (&s, "");
  OSM_ERROR (err);

  say_greeting (&s);
  for (int i = 0; i < 100; i++)
    say_reply (&s, 8, 99, 0);
  assert_int_equal (shake (&s, nbd, &err), -1);
  assert_error (&err, OSM_ERROR_REMOTE, "an answer to an option");
  osm_nbd_free (nbd);
}

TEST (a_server_without_a_size_is_none)
{
  struct server s = { .piece = 65536 };
  struct osm_nbd *nbd = client_of (&s, "");
  OSM_ERROR (err);

  say_greeting (&s);
  say_reply (&s, 8, 0x80000001, 0);
  say_reply (&s, 10, 0x80000001, 0);
  say_reply (&s, 7, 1, 0);
  assert_int_equal (shake (&s, nbd, &err), -1);
  assert_error (&err, OSM_ERROR_REMOTE, "does not tell the size");
  osm_nbd_free (nbd);
}

/* ---- answers ---- */

TEST (data_and_holes_fill_the_buffer_in_any_order_of_requests)
{
  for (size_t piece = 1; piece < 40; piece += 3) {
    struct server s;
    struct osm_nbd *nbd = ready (&s, piece);
    char a[1024], b[512];
    OSM_ERROR (err);

    memset (a, '-', sizeof a);
    memset (b, '-', sizeof b);
    assert_int_equal (osm_nbd_read (nbd, a, sizeof a, 4096, NULL, &err), 0);
    assert_int_equal (osm_nbd_read (nbd, b, sizeof b, 0, NULL, &err), 0);
    say_data (&s, false, cookie_of (&s, 0), 4096, 'a', 300);
    say_data (&s, true, cookie_of (&s, 1), 0, 'b', 512);
    say_chunk (&s, false, 2, cookie_of (&s, 0), 12);
    say64 (&s, 4396);
    say32 (&s, 24);
    say_data (&s, false, cookie_of (&s, 0), 4420, 'c', 700);
    assert_int_equal (receive_all (&s, nbd, &err), 0);
    assert_int_equal (s.reads_done, 1);
    say_chunk (&s, true, 0, cookie_of (&s, 0), 0);
    assert_int_equal (receive_all (&s, nbd, &err), 0);
    assert_no_error (&err);
    assert_int_equal (s.reads_done, 2);
    for (int i = 0; i < 1024; i++)
      assert_int_equal (a[i], i < 300 ? 'a' : i < 324 ? 0 : 'c');
    for (int i = 0; i < 512; i++)
      assert_int_equal (b[i], 'b');
    osm_nbd_free (nbd);
  }
}

TEST (an_error_is_the_requests_and_the_connection_goes_on)
{
  struct server s;
  struct osm_nbd *nbd = ready (&s, 65536);
  char buf[512];
  OSM_ERROR (err);

  assert_int_equal (osm_nbd_read (nbd, buf, sizeof buf, 0, NULL, &err), 0);
  say_chunk (&s, true, 0x8001, cookie_of (&s, 0), 6);
  say32 (&s, EIO);
  say16 (&s, 0);
  assert_int_equal (receive_all (&s, nbd, &err), 0);
  assert_int_equal (s.reads_done, 1);
  assert_int_equal (s.read_error, EIO);

  /* An error without a number is one all the same. */
  assert_int_equal (osm_nbd_read (nbd, buf, sizeof buf, 0, NULL, &err), 0);
  say_chunk (&s, true, 0x8001, cookie_of (&s, 1), 6);
  say32 (&s, 0);
  say16 (&s, 0);
  assert_int_equal (receive_all (&s, nbd, &err), 0);
  assert_int_equal (s.reads_done, 2);
  assert_int_equal (s.read_error, EIO);

  assert_int_equal (osm_nbd_read (nbd, buf, sizeof buf, 0, NULL, &err), 0);
  say_data (&s, true, cookie_of (&s, 2), 0, 'k', sizeof buf);
  assert_int_equal (receive_all (&s, nbd, &err), 0);
  assert_int_equal (s.reads_done, 3);
  assert_int_equal (s.read_error, 0);
  osm_nbd_free (nbd);
}

/* A read of 1024 bytes at 4096 was asked; the server says `what`. */
static void
lie (void (*what) (struct server *, uint64_t), const char *text)
{
  struct server s;
  struct osm_nbd *nbd = ready (&s, 65536);
  struct {
    char before[64], buf[1024], after[64];
  } memory;
  OSM_ERROR (err);

  memset (&memory, '.', sizeof memory);
  assert_int_equal (osm_nbd_read (nbd, memory.buf, sizeof memory.buf, 4096, NULL, &err), 0);
  what (&s, cookie_of (&s, 0));
  assert_broken (&s, nbd, text);
  assert_int_equal (s.reads_done, 0);
  for (int i = 0; i < 64; i++) {
    assert_int_equal (memory.before[i], '.');
    assert_int_equal (memory.after[i], '.');
  }
}

static void
too_short (struct server *s, uint64_t cookie)
{
  say_data (s, true, cookie, 4096, 'x', 1023);
}

static void
nothing_at_all (struct server *s, uint64_t cookie)
{
  say_chunk (s, true, 0, cookie, 0);
}

static void
too_long (struct server *s, uint64_t cookie)
{
  say_data (s, true, cookie, 4096, 'x', 1025);
}

static void
twice_the_same_half (struct server *s, uint64_t cookie)
{
  say_data (s, false, cookie, 4096, 'x', 512);
  say_data (s, true, cookie, 4096, 'x', 512);
}

static void
another_place (struct server *s, uint64_t cookie)
{
  say_data (s, true, cookie, 8192, 'x', 1024);
}

static void
a_gap (struct server *s, uint64_t cookie)
{
  say_data (s, false, cookie, 4096, 'x', 100);
  say_data (s, true, cookie, 4300, 'x', 820);
}

static void
a_hole_too_long (struct server *s, uint64_t cookie)
{
  say_chunk (s, true, 2, cookie, 12);
  say64 (s, 4096);
  say32 (s, 1025);
}

static void
another_request (struct server *s, uint64_t cookie)
{
  say_data (s, true, cookie + 1, 4096, 'x', 1024);
}

static void
a_request_that_was (struct server *s, uint64_t cookie)
{
  say_data (s, true, cookie - OSM_NBD_REQUESTS_MAX, 4096, 'x', 1024);
}

static void
extents_for_a_read (struct server *s, uint64_t cookie)
{
  say_chunk (s, true, 5, cookie, 12);
  say32 (s, CONTEXT_ID);
  say32 (s, 1024);
  say32 (s, 3);
}

static void
an_unknown_chunk (struct server *s, uint64_t cookie)
{
  say_chunk (s, true, 77, cookie, 4);
}

static void
an_endless_error (struct server *s, uint64_t cookie)
{
  say_chunk (s, true, 0x8001, cookie, UINT32_MAX);
}

TEST (a_lying_server_is_left_and_nothing_is_written_beside_the_buffer)
{
  lie (too_short, "shorter than what was asked for");
  lie (nothing_at_all, "shorter than what was asked for");
  lie (too_long, "data that was not asked for");
  lie (twice_the_same_half, "data that was not asked for");
  lie (another_place, "data that was not asked for");
  lie (a_gap, "data that was not asked for");
  lie (a_hole_too_long, "a hole that was not asked for");
  lie (another_request, "an answer to nothing that was asked");
  lie (a_request_that_was, "an answer to nothing that was asked");
  lie (extents_for_a_read, "does not fit");
  lie (an_unknown_chunk, "does not fit");
  lie (an_endless_error, "does not fit");
}

TEST (an_answer_comes_once)
{
  struct server s;
  struct osm_nbd *nbd = ready (&s, 65536);
  char buf[512];
  OSM_ERROR (err);

  assert_int_equal (osm_nbd_read (nbd, buf, sizeof buf, 0, NULL, &err), 0);
  say_data (&s, true, cookie_of (&s, 0), 0, 'x', sizeof buf);
  say_data (&s, true, cookie_of (&s, 0), 0, 'x', sizeof buf);
  assert_broken (&s, nbd, "an answer to nothing that was asked");
  assert_int_equal (s.reads_done, 1);
}

/* ---- extents ---- */

static void
say_extents (struct server *s, uint64_t cookie, uint32_t context, const uint32_t *v, size_t n)
{
  say_chunk (s, true, 5, cookie, (uint32_t)(4 + 4 * n));
  say32 (s, context);
  for (size_t i = 0; i < n; i++)
    say32 (s, v[i]);
}

TEST (extents_are_told_in_order_and_a_hole_alone_is_not_zero)
{
  static const uint32_t v[] = { 65536, 0, 65536, 3, 65536, 1, 1048576, 2 };
  struct server s;
  struct osm_nbd *nbd = ready (&s, 5);
  OSM_ERROR (err);

  assert_int_equal (osm_nbd_block_status (nbd, 1 << 20, 0, NULL, &err), 0);
  say_extents (&s, cookie_of (&s, 0), CONTEXT_ID, v, 8);
  assert_int_equal (receive_all (&s, nbd, &err), 0);
  assert_int_equal (s.status_done, 1);
  assert_int_equal (s.status_error, 0);
  assert_int_equal (s.nr_extents, 4);
  for (int i = 0; i < 4; i++) {
    assert_int_equal (s.extents[i], v[2 * i]);
    assert_int_equal (s.zero[i], i == 1 || i == 3);
  }
  osm_nbd_free (nbd);
}

TEST (extents_that_were_not_asked_for_end_the_connection)
{
  static const uint32_t whole[] = { 1 << 20, 3 }, more[] = { 1 << 20, 3, 4096, 3 },
                        empty[] = { 0, 3 };
  const struct {
    uint32_t context;
    const uint32_t *v;
    size_t n;
    const char *text;
  } cases[] = { { CONTEXT_ID + 1, whole, 2, "of a context" },
                { CONTEXT_ID, more, 4, "beyond what was asked for" },
                { CONTEXT_ID, empty, 2, "beyond what was asked for" } };

  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct server s;
    struct osm_nbd *nbd = ready (&s, 65536);
    OSM_ERROR (err);

    assert_int_equal (osm_nbd_block_status (nbd, 1 << 20, 0, NULL, &err), 0);
    say_extents (&s, cookie_of (&s, 0), cases[i].context, cases[i].v, cases[i].n);
    assert_broken (&s, nbd, cases[i].text);
    assert_int_equal (s.status_done, 0);
  }
}

/* ---- requests ---- */

TEST (what_is_beyond_the_volume_is_not_asked_for)
{
  struct server s;
  struct osm_nbd *nbd = ready (&s, 65536);
  char buf[512];
  OSM_ERROR (err);

  assert_int_equal (osm_nbd_read (nbd, buf, 512, SIZE - 511, NULL, &err), -1);
  assert_error (&err, OSM_ERROR_BUG, "NBD request");
  assert_int_equal (osm_nbd_read (nbd, buf, 512, UINT64_MAX - 100, NULL, &err), -1);
  assert_error (&err, OSM_ERROR_BUG, "NBD request");
  assert_int_equal (osm_nbd_read (nbd, buf, 0, 0, NULL, &err), -1);
  assert_error (&err, OSM_ERROR_BUG, "NBD request");
  assert_int_equal (s.heard_len, 0);
  for (int i = 0; i < OSM_NBD_REQUESTS_MAX; i++)
    assert_int_equal (osm_nbd_block_status (nbd, 512, 0, NULL, &err), 0);
  assert_int_equal (osm_nbd_block_status (nbd, 512, 0, NULL, &err), -1);
  assert_error (&err, OSM_ERROR_BUG, "NBD request");
  osm_nbd_free (nbd);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (handshake_in_pieces_of_any_size),
    cmocka_unit_test (the_export_is_asked_for_by_its_name),
    cmocka_unit_test (a_server_without_structured_answers_has_no_extents),
    cmocka_unit_test (what_is_no_nbd_server_is_told),
    cmocka_unit_test (a_refusal_is_quoted),
    cmocka_unit_test (a_server_that_never_ends_an_option_is_left),
    cmocka_unit_test (a_server_without_a_size_is_none),
    cmocka_unit_test (data_and_holes_fill_the_buffer_in_any_order_of_requests),
    cmocka_unit_test (an_error_is_the_requests_and_the_connection_goes_on),
    cmocka_unit_test (a_lying_server_is_left_and_nothing_is_written_beside_the_buffer),
    cmocka_unit_test (an_answer_comes_once),
    cmocka_unit_test (extents_are_told_in_order_and_a_hole_alone_is_not_zero),
    cmocka_unit_test (extents_that_were_not_asked_for_end_the_connection),
    cmocka_unit_test (what_is_beyond_the_volume_is_not_asked_for),
  };

  return cmocka_run_group_tests_name ("nbd/client", tests, NULL, NULL);
}
