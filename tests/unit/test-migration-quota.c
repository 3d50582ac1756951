/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test-json.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "controller/migration/findings.h"
#include "controller/migration/plan.h"
#include "controller/migration/quota.h"

static void
a_server_needs_this (void **state)
{
  OSM_CLEANUP_JSON json_t *plan = parse (
      "{\"server\": {\"vcpus\": 4, \"ram_mb\": 2048}, \"volumes\": ["
      " {\"size_gb\": 20, \"type\": \"fast\", \"source_type\": \"ssd\", \"access\": \"snapshot\"},"
      " {\"size_gb\": 100, \"type\": \"fast\", \"source_type\": \"hdd\", \"access\": \"detach\"},"
      " {\"size_gb\": 5, \"access\": \"image\"}],"
      " \"ports\": [{}, {}], \"floating_ips\": [{\"create\": {}}, {\"use\": \"x\"}]}");
  OSM_CLEANUP_JSON json_t *needs = osm_quota_needs (plan);

  (void)state;
  assert_json (
      needs,
      "{\"destination\": {\"instances\": 1, \"cores\": 4, \"ram\": 2048, \"volumes\": 3, "
      "\"gigabytes\": 125,"
      " \"volumes_fast\": 2, \"gigabytes_fast\": 120, \"per_volume_gigabytes\": 100, \"ports\": 2,"
      " \"floating_ips\": 1},"
      " \"source\": {\"snapshots\": 1, \"snapshots_ssd\": 1, \"volumes\": 2, \"volumes_ssd\": 1,"
      " \"gigabytes\": 45, \"gigabytes_ssd\": 40, \"images\": 1, \"image_mib\": 5120}}");
}

static void
a_volume_needs_no_server (void **state)
{
  OSM_CLEANUP_JSON json_t *plan = parse ("{\"volumes\": [{\"size_gb\": 7, \"access\": "
                                         "\"direct\"}], \"ports\": [], \"floating_ips\": []}");
  OSM_CLEANUP_JSON json_t *needs = osm_quota_needs (plan);

  (void)state;
  assert_json (needs,
               "{\"destination\": {\"volumes\": 1, \"gigabytes\": 7, \"per_volume_gigabytes\": 7}, "
               "\"source\": {}}");
}

static void
answers_come_into_one_form (void **state)
{
  OSM_CLEANUP_JSON json_t *compute =
      parse ("{\"maxTotalInstances\": 10, \"totalInstancesUsed\": 3,"
             " \"maxTotalCores\": -1, \"totalCoresUsed\": 8, \"maxTotalRAMSize\": \"x\"}");
  OSM_CLEANUP_JSON json_t *set =
      parse ("{\"id\": \"p\", \"volumes\": {\"limit\": 10, \"in_use\": 1, \"reserved\": 2, "
             "\"allocated\": 0},"
             " \"gigabytes_fast\": {\"limit\": 0, \"in_use\": 0, \"reserved\": 0}}");
  OSM_CLEANUP_JSON json_t *network = parse ("{\"port\": {\"limit\": 50, \"used\": 4, \"reserved\": "
                                            "0}, \"floatingip\": {\"limit\": 2, \"used\": 2},"
                                            " \"rbac_policy\": 3}");
  OSM_CLEANUP_JSON json_t *quota = osm_quota_of (compute, set, NULL, network),
                          *nothing = osm_quota_of (NULL, NULL, NULL, NULL);

  (void)state;
  assert_json (
      quota,
      "{\"instances\": {\"max\": 10, \"used\": 3}, \"cores\": {\"max\": -1, \"used\": 8},"
      " \"volumes\": {\"max\": 10, \"used\": 3}, \"gigabytes_fast\": {\"max\": 0, \"used\": 0},"
      " \"ports\": {\"max\": 50, \"used\": 4}, \"floating_ips\": {\"max\": 2, \"used\": 2}}");
  assert_json (nothing, "{}");
}

static void
limits_stand_in_for_the_quota_set (void **state)
{
  OSM_CLEANUP_JSON json_t *limits =
      parse ("{\"maxTotalVolumes\": 5, \"totalVolumesUsed\": 5,"
             " \"maxTotalVolumeGigabytes\": 100, \"totalGigabytesUsed\": 1}");
  OSM_CLEANUP_JSON json_t *quota = osm_quota_of (NULL, NULL, limits, NULL);

  (void)state;
  assert_json (
      quota,
      "{\"volumes\": {\"max\": 5, \"used\": 5}, \"gigabytes\": {\"max\": 100, \"used\": 1}}");
}

static void
shortages (void **state)
{
  OSM_CLEANUP_JSON json_t *needs =
      parse ("{\"instances\": 1, \"cores\": 4, \"ports\": 2, \"unheard_of\": 5,"
             " \"volumes\": 9223372036854775807, \"per_volume_gigabytes\": 10}");
  OSM_CLEANUP_JSON json_t *quota =
      parse ("{\"instances\": {\"max\": 3, \"used\": 2}, \"cores\": {\"max\": -1, \"used\": 9},"
             " \"ports\": {\"max\": 5, \"used\": 4}, \"volumes\": {\"max\": 10, \"used\": 1},"
             " \"per_volume_gigabytes\": {\"max\": 10, \"used\": 5}}");
  OSM_CLEANUP_JSON json_t *found = osm_quota_shortages (needs, quota);

  (void)state;
  assert_json (
      found, "[{\"what\": \"ports\", \"max\": 5, \"used\": 4, \"need\": 2},"
             " {\"what\": \"volumes\", \"max\": 10, \"used\": 1, \"need\": 9223372036854775807}]");
}

