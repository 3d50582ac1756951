/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test-json.h"
#include "tests/unit/test-store.h"

#include "controller/migration/claims.h"

static const char plan_text[] =
    "{\"server\": {\"vcpus\": 2, \"ram_mb\": 512, \"server_group\": {\"name\": \"g\", \"id\": "
    "null}},"
    " \"volumes\": [{\"id\": \"v1\", \"size_gb\": 10, \"type\": \"fast\", \"access\": "
    "\"snapshot\"},"
    " {\"id\": \"v2\", \"size_gb\": 5, \"access\": \"detach\"}],"
    " \"ports\": [{\"id\": \"p\"}], \"floating_ips\": [{\"id\": \"f\", \"create\": {}}]}";

static void
what_is_made_is_not_claimed (void **state)
{
  OSM_CLEANUP_JSON json_t *plan = parse (plan_text), *nothing = parse ("[]"),
                          *some = parse ("[{\"key\": \"volume:v1\", \"state\": \"created\"},"
                                         " {\"key\": \"volume:v2\", \"state\": \"intended\"},"
                                         " {\"key\": \"server_group\", \"state\": \"created\"},"
                                         " {\"key\": \"floating-ip:f\", \"state\": \"created\"}]"),
                          *all = parse ("[{\"key\": \"volume:v1\", \"state\": \"created\"},"
                                        " {\"key\": \"volume:v2\", \"state\": \"created\"},"
                                        " {\"key\": \"floating-ip:f\", \"state\": \"created\"},"
                                        " {\"key\": \"port:p\", \"state\": \"created\"},"
                                        " {\"key\": \"server\", \"state\": \"created\"}]");
  OSM_CLEANUP_JSON json_t *first = osm_claims_of (plan, nothing),
                          *middle = osm_claims_of (plan, some), *last = osm_claims_of (plan, all);

  (void)state;
  assert_json (first, "{\"instances\": 1, \"cores\": 2, \"ram\": 512, \"server_groups\": 1, "
                      "\"volumes\": 2, \"volumes_fast\": 1, \"gigabytes\": 15, \"gigabytes_fast\": "
                      "10, \"per_volume_gigabytes\": 10, \"ports\": 1, \"floating_ips\": 1}");
  assert_json (middle, "{\"instances\": 1, \"cores\": 2, \"ram\": 512, "
                       "\"volumes\": 1, \"gigabytes\": 5, \"per_volume_gigabytes\": 5, \"ports\": "
                       "1}");
  assert_json (last, "{}");
}

/* A server of one core in that group; the id of its migration, caller frees. */
static char *
add (struct osm_store *store, const char *object, const char *cloud, const char *state)
{
  struct osm_migration_row row = sample_row (object);
  OSM_CLEANUP_JSON json_t *plan = parse ("{\"server\": {\"vcpus\": 1, \"ram_mb\": 64, "
                                         "\"server_group\": {\"name\": \"g\"}}, \"volumes\": "
                                         "[{\"id\": \"v\", \"size_gb\": 3}]}");
  OSM_ERROR (err);

  row.destination_cloud = (char *)cloud;
  row.plan = plan;
  assert_int_equal (osm_store_migration_add (store, &row, &err), 0);
  if (strcmp (state, "planned") != 0)
    assert_int_equal (osm_store_migration_set_state (store, row.id, "planned", state, NULL, &err),
                      0);
  return row.id;
}

STORE_TEST (unfinished_migrations_of_the_journal)
{
  static const char *const states[] = { "planned", "running",      "held",
                                        "failed",  "interrupted",  "completed",
                                        "cleaned", "rolling-back", "rolled-back" };
  OSM_CLEANUP_FREE char *other = add (store, "elsewhere", "other", "running");
  OSM_CLEANUP_JSON json_t *claims = NULL;
  OSM_ERROR (err);

  for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
    OSM_CLEANUP_FREE char *id = add (store, states[i], "dst", states[i]);

    if (strcmp (states[i], "held") == 0) {
      assert_int_equal (osm_store_object_intend (store, id, "volume:v", "dst", "volume", &err), 0);
      assert_int_equal (osm_store_object_created (store, id, "volume:v", "x", &err), 0);
    }
  }
  assert_int_equal (osm_claims_load (store, "dst", &claims, &err), 0);
  assert_json (claims, "{\"instances\": 3, \"cores\": 3, \"ram\": 192, \"server_groups\": 1, "
                       "\"volumes\": 2, \"gigabytes\": 6, \"per_volume_gigabytes\": 3}");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (what_is_made_is_not_claimed),
    store_unit_test (unfinished_migrations_of_the_journal),
  };

  return cmocka_run_group_tests_name ("controller/migration/claims", tests, NULL, NULL);
}
