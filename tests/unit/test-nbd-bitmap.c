/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "nbd/bitmap.h"

#define B 4096

static struct osm_bitmap *
bitmap (uint64_t size)
{
  OSM_ERROR (err);
  struct osm_bitmap *b = NULL;

  assert_int_equal (osm_bitmap_new (size, B, &b, &err), 0);
  return b;
}

static void
only_whole_blocks_are_set (void **state)
{
  OSM_CLEANUP_BITMAP struct osm_bitmap *b = bitmap (10 * B + 1);
  (void)state;

  osm_bitmap_set (b, 1, 2 * B);
  assert_false (osm_bitmap_get (b, 0));
  assert_true (osm_bitmap_get (b, B));
  assert_true (osm_bitmap_get (b, 2 * B - 1));
  assert_false (osm_bitmap_get (b, 2 * B));
  assert_int_equal (osm_bitmap_done_bytes (b), B);
  osm_bitmap_set (b, 0, 2 * B);
  assert_int_equal (osm_bitmap_done_bytes (b), 2 * B);
}

static void
the_short_last_block_counts (void **state)
{
  OSM_CLEANUP_BITMAP struct osm_bitmap *b = bitmap (10 * B + 1);
  (void)state;

  osm_bitmap_set (b, 10 * B, 1);
  assert_true (osm_bitmap_get (b, 10 * B));
  assert_false (osm_bitmap_get (b, 10 * B + 1));
  assert_int_equal (osm_bitmap_done_bytes (b), 1);
  osm_bitmap_set (b, 0, UINT64_MAX);
  assert_int_equal (osm_bitmap_done_bytes (b), 10 * B + 1);
  osm_bitmap_clear (b, B + 1, 1);
  assert_false (osm_bitmap_get (b, B));
  assert_int_equal (osm_bitmap_done_bytes (b), 9 * B + 1);
}

static void
next_finds_runs (void **state)
{
  OSM_CLEANUP_BITMAP struct osm_bitmap *b = bitmap (300 * B + 7);
  uint64_t offset, length;
  (void)state;

  assert_false (osm_bitmap_next (b, 0, true, &offset, &length));
  osm_bitmap_set (b, 60 * B, 80 * B);
  assert_true (osm_bitmap_next (b, 0, false, &offset, &length));
  assert_int_equal (offset, 0);
  assert_int_equal (length, 60 * B);
  assert_true (osm_bitmap_next (b, 5, true, &offset, &length));
  assert_int_equal (offset, 60 * B);
  assert_int_equal (length, 80 * B);
  assert_true (osm_bitmap_next (b, 60 * B, false, &offset, &length));
  assert_int_equal (offset, 140 * B);
  assert_int_equal (length, 160 * B + 7);
  assert_false (osm_bitmap_next (b, 140 * B, true, &offset, &length));
  assert_false (osm_bitmap_next (b, 300 * B + 7, false, &offset, &length));
}

static void
an_empty_volume_has_no_blocks (void **state)
{
  OSM_CLEANUP_BITMAP struct osm_bitmap *b = bitmap (0);
  uint64_t offset, length;
  (void)state;

  osm_bitmap_set (b, 0, 100);
  assert_false (osm_bitmap_get (b, 0));
  assert_false (osm_bitmap_next (b, 0, false, &offset, &length));
  assert_int_equal (osm_bitmap_done_bytes (b), 0);
}

static void
blocks_grow_with_the_volume (void **state)
{
  OSM_ERROR (err);
  OSM_CLEANUP_BITMAP struct osm_bitmap *b = NULL;
  (void)state;

  assert_int_equal (osm_bitmap_new (UINT64_C (200) << 40, 0, &b, &err), 0);
  assert_int_equal (osm_bitmap_block (b), 4 * OSM_BITMAP_BLOCK);
}

