/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test-tenant.h"

#include "controller/tenant/exact.h"
#include "controller/tenant/needs.h"
#include "controller/tenant/order.h"

#define OURS(name) "{'name': '" name "', 'project_name': '%auth%', 'domain_name': '%auth%'}"
#define ADMINS(name) "{'name': '" name "', 'project_name': 'admin', 'domain_name': null}"
#define ENTRIES                                                                                \
  "{'networks': [{'params': {'name': 'n1'}}, {'params': {'name': 'n2'}}],"                     \
  " 'subnets': {'1': {'params': {'name': 's1', 'network_ref': " OURS (                         \
      "n1") "}}},"                                                                             \
            " 'routers': [{'params': {'name': 'r1', 'external_gateway_refinfo': "              \
            "{'network_ref': " ADMINS (                                                        \
                "public") "}}}],"                                                              \
                          " 'router_interfaces': [{'params': {'device_ref': " OURS (           \
                              "r1") ", 'network_ref': null,"                                   \
                                    "   'fixed_ips_refs': [{'ip_address': '10.0.0.1', "        \
                                    "'subnet_ref': " OURS (                                    \
                                        "s1") "}]}}],"                                         \
                                              " 'security_group_rules': [{'params': "          \
                                              "{'security_group_ref': " OURS (                 \
                                                  "web") ","                                   \
                                                         "   'remote_group_ref': " OURS (      \
                                                             "db") "}}],"                      \
                                                                   " 'keypairs': [{'params': " \
                                                                   "{'name': 'k', "            \
                                                                   "'user_ref': " OURS (       \
                                                                       "%auth%") "}}]}"

static void
assert_needs_of (unsigned what, const struct osm_tenant_type *type, char **patterns,
                 const char *wanted)
{
  const struct osm_tenant_type *const types[] = { type, NULL };
  OSM_CLEANUP_JSON json_t *entries = parse (ENTRIES), *needs = NULL;
  OSM_CLEANUP_FILTER struct osm_filter *filter = NULL;
  OSM_ERROR (err);

  osm_filter_new (patterns, &filter, &err);
  assert_no_error (&err);
  needs = osm_tenant_needs (entries, types, filter, what);
  assert_json (needs, wanted);
}

static void
assert_needs (const struct osm_tenant_type *type, char **patterns, const char *wanted)
{
  assert_needs_of (OSM_NEEDS_DEPENDENCIES, type, patterns, wanted);
}

TEST (what_is_contained)
{
  char n1[] = "n1", n2[] = "n2", web[] = "web", *first[] = { n1, NULL }, *second[] = { n2, NULL },
       *group[] = { web, NULL };

  assert_needs_of (OSM_NEEDS_MEMBERS, &osm_type_network, first, "{'subnets': {'s1': true}}");
  assert_needs_of (OSM_NEEDS_MEMBERS, &osm_type_network, second, "{}");
  assert_needs_of (OSM_NEEDS_MEMBERS, &osm_type_router, NULL,
                   "{'router_interfaces': {'r1': true}}");
  assert_needs_of (OSM_NEEDS_MEMBERS, &osm_type_security_group, group,
                   "{'security_group_rules': {'web': true}}");
  assert_needs_of (OSM_NEEDS_MEMBERS, &osm_type_subnet, NULL, "{}");
  assert_needs_of (OSM_NEEDS_NOTHING, &osm_type_network, first, "{}");
  /* The interface's subnet, which is needed, has a network, of which no member is left. */
  assert_needs_of (OSM_NEEDS_MEMBERS | OSM_NEEDS_DEPENDENCIES, &osm_type_router, NULL,
                   "{'router_interfaces': {'r1': true}, 'subnets': {'s1': true},"
                   " 'networks': {'n1': true}, 'routers': {'r1': true}}");
}

