/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/frame.h"
#include "common/json.h"
#include "common/strbuf.h"

/* A stream that hands out what it holds in pieces of `step` bytes. */
struct memory {
  const char *data;
  size_t len, at, step;
  struct osm_strbuf written;
};

static ssize_t
memory_read (void *data, void *buf, size_t len, struct osm_error *err)
{
  struct memory *m = data;
  size_t n = m->len - m->at;

  (void)err;
  n = n < m->step ? n : m->step;
  n = n < len ? n : len;
  memcpy (buf, m->data + m->at, n);
  m->at += n;
  return (ssize_t)n;
}

static int
memory_write (void *data, const void *buf, size_t len, struct osm_error *err)
{
  struct memory *m = data;

  (void)err;
  osm_strbuf_add_mem (&m->written, buf, len);
  return 0;
}

static int
read_from (const char *data, size_t len, json_t **ret, struct osm_error *err)
{
  struct memory m = { .data = data, .len = len, .step = 3 };
  const struct osm_frame_io io = { memory_read, memory_write, &m };

  return osm_frame_read (&io, ret, err);
}

TEST (a_frame_is_length_and_json)
{
  OSM_CLEANUP_JSON json_t *object = osm_json_pack ("{s:i}", "a", 1);
  OSM_CLEANUP_FREE char *data = NULL;
  OSM_ERROR (err);
  size_t len;

  assert_int_equal (osm_frame_encode (object, &data, &len, &err), 0);
  assert_int_equal (len, 11);
  assert_memory_equal (data, "\0\0\0\x07{\"a\":1}", 11);
}

TEST (what_was_written_is_read_back_in_any_pieces)
{
  OSM_CLEANUP_JSON json_t *object = osm_json_pack ("{s:s, s:[i,i]}", "k", "\xc3\xa4", "l", 1, 2);
  struct memory m = { 0 };
  const struct osm_frame_io io = { memory_read, memory_write, &m };
  OSM_ERROR (err);

  assert_int_equal (osm_frame_write (&io, object, &err), 0);
  assert_int_equal (osm_frame_write (&io, object, &err), 0);
  for (size_t step = 1; step < 12; step++) {
    struct memory r = { .data = m.written.s, .len = m.written.len, .step = step };
    const struct osm_frame_io in = { memory_read, memory_write, &r };

    for (int i = 0; i < 2; i++) {
      OSM_CLEANUP_JSON json_t *got = NULL;

      assert_int_equal (osm_frame_read (&in, &got, &err), 0);
      assert_true (json_equal (object, got));
    }
  }
  osm_strbuf_done (&m.written);
}

TEST (the_end_between_frames_is_clean)
{
  json_t *got = (json_t *)1;
  OSM_ERROR (err);

  assert_int_equal (read_from ("", 0, &got, &err), 0);
  assert_null (got);
}

TEST (the_end_inside_a_frame_is_a_lost_connection)
{
  const char frame[] = "\0\0\0\x02{}";
  json_t *got = NULL;
  OSM_ERROR (err);

  for (size_t len = 1; len < 6; len++) {
    assert_int_equal (read_from (frame, len, &got, &err), -1);
    assert_error (&err, OSM_ERROR_RETRY, "ended inside a frame");
  }
  assert_int_equal (read_from (frame, 6, &got, &err), 0);
  assert_true (json_is_object (got));
  json_decref (got);
}

TEST (lengths_beyond_the_limit_are_refused_before_reading_on)
{
  const char *headers[] = { "\xff\xff\xff\xff", "\x00\x10\x00\x01", "\x80\x00\x00\x00",
                            "\x00\x00\x00\x00" };

  for (size_t i = 0; i < 4; i++) {
    json_t *got = NULL;
    OSM_ERROR (err);

    assert_int_equal (read_from (headers[i], 4, &got, &err), -1);
    assert_error (&err, OSM_ERROR_REMOTE, "a frame of ");
  }
}

TEST (what_is_not_a_json_object_is_refused)
{
  const struct {
    const char *frame;
    size_t len;
  } bad[] = { { "\0\0\0\x02[]", 6 },
              { "\0\0\0\x04null", 8 },
              { "\0\0\0\x02{x", 6 },
              { "\0\0\0\x03{}x", 7 },
              { "\0\0\0\x03{}\0", 7 },
              { "\0\0\0\x08{\"\xff\":\"\"}", 12 },
              { "\0\0\0\x0d{\"a\":1,\"a\":2}", 17 },
              { "\0\0\0\x0e{\"a\":\"\\u0000\"}", 18 },
              { "SSH-2.0-OpenSSH", 15 } };

  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    json_t *got = NULL;
    OSM_ERROR (err);

    assert_int_equal (read_from (bad[i].frame, bad[i].len, &got, &err), -1);
    assert_null (got);
    assert_error (&err, OSM_ERROR_REMOTE, "control channel");
  }
}

TEST (deep_nesting_does_not_exhaust_the_stack)
{
  OSM_CLEANUP_FREE char *frame = osm_calloc (1, OSM_FRAME_MAX + 4);
  json_t *got = NULL;
  OSM_ERROR (err);

  memcpy (frame, "\x00\x10\x00\x00{\"a\":", 9);
  memset (frame + 9, '[', OSM_FRAME_MAX - 5);
  assert_int_equal (read_from (frame, 0, &got, &err), 0);
  {
    struct memory m = { .data = frame, .len = OSM_FRAME_MAX + 4, .step = 65536 };
    const struct osm_frame_io io = { memory_read, memory_write, &m };

    assert_int_equal (osm_frame_read (&io, &got, &err), -1);
    assert_error (&err, OSM_ERROR_REMOTE, "not JSON");
  }
}

