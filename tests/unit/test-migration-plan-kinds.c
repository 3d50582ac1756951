/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What follows from answers of the APIs about servers and ports of every kind. */

#include <config.h>

#include "tests/unit/test-json.h"

#include <stdlib.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/migration/plan-internal.h"

static json_t *
new_plan (void)
{
  return parse ("{\"findings\": []}");
}

/* The only finding, with that severity and words in its text and remedy. */
static void
has_finding (const json_t *plan, const char *id, const char *severity, const char *text,
             const char *remedy)
{
  const json_t *findings = json_object_get (plan, "findings"),
               *finding = json_array_get (findings, 0);

  assert_int_equal (json_array_size (findings), 1);
  assert_string_equal (osm_json_str (finding, "id"), id);
  assert_string_equal (osm_json_str (finding, "severity"), severity);
  if (!strstr (osm_json_str (finding, "text"), text))
    fail_msg ("'%s' is not in '%s'", text, osm_json_str (finding, "text"));
  if (remedy && !strstr (osm_json_str (finding, "remedy"), remedy))
    fail_msg ("'%s' is not in '%s'", remedy, osm_json_str (finding, "remedy"));
}

static void
has_none (const json_t *plan)
{
  assert_int_equal (json_array_size (json_object_get (plan, "findings")), 0);
}

/* ---- states ---- */

static void
in_state (const char *status, const char *words, const char *remedy)
{
  OSM_CLEANUP_JSON json_t *plan = new_plan (),
                          *server =
                              osm_json_pack ("{s:s, s:s, s:s, s:{s:s}}", "id", "S-1", "name", "web",
                                             "status", status, "fault", "message", "No valid host");

  osm_plan_check_state (plan, server);
  has_finding (plan, "source-server-state", "blocker", words, remedy);
}

static void
every_state_has_its_way_out (void **state)
{
  (void)state;
  in_state ("PAUSED", "in memory", "openstack server unpause S-1");
  in_state ("SUSPENDED", "in memory", "openstack server resume S-1");
  in_state ("SHELVED", "SHELVED", "openstack server unshelve S-1");
  in_state ("SHELVED_OFFLOADED", "SHELVED_OFFLOADED", "openstack server unshelve S-1");
  in_state ("RESCUE", "another disk", "openstack server unrescue S-1");
  in_state ("VERIFY_RESIZE", "flavor",
            "openstack server resize confirm S-1, or openstack server resize revert S-1");
  in_state ("SOFT_DELETED", "deleted", "openstack server restore S-1");
  in_state ("ERROR", "No valid host", "openstack server reboot --hard S-1");
  in_state ("MIGRATING", "MIGRATING", "wait");
}

static void
servers_that_can_be_moved (void **state)
{
  static const char *const good[] = { "ACTIVE", "SHUTOFF" };

  (void)state;
  for (size_t i = 0; i < 2; i++) {
    OSM_CLEANUP_JSON json_t *plan = new_plan (),
                            *server = osm_json_pack ("{s:s, s:s, s:s}", "id", "S", "name", "web",
                                                     "status", good[i]);

    osm_plan_check_state (plan, server);
    has_none (plan);
  }
}

/* ---- local disks ---- */

static json_t *
local_disks (const char *old, const char *flavor, const char *policy)
{
  OSM_CLEANUP_JSON json_t *server = parse ("{\"name\": \"web\"}"), *was = parse (old),
                          *is = flavor ? parse (flavor) : NULL;
  json_t *plan = new_plan ();

  osm_plan_check_local_disks (plan, server, was, is, policy);
  return plan;
}

static void
local_disks_are_not_dropped_silently (void **state)
{
  static const char both[] = "{\"ephemeral\": 10, \"swap\": 512}",
                    none[] = "{\"ephemeral\": 0, \"swap\": \"\"}",
                    old[] = "{\"OS-FLV-EXT-DATA:ephemeral\": 10, \"swap\": \"\"}";
  OSM_CLEANUP_JSON json_t *two = local_disks (both, both, "refuse"),
                          *nothing = local_disks (none, both, "refuse"),
                          *refused = local_disks (old, both, "refuse"),
                          *again = local_disks (old, both, "drop"),
                          *lost = local_disks (old, none, "drop"),
                          *unknown = local_disks (old, NULL, "drop");

  (void)state;
  assert_int_equal (osm_plan_count_findings (two, "blocker"), 2);
  has_none (nothing);
  has_finding (refused, "source-local-disk", "blocker", "ephemeral disk of 10 GiB",
               "--local-disks drop");
  has_finding (again, "source-local-disk", "warning", "has an empty one", NULL);
  has_finding (lost, "source-local-disk", "warning", "has none", NULL);
  has_finding (unknown, "source-local-disk", "warning", "has none", NULL);
}

