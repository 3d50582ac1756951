/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What does not come along and was once dropped silently, from handmade answers. */

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
  return parse ("{'findings': [], 'server': {}, 'source': {'name': 'web'}, 'volumes': []}");
}

/* "id severity: text" of the only finding, which is taken off; "" if there is none. words: in the text, or NULL. */
static void
assert_finding (json_t *plan, const char *id, const char *severity, const char *words)
{
  json_t *findings = json_object_get (plan, "findings");
  const json_t *finding = json_array_get (findings, 0);

  assert_int_equal (json_array_size (findings), id ? 1 : 0);
  if (!id)
    return;
  assert_string_equal (osm_json_str (finding, "id"), id);
  assert_string_equal (osm_json_str (finding, "severity"), severity);
  if (words && !strstr (osm_json_str (finding, "text"), words))
    fail_msg ("'%s' is not in: %s", words, osm_json_str (finding, "text"));
  json_array_clear (findings);
}

/* ---- floating IPs ---- */

static void
an_existing_floating_ip_keeps_what_it_has (void **state)
{
  OSM_CLEANUP_JSON json_t *ip = parse ("{'floating_ip_address': '192.0.2.1', 'qos_policy_id': 'Q', "
                                       "'tags': ['osm.role=x', 'web', 'prod']}"),
                          *bare = parse ("{'tags': ['prod']}"),
                          *same = parse ("{'tags': ['web', 'prod', 'more'], 'qos_policy_id': 'R'}"),
                          *plan = empty_plan ();

  (void)state;
  osm_plan_compare_floating_ip (plan, ip, same);
  assert_finding (plan, NULL, NULL, NULL);
  osm_plan_compare_floating_ip (plan, ip, bare);
  assert_finding (plan, "floating-ip-property-not-carried", "warning", "tags 'web', QoS policy Q");
}

static void
what_else_a_floating_ip_has_is_named (void **state)
{
  OSM_CLEANUP_JSON json_t *ip = parse ("{'floating_ip_address': '192.0.2.1', 'router_id': 'r', "
                                       "'tags': ['a'], 'a_member_of_2099': 'x', 'status': 'DOWN', "
                                       "'port_forwardings': [{}], 'revision_number': 5}"),
                          *plan = empty_plan ();

  (void)state;
  osm_plan_carried_floating_ip (plan, "192.0.2.1", ip);
  assert_finding (plan, "floating-ip-property-not-carried", "warning",
                  "will not have: a_member_of_2099=x");
}

static void
forwardings_to_the_port_are_named (void **state)
{
  OSM_CLEANUP_JSON json_t
      *port = parse ("{'id': 'P', 'name': 'front', 'fixed_ips': [{'ip_address': '10.0.0.5'}]}"),
      *ip = parse ("{'id': 'F', 'floating_ip_address': '192.0.2.1'}"),
      *by_id = parse ("[{'internal_port_id': 'P', 'protocol': 'tcp', 'external_port': 2222, "
                      "'internal_ip_address': '10.0.0.5', 'internal_port': 22}, "
                      "{'internal_port_id': 'Q', 'internal_ip_address': '10.0.0.5'}]"),
      *by_address = parse ("[{'protocol': 'udp', 'external_port_range': '20:30', "
                           "'internal_ip_address': '10.0.0.5', 'internal_port_range': '20:30'}, "
                           "{'internal_ip_address': '10.0.0.6'}, 5]"),
      *one = NULL, *other = NULL, *none = NULL, *plan = empty_plan ();
  bool certain;

  (void)state;
  one = osm_plan_forwardings_to (by_id, port, &certain);
  assert_true (certain);
  osm_plan_check_forwardings (plan, "auto", ip, port, one);
  assert_finding (plan, "floating-ip-port-forwarding", "warning",
                  "to port front of the server, and the new server gets none of that: tcp 2222 to "
                  "10.0.0.5 port 22");
  other = osm_plan_forwardings_to (by_address, port, &certain);
  assert_false (certain);
  osm_plan_check_forwardings (plan, "skip", ip, port, other);
  assert_finding (plan, "floating-ip-port-forwarding", "info", "udp 20:30 to 10.0.0.5 port 20:30");
  none = osm_plan_forwardings_to (NULL, port, &certain);
  osm_plan_check_forwardings (plan, "auto", ip, port, none);
  assert_finding (plan, NULL, NULL, NULL);
}

/* ---- ports ---- */

