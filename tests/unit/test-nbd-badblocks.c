/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Reading around places that cannot be read. */

#include <config.h>

#include "tests/unit/test.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "nbd/badblocks.h"

#define SIZE 20000 /* no whole number of sectors */

/* A disk of 'x' with one unreadable byte, or two. */
struct disk {
  uint64_t bad[2];
  unsigned reads, lost_after; /* 0: never */
};

static int
read_disk (void *data, void *buf, size_t length, uint64_t offset, struct osm_error *err)
{
  struct disk *d = data;

  assert_true (offset + length <= SIZE);
  if (++d->reads == d->lost_after)
    return osm_error_set (err, OSM_ERROR_RETRY, 0, "lost");
  for (int i = 0; i < 2; i++)
    if (d->bad[i] >= offset && d->bad[i] < offset + length)
      return EIO;
  memset (buf, 'x', length);
  return 0;
}

static struct osm_bad_blocks *
new_list (void)
{
  struct osm_bad_blocks *b = NULL;
  OSM_ERROR (err);

  assert_int_equal (osm_bad_blocks_new (NULL, SIZE, &b, &err), 0);
  return b;
}

/* [from, to) of the disk is read; what was lost must be that list, and zeros. */
static void
lost (struct disk d, uint64_t from, uint64_t to, const char *expected)
{
  OSM_CLEANUP_BAD_BLOCKS struct osm_bad_blocks *b = new_list ();
  OSM_CLEANUP_JSON json_t *list = NULL;
  OSM_CLEANUP_FREE char *text = NULL;
  OSM_CLEANUP_FREE char *buf = osm_calloc (1, SIZE);
  OSM_ERROR (err);

  memset (buf, '?', SIZE);
  assert_int_equal (osm_read_around (read_disk, &d, b, buf, from, to - from, &err), 0);
  list = osm_bad_blocks_to_json (b);
  text = osm_json_dump (list);
  assert_string_equal (text, expected);
  for (uint64_t at = from; at < to; at++) {
    bool bad = false;

    for (size_t i = 0; i < json_array_size (list); i++) {
      const json_t *one = json_array_get (list, i);
      uint64_t offset = (uint64_t)json_integer_value (json_array_get (one, 0));

      bad = bad ||
            (at >= offset && at < offset + (uint64_t)json_integer_value (json_array_get (one, 1)));
    }
    assert_int_equal (buf[at - from], bad ? 0 : 'x');
  }
}

TEST (only_the_sector_is_lost)
{
  lost ((struct disk){ .bad = { SIZE, SIZE } }, 0, SIZE, "[]");
  lost ((struct disk){ .bad = { 0, 0 } }, 0, SIZE, "[[0,512]]");
  lost ((struct disk){ .bad = { 4095, 4096 } }, 0, SIZE, "[[3584,1024]]");
  lost ((struct disk){ .bad = { 512, 9000 } }, 0, SIZE, "[[512,512],[8704,512]]");
  /* The last one is short. */
  lost ((struct disk){ .bad = { SIZE - 1, SIZE - 1 } }, 0, SIZE, "[[19968,32]]");
}

TEST (pieces_may_begin_and_end_anywhere)
{
  lost ((struct disk){ .bad = { 1000, 1000 } }, 700, 1300, "[[700,324]]");
  lost ((struct disk){ .bad = { 1000, 1000 } }, 1000, 1001, "[[1000,1]]");
  lost ((struct disk){ .bad = { 699, 1300 } }, 700, 1300, "[]");
}

TEST (a_lost_connection_is_no_bad_sector)
{
  struct disk d = { .bad = { 600, 600 }, .lost_after = 3 };
  OSM_CLEANUP_BAD_BLOCKS struct osm_bad_blocks *b = new_list ();
  OSM_CLEANUP_JSON json_t *list = NULL;
  OSM_CLEANUP_FREE char *buf = osm_calloc (1, SIZE);
  OSM_ERROR (err);

  assert_int_equal (osm_read_around (read_disk, &d, b, buf, 0, SIZE, &err), -1);
  assert_error (&err, OSM_ERROR_RETRY, "lost");
  list = osm_bad_blocks_to_json (b);
  assert_int_equal (json_array_size (list), 0);
}

TEST (the_place_for_the_message)
{
  struct disk d = { .bad = { 9000, 15000 } };
  uint64_t offset = 100;
  size_t length = SIZE - 100;
  OSM_ERROR (err);

  assert_int_equal (osm_find_bad (read_disk, &d, &offset, &length, &err), 0);
  assert_true (offset <= 9000 && offset + length > 9000 && length <= 4096);
  /* It can be read by now: then the whole piece is named. */
  d = (struct disk){ .bad = { SIZE, SIZE } };
  offset = 0;
  length = SIZE;
  assert_int_equal (osm_find_bad (read_disk, &d, &offset, &length, &err), 0);
  assert_int_equal (offset, 0);
  assert_int_equal (length, SIZE);
  d = (struct disk){ .lost_after = 1 };
  assert_int_equal (osm_find_bad (read_disk, &d, &offset, &length, &err), -1);
  assert_error (&err, OSM_ERROR_RETRY, "lost");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (only_the_sector_is_lost),
    cmocka_unit_test (pieces_may_begin_and_end_anywhere),
    cmocka_unit_test (a_lost_connection_is_no_bad_sector),
    cmocka_unit_test (the_place_for_the_message),
  };

  return cmocka_run_group_tests_name ("nbd/badblocks", tests, NULL, NULL);
}
