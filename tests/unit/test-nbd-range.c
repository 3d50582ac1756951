/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include "nbd/range.h"

static void
a_block_is_done_when_its_last_piece_is (void **state)
{
  OSM_ERROR (err);
  OSM_CLEANUP_BITMAP struct osm_bitmap *b = NULL;
  struct osm_range r;
  uint64_t zero = 0;
  (void)state;

  assert_int_equal (osm_bitmap_new (5 * 4096 + 3, 4096, &b, &err), 0);
  osm_range_init (&r, 4096, 4 * 4096 + 3, 4096);
  assert_int_equal (osm_range_finish (&r, 6000, 4096, false, b, &zero), 0);
  assert_int_equal (osm_range_finish (&r, 4096, 1904, true, b, &zero), 4096);
  assert_int_equal (zero, 1904);
  assert_true (osm_bitmap_get (b, 4096));
  assert_false (osm_bitmap_get (b, 8192));
  assert_int_equal (osm_range_finish (&r, 10096, 20483 - 10096, true, b, &zero), 3 * 4096 + 3);
  assert_int_equal (zero, 1904 + 20483 - 10096);
  assert_int_equal (r.missing, 0);
  assert_int_equal (osm_bitmap_done_bytes (b), 4 * 4096 + 3);
  osm_range_done (&r);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_block_is_done_when_its_last_piece_is),
  };

  return cmocka_run_group_tests_name ("nbd/range", tests, NULL, NULL);
}
