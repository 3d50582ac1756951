/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/hosts/internal.h"

static json_t *
rules (const char *text)
{
  json_t *ret = json_loads (text, 0, NULL);

  assert_true (json_is_array (ret));
  return ret;
}

/* One ingress rule for TCP 22 from `prefix`. */
static json_t *
ssh_rule (const char *id, const char *prefix)
{
  return osm_json_pack ("{s:s, s:s, s:s, s:s, s:i, s:i, s:s, s:n}", "id", id, "direction",
                        "ingress", "ethertype", strchr (prefix, ':') ? "IPv6" : "IPv4", "protocol",
                        "tcp", "port_range_min", 22, "port_range_max", 22, "remote_ip_prefix",
                        prefix, "remote_group_id");
}

static void
compare (const json_t *list, const char *wanted_text, const char *missing, const char *extra)
{
  OSM_CLEANUP_STRV char **wanted =
      wanted_text && *wanted_text ? osm_strv_split (wanted_text, ' ') : NULL;
  OSM_CLEANUP_STRV char **m = NULL, **e = NULL;
  OSM_CLEANUP_FREE char *m_text = NULL, *e_text = NULL;

  osm_host_rules_compare (list, wanted, &m, &e);
  m_text = m ? osm_strv_join (m, " ") : osm_strdup ("");
  e_text = e ? osm_strv_join (e, " ") : osm_strdup ("");
  assert_string_equal (m_text, missing);
  assert_string_equal (e_text, extra);
}

TEST (a_new_group_lacks_all_that_is_wanted)
{
  OSM_CLEANUP_JSON json_t *list =
      rules ("[{\"id\": \"e4\", \"direction\": \"egress\", \"ethertype\": \"IPv4\"},"
             " {\"id\": \"e6\", \"direction\": \"egress\", \"ethertype\": \"IPv6\"}]");

  compare (list, "192.0.2.1 198.51.100.7", "192.0.2.1/32 198.51.100.7/32", "");
}

TEST (what_is_right_is_left_alone)
{
  OSM_CLEANUP_JSON json_t *list =
      osm_json_pack ("[o, o]", ssh_rule ("a", "192.0.2.1/32"), ssh_rule ("b", "2001:db8::1/128"));

  compare (list, "192.0.2.1 2001:db8:0::1", "", "");
}

TEST (the_rule_for_an_address_that_changed_is_replaced)
{
  OSM_CLEANUP_JSON json_t *list = osm_json_pack ("[o]", ssh_rule ("old", "192.0.2.1/32"));

  compare (list, "192.0.2.2", "192.0.2.2/32", "old");
}

TEST (the_same_address_twice_is_one_rule)
{
  OSM_CLEANUP_JSON json_t *list = json_array ();

  compare (list, "192.0.2.1 192.0.2.1/32", "192.0.2.1/32", "");
}

TEST (a_prefix_with_bits_of_a_host_is_that_of_its_network)
{
  OSM_CLEANUP_JSON json_t *list = osm_json_pack ("[o]", ssh_rule ("a", "10.0.0.0/8"));

  compare (list, "10.1.2.3/8", "", "");
}

TEST (a_rule_for_everybody_is_removed)
{
  OSM_CLEANUP_JSON json_t *list =
      rules ("[{\"id\": \"world\", \"direction\": \"ingress\", \"ethertype\": \"IPv4\","
             "  \"protocol\": \"tcp\", \"port_range_min\": 22, \"port_range_max\": 22,"
             "  \"remote_ip_prefix\": null, \"remote_group_id\": null}]");

  compare (list, "192.0.2.1", "192.0.2.1/32", "world");
}

TEST (a_rule_without_a_prefix_is_everybody)
{
  OSM_CLEANUP_JSON json_t *list =
      rules ("[{\"id\": \"world\", \"direction\": \"ingress\", \"ethertype\": \"IPv4\","
             "  \"protocol\": \"tcp\", \"port_range_min\": 22, \"port_range_max\": 22,"
             "  \"remote_ip_prefix\": null, \"remote_group_id\": null}]");

  compare (list, "0.0.0.0/0", "", "");
}

TEST (a_rule_for_a_group_is_not_one_for_everybody)
{
  OSM_CLEANUP_JSON json_t *list =
      rules ("[{\"id\": \"group\", \"direction\": \"ingress\", \"ethertype\": \"IPv4\","
             "  \"protocol\": \"tcp\", \"port_range_min\": 22, \"port_range_max\": 22,"
             "  \"remote_ip_prefix\": null, \"remote_group_id\": \"g\"}]");

  compare (list, "0.0.0.0/0", "0.0.0.0/0", "group");
}

TEST (other_ports_and_protocols_are_removed)
{
  OSM_CLEANUP_JSON json_t *list =
      rules ("[{\"id\": \"range\", \"direction\": \"ingress\", \"ethertype\": \"IPv4\","
             "  \"protocol\": \"tcp\", \"port_range_min\": 22, \"port_range_max\": 23,"
             "  \"remote_ip_prefix\": \"192.0.2.1/32\"},"
             " {\"id\": \"udp\", \"direction\": \"ingress\", \"ethertype\": \"IPv4\","
             "  \"protocol\": \"udp\", \"port_range_min\": 22, \"port_range_max\": 22,"
             "  \"remote_ip_prefix\": \"192.0.2.1/32\"},"
             " {\"id\": \"all\", \"direction\": \"ingress\", \"ethertype\": \"IPv4\","
             "  \"protocol\": null, \"port_range_min\": null, \"port_range_max\": null,"
             "  \"remote_ip_prefix\": \"192.0.2.1/32\"}]");

  compare (list, "192.0.2.1", "192.0.2.1/32", "range udp all");
}

TEST (nothing_wanted_removes_all_that_comes_in)
{
  OSM_CLEANUP_JSON json_t *list = osm_json_pack ("[o]", ssh_rule ("a", "192.0.2.1/32"));

  compare (list, "", "", "a");
  compare (list, NULL, "", "a");
}

TEST (what_is_no_rule_is_survived)
{
  OSM_CLEANUP_JSON json_t *list = rules ("[null, 5, {}, {\"direction\": 7, \"id\": []}]");

  compare (list, "192.0.2.1", "192.0.2.1/32", "");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_new_group_lacks_all_that_is_wanted),
    cmocka_unit_test (what_is_right_is_left_alone),
    cmocka_unit_test (the_rule_for_an_address_that_changed_is_replaced),
    cmocka_unit_test (the_same_address_twice_is_one_rule),
    cmocka_unit_test (a_prefix_with_bits_of_a_host_is_that_of_its_network),
    cmocka_unit_test (a_rule_for_everybody_is_removed),
    cmocka_unit_test (a_rule_without_a_prefix_is_everybody),
    cmocka_unit_test (a_rule_for_a_group_is_not_one_for_everybody),
    cmocka_unit_test (other_ports_and_protocols_are_removed),
    cmocka_unit_test (nothing_wanted_removes_all_that_comes_in),
    cmocka_unit_test (what_is_no_rule_is_survived),
  };

  return cmocka_run_group_tests_name ("controller/hosts/rules", tests, NULL, NULL);
}
