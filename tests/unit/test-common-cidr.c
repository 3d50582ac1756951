/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <stdlib.h>

#include "common/cidr.h"
#include "common/cleanup.h"

static void
canonical (const char *text, const char *expected)
{
  OSM_CLEANUP_FREE char *cidr = osm_cidr_canonical (text);

  if (expected)
    assert_string_equal (cidr, expected);
  else
    assert_null (cidr);
}

TEST (cidrs_have_one_spelling)
{
  canonical ("192.0.2.1", "192.0.2.1/32");
  canonical ("10.1.2.3/8", "10.0.0.0/8");
  canonical ("10.1.2.3/0", "0.0.0.0/0");
  canonical ("10.1.2.255/31", "10.1.2.254/31");
  canonical ("2001:DB8:0:0::7", "2001:db8::7/128");
  canonical ("2001:db8:ffff::/33", "2001:db8:8000::/33");
}

TEST (what_is_no_cidr_has_none)
{
  canonical ("", NULL);
  canonical ("auto", NULL);
  canonical ("192.0.2.1/33", NULL);
  canonical ("192.0.2.1/", NULL);
  canonical ("192.0.2/24", NULL);
  canonical ("::1/129", NULL);
  canonical ("192.0.2.1/-1", NULL);
}

TEST (an_address_is_in_its_range)
{
  assert_true (osm_cidr_contains ("10.1.0.0/24", "10.1.0.3"));
  assert_true (osm_cidr_contains ("2001:db8::/32", "2001:DB8:1::1"));
  assert_false (osm_cidr_contains ("10.1.0.0/24", "10.1.1.3"));
  assert_false (osm_cidr_contains ("10.1.0.0/24", "2001:db8::1"));
  assert_false (osm_cidr_contains ("10.1.0.0", "10.1.0.0"));
  assert_false (osm_cidr_contains ("", ""));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (cidrs_have_one_spelling),
    cmocka_unit_test (what_is_no_cidr_has_none),
    cmocka_unit_test (an_address_is_in_its_range),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
