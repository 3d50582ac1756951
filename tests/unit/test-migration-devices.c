/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Volumes whose disks are smaller than they are, because clouds encrypt them: handmade answers, which the lab cannot give. */

#include <config.h>

#include "tests/unit/test-json.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "controller/migration/devices.h"
#include "controller/migration/findings.h"
#include "controller/migration/plan-internal.h"

#define GIB ((uint64_t)1 << 30)
#define LUKS1 ((uint64_t)2 << 20)
#define LUKS2 ((uint64_t)16 << 20)

/* ---- sizes of disks ---- */

static void
fits (const char *volume, uint64_t source, uint64_t destination, const char *error)
{
  OSM_CLEANUP_JSON json_t *v = parse (volume);
  const struct osm_device_sizes sizes = { source, destination };
  OSM_ERROR (err);

  assert_int_equal (osm_devices_judge (v, &sizes, &err), error ? -1 : 0);
  if (error)
    assert_error (&err, OSM_ERROR_USER, error);
}

static const char plain[] = "{\"name\": \"v\", \"size_gb\": 2}",
                  encrypted[] = "{\"name\": \"v\", \"size_gb\": 2, \"encrypted\": true}",
                  larger[] = "{\"name\": \"v\", \"size_gb\": 2, \"new_size_gb\": 3}",
                  same[] = "{\"name\": \"v\", \"size_gb\": 2, \"new_size_gb\": 2}";

static void
a_disk_has_the_size_of_its_volume (void **state)
{
  (void)state;
  fits (plain, 2 * GIB, 2 * GIB, NULL);
  fits (plain, 2 * GIB - 1, 2 * GIB, "the disk of the source has 2147483647 bytes");
  fits (plain, 2 * GIB + 512, 2 * GIB + 512, "the disk of the source has 2147484160 bytes");
  fits (plain, 2 * GIB, 2 * GIB + 512, "the disk of the copy has 2147484160 bytes");
}

static void
what_is_encrypted_at_the_source_is_smaller (void **state)
{
  (void)state;
  fits (encrypted, 2 * GIB - LUKS1, 2 * GIB, NULL);
  fits (encrypted, 2 * GIB - LUKS2, 2 * GIB - LUKS2, NULL);
  fits (encrypted, 2 * GIB - LUKS2, 2 * GIB - LUKS1, NULL);
  fits (encrypted, 2 * GIB, 2 * GIB, NULL);
  fits (encrypted, 0, 2 * GIB, "the disk of the source has 0 bytes");
  fits (encrypted, GIB, 2 * GIB, "the disk of the source has 1073741824 bytes");
  fits (encrypted, 3 * GIB, 3 * GIB, "the disk of the source has 3221225472 bytes");
}

static void
a_copy_that_is_too_small_is_refused_with_the_way_out (void **state)
{
  OSM_CLEANUP_JSON json_t *v = parse (plain);
  const struct osm_device_sizes sizes = { 2 * GIB, 2 * GIB - LUKS2 };
  OSM_ERROR (err);

  (void)state;
  fits (encrypted, 2 * GIB - LUKS1, 2 * GIB - LUKS2, "does not fit into its copy");
  assert_int_equal (osm_devices_judge (v, &sizes, &err), -1);
  assert_non_null (strstr (err.hint, "new_size_gb"));
  assert_error (&err, OSM_ERROR_USER, "2147483648 bytes, that of the copy 2130706432");
}

static void
a_copy_may_be_asked_for_with_more (void **state)
{
  (void)state;
  fits (larger, 2 * GIB, 3 * GIB, NULL);
  fits (larger, 2 * GIB, 3 * GIB - LUKS2, NULL);
  fits (larger, 2 * GIB, 4 * GIB, "the disk of the copy has 4294967296 bytes");
  fits (larger, 2 * GIB - 512, 3 * GIB, "the disk of the source");
}

/* ---- the plan ---- */

static void
types_that_encrypt (void **state)
{
  OSM_CLEANUP_JSON json_t *luks = parse ("{\"provider\": \"luks\", \"cipher\": \"aes-xts-plain64\","
                                         " \"control_location\": \"front-end\"}"),
                          *none = parse ("{}");

  (void)state;
  assert_int_equal (osm_plan_encryption_of (luks), OSM_KNOWN_YES);
  assert_int_equal (osm_plan_encryption_of (none), OSM_KNOWN_NO);
  assert_int_equal (osm_plan_encryption_of (NULL), OSM_NOT_KNOWN);
}

