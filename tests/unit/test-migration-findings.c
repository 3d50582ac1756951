/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/migration/findings.h"
#include "controller/migration/plan.h"
#include "controller/migration/preflight.h"
#include "controller/migration/quota.h"

static json_t *
with_findings (void)
{
  json_t *plan = osm_json_pack ("{s:[]}", "findings");

  osm_plan_finding (plan, "source-server-locked", "blocker", "web", NULL, "locked");
  osm_plan_finding (plan, "flavor-differs", "warning", "small", "map it", "differs in %s", "ram");
  osm_plan_finding (plan, "flavor-differs", "warning", "large", NULL, "differs");
  osm_plan_finding (plan, "destination-same-name", "warning", NULL, NULL, "there will be two");
  osm_plan_finding (plan, "source-image-booted", "info", "web", NULL, "from an image");
  return plan;
}

static const json_t *
nth (const json_t *plan, size_t i)
{
  return json_array_get (json_object_get (plan, "findings"), i);
}

static void
only_warnings_can_be_accepted (void **state)
{
  OSM_CLEANUP_JSON json_t *plan = with_findings ();
  char *const ids[] = { (char *)"flavor-differs", (char *)"source-server-locked", NULL };

  (void)state;
  assert_int_equal (osm_findings_accept (plan, NULL), 3);
  assert_null (json_object_get (nth (plan, 1), "accepted"));
  assert_int_equal (osm_findings_accept (plan, ids), 1);
  assert_null (json_object_get (nth (plan, 0), "accepted"));
  assert_true (json_is_true (json_object_get (nth (plan, 1), "accepted")));
  assert_true (json_is_true (json_object_get (nth (plan, 2), "accepted")));
  assert_null (json_object_get (nth (plan, 3), "accepted"));
}

static void
unknown_ids_are_refused (void **state)
{
  char *const good[] = { (char *)"flavor-differs", (char *)"api-too-old", NULL }, *const bad[] = {
    (char *)"flavor-differs", (char *)"flavor", NULL
  };
  OSM_ERROR (err);

  (void)state;
  assert_int_equal (osm_findings_check_accepted (NULL, &err), 0);
  assert_int_equal (osm_findings_check_accepted (good, &err), 0);
  assert_int_equal (osm_findings_check_accepted (bad, &err), -1);
  assert_int_equal (err.class, OSM_ERROR_USER);
  assert_non_null (strstr (err.message, "'flavor'"));
  assert_non_null (strstr (err.hint, "flavor-differs, flavor-extra-specs-differ"));
}

static void
a_finding_is_found_by_id_and_object (void **state)
{
  OSM_CLEANUP_JSON json_t *plan = with_findings ();

  (void)state;
  assert_true (osm_plan_has_finding (plan, "flavor-differs", "large"));
  assert_true (osm_plan_has_finding (plan, "destination-same-name", NULL));
  assert_false (osm_plan_has_finding (plan, "flavor-differs", "medium"));
  assert_false (osm_plan_has_finding (plan, "api-too-old", "large"));
}

/* ---- several servers ---- */

static json_t *
plan_of (const char *id, const char *volume, const char *network, const char *address,
         const char *mac)
{
  json_t *plan =
      osm_json_pack ("{s:{s:s, s:s}, s:{s:i, s:i}, s:[{s:s, s:s, s:i, s:s, s:s}], s:[{s:s, s:{s:s, "
                     "s:s, s:[{s:s}]}}]}",
                     "source", "id", id, "name", id, "server", "vcpus", 2, "ram_mb", 512, "volumes",
                     "id", volume, "name", "", "size_gb", 10, "type", "fast", "access", "snapshot",
                     "ports", "network_name", "net", "create", "network_id", network, "mac_address",
                     mac, "fixed_ips", "ip_address", address);

  json_object_set_new (plan, "needs", osm_quota_needs (plan));
  return plan;
}

