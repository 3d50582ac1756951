/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include "agent/survey.h"
#include "common/cleanup.h"
#include "tests/unit/xfs-image.h"

static unsigned char image[XFS_IMAGE_BYTES];

static const char *
look (struct osm_freemap *map)
{
  const struct osm_survey_part part = { .read = xfs_image_read,
                                        .data = image,
                                        .size_bytes = XFS_IMAGE_BYTES };

  osm_freemap_init (map, XFS_IMAGE_BYTES);
  return osm_survey_xfs (&part, map);
}

static void
whole_pages_that_are_worth_it (void **state)
{
  OSM_FREEMAP (map);
  (void)state;

  osm_freemap_init (&map, 1 << 20);
  assert_true (osm_freemap_add_pages (&map, 1, 65536));
  assert_int_equal (map.nr, 0);
  assert_true (osm_freemap_add_pages (&map, 4097, 8192 + 65536 + 4095));
  assert_int_equal (map.nr, 1);
  assert_int_equal (map.v[0].offset, 8192);
  assert_int_equal (map.v[0].length, 65536);
  assert_false (osm_freemap_add_pages (&map, 0, 65536));        /* before the last one */
  assert_false (osm_freemap_add_pages (&map, 524288, 2 << 20)); /* beyond the end */
}

static void
xfs_lists_its_free_space (void **state)
{
  OSM_FREEMAP (map);
  (void)state;

  xfs_image_make (image);
  assert_null (look (&map));
  assert_int_equal (map.nr, 2);
  assert_int_equal (map.v[0].offset, 16 * 512);
  assert_int_equal (map.v[0].length, 77824 - 16 * 512);
  assert_int_equal (map.v[1].offset, 339968);
  assert_int_equal (map.v[1].length, 491520 - 339968);
}

static void
xfs_that_is_not_in_order_is_left (void **state)
{
  const size_t log = XFS_IMAGE_LOG, leaf = 4 * 512;
  const struct {
    size_t at;
    uint64_t value;
    unsigned bytes;
    const char *why;
  } changes[] = {
    { 0, 0, 4, "its superblock cannot be read" },
    { 4, 1000, 4, "its superblock makes no sense" },
    { 88, 3, 4, "its superblock makes no sense" },
    { 8, 1025, 8, "its superblock makes no sense" },
    { 84, 0x40000000, 4, "its superblock makes no sense" },
    { 100, 3, 2, "its version is not known" },
    { 126, 1, 1, "it is not complete" },
    { 48, 0, 8, "its log is on another device" },
    { 48, 512 + 500, 8, "its log is not in its place" },
    { log + 9 * 512 + 9, 0, 1, "it was not unmounted" },  /* no unmount */
    { log + 8 * 512 + 40, 2, 4, "it was not unmounted" }, /* more in the record */
    { log + 10 * 512, 2, 4, "it was not unmounted" },     /* something behind it */
    { log + 3 * 512, 1, 4, "it was not unmounted" },      /* written in another order */
    { log + 120 * 512, 0, 4, "it was not unmounted" },    /* the same, in the round before */
    { log, 0, 4, "it was not unmounted" },
    { log + 8 * 512 + 12, 0xffffffff, 4, "it was not unmounted" },
    { 512 + 12, 511, 4, "the header of an allocation group is damaged" },
    { 512 + 28, 13, 4, "the header of an allocation group is damaged" },
    { 512 + 52, 141, 4, "its lists of free space are damaged" }, /* the sum */
    { leaf + 6, 100, 2, "its lists of free space are damaged" },
    { leaf + 16, 0, 4, "its lists of free space are damaged" }, /* the headers */
    { leaf + 20, 500, 4, "its lists of free space are damaged" },
    { leaf + 12, 4, 4, "its lists of free space are damaged" }, /* a loop */
    { XFS_IMAGE_AG + leaf + 16 + 41 * 8, 512, 4, "its lists of free space are damaged" },
    { XFS_IMAGE_AG + 6 * 512 + 16, 9, 4, "its lists of free space are damaged" },
  };
  (void)state;

  for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
    OSM_FREEMAP (map);
    const char *why;

    xfs_image_make (image);
    xfs_image_put (image, changes[i].at, changes[i].value, changes[i].bytes);
    why = look (&map);
    assert_non_null (why);
    assert_string_equal (why, changes[i].why);
  }
}

static void
xfs_log_that_wraps (void **state)
{
  OSM_FREEMAP (map);
  const size_t last = XFS_IMAGE_LOG + (XFS_IMAGE_LOG_BLOCKS - 1) * 512;
  (void)state;

  /* Header in the last block, data in the first. */
  xfs_image_make (image);
  for (size_t i = 1; i < XFS_IMAGE_LOG_BLOCKS; i++)
    memset (image + XFS_IMAGE_LOG + i * 512, 0, 512);
  for (size_t i = 0; i < XFS_IMAGE_LOG_BLOCKS; i++)
    xfs_image_put (image, XFS_IMAGE_LOG + i * 512, i ? 1 : 2, 4);
  xfs_image_put (image, last, 0xfeedbabe, 4);
  xfs_image_put (image, last + 4, 1, 4);
  xfs_image_put (image, last + 8, 1, 4);
  xfs_image_put (image, last + 12, 512, 4);
  xfs_image_put (image, last + 40, 1, 4);
  assert_string_equal (look (&map), "it was not unmounted");
  image[XFS_IMAGE_LOG + 9] = 0x20;
  assert_null (look (&map));
  assert_int_equal (map.nr, 2);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (whole_pages_that_are_worth_it),
    cmocka_unit_test (xfs_lists_its_free_space),
    cmocka_unit_test (xfs_that_is_not_in_order_is_left),
    cmocka_unit_test (xfs_log_that_wraps),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