static const struct {
  const char *volume;
  enum osm_known destination;
  const char *id, *severity;
  json_int_t new_size;
} cases[] = {
  { plain, OSM_KNOWN_NO, NULL, NULL, 2 },
  { plain, OSM_NOT_KNOWN, "destination-volume-encryption-hidden", "info", 2 },
  { larger, OSM_NOT_KNOWN, NULL, NULL, 3 },
  { plain, OSM_KNOWN_YES, "destination-volume-encrypted", "info", 3 },
  { larger, OSM_KNOWN_YES, "destination-volume-encrypted", "info", 3 },
  { same, OSM_KNOWN_YES, "destination-volume-encrypted", "info", 2 },
  { encrypted, OSM_KNOWN_YES, "source-volume-encrypted", "info", 2 },
  { encrypted, OSM_KNOWN_NO, "destination-volume-unencrypted", "warning", 2 },
  { encrypted, OSM_NOT_KNOWN, "destination-volume-unencrypted", "warning", 2 },
};

static void
encryption_at_both_sides (void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    OSM_CLEANUP_JSON json_t *plan = parse ("{\"findings\": []}"),
                            *planned = parse (cases[i].volume);
    const json_t *finding;

    osm_plan_check_encryption (plan, "v", "secret", cases[i].destination, planned);
    finding = json_array_get (json_object_get (plan, "findings"), 0);
    assert_int_equal (json_array_size (json_object_get (plan, "findings")), cases[i].id ? 1 : 0);
    if (cases[i].id) {
      assert_string_equal (osm_json_str (finding, "id"), cases[i].id);
      assert_string_equal (osm_json_str (finding, "severity"), cases[i].severity);
    }
    assert_int_equal (osm_plan_new_size (planned), cases[i].new_size);
  }
}

static void
what_loses_its_encryption_must_be_accepted (void **state)
{
  OSM_CLEANUP_JSON json_t *plan = parse ("{\"findings\": []}"), *planned = parse (encrypted);
  char *const ids[] = { (char *)"destination-volume-unencrypted", NULL };

  (void)state;
  osm_plan_finding (plan, "destination-same-name", "warning", "x", NULL, "x");
  osm_plan_check_encryption (plan, "v", NULL, OSM_KNOWN_NO, planned);
  assert_int_equal (osm_findings_unaccepted (plan), 1);
  assert_int_equal (osm_findings_accept (plan, ids), 1);
  assert_int_equal (osm_findings_unaccepted (plan), 0);
}

static void
the_file_makes_a_copy_larger_and_never_smaller (void **state)
{
  OSM_CLEANUP_JSON json_t *planned = parse (plain), *more = parse ("{\"new_size_gb\": 5}"),
                          *less = parse ("{\"new_size_gb\": 1}"), *nonsense = parse (plain),
                          *absurd = parse ("{\"new_size_gb\": 2000000}");

  (void)state;
  osm_plan_wished_volume (less, planned);
  assert_int_equal (osm_plan_new_size (planned), 2);
  osm_plan_wished_volume (more, planned);
  assert_int_equal (osm_plan_new_size (planned), 5);
  osm_plan_wished_volume (absurd, planned);
  assert_int_equal (json_integer_value (json_object_get (planned, "new_size_gb")), 5);
  json_object_set_new (nonsense, "new_size_gb", json_integer ((json_int_t)1 << 40));
  assert_int_equal (osm_plan_new_size (nonsense), 2);
}

static void
the_source_keeps_its_own_flag (void **state)
{
  OSM_CLEANUP_JSON json_t *planned = parse ("{\"size_gb\": 2, \"delete_on_termination\": false}"),
                          *equal = parse ("{\"delete_on_termination\": false}"),
                          *wish = parse ("{\"delete_on_termination\": true}");

  (void)state;
  osm_plan_wished_volume (equal, planned);
  assert_null (json_object_get (planned, "source_delete_on_termination"));
  osm_plan_wished_volume (wish, planned);
  assert_true (json_is_true (json_object_get (planned, "delete_on_termination")));
  assert_true (json_is_false (json_object_get (planned, "source_delete_on_termination")));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_disk_has_the_size_of_its_volume),
    cmocka_unit_test (what_is_encrypted_at_the_source_is_smaller),
    cmocka_unit_test (a_copy_that_is_too_small_is_refused_with_the_way_out),
    cmocka_unit_test (a_copy_may_be_asked_for_with_more),
    cmocka_unit_test (types_that_encrypt),
    cmocka_unit_test (encryption_at_both_sides),
    cmocka_unit_test (what_loses_its_encryption_must_be_accepted),
    cmocka_unit_test (the_file_makes_a_copy_larger_and_never_smaller),
    cmocka_unit_test (the_source_keeps_its_own_flag),
  };

  return cmocka_run_group_tests_name ("controller/migration/devices", tests, NULL, NULL);
}
