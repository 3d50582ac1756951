/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test-tenant.h"

#include "controller/tenant/convert.h"
#include "controller/tenant/fetch.h"

/* Project "P" and user "U"; n1 and its subnet are ours, public is of the project admin. */
static struct osm_inventory *
cloud (void)
{
  struct osm_inventory *inventory = osm_inventory_new ("P", "U");

  add (inventory, &osm_type_network,
       "[{'id': 'N', 'name': 'n1', 'project_id': 'P'},"
       " {'id': 'X', 'name': 'public', 'project_id': 'A'}]",
       true);
  add (inventory, &osm_type_subnet, "[{'id': 'S', 'name': 's1', 'project_id': 'P'}]", true);
  add (inventory, &osm_type_project, "[{'id': 'A', 'name': 'admin', 'domain_id': 'D'}]", false);
  add (inventory, &osm_type_domain, "[{'id': 'D', 'name': 'Default'}]", false);
  return inventory;
}

static json_t *
to_file (const struct osm_tenant_type *type, const struct osm_inventory *inventory,
         const char *object)
{
  OSM_CLEANUP_JSON json_t *api = parse (object);
  json_t *entry = NULL;
  OSM_ERROR (err);

  osm_tenant_to_file (type, inventory, api, &entry, &err);
  assert_no_error (&err);
  return entry;
}

TEST (network_has_all_keys_of_os_migrate_and_null_for_what_is_hidden)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *inventory = cloud ();
  OSM_CLEANUP_JSON json_t *entry = to_file (
      &osm_type_network, inventory,
      "{'id': 'N', 'name': 'n1', 'project_id': 'P', 'admin_state_up': false, 'mtu': 1450,"
      " 'router:external': false, 'shared': false, 'tags': ['b', 'a'], 'subnets': ['2', '1'],"
      " 'availability_zone_hints': [], 'l2_adjacency': true}");

  assert_json (entry,
               "{'type': 'openstack.network.Network', '_migration_params': {}, 'params': {"
               " 'availability_zone_hints': [], 'description': null, 'dns_domain': null,"
               " 'is_admin_state_up': false, 'is_default': null, 'is_port_security_enabled': null,"
               " 'is_router_external': false, 'is_shared': false, 'is_vlan_transparent': null,"
               " 'mtu': 1450, 'name': 'n1', 'provider_network_type': null,"
               " 'provider_physical_network': null, 'provider_segmentation_id': null,"
               " 'segments': null, 'tags': ['a', 'b'], 'qos_policy_ref': null},"
               " '_info': {'availability_zones': null, 'created_at': null, 'id': 'N',"
               " 'project_id': 'P', 'qos_policy_id': null, 'revision_number': null, 'status': null,"
               " 'subnet_ids': ['1', '2'], 'updated_at': null}}");
}

TEST (reference_to_ones_own_is_auth_and_to_anothers_is_by_project_and_domain)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *inventory = cloud ();
  OSM_CLEANUP_JSON json_t *own = NULL, *foreign = NULL, *id = parse ("'N'"), *other = parse ("'X'");
  OSM_ERROR (err);

  osm_inventory_ref (inventory, "networks", id, &own, &err);
  osm_inventory_ref (inventory, "networks", other, &foreign, &err);
  assert_no_error (&err);
  assert_json (own, "{'name': 'n1', 'project_name': '%auth%', 'domain_name': '%auth%'}");
  assert_json (foreign, "{'name': 'public', 'project_name': 'admin', 'domain_name': 'Default'}");
}

TEST (what_is_not_known_yet_is_noted_and_what_is_hidden_has_no_project)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *inventory = osm_inventory_new ("P", "U");
  OSM_CLEANUP_JSON json_t *id = parse ("'X'"), *ref = NULL, *missing = NULL, *more = NULL;
  OSM_ERROR (err);

  osm_inventory_ref (inventory, "networks", id, &ref, &err);
  assert_no_error (&err);
  assert_true (json_is_null (ref));
  missing = osm_inventory_missing (inventory);
  assert_json (missing, "{'networks': {'X': true}}");
  add (inventory, &osm_type_network, "[{'id': 'X', 'name': 'public', 'project_id': 'A'}]", false);
  json_decref (ref);
  osm_inventory_ref (inventory, "networks", id, &ref, &err);
  more = osm_inventory_missing (inventory);
  assert_json (more, "{'projects': {'A': true}}");
  osm_inventory_add_none (inventory, "projects", "A", true);
  json_decref (ref);
  osm_inventory_ref (inventory, "networks", id, &ref, &err);
  assert_no_error (&err);
  assert_json (ref, "{'name': 'public', 'project_name': null, 'domain_name': null}");
}