static void
shortages_become_findings_of_their_service (void **state)
{
  OSM_CLEANUP_JSON json_t *plan = parse ("{\"findings\": []}");
  OSM_CLEANUP_JSON json_t *needs =
      parse ("{\"ram\": 1, \"floating_ips\": 1, \"gigabytes_fast\": 1, "
             "\"per_volume_gigabytes\": 1}");
  OSM_CLEANUP_JSON json_t *quota =
      parse ("{\"ram\": {\"max\": 0, \"used\": 0}, \"floating_ips\": {\"max\": 0, \"used\": 0},"
             " \"gigabytes_fast\": {\"max\": 0, \"used\": 0}, \"per_volume_gigabytes\": {\"max\": "
             "0, \"used\": 0},"
             " \"hidden\": [\"network\"]}");

  (void)state;
  osm_quota_findings (plan, OSM_DESTINATION, "dst", needs, quota);
  assert_int_equal (osm_plan_count_findings (plan, "blocker"), 4);
  assert_true (osm_plan_has_finding (plan, "destination-quota", "ram (MiB)"));
  assert_true (osm_plan_has_finding (plan, "destination-network-quota", "floating IPs"));
  assert_true (osm_plan_has_finding (plan, "destination-volume-quota", "gigabytes_fast"));
  assert_true (osm_plan_has_finding (plan, "destination-volume-too-large", "per_volume_gigabytes"));
  assert_true (osm_plan_has_finding (plan, "quota-hidden", "network"));
}

static void
what_others_will_take_counts (void **state)
{
  OSM_CLEANUP_JSON json_t *quota =
      parse ("{\"cores\": {\"max\": 10, \"used\": 2}, \"ports\": {\"max\": 5, \"used\": 1},"
             " \"per_volume_gigabytes\": {\"max\": 10, \"used\": 0}}");
  OSM_CLEANUP_JSON json_t *claims = parse ("{\"cores\": 5, \"instances\": 1, \"ports\": 1, "
                                           "\"per_volume_gigabytes\": 9}");
  OSM_CLEANUP_JSON json_t *needs =
      parse ("{\"cores\": 4, \"ports\": 3, \"per_volume_gigabytes\": 2}");
  OSM_CLEANUP_JSON json_t *found = NULL;
  OSM_CLEANUP_FREE char *text = NULL;

  (void)state;
  osm_quota_claim (quota, claims);
  osm_quota_claim (quota, NULL);
  found = osm_quota_shortages (needs, quota);
  assert_json (found,
               "[{\"what\": \"cores\", \"max\": 10, \"used\": 2, \"need\": 4, \"claimed\": 5}]");
  text = osm_quota_text (json_array_get (found, 0));
  assert_string_equal (text, "quota of cores is 10, 2 used, 5 more needed by migrations that the "
                             "journal has, 4 more needed");
}

static void
images_of_servers_count_where_glance_has_quotas (void **state)
{
  OSM_CLEANUP_JSON json_t *usage =
                              parse ("{\"image_size_total\": {\"limit\": 1000, \"usage\": 10}, "
                                     "\"image_count_total\": {\"limit\": 3, \"usage\": 3}}"),
                          *plan = parse ("{\"findings\": []}"), *quota = parse ("{}"),
                          *needs = parse ("{\"images\": 1, \"image_mib\": 1024}");
  const json_t *findings = json_object_get (plan, "findings");

  (void)state;
  osm_quota_add_images (quota, NULL);
  osm_quota_findings (plan, OSM_SOURCE, "src", needs, quota);
  assert_int_equal (json_array_size (findings), 0);
  osm_quota_add_images (quota, usage);
  osm_quota_findings (plan, OSM_SOURCE, "src", needs, quota);
  assert_int_equal (json_array_size (findings), 2);
  assert_true (osm_plan_has_finding (plan, "source-image-quota", "images"));
  assert_true (osm_plan_has_finding (plan, "source-image-quota", "images (MiB)"));
  assert_int_equal (osm_plan_count_findings (plan, "blocker"), 1);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_server_needs_this),
    cmocka_unit_test (a_volume_needs_no_server),
    cmocka_unit_test (answers_come_into_one_form),
    cmocka_unit_test (limits_stand_in_for_the_quota_set),
    cmocka_unit_test (shortages),
    cmocka_unit_test (shortages_become_findings_of_their_service),
    cmocka_unit_test (what_others_will_take_counts),
    cmocka_unit_test (images_of_servers_count_where_glance_has_quotas),
  };

  return cmocka_run_group_tests_name ("controller/migration/quota", tests, NULL, NULL);
}