/* ---- identity ---- */

static void
default_hostname_is (const char *name, const char *wanted)
{
  OSM_CLEANUP_FREE char *given = osm_plan_default_hostname (name);

  assert_string_equal (given, wanted);
}

static void
hostnames_as_nova_makes_them (void **state)
{
  (void)state;
  default_hostname_is ("web", "web");
  default_hostname_is ("Web_1.example", "web-1-example");
  default_hostname_is ("-a b!-", "a-b");
  default_hostname_is ("...", "");
  default_hostname_is ("", "");
  assert_true (osm_plan_is_hostname ("web-1"));
  assert_false (osm_plan_is_hostname ("w"));
  assert_false (osm_plan_is_hostname ("-web"));
  assert_false (osm_plan_is_hostname ("web.example"));
  assert_false (osm_plan_is_hostname (""));
}

static json_t *
identity (const char *hostname, bool able, json_t *planned)
{
  OSM_CLEANUP_JSON json_t *server =
      osm_json_pack ("{s:s, s:s, s:[s, s]}", "name", "web", "OS-EXT-SRV-ATTR:hostname", hostname,
                     "tags", "blue", "green");
  const struct osm_plan_abilities destination = { .cloud = "dst", .tags = able, .hostname = able };
  json_t *plan = new_plan ();

  osm_plan_identity (plan, server, &destination, planned);
  return plan;
}

static void
tags_and_hostname_are_carried (void **state)
{
  OSM_CLEANUP_JSON json_t *planned = json_object (), *plan = identity ("other", true, planned),
                          *wanted = parse ("{\"tags\": [\"blue\", \"green\"], "
                                           "\"hostname\": \"other\"}");

  (void)state;
  assert_true (json_equal (planned, wanted));
  has_none (plan);
}

static void
an_old_destination_loses_tags_and_hostname_with_findings (void **state)
{
  OSM_CLEANUP_JSON json_t *planned = json_object (), *plan = identity ("other", false, planned),
                          *same = identity ("web", false, planned);

  (void)state;
  assert_int_equal (json_object_size (planned), 0);
  assert_int_equal (osm_plan_count_findings (plan, "warning"), 2);
  has_finding (same, "destination-no-server-tags", "warning", "2 of server 'web'", NULL);
}

/* ---- key pair, server group ---- */

static void
key_pairs (void **state)
{
  OSM_CLEANUP_JSON json_t *old = parse ("{\"name\": \"k\", \"public_key\": \"ssh-rsa A\", "
                                        "\"fingerprint\": \"aa:bb\", \"type\": \"ssh\"}"),
                          *other = parse ("{\"name\": \"k\", \"fingerprint\": \"cc:dd\"}"),
                          *imported = new_plan (), *same = new_plan (), *differs = new_plan (),
                          *hidden = new_plan (), *planned = json_object (),
                          *planned_same = json_object ();

  (void)state;
  osm_plan_choose_key_pair (imported, "k", old, NULL, "dst", planned);
  has_finding (imported, "key-pair-imported", "info", "'dst'", NULL);
  assert_true (json_equal (json_object_get (planned, "key_pair"), old));
  assert_string_equal (osm_json_str (planned, "key_name"), "k");
  osm_plan_choose_key_pair (same, "k", old, old, "dst", planned_same);
  has_none (same);
  assert_null (json_object_get (planned_same, "key_pair"));
  osm_plan_choose_key_pair (differs, "k", old, other, "dst", planned_same);
  has_finding (differs, "destination-key-pair-differs", "warning", "cc:dd, not aa:bb", NULL);
  osm_plan_choose_key_pair (hidden, "k", NULL, other, "dst", planned_same);
  has_none (hidden);
}

static void
server_groups (void **state)
{
  OSM_CLEANUP_JSON json_t *groups = parse ("[{\"id\": \"g1\", \"members\": [\"x\"]}, {\"id\": "
                                           "\"g2\", \"name\": \"apart\", \"policies\": "
                                           "[\"anti-affinity\"], \"members\": [\"y\", \"S\"]}]"),
                          *there = parse ("{\"id\": \"h\", \"name\": \"apart\", \"policy\": "
                                          "\"affinity\"}"),
                          *made = new_plan (), *differs = new_plan (), *planned = json_object ();
  const json_t *group = osm_plan_group_of (groups, "S");

  (void)state;
  assert_null (osm_plan_group_of (groups, "T"));
  assert_string_equal (osm_json_str (group, "id"), "g2");
  osm_plan_choose_group (made, group, NULL, "dst", planned);
  has_finding (made, "server-group-made", "info", "anti-affinity", NULL);
  assert_null (osm_json_str (json_object_get (planned, "server_group"), "id"));
  osm_plan_choose_group (differs, group, there, "dst", planned);
  has_finding (differs, "destination-server-group-differs", "warning", "'affinity'", NULL);
  assert_string_equal (osm_json_str (json_object_get (planned, "server_group"), "id"), "h");
}

