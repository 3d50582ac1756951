/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test-tenant.h"

#include "controller/tenant/mapping.h"
#include "tests/unit/test-store.h"

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

  osm_inventory_alias (inv, "networks", "web", "d1", true);
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

static void
assert_id (const struct osm_inventory *inv, const char *type, const char *ref, const char *wanted)
{
  OSM_CLEANUP_JSON json_t *reference = parse (ref), *id = NULL;
  OSM_ERROR (err);

  if (osm_inventory_id (inv, type, reference, &id, &err) == -1) {
    assert_null (wanted);
    osm_error_clear (&err);
    return;
  }
  if (!wanted)
    fail_msg ("%s is %s", ref, json_string_value (id));
  assert_string_equal (json_string_value (id), wanted);
}

/* Imports of other projects have left the same names. */
TEST (an_alias_is_of_our_project)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *inv = osm_inventory_new ("p1", "u1");
  OSM_CLEANUP_JSON json_t *id = json_string ("d1"), *ref = NULL;
  OSM_ERROR (err);

  osm_inventory_alias (inv, "networks", "web", "d1", false);
  add (inv, &osm_type_network, "[{'id': 'd1', 'name': 'web', 'project_id': 'p2'}]", false);
  assert_id (inv, "networks", "{'name': 'web', 'project_name': '%auth%'}", NULL);
  assert_int_equal (osm_inventory_ref (inv, "networks", id, &ref, &err), 0);
  assert_true (json_is_null (json_object_get (ref, "project_name")));
  add (inv, &osm_type_network, "[{'id': 'd2', 'name': 'web', 'project_id': 'p1'}]", true);
  assert_id (inv, "networks", "{'name': 'web', 'project_name': '%auth%'}", "d2");
  /* Ours is not what another project shares with us under that name. */
  osm_inventory_alias (inv, "networks", "shared", "d2", false);
  add (inv, &osm_type_network, "[{'id': 'd3', 'name': 'shared', 'project_id': 'p3'}]", false);
  assert_id (inv, "networks", "{'name': 'shared', 'project_name': null}", "d3");
  osm_inventory_alias (inv, "networks", "shared", NULL, false);
  assert_id (inv, "networks", "{'name': 'shared', 'project_name': '%auth%'}", NULL);
}

TEST (an_alias_is_of_the_domain)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *inv = osm_inventory_new ("p1", "u1");

  osm_inventory_alias (inv, "users", "alice", "b", false);
  add (inv, osm_tenant_type_find ("domains"),
       "[{'id': 'A', 'name': 'A'}, {'id': 'B', 'name': 'B'}]", false);
  add (inv, &osm_type_user,
       "[{'id': 'a', 'name': 'alice', 'domain_id': 'A'}, {'id': 'b', 'name': 'alice', 'domain_id': "
       "'B'}]",
       false);
  assert_id (inv, "users", "{'name': 'alice', 'domain_name': 'A'}", "a");
  assert_id (inv, "users", "{'name': 'alice', 'domain_name': 'B'}", "b");
}

static void
note (struct osm_tenant_mapping *mapping, const char *source_id, const char *id, const char *name,
      const char *origin)
{
  OSM_ERROR (err);

  osm_tenant_mapping_note (mapping, "networks", source_id, id, name, origin, false, &err);
  assert_no_error (&err);
}

/* What earlier imports have noted. */
STORE_TEST (a_name_of_several_is_no_alias)
{
  OSM_CLEANUP_MAPPING struct osm_tenant_mapping *mapping = NULL;
  OSM_CLEANUP_INVENTORY struct osm_inventory *inv = osm_inventory_new ("p1", "u1");
  OSM_CLEANUP_JSON json_t *files =
      parse ("{'networks': [{'params': {'name': 'now'}, '_info': {'id': 's4'}}]}");
  OSM_ERROR (err);

  osm_tenant_mapping_load (store, "a", "b", &mapping, &err);
  assert_no_error (&err);
  note (mapping, "s1", "d1", "twice", "created");
  note (mapping, "s2", "d2", "twice", "adopted");
  note (mapping, "s3", "d3", "once", "created");
  note (mapping, "s4", "d4", "then", "created");
  note (mapping, "s5", "d5", "told", "created");
  note (mapping, "s6", "d6", "told", "registered");
  osm_tenant_mapping_alias (mapping, files, inv);
  add (inv, &osm_type_network,
       "[{'id': 'd1', 'name': 'a', 'project_id': 'p1'}, {'id': 'd2', 'name': 'b', 'project_id': "
       "'p1'},"
       " {'id': 'd3', 'name': 'c', 'project_id': 'p1'}, {'id': 'd4', 'name': 'd', 'project_id': "
       "'p1'},"
       " {'id': 'd5', 'name': 'e', 'project_id': 'p1'}, {'id': 'd6', 'name': 'f', 'project_id': "
       "'p2'}]",
       true);
  assert_id (inv, "networks", "{'name': 'twice', 'project_name': '%auth%'}", NULL);
  assert_id (inv, "networks", "{'name': 'once', 'project_name': '%auth%'}", "d3");
  assert_id (inv, "networks", "{'name': 'now', 'project_name': '%auth%'}", "d4");
  assert_id (inv, "networks", "{'name': 'then', 'project_name': '%auth%'}", NULL);
  assert_id (inv, "networks", "{'name': 'told', 'project_name': '%auth%'}", "d6");
}

static int64_t
time_of (struct osm_store *store)
{
  OSM_CLEANUP_JSON json_t *rows = NULL;
  OSM_ERROR (err);

  osm_store_mapping_list (store, "a", "b", &rows, &err);
  assert_no_error (&err);
  assert_string_equal (osm_json_str (json_array_get (rows, 0), "origin"), "registered");
  return (int64_t)osm_json_uint (json_array_get (rows, 0), "updated_ms");
}

/* How long cleanup-source waits is counted from it. */
STORE_TEST (what_is_changed_is_noted_anew)
{
  OSM_CLEANUP_MAPPING struct osm_tenant_mapping *mapping = NULL;
  OSM_ERROR (err);

  osm_tenant_mapping_load (store, "a", "b", &mapping, &err);
  note (mapping, "s1", "d1", "n", "registered");
  exec_sql (store, "UPDATE mapping SET updated_ms = 5");
  note (mapping, "s1", "d1", "n", "adopted");
  assert_int_equal (time_of (store), 5);
  osm_tenant_mapping_note (mapping, "networks", "s1", "d1", "n", "adopted", true, &err);
  assert_no_error (&err);
  assert_true (time_of (store) > 5);
  assert_string_equal (
      osm_json_str (json_object_get (osm_tenant_mapping_of (mapping, "networks"), "s1"), "origin"),
      "registered");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (by_name_or_either_id),
    cmocka_unit_test (an_alias_is_what_the_files_call_it),
    cmocka_unit_test (an_alias_is_of_our_project),
    cmocka_unit_test (an_alias_is_of_the_domain),
    store_unit_test (a_name_of_several_is_no_alias),
    store_unit_test (what_is_changed_is_noted_anew),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
