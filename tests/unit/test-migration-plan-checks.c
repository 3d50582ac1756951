/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Findings that follow from handmade answers: what no lab has. */

#include <config.h>

#include "tests/unit/test-json.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/migration/plan-internal.h"

static json_t *
empty_plan (void)
{
  return parse ("{'findings': [], 'server': {}, 'volumes': [], 'ports': []}");
}

/* "id severity, ..." in the order of the findings. */
static void
assert_findings (json_t *plan, const char *wanted)
{
  size_t i;
  const json_t *finding;
  OSM_STRBUF (b);

  json_array_foreach (json_object_get (plan, "findings"), i, finding)
      osm_strbuf_addf (&b, "%s%s %s", i ? ", " : "", osm_json_str (finding, "id"),
                       osm_json_str (finding, "severity"));
  assert_string_equal (osm_strbuf_str (&b), wanted);
  json_array_clear (json_object_get (plan, "findings"));
}

static void
assert_text (const json_t *plan, const char *words)
{
  const char *text = osm_json_str (json_array_get (json_object_get (plan, "findings"), 0), "text");

  if (!text || !strstr (text, words))
    fail_msg ("'%s' is not in: %s", words, text ? text : "nothing");
}

/* ---- flavor and image ---- */

static void
each_constraint_of_the_platform (void **state)
{
  static const struct {
    const char *specs, *image, *kept,
        *lost; /* findings if the destination's flavor is the same, if it has no specs */
  } cases[] = {
    { "{'hw:cpu_policy': 'dedicated'}", "{}", "platform-cpu-pinning info",
      "platform-cpu-pinning warning" },
    { "{'hw:cpu_policy': 'shared', 'hw:mem_page_size': 'small'}", "{}", "", "" },
    { "{'resources:PCPU': '2'}", "{}", "platform-cpu-pinning info",
      "platform-cpu-pinning warning" },
    { "{'hw:numa_nodes': '2', 'hw:numa_mem.0': '512'}", "{}", "platform-numa info",
      "platform-numa warning" },
    { "{'hw:mem_page_size': '1GB'}", "{}", "platform-huge-pages info",
      "platform-huge-pages warning" },
    { "{'hw:cpu_realtime': 'yes', 'hw:cpu_realtime_mask': '^0'}", "{}", "platform-realtime info",
      "platform-realtime warning" },
    { "{'pci_passthrough:alias': 'gpu:1'}", "{}", "platform-pci-passthrough warning",
      "platform-pci-passthrough warning" },
    { "{'resources:VGPU': '1'}", "{}", "platform-vgpu warning", "platform-vgpu warning" },
    { "{'resources1:VGPU': '1'}", "{}", "platform-vgpu warning", "platform-vgpu warning" },
    { "{'accel:device_profile': 'fpga'}", "{}", "platform-accelerator warning",
      "platform-accelerator warning" },
    { "{'resources:CUSTOM_LICENCE': '1'}", "{}", "platform-resources info",
      "platform-resources warning" },
    { "{'resources:CUSTOM_BAREMETAL_GOLD': '1', 'resources:VCPU': '0'}", "{}",
      "platform-bare-metal blocker", "platform-bare-metal blocker" },
    { "{'trait:HW_CPU_X86_AVX512F': 'required'}", "{}", "platform-traits info",
      "platform-traits warning" },
    { "{'hw:mem_encryption': 'True'}", "{}", "platform-memory-encryption info",
      "platform-memory-encryption warning" },
    { "{'hw:pmem': '6GB'}", "{}", "platform-persistent-memory warning",
      "platform-persistent-memory warning" },
    { "{'hw:tpm_version': '2.0', 'hw:tpm_model': 'tpm-crb'}", "{}", "platform-tpm warning",
      "platform-tpm warning" },
    { "{'os:secure_boot': 'required'}", "{}", "platform-secure-boot warning",
      "platform-secure-boot warning" },
    /* Image properties come along with the volume. */
    { "{}", "{'hw_firmware_type': 'uefi', 'hw_machine_type': 'q35'}",
      "platform-firmware info, platform-machine-type info",
      "platform-firmware info, platform-machine-type info" },
    { "{}", "{'hw_firmware_type': 'bios', 'hw_architecture': 'x86_64', 'hw_disk_bus': 'scsi'}", "",
      "" },
    { "{}", "{'os_secure_boot': 'required'}", "platform-secure-boot warning",
      "platform-secure-boot warning" },
    { "{}", "{'hw_tpm_version': '2.0'}", "platform-tpm warning", "platform-tpm warning" },
    { "{}", "{'architecture': 'aarch64'}", "platform-architecture warning",
      "platform-architecture warning" },
    { "{}", "{'hypervisor_type': 'vmware', 'vm_mode': 'hvm'}", "platform-hypervisor warning",
      "platform-hypervisor warning" },
    { "{}", "{'hw_cpu_policy': 'dedicated'}", "platform-cpu-pinning info",
      "platform-cpu-pinning info" },
    { "{'quota:disk_read_iops_sec': '100'}", "{}", "", "" },
  };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    OSM_CLEANUP_JSON json_t *specs = parse (cases[i].specs), *image = parse (cases[i].image),
                            *none = json_object (), *plan = empty_plan ();

    osm_plan_platform (plan, "web", specs, specs, image);
    assert_findings (plan, cases[i].kept);
    osm_plan_platform (plan, "web", specs, none, image);
    assert_findings (plan, cases[i].lost);
  }
}