TEST (a_message_beyond_the_limit_is_not_sent)
{
  OSM_CLEANUP_FREE char *big = osm_calloc (1, OSM_FRAME_MAX);
  OSM_CLEANUP_JSON json_t *object = NULL;
  OSM_CLEANUP_FREE char *data = NULL;
  OSM_ERROR (err);
  size_t len;

  memset (big, 'x', OSM_FRAME_MAX - 1);
  object = osm_json_pack ("{s:s}", "a", big);
  assert_int_equal (osm_frame_encode (object, &data, &len, &err), -1);
  assert_error (&err, OSM_ERROR_BUG, "allowed are 1048576");
  /* {"a":"..."} of exactly the limit. */
  big[OSM_FRAME_MAX - 8] = '\0';
  osm_json_set_str (object, "a", big);
  assert_int_equal (osm_frame_encode (object, &data, &len, &err), 0);
  assert_int_equal (len, OSM_FRAME_MAX + 4);
}

TEST (only_objects_are_sent)
{
  OSM_CLEANUP_JSON json_t *array = json_array ();
  char *data;
  OSM_ERROR (err);
  size_t len;

  assert_int_equal (osm_frame_encode (array, &data, &len, &err), -1);
  assert_error (&err, OSM_ERROR_BUG, "only objects");
}

TEST (the_parser_takes_frames_from_any_pieces)
{
  const char stream[] = "\0\0\0\x02{}\0\0\0\x07{\"a\":1}\0\0\0\x02{}";
  const size_t len = 6 + 11 + 6;

  for (size_t step = 1; step <= len; step++) {
    struct osm_frame_parser p = { 0 };
    OSM_ERROR (err);
    int frames = 0;

    for (size_t at = 0; at < len; at += step) {
      assert_int_equal (
          osm_frame_parser_feed (&p, stream + at, len - at < step ? len - at : step, &err), 0);
      for (;;) {
        OSM_CLEANUP_JSON json_t *got = NULL;

        assert_int_equal (osm_frame_parser_take (&p, &got, &err), 0);
        if (got == NULL)
          break;
        assert_int_equal (json_object_size (got), frames == 1);
        frames++;
      }
    }
    assert_int_equal (frames, 3);
    assert_int_equal (p.len, 0);
    osm_frame_parser_done (&p);
  }
}

TEST (the_parser_refuses_long_frames_at_the_header)
{
  struct osm_frame_parser p = { 0 };
  json_t *got = NULL;
  OSM_ERROR (err);

  osm_frame_parser_feed (&p, "\x7f\xff\xff\xff", 4, &err);
  assert_int_equal (osm_frame_parser_take (&p, &got, &err), -1);
  assert_error (&err, OSM_ERROR_REMOTE, "a frame of ");
  osm_frame_parser_done (&p);
}

TEST (the_parser_does_not_grow_without_limit)
{
  struct osm_frame_parser p = { 0 };
  OSM_CLEANUP_FREE char *chunk = osm_calloc (1, 65536);
  OSM_ERROR (err);
  int fed = 0;

  while (osm_frame_parser_feed (&p, chunk, 65536, &err) == 0)
    fed++;
  assert_true (fed <= OSM_FRAME_PARSER_MAX / 65536);
  assert_error (&err, OSM_ERROR_REMOTE, "wait to be taken");
  osm_frame_parser_done (&p);
}

TEST (frames_go_through_descriptors)
{
  OSM_CLEANUP_JSON json_t *object = osm_json_pack ("{s:b}", "ok", 1);
  OSM_CLEANUP_JSON json_t *got = NULL;
  struct osm_frame_fds fds;
  struct osm_frame_io io;
  OSM_ERROR (err);
  int p[2];

  assert_int_equal (pipe2 (p, O_CLOEXEC), 0);
  fds = (struct osm_frame_fds){ .in = p[0], .out = p[1] };
  io = osm_frame_io_fds (&fds);
  assert_int_equal (osm_frame_write (&io, object, &err), 0);
  assert_int_equal (osm_frame_read (&io, &got, &err), 0);
  assert_true (json_equal (object, got));
  close (p[1]);
  json_decref (osm_take (got));
  assert_int_equal (osm_frame_read (&io, &got, &err), 0);
  assert_null (got);
  close (p[0]);
  assert_int_equal (osm_frame_read (&io, &got, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "control channel: read");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_frame_is_length_and_json),
    cmocka_unit_test (what_was_written_is_read_back_in_any_pieces),
    cmocka_unit_test (the_end_between_frames_is_clean),
    cmocka_unit_test (the_end_inside_a_frame_is_a_lost_connection),
    cmocka_unit_test (lengths_beyond_the_limit_are_refused_before_reading_on),
    cmocka_unit_test (what_is_not_a_json_object_is_refused),
    cmocka_unit_test (deep_nesting_does_not_exhaust_the_stack),
    cmocka_unit_test (a_message_beyond_the_limit_is_not_sent),
    cmocka_unit_test (only_objects_are_sent),
    cmocka_unit_test (the_parser_takes_frames_from_any_pieces),
    cmocka_unit_test (the_parser_refuses_long_frames_at_the_header),
    cmocka_unit_test (the_parser_does_not_grow_without_limit),
    cmocka_unit_test (frames_go_through_descriptors),
  };

  return cmocka_run_group_tests_name ("common/frame", tests, NULL, NULL);
}
