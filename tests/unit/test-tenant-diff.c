/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test-tenant.h"

#include "controller/tenant/compare.h"
#include "controller/tenant/diff.h"

static void
assert_diff (const struct osm_tenant_type *type, const char *wanted, const char *is,
             const char *differences)
{
  OSM_CLEANUP_JSON json_t *a = parse (wanted), *b = parse (is), *d = osm_tenant_diff (type, a, b);

  assert_json (d, differences);
}

TEST (equal_but_for_info_and_what_the_file_does_not_say)
{
  assert_diff (&osm_type_network,
               "{'params': {'name': 'n', 'mtu': null, 'tags': ['a', 'b'], 'is_shared': false},"
               " '_info': {'id': '1', 'status': 'ACTIVE'}}",
               "{'params': {'name': 'n', 'mtu': 1500, 'tags': ['b', 'a'], 'is_shared': false,"
               " 'description': 'x'}, '_info': {'id': '2'}}",
               "[]");
}

TEST (false_and_lists_count)
{
  assert_diff (&osm_type_subnet,
               "{'params': {'is_dhcp_enabled': false, 'cidr': '10.0.0.0/24',"
               " 'dns_nameservers': ['9.9.9.9', '1.1.1.1']}}",
               "{'params': {'is_dhcp_enabled': true, 'cidr': '10.0.1.0/24',"
               " 'dns_nameservers': ['1.1.1.1', '9.9.9.9']}}",
               "[{'field': 'cidr', 'wanted': '10.0.0.0/24', 'is': '10.0.1.0/24', 'fixed': true},"
               " {'field': 'dns_nameservers', 'wanted': ['9.9.9.9', '1.1.1.1'],"
               "  'is': ['1.1.1.1', '9.9.9.9'], 'fixed': false},"
               " {'field': 'is_dhcp_enabled', 'wanted': false, 'is': true, 'fixed': false}]");
}

TEST (null_counts_where_it_is_a_value)
{
  assert_diff (&osm_type_subnet, "{'params': {'gateway_ip': null, 'description': null}}",
               "{'params': {'gateway_ip': '10.0.0.1', 'description': 'x'}}",
               "[{'field': 'gateway_ip', 'wanted': null, 'is': '10.0.0.1', 'fixed': false}]");
}

TEST (reference_without_a_project_means_any)
{
  assert_diff (&osm_type_subnet,
               "{'params': {'network_ref': {'name': 'n', 'project_name': null, 'domain_name': "
               "null}}}",
               "{'params': {'network_ref': {'name': 'n', 'project_name': '%auth%', "
               "'domain_name': '%auth%'}}}",
               "[]");
}

TEST (numbers_are_equal_whatever_their_kind)
{
  assert_diff (&osm_type_flavor, "{'params': {'rxtx_factor': 1}}",
               "{'params': {'rxtx_factor': 1.0}}", "[]");
}

TEST (what_a_cloud_cannot_have_differs_for_who_deletes)
{
  OSM_CLEANUP_JSON json_t *wanted = parse (
                              "{'params': {'is_port_security_enabled': true, 'dns_domain': '', "
                              "'availability_zone_hints': [], 'is_router_external': false}}"),
                          *is = parse ("{'params': {}}"),
                          *usual = osm_tenant_diff (&osm_type_network, wanted, is),
                          *strict = osm_tenant_diff_strict (&osm_type_network, wanted, is);

  assert_json (usual, "[]");
  assert_json (strict, "[{'field': 'is_port_security_enabled', 'wanted': true, 'is': null, "
                       "'fixed': false}]");
}

static void
assert_identity (const struct osm_tenant_type *type, const char *one, const char *other, bool equal)
{
  OSM_CLEANUP_JSON json_t *a = parse (one), *b = parse (other);
  OSM_CLEANUP_FREE char *x = osm_tenant_identity (type, a), *y = osm_tenant_identity (type, b);

  assert_int_equal (strcmp (x, y) == 0, equal);
}

TEST (subnets_of_one_name_are_told_apart_by_their_network)
{
  assert_identity (&osm_type_subnet,
                   "{'params': {'name': 's', 'network_ref': {'name': 'a', "
                   "'project_name': null, 'domain_name': null}}}",
                   "{'params': {'name': 's', 'network_ref': {'name': 'b', 'project_name': null, "
                   "'domain_name': null}}}",
                   false);
  assert_identity (&osm_type_subnet,
                   "{'params': {'name': 's', 'network_ref': {'name': 'a', "
                   "'project_name': null, 'domain_name': null}}}",
                   "{'params': {'name': 's', 'cidr': 'x', 'network_ref': {'name': 'a', "
                   "'project_name': '%auth%', 'domain_name': '%auth%'}}}",
                   true);
}

