/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "controller/hosts/home.h"

#define SERVER "6c1d4e3b-0f34-4b66-9f1c-0a5d8f0a2b11"

static void
comes_back (const char *device, bool delete_on_termination, const char *text)
{
  OSM_CLEANUP_FREE char *made = osm_home_text (SERVER, device, delete_on_termination);
  OSM_CLEANUP_JSON json_t *home = osm_home_parse (made);

  assert_string_equal (made, text);
  assert_string_equal (osm_json_str (home, "server_id"), SERVER);
  if (device)
    assert_string_equal (osm_json_str (home, "device"), device);
  else
    assert_null (osm_json_str (home, "device"));
  assert_int_equal (json_is_true (json_object_get (home, "delete_on_termination")),
                    delete_on_termination);
}

static void
what_was_written_is_read (void **state)
{
  (void)state;
  comes_back ("/dev/vdb", false, SERVER ":/dev/vdb");
  comes_back ("/dev/sdaa", true, SERVER ":/dev/sdaa:delete");
  comes_back (NULL, false, SERVER ":");
  comes_back (NULL, true, SERVER "::delete");
}

static void
what_is_no_home_is_none (void **state)
{
  static const char *const texts[] = { NULL,
                                       "",
                                       ":",
                                       SERVER,
                                       ":/dev/vdb",
                                       SERVER ":/dev/vdb:keep",
                                       SERVER ":/dev/vdb:delete:",
                                       SERVER ":/dev/vdb:" };

  (void)state;
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
    assert_null (osm_home_parse (texts[i]));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (what_was_written_is_read),
    cmocka_unit_test (what_is_no_home_is_none),
  };

  return cmocka_run_group_tests_name ("controller/hosts/home", tests, NULL, NULL);
}