static json_t *
together (json_t *a, json_t *b, const json_t *destination)
{
  OSM_CLEANUP_JSON json_t *plans = osm_json_pack ("[o, o]", a, b);
  const json_t *const quota[] = { NULL, destination };
  const char *const clouds[] = { "src", "dst" };

  return osm_preflight_together (plans, quota, clouds);
}

static void
needs_add_up (void **state)
{
  OSM_CLEANUP_JSON json_t *quota =
      osm_json_pack ("{s:{s:i, s:i}, s:{s:i, s:i}}", "cores", "max", 4, "used", 1, "gigabytes_fast",
                     "max", 20, "used", 0);
  OSM_CLEANUP_JSON json_t *sum =
      together (plan_of ("a", "v1", "n1", "10.0.0.1", "fa:16:3e:00:00:01"),
                plan_of ("b", "v2", "n1", "10.0.0.2", "fa:16:3e:00:00:02"), quota);
  const json_t *needs = json_object_get (json_object_get (sum, "needs"), "destination");

  (void)state;
  assert_int_equal (json_integer_value (json_object_get (needs, "instances")), 2);
  assert_int_equal (json_integer_value (json_object_get (needs, "cores")), 4);
  assert_int_equal (json_integer_value (json_object_get (needs, "gigabytes_fast")), 20);
  assert_int_equal (json_integer_value (json_object_get (needs, "per_volume_gigabytes")), 10);
  assert_int_equal (json_array_size (json_object_get (sum, "findings")), 1);
  assert_true (osm_plan_has_finding (sum, "together-destination-quota", "cores"));
}

static void
what_two_servers_want_is_named (void **state)
{
  OSM_CLEANUP_JSON json_t *sum =
      together (plan_of ("a", "v1", "n1", "10.0.0.1", "fa:16:3e:00:00:01"),
                plan_of ("b", "v1", "n1", "10.0.0.1", "fa:16:3e:00:00:01"), NULL);

  (void)state;
  assert_int_equal (json_array_size (json_object_get (sum, "findings")), 3);
  assert_true (osm_plan_has_finding (sum, "together-shared-volume", "v1"));
  assert_true (osm_plan_has_finding (sum, "together-same-address", "10.0.0.1"));
  assert_true (osm_plan_has_finding (sum, "together-same-address", "fa:16:3e:00:00:01"));
}

/* A server group is made once. */
static void
a_server_group_of_two_counts_once (void **state)
{
  json_t *a = plan_of ("a", "v1", "n1", "10.0.0.1", "fa:16:3e:00:00:01"),
         *b = plan_of ("b", "v2", "n1", "10.0.0.2", "fa:16:3e:00:00:02");

  (void)state;
  for (size_t i = 0; i < 2; i++) {
    json_object_set_new (json_object_get (i ? a : b, "server"), "server_group",
                         osm_json_pack ("{s:s}", "name", "apart"));
    json_object_set_new (i ? a : b, "needs", osm_quota_needs (i ? a : b));
  }
  {
    OSM_CLEANUP_JSON json_t *sum = together (a, b, NULL);
    const json_t *needs = json_object_get (json_object_get (sum, "needs"), "destination");

    assert_int_equal (json_integer_value (json_object_get (needs, "server_groups")), 1);
    assert_int_equal (json_integer_value (json_object_get (needs, "instances")), 2);
  }
}

static void
one_address_on_two_networks_is_no_conflict (void **state)
{
  OSM_CLEANUP_JSON json_t *sum =
      together (plan_of ("a", "v1", "n1", "10.0.0.1", "fa:16:3e:00:00:01"),
                plan_of ("b", "v2", "n2", "10.0.0.1", "fa:16:3e:00:00:01"), NULL);

  (void)state;
  assert_int_equal (json_array_size (json_object_get (sum, "findings")), 0);
}

