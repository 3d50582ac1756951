/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test-json.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "controller/migration/changes.h"

static const char plan_text[] =
    "{\"server\": {\"flavor_name\": \"small\"},"
    " \"volumes\": [{\"id\": \"v1\", \"name\": \"boot\", \"device\": \"/dev/vda\", \"size_gb\": 2},"
    "               {\"id\": \"v2\", \"name\": \"\", \"device\": \"/dev/vdb\", \"size_gb\": 1},"
    "               {\"id\": \"s1\", \"name\": \"root\", \"access\": \"image\", \"size_gb\": 2}],"
    " \"ports\": [{\"id\": \"p1\", \"addresses\": \"10.0.0.4, fd00::4\","
    "              \"create\": {\"mac_address\": \"fa:16:3e:00:00:01\"}}]}";
static const char now_text[] =
    "{\"server\": {\"status\": \"SHUTOFF\", \"metadata\": {\"osm.migration\": \"0123abcd\"},"
    "              \"flavor\": {\"original_name\": \"small\"}},"
    " \"attachments\": [{\"volume_id\": \"v1\", \"device\": \"/dev/vda\"},"
    "                   {\"volume_id\": \"v2\", \"device\": \"/dev/vdb\"}],"
    " \"volumes\": [{\"id\": \"v1\", \"size\": 2}, {\"id\": \"v2\", \"size\": 1}],"
    " \"interfaces\": [{\"port_id\": \"p1\", \"mac_addr\": \"fa:16:3e:00:00:01\", \"fixed_ips\":"
    "   [{\"ip_address\": \"10.0.0.4\"}, {\"ip_address\": \"fd00::4\"}]}]}";

static char *
compare (const json_t *now, json_int_t starts)
{
  OSM_CLEANUP_JSON json_t *plan = parse (plan_text);
  const struct osm_source_now n = { .server = json_object_get (now, "server"),
                                    .starts = starts,
                                    .attachments = json_object_get (now, "attachments"),
                                    .volumes = json_object_get (now, "volumes"),
                                    .interfaces = json_object_get (now, "interfaces") };

  return osm_source_changes (plan, "0123abcd", &n);
}

/* With that member of `now` replaced. */
static void
says (const char *member, const char *value, const char *words)
{
  OSM_CLEANUP_JSON json_t *now = parse (now_text);
  OSM_CLEANUP_FREE char *text = NULL;

  json_object_set_new (now, member, json_loads (value, JSON_DECODE_ANY, NULL));
  text = compare (now, 0);
  assert_non_null (text);
  if (!strstr (text, words))
    fail_msg ("'%s' is not in '%s'", words, text);
}

static void
the_same_is_no_change (void **state)
{
  OSM_CLEANUP_JSON json_t *now = parse (now_text);

  (void)state;
  assert_null (compare (now, 0));
}

static void
a_start_is_seen (void **state)
{
  OSM_CLEANUP_JSON json_t *now = parse (now_text);
  OSM_CLEANUP_FREE char *text = compare (now, 1);

  (void)state;
  assert_string_equal (text, "it ran after it was copied, and was stopped again");
  says ("server", "{\"status\": \"ACTIVE\", \"metadata\": {\"osm.migration\": \"0123abcd\"}}",
        "it is ACTIVE: it ran");
  says ("server", "null", "it was deleted");
}

static void
volumes_are_compared (void **state)
{
  (void)state;
  says ("attachments", "[{\"volume_id\": \"v1\", \"device\": \"/dev/vda\"}]",
        "volume 'v2' (v2) was detached");
  says ("attachments",
        "[{\"volume_id\": \"v1\", \"device\": \"/dev/vda\"},"
        " {\"volume_id\": \"v2\", \"device\": \"/dev/vdc\"}]",
        "volume 'v2' is /dev/vdc, was /dev/vdb");
  says ("attachments",
        "[{\"volume_id\": \"v1\", \"device\": \"/dev/vda\"},"
        " {\"volume_id\": \"v2\", \"device\": \"/dev/vdb\"},"
        " {\"volume_id\": \"v3\", \"device\": \"/dev/vdc\"}]",
        "volume v3 was attached");
  says ("volumes", "[{\"id\": \"v1\", \"size\": 3}, {\"id\": \"v2\", \"size\": 1}]",
        "volume 'boot' has 3 GiB, had 2");
  says ("volumes", "[{\"id\": \"v1\", \"size\": 2}]", "volume 'v2' (v2) was deleted");
}

static void
ports_are_compared (void **state)
{
  (void)state;
  says ("interfaces", "[]", "its port p1 with 10.0.0.4, fd00::4 is gone");
  says ("interfaces",
        "[{\"port_id\": \"p1\", \"mac_addr\": \"fa:16:3e:00:00:02\","
        "  \"fixed_ips\": [{\"ip_address\": \"10.0.0.5\"}]}, {\"port_id\": \"p2\"}]",
        "its port p1 has address 10.0.0.5, had 10.0.0.4, fd00::4; its port p1 has MAC address "
        "fa:16:3e:00:00:02, had fa:16:3e:00:00:01; port p2 was added");
}

static void
what_a_plan_file_changes_is_no_change_of_the_source (void **state)
{
  OSM_CLEANUP_JSON json_t *plan = parse (plan_text), *now = parse (now_text);
  json_t *port = json_array_get (json_object_get (plan, "ports"), 0),
         *attachments = json_object_get (now, "attachments");
  const struct osm_source_now n = { .server = json_object_get (now, "server"),
                                    .attachments = attachments,
                                    .volumes = json_object_get (now, "volumes"),
                                    .interfaces = json_object_get (now, "interfaces") };

  (void)state;
  osm_json_set_str (port, "source_mac", "fa:16:3e:00:00:01");
  osm_json_set_str (json_object_get (port, "create"), "mac_address", "fa:16:3e:00:00:99");
  json_object_set_new (plan, "existing_volumes", parse ("[{\"id\": \"v3\"}]"));
  json_array_append_new (attachments, parse ("{\"volume_id\": \"v3\"}"));
  assert_null (osm_source_changes (plan, "0123abcd", &n));
}

static void
marks_are_compared (void **state)
{
  (void)state;
  says ("server", "{\"status\": \"SHUTOFF\", \"metadata\": {\"osm.migration\": \"ffff0000\"}}",
        "migration ffff0000 has claimed it");
  says ("server", "{\"status\": \"SHUTOFF\", \"metadata\": {}}", "its mark osm.migration is gone");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (the_same_is_no_change),
    cmocka_unit_test (a_start_is_seen),
    cmocka_unit_test (volumes_are_compared),
    cmocka_unit_test (ports_are_compared),
    cmocka_unit_test (marks_are_compared),
    cmocka_unit_test (what_a_plan_file_changes_is_no_change_of_the_source),
  };

  return cmocka_run_group_tests_name ("controller/migration/changes", tests, NULL, NULL);
}
