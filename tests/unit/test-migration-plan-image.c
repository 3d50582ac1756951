/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/migration/plan-internal.h"

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

/* ---- made anew of the destination's image ---- */

/* The ids of the findings, one after the other, but the last, which is always the same. */
static void
image_gives (const char *old_text, const char *new_text, const char *flavor_text,
             const char *wanted)
{
  OSM_CLEANUP_JSON json_t *plan = osm_json_pack ("{s:[]}", "findings"),
                          *old = json_loads (old_text, 0, NULL),
                          *new = json_loads (new_text, 0, NULL),
                          *flavor = flavor_text ? json_loads (flavor_text, 0, NULL) : NULL;
  const json_t *findings = json_object_get (plan, "findings"), *finding;
  size_t i;
  OSM_STRBUF (b);

  assert_non_null (old);
  assert_non_null (new);
  osm_plan_check_boot_image (plan, "web", "dst", old, new, flavor);
  json_array_foreach (findings, i, finding)
  {
    if (i + 1 < json_array_size (findings))
      osm_strbuf_addf (&b, "%s%s %s", i ? ", " : "", osm_json_str (finding, "id"),
                       osm_json_str (finding, "severity"));
    else
      assert_string_equal (osm_json_str (finding, "id"), "source-root-disk-dropped");
  }
  assert_string_equal (osm_strbuf_str (&b), wanted);
}

#define HASHED(value)                                                                            \
  "{\"name\": \"debian\", \"id\": \"I\", \"status\": \"active\", \"os_hash_algo\": \"sha512\", " \
  "\"os_hash_value\": \"" value "\", \"checksum\": \"same\"}"
#define SUMMED(value) \
  "{\"name\": \"debian\", \"id\": \"I\", \"status\": \"active\", \"checksum\": \"" value "\"}"

static void
only_an_image_of_the_same_bytes_takes_the_place_of_the_root_disk (void **state)
{
  (void)state;
  image_gives (HASHED ("a"), HASHED ("a"), NULL, "");
  image_gives (HASHED ("a"), HASHED ("b"), NULL, "destination-image-differs blocker");
  image_gives (SUMMED ("a"), SUMMED ("a"), NULL, "");
  image_gives (SUMMED ("a"), SUMMED ("b"), NULL, "destination-image-differs blocker");
  /* One cloud has another kind of hash: then the older sum counts. */
  image_gives (HASHED ("a"), SUMMED ("same"), NULL, "");
  image_gives ("{}", SUMMED ("a"), NULL, "destination-image-differs blocker");
  image_gives (SUMMED ("a"), "{\"status\": \"queued\", \"checksum\": \"a\"}", NULL,
               "destination-image-differs blocker");
}

static void
what_else_the_image_asks_for (void **state)
{
  static const char plain[] = "{\"checksum\": \"a\", \"status\": \"active\"}",
                    uefi[] = "{\"checksum\": \"a\", \"status\": \"active\", "
                             "\"hw_firmware_type\": \"uefi\"}",
                    large[] = "{\"checksum\": \"a\", \"status\": \"active\", \"min_disk\": 2, "
                              "\"virtual_size\": 5368709121}";

  (void)state;
  image_gives (plain, uefi, NULL, "destination-image-properties-differ warning");
  image_gives (plain, large, "{\"disk\": 6}", "");
  /* Nova lets only administrators make a server without a boot volume of such a flavor. */
  image_gives (plain, plain, "{\"disk\": 0}", "destination-flavor-too-small blocker");
  image_gives (plain, large, "{\"disk\": 5}", "destination-flavor-too-small blocker");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (size_is_the_flavors_or_else_the_images),
    cmocka_unit_test (only_what_is_about_the_disk_is_kept),
    cmocka_unit_test (only_an_image_of_the_same_bytes_takes_the_place_of_the_root_disk),
    cmocka_unit_test (what_else_the_image_asks_for),
  };

  return cmocka_run_group_tests_name ("controller/migration/plan-image", tests, NULL, NULL);
}