static void
the_platforms_finding_names_the_properties (void **state)
{
  OSM_CLEANUP_JSON json_t *specs = parse ("{'hw:numa_nodes': '2', 'hw:numa_mem.0': '512'}"),
                          *plan = empty_plan ();

  (void)state;
  osm_plan_platform (plan, "web", specs, NULL, NULL);
  assert_text (plan, "(hw:numa_nodes=2, hw:numa_mem.0=512)");
  assert_text (plan, "does not ask for the same");
}

static void
flavors_are_compared (void **state)
{
  OSM_CLEANUP_JSON json_t *old = parse ("{'vcpus': 2, 'ram': 512, 'disk': 5, 'ephemeral': 1, "
                                        "'swap': 0, 'extra_specs': {'a': '1', 'b': '2'}}");
  OSM_CLEANUP_JSON json_t *same =
      parse ("{'name': 'small', 'vcpus': 2, 'ram': 512, 'disk': 5, 'swap': '',"
             " 'OS-FLV-EXT-DATA:ephemeral': 1, 'extra_specs': {'b': '2', 'a': '1'}}");
  OSM_CLEANUP_JSON json_t *other =
      parse ("{'name': 'small', 'vcpus': 4, 'ram': 512, 'disk': 5, 'swap': 128,"
             " 'OS-FLV-EXT-DATA:ephemeral': 0, 'extra_specs': {'a': '2', 'c': '3'}}");
  OSM_CLEANUP_JSON json_t *plain = parse ("{'name': 'small', 'vcpus': 2, 'ram': 512, 'disk': 5,"
                                          " 'OS-FLV-EXT-DATA:ephemeral': 1}");
  OSM_CLEANUP_FREE char *difference = osm_plan_specs_difference (
      json_object_get (old, "extra_specs"), json_object_get (other, "extra_specs"));
  OSM_CLEANUP_JSON json_t *plan = empty_plan ();

  (void)state;
  osm_plan_compare_flavors (plan, "small", old, same);
  assert_findings (plan, "");
  osm_plan_compare_flavors (plan, "small", old, other);
  assert_findings (plan, "flavor-differs warning, flavor-differs warning, flavor-differs warning, "
                         "flavor-extra-specs-differ warning");
  assert_string_equal (difference,
                       "a is '2', was '1'; b is not set, was '2'; c is '3', was not set");
  osm_plan_compare_flavors (plan, "small", old, plain);
  assert_text (plan, "the destination cloud does not show");
  assert_findings (plan, "flavor-extra-specs-hidden info");
}

