/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Types that OS Migrate does not know: from the API to the file, and from the file to the API of another cloud. */

#include <config.h>

#include "tests/unit/test-tenant.h"

#include <string.h>

#include "controller/tenant/convert.h"

static json_t *
to_file (const struct osm_tenant_type *type, struct osm_inventory *inv, const char *object,
         const char *wanted)
{
  OSM_CLEANUP_JSON json_t *o = parse (object);
  json_t *entry = NULL;
  OSM_ERROR (err);

  osm_tenant_to_file (type, inv, o, &entry, &err);
  assert_no_error (&err);
  assert_json (json_object_get (entry, "params"), wanted);
  return entry;
}

static void
to_api (const struct osm_tenant_type *type, struct osm_inventory *inv, const json_t *entry,
        const char *wanted)
{
  OSM_CLEANUP_JSON json_t *body = NULL;
  OSM_ERROR (err);

  osm_tenant_to_api (type, inv, entry, NULL, &body, &err);
  assert_no_error (&err);
  assert_json (body, wanted);
}

#define OURS(name) "{'name': '" name "', 'project_name': '%auth%', 'domain_name': '%auth%'}"

TEST (server_groups_of_old_have_a_list_of_policies)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *inv = osm_inventory_new ("p1", "u1");
  OSM_CLEANUP_JSON json_t *entry =
      to_file (&osm_type_server_group, inv, "{'id': '1', 'name': 'g', 'policies': ['affinity']}",
               "{'name': 'g', 'policy': 'affinity', 'rules': null}");

  to_api (&osm_type_server_group, inv, entry, "{'name': 'g', 'policy': 'affinity'}");
}

/* The parent has a name, the other one goes by its MAC address. */
TEST (trunks_find_their_ports_elsewhere)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *src = osm_inventory_new ("p1", "u1"),
                                             *dst = osm_inventory_new ("p2", "u2");
  OSM_CLEANUP_JSON json_t *entry = NULL;

  add (src, &osm_type_port,
       "[{'id': 'a', 'name': 'parent', 'project_id': 'p1', 'mac_address': 'm1'},"
       " {'id': 'b', 'name': '', 'project_id': 'p1', 'mac_address': 'm2'}]",
       true);
  add (dst, &osm_type_port,
       "[{'id': 'x', 'name': 'parent', 'project_id': 'p2', 'mac_address': 'm1'},"
       " {'id': 'y', 'name': '', 'project_id': 'p2', 'mac_address': 'm2'}]",
       true);
  entry = to_file (&osm_type_trunk, src,
                   "{'id': '1', 'name': 't', 'admin_state_up': true, 'description': '', 'tags': [],"
                   " 'port_id': 'a', 'sub_ports': [{'port_id': 'b', 'segmentation_id': 7,"
                   " 'segmentation_type': 'vlan'}]}",
                   "{'name': 't', 'is_admin_state_up': true, 'description': '', 'tags': [],"
                   " 'port_ref': " OURS ("parent") ", 'sub_ports_refs': [{'port_ref': " OURS (
                       "m2") ", 'segmentation_id': 7, 'segmentation_type': 'vlan'}]}");
  to_api (&osm_type_trunk, dst, entry,
          "{'name': 't', 'admin_state_up': true, 'description': '', 'port_id': 'x',"
          " 'sub_ports': [{'port_id': 'y', 'segmentation_id': 7, 'segmentation_type': 'vlan'}]}");
}