TEST (reference_to_what_is_not_there_is_an_error)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *inventory = cloud ();
  OSM_CLEANUP_JSON json_t *subnet = parse ("{'id': 'S', 'name': 's', 'network_id': 'gone'}"),
                          *entry = NULL;
  OSM_ERROR (err);

  osm_inventory_add_none (inventory, "networks", "gone", false);
  assert_int_equal (osm_tenant_to_file (&osm_type_subnet, inventory, subnet, &entry, &err), -1);
  assert_int_equal (err.code, 404);
  assert_error (&err, OSM_ERROR_USER, "network_ref: refers to the network gone");
}

TEST (the_only_id_of_a_name_in_ones_project_or_a_list_of_candidates)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *inventory = cloud ();
  OSM_CLEANUP_JSON json_t *own = parse ("{'name': 'n1', 'project_name': '%auth%', 'domain_name': "
                                        "'%auth%'}"),
                          *any = parse ("{'name': 'public', 'project_name': null, "
                                        "'domain_name': null}"),
                          *wrong = parse ("{'name': 'public', 'project_name': '%auth%', "
                                          "'domain_name': '%auth%'}"),
                          *id = NULL;
  OSM_ERROR (err);

  osm_inventory_id (inventory, "networks", own, &id, &err);
  assert_no_error (&err);
  assert_json (id, "'N'");
  json_decref (id);
  id = NULL;
  osm_inventory_id (inventory, "networks", any, &id, &err);
  assert_no_error (&err);
  assert_json (id, "'X'");
  json_decref (id);
  id = NULL;
  osm_inventory_id (inventory, "networks", wrong, &id, &err);
  assert_error (&err, OSM_ERROR_USER, "there is no network 'public' in this project");
  add (inventory, &osm_type_network, "[{'id': 'N2', 'name': 'n1', 'project_id': 'P'}]", true);
  osm_inventory_id (inventory, "networks", own, &id, &err);
  assert_error (&err, OSM_ERROR_USER, "several of the network 'n1': N, N2");
}

TEST (osms_own_objects_and_those_of_others_are_not_ours)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *inventory = cloud ();

  add (inventory, &osm_type_network,
       "[{'id': 'C', 'name': 'c', 'project_id': 'P', 'description': 'osm.role=conversion-host'}]",
       true);
  osm_inventory_set_hosts (inventory, "osm-conversion");
  add (inventory, &osm_type_keypair,
       "[{'name': 'osm-conversion-Ab3dEf9h', 'public_key': 'k'}, {'name': 'osm-conversion', "
       "'public_key': 'k'}, {'name': 'osm-conversion-of-mine', 'public_key': 'k'}]",
       true);
  assert_int_equal (json_object_size (osm_inventory_own (inventory, "keypairs")), 2);
  assert_int_equal (json_object_size (osm_inventory_own (inventory, "networks")), 1);
  assert_non_null (osm_inventory_get (inventory, "networks", "C"));
}

#define ROUTER                                                                                \
  "{'id': 'R', 'name': 'r1', 'project_id': 'P', 'external_gateway_info': {'network_id': 'X'," \
  " 'enable_snat': false, 'external_fixed_ips': [{'ip_address': '203.0.113.7', 'subnet_id': " \
  "'S'}]},"                                                                                   \
  " 'routes': [{'destination': '10.9.0.0/16', 'nexthop': '10.1.0.3'}]}"

