/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/hosts/path.h"

static void
assert_order (const char *policy, const char *remembered, const char *expected)
{
  enum osm_path_kind kinds[OSM_PATH_KINDS];
  size_t n = osm_path_order (policy, remembered, kinds);
  OSM_STRBUF (text);

  for (size_t i = 0; i < n; i++)
    osm_strbuf_addf (&text, "%s%s", i > 0 ? " " : "", osm_path_name (kinds[i]));
  assert_string_equal (osm_strbuf_str (&text), expected);
}

TEST (direct_comes_first)
{
  assert_order ("auto", NULL, "direct reverse relay");
  assert_order ("auto", "direct", "direct reverse relay");
  assert_order ("auto", "nonsense", "direct reverse relay");
}

TEST (what_worked_the_last_time_comes_first)
{
  assert_order ("auto", "reverse", "reverse direct relay");
  assert_order ("auto", "relay", "relay direct reverse");
}

TEST (a_wish_is_the_only_one)
{
  assert_order ("relay", NULL, "relay");
  assert_order ("direct", "relay", "direct");
  assert_order ("reverse", "relay", "reverse");
}

TEST (wishes)
{
  static const char *const good[] = { "auto", "direct", "reverse", "relay" };
  static const char *const bad[] = { "", "Direct", "relay ", "none" };
  OSM_ERROR (err);

  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
    assert_int_equal (osm_path_check (good[i], &err), 0);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal (osm_path_check (bad[i], &err), -1);
    assert_error (&err, OSM_ERROR_USER, "path must be");
    osm_error_clear (&err);
  }
}

static struct osm_host host = { .peer_address = (char *)"192.0.2.7",
                                .host_keys = (char *[]){ (char *)"ssh-ed25519 AAAA", NULL } };

TEST (sources)
{
  struct osm_path path = { .source = &host, .destination = &host };
  OSM_CLEANUP_JSON json_t *direct = osm_path_source_json (&path, "/exports/x", "aes-gcm"),
                          *carried = NULL;

  assert_string_equal (osm_json_str (direct, "address"), "192.0.2.7");
  assert_int_equal (osm_json_uint (direct, "port"), 22);
  assert_string_equal (osm_json_str (direct, "cipher"), "aes-gcm");
  path.port = 20481;
  carried = osm_path_source_json (&path, "/exports/x", "chacha20");
  assert_string_equal (osm_json_str (carried, "address"), "127.0.0.1");
  assert_int_equal (osm_json_uint (carried, "port"), 20481);
  /* It is still the source that has to prove itself. */
  assert_true (
      json_equal (json_object_get (carried, "host_keys"), json_object_get (direct, "host_keys")));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (direct_comes_first),
    cmocka_unit_test (what_worked_the_last_time_comes_first),
    cmocka_unit_test (a_wish_is_the_only_one),
    cmocka_unit_test (wishes),
    cmocka_unit_test (sources),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