static void
the_sources_flavor_may_be_gone_or_another (void **state)
{
  OSM_CLEANUP_JSON json_t *old = parse ("{'vcpus': 2, 'ram': 512, 'disk': 5, 'extra_specs': {}}"),
                          *changed =
                              parse ("{'vcpus': 2, 'ram': 1024, 'disk': 5, 'extra_specs': {}}"),
                          *plan = empty_plan ();

  (void)state;
  osm_plan_check_source_flavor (plan, "small", old, old);
  assert_findings (plan, "");
  osm_plan_check_source_flavor (plan, "small", old, changed);
  assert_findings (plan, "source-flavor-changed info");
  osm_plan_check_source_flavor (plan, "small", old, NULL);
  assert_findings (plan, "source-flavor-gone info");
}

/* ---- ports, networks, security groups ---- */

static void
special_ports (void **state)
{
  static const struct {
    const char *port, *findings;
  } cases[] = {
    { "{'binding:vnic_type': 'normal', 'qos_policy_id': null, 'resource_request': null}", "" },
    { "{'binding:vnic_type': 'direct'}", "port-vnic-type warning" },
    { "{'binding:vnic_type': 'macvtap'}", "port-vnic-type warning" },
    { "{'binding:vnic_type': 'direct-physical'}", "port-vnic-type warning" },
    { "{'binding:vnic_type': 'baremetal'}", "port-bare-metal blocker" },
    { "{'resource_request': {'required': ['X'], 'resources': {'NET_BW_EGR_KILOBIT_PER_SEC': "
      "1000}}}",
      "port-resource-request warning" },
    { "{'trunk_details': {'trunk_id': 't', 'sub_ports': []}}", "port-trunk warning" },
    { "{'binding:profile': {'trusted': 'true'}}", "port-trusted warning" },
    { "{'binding:profile': {'pci_slot': '0000:01:00.1'}}", "port-binding-profile info" },
    { "{'binding:profile': {'capabilities': ['switchdev']}}", "port-binding-profile warning" },
    { "{'extra_dhcp_opts': [{'opt_name': 'mtu', 'opt_value': '9000'}], 'qos_policy_id': '1234',"
      " 'tags': ['a']}",
      "" },
    { "{'device_profile': 'gpu'}", "port-property-not-carried warning" },
  };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    OSM_CLEANUP_JSON json_t *port = parse (cases[i].port), *plan = empty_plan ();

    osm_plan_check_port (plan, port);
    assert_findings (plan, cases[i].findings);
  }
}

static void
a_network_of_somebody_else (void **state)
{
  OSM_CLEANUP_JSON json_t *own = parse ("{'name': 'net', 'project_id': 'p1'}"),
                          *foreign = parse ("{'name': 'net', 'tenant_id': 'p2'}"),
                          *unknown = parse ("{'name': 'net'}"), *plan = empty_plan (),
                          *create = parse (
                              "{'fixed_ips': [{'ip_address': '10.0.0.5'}, {'subnet_id': 's'}], "
                              "'mac_address': 'm', 'port_security_enabled': false, "
                              "'allowed_address_pairs': [{'ip_address': '10.0.0.9'}]}"),
                          *plain = parse ("{'fixed_ips': [{'subnet_id': 's'}]}");
  const struct osm_plan_rights tenant = { "dst", "p1", false },
                               administrator = { "dst", "p1", true };

  (void)state;
  osm_plan_check_network (plan, &tenant, own, "front", create);
  osm_plan_check_network (plan, &tenant, unknown, "front", create);
  osm_plan_check_network (plan, &tenant, foreign, "front", plain);
  osm_plan_check_network (plan, &administrator, foreign, "front", create);
  assert_findings (plan, "");
  osm_plan_check_network (plan, &tenant, foreign, "front", create);
  assert_text (plan, "what port front is to have there: address 10.0.0.5, MAC address m, port "
                     "security off, allowed address pairs");
  assert_int_equal (osm_findings_unaccepted (plan), 1);
  assert_findings (plan, "destination-network-shared warning");
}

#define RULE(direction, protocol, port, prefix, group)                                    \
  "{'direction': '" direction "', 'ethertype': 'IPv4', 'protocol': " protocol             \
  ", 'port_range_min': " port ", 'port_range_max': " port ", 'remote_ip_prefix': " prefix \
  ", 'remote_group_id': " group "}"