TEST (routers_gateway_comes_apart_and_together_again)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *inventory = cloud ();
  OSM_CLEANUP_JSON json_t *entry = to_file (&osm_type_router, inventory, ROUTER), *body = NULL;
  OSM_ERROR (err);

  assert_json (json_object_get (entry, "_osm_params"),
               "{'external_fixed_ips': [{'ip_address': '203.0.113.7', 'subnet_ref': {'name': 's1',"
               " 'project_name': '%auth%', 'domain_name': '%auth%'}}], 'is_snat_enabled': false,"
               " 'routes': [{'destination': '10.9.0.0/16', 'nexthop': '10.1.0.3'}]}");
  osm_tenant_to_api (&osm_type_router, inventory, entry, NULL, &body, &err);
  assert_no_error (&err);
  assert_json (body, "{'name': 'r1', 'external_gateway_info': {'network_id': 'X', 'enable_snat': "
                     "false, 'external_fixed_ips': [{'ip_address': '203.0.113.7', 'subnet_id': "
                     "'S'}]}}");
}

/* Their default policies refuse both to tenants. */
TEST (tenants_router_asks_for_nothing_that_only_administrators_may)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *inventory = cloud ();
  OSM_CLEANUP_JSON json_t *entry = NULL, *body = NULL;
  OSM_ERROR (err);

  osm_inventory_add_none (inventory, "subnets", "hidden", false);
  entry = to_file (&osm_type_router, inventory,
                   "{'id': 'R', 'name': 'r1', 'external_gateway_info': {'network_id': 'X',"
                   " 'enable_snat': true, 'external_fixed_ips': [{'ip_address': '203.0.113.7',"
                   " 'subnet_id': 'hidden'}]}}");
  assert_json (json_object_get (entry, "_osm_params"), "{'is_snat_enabled': true}");
  osm_tenant_to_api (&osm_type_router, inventory, entry, NULL, &body, &err);
  assert_no_error (&err);
  assert_json (body, "{'name': 'r1', 'external_gateway_info': {'network_id': 'X'}}");
}

TEST (router_without_a_gateway)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *inventory = cloud ();
  OSM_CLEANUP_JSON json_t *entry = to_file (&osm_type_router, inventory,
                                            "{'name': 'r1', 'external_gateway_info': null}"),
                          *extra = parse ("{'is_snat_enabled': false}"), *body = NULL;
  OSM_ERROR (err);

  json_object_set (entry, "_osm_params", extra);
  osm_tenant_to_api (&osm_type_router, inventory, entry, NULL, &body, &err);
  assert_no_error (&err);
  assert_json (body, "{'name': 'r1', 'external_gateway_info': null}");
}

TEST (users_default_project_may_be_gone)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *inventory = cloud ();
  OSM_CLEANUP_JSON json_t *entry = NULL;

  osm_inventory_add_none (inventory, "projects", "gone", false);
  entry = to_file (&osm_type_user, inventory,
                   "{'id': 'V', 'name': 'v', 'domain_id': 'D', 'default_project_id': 'gone'}");
  assert_json (osm_tenant_path (entry, "params.default_project_ref"), "null");
  assert_json (osm_tenant_path (entry, "params.domain_ref.name"), "'Default'");
}

TEST (update_sends_what_changed_and_all_of_its_group)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *inventory = cloud ();
  OSM_CLEANUP_JSON json_t *entry = to_file (&osm_type_router, inventory, ROUTER),
                          *snat = parse ("['is_snat_enabled']"), *name = parse ("['name', 'tags']"),
                          *body = NULL;
  OSM_ERROR (err);

  osm_tenant_to_api (&osm_type_router, inventory, entry, snat, &body, &err);
  assert_int_equal (json_object_size (json_object_get (body, "external_gateway_info")), 3);
  assert_int_equal (json_object_size (body), 1);
  json_decref (body);
  osm_tenant_to_api (&osm_type_router, inventory, entry, name, &body, &err);
  assert_no_error (&err);
  assert_json (body, "{'name': 'r1'}");
}

TEST (false_and_a_missing_gateway_are_sent_and_null_elsewhere_is_not)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *inventory = cloud ();
  OSM_CLEANUP_JSON json_t *entry = to_file (
                              &osm_type_subnet, inventory,
                              "{'id': 'S', 'name': 's1', 'network_id': 'N', 'cidr': '10.0.0.0/24',"
                              " 'ip_version': 4, 'gateway_ip': null, 'enable_dhcp': false,"
                              " 'dns_nameservers': ['9.9.9.9', '1.1.1.1'], 'service_types': [],"
                              " 'host_routes': [], 'ipv6_ra_mode': null, 'tags': ['x']}"),
                          *body = NULL;
  OSM_ERROR (err);

  osm_tenant_to_api (&osm_type_subnet, inventory, entry, NULL, &body, &err);
  assert_no_error (&err);
  assert_json (body, "{'name': 's1', 'network_id': 'N', 'cidr': '10.0.0.0/24', 'ip_version': 4,"
                     " 'gateway_ip': null, 'enable_dhcp': false, 'host_routes': [],"
                     " 'dns_nameservers': ['9.9.9.9', '1.1.1.1']}");
}

