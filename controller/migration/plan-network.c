/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What is special about a port, its network and its security groups.
 * https://docs.openstack.org/api-ref/network/v2/index.html#ports */

#include <config.h>

#include "controller/migration/plan-internal.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"

/* ---- ports ---- */

static void
check_vnic_type (json_t *plan, const char *label, const char *type)
{
  static const char *const machines[] = { "baremetal", "smart-nic", "remote-managed" };

  if (!type || strcmp (type, "normal") == 0)
    return;
  for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++)
    if (strcmp (type, machines[i]) == 0) {
      osm_plan_finding (plan, "port-bare-metal", "blocker", label,
                        "give the server a port of vnic type 'normal' or 'direct' first",
                        "port %s is of vnic type '%s', which belongs to a machine", label, type);
      return;
    }
  osm_plan_finding (plan, "port-vnic-type", "warning", label,
                    "the destination's network and hosts must offer it (SR-IOV, for example)",
                    "port %s is of vnic type '%s': it needs a device of the host", label, type);
}

/* What else is in binding:profile, which only administrators and services may write. */
static void
check_profile (json_t *plan, const char *label, const json_t *profile)
{
  /* Nova writes these when it gives the port a device of a host, and does so for the new one. */
  static const char *const nova[] = {
    "pci_slot", "pci_vendor_info",    "physical_network",   "pf_mac_address",
    "vf_num",   "card_serial_number", "device_mac_address", "allocation",
    "arq_uuid", "migrating_to",       "os_vif_delegation",  NULL
  };
  OSM_STRBUF (lost);
  const char *key;
  json_t *value;
  bool ours = false;

  json_object_foreach ((json_t *)profile, key, value)
  {
    OSM_CLEANUP_FREE char *text = NULL;

    if (strcmp (key, "trusted") == 0)
      continue;
    text = json_dumps (value, JSON_COMPACT | JSON_ENCODE_ANY);
    osm_strbuf_addf (&lost, "%s%s", lost.len ? ", " : "", key);
    if (text && strlen (text) <= 64)
      osm_strbuf_addf (&lost, "=%s", text);
    ours |= !osm_strv_contains ((char *const *)nova, key);
  }
  if (lost.len)
    osm_plan_finding (plan, "port-binding-profile", ours ? "warning" : "info", label,
                      ours ? "an administrator sets it: openstack port set --binding-profile "
                             "KEY=VALUE"
                           : NULL,
                      ours ? "port %s has a binding profile that the new port will not have: %s"
                           : "port %s has a binding profile (%s): Nova writes another one for the "
                             "host of the new port",
                      label, osm_strbuf_str (&lost));
}

void
osm_plan_check_port (json_t *plan, const json_t *port)
{
  const char *name = osm_json_str (port, "name"), *id = osm_json_str (port, "id");
  const char *label = name && *name ? name : id ? id : "";
  const json_t *profile = json_object_get (port, "binding:profile"),
               *request = json_object_get (port, "resource_request"), *trusted;

  check_vnic_type (plan, label, osm_json_str (port, "binding:vnic_type"));
  if (json_object_size (request) > 0)
    osm_plan_finding (plan, "port-resource-request", "warning", label,
                      "give the new port a QoS policy with that minimum before the server needs it",
                      "port %s asks for resources of the host (a minimum of bandwidth or packets): "
                      "they are not kept free for the new port",
                      label);
  if (json_is_object (json_object_get (port, "trunk_details")))
    osm_plan_finding (plan, "port-trunk", "warning", label,
                      "make a trunk of the new port and its subports afterwards",
                      "port %s is the parent of a trunk: the new port is an ordinary one, its "
                      "subports are not moved",
                      label);
  trusted = json_object_get (profile, "trusted");
  if (json_is_true (trusted) || osm_str_equal (json_string_value (trusted), "true"))
    osm_plan_finding (plan, "port-trusted", "warning", label,
                      "an administrator sets it: openstack port set --binding-profile trusted=true",
                      "port %s is a trusted one: the new port is not", label);
  check_profile (plan, label, profile);
  osm_plan_carried_port (plan, label, port);
}

/* What of the new port by Neutron's default policy only an administrator or the network's owner may say. In words; NULL: nothing. */
static char *
reserved_for_owner (const json_t *create)
{
  const json_t *one;
  size_t i;
  OSM_STRBUF (b);

  json_array_foreach (json_object_get (create, "fixed_ips"), i, one)
  {
    const char *address = osm_json_str (one, "ip_address");

    if (address)
      osm_strbuf_addf (&b, "%s%s", b.len ? ", " : "address ", address);
  }
  if (osm_json_str (create, "mac_address"))
    osm_strbuf_addf (&b, "%sMAC address %s", b.len ? ", " : "",
                     osm_json_str (create, "mac_address"));
  if (json_is_boolean (json_object_get (create, "port_security_enabled")))
    osm_strbuf_addf (&b, "%sport security %s", b.len ? ", " : "",
                     json_is_true (json_object_get (create, "port_security_enabled")) ? "on"
                                                                                      : "off");
  if (json_array_size (json_object_get (create, "allowed_address_pairs")) > 0)
    osm_strbuf_addf (&b, "%sallowed address pairs", b.len ? ", " : "");
  return b.len ? osm_strbuf_take (&b) : NULL;
}

