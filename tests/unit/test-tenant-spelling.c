/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test-tenant.h"

#include "controller/tenant/spelling.h"

#define RULE(rest) "{'params': {'direction': 'ingress'" rest "}}"

static void
assert_same (const char *a, const char *b, bool wanted)
{
  OSM_CLEANUP_JSON json_t *x = parse (a), *y = parse (b);
  OSM_CLEANUP_FREE char *one = osm_tenant_spelling (&osm_type_security_group_rule, x),
                        *two = osm_tenant_spelling (&osm_type_security_group_rule, y);

  if (osm_str_equal (one, two) != wanted)
    fail_msg ("%s %s %s", one, wanted ? "is not" : "is", two);
}

TEST (what_neutron_takes_for_the_same_rule)
{
  static const char tcp[] = RULE (", 'protocol': 'tcp'");

  assert_same (tcp, RULE (", 'protocol': 'TCP'"), true);
  assert_same (tcp, RULE (", 'protocol': '6'"), true);
  assert_same (tcp, RULE (", 'protocol': 6"), true);
  assert_same (tcp, RULE (", 'protocol': 'tcp', 'port_range_min': 1, 'port_range_max': 65535"),
               true);
  assert_same (tcp, RULE (", 'protocol': 'tcp', 'remote_ip_prefix': '0.0.0.0/0'"), true);
  assert_same (tcp, RULE (", 'protocol': 'tcp', 'description': 'x'"), true);
  assert_same (RULE (", 'ether_type': 'IPv4'"), RULE (", 'ether_type': 'ipv4'"), true);
  assert_same (RULE (", 'remote_ip_prefix': '10.0.0.9/24'"),
               RULE (", 'remote_ip_prefix': '10.0.0.0/24'"), true);
  assert_same (RULE (", 'remote_ip_prefix': '2001:DB8::1'"),
               RULE (", 'remote_ip_prefix': '2001:db8:0::1/128'"), true);
  assert_same (RULE (", 'ether_type': 'IPv6', 'protocol': 'icmp'"),
               RULE (", 'ether_type': 'IPv6', 'protocol': 'icmpv6'"), true);
}

TEST (what_is_another_rule)
{
  static const char tcp[] = RULE (", 'protocol': 'tcp'");

  assert_same (tcp, RULE (", 'protocol': 'udp'"), false);
  assert_same (tcp, RULE (""), false);
  assert_same (tcp, RULE (", 'protocol': '256'"), false);
  assert_same (tcp, RULE (", 'protocol': 'tcp', 'port_range_min': 1, 'port_range_max': 65534"),
               false);
  assert_same (tcp, RULE (", 'protocol': 'tcp', 'remote_ip_prefix': '0.0.0.0/1'"), false);
  assert_same (RULE (", 'ether_type': 'IPv4', 'protocol': 'icmp'"),
               RULE (", 'ether_type': 'IPv4', 'protocol': 'icmpv6'"), false);
  assert_same (
      RULE (", 'security_group_ref': {'name': 'a', 'project_name': null, 'domain_name': null}"),
      RULE (", 'security_group_ref': {'name': 'b', 'project_name': null, 'domain_name': null}"),
      false);
}

/* Two spellings in the file, a third in the cloud; and one that is twice in the file only. */
TEST (the_same_are_neither_missing_nor_extra)
{
  OSM_CLEANUP_JSON json_t *rows = parse ("[{'result': 'missing', 'entry': " RULE (
      ", 'protocol': 'TCP'") "},"
                             " {'result': 'missing', 'entry': " RULE (
                                 ", 'protocol': '6'") "},"
                                                      " {'result': 'missing', 'entry': " RULE (
                                                          ", 'protocol': 'udp'") "},"
                                                                                 " {'result': "
                                                                                 "'missing', "
                                                                                 "'entry': " RULE (
                                                                                     ", "
                                                                                     "'protocol': "
                                                                                     "'UDP'") "},"
                                                                                              " {'"
                                                                                              "resu"
                                                                                              "lt':"
                                                                                              " '"
                                                                                              "equa"
                                                                                              "l', "
                                                                                              "'ent"
                                                                                              "ry':"
                                                                                              " " RULE ("") ", 'is': " RULE (
                                                                                                  "") "}]");
  OSM_CLEANUP_JSON json_t *extra = parse ("[{'result': 'extra', 'is': " RULE (
      ", 'protocol': 'tcp'") "},"
                             " {'result': 'extra', 'is': " RULE (", 'protocol': 'gre'") "}]");
  OSM_STRBUF (b);
  json_t *row;
  size_t i;

  osm_spelling_settle (&osm_type_security_group_rule, rows, extra);
  json_array_foreach (rows, i, row) osm_strbuf_addf (&b, "%s ", osm_json_str (row, "result"));
  assert_string_equal (osm_strbuf_str (&b), "equal equal missing equal equal ");
  assert_json (extra, "[{'result': 'extra', 'is': " RULE (", 'protocol': 'gre'") "}]");
}

TEST (other_types_have_one_spelling)
{
  OSM_CLEANUP_JSON json_t *rows =
                              parse ("[{'result': 'missing', 'entry': {'params': {'name': 'a'}}}]"),
                          *extra = parse ("[{'result': 'extra', 'is': {'params': {'name': 'a'}}}]");

  osm_spelling_settle (&osm_type_network, rows, extra);
  assert_json (json_object_get (json_array_get (rows, 0), "result"), "'missing'");
  assert_int_equal (json_array_size (extra), 1);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (what_neutron_takes_for_the_same_rule),
    cmocka_unit_test (what_is_another_rule),
    cmocka_unit_test (the_same_are_neither_missing_nor_extra),
    cmocka_unit_test (other_types_have_one_spelling),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
