/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/plan-internal.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"
#include "controller/cloud/network.h"

/* The destination subnet for an address: the mapped one, else the one of the same name, else the one whose range holds it. */
static int
find_subnet (const struct osm_plan_input *input, json_t *plan, const char *network_id,
             const char *network_name, const char *source_subnet_name, const char *address,
             const json_t **ret, json_t **ret_subnets, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *query = osm_asprintf ("network_id=%s", network_id);
  const char *wanted = NULL;
  size_t i;
  json_t *subnet;

  if (source_subnet_name && *source_subnet_name)
    wanted = osm_config_map (input->config, "subnets", source_subnet_name);
  if (osm_network_list (input->cloud[OSM_DESTINATION], &osm_subnets, query, ret_subnets, err) == -1)
    return -1;
  *ret = NULL;
  json_array_foreach (*ret_subnets, i, subnet)
  {
    const char *cidr = osm_json_str (subnet, "cidr");
    bool named = osm_str_equal (osm_json_str (subnet, "name"), wanted) ||
                 osm_str_equal (osm_json_str (subnet, "id"), wanted);

    if (!cidr || !osm_cidr_contains (cidr, address))
      continue;
    if (osm_json_str (subnet, "id") && (!*ret || named))
      *ret = subnet;
  }
  if (!*ret)
    osm_plan_finding (plan, "destination-subnet-missing", "blocker", address,
                      "create a subnet with that range at the destination, or map the network to "
                      "another one",
                      "address %s: network '%s' of cloud '%s' has no subnet that contains it",
                      address, network_name, osm_cloud_name (input->cloud[OSM_DESTINATION]));
  return 0;
}

/* Text that a port must have. NULL with err. */
static const char *
text_of (const json_t *object, const char *key, struct osm_error *err)
{
  const char *text = osm_json_str (object, key);

  if (!text)
    osm_error_set (err, OSM_ERROR_REMOTE, 0, "the answer has no '%s'", key);
  return text;
}

static int
check_free (const struct osm_plan_input *input, json_t *plan, const char *network_id,
            const char *network_name, const char *what, const char *filter, const char *value,
            struct osm_error *err)
{
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (value);
  OSM_CLEANUP_FREE char *query = osm_asprintf ("network_id=%s&%s%s", network_id, filter, quoted);
  OSM_CLEANUP_JSON json_t *ports = NULL;

  if (osm_network_list (input->cloud[OSM_DESTINATION], &osm_ports, query, &ports, err) == -1)
    return -1;
  if (json_array_size (ports) > 0)
    osm_plan_finding (plan, "destination-address-in-use", "blocker", value,
                      "free it: delete or change that port",
                      "%s %s is already used on network '%s' of cloud '%s' by port %s", what, value,
                      network_name, osm_cloud_name (input->cloud[OSM_DESTINATION]),
                      osm_json_str (json_array_get (ports, 0), "id"));
  return 0;
}

static int
plan_security_groups (const struct osm_plan_input *input, json_t *plan, const json_t *port,
                      json_t *create, struct osm_error *err)
{
  json_t *ids = json_array (), *id;
  size_t i;

  json_object_set_new (create, "security_groups", ids);
  json_array_foreach (json_object_get (port, "security_groups"), i, id)
  {
    OSM_CLEANUP_JSON json_t *group = NULL, *target = NULL;

    if (osm_cloud_find (input->cloud[OSM_SOURCE], &osm_security_groups, json_string_value (id),
                        &group, err) == -1 ||
        osm_plan_look_up (input, plan, "security_groups", &osm_security_groups,
                          osm_json_str (group, "name"), &target, err) == -1)
      return -1;
    if (!target)
      continue;
    json_array_append (ids, json_object_get (target, "id"));
    osm_plan_compare_groups (plan, group, target);
  }
  return 0;
}

/* By name. Where there is none of it the new port has none, with a warning, unless the mapping names it: then the operator meant it. */
static int
plan_qos (const struct osm_plan_input *input, json_t *plan, const json_t *port, json_t *create,
          struct osm_error *err)
{
  const char *id = osm_json_str (port, "qos_policy_id"), *label = osm_json_str (port, "id"), *name,
             *wanted, *cloud = osm_cloud_name (input->cloud[OSM_DESTINATION]);
  OSM_CLEANUP_JSON json_t *old = NULL, *found = NULL;
  OSM_ERROR (why);