void
osm_plan_check_network (json_t *plan, const struct osm_plan_rights *rights, const json_t *network,
                        const char *port, const json_t *create)
{
  const char *owner = osm_json_str (network, "project_id"), *name = osm_json_str (network, "name");
  OSM_CLEANUP_FREE char *reserved = reserved_for_owner (create);

  if (!owner)
    owner = osm_json_str (network, "tenant_id");
  if (!owner || !*owner || !rights->project_id || strcmp (owner, rights->project_id) == 0 ||
      rights->administrator || !reserved)
    return;
  osm_plan_finding (
      plan, "destination-network-shared", "warning", name,
      "map it to a network of this project: map: { networks: { OLD: NEW } }; or have the cloud's "
      "policy allow it (create_port:mac_address, create_port:fixed_ips:ip_address and so on) and "
      "accept it: --accept destination-network-shared. An address that the subnet chooses needs no "
      "right (a plan file's fixed_ips with a subnet and no address), a MAC address always does",
      "network '%s' of cloud '%s' belongs to another project: by default Neutron refuses to "
      "anybody "
      "but its owner what port %s is to have there: %s",
      name ? name : "", rights->cloud, port, reserved);
  osm_plan_must_accept (plan);
}

/* ---- security groups ---- */

static const char *
word (const json_t *rule, const char *key, const char *otherwise)
{
  const char *text = osm_json_str (rule, key);

  return text && *text ? text : otherwise;
}

/* "ingress IPv4 tcp 22 from 10.0.0.0/8": equal for equal rules of two clouds. */
static char *
rule_text (const json_t *rule, const char *group_id)
{
  const json_t *first = json_object_get (rule, "port_range_min"),
               *last = json_object_get (rule, "port_range_max");
  const char *group = osm_json_str (rule, "remote_group_id"),
             *addresses = osm_json_str (rule, "remote_address_group_id"),
             *prefix = word (rule, "remote_ip_prefix", "anywhere"),
             *direction = word (rule, "direction", "?");
  OSM_STRBUF (b);

  osm_strbuf_addf (&b, "%s %s %s", direction, word (rule, "ethertype", "IPv4"),
                   word (rule, "protocol", "any"));
  if (json_is_integer (first))
    osm_strbuf_addf (&b, " %" JSON_INTEGER_FORMAT, json_integer_value (first));
  if (json_is_integer (last) && json_integer_value (last) != json_integer_value (first))
    osm_strbuf_addf (&b, "-%" JSON_INTEGER_FORMAT, json_integer_value (last));
  /* The whole world, in words or as a prefix. */
  if (strcmp (prefix, "0.0.0.0/0") == 0 || strcmp (prefix, "::/0") == 0)
    prefix = "anywhere";
  osm_strbuf_addf (&b, " %s %s", strcmp (direction, "egress") == 0 ? "to" : "from",
                   group       ? osm_str_equal (group, group_id) ? "its own group" : "another group"
                   : addresses ? "a group of addresses"
                               : prefix);
  return osm_strbuf_take (&b);
}

/* {text: how many}: rules have no order, and two rules towards two other groups look the same. */
static json_t *
count_rules (const json_t *group)
{
  json_t *counts = json_object ();
  const json_t *rule;
  size_t i;

  json_array_foreach (json_object_get (group, "security_group_rules"), i, rule)
  {
    OSM_CLEANUP_FREE char *text = rule_text (rule, osm_json_str (group, "id"));
    json_int_t n = json_integer_value (json_object_get (counts, text));

    json_object_set_new_nocheck (counts, text, json_integer (n + 1));
  }
  return counts;
}

static void
add_missing (struct osm_strbuf *b, const char *where, const json_t *rules, const json_t *others)
{
  const char *text;
  json_t *n;
  bool first = true;

  json_object_foreach ((json_t *)rules, text, n)
  {
    if (json_integer_value (n) <= json_integer_value (json_object_get (others, text)))
      continue;
    osm_strbuf_addf (b, "%s%s", first ? b->len ? "; " : "" : ", ", first ? where : "");
    osm_strbuf_add (b, text);
    first = false;
  }
}

char *
osm_plan_group_difference (const json_t *old, const json_t *new)
{
  OSM_CLEANUP_JSON json_t *was = count_rules (old), *is = count_rules (new);
  const json_t *stateful = json_object_get (old, "stateful");
  OSM_STRBUF (b);

  if (json_is_boolean (stateful) && json_is_boolean (json_object_get (new, "stateful")) &&
      json_is_true (stateful) != json_is_true (json_object_get (new, "stateful")))
    osm_strbuf_addf (&b, "the source's is %s", json_is_true (stateful) ? "stateful" : "stateless");
  add_missing (&b, "only at the source: ", was, is);
  add_missing (&b, "only at the destination: ", is, was);
  return b.len ? osm_strbuf_take (&b) : NULL;
}

void
osm_plan_compare_groups (json_t *plan, const json_t *old, const json_t *new)
{
  const char *name = osm_json_str (new, "name");
  OSM_CLEANUP_FREE char *difference = NULL;

  if (osm_plan_has_finding (plan, "security-group-differs", name))
    return;
  difference = osm_plan_group_difference (old, new);
  if (difference)
    osm_plan_finding (plan, "security-group-differs", "warning", name,
                      "make the rules of the destination's group as they should be",
                      "security group '%s' has other rules at the destination: %s",
                      name ? name : "", difference);
}
