/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "controller/migration/plan.h"

static json_int_t
size_of (json_int_t disk, json_int_t min_disk, json_int_t virtual_size, json_int_t size)
{
  OSM_CLEANUP_JSON json_t *flavor = osm_json_pack ("{s:I}", "disk", disk),
                          *image = osm_json_pack ("{s:I, s:I, s:I}", "min_disk", min_disk,
                                                  "virtual_size", virtual_size, "size", size);

  return osm_plan_root_size (flavor, image);
}

static void
size_is_the_flavors_or_else_the_images (void **state)
{
  const json_int_t gib = (json_int_t)1 << 30;

  (void)state;
  assert_int_equal (size_of (5, 10, 20 * gib, gib), 5);
  assert_int_equal (size_of (0, 10, 2 * gib, gib), 10);
  assert_int_equal (size_of (0, 1, 2 * gib + 1, gib), 3);
  assert_int_equal (size_of (0, 0, 0, 1), 1);
  assert_int_equal (size_of (0, 0, 0, 0), 0);
  assert_int_equal (osm_plan_root_size (NULL, NULL), 0);
}

static void
only_what_is_about_the_disk_is_kept (void **state)
{
  OSM_CLEANUP_JSON json_t *image =
      osm_json_pack ("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "hw_disk_bus", "scsi", "os_type",
                     "linux", "os_hash_algo", "sha512", "os_hash_value", "ab", "architecture",
                     "x86_64", "name", "debian", "owner_specified.shade", "x", "os_hidden", 0);
  OSM_CLEANUP_JSON json_t *wanted = osm_json_pack ("{s:s, s:s, s:s}", "hw_disk_bus", "scsi",
                                                   "os_type", "linux", "architecture", "x86_64");
  OSM_CLEANUP_JSON json_t *kept = osm_plan_image_metadata (image);

  (void)state;
  assert_true (json_equal (kept, wanted));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (size_is_the_flavors_or_else_the_images),
    cmocka_unit_test (only_what_is_about_the_disk_is_kept),
  };

  return cmocka_run_group_tests_name ("controller/migration/plan-image", tests, NULL, NULL);
}