TEST (images_properties_are_typed_in_files_and_text_in_the_api)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *inventory = cloud ();
  OSM_CLEANUP_JSON json_t *entry = to_file (
                              &osm_type_image, inventory,
                              "{'id': 'I', 'name': 'i', 'owner': 'P', 'hw_cpu_cores': '2',"
                              " 'hw_boot_menu': 'True', 'os_require_quiesce': 'odd', 'mine': 'x',"
                              " 'instance_type_rxtx_factor': '1.5', 'stores': 'a', 'self': 'b',"
                              " 'protected': true, 'status': 'active', 'osm.role': 'r'}"),
                          *body = NULL;
  const json_t *params = json_object_get (entry, "params");
  OSM_ERROR (err);

  assert_json (json_object_get (params, "hw_cpu_cores"), "2");
  assert_json (json_object_get (params, "is_hw_boot_menu_enabled"), "true");
  assert_json (json_object_get (params, "os_require_quiesce"), "'odd'");
  assert_json (json_object_get (params, "properties"), "{'mine': 'x'}");
  osm_tenant_to_api (&osm_type_image, inventory, entry, NULL, &body, &err);
  assert_no_error (&err);
  assert_json (body, "{'name': 'i', 'hw_cpu_cores': '2', 'hw_boot_menu': 'true',"
                     " 'os_require_quiesce': 'odd', 'mine': 'x',"
                     " 'instance_type_rxtx_factor': '1.5', 'protected': true}");
}

TEST (key_pair_is_of_whoever_is_logged_in_unless_it_says_so)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *inventory = cloud ();
  OSM_CLEANUP_JSON json_t *own = to_file (&osm_type_keypair, inventory,
                                          "{'name': 'k', 'public_key': 'ssh-rsa A'}"),
                          *others = NULL, *body = NULL;
  OSM_ERROR (err);

  assert_json (json_object_get (own, "params"),
               "{'name': 'k', 'public_key': 'ssh-rsa A', 'type': 'ssh', 'user_ref': {'name': "
               "'%auth%', 'project_name': null, 'domain_name': '%auth%'}}");
  assert_string_equal (osm_json_str (json_object_get (own, "_info"), "id"), "k");
  osm_tenant_to_api (&osm_type_keypair, inventory, own, NULL, &body, &err);
  assert_no_error (&err);
  assert_json (body, "{'name': 'k', 'public_key': 'ssh-rsa A', 'type': 'ssh'}");
  add (inventory, &osm_type_user, "[{'id': 'V', 'name': 'vera', 'domain_id': 'D'}]", false);
  others = to_file (&osm_type_users_keypair, inventory, "{'name': 'k', 'user_id': 'V'}");
  assert_json (osm_tenant_path (others, "params.user_ref"),
               "{'name': 'vera', 'project_name': null, 'domain_name': 'Default'}");
}

TEST (role_assignment_has_names_and_ids)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *inventory = cloud ();
  OSM_CLEANUP_JSON json_t *entry = NULL;
  OSM_CLEANUP_FREE char *id = NULL, *label = NULL;

  add (inventory, &osm_type_role, "[{'id': 'M', 'name': 'member', 'domain_id': null}]", false);
  entry = to_file (&osm_type_role_assignment, inventory,
                   "{'role': {'id': 'M'}, 'user': {'id': 'U'}, 'scope': {'project': {'id': 'A'}}}");
  assert_json (json_object_get (entry, "_info"),
               "{'project_id': 'A', 'role_id': 'M', 'user_id': 'U'}");
  assert_json (json_object_get (entry, "params"),
               "{'project_ref': {'name': 'admin', 'project_name': null, 'domain_name': 'Default'},"
               " 'role_ref': {'name': 'member', 'project_name': null, 'domain_name': null},"
               " 'user_ref': {'name': '%auth%', 'project_name': null, 'domain_name': '%auth%'}}");
  id = osm_tenant_entry_id (entry);
  label = osm_tenant_label (&osm_type_role_assignment, entry);
  assert_string_equal (id, "U/A/M/");
  assert_string_equal (label, "admin %auth% member");
}

