/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <stdlib.h>

#include "common/bytepipe.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parallel.h"

#define TOTAL 100000

static int
write_all (void *data, struct osm_error *err)
{
  unsigned char bytes[997];

  for (size_t done = 0; done < TOTAL;) {
    size_t n = TOTAL - done < sizeof bytes ? TOTAL - done : sizeof bytes;

    for (size_t i = 0; i < n; i++)
      bytes[i] = (unsigned char)((done + i) % 251);
    if (osm_bytepipe_write (data, bytes, n, err) == -1)
      return -1;
    done += n;
  }
  osm_bytepipe_end (data);
  return 0;
}

static int
read_all (void *data, struct osm_error *err)
{
  unsigned char bytes[64];
  size_t done = 0, len;

  for (;;) {
    if (osm_bytepipe_read (data, bytes, sizeof bytes, &len, err) == -1)
      return -1;
    if (len == 0)
      break;
    for (size_t i = 0; i < len; i++)
      assert_int_equal (bytes[i], (done + i) % 251);
    done += len;
  }
  assert_int_equal (done, TOTAL);
  return 0;
}

TEST (all_bytes_arrive_in_order_through_a_small_buffer)
{
  OSM_CLEANUP_BYTEPIPE struct osm_bytepipe *pipe = osm_bytepipe_new (100);
  struct osm_task tasks[] = { { write_all, pipe }, { read_all, pipe } };
  OSM_ERROR (err);

  assert_int_equal (osm_parallel (tasks, 2, &err), 0);
}

TEST (what_was_written_before_the_end_is_read)
{
  OSM_CLEANUP_BYTEPIPE struct osm_bytepipe *pipe = osm_bytepipe_new (10);
  char buffer[10];
  size_t len;
  OSM_ERROR (err);

  assert_int_equal (osm_bytepipe_write (pipe, "abc", 3, &err), 0);
  osm_bytepipe_end (pipe);
  assert_int_equal (osm_bytepipe_read (pipe, buffer, 10, &len, &err), 0);
  assert_int_equal (len, 3);
  assert_memory_equal (buffer, "abc", 3);
  assert_int_equal (osm_bytepipe_read (pipe, buffer, 10, &len, &err), 0);
  assert_int_equal (len, 0);
}

TEST (who_waits_is_told_why_it_broke)
{
  OSM_CLEANUP_BYTEPIPE struct osm_bytepipe *pipe = osm_bytepipe_new (10);
  char buffer[10];
  size_t len;
  OSM_ERROR (why);
  OSM_ERROR (err);

  (void)osm_error_set (&why, OSM_ERROR_RETRY, 5, "lost");
  osm_bytepipe_break (pipe, &why);
  assert_int_equal (osm_bytepipe_read (pipe, buffer, 10, &len, &err), -1);
  assert_error (&err, OSM_ERROR_RETRY, "lost");
  osm_error_clear (&err);
  assert_int_equal (osm_bytepipe_write (pipe, "x", 1, &err), -1);
  assert_error (&err, OSM_ERROR_RETRY, "lost");
}

TEST (an_interrupt_ends_waiting)
{
  OSM_CLEANUP_BYTEPIPE struct osm_bytepipe *pipe = osm_bytepipe_new (10);
  char buffer[10];
  size_t len;
  OSM_ERROR (err);

  osm_interrupt_set ();
  assert_int_equal (osm_bytepipe_read (pipe, buffer, 10, &len, &err), -1);
  assert_int_equal (err.class, OSM_ERROR_INTERRUPTED);
  osm_interrupt_clear ();
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (all_bytes_arrive_in_order_through_a_small_buffer),
    cmocka_unit_test (what_was_written_before_the_end_is_read),
    cmocka_unit_test (who_waits_is_told_why_it_broke),
    cmocka_unit_test (an_interrupt_ends_waiting),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