TEST (users_of_one_name_are_told_apart_by_their_domain)
{
  assert_identity (&osm_type_user,
                   "{'params': {'name': 'u', 'domain_ref': {'name': 'a', "
                   "'project_name': null, 'domain_name': null}}}",
                   "{'params': {'name': 'u', 'domain_ref': {'name': 'b', 'project_name': null, "
                   "'domain_name': null}}}",
                   false);
}

TEST (a_rule_is_all_that_it_allows_and_not_its_description)
{
  assert_identity (&osm_type_security_group_rule,
                   "{'params': {'direction': 'ingress', 'port_range_min': 22, 'description': 'a'}}",
                   "{'params': {'direction': 'ingress', 'port_range_min': 22, 'description': null,"
                   " 'protocol': null}}",
                   true);
  assert_identity (&osm_type_security_group_rule, "{'params': {'port_range_min': 22}}",
                   "{'params': {'port_range_min': 23}}", false);
}

/* ---- three ways ---- */

static void
assert_merge (const char *base, const char *file, const char *source, const char *merged,
              const char *conflicts)
{
  OSM_CLEANUP_JSON json_t *b = base ? parse (base) : NULL, *f = parse (file), *s = parse (source),
                          *c = json_array (), *m = osm_tenant_merge (b, f, s, c);

  assert_json (m, merged);
  assert_json (c, conflicts);
}

TEST (edit_stays_and_change_comes)
{
  assert_merge ("{'params': {'a': 1, 'b': 1, 'c': 1}, '_info': {'x': 1}}",
                "{'params': {'a': 2, 'b': 1, 'c': 1}, '_info': {'x': 1}}",
                "{'params': {'a': 1, 'b': 1, 'c': 3}, '_info': {'x': 2}}",
                "{'params': {'a': 2, 'b': 1, 'c': 3}, '_info': {'x': 2}}", "[]");
}

TEST (both_changed_alike_or_not)
{
  assert_merge ("{'params': {'a': 1, 'b': 1}}", "{'params': {'a': 2, 'b': 2}}",
                "{'params': {'a': 2, 'b': 3}}", "{'params': {'a': 2, 'b': 2}}",
                "[{'field': 'b', 'file': 2, 'source': 3}]");
}

TEST (without_a_base_nothing_of_the_file_is_lost)
{
  assert_merge (NULL, "{'params': {'a': 2}}", "{'params': {'a': 1, 'new': 1}}",
                "{'params': {'a': 2, 'new': 1}}", "[{'field': 'a', 'file': 2, 'source': 1}]");
}

TEST (what_was_taken_out_or_put_in_by_hand_stays_so)
{
  assert_merge ("{'_osm_params': {'routes': []}, 'params': {}}",
                "{'_osm_params': {}, 'params': {}, '_migration_params': {'mine': 1}}",
                "{'_osm_params': {'routes': []}, 'params': {}, '_migration_params': {}}",
                "{'_osm_params': {}, 'params': {}, '_migration_params': {'mine': 1}}", "[]");
}

/* ---- a file and a cloud ---- */

static void
assert_compare (const char *file, const char *cloud, char **patterns, const char *wanted)
{
  OSM_CLEANUP_JSON json_t *f = parse (file), *c = parse (cloud), *rows = NULL,
                          *brief = json_array ();
  OSM_CLEANUP_FILTER struct osm_filter *filter = NULL;
  OSM_ERROR (err);
  const json_t *row;
  size_t i;

  osm_filter_new (patterns, &filter, &err);
  assert_no_error (&err);
  rows = osm_tenant_compare (&osm_type_network, f, c, NULL, filter, true);
  json_array_foreach (rows, i, row) json_array_append_new (
      brief, osm_json_pack ("[s?, s?, s?]", osm_json_str (row, "name"),
                            osm_json_str (row, "result"), osm_json_str (row, "id")));
  assert_json (brief, wanted);
}

#define NETWORK(name, mtu) "{'params': {'name': '" name "', 'mtu': " #mtu "}}"

