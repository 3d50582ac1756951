/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <errno.h>

#include "common/error.h"

static void
setting_twice_keeps_the_cause (void **state)
{
  OSM_ERROR (err);
  (void)state;

  assert_int_equal (osm_error_set (&err, OSM_ERROR_RETRY, 503, "first"), -1);
  osm_error_set (&err, OSM_ERROR_USER, 0, "second");
  assert_string_equal (err.message, "first");
  assert_int_equal (err.class, OSM_ERROR_RETRY);
  assert_int_equal (err.code, 503);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (setting_twice_keeps_the_cause),
  };

  return cmocka_run_group_tests_name ("common/error", tests, NULL, NULL);
}