TEST (shares_with_everybody_and_with_a_project)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *src = osm_inventory_new ("p1", "u1"),
                                             *dst = osm_inventory_new ("p2", "u2");
  OSM_CLEANUP_JSON json_t *all = NULL, *one = NULL, *body = NULL;
  OSM_ERROR (err);

  add (src, &osm_type_network, "[{'id': 'n', 'name': 'net', 'project_id': 'p1'}]", true);
  add (dst, &osm_type_network, "[{'id': 'm', 'name': 'net', 'project_id': 'p2'}]", true);
  osm_inventory_add_none (src, "projects", "p9", true);
  all = to_file (&osm_type_rbac_policy, src,
                 "{'id': '1', 'object_type': 'network', 'object_id': 'n', 'target_tenant': '*',"
                 " 'action': 'access_as_shared'}",
                 "{'object_type': 'network', 'action': 'access_as_shared', 'object_ref': " OURS (
                     "net") ", 'target_project_ref': {'name': '*', 'project_name': null,"
                            " 'domain_name': null}}");
  to_api (&osm_type_rbac_policy, dst, all,
          "{'object_type': 'network', 'action': 'access_as_shared', 'object_id': 'm',"
          " 'target_tenant': '*'}");
  one = to_file (&osm_type_rbac_policy, src,
                 "{'id': '2', 'object_type': 'network', 'object_id': 'n', 'target_tenant': 'p9',"
                 " 'action': 'access_as_shared'}",
                 "{'object_type': 'network', 'action': 'access_as_shared', 'object_ref': " OURS (
                     "net") ", 'target_project_ref': {'name': 'p9', 'project_name': null,"
                            " 'domain_name': null}}");
  assert_int_equal (osm_tenant_to_api (&osm_type_rbac_policy, dst, one, NULL, &body, &err), -1);
  assert_int_equal (err.code, 404);
}

TEST (quotas_are_only_those_of_the_service)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *inv = osm_inventory_new ("p1", "u1");
  OSM_CLEANUP_JSON json_t *entry = to_file (
      &osm_type_quota, inv,
      "{'service': 'volume', 'id': 'p1', 'volumes': 10, 'volumes_lvm': 5, 'gigabytes': -1}",
      "{'service': 'volume'}");

  assert_json (json_object_get (entry, "_osm_params"), "{'volumes': 10, 'gigabytes': -1}");
}

TEST (ports_that_are_nobodys)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *inv = osm_inventory_new ("p1", "u1");

  add (inv, &osm_type_port,
       "[{'id': '1', 'project_id': 'p1', 'device_id': '', 'device_owner': ''},"
       " {'id': '2', 'project_id': 'p1', 'device_id': 's', 'device_owner': 'compute:nova'},"
       " {'id': '3', 'project_id': 'p1', 'device_id': 't', 'device_owner': 'trunk:subport'},"
       " {'id': '4', 'project_id': 'p1', 'device_id': '', 'tags': ['osm.role=port']},"
       " {'id': '5', 'project_id': 'p2', 'device_id': ''}]",
       true);
  assert_int_equal (json_object_size (osm_inventory_own (inv, "ports")), 2);
  assert_non_null (json_object_get (osm_inventory_own (inv, "ports"), "1"));
  assert_non_null (json_object_get (osm_inventory_own (inv, "ports"), "3"));
}

/* A rule of the same type and direction is changed where it is: no policy has two of them. */
TEST (rules_of_a_qos_policy)
{
  OSM_CLEANUP_JSON json_t *now = parse (
      "[{'id': '1', 'type': 'bandwidth_limit', 'max_kbps': 10, 'max_burst_kbps': 0, 'direction': "
      "'egress', 'qos_policy_id': 'p'}, {'id': '2', 'type': 'dscp_marking', 'dscp_mark': 26},"
      " {'id': '3', 'type': 'minimum_bandwidth', 'min_kbps': 5, 'direction': 'egress'}]");
  OSM_CLEANUP_JSON json_t *wanted = parse (
      "[{'type': 'bandwidth_limit', 'max_kbps': 20, 'max_burst_kbps': 0, 'direction': 'egress'},"
      " {'type': 'bandwidth_limit', 'max_kbps': 7, 'max_burst_kbps': 0, 'direction': 'ingress'},"
      " {'type': 'minimum_bandwidth', 'min_kbps': 5, 'direction': 'egress'}]");
  OSM_CLEANUP_JSON json_t *changes = osm_qos_rule_changes (now, wanted);

  assert_json (changes,
               "[{'method': 'DELETE', 'id': '2', 'rule': {'id': '2', 'type': 'dscp_marking',"
               "  'dscp_mark': 26}},"
               " {'method': 'PUT', 'id': '1', 'rule': {'type': 'bandwidth_limit',"
               "  'max_kbps': 20, 'max_burst_kbps': 0, 'direction': 'egress'}},"
               " {'method': 'POST', 'id': null, 'rule': {'type': 'bandwidth_limit', 'max_kbps': 7,"
               "  'max_burst_kbps': 0, 'direction': 'ingress'}}]");
}

