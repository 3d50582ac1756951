/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test-json.h"

#include "controller/tenant/uses.h"

/* "BY|BY ...": the texts of what uses that object. */
static void
assert_users (const char *found, const char *type, const char *id, const char *wanted)
{
  OSM_CLEANUP_JSON json_t *f = parse (found), *uses = osm_tenant_uses (f);
  OSM_STRBUF (b);
  const json_t *by;
  size_t i;

  json_array_foreach (json_object_get (json_object_get (uses, type), id), i, by)
      osm_strbuf_addf (&b, "%s%s", i > 0 ? "|" : "", osm_json_str (by, "text"));
  assert_string_equal (osm_strbuf_str (&b), wanted);
}

#define PORT(id, owner, device)                                                             \
  "{'id': '" id "', 'network_id': 'n1', 'device_owner': '" owner "', 'device_id': '" device \
  "', 'fixed_ips': [{'subnet_id': 's1', 'ip_address': '10.0.0.9'}], 'security_groups': ['g1']}"
#define INTERFACE PORT ("i1", "network:router_interface", "r1")

TEST (a_server_uses_all_that_is_below_its_port)
{
  static const char found[] = "{'servers': [{'id': 'v1', 'name': 'web1'}],"
                              " 'ports': [" PORT ("p1", "compute:nova", "v1") ", " INTERFACE "]}";

  assert_users (found, "subnets", "s1", "the server web1|the router interface i1");
  assert_users (found, "security_groups", "g1", "the server web1|the router interface i1");
  /* It would not be asked. */
  assert_users (found, "router_interfaces", "i1", "the server web1");
  assert_users (found, "routers", "r1", "the router interface i1");
}

TEST (what_neutron_has_made_for_itself_uses_nothing)
{
  static const char found[] = "{'ports': [" PORT ("p1", "network:dhcp", "dhcp1") ", " PORT (
      "p2", "network:distributed", "ovn") "]}";

  assert_users (found, "networks", "n1", "");
  assert_users (found, "subnets", "s1", "");
}

TEST (subnets_go_with_their_network)
{
  assert_users ("{'subnets': [{'id': 's1', 'name': 'sub', 'network_id': 'n1'}]}", "networks", "n1",
                "the subnet sub");
}

TEST (an_interface_is_needed_by_routes_that_lead_through_it)
{
  static const char found[] =
      "{'ports': [" INTERFACE
      "], 'subnets': [{'id': 's1', 'cidr': '10.0.0.0/24', 'network_id': 'n1'}],"
      " 'routers': [{'id': 'r1', 'name': 'r', 'routes': [{'nexthop': '10.0.0.7'}, {'nexthop': "
      "'10.0.1.7'}]}, {'id': 'r2', 'name': 'other', 'routes': [{'nexthop': '10.0.0.7'}]}]}";

  assert_users (found, "router_interfaces", "i1", "the route by 10.0.0.7 of the router r");
}

TEST (an_interface_is_needed_by_whoever_is_on_its_network)
{
  /* Also on another subnet of it, and another router. */
  static const char found[] =
      "{'ports': [" INTERFACE ", {'id': 'p1', 'network_id': 'n1', 'device_owner': ''}, {'id': "
      "'p2', 'network_id': 'n2'}, " PORT ("i2", "network:router_interface", "r2") "]}";

  assert_users (found, "router_interfaces", "i1", "the port p1|the router interface i2");
  assert_users (found, "router_interfaces", "i2", "the router interface i1|the port p1");
}

TEST (an_interface_that_is_the_next_hop_of_another_router)
{
  static const char found[] =
      "{'ports': [" INTERFACE "], 'routers': [{'id': 'r2', 'name': 'other', 'routes': [{'nexthop': "
      "'10.0.0.9'}, {'nexthop': '10.0.0.8'}, {}]}]}";

  assert_users (found, "router_interfaces", "i1", "the route by 10.0.0.9 of the router other");
}

TEST (groups_that_others_let_in)
{
  static const char found[] =
      "{'security_group_rules': [{'security_group_id': 'a', 'remote_group_id': 'b'},"
      " {'security_group_id': 'b', 'remote_group_id': 'b'}, {'security_group_id': 'a'}]}";

  assert_users (found, "security_groups", "b", "a rule of the security group a");
  assert_users (found, "security_groups", "a", "");
}

TEST (members_floating_ips_and_shares)
{
  static const char found[] =
      "{'floating_ips': [{'floating_ip_address': '192.0.2.1', 'router_id': 'r1', 'port_id': "
      "'p3'}], 'server_groups': [{'id': 'sg1', 'members': ['v1']}],"
      " 'rbac_policies': [{'object_type': 'network', 'object_id': 'n2'}, {'object_type': 'x'}, "
      "7]}";

  assert_users (found, "routers", "r1", "the floating IP 192.0.2.1");
  assert_users (found, "server_groups", "sg1", "the server v1");
  assert_users (found, "networks", "n2", "an RBAC policy, which shares it with others");
}

TEST (a_share_of_a_network_is_one_of_all_that_is_on_it)
{
  static const char found[] =
      "{'ports': [" INTERFACE "], 'subnets': [{'id': 's1', 'network_id': 'n1'}, {'id': 's2', "
      "'network_id': 'n2'}], 'rbac_policies': [{'object_type': 'network', 'object_id': 'n1'}]}";

  assert_users (found, "subnets", "s1",
                "the router interface i1|an RBAC policy, which shares it with others");
  assert_users (found, "router_interfaces", "i1", "an RBAC policy, which shares it with others");
  assert_users (found, "subnets", "s2", "");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_server_uses_all_that_is_below_its_port),
    cmocka_unit_test (what_neutron_has_made_for_itself_uses_nothing),
    cmocka_unit_test (subnets_go_with_their_network),
    cmocka_unit_test (an_interface_is_needed_by_routes_that_lead_through_it),
    cmocka_unit_test (an_interface_is_needed_by_whoever_is_on_its_network),
    cmocka_unit_test (an_interface_that_is_the_next_hop_of_another_router),
    cmocka_unit_test (groups_that_others_let_in),
    cmocka_unit_test (a_share_of_a_network_is_one_of_all_that_is_on_it),
    cmocka_unit_test (members_floating_ips_and_shares),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
