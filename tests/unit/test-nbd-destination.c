/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "nbd/destination.h"
#include "nbd/extents.h"

#define SIZE (1 << 20)

static int
full_of_ones (void)
{
  OSM_ERROR (err);
  OSM_CLEANUP_FREE char *buf = malloc (SIZE);
  char path[] = "/tmp/osm-test-XXXXXX";
  int fd = mkstemp (path);

  assert_true (fd >= 0);
  unlink (path);
  memset (buf, 0xff, SIZE);
  assert_int_equal (osm_write_full (fd, buf, SIZE, &err), 0);
  return fd;
}

/* Zero in the range and nowhere else? */
static void
check_zero (int fd, uint64_t offset, uint64_t length)
{
  OSM_ERROR (err);
  OSM_CLEANUP_FREE unsigned char *buf = malloc (SIZE);

  assert_int_equal (osm_pread_full (fd, buf, SIZE, 0, &err), 0);
  for (uint64_t i = 0; i < SIZE; i++)
    if (buf[i] != (i >= offset && i < offset + length ? 0 : 0xff))
      fail_msg ("byte %d is wrong", (int)i);
}

static void
zeroing_is_exact_by_every_method (void **state)
{
  static const uint64_t ranges[][2] = { { 0, SIZE }, { 0, 1 },        { 5, 4091 },
                                        { 4095, 2 }, { 100, 300000 }, { SIZE - 5, 5 } };
  (void)state;

  for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
    for (int no_punch = 0; no_punch < 2; no_punch++) {
      OSM_ERROR (err);
      OSM_CLEANUP_FD int fd = full_of_ones ();
      struct osm_destination d;

      assert_int_equal (osm_destination_init (&d, fd, SIZE, false, &err), 0);
      d.no_punch = no_punch;
      assert_int_equal (osm_destination_zero (&d, ranges[i][0], ranges[i][1], &err), 0);
      check_zero (fd, ranges[i][0], ranges[i][1]);
      assert_int_equal (osm_destination_zero (&d, ranges[i][0], ranges[i][1], &err), 0);
      assert_int_equal (osm_destination_flush (&d, &err), 0);
    }
}

static void
zeros_in_what_is_written_leave_a_hole (void **state)
{
  OSM_ERROR (err);
  OSM_CLEANUP_FD int fd = full_of_ones ();
  OSM_CLEANUP_FREE char *buf = calloc (1, SIZE);
  OSM_CLEANUP_FREE char *back = malloc (SIZE);
  struct osm_destination d;
  struct stat st;
  (void)state;

  buf[0] = buf[SIZE - 1] = 'x';
  assert_int_equal (osm_destination_init (&d, fd, SIZE, false, &err), 0);
  assert_int_equal (osm_destination_write (&d, buf, SIZE, 0, &err), 0);
  assert_int_equal (osm_pread_full (fd, back, SIZE, 0, &err), 0);
  assert_memory_equal (buf, back, SIZE);
  assert_int_equal (osm_destination_flush (&d, &err), 0);
  assert_int_equal (fstat (fd, &st), 0);
  assert_true (st.st_blocks * 512 < SIZE / 2);
}

static void
a_short_file_is_extended (void **state)
{
  OSM_ERROR (err);
  OSM_CLEANUP_FD int fd = full_of_ones ();
  struct osm_destination d;
  struct stat st;
  (void)state;

  assert_int_equal (osm_destination_init (&d, fd, SIZE + 7, false, &err), 0);
  assert_int_equal (fstat (fd, &st), 0);
  assert_int_equal (st.st_size, SIZE + 7);
}

static void
other_things_are_refused (void **state)
{
  OSM_ERROR (err);
  struct osm_destination d;
  int fds[2];
  (void)state;

  assert_int_equal (pipe (fds), 0);
  assert_int_equal (osm_destination_init (&d, fds[1], 1, false, &err), -1);
  assert_int_equal (err.class, OSM_ERROR_USER);
  close (fds[0]);
  close (fds[1]);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (zeroing_is_exact_by_every_method),
    cmocka_unit_test (zeros_in_what_is_written_leave_a_hole),
    cmocka_unit_test (a_short_file_is_extended),
    cmocka_unit_test (other_things_are_refused),
  };

  return cmocka_run_group_tests_name ("nbd/destination", tests, NULL, NULL);
}
