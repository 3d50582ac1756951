/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test-tenant.h"

#include "controller/tenant/verdict.h"

#define DAY_MS (INT64_C (86400) * 1000)
#define ENTRY(name, mtu) "{'_info': {'id': 's1'}, 'params': {'name': '" name "', 'mtu': " mtu "}}"
#define KNOWN "{'origin': 'created', 'name': 'web', 'destination_id': 'd1', 'updated_ms': 1000}"

/* Of a network that may go, but for what the test changes. */
struct sample {
  const char *mapping, *object, *entry, *copy, *is, *network;
  bool others, hidden, accept;
};
static const struct sample fine = { .mapping = KNOWN,
                                    .object = "{'id': 's1', 'name': 'web'}",
                                    .entry = ENTRY ("web", "1500"),
                                    .copy = "{'id': 'd1'}",
                                    .is = ENTRY ("web", "1500") };

static void
assert_verdict (const struct osm_tenant_type *type, struct sample s, const char *result,
                const char *reason)
{
  OSM_CLEANUP_JSON json_t *mapping = parse (s.mapping),
                          *object = s.object ? parse (s.object) : NULL,
                          *entry = s.entry ? parse (s.entry) : NULL,
                          *copy = s.copy ? parse (s.copy) : NULL, *is = s.is ? parse (s.is) : NULL,
                          *network = s.network ? parse (s.network) : NULL, *row = json_object ();
  const struct osm_cleanup_facts facts = { .type = type,
                                           .mapping = mapping,
                                           .object = object,
                                           .own = !s.others,
                                           .hidden = s.hidden,
                                           .network = network,
                                           .entry = entry,
                                           .copy = copy,
                                           .is = is,
                                           .now_ms = 8 * DAY_MS,
                                           .hold_ms = 7 * DAY_MS,
                                           .accept_differences = s.accept };

  osm_cleanup_verdict (&facts, row);
  assert_string_equal (osm_json_str (row, "result"), result);
  if (!reason)
    assert_null (osm_json_str (row, "reason"));
  else
    assert_non_null (strstr (osm_json_str (row, "reason"), reason));
}

#define WITH(change)         \
  ({                         \
    struct sample s_ = fine; \
    s_ change;               \
    s_;                      \
  })

TEST (what_osm_has_made_and_is_the_same_there)
{
  assert_verdict (&osm_type_network, fine, "would delete", NULL);
}

TEST (only_what_osm_has_made)
{
  assert_verdict (&osm_type_network, WITH (.mapping = "{'origin': 'adopted'}"), "left",
                  "by its name");
  assert_verdict (&osm_type_network, WITH (.mapping = "{'origin': 'registered'}"), "left",
                  "registered");
  assert_verdict (&osm_type_network, WITH (.mapping = "{}"), "left", "by its name");
  assert_verdict (&osm_type_flavor, fine, "left", "not deleted by osm");
  assert_verdict (&osm_type_project, fine, "left", "not deleted by osm");
  /* Shelved servers, keys of encrypted images, addresses that several servers share: not all that need them are seen. */
  assert_verdict (&osm_type_image, fine, "left", "not deleted by osm");
  assert_verdict (&osm_type_port, fine, "left", "not deleted by osm");
  assert_verdict (&osm_type_trunk, fine, "left", "not deleted by osm");
}

TEST (not_too_early)
{
  assert_verdict (&osm_type_network,
                  WITH (.mapping = "{'origin': 'created', 'name': 'web', 'updated_ms': 600000000}"),
                  "left", "was imported only 25h 20m ago (--older-than 168h 00m)");
}

TEST (only_the_tenants_own)
{
  assert_verdict (&osm_type_network, WITH (.object = NULL), "gone", "not at the source");
  assert_verdict (&osm_type_network, WITH (.others = true), "left", "another project");
  assert_verdict (&osm_type_network, WITH (.object = "{'shared': true}"), "left", "shared");
  assert_verdict (&osm_type_network, WITH (.object = "{'router:external': true}"), "left",
                  "external");
  assert_verdict (&osm_type_security_group, WITH (.object = "{'name': 'default'}"), "left",
                  "default security group");
  assert_verdict (&osm_type_network, WITH (.object = "{'name': 'default'}"), "would delete", NULL);
  assert_verdict (&osm_type_network, WITH (.entry = "{'error': {}}"), "left", "cannot be read");
  assert_verdict (&osm_type_network, WITH (.entry = ENTRY ("new", "1500")), "left",
                  "'new', then 'web'");
}