TEST (types_come_in_the_order_in_which_they_can_be_made)
{
  static const char *const names[] = { "subnets", "networks" }, *const wrong[] = { "networkz" },
                           *const all[] = { "all" }, *const domains[] = { "domains" };
  OSM_CLEANUP_FREE const struct osm_tenant_type **types = NULL, **every = NULL;
  OSM_ERROR (err);

  osm_tenant_types_parse (names, 2, &types, &err);
  assert_no_error (&err);
  assert_string_equal (types[0]->name, "networks");
  assert_string_equal (types[1]->name, "subnets");
  assert_null (types[2]);
  osm_tenant_types_parse (all, 1, &every, &err);
  for (size_t i = 0; every[i]; i++)
    assert_false (every[i]->administrator);
  osm_tenant_types_parse (wrong, 1, &types, &err);
  assert_error (&err, OSM_ERROR_USER, "no type 'networkz'");
  osm_tenant_types_parse (domains, 1, &types, &err);
  assert_error (&err, OSM_ERROR_USER, "no type 'domains'");
}

/* A mistake in a table would show with one cloud only. */
TEST (tables_are_consistent)
{
  for (size_t i = 0; osm_tenant_types[i]; i++) {
    const struct osm_tenant_type *type = osm_tenant_types[i];

    for (const struct osm_field *f = type->fields; f->name; f++) {
      if (f->refers && !osm_tenant_type_find (f->refers))
        fail_msg ("%s.%s refers to %s", type->name, f->name, f->refers);
      if (f->kind == OSM_FIELD_REF && !f->refers)
        fail_msg ("%s.%s refers to nothing", type->name, f->name);
      if (f->kind == OSM_FIELD_REFS && (!f->to_file || !f->to_api))
        fail_msg ("%s.%s lacks a function", type->name, f->name);
    }
    for (size_t k = 0; type->file && type->match[k]; k++)
      if (!osm_tenant_field (type, type->match[k]))
        fail_msg ("%s has no field %s to match", type->name, type->match[k]);
    assert_true (type->list_path || type->list);
    assert_true (type->file == NULL || osm_tenant_type_of_file (type->file) == type);
  }
}

TEST (lists_are_of_the_project)
{
  OSM_CLEANUP_FREE char *ours = osm_fetch_path (&osm_type_network, "P"),
                        *all = osm_fetch_path (&osm_type_network, NULL),
                        *users = osm_fetch_path (&osm_type_user, "P");

  assert_string_equal (ours, "/networks?project_id=P");
  assert_string_equal (all, "/networks");
  assert_string_equal (users, "/users");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (network_has_all_keys_of_os_migrate_and_null_for_what_is_hidden),
    cmocka_unit_test (reference_to_ones_own_is_auth_and_to_anothers_is_by_project_and_domain),
    cmocka_unit_test (what_is_not_known_yet_is_noted_and_what_is_hidden_has_no_project),
    cmocka_unit_test (reference_to_what_is_not_there_is_an_error),
    cmocka_unit_test (the_only_id_of_a_name_in_ones_project_or_a_list_of_candidates),
    cmocka_unit_test (osms_own_objects_and_those_of_others_are_not_ours),
    cmocka_unit_test (routers_gateway_comes_apart_and_together_again),
    cmocka_unit_test (tenants_router_asks_for_nothing_that_only_administrators_may),
    cmocka_unit_test (router_without_a_gateway),
    cmocka_unit_test (users_default_project_may_be_gone),
    cmocka_unit_test (update_sends_what_changed_and_all_of_its_group),
    cmocka_unit_test (false_and_a_missing_gateway_are_sent_and_null_elsewhere_is_not),
    cmocka_unit_test (images_properties_are_typed_in_files_and_text_in_the_api),
    cmocka_unit_test (key_pair_is_of_whoever_is_logged_in_unless_it_says_so),
    cmocka_unit_test (role_assignment_has_names_and_ids),
    cmocka_unit_test (types_come_in_the_order_in_which_they_can_be_made),
    cmocka_unit_test (tables_are_consistent),
    cmocka_unit_test (lists_are_of_the_project),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