  if (!id)
    return 0;
  if (osm_cloud_find (input->cloud[OSM_SOURCE], &osm_qos_policies, id, &old, &why) == -1 &&
      why.code != 404 && why.code != 403) {
    osm_error_move (err, &why);
    return -1;
  }
  name = osm_json_str (old, "name");
  if (!name) {
    osm_plan_finding (plan, "source-qos-policy-hidden", "warning", label, NULL,
                      "port %s has a QoS policy that these credentials cannot see (%s): the new "
                      "port has none",
                      label, id);
    return 0;
  }
  wanted = osm_config_map (input->config, "qos_policies", name);
  osm_error_clear (&why);
  if (osm_cloud_find (input->cloud[OSM_DESTINATION], &osm_qos_policies, wanted, &found, &why) ==
      0) {
    osm_json_set_str (create, "qos_policy_id", osm_json_str (found, "id"));
    return 0;
  }
  if (why.class != OSM_ERROR_USER && why.code != 404) {
    osm_error_move (err, &why);
    return -1;
  }
  osm_plan_finding (plan, "destination-qos-policy-missing", wanted == name ? "warning" : "blocker",
                    label, "map it in the configuration: map: { qos_policies: { OLD: NEW } }",
                    "port %s: cloud '%s' has no QoS policy '%s'%s", label, cloud, wanted,
                    wanted == name ? ", so the new port has none" : "");
  return 0;
}

/* That the new server is going to have, as far as is known. */
static const char *
hostname_of (const json_t *plan)
{
  return osm_json_str (json_object_get (plan, "server"), "hostname");
}

/* One address into its place in create["fixed_ips"]. */
static int
plan_address (const struct osm_plan_input *input, json_t *plan, const json_t *port,
              const json_t *fixed_ip, const char *network_id, const char *network_name,
              json_t *fixed_ips, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *old_subnet = NULL, *subnets = NULL;
  const char *address = text_of (fixed_ip, "ip_address", err), *subnet_id;
  const json_t *subnet;

  if (!address ||
      osm_cloud_find (input->cloud[OSM_SOURCE], &osm_subnets, osm_json_str (fixed_ip, "subnet_id"),
                      &old_subnet, err) == -1 ||
      find_subnet (input, plan, network_id, network_name, osm_json_str (old_subnet, "name"),
                   address, &subnet, &subnets, err) == -1)
    return -1;
  if (!subnet)
    return 0;
  subnet_id = osm_json_str (subnet, "id");
  if (!osm_plan_is_automatic (subnet))
    json_array_append_new (
        fixed_ips, osm_json_pack ("{s:s, s:s}", "subnet_id", subnet_id, "ip_address", address));
  /* There Neutron lets nobody choose: the address comes from prefix and MAC address, which are the same. */
  else if (osm_plan_is_eui64 (osm_json_str (subnet, "cidr"), osm_json_str (port, "mac_address"),
                              address))
    json_array_append_new (fixed_ips, osm_json_pack ("{s:s}", "subnet_id", subnet_id));
  else
    osm_plan_finding (plan, "destination-address-automatic", "blocker", address,
                      "make a subnet without SLAAC (dhcpv6-stateful) at the destination, or map "
                      "the network to another one",
                      "address %s: subnet '%s' of cloud '%s' gives addresses by itself (SLAAC), "
                      "and would give another one",
                      address, osm_json_str (subnet, "name") ? osm_json_str (subnet, "name") : "",
                      osm_cloud_name (input->cloud[OSM_DESTINATION]));
  return check_free (input, plan, network_id, network_name, "address", "fixed_ips=ip_address%3D",
                     address, err);
}