static void
sizes_that_make_no_sense_are_refused (void **state)
{
  static const uint64_t wrong[][2] = {
    { UINT64_MAX, 0 }, { 100, 5 }, { 100, 6144 }, { UINT64_C (1) << 60, 4096 }
  };
  (void)state;

  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    OSM_ERROR (err);
    struct osm_bitmap *b = NULL;

    assert_int_equal (osm_bitmap_new (wrong[i][0], wrong[i][1], &b, &err), -1);
  }
}

static void
temporary (char path[32])
{
  int fd;

  memcpy (path, "/tmp/osm-test-XXXXXX", 21);
  fd = mkstemp (path);
  assert_true (fd >= 0);
  close (fd);
}

static void
what_is_saved_is_loaded (void **state)
{
  OSM_ERROR (err);
  OSM_CLEANUP_BITMAP struct osm_bitmap *b = bitmap (1000 * B + 1);
  OSM_CLEANUP_BITMAP struct osm_bitmap *c = NULL;
  char path[32];
  (void)state;

  temporary (path);
  osm_bitmap_set (b, 3 * B, 70 * B);
  osm_bitmap_set (b, 999 * B, B + 1);
  assert_int_equal (osm_bitmap_save (b, path, &err), 0);
  assert_int_equal (osm_bitmap_load (path, 1000 * B + 1, &c, &err), 0);
  assert_int_equal (osm_bitmap_block (c), B);
  assert_int_equal (osm_bitmap_done_bytes (c), osm_bitmap_done_bytes (b));
  for (uint64_t i = 0; i <= 1000; i++)
    assert_int_equal (osm_bitmap_get (c, i * B), osm_bitmap_get (b, i * B));
  unlink (path);
}

static void
another_volume_is_refused (void **state)
{
  OSM_ERROR (ok);
  OSM_ERROR (err);
  OSM_CLEANUP_BITMAP struct osm_bitmap *b = bitmap (1000);
  struct osm_bitmap *c = NULL;
  char path[32];
  (void)state;

  temporary (path);
  assert_int_equal (osm_bitmap_save (b, path, &ok), 0);
  assert_int_equal (osm_bitmap_load (path, 1001, &c, &err), -1);
  assert_int_equal (err.class, OSM_ERROR_USER);
  unlink (path);
}

static void
any_damage_is_noticed (void **state)
{
  OSM_ERROR (ok);
  OSM_CLEANUP_BITMAP struct osm_bitmap *b = bitmap (100 * B);
  OSM_CLEANUP_FREE char *data = NULL;
  char path[32];
  size_t len;
  (void)state;

  temporary (path);
  osm_bitmap_set (b, 0, 50 * B);
  assert_int_equal (osm_bitmap_save (b, path, &ok), 0);
  assert_int_equal (osm_file_read (path, 4096, &data, &len, &ok), 0);
  for (size_t i = 0; i < len; i++) {
    OSM_ERROR (err);
    struct osm_bitmap *c = NULL;

    data[i] ^= 4;
    assert_int_equal (osm_file_write (path, data, len, 0600, &ok), 0);
    assert_int_equal (osm_bitmap_load (path, 100 * B, &c, &err), -1);
    data[i] ^= 4;
  }
  for (size_t i = 0; i < len; i += 5) {
    OSM_ERROR (err);
    struct osm_bitmap *c = NULL;

    assert_int_equal (osm_file_write (path, data, i, 0600, &ok), 0);
    assert_int_equal (osm_bitmap_load (path, 100 * B, &c, &err), -1);
  }
  unlink (path);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (only_whole_blocks_are_set),
    cmocka_unit_test (the_short_last_block_counts),
    cmocka_unit_test (next_finds_runs),
    cmocka_unit_test (an_empty_volume_has_no_blocks),
    cmocka_unit_test (blocks_grow_with_the_volume),
    cmocka_unit_test (sizes_that_make_no_sense_are_refused),
    cmocka_unit_test (what_is_saved_is_loaded),
    cmocka_unit_test (another_volume_is_refused),
    cmocka_unit_test (any_damage_is_noticed),
  };

  return cmocka_run_group_tests_name ("nbd/bitmap", tests, NULL, NULL);
}