TEST (what_is_not_shown_is_not_gone)
{
  struct sample hidden = WITH (.object = NULL);

  hidden.hidden = true;
  assert_verdict (&osm_type_network, hidden, "left", "belongs to others");
}

TEST (on_the_tenants_own_networks_only)
{
  static const struct osm_tenant_type *const types[] = { &osm_type_subnet,
                                                         &osm_type_router_interface };

  for (size_t i = 0; i < 2; i++) {
    assert_verdict (types[i], WITH (.network = "{'shared': false}"), "would delete", NULL);
    assert_verdict (types[i], WITH (.network = NULL), "left", "not this project's");
    assert_verdict (types[i], WITH (.network = "{'shared': true}"), "left", "shared with other");
    assert_verdict (types[i], WITH (.network = "{'router:external': true}"), "left", "external");
  }
}

TEST (only_what_is_there_too)
{
  assert_verdict (&osm_type_network, WITH (.copy = NULL), "left", "d1 is not at the destination");
  assert_verdict (&osm_type_network, WITH (.is = NULL), "left", "cannot be compared");
  assert_verdict (&osm_type_network, WITH (.is = ENTRY ("web", "1400")), "left",
                  "mtu: 1500, there 1400");
  struct sample accepted = WITH (.is = ENTRY ("web", "1400"));

  accepted.accept = true;
  assert_verdict (&osm_type_network, accepted, "would delete", NULL);
  accepted.copy = NULL;
  assert_verdict (&osm_type_network, accepted, "left", "not at the destination");
}

#define RULE(id, group, port)                                                              \
  "{'_info': {'id': '" id "', 'security_group_id': '" group "'}, 'params': {'direction': " \
  "'ingress', 'port_range_min': " port ", 'security_group_ref': {'name': 'web', "          \
  "'project_name': '%auth%', 'domain_name': '%auth%'}}}"

static void
assert_lacking (const char *group_text, const char *wanted)
{
  OSM_CLEANUP_JSON json_t *group = parse (group_text),
                          *rules = parse ("{'1': " RULE ("1", "g1", "22") ", '2': " RULE (
                              "2", "g1", "80") ", '3': " RULE ("3", "g1", "443") ", '4': {'error': "
                                                                                 "{}}}"),
                          *there = parse (
                              "{'x': " RULE ("x", "d1", "22") ", 'y': {'error': {}}, "
                                                              "'z': " RULE ("z", "d2", "443") "}"),
                          *lacking = osm_cleanup_lacking_rules (group, rules, "d1", there);

  assert_json (lacking, wanted);
}

TEST (rules_that_the_copy_lacks)
{
  assert_lacking ("{'security_group_rules': [{'id': '1'}, {'id': '2'}]}", "['web ingress 80']");
  /* Another group of that name has one. */
  assert_lacking ("{'security_group_rules': [{'id': '3'}]}", "['web ingress 443']");
}

TEST (rules_that_cannot_be_read_count_as_lacking)
{
  assert_lacking ("{'security_group_rules': [{'id': '1'}, {'id': '4'}, {'id': '5'}, {}]}",
                  "['4, which cannot be read', '5, which cannot be read', 'one, which cannot be "
                  "read']");
  assert_lacking ("{}", "['those that it has are not told']");
}

/* "ID=RESULT ..." in the order in which they are deleted; those that stay come first. */
static void
assert_order (const char *rows_text, const char *uses_text, const char *wanted)
{
  OSM_CLEANUP_JSON json_t *rows = parse (rows_text), *uses = parse (uses_text);
  OSM_STRBUF (b);
  json_t *row;
  size_t i;

  osm_cleanup_leave_used (rows, uses);
  json_array_foreach (rows, i, row)
  {
    if (osm_json_str (row, "reason"))
      osm_strbuf_addf (&b, "%s=%s ", osm_json_str (row, "id"), osm_json_str (row, "reason"));
  }
  while ((row = osm_cleanup_next (rows, uses))) {
    osm_strbuf_addf (&b, "%s ", osm_json_str (row, "id"));
    osm_cleanup_set (row, "deleted", NULL);
  }
  assert_string_equal (osm_strbuf_str (&b), wanted);
}