TEST (missing_equal_different_and_extra)
{
  assert_compare (
      "[" NETWORK ("a", 1) ", " NETWORK ("b", 1) ", " NETWORK ("c", 1) "]",
      "{'1': " NETWORK ("b", 1) ", '2': " NETWORK ("c", 2) ", '3': " NETWORK ("d", 1) "}", NULL,
      "[['a', 'missing', null], ['b', 'equal', '1'], ['c', 'differs', '2'],"
      " ['d', 'extra', '3']]");
}

TEST (several_of_a_name_cannot_be_told_apart)
{
  assert_compare ("[" NETWORK ("a", 1) "]",
                  "{'1': " NETWORK ("a", 1) ", '2': " NETWORK ("a", 1) "}", NULL,
                  "[['a', 'failed', null]]");
}

TEST (what_is_mapped_counts_more_than_its_name)
{
  OSM_CLEANUP_FILTER struct osm_filter *filter = NULL;
  OSM_ERROR (err);
  int r = osm_filter_new (NULL, &filter, &err);
  OSM_CLEANUP_JSON json_t
      *file = parse ("[{'_info': {'id': 's1'}, 'params': {'name': 'a', 'mtu': 1}},"
                     " {'_info': {'id': 's2'}, 'params': {'name': 'b'}},"
                     " {'_info': {'id': 's3'}, 'params': {'name': 'c'}},"
                     " {'_info': {'id': 's4'}, 'params': {'name': 'd'}}]"),
      *cloud = parse ("{'1': " NETWORK ("other", 1) ", '2': " NETWORK ("a", 1) ", '3': " NETWORK (
          "b", 1) ", '4': " NETWORK ("d", 1) "}"),
      *mapped = parse ("{'s1': {'destination_id': '3', 'origin': 'created'},"
                       " 's2': {'destination_id': '9', 'origin': 'created'},"
                       " 's3': {'destination_id': '8', 'origin': 'registered', 'elsewhere': true},"
                       " 's4': {'destination_id': '7', 'origin': 'registered',"
                       "        'elsewhere': false}}"),
      *rows = osm_tenant_compare (&osm_type_network, file, cloud, mapped, filter, true),
      *brief = json_array ();
  const json_t *row;
  size_t i;

  assert_int_equal (r, 0);
  json_array_foreach (rows, i, row) json_array_append_new (
      brief, osm_json_pack ("[s?, s?, s?]", osm_json_str (row, "name"),
                            osm_json_str (row, "result"), osm_json_str (row, "id")));
  /* 'b' is what s1 has become: s2, whose own one is gone, does not mean it. */
  assert_json (brief, "[['a', 'differs', '3'], ['b', 'missing', null], ['c', 'equal', '8'],"
                      " ['d', 'equal', '4'], ['other', 'extra', '1']]");
}

TEST (filter_is_for_both_sides)
{
  char pattern[] = "[ab]", *patterns[] = { pattern, NULL };

  assert_compare ("[" NETWORK ("a", 1) ", " NETWORK ("c", 1) "]",
                  "{'1': " NETWORK ("b", 1) ", '2': " NETWORK ("d", 2) "}", patterns,
                  "[['a', 'missing', null], ['b', 'extra', '1']]");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (equal_but_for_info_and_what_the_file_does_not_say),
    cmocka_unit_test (false_and_lists_count),
    cmocka_unit_test (null_counts_where_it_is_a_value),
    cmocka_unit_test (reference_without_a_project_means_any),
    cmocka_unit_test (numbers_are_equal_whatever_their_kind),
    cmocka_unit_test (what_a_cloud_cannot_have_differs_for_who_deletes),
    cmocka_unit_test (subnets_of_one_name_are_told_apart_by_their_network),
    cmocka_unit_test (users_of_one_name_are_told_apart_by_their_domain),
    cmocka_unit_test (a_rule_is_all_that_it_allows_and_not_its_description),
    cmocka_unit_test (edit_stays_and_change_comes),
    cmocka_unit_test (both_changed_alike_or_not),
    cmocka_unit_test (without_a_base_nothing_of_the_file_is_lost),
    cmocka_unit_test (what_was_taken_out_or_put_in_by_hand_stays_so),
    cmocka_unit_test (missing_equal_different_and_extra),
    cmocka_unit_test (what_is_mapped_counts_more_than_its_name),
    cmocka_unit_test (several_of_a_name_cannot_be_told_apart),
    cmocka_unit_test (filter_is_for_both_sides),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