static char *
difference (const char *old_rules, const char *new_rules)
{
  OSM_CLEANUP_FREE char *a = osm_asprintf (
                            "{'id': 'A', 'name': 'web', 'security_group_rules': [%s]}", old_rules),
                        *b = osm_asprintf (
                            "{'id': 'B', 'name': 'web', 'security_group_rules': [%s]}", new_rules);
  OSM_CLEANUP_JSON json_t *old = parse (a), *new = parse (b);

  return osm_plan_group_difference (old, new);
}

static void
security_groups_are_compared_by_their_rules (void **state)
{
  /* Another order, each its own id, the whole world in two ways. */
  OSM_CLEANUP_FREE char *same =
      difference (RULE ("ingress", "'tcp'", "22", "null", "null") "," RULE ("ingress", "null",
                                                                            "null", "null", "'A'"),
                  RULE ("ingress", "null", "null", "null",
                        "'B'") "," RULE ("ingress", "'tcp'", "22", "'0.0.0.0/0'", "null"));
  OSM_CLEANUP_FREE char *other =
      difference (RULE ("ingress", "'tcp'", "22", "'10.0.0.0/8'", "null"),
                  RULE ("ingress", "'tcp'", "22", "null", "null") "," RULE ("egress", "'udp'", "53",
                                                                            "null", "'X'"));
  OSM_CLEANUP_FREE char *twice =
      difference (RULE ("ingress", "null", "null", "null", "'X'") "," RULE ("ingress", "null",
                                                                            "null", "null", "'Y'"),
                  RULE ("ingress", "null", "null", "null", "'Z'"));

  (void)state;
  assert_null (same);
  assert_string_equal (
      other, "only at the source: ingress IPv4 tcp 22 from 10.0.0.0/8; only at the destination: "
             "ingress IPv4 tcp 22 from anywhere, egress IPv4 udp 53 to another group");
  assert_string_equal (twice, "only at the source: ingress IPv4 any from another group");
}

static void
a_group_of_two_ports_is_told_once (void **state)
{
  OSM_CLEANUP_JSON json_t
      *old = parse ("{'id': 'A', 'name': 'web', 'stateful': true, 'security_group_rules': []}"),
      *new = parse ("{'id': 'B', 'name': 'web', 'stateful': false, 'security_group_rules': []}"),
      *plan = empty_plan ();

  (void)state;
  osm_plan_compare_groups (plan, old, new);
  osm_plan_compare_groups (plan, old, new);
  assert_text (plan, "the source's is stateful");
  assert_findings (plan, "security-group-differs warning");
}

/* ---- volumes ---- */

static void
special_volumes (void **state)
{
  OSM_CLEANUP_JSON json_t *type = parse (
                              "{'name': 'fast', 'extra_specs': {'multiattach': '<is> True'}}"),
                          *shared = parse ("{'multiattach': true, 'encrypted': false}"),
                          *grouped = parse ("{'group_id': 'g', 'os-vol-host-attr:host': 'h'}"),
                          *plan = empty_plan ();

  (void)state;
  osm_plan_check_volume (plan, "data", shared, type);
  assert_findings (plan, "");
  osm_plan_check_volume (plan, "data", shared, NULL);
  assert_findings (plan, "source-volume-multiattach warning");
  osm_plan_check_volume (plan, "data", grouped, type);
  assert_text (plan, "group_id=g");
  assert_findings (plan, "volume-property-not-carried warning");
}

static void
snapshots_and_backups_stay (void **state)
{
  OSM_CLEANUP_JSON json_t *plan = empty_plan (),
                          *volumes =
                              parse ("[{'id': 'v1', 'name': 'boot'}, {'id': 'v2', 'name': ''}]"),
                          *snapshots = parse (
                              "[{'volume_id': 'v1'}, {'volume_id': 'v1'}, {'volume_id': 'other'},"
                              " {'volume_id': 'v2', 'metadata': {'osm.migration': 'x'}}]"),
                          *backups = parse ("[{'volume_id': 'v2'}]");

  (void)state;
  json_object_set (plan, "volumes", volumes);
  osm_plan_check_behind (plan, snapshots, backups);
  assert_text (plan, "volume 'boot' has 2 snapshots");
  assert_findings (plan, "source-snapshots-stay info, source-backups-stay info");
  osm_plan_check_behind (plan, NULL, NULL);
  assert_findings (plan, "");
}

