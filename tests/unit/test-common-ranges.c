/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <stdint.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/ranges.h"
#include "common/strbuf.h"

static void
assert_ranges (const struct osm_ranges *r, const char *expected)
{
  OSM_CLEANUP_JSON json_t *list = osm_ranges_to_json (r);
  OSM_CLEANUP_FREE char *text = osm_json_dump (list);

  assert_string_equal (text, expected);
}

static void
neighbours_become_one (void **state)
{
  OSM_RANGES (r);

  (void)state;
  osm_ranges_add (&r, 100, 10);
  osm_ranges_add (&r, 50, 10);
  osm_ranges_add (&r, 200, 1);
  assert_ranges (&r, "[[50,10],[100,10],[200,1]]");
  osm_ranges_add (&r, 60, 40);
  assert_ranges (&r, "[[50,60],[200,1]]");
  osm_ranges_add (&r, 0, 1000);
  assert_ranges (&r, "[[0,1000]]");
  osm_ranges_add (&r, 5, 0);
  osm_ranges_add (&r, 1000, 1);
  assert_ranges (&r, "[[0,1001]]");
  assert_int_equal (osm_ranges_bytes (&r), 1001);
}

static void
removal_splits (void **state)
{
  OSM_RANGES (r);

  (void)state;
  osm_ranges_add (&r, 0, 100);
  osm_ranges_add (&r, 200, 100);
  osm_ranges_remove (&r, 40, 10);
  assert_ranges (&r, "[[0,40],[50,50],[200,100]]");
  osm_ranges_remove (&r, 90, 120);
  assert_ranges (&r, "[[0,40],[50,40],[210,90]]");
  osm_ranges_remove (&r, 0, 40);
  osm_ranges_remove (&r, 300, 5);
  assert_ranges (&r, "[[50,40],[210,90]]");
  osm_ranges_remove (&r, 0, UINT64_MAX);
  assert_ranges (&r, "[]");
}

static void
touching_is_by_bytes (void **state)
{
  OSM_RANGES (r);

  (void)state;
  osm_ranges_add (&r, 10, 10);
  osm_ranges_add (&r, 40, 10);
  assert_false (osm_ranges_touch (&r, 0, 10));
  assert_false (osm_ranges_touch (&r, 20, 20));
  assert_false (osm_ranges_touch (&r, 50, UINT64_MAX));
  assert_true (osm_ranges_touch (&r, 0, 11));
  assert_true (osm_ranges_touch (&r, 19, 1));
  assert_true (osm_ranges_touch (&r, 20, 21));
  assert_false (osm_ranges_touch (&r, 15, 0));
}

/* Against an array of bits. */
static void
a_model_agrees (void **state)
{
  OSM_RANGES (r);
  bool model[256] = { false };
  uint32_t seed = 1;

  (void)state;
  for (int round = 0; round < 5000; round++) {
    unsigned offset, length, bytes = 0;
    bool add, touch = false;

    seed = seed * 1664525 + 1013904223;
    offset = seed >> 24;
    length = (seed >> 16 & 31) % (257 - offset);
    add = seed >> 12 & 1;
    for (unsigned i = offset; i < offset + length; i++)
      touch = touch || model[i];
    assert_int_equal (osm_ranges_touch (&r, offset, length), touch);
    if (add)
      osm_ranges_add (&r, offset, length);
    else
      osm_ranges_remove (&r, offset, length);
    for (unsigned i = offset; i < offset + length; i++)
      model[i] = add;
    for (unsigned i = 0; i < 256; i++)
      bytes += model[i];
    assert_int_equal (osm_ranges_bytes (&r), bytes);
    for (size_t i = 0; i < r.nr; i++) {
      assert_true (r.v[i].length > 0);
      assert_true (i == 0 || r.v[i].offset > r.v[i - 1].offset + r.v[i - 1].length);
      for (uint64_t k = r.v[i].offset; k < r.v[i].offset + r.v[i].length; k++)
        assert_true (model[k]);
    }
  }
}

static void
coarser_ranges_cover_the_same (void **state)
{
  OSM_RANGES (r);
  OSM_CLEANUP_FREE char *text = NULL;

  (void)state;
  osm_ranges_add (&r, 0, 1);
  osm_ranges_add (&r, 11, 1);
  osm_ranges_add (&r, 14, 1);
  osm_ranges_add (&r, 100, 1);
  text = osm_ranges_text (&r, 2);
  assert_string_equal (text, "1 bytes at offset 0, 1 bytes at offset 11 and 2 more");
  osm_ranges_coarsen (&r, 4);
  assert_int_equal (r.nr, 4);
  osm_ranges_coarsen (&r, 3);
  assert_ranges (&r, "[[0,1],[11,4],[100,1]]");
  osm_ranges_coarsen (&r, 0);
  assert_ranges (&r, "[[0,101]]");
}

static void
json_that_is_no_list_of_ranges (void **state)
{
  static const char *const bad[] = { "{}",
                                     "[1]",
                                     "[[1]]",
                                     "[[1,2,3]]",
                                     "[[-1,2]]",
                                     "[[1,0]]",
                                     "[[1,\"2\"]]",
                                     "[[1,2.5]]",
                                     "[[0,1001]]",
                                     "[[1000,1]]",
                                     "[[1001,1]]",
                                     "[[9223372036854775807,9223372036854775807]]",
                                     "[[1,1],[2,1],[3,1],[4,1]]" };

  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    OSM_CLEANUP_JSON json_t *list = json_loads (bad[i], 0, NULL);
    OSM_RANGES (r);
    OSM_ERROR (err);

    assert_non_null (list);
    assert_int_equal (osm_ranges_from_json (list, 1000, 3, &r, &err), -1);
    assert_int_equal (err.class, OSM_ERROR_USER);
  }
  {
    OSM_CLEANUP_JSON json_t *list = json_loads ("[[999,1],[0,5],[5,5]]", 0, NULL);
    OSM_RANGES (r);
    OSM_ERROR (err);

    assert_int_equal (osm_ranges_from_json (list, 1000, 3, &r, &err), 0);
    assert_ranges (&r, "[[0,10],[999,1]]");
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (neighbours_become_one),
    cmocka_unit_test (removal_splits),
    cmocka_unit_test (touching_is_by_bytes),
    cmocka_unit_test (a_model_agrees),
    cmocka_unit_test (coarser_ranges_cover_the_same),
    cmocka_unit_test (json_that_is_no_list_of_ranges),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