#define ROW(type, id, result) "{'type': '" type "', 'id': '" id "', 'result': '" result "'}"
#define GO(type, id) ROW (type, id, "would delete")
#define BY(type, id) "[{'type': '" type "', 'id': '" id "', 'text': '" id "'}]"

TEST (users_go_first)
{
  assert_order ("[" GO ("networks", "n") ", " GO ("subnets", "s") ", " GO ("routers", "r") ", " GO (
                    "router_interfaces", "i") "]",
                "{'networks': {'n': " BY ("subnets", "s") "}, 'routers': {'r': " BY (
                    "router_interfaces", "i") "}}",
                "i r s n ");
}

TEST (what_something_uses_that_stays_stays_too)
{
  assert_order (
      "[" GO ("networks", "n") ", " GO ("subnets", "s") ", " ROW ("ports", "p", "left") "]",
      "{'networks': {'n': " BY ("subnets", "s") "}, 'subnets': {'s': " BY ("ports", "p") "}}",
      "n=is used by s s=is used by p ");
  assert_order ("[" GO ("networks", "n") "]", "{'networks': {'n': [{'text': 'the server'}]}}",
                "n=is used by the server ");
  assert_order ("[" GO ("networks", "n") ", " ROW ("subnets", "s", "gone") "]",
                "{'networks': {'n': " BY ("subnets", "s") "}}", "n ");
}

TEST (two_that_use_each_other_go_together_or_not_at_all)
{
  static const char uses[] = "{'security_groups': {'a': " BY ("security_groups", "b") ", 'b': " BY (
      "security_groups", "a") "}}";

  assert_order ("[" GO ("security_groups", "a") ", " GO ("security_groups", "b") "]", uses, "b a ");
  assert_order ("[" GO ("security_groups", "a") "]", uses, "a=is used by b ");
}

TEST (what_is_used_by_two_that_use_each_other_goes_after_them)
{
  assert_order ("[" GO ("router_interfaces", "i") ", " GO ("router_interfaces", "k") ", " GO (
                    "security_groups", "g") "]",
                "{'router_interfaces': {'i': " BY ("router_interfaces", "k") ", 'k': " BY (
                    "router_interfaces",
                    "i") "}, 'security_groups': {'g': " BY ("router_interfaces", "i") "}}",
                "k i g ");
}

TEST (why_one_stays_by_other_uses)
{
  OSM_CLEANUP_JSON json_t *rows = parse ("[" GO ("router_interfaces", "i") "]"),
                          *uses = parse ("{'router_interfaces': {'i': [{'text': 'the port p'}]}}"),
                          *none = json_object ();
  OSM_CLEANUP_FREE char *why = osm_cleanup_used_by (rows, uses, json_array_get (rows, 0));

  assert_string_equal (why, "is used by the port p");
  assert_null (osm_cleanup_used_by (rows, none, json_array_get (rows, 0)));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (what_osm_has_made_and_is_the_same_there),
    cmocka_unit_test (only_what_osm_has_made),
    cmocka_unit_test (not_too_early),
    cmocka_unit_test (only_the_tenants_own),
    cmocka_unit_test (what_is_not_shown_is_not_gone),
    cmocka_unit_test (on_the_tenants_own_networks_only),
    cmocka_unit_test (only_what_is_there_too),
    cmocka_unit_test (rules_that_the_copy_lacks),
    cmocka_unit_test (rules_that_cannot_be_read_count_as_lacking),
    cmocka_unit_test (users_go_first),
    cmocka_unit_test (what_something_uses_that_stays_stays_too),
    cmocka_unit_test (two_that_use_each_other_go_together_or_not_at_all),
    cmocka_unit_test (what_is_used_by_two_that_use_each_other_goes_after_them),
    cmocka_unit_test (why_one_stays_by_other_uses),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