/* One source port into the body of its successor. */
static int
plan_port (const struct osm_plan_input *input, json_t *plan, const json_t *port,
           const json_t *extensions, const char *tag, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *network = NULL, *target = NULL;
  OSM_STRBUF (addresses);
  json_t *create = json_object (), *fixed_ips = json_array (), *fixed_ip, *planned;
  const char *network_id, *network_name;
  size_t i;

  planned = osm_json_pack ("{s:s?, s:o}", "id", osm_json_str (port, "id"), "create", create);
  json_array_append_new (json_object_get (plan, "ports"), planned);
  json_object_set_new (create, "fixed_ips", fixed_ips);
  osm_json_set_str (planned, "tag", tag);
  osm_plan_port_fields (plan, port, extensions, hostname_of (plan), planned);
  osm_plan_check_port (plan, port);

  if (osm_cloud_find (input->cloud[OSM_SOURCE], &osm_networks, osm_json_str (port, "network_id"),
                      &network, err) == -1)
    return -1;
  network_name = osm_json_str (network, "name");
  osm_json_set_str (planned, "network_name", network_name);
  if (osm_plan_look_up (input, plan, "networks", &osm_networks, network_name, &target, err) == -1)
    return -1;
  json_array_foreach (json_object_get (port, "fixed_ips"), i, fixed_ip) osm_strbuf_addf (
      &addresses, "%s%s", i ? ", " : "",
      osm_json_str (fixed_ip, "ip_address") ? osm_json_str (fixed_ip, "ip_address") : "?");
  osm_json_set_str (planned, "addresses", osm_strbuf_str (&addresses));
  if (!target)
    return 0; /* a blocker was noted */
  network_id = text_of (target, "id", err);
  if (!network_id)
    return -1;
  network_name = osm_json_str (target, "name");
  osm_plan_check_network (plan, osm_cloud_name (input->cloud[OSM_DESTINATION]),
                          osm_cloud_project_id (input->cloud[OSM_DESTINATION]), target);
  osm_json_set_str (planned, "network_name", network_name);
  osm_json_set_str (create, "network_id", network_id);

  json_array_foreach (json_object_get (port, "fixed_ips"), i, fixed_ip)
  {
    if (plan_address (input, plan, port, fixed_ip, network_id, network_name, fixed_ips, err) == -1)
      return -1;
  }
  if (!text_of (port, "mac_address", err) ||
      check_free (input, plan, network_id, network_name, "MAC address",
                  "mac_address=", osm_json_str (port, "mac_address"), err) == -1 ||
      plan_qos (input, plan, port, create, err) == -1)
    return -1;
  return plan_security_groups (input, plan, port, create, err);
}

static const char *
network_of_last_port (const json_t *plan)
{
  const json_t *ports = json_object_get (plan, "ports");
  const json_t *last = json_array_get (ports, json_array_size (ports) - 1);

  return osm_json_str (json_object_get (last, "create"), "network_id");
}

/* Those of Neutron at the destination; *ret NULL: it does not tell. */
static int
extensions_of (const struct osm_plan_input *input, json_t **ret, struct osm_error *err)
{
  *ret = NULL;
  if (osm_network_extensions (input->cloud[OSM_DESTINATION], ret, err) == 0)
    return 0;
  if (!osm_error_not_found (err) && err->code != 403)
    return -1;
  osm_error_clear (err);
  return 0;
}

int
osm_plan_ports (const struct osm_plan_input *input, json_t *plan, const json_t *server,
                struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *found = NULL, *interfaces = NULL, *extensions = NULL;
  const char *id = osm_json_str (server, "id"), *name = osm_json_str (server, "name");
  bool certain;
  size_t i;
  const json_t *interface;

  if (osm_server_interfaces (input->cloud[OSM_SOURCE], id, &found, err) == -1 ||
      extensions_of (input, &extensions, err) == -1)
    return -1;
  interfaces = osm_plan_order_ports (found, server, &certain);
  if (!certain)
    osm_plan_finding (plan, "source-port-order", "warning", name,
                      "look at the order of the plan's ports (--dry-run); inside the server its "
                      "network cards go by their MAC addresses, which stay",
                      "server '%s': Nova does not tell the order of all of its %zu ports", name,
                      json_array_size (interfaces));
  json_array_foreach (interfaces, i, interface)
  {
    OSM_CLEANUP_JSON json_t *port = NULL;
    const char *port_id = osm_json_str (interface, "port_id");

    if (osm_cloud_find (input->cloud[OSM_SOURCE], &osm_ports, port_id, &port, err) == -1 ||
        plan_port (input, plan, port, extensions, osm_json_str (interface, "tag"), err) == -1 ||
        osm_plan_floating_ips (input, plan, port_id, network_of_last_port (plan), err) == -1)
      return osm_error_wrap (err, "port %s", port_id);
  }
  return 0;
}
