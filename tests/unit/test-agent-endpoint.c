/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include "agent/endpoint.h"
#include "common/strbuf.h"

static void
assert_parsed (const char *text, const char *user, const char *host, const char *path)
{
  struct osm_endpoint e;
  OSM_ERROR (err);

  assert_int_equal (osm_endpoint_parse (text, &e, &err), 0);
  assert_true (osm_str_equal (e.user, user));
  assert_true (osm_str_equal (e.host, host));
  assert_string_equal (e.path, path);
  osm_endpoint_done (&e);
}

static void
assert_refused (const char *text)
{
  struct osm_endpoint e;
  OSM_ERROR (err);

  assert_int_equal (osm_endpoint_parse (text, &e, &err), -1);
  assert_int_equal (err.class, OSM_ERROR_USER);
  osm_endpoint_done (&e);
}

static void
paths_of_this_machine (void **state)
{
  (void)state;
  assert_parsed ("/dev/vdb", NULL, NULL, "/dev/vdb");
  assert_parsed ("disk.raw", NULL, NULL, "disk.raw");
  assert_parsed ("./odd:name", NULL, NULL, "./odd:name");
  assert_parsed ("/a/user@host:b", NULL, NULL, "/a/user@host:b");
  assert_parsed ("a@b", NULL, NULL, "a@b");
  assert_parsed ("[1]", NULL, NULL, "[1]");
}

static void
paths_of_another_machine (void **state)
{
  (void)state;
  assert_parsed ("host:/dev/vdb", NULL, "host", "/dev/vdb");
  assert_parsed ("host:file", NULL, "host", "file");
  assert_parsed ("root@192.0.2.7:/dev/vdb", "root", "192.0.2.7", "/dev/vdb");
  assert_parsed ("host:/a:b@c", NULL, "host", "/a:b@c");
  assert_parsed ("[2001:db8::1]:/dev/vdb", NULL, "2001:db8::1", "/dev/vdb");
  assert_parsed ("me@[2001:db8::1]:x", "me", "2001:db8::1", "x");
}

static void
what_is_neither (void **state)
{
  (void)state;
  assert_refused ("");
  assert_refused (":/dev/vdb");
  assert_refused ("host:");
  assert_refused ("@host:/dev/vdb");
  assert_refused ("user@:/dev/vdb");
  assert_refused ("[]:/dev/vdb");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (paths_of_this_machine),
    cmocka_unit_test (paths_of_another_machine),
    cmocka_unit_test (what_is_neither),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
