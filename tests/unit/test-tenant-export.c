/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test-tenant.h"

#include "controller/tenant/export.h"

#define ENTRY(id, name, description)                                                               \
  "{'_info': {'id': '" id "'}, 'params': {'name': '" name "', 'description': '" description "'}, " \
  "'type': 'openstack.network.SecurityGroup'}"

static void
assert_merge (const char *entries, const char *file, const char *base, char **patterns,
              const char *resources, const char *rows)
{
  OSM_CLEANUP_JSON json_t *e = parse (entries), *f = file ? parse (file) : NULL,
                          *b = base ? parse (base) : NULL, *r = json_array (), *merged = NULL;
  OSM_CLEANUP_FILTER struct osm_filter *filter = NULL;
  OSM_ERROR (err);

  osm_filter_new (patterns, &filter, &err);
  assert_no_error (&err);
  merged = osm_export_merge (&osm_type_security_group, e, f, b, filter, r);
  assert_json (merged, resources);
  assert_json (r, rows);
}

#define ROW(name, id, result, rest) \
  "{'type': 'security_groups', 'name': '" name "', 'id': '" id "', 'result': '" result "'" rest "}"

TEST (first_export_is_in_the_order_of_names)
{
  assert_merge ("{'2': " ENTRY ("2", "web", "") ", '1': " ENTRY ("1", "db", "") "}", NULL, NULL,
                NULL, "[" ENTRY ("1", "db", "") ", " ENTRY ("2", "web", "") "]",
                "[" ROW ("db", "1", "created", "") ", " ROW ("web", "2", "created", "") "]");
}

TEST (what_the_filter_does_not_take_stays_as_it_was)
{
  char pattern[] = "web", *patterns[] = { pattern, NULL };

  assert_merge (
      "{'2': " ENTRY ("2", "web", "new") ", '1': " ENTRY ("1", "db", "new") "}",
      "[" ENTRY ("1", "db", "") ", " ENTRY ("3", "old", "") "]",
      "[" ENTRY ("1", "db", "") ", " ENTRY ("3", "old", "") "]", patterns,
      "[" ENTRY ("1", "db", "") ", " ENTRY ("3", "old", "") ", " ENTRY ("2", "web", "new") "]",
      "[" ROW ("web", "2", "created", "") "]");
}

TEST (what_failed_has_its_reason)
{
  assert_merge ("{'1': {'error': {'message': 'why'}, 'name': 'db'}}", NULL, NULL, NULL, "[]",
                "[" ROW ("db", "1", "failed", ", 'reason': 'why'") "]");
}

TEST (entry_by_hand_is_not_gone)
{
  assert_merge ("{}", "[" ENTRY ("mine", "x", "") "]", "[]", NULL, "[" ENTRY ("mine", "x", "") "]",
                "[]");
}

TEST (base_remembers_what_was_exported_not_what_was_filtered)
{
  char pattern[] = "web", *patterns[] = { pattern, NULL };
  OSM_CLEANUP_JSON json_t *entries = parse ("{'2': " ENTRY ("2", "web", "new") ", '1': " ENTRY (
                              "1", "db", "new") "}"),
                          *base = parse ("[" ENTRY ("1", "db", "") "]"), *result = NULL;
  OSM_CLEANUP_FILTER struct osm_filter *filter = NULL;
  OSM_ERROR (err);

  osm_filter_new (patterns, &filter, &err);
  assert_no_error (&err);
  result = osm_export_base (&osm_type_security_group, entries, base, filter);
  assert_json (result, "[" ENTRY ("1", "db", "") ", " ENTRY ("2", "web", "new") "]");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (first_export_is_in_the_order_of_names),
    cmocka_unit_test (what_the_filter_does_not_take_stays_as_it_was),
    cmocka_unit_test (what_failed_has_its_reason),
    cmocka_unit_test (entry_by_hand_is_not_gone),
    cmocka_unit_test (base_remembers_what_was_exported_not_what_was_filtered),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
