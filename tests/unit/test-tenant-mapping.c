/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test-tenant.h"

#include "controller/tenant/mapping.h"

#define ROWS                                                                           \
  "[{'type': 'networks', 'source_id': 's1', 'destination_id': 'd1', 'name': 'web'},"   \
  " {'type': 'networks', 'source_id': 's2', 'destination_id': 'd2', 'name': 'twice'}," \
  " {'type': 'networks', 'source_id': 's3', 'destination_id': 'd3', 'name': 'twice'}," \
  " {'type': 'subnets', 'source_id': 's4', 'destination_id': 'd4', 'name': 'web'}]"

static void
assert_found (const char *word, const char *source_id, const char *wrong)
{
  OSM_CLEANUP_JSON json_t *rows = parse (ROWS);
  const json_t *row = NULL;
  OSM_ERROR (err);

  if (osm_tenant_mapping_find (rows, "networks", word, &row, &err) == -1)
    assert_error (&err, OSM_ERROR_USER, wrong ? wrong : "no error");
  else
    assert_string_equal (osm_json_str (row, "source_id"), source_id);
}

TEST (by_name_or_either_id)
{
  assert_found ("web", "s1", NULL);
  assert_found ("s1", "s1", NULL);
  assert_found ("d3", "s3", NULL);
  assert_found ("twice", NULL, "there are several 'twice' of networks: s2, s3");
  assert_found ("s4", NULL, "nothing is known of 's4' of networks");
}

/* Renamed at the destination, and somebody else's. */
TEST (an_alias_is_what_the_files_call_it)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *inv = osm_inventory_new ("p1", "u1");
  OSM_CLEANUP_JSON json_t *ours = parse ("{'name': 'web', 'project_name': '%auth%'}"),
                          *admins = parse ("{'name': 'web', 'project_name': 'admin'}"),
                          *id = json_string ("d1"), *ref = NULL, *found = NULL, *missing = NULL;
  OSM_ERROR (err);

  osm_inventory_alias (inv, "networks", "web", "d1");
  assert_int_equal (osm_inventory_id (inv, "networks", ours, &found, &err), -1);
  osm_error_clear (&err);
  missing = osm_inventory_missing (inv);
  assert_json (missing, "{'networks': {'d1': true}}");
  add (inv, &osm_type_network,
       "[{'id': 'd1', 'name': 'new', 'project_id': 'p2'},"
       " {'id': 'd2', 'name': 'web', 'project_id': 'p1'}]",
       true);
  assert_int_equal (osm_inventory_id (inv, "networks", ours, &found, &err), 0);
  assert_json (found, "'d1'");
  assert_int_equal (osm_inventory_id (inv, "networks", admins, &found, &err), -1);
  osm_error_clear (&err);
  assert_int_equal (osm_inventory_ref (inv, "networks", id, &ref, &err), 0);
  assert_json (ref, "{'name': 'web', 'project_name': '%auth%', 'domain_name': '%auth%'}");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (by_name_or_either_id),
    cmocka_unit_test (an_alias_is_what_the_files_call_it),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
