/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test-tenant.h"

#include "controller/tenant/diff.h"
#include "controller/tenant/image-data.h"

#define HASHES "{'md5': 'aa', 'sha512': 'bb', 'sha256': 'cc'}"

static void
assert_check (const char *source, const char *destination, const char *wrong)
{
  OSM_CLEANUP_JSON json_t *s = parse (source), *d = parse (destination), *h = parse (HASHES);
  OSM_ERROR (err);
  int r = osm_image_data_check (s, d, h, 10, &err);

  if (!wrong) {
    assert_no_error (&err);
    assert_int_equal (r, 0);
    return;
  }
  assert_int_equal (r, -1);
  assert_error (&err, OSM_ERROR_REMOTE, wrong);
}

#define GOOD "{'size': 10, 'os_hash_algo': 'sha512', 'os_hash_value': 'BB', 'checksum': 'aa'}"

TEST (right_data)
{
  assert_check (GOOD, GOOD, NULL);
  assert_check ("{'size': 10, 'os_hash_algo': 'sha256', 'os_hash_value': 'cc'}", GOOD, NULL);
  assert_check ("{}", GOOD, NULL);
}

TEST (wrong_data)
{
  assert_check ("{'size': 10, 'os_hash_algo': 'sha256', 'os_hash_value': 'dd'}", GOOD,
                "the source says sha256 dd, and what passed has cc");
  assert_check (GOOD, "{'size': 10, 'os_hash_algo': 'sha512', 'os_hash_value': 'dd'}",
                "the destination says sha512 dd, and what passed has bb");
  assert_check (GOOD, "{'size': 9, 'os_hash_algo': 'sha512', 'os_hash_value': 'bb'}",
                "the destination says 9 bytes, and 10 passed");
  assert_check ("{'size': 11}", GOOD, "the source says 11 bytes, and 10 passed");
}

TEST (old_clouds_have_a_checksum_only)
{
  assert_check (GOOD, "{'size': 10, 'checksum': 'aa'}", NULL);
  assert_check (GOOD, "{'size': 10, 'checksum': 'ab'}", "the destination says md5 ab");
  assert_check (GOOD, "{'size': 10, 'os_hash_algo': 'x', 'os_hash_value': 'y', 'checksum': 'aa'}",
                NULL);
  assert_check (GOOD, "{'size': 10}", "no hash of the data that could be compared");
}

TEST (hashes_of_two_kinds_are_no_difference)
{
  OSM_CLEANUP_JSON json_t *a = parse ("{'params': {'hash_algo': 'sha256', 'hash_value': 'x'}}"),
                          *b = parse ("{'params': {'hash_algo': 'sha512', 'hash_value': 'y'}}"),
                          *c = parse ("{'params': {'hash_algo': 'sha256', 'hash_value': 'z'}}"),
                          *none = parse ("{'params': {'hash_algo': null, 'hash_value': null}}"),
                          *same = osm_tenant_diff (&osm_type_image, a, b),
                          *other = osm_tenant_diff (&osm_type_image, a, c),
                          *empty = osm_tenant_diff (&osm_type_image, a, none);

  assert_json (same, "[]");
  assert_json (other, "[{'field': 'hash_value', 'wanted': 'x', 'is': 'z', 'fixed': true}]");
  assert_int_equal (json_array_size (empty), 2);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (right_data),
    cmocka_unit_test (wrong_data),
    cmocka_unit_test (old_clouds_have_a_checksum_only),
    cmocka_unit_test (hashes_of_two_kinds_are_no_difference),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
