/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

#include "agent/sparse.h"
#include "common/cleanup.h"
#include "common/json.h"

static int
read_map (const char *text, uint64_t size, struct osm_freemap *map, struct osm_error *err)
{
  OSM_CLEANUP_FILE FILE *f = fmemopen ((void *)text, strlen (text), "r");

  assert_non_null (f);
  osm_freemap_init (map, size);
  return osm_sparse_read_map (f, map, err);
}

static void
only_discarded_clusters_are_free (void **state)
{
  static const char text[] =
      "[{ \"start\": 0, \"length\": 65536, \"depth\": 0, \"present\": false, \"zero\": true, "
      "\"data\": false},\n"
      "{ \"start\": 65536, \"length\": 65536, \"depth\": 0, \"present\": true, \"zero\": false, "
      "\"data\": true, \"offset\": 327680},\n"
      "{ \"start\": 131072, \"length\": 131072, \"depth\": 0, \"present\": true, \"zero\": true, "
      "\"data\": false},\n"
      "{ \"start\": 262144, \"length\": 65536, \"depth\": 0, \"present\": true, \"zero\": true, "
      "\"data\": true, \"offset\": 1},\n"
      "{ \"start\": 327680, \"length\": 65536, \"depth\": 1, \"present\": true, \"zero\": true, "
      "\"data\": false},\n"
      "{ \"start\": 393216, \"length\": 131072, \"depth\": 0, \"present\": true, \"zero\": true, "
      "\"data\": false}]\n";
  OSM_FREEMAP (map);
  OSM_ERROR (err);
  (void)state;

  assert_int_equal (read_map (text, 393216 + 1000, &map, &err), 0);
  assert_int_equal (map.nr, 2);
  assert_int_equal (map.v[0].offset, 131072);
  assert_int_equal (map.v[0].length, 131072);
  assert_int_equal (map.v[1].offset, 393216);
  assert_int_equal (map.v[1].length, 1000);
}

static void
answers_that_make_no_sense (void **state)
{
  static const char *const texts[] = {
    "[{ \"start\": 0, \"length\": 65536, \"depth\": 0, \"zero\": true, \"data\": false}]\n",
    "[{ \"start\": 65536, \"length\": 65536, \"depth\": 0, \"present\": true, \"zero\": true, "
    "\"data\": false},\n{ \"start\": 0, \"length\": 65536, \"depth\": 0, \"present\": true, "
    "\"zero\": true, \"data\": false}]\n",
    "[{ nonsense }]\n",
  };
  (void)state;

  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    OSM_FREEMAP (map);
    OSM_ERROR (err);

    assert_int_equal (read_map (texts[i], 1 << 20, &map, &err), -1);
  }
}

#define MIB 1048576

static void
gaps_lie_behind_partitions (void **state)
{
  /* an extended partition with a logical one inside, not in order */
  OSM_CLEANUP_JSON json_t *list =
      osm_json_pack ("[[i, i], [i, i], [i, i], [i, i]]", 40 * MIB, 10 * MIB, 10 * MIB, 5 * MIB,
                     42 * MIB, 3 * MIB, 50 * MIB, 10 * MIB + 512);
  OSM_FREEMAP (map);
  OSM_ERROR (err);
  (void)state;

  osm_freemap_init (&map, 100 * MIB);
  assert_int_equal (osm_sparse_gaps (list, &map, &err), 0);
  assert_int_equal (map.nr, 2);
  assert_int_equal (map.v[0].offset, 15 * MIB);
  assert_int_equal (map.v[0].length, 25 * MIB);
  assert_int_equal (map.v[1].offset, 60 * MIB + 512);
  assert_int_equal (map.v[1].length, 39 * MIB - 512);
}

static void
no_partitions_no_gaps (void **state)
{
  OSM_CLEANUP_JSON json_t *none = json_array (),
                          *beyond = osm_json_pack ("[[i, i]]", 10 * MIB, 95 * MIB),
                          *full = osm_json_pack ("[[i, i]]", MIB, 99 * MIB);
  OSM_FREEMAP (map);
  OSM_ERROR (err);
  (void)state;

  osm_freemap_init (&map, 100 * MIB);
  assert_int_equal (osm_sparse_gaps (none, &map, &err), 0);
  assert_int_equal (osm_sparse_gaps (NULL, &map, &err), 0);
  assert_int_equal (osm_sparse_gaps (full, &map, &err), 0);
  assert_int_equal (map.nr, 0);
  assert_int_equal (osm_sparse_gaps (beyond, &map, &err), -1);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (only_discarded_clusters_are_free),
    cmocka_unit_test (answers_that_make_no_sense),
    cmocka_unit_test (gaps_lie_behind_partitions),
    cmocka_unit_test (no_partitions_no_gaps),
  };

  return cmocka_run_group_tests_name ("agent/sparse", tests, NULL, NULL);
}
