/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test-tenant.h"

#include "controller/tenant/conflict.h"

#define ENTRY(id, name, description)                                                               \
  "{'_info': {'id': '" id "'}, 'params': {'name': '" name "', 'description': '" description "'}, " \
  "'type': 'openstack.network.SecurityGroup'}"
#define MARK(entry, field, value) "{'entry': " entry ", 'field': '" field "', 'value': '" value "'}"

TEST (marks_are_told_from_comments)
{
  OSM_CLEANUP_JSON json_t *comments =
      parse ("{'/resources/1/params/mtu': {'before': [{'text': '# mine', 'line': 7},"
             " {'text': '# conflict: mtu: the source has now: 1300', 'line': 8}],"
             " 'after': [{'text': '# conflict: mtu: the source has now: 1', 'line': 9}]},"
             " '/resources/0': {'before': [{'text': '# conflict: a: b: the source has now: : x', "
             "'line': 2},"
             " {'text': '# conflict: who knows', 'line': 3}]},"
             " '': {'before': [{'text': '# conflict: x: the source has now: 1', 'line': 99}]},"
             " '/resources/x': {'before': [{'text': '# conflict: x: the source has now: 1', "
             "'line': 99}]}}");
  OSM_CLEANUP_JSON json_t *marks = osm_conflicts_take (comments);

  assert_json (marks, "[{'entry': 0, 'field': 'a: b', 'value': ': x', 'line': 2},"
                      " {'entry': 1, 'field': 'mtu', 'value': '1300', 'line': 8}]");
  assert_json (json_object_get (json_object_get (comments, "/resources/1/params/mtu"), "before"),
               "[{'text': '# mine', 'line': 7}]");
  assert_int_equal (
      json_array_size (json_object_get (json_object_get (comments, "/resources/0"), "before")), 1);
}

TEST (they_stand_above_the_key_or_the_entry)
{
  OSM_CLEANUP_JSON json_t *comments = json_object (),
                          *resources = parse ("[" ENTRY ("1", "db", "") "]"),
                          *marks =
                              parse ("[" MARK ("0", "name", "x") ", " MARK ("0", "none", "y") "]");

  osm_conflicts_put (comments, resources, marks);
  assert_json (
      comments,
      "{'/resources/0/params/name': {'before': [{'text': '# conflict: name: the source has now: "
      "x'}]},"
      " '/resources/0': {'before': [{'text': '# conflict: none: the source has now: y'}]}}");
}

static void
assert_now (const char *entries, const char *marks, const char *rows, char **patterns,
            const char *wanted)
{
  OSM_CLEANUP_JSON json_t *resources =
                              parse ("[" ENTRY ("1", "db", "mine") ", " ENTRY ("2", "web", "") "]"),
                          *e = parse (entries), *m = parse (marks), *r = parse (rows), *now = NULL,
                          *w = parse (wanted);
  OSM_CLEANUP_FILTER struct osm_filter *filter = NULL;
  OSM_ERROR (err);

  osm_filter_new (patterns, &filter, &err);
  assert_no_error (&err);
  now = osm_conflicts_now (&osm_type_security_group, resources, e, filter, m, r);
  assert_json (now, wanted);
  assert_true (osm_conflicts_equal (now, w));
}

#define SOURCE(description) \
  "{'1': " ENTRY ("1", "db", description) ", '2': " ENTRY ("2", "web", "") "}"
#define ROWS "[{'type': 'security_groups', 'id': '1'}]"

TEST (new_ones_come_and_old_ones_stay_while_they_differ)
{
  static const char old[] = "[" MARK ("0", "description", "old") "]";

  assert_now (SOURCE ("7"), "[]",
              "[{'type': 'security_groups', 'id': '1', 'conflicts': [{'field': 'description', "
              "'source': 7}]}]",
              NULL, "[" MARK ("0", "description", "7") "]");
  assert_now ("{'1': {'_info': {'id': '1'}, 'params': {'name': 'db', 'description': 8}}}", old,
              ROWS, NULL, "[" MARK ("0", "description", "8") "]");
  assert_now ("{'1': {'_info': {'id': '1'}, 'params': {'name': 'db'}}}", old, ROWS, NULL,
              "[" MARK ("0", "description", "nothing") "]");
}

TEST (old_ones_go_when_they_are_resolved)
{
  char pattern[] = "web", *patterns[] = { pattern, NULL };
  static const char old[] = "[" MARK ("0", "description", "old") "]";

  assert_now (SOURCE ("mine"), old, ROWS, NULL, "[]");
  /* Nobody has looked. */
  assert_now (SOURCE ("mine"), old, ROWS, patterns, old);
  assert_now ("{}", old, ROWS, NULL, old);
  assert_now ("{'1': {'error': {}}}", old, ROWS, NULL, old);
}

TEST (what_is_told)
{
  OSM_CLEANUP_JSON json_t *resources =
                              parse ("[" ENTRY ("1", "db", "") ", " ENTRY ("2", "web", "") "]"),
                          *marks =
                              parse ("[" MARK ("0", "a", "1") ", " MARK ("0", "b", "1") ", " MARK (
                                  "1", "a", "1") ", " MARK ("7", "a", "1") "]");
  OSM_CLEANUP_FREE char *text =
      osm_conflicts_text (&osm_type_security_group, resources, marks, NULL);

  assert_string_equal (text, "db: a, b; web: a");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (marks_are_told_from_comments),
    cmocka_unit_test (they_stand_above_the_key_or_the_entry),
    cmocka_unit_test (new_ones_come_and_old_ones_stay_while_they_differ),
    cmocka_unit_test (old_ones_go_when_they_are_resolved),
    cmocka_unit_test (what_is_told),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