/* ---- volumes of several servers ---- */

static void
shared_volumes_need_their_owners_off (void **state)
{
  OSM_CLEANUP_JSON json_t *off = parse ("[{\"id\": \"S\", \"status\": \"ACTIVE\"}, {\"id\": \"A\", "
                                        "\"name\": \"db\", \"status\": \"SHUTOFF\"}]"),
                          *runs = parse ("[{\"id\": \"S\", \"status\": \"SHUTOFF\"}, {\"id\": "
                                         "\"A\", \"name\": \"db\", \"status\": \"ACTIVE\"}, "
                                         "{\"id\": \"B\"}]"),
                          *first = new_plan (), *second = new_plan (), *third = new_plan ();

  (void)state;
  assert_true (osm_plan_share_volume (first, "v", true, off, "S"));
  has_finding (first, "source-volume-shared", "warning", "'db' (SHUTOFF)", NULL);
  assert_false (osm_plan_share_volume (second, "v", true, runs, "S"));
  has_finding (second, "source-volume-shared", "blocker", "'db' (ACTIVE), 'B' (cannot be seen)",
               "openstack server stop");
  assert_false (osm_plan_share_volume (third, "v", false, off, "S"));
  has_finding (third, "source-volume-shared", "blocker", "'db'", "detach");
}

/* ---- ports ---- */

/* The order of ports p1, p2, p3 with MAC addresses 1, 2, 3 for those addresses: "p2p1p3", and '?' if it is not certain. */
static char *
order (const char *addresses)
{
  OSM_CLEANUP_JSON json_t *interfaces = parse ("[{\"port_id\": \"p1\", \"mac_addr\": \"m1\"}, "
                                               "{\"port_id\": \"p2\", \"mac_addr\": \"M2\"}, "
                                               "{\"port_id\": \"p3\", \"mac_addr\": \"m3\"}]"),
                          *server = parse (addresses), *ordered = NULL;
  bool certain;
  size_t i;
  const json_t *one;
  OSM_STRBUF (b);

  ordered = osm_plan_order_ports (interfaces, server, &certain);
  json_array_foreach (ordered, i, one) osm_strbuf_add (&b, osm_json_str (one, "port_id"));
  if (!certain)
    osm_strbuf_add (&b, "?");
  return osm_strbuf_take (&b);
}

#define MAC(n) "{\"OS-EXT-IPS-MAC:mac_addr\": \"m" n "\"}"

static void
ports_are_in_the_order_of_the_server (void **state)
{
  static const struct {
    const char *addresses, *wanted;
  } cases[] = {
    { "{\"addresses\": {\"z\": [" MAC ("3") "], \"a\": [" MAC ("2") "," MAC (
          "2") "], \"b\": [" MAC ("1") "]}}",
      "p3p2p1" },
    { "{\"addresses\": {\"z\": [" MAC ("3") "," MAC ("1") "," MAC ("3") "," MAC ("2") "]}}",
      "p3p1p2" },
    /* the third may have its place between the first two */
    { "{\"addresses\": {\"z\": [" MAC ("3") "," MAC ("1") "], \"a\": [" MAC ("2") "]}}",
      "p3p1p2?" },
    { "{\"addresses\": {\"z\": [" MAC ("3") "], \"a\": [" MAC ("2") "]}}", "p3p2p1?" },
    { "{}", "p1p2p3?" },
  };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    OSM_CLEANUP_FREE char *is = order (cases[i].addresses);

    assert_string_equal (is, cases[i].wanted);
  }
}

