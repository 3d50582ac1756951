/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "nbd/extents.h"

static void
check (const struct osm_extents *e, size_t i, uint64_t offset, uint64_t length, bool zero)
{
  assert_true (i < e->nr);
  assert_int_equal (e->v[i].offset, offset);
  assert_int_equal (e->v[i].length, length);
  assert_int_equal (e->v[i].zero, zero);
}

static void
neighbours_of_a_kind_are_one (void **state)
{
  OSM_ERROR (err);
  OSM_EXTENTS (e);
  (void)state;

  osm_extents_add (&e, 100, 10, false, &err);
  osm_extents_add (&e, 110, 0, true, &err);
  osm_extents_add (&e, 110, 10, false, &err);
  osm_extents_add (&e, 120, 5, true, &err);
  assert_int_equal (e.nr, 2);
  check (&e, 0, 100, 20, false);
  check (&e, 1, 120, 5, true);
  assert_int_equal (osm_extents_end (&e), 125);
  osm_extents_clear (&e);
  assert_int_equal (osm_extents_end (&e), 0);
}

static void
gaps_and_overflow_are_refused (void **state)
{
  OSM_EXTENTS (e);
  (void)state;

  {
    OSM_ERROR (err);
    assert_int_equal (osm_extents_add (&e, UINT64_MAX, 2, false, &err), -1);
  }
  {
    OSM_ERROR (err);
    assert_int_equal (osm_extents_add (&e, 0, 10, false, &err), 0);
    assert_int_equal (osm_extents_add (&e, 11, 10, true, &err), -1);
    assert_int_equal (err.class, OSM_ERROR_BUG);
  }
}

static void
a_single_byte_is_seen_wherever_it_is (void **state)
{
  char buf[100] = { 0 };
  (void)state;

  assert_true (osm_is_zero (buf, 0));
  for (size_t len = 1; len <= sizeof buf; len++) {
    assert_true (osm_is_zero (buf, len));
    for (size_t i = 0; i < len; i++) {
      buf[i] = 1;
      assert_false (osm_is_zero (buf, len));
      buf[i] = 0;
    }
  }
}

static void
scan_goes_by_the_blocks_of_the_volume (void **state)
{
  OSM_ERROR (err);
  OSM_EXTENTS (e);
  char buf[3 * 4096 + 10] = { 0 };
  (void)state;

  buf[4096] = 1; /* offset 100 + 4096: in the second block of the volume */
  assert_int_equal (osm_extents_scan (&e, buf, sizeof buf, 100, 4096, &err), 0);
  assert_int_equal (e.nr, 2);
  check (&e, 0, 100, 8192 - 100, false);
  check (&e, 1, 8192, sizeof buf + 100 - 8192, true);
}

static int
sparse_file (uint64_t size, uint64_t data_at, const void *data, size_t len)
{
  char path[] = "/tmp/osm-test-XXXXXX";
  int fd = mkstemp (path);

  assert_true (fd >= 0);
  unlink (path);
  assert_int_equal (ftruncate (fd, (off_t)size), 0);
  assert_int_equal (pwrite (fd, data, len, (off_t)data_at), len);
  return fd;
}

static void
detection_finds_the_data_and_all_is_reported (void **state)
{
  static const struct osm_extents_options options = { .max_read_bytes = 1 << 30,
                                                      .block_bytes = 65536 };
  OSM_ERROR (err);
  OSM_EXTENTS (e);
  OSM_CLEANUP_FD int fd = sparse_file (1000003, 700000, "x", 1);
  (void)state;

  assert_int_equal (osm_extents_detect (fd, 1, 1000002, &options, &e, &err), 0);
  assert_int_equal (osm_extents_end (&e), 1000003);
  assert_int_equal (e.v[0].offset, 1);
  for (size_t i = 0; i < e.nr; i++)
    if (e.v[i].offset <= 700000 && 700000 < e.v[i].offset + e.v[i].length)
      assert_false (e.v[i].zero);
  assert_true (e.v[e.nr - 1].zero);
}

static void
detection_reads_zeros_that_are_no_hole (void **state)
{
  static const struct osm_extents_options options = { .max_read_bytes = 1 << 30,
                                                      .block_bytes = 65536 };
  static char data[4 * 65536];
  OSM_ERROR (err);
  OSM_EXTENTS (e);
  OSM_CLEANUP_FD int fd = -1;
  (void)state;

  data[65536 + 5] = 1;
  fd = sparse_file (sizeof data, 0, data, sizeof data);
  assert_int_equal (osm_extents_detect (fd, 0, sizeof data, &options, &e, &err), 0);
  assert_int_equal (e.nr, 3);
  check (&e, 0, 0, 65536, true);
  check (&e, 1, 65536, 65536, false);
  check (&e, 2, 2 * 65536, 2 * 65536, true);
}

static void
detection_keeps_to_its_limit_but_reports_something (void **state)
{
  static const struct osm_extents_options options = { .max_read_bytes = 1 << 20,
                                                      .block_bytes = 65536 };
  OSM_CLEANUP_FREE char *data = calloc (1, 4 << 20);
  OSM_ERROR (err);
  OSM_EXTENTS (e);
  OSM_CLEANUP_FD int fd = -1;
  (void)state;

  memset (data, 7, 4 << 20);
  fd = sparse_file (4 << 20, 0, data, 4 << 20);
  assert_int_equal (osm_extents_detect (fd, 0, 4 << 20, &options, &e, &err), 0);
  assert_int_equal (e.nr, 1);
  check (&e, 0, 0, 1 << 20, false);
}

static void
detection_beyond_the_end_is_an_error (void **state)
{
  static const struct osm_extents_options options = { .max_read_bytes = 1 << 20,
                                                      .block_bytes = 65536 };
  OSM_ERROR (err);
  OSM_EXTENTS (e);
  (void)state;

  assert_int_equal (osm_extents_detect (0, UINT64_MAX - 5, 100, &options, &e, &err), -1);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (neighbours_of_a_kind_are_one),
    cmocka_unit_test (gaps_and_overflow_are_refused),
    cmocka_unit_test (a_single_byte_is_seen_wherever_it_is),
    cmocka_unit_test (scan_goes_by_the_blocks_of_the_volume),
    cmocka_unit_test (detection_finds_the_data_and_all_is_reported),
    cmocka_unit_test (detection_reads_zeros_that_are_no_hole),
    cmocka_unit_test (detection_keeps_to_its_limit_but_reports_something),
    cmocka_unit_test (detection_beyond_the_end_is_an_error),
  };

  return cmocka_run_group_tests_name ("nbd/extents", tests, NULL, NULL);
}