static void
what_is_in_a_binding_profile_is_named (void **state)
{
  static const struct {
    const char *port, *severity, *words;
  } cases[] = {
    { "{'id': 'P', 'binding:profile': {}}", NULL, NULL },
    { "{'id': 'P', 'binding:profile': {'capabilities': ['switchdev']}}", "warning",
      "will not have: capabilities=[\"switchdev\"]" },
    { "{'id': 'P', 'binding:profile': {'pci_slot': '0000:01:00.1', 'physical_network': 'p'}}",
      "info", "pci_slot=\"0000:01:00.1\", physical_network=\"p\"" },
    { "{'id': 'P', 'binding:profile': {'pci_slot': 'x', 'tag': 5}}", "warning",
      "pci_slot=\"x\", tag=5" },
  };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    OSM_CLEANUP_JSON json_t *port = parse (cases[i].port), *plan = empty_plan ();

    osm_plan_check_port (plan, port);
    assert_finding (plan, cases[i].severity ? "port-binding-profile" : NULL, cases[i].severity,
                    cases[i].words);
  }
}

static void
the_status_of_an_uplink_is_told (void **state)
{
  OSM_CLEANUP_JSON json_t *direct = parse ("{'id': 'P', 'propagate_uplink_status': true, "
                                           "'binding:vnic_type': 'direct'}"),
                          *normal = parse ("{'id': 'P', 'propagate_uplink_status': true}"),
                          *off = parse ("{'id': 'P', 'propagate_uplink_status': false}"),
                          *none = json_object (),
                          *able = parse ("{'uplink-status-propagation': true}"),
                          *planned = parse ("{'create': {}}"), *plan = empty_plan ();

  (void)state;
  osm_plan_port_fields (plan, direct, none, NULL, planned);
  assert_finding (plan, "destination-port-extension", "warning", "propagate_uplink_status");
  osm_plan_port_fields (plan, normal, none, NULL, planned);
  assert_finding (plan, "destination-port-extension", "info", "propagate_uplink_status");
  osm_plan_port_fields (plan, off, none, NULL, planned);
  assert_finding (plan, NULL, NULL, NULL);
  osm_plan_port_fields (plan, normal, able, NULL, planned);
  assert_finding (plan, NULL, NULL, NULL);
  assert_true (json_is_true (
      json_object_get (json_object_get (planned, "create"), "propagate_uplink_status")));
}

/* ---- volumes ---- */

static void
a_read_only_volume_is_told (void **state)
{
  OSM_CLEANUP_JSON json_t *volume = parse ("{'metadata': {'readonly': 'True', 'attached_mode': "
                                           "'ro', 'tier': 'gold', 'osm.role': 'x'}}"),
                          *writable = parse ("{'metadata': {'readonly': 'False'}}"),
                          *own = osm_plan_volume_metadata (json_object_get (volume, "metadata")),
                          *plan = empty_plan ();

  (void)state;
  assert_json (own, "{'tier': 'gold'}");
  osm_plan_check_volume (plan, "data", volume, NULL);
  assert_finding (plan, "source-volume-read-only", "warning", "'data' is read-only");
  osm_plan_check_volume (plan, "data", writable, NULL);
  assert_finding (plan, NULL, NULL, NULL);
}

static void
zones_of_volumes_are_told (void **state)
{
  OSM_CLEANUP_JSON json_t *zones = parse ("[{'zoneName': 'a', 'zoneState': {'available': true}}, "
                                          "{'zoneName': 'b', 'zoneState': {'available': false}}]"),
                          *two = parse ("[{'zoneName': 'a'}, {'zoneName': 'b'}]"),
                          *plan = empty_plan ();

  (void)state;
  json_object_set_new (plan, "volumes",
                       parse ("[{'name': 'boot', 'source_zone': 'nova'}, "
                              "{'name': 'data', 'source_zone': 'a'}]"));
  osm_plan_check_volume_zones (plan, "dst", zones);
  assert_finding (plan, NULL, NULL, NULL);
  osm_plan_check_volume_zones (plan, "dst", two);
  assert_finding (plan, "volume-availability-zone-not-kept", "info",
                  "'data' is in availability zone 'a'; its copy is in the default zone of cloud "
                  "'dst' (a, b)");
  osm_plan_check_volume_zones (plan, "dst", NULL);
  assert_finding (plan, "volume-availability-zone-not-kept", "info", "not shown");
}

/* ---- the server ---- */