TEST (what_is_needed_and_what_that_needs)
{
  char r1[] = "r1", nobody[] = "nobody", *one[] = { r1, NULL }, *none[] = { nobody, NULL };

  assert_needs (&osm_type_router_interface, one,
                "{'routers': {'r1': true}, 'subnets': {'s1': true}, 'networks': {'n1': true}}");
  assert_needs (&osm_type_router_interface, none, "{}");
  assert_needs (&osm_type_router, NULL, "{}");
  assert_needs (&osm_type_security_group_rule, NULL,
                "{'security_groups': {'web': true, 'db': true}}");
  assert_needs (&osm_type_keypair, NULL, "{}");
}

TEST (each_type_has_its_filter)
{
  char pattern[] = "n2", *patterns[] = { pattern, NULL };
  const struct osm_tenant_type *const types[] = { &osm_type_network, NULL };
  OSM_CLEANUP_JSON json_t *needs = parse ("{'networks': {'a*': true}, 'subnets': {'s1': true}}");
  OSM_CLEANUP_FILTER struct osm_filter *filter = NULL;
  OSM_CLEANUP_FILTERS struct osm_filters *filters = NULL;
  OSM_ERROR (err);

  osm_filter_new (patterns, &filter, &err);
  assert_no_error (&err);
  filters = osm_filters_new (types, filter, needs);
  assert_true (osm_filter_takes (osm_filters_of (filters, &osm_type_network), "n2"));
  assert_true (osm_filter_takes (osm_filters_of (filters, &osm_type_network), "a*"));
  assert_false (osm_filter_takes (osm_filters_of (filters, &osm_type_network), "ab"));
  assert_true (osm_filter_takes (osm_filters_of (filters, &osm_type_subnet), "s1"));
  assert_false (osm_filter_takes (osm_filters_of (filters, &osm_type_subnet), "n2"));
  assert_false (osm_filter_takes (osm_filters_of (filters, &osm_type_router), NULL));
}

TEST (what_is_too_many_is_taken_out)
{
  OSM_CLEANUP_JSON json_t *rows = parse ("[{'result': 'extra', 'id': '1'}, {'result': 'equal'},"
                                         " {'result': 'extra', 'id': '2'}]"),
                          *extra = osm_exact_take (rows);

  assert_json (rows, "[{'result': 'equal'}]");
  assert_json (extra, "[{'result': 'extra', 'id': '1'}, {'result': 'extra', 'id': '2'}]");
}

static void
assert_order (const char *rows, const char *wanted)
{
  OSM_CLEANUP_JSON json_t *left = parse (rows), *order = json_array ();

  while (json_array_size (left) > 0) {
    OSM_CLEANUP_JSON json_t *ready = osm_tenant_take_ready (&osm_type_image, left),
                            *names = json_array ();
    const json_t *row;
    size_t i;

    json_array_foreach (ready, i, row) json_array_append (names, json_object_get (row, "name"));
    json_array_append (order, names);
  }
  assert_json (order, wanted);
}

#define IMAGE(name, kernel) \
  "{'name': '" name "', 'entry': {'params': {'kernel_ref': {'name': '" kernel "'}}}}"

TEST (what_is_referred_to_comes_first)
{
  assert_order ("[" IMAGE ("a", "b") ", " IMAGE ("b", "c") ", {'name': 'c'}, " IMAGE ("d", "x") "]",
                "[['c', 'd'], ['b'], ['a']]");
  assert_order ("[" IMAGE ("a", "b") ", " IMAGE ("b", "a") ", {'name': 'c'}]",
                "[['c'], ['a', 'b']]");
  assert_order ("[" IMAGE ("a", "a") "]", "[['a']]");
  assert_order ("[]", "[]");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (what_is_contained),
    cmocka_unit_test (what_is_needed_and_what_that_needs),
    cmocka_unit_test (each_type_has_its_filter),
    cmocka_unit_test (what_is_referred_to_comes_first),
    cmocka_unit_test (what_is_too_many_is_taken_out),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