/* By a plan file with use: nothing is begun then, with neither of them. */
static void
one_volume_is_used_by_one_server (void **state)
{
  json_t *a = plan_of ("a", "v1", "n1", "10.0.0.1", "fa:16:3e:00:00:01"),
         *b = plan_of ("b", "v2", "n1", "10.0.0.2", "fa:16:3e:00:00:02");
  OSM_CLEANUP_JSON json_t *sum = NULL;

  (void)state;
  json_object_set_new (a, "existing_volumes", osm_json_pack ("[{s:s}]", "use", "copy-1"));
  json_object_set_new (b, "existing_volumes", osm_json_pack ("[{s:s}]", "use", "copy-1"));
  sum = together (a, b, NULL);
  assert_int_equal (json_array_size (json_object_get (sum, "findings")), 1);
  assert_true (osm_plan_has_finding (sum, "destination-volume-unfit", "copy-1"));
}

static void
a_server_that_is_named_twice_counts_once (void **state)
{
  OSM_CLEANUP_JSON json_t *sum =
      together (plan_of ("a", "v1", "n1", "10.0.0.1", "fa:16:3e:00:00:01"),
                plan_of ("a", "v1", "n1", "10.0.0.1", "fa:16:3e:00:00:01"), NULL);
  const json_t *needs = json_object_get (json_object_get (sum, "needs"), "destination");

  (void)state;
  assert_int_equal (json_integer_value (json_object_get (needs, "instances")), 1);
  assert_int_equal (json_array_size (json_object_get (sum, "findings")), 1);
  assert_true (osm_plan_has_finding (sum, "together-same-server", "a"));
}

/* ---- conversion hosts ---- */

static void
hosts_that_are_full_or_missing (void **state)
{
  OSM_CLEANUP_JSON json_t *look =
      osm_json_pack ("{s:{s:s, s:i, s:i}, s:{s:s, s:{s:i, s:s}}}", "source", "cloud", "src",
                     "free_slots", 2, "attached_volumes", 3, "destination", "cloud", "dst", "error",
                     "code", 404, "message", "none");
  const struct {
    size_t volumes;
    const char *id;
  } cases[] = { { 2, NULL },
                { 3, "conversion-host-busy" },
                { 5, "conversion-host-busy" },
                { 6, "conversion-host-too-small" } };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    OSM_CLEANUP_JSON json_t *report = osm_json_pack ("{s:[]}", "findings");

    osm_preflight_hosts (report, look, cases[i].volumes);
    assert_true (osm_plan_has_finding (report, "conversion-host-missing", "dst"));
    assert_int_equal (json_array_size (json_object_get (report, "findings")), cases[i].id ? 2 : 1);
    if (cases[i].id)
      assert_true (osm_plan_has_finding (report, cases[i].id, "src"));
  }
}

static void
durations (void **state)
{
  (void)state;
  assert_int_equal (osm_preflight_copy_ms (1000, 0), 0);
  assert_int_equal (osm_preflight_copy_ms (3000, 2000), 1500);
  assert_int_equal (osm_preflight_copy_ms ((uint64_t)1 << 62, (uint64_t)1 << 32),
                    ((uint64_t)1 << 30) * 1000);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (only_warnings_can_be_accepted),
    cmocka_unit_test (unknown_ids_are_refused),
    cmocka_unit_test (a_finding_is_found_by_id_and_object),
    cmocka_unit_test (needs_add_up),
    cmocka_unit_test (what_two_servers_want_is_named),
    cmocka_unit_test (a_server_group_of_two_counts_once),
    cmocka_unit_test (one_address_on_two_networks_is_no_conflict),
    cmocka_unit_test (one_volume_is_used_by_one_server),
    cmocka_unit_test (a_server_that_is_named_twice_counts_once),
    cmocka_unit_test (hosts_that_are_full_or_missing),
    cmocka_unit_test (durations),
  };

  return cmocka_run_group_tests_name ("controller/migration/findings", tests, NULL, NULL);
}