static void
a_kernel_that_is_an_image_is_told_once (void **state)
{
  OSM_CLEANUP_JSON json_t *image = parse ("{'kernel_id': 'K', 'ramdisk_id': '', 'min_ram': '5'}"),
                          *carried = osm_plan_volume_image_metadata (image),
                          *server = parse ("{'name': 'web', 'OS-EXT-SRV-ATTR:kernel_id': 'K', "
                                           "'OS-EXT-SRV-ATTR:ramdisk_id': 'R'}"),
                          *usual = parse ("{'OS-EXT-SRV-ATTR:kernel_id': ''}"),
                          *plan = empty_plan ();

  (void)state;
  assert_json (carried, "{'min_ram': '5'}");
  osm_plan_check_kernel (plan, "web", usual);
  osm_plan_carried_server (plan, server);
  osm_plan_carried_image (plan, "web", image, carried);
  assert_finding (plan, NULL, NULL, NULL);
  osm_plan_check_kernel (plan, "web", image);
  osm_plan_check_kernel (plan, "web", server);
  assert_finding (plan, "source-kernel-image", "warning", "(kernel_id=K)");
  osm_plan_check_kernel (plan, "web", server);
  assert_finding (plan, "source-kernel-image", "warning", "ramdisk_id=R");
}

static void
a_config_drive_is_made_anew (void **state)
{
  OSM_CLEANUP_JSON json_t *server = parse ("{'name': 'web'}"), *plan = empty_plan ();

  (void)state;
  osm_plan_check_config_drive (plan, server);
  assert_finding (plan, NULL, NULL, NULL);
  json_object_set_new (json_object_get (plan, "server"), "config_drive", json_true ());
  osm_plan_check_config_drive (plan, server);
  assert_finding (plan, "platform-config-drive", "info", "VFAT");
}

static void
the_reason_of_a_lock_is_told (void **state)
{
  OSM_CLEANUP_JSON json_t *given = parse ("{'name': 'web', 'status': 'ACTIVE', 'locked': true, "
                                          "'locked_reason': 'audit'}"),
                          *none = parse ("{'name': 'web', 'status': 'ACTIVE', 'locked': true, "
                                         "'locked_reason': null}"),
                          *plan = empty_plan ();

  (void)state;
  osm_plan_check_state (plan, given);
  assert_finding (plan, "source-server-locked", "blocker", "volumes (reason: 'audit')");
  osm_plan_check_state (plan, none);
  assert_finding (plan, "source-server-locked", "blocker", "volumes");
}

static void
bare_metal_whatever_its_class_is_called (void **state)
{
  static const struct {
    const char *specs, *id, *severity;
  } cases[] = {
    { "{'resources:CUSTOM_GOLD': '1', 'resources:VCPU': '0', 'resources:MEMORY_MB': '0'}",
      "platform-bare-metal", "blocker" },
    { "{'resources:CUSTOM_GOLD': '1', 'resources:VCPU': '0', 'resources:PCPU': '0'}",
      "platform-bare-metal", "blocker" },
    { "{'resources:CUSTOM_LICENCE': '1', 'resources:VCPU': '2'}", "platform-resources", "info" },
    { "{'resources:CUSTOM_LICENCE': '0', 'resources:VCPU': '0'}", NULL, NULL },
    { "{'resources:VCPU': '0'}", NULL, NULL },
  };
  OSM_CLEANUP_JSON json_t *plan = empty_plan (),
                          *pinned = parse ("{'resources:CUSTOM_LICENCE': '1', 'resources:VCPU': "
                                           "'0', 'resources:PCPU': '2'}");

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    OSM_CLEANUP_JSON json_t *specs = parse (cases[i].specs);

    osm_plan_platform (plan, "web", specs, specs, NULL);
    assert_finding (plan, cases[i].id, cases[i].severity, NULL);
  }
  osm_plan_platform (plan, "web", pinned, pinned, NULL);
  assert_false (osm_plan_has_finding (plan, "platform-bare-metal", "web"));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (an_existing_floating_ip_keeps_what_it_has),
    cmocka_unit_test (what_else_a_floating_ip_has_is_named),
    cmocka_unit_test (forwardings_to_the_port_are_named),
    cmocka_unit_test (what_is_in_a_binding_profile_is_named),
    cmocka_unit_test (the_status_of_an_uplink_is_told),
    cmocka_unit_test (a_read_only_volume_is_told),
    cmocka_unit_test (zones_of_volumes_are_told),
    cmocka_unit_test (a_kernel_that_is_an_image_is_told_once),
    cmocka_unit_test (a_config_drive_is_made_anew),
    cmocka_unit_test (the_reason_of_a_lock_is_told),
    cmocka_unit_test (bare_metal_whatever_its_class_is_called),
  };

  return cmocka_run_group_tests_name ("controller/migration/plan-carried", tests, NULL, NULL);
}