TEST (rules_of_a_qos_policy_have_no_ids_in_files)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *inv = osm_inventory_new ("p1", "u1");
  OSM_CLEANUP_JSON json_t *entry = to_file (
      &osm_type_qos_policy, inv,
      "{'id': '1', 'name': 'q', 'shared': false, 'tags': [], 'rules': [{'id': '9', 'type':"
      " 'dscp_marking', 'dscp_mark': 26, 'qos_policy_id': '1'}]}",
      "{'name': 'q', 'is_shared': false, 'is_default': null, 'description': null, 'tags': [],"
      " 'rules': [{'type': 'dscp_marking', 'dscp_mark': 26}]}");
  OSM_CLEANUP_JSON json_t *strange =
      parse ("{'id': '1', 'name': 'q', 'rules': [{'id': '9', 'type': 'of_tomorrow'}]}");
  json_t *none = NULL;
  OSM_ERROR (err);

  to_api (&osm_type_qos_policy, inv, entry, "{'name': 'q', 'shared': false}");
  assert_int_equal (osm_tenant_to_file (&osm_type_qos_policy, inv, strange, &none, &err), -1);
  assert_non_null (strstr (err.message, "of_tomorrow"));
}

TEST (sub_ports_that_change)
{
  OSM_CLEANUP_JSON json_t *now =
      parse ("[{'port_id': 'a', 'segmentation_id': 1, 'segmentation_type': 'vlan'},"
             " {'port_id': 'b', 'segmentation_id': 2, 'segmentation_type': 'vlan'}]");
  OSM_CLEANUP_JSON json_t *wanted =
      parse ("[{'port_id': 'b', 'segmentation_id': 2, 'segmentation_type': 'vlan'},"
             " {'port_id': 'c', 'segmentation_id': 1, 'segmentation_type': 'vlan'}]");
  OSM_CLEANUP_JSON json_t *less = NULL, *more = NULL;

  osm_trunk_changes (now, wanted, &less, &more);
  assert_json (less, "[{'port_id': 'a'}]");
  assert_json (more, "[{'port_id': 'c', 'segmentation_id': 1, 'segmentation_type': 'vlan'}]");
}

/* What Cinder shows beside a type is there only for administrators. */
TEST (volume_types_with_and_without_their_secrets)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *inv = osm_inventory_new ("p1", "u1");
  OSM_CLEANUP_JSON json_t *tenants = NULL, *all = NULL;

  add (inv, &osm_type_project, "[{'id': 'p7', 'name': 'guests', 'domain_id': 'd'}]", false);
  add (inv, &osm_type_domain, "[{'id': 'd', 'name': 'Default'}]", false);
  osm_inventory_add_none (inv, "projects", "gone", false);
  tenants = to_file (&osm_type_volume_type, inv, "{'id': '1', 'name': 't', 'is_public': true}",
                     "{'name': 't', 'description': null, 'extra_specs': null, 'is_public': null}");
  assert_null (json_object_get (tenants, "_osm_params"));
  all = to_file (&osm_type_volume_type, inv,
                 "{'id': '1', 'name': 't', 'os-volume-type-access:is_public': false,"
                 " 'encryption': {'encryption_id': 'e', 'provider': 'luks', 'cipher': null},"
                 " 'access': [{'project_id': 'p7'}, {'project_id': 'gone'}], 'qos_specs_id': null}",
                 "{'name': 't', 'description': null, 'extra_specs': null, 'is_public': false}");
  assert_json (json_object_get (all, "_osm_params"),
               "{'encryption': {'provider': 'luks'}, 'qos_specs_ref': null, 'access_refs':"
               " [{'project_ref': {'name': 'guests', 'project_name': null,"
               "   'domain_name': 'Default'}}]}");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (server_groups_of_old_have_a_list_of_policies),
    cmocka_unit_test (trunks_find_their_ports_elsewhere),
    cmocka_unit_test (shares_with_everybody_and_with_a_project),
    cmocka_unit_test (quotas_are_only_those_of_the_service),
    cmocka_unit_test (ports_that_are_nobodys),
    cmocka_unit_test (rules_of_a_qos_policy),
    cmocka_unit_test (rules_of_a_qos_policy_have_no_ids_in_files),
    cmocka_unit_test (sub_ports_that_change),
    cmocka_unit_test (volume_types_with_and_without_their_secrets),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