/* ---- the rest ---- */

static void
what_is_not_carried_is_named (void **state)
{
  OSM_CLEANUP_JSON json_t *server =
      parse ("{'name': 'web', 'id': 'x', 'accessIPv4': '192.0.2.1', 'accessIPv6': '', 'tags': "
             "['a'], 'server_groups': [],"
             " 'trusted_image_certificates': null, 'OS-DCF:diskConfig': 'AUTO', "
             "'OS-SRV-USG:launched_at': 'now',"
             " 'a_member_of_2099': {'answer': 42}, 'a_list_of_2099': []}");
  OSM_CLEANUP_JSON json_t
      *image =
          parse ("{'id': 'i', 'name': 'debian', 'hw_disk_bus': 'scsi', 'size': 5, 'cost': 'x'}"),
      *carried = parse ("{'hw_disk_bus': 'scsi'}"), *plan = empty_plan ();
  const json_t *finding;

  (void)state;
  osm_plan_carried_server (plan, server);
  finding = json_array_get (json_object_get (plan, "findings"), 0);
  assert_non_null (
      strstr (osm_json_str (finding, "text"), "accessIPv4=192.0.2.1, a_member_of_2099"));
  assert_null (strstr (osm_json_str (finding, "text"), "a_list_of_2099"));
  assert_findings (plan, "server-property-not-carried warning");
  osm_plan_carried_image (plan, "web", image, carried);
  assert_text (plan, "will not have: cost=x");
  assert_findings (plan, "image-property-not-carried info");
  osm_plan_carried_image (plan, "web", NULL, carried);
  assert_findings (plan, "");
}

static void
zones (void **state)
{
  OSM_CLEANUP_JSON json_t
      *list = parse ("[{'zoneName': 'a', 'zoneState': {'available': true}},"
                     " {'zoneName': 'b', 'zoneState': {'available': false}}, {'zoneName': 'c'}]"),
      *plan = empty_plan ();

  (void)state;
  osm_plan_check_zone (plan, "dst", "a", list);
  osm_plan_check_zone (plan, "dst", "c", list);
  assert_findings (plan, "");
  osm_plan_check_zone (plan, "dst", "b", list);
  assert_text (plan, "there is a, c");
  assert_findings (plan, "destination-availability-zone-missing blocker");
}

static void
old_clouds_lack_what_a_server_needs (void **state)
{
  OSM_CLEANUP_JSON json_t
      *plain = parse (
          "{'findings': [], 'server': {'description': ''}, 'volumes': [{'access': 'detach'}]}"),
      *needy =
          parse ("{'findings': [], 'server': {'description': 'x'}, 'volumes': [{'access': 'image',"
                 " 'tag': 'db', 'delete_on_termination': true}]}");

  (void)state;
  osm_plan_check_versions (plain, "2.1", "2.1");
  assert_findings (plain, "");
  osm_plan_check_versions (needy, "2.45", "2.93");
  assert_findings (needy, "");
  osm_plan_check_versions (needy, "2.45", "2.79");
  assert_findings (needy, "api-too-old info");
  osm_plan_check_versions (needy, "2.44", "2.1");
  assert_findings (
      needy, "api-too-old blocker, api-too-old blocker, api-too-old blocker, api-too-old info");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (each_constraint_of_the_platform),
    cmocka_unit_test (the_platforms_finding_names_the_properties),
    cmocka_unit_test (flavors_are_compared),
    cmocka_unit_test (the_sources_flavor_may_be_gone_or_another),
    cmocka_unit_test (special_ports),
    cmocka_unit_test (a_network_of_somebody_else),
    cmocka_unit_test (security_groups_are_compared_by_their_rules),
    cmocka_unit_test (a_group_of_two_ports_is_told_once),
    cmocka_unit_test (special_volumes),
    cmocka_unit_test (snapshots_and_backups_stay),
    cmocka_unit_test (what_is_not_carried_is_named),
    cmocka_unit_test (zones),
    cmocka_unit_test (old_clouds_lack_what_a_server_needs),
  };

  return cmocka_run_group_tests_name ("controller/migration/plan-checks", tests, NULL, NULL);
}