static void
addresses_that_a_subnet_gives_by_itself (void **state)
{
  OSM_CLEANUP_JSON json_t *slaac = parse ("{\"ipv6_address_mode\": \"slaac\"}"),
                          *stateless = parse ("{\"ipv6_ra_mode\": \"dhcpv6-stateless\"}"),
                          *stateful = parse ("{\"ipv6_ra_mode\": \"dhcpv6-stateful\"}");

  (void)state;
  assert_true (osm_plan_is_automatic (slaac));
  assert_true (osm_plan_is_automatic (stateless));
  assert_false (osm_plan_is_automatic (stateful));
  assert_false (osm_plan_is_automatic (NULL));
  assert_true (
      osm_plan_is_eui64 ("2001:db8::/64", "fa:16:3E:12:34:56", "2001:db8::f816:3eff:fe12:3456"));
  assert_false (
      osm_plan_is_eui64 ("2001:db8::/64", "fa:16:3e:12:34:57", "2001:db8::f816:3eff:fe12:3456"));
  assert_false (osm_plan_is_eui64 ("10.0.0.0/8", "fa:16:3e:12:34:56", "10.0.0.1"));
  assert_false (osm_plan_is_eui64 ("2001:db8::/64", "nonsense", "2001:db8::1"));
  assert_false (osm_plan_is_eui64 ("2001:db8::/64", NULL, "2001:db8::1"));
}

static const char port_text[] =
    "{\"id\": \"P\", \"name\": \"front\", \"mac_address\": \"m\", \"admin_state_up\": false, "
    "\"port_security_enabled\": false, \"allowed_address_pairs\": [{\"ip_address\": "
    "\"10.0.0.9\"}], \"extra_dhcp_opts\": [{\"opt_name\": \"mtu\"}], \"tags\": [\"osm.role=x\", "
    "\"mine\"], \"description\": \"d\", \"binding:vnic_type\": \"direct\", \"dns_name\": "
    "\"web\", \"status\": \"ACTIVE\"}";

static void
port_fields_are_carried (void **state)
{
  OSM_CLEANUP_JSON json_t *plan = new_plan (), *port = parse (port_text),
                          *planned = parse ("{\"create\": {}}"), *wanted = NULL;

  (void)state;
  osm_plan_port_fields (plan, port, NULL, "web", planned);
  has_none (plan);
  wanted = parse ("{\"create\": {\"name\": \"front\", \"mac_address\": \"m\", \"admin_state_up\": "
                  "false, \"port_security_enabled\": false, \"allowed_address_pairs\": "
                  "[{\"ip_address\": \"10.0.0.9\"}], \"extra_dhcp_opts\": [{\"opt_name\": "
                  "\"mtu\"}], \"binding:vnic_type\": \"direct\"}, \"tags\": [\"mine\"], "
                  "\"description\": \"d\"}");
  assert_true (json_equal (planned, wanted));
}

static void
what_the_destination_has_no_extension_for_is_told (void **state)
{
  OSM_CLEANUP_JSON json_t *plan = new_plan (), *port = parse (port_text), *plain = new_plan (),
                          *planned = parse ("{\"create\": {}}"),
                          *extensions = parse ("{\"allowed-address-pairs\": true, "
                                               "\"extra_dhcp_opt\": true}");

  (void)state;
  osm_plan_port_fields (plan, port, extensions, "web", planned);
  has_finding (plan, "destination-port-extension", "warning", "port_security_enabled", NULL);
  assert_null (json_object_get (json_object_get (planned, "create"), "port_security_enabled"));
  json_object_set_new (port, "port_security_enabled", json_true ());
  osm_plan_port_fields (plain, port, extensions, "web", planned);
  has_none (plain);
}

static void
a_dns_name_that_is_not_the_hostname_is_told (void **state)
{
  OSM_CLEANUP_JSON json_t *plan = new_plan (), *port = parse (port_text),
                          *planned = parse ("{\"create\": {}}");

  (void)state;
  osm_plan_port_fields (plan, port, NULL, "other", planned);
  has_finding (plan, "source-port-dns-name", "warning", "'web'", "openstack port set --dns-name");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (every_state_has_its_way_out),
    cmocka_unit_test (servers_that_can_be_moved),
    cmocka_unit_test (local_disks_are_not_dropped_silently),
    cmocka_unit_test (hostnames_as_nova_makes_them),
    cmocka_unit_test (tags_and_hostname_are_carried),
    cmocka_unit_test (an_old_destination_loses_tags_and_hostname_with_findings),
    cmocka_unit_test (key_pairs),
    cmocka_unit_test (server_groups),
    cmocka_unit_test (shared_volumes_need_their_owners_off),
    cmocka_unit_test (ports_are_in_the_order_of_the_server),
    cmocka_unit_test (addresses_that_a_subnet_gives_by_itself),
    cmocka_unit_test (port_fields_are_carried),
    cmocka_unit_test (what_the_destination_has_no_extension_for_is_told),
    cmocka_unit_test (a_dns_name_that_is_not_the_hostname_is_told),
  };

  return cmocka_run_group_tests_name ("controller/migration/plan-kinds", tests, NULL, NULL);
}
