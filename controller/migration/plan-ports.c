/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/plan-internal.h"

#include <string.h>

#include "common/cidr.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"
#include "controller/cloud/network.h"

/* An address that the new port is to have. */
struct wanted {
  const char *address; /* NULL: the subnet gives one */
  const char *subnet;  /* name or id */
  bool named;          /* the operator's word: then no other subnet will do */
};

/* The one that is wanted, else the one whose range holds the address. NULL: there is none. */
static const json_t *
choose_subnet (const json_t *subnets, const struct wanted *wanted)
{
  const json_t *subnet, *found = NULL;
  size_t i;

  json_array_foreach (subnets, i, subnet)
  {
    const char *cidr = osm_json_str (subnet, "cidr"), *id = osm_json_str (subnet, "id");
    bool is_it = wanted->subnet && (osm_str_equal (osm_json_str (subnet, "name"), wanted->subnet) ||
                                    osm_str_equal (id, wanted->subnet));

    if (!id || !cidr || (wanted->named && !is_it) || (!wanted->address && !is_it) ||
        (wanted->address && !osm_cidr_contains (cidr, wanted->address)))
      continue;
    if (!found || is_it)
      found = subnet;
  }
  return found;
}

/* What the file calls it: its name, if it is the only one. */
static const char *
subnet_label (const json_t *subnets, const json_t *subnet)
{
  const char *name = osm_json_str (subnet, "name");
  const json_t *other;
  size_t i, n = 0;

  json_array_foreach (subnets, i, other) n += osm_str_equal (osm_json_str (other, "name"), name);
  return name && *name && n == 1 ? name : osm_json_str (subnet, "id");
}

static void
subnet_missing (const struct osm_plan_input *input, json_t *plan, const char *network_name,
                const struct wanted *wanted)
{
  const char *cloud = osm_cloud_name (input->cloud[OSM_DESTINATION]),
             *object = wanted->address ? wanted->address : wanted->subnet;

  if (wanted->named)
    osm_plan_finding (plan, "destination-subnet-missing", "blocker", object,
                      "name another subnet, or create that one",
                      "network '%s' of cloud '%s' has no subnet '%s'%s%s", network_name, cloud,
                      wanted->subnet, wanted->address ? " that contains " : "",
                      wanted->address ? wanted->address : "");
  else
    osm_plan_finding (plan, "destination-subnet-missing", "blocker", object,
                      "create a subnet with that range at the destination, or map the network to "
                      "another one",
                      "address %s: network '%s' of cloud '%s' has no subnet that contains it",
                      object ? object : "", network_name, cloud);
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
add_group (const struct osm_plan_input *input, json_t *plan, json_t *planned, const char *name,
           const char *wanted, json_t **ret, struct osm_error *err)
{
  json_t *ids = json_object_get (json_object_get (planned, "create"), "security_groups");

  if (osm_plan_look_up (input, plan, "security_groups", &osm_security_groups, name, wanted, ret,
                        err) == -1)
    return -1;
  if (*ret)
    json_array_append (ids, json_object_get (*ret, "id"));
  osm_plan_choose_also (planned, "security_groups",
                        osm_plan_choice (wanted, osm_json_str (*ret, "id")));
  return 0;
}

static int
plan_security_groups (const struct osm_plan_input *input, json_t *plan, const json_t *port,
                      const json_t *wish, json_t *planned, struct osm_error *err)
{
  const json_t *wished = json_object_get (wish, "security_groups"), *id;
  json_t *create = json_object_get (planned, "create");
  size_t i;

  json_object_set_new (create, "security_groups", json_array ());
  json_array_foreach (wished, i, id)
  {
    OSM_CLEANUP_JSON json_t *target = NULL;
    const char *wanted = json_string_value (id);

    if (add_group (input, plan, planned, wanted, wanted, &target, err) == -1)
      return -1;
  }
  json_array_foreach (json_object_get (port, "security_groups"), i, id)
  {
    OSM_CLEANUP_JSON json_t *group = NULL, *target = NULL;
    OSM_CLEANUP_FREE char *mapped = NULL;
    const char *name;

    if (wished)
      break;
    if (osm_cloud_find (input->cloud[OSM_SOURCE], &osm_security_groups, json_string_value (id),
                        &group, err) == -1)
      return -1;
    name = osm_json_str (group, "name");
    mapped = osm_config_map (input->config, "security_groups", name, json_string_value (id));
    if (add_group (input, plan, planned, name, mapped ? mapped : name, &target, err) == -1)
      return -1;
    if (target)
      osm_plan_compare_groups (plan, group, target);
  }
  return 0;
}

static int
plan_qos (const struct osm_plan_input *input, json_t *plan, const json_t *port, const json_t *wish,
          json_t *planned, struct osm_error *err)
{
  const struct osm_plan_limited limited = { "port", osm_json_str (port, "id"),
                                            osm_json_str (port, "qos_policy_id") };

  return osm_plan_qos (input, plan, &limited, wish, planned, err);
}

/* That the new server is going to have, as far as is known. */
static const char *
hostname_of (const json_t *plan)
{
  return osm_json_str (json_object_get (plan, "server"), "hostname");
}

static void
choose_address (json_t *planned, const struct wanted *wanted, const char *label, const char *id)
{
  json_t *choice = osm_json_pack ("{s:s?}", "address", wanted->address);

  json_object_set_new (choice, "subnet", label ? osm_plan_choice (label, id) : json_null ());
  osm_plan_choose_also (planned, "fixed_ips", choice);
}

/* One address into its place in create["fixed_ips"]. */
static int
plan_address (const struct osm_plan_input *input, json_t *plan, json_t *planned,
              const struct wanted *wanted, const json_t *subnets, struct osm_error *err)
{
  json_t *create = json_object_get (planned, "create"),
         *fixed_ips = json_object_get (create, "fixed_ips");
  const char *network_id = osm_json_str (create, "network_id"),
             *network_name = osm_json_str (planned, "network_name"), *subnet_id;
  const json_t *subnet = choose_subnet (subnets, wanted);

  if (!subnet) {
    choose_address (planned, wanted, wanted->named ? wanted->subnet : NULL, NULL);
    subnet_missing (input, plan, network_name, wanted);
    return 0;
  }
  subnet_id = osm_json_str (subnet, "id");
  choose_address (planned, wanted, wanted->named ? wanted->subnet : subnet_label (subnets, subnet),
                  subnet_id);
  if (!wanted->address) {
    json_array_append_new (fixed_ips, osm_json_pack ("{s:s}", "subnet_id", subnet_id));
    return 0;
  }
  if (!osm_plan_is_automatic (subnet))
    json_array_append_new (fixed_ips, osm_json_pack ("{s:s, s:s}", "subnet_id", subnet_id,
                                                     "ip_address", wanted->address));
  /* There Neutron lets nobody choose: the address comes from prefix and MAC address. */
  else if (osm_plan_is_eui64 (osm_json_str (subnet, "cidr"), osm_json_str (create, "mac_address"),
                              wanted->address))
    json_array_append_new (fixed_ips, osm_json_pack ("{s:s}", "subnet_id", subnet_id));
  else
    osm_plan_finding (plan, "destination-address-automatic", "blocker", wanted->address,
                      "make a subnet without SLAAC (dhcpv6-stateful) at the destination, or map "
                      "the network to another one",
                      "address %s: subnet '%s' of cloud '%s' gives addresses by itself (SLAAC), "
                      "and would give another one",
                      wanted->address,
                      osm_json_str (subnet, "name") ? osm_json_str (subnet, "name") : "",
                      osm_cloud_name (input->cloud[OSM_DESTINATION]));
  return check_free (input, plan, network_id, network_name, "address", "fixed_ips=ip_address%3D",
                     wanted->address, err);
}

/* What the source has, by the mapping. */
static int
plan_old_address (const struct osm_plan_input *input, json_t *plan, json_t *planned,
                  const json_t *fixed_ip, const json_t *subnets, struct osm_error *err)
{
  const char *subnet_id = osm_json_str (fixed_ip, "subnet_id"), *name;
  struct wanted wanted = { .address = text_of (fixed_ip, "ip_address", err) };
  OSM_CLEANUP_JSON json_t *old_subnet = NULL;
  OSM_CLEANUP_FREE char *mapped = NULL;

  if (!wanted.address ||
      osm_cloud_find (input->cloud[OSM_SOURCE], &osm_subnets, subnet_id, &old_subnet, err) == -1)
    return -1;
  name = osm_json_str (old_subnet, "name");
  mapped = osm_config_map (input->config, "subnets", name, subnet_id);
  wanted.subnet = mapped ? mapped : name && *name ? name : NULL;
  wanted.named = mapped != NULL;
  return plan_address (input, plan, planned, &wanted, subnets, err);
}

/* subnets: of the destination's network. */
static int
plan_addresses (const struct osm_plan_input *input, json_t *plan, const json_t *port,
                const json_t *wish, json_t *planned, const json_t *subnets, struct osm_error *err)
{
  const json_t *wished = json_object_get (wish, "fixed_ips"), *fixed_ip;
  size_t i;

  json_array_foreach (wished ? wished : json_object_get (port, "fixed_ips"), i, fixed_ip)
  {
    const char *subnet = osm_json_str (fixed_ip, "subnet");
    const struct wanted wanted = { osm_json_str (fixed_ip, "address"), subnet, subnet != NULL };

    if ((wished ? plan_address (input, plan, planned, &wanted, subnets, err)
                : plan_old_address (input, plan, planned, fixed_ip, subnets, err)) == -1)
      return -1;
  }
  return 0;
}

/* There is no network that they could be on: that is said of the network, not of each of them. */
static void
keep_addresses (const json_t *port, const json_t *wish, json_t *planned)
{
  const json_t *wished = json_object_get (wish, "fixed_ips"), *fixed_ip;
  size_t i;

  json_array_foreach (wished ? wished : json_object_get (port, "fixed_ips"), i, fixed_ip)
  {
    const struct wanted wanted = { .address =
                                       osm_json_str (fixed_ip, wished ? "address" : "ip_address") };

    const char *subnet = osm_json_str (fixed_ip, "subnet");

    choose_address (planned, &wanted, subnet, subnet);
  }
}

static void
plan_mac (const json_t *port, const json_t *wish, json_t *planned)
{
  const char *old = osm_json_str (port, "mac_address"), *mac = osm_json_str (wish, "mac_address");

  if (!mac || osm_str_equal (mac, old))
    return;
  osm_json_set_str (json_object_get (planned, "create"), "mac_address", mac);
  osm_json_set_str (planned, "source_mac", old);
}

/* Its network, by the file, the mapping or its name; *ret NULL: there is none, and a blocker was noted. */
static int
plan_network (const struct osm_plan_input *input, json_t *plan, const json_t *port,
              const json_t *wish, json_t *planned, json_t **ret, struct osm_error *err)
{
  const char *id = osm_json_str (port, "network_id"), *name;
  OSM_CLEANUP_JSON json_t *network = NULL;
  OSM_CLEANUP_FREE char *wanted = NULL;

  if (osm_cloud_find (input->cloud[OSM_SOURCE], &osm_networks, id, &network, err) == -1)
    return -1;
  name = text_of (network, "name", err);
  if (!name)
    return -1;
  wanted = osm_plan_wanted (input, wish, "network", "networks", name, id, NULL);
  if (!wanted)
    wanted = osm_strdup (name);
  osm_json_set_str (planned, "network_name", wanted);
  if (osm_plan_look_up (input, plan, "networks", &osm_networks, name, wanted, ret, err) == -1)
    return -1;
  osm_plan_choose (planned, "network", wanted, osm_json_str (*ret, "id"));
  return 0;
}

static void
check_rights (const struct osm_plan_input *input, json_t *plan, const json_t *port,
              const json_t *network, const json_t *create)
{
  struct osm_cloud *cloud = input->cloud[OSM_DESTINATION];
  const struct osm_plan_rights rights = { osm_cloud_name (cloud), osm_cloud_project_id (cloud),
                                          osm_cloud_is_administrator (cloud) };
  const char *name = osm_json_str (port, "name");

  osm_plan_check_network (plan, &rights, network, name && *name ? name : osm_json_str (port, "id"),
                          create);
}

/* One source port into the body of its successor. */
static int
plan_port (const struct osm_plan_input *input, json_t *plan, const json_t *port,
           const json_t *extensions, const char *tag, struct osm_error *err)
{
  const json_t *wish = osm_plan_wish (input, "ports", osm_json_str (port, "id"));
  OSM_CLEANUP_JSON json_t *target = NULL, *subnets = NULL;
  OSM_CLEANUP_FREE char *query = NULL;
  OSM_STRBUF (addresses);
  json_t *create = json_object (), *fixed_ip, *planned;
  const char *network_id;
  size_t i;

  planned = osm_json_pack ("{s:s?, s:o}", "id", osm_json_str (port, "id"), "create", create);
  json_array_append_new (json_object_get (plan, "ports"), planned);
  json_object_set_new (create, "fixed_ips", json_array ());
  osm_json_set_str (planned, "tag", tag);
  osm_plan_port_fields (plan, port, extensions, hostname_of (plan), planned);
  osm_json_set_str (create, "name", osm_json_str (wish, "name"));
  plan_mac (port, wish, planned);
  osm_plan_check_port (plan, port);
  json_array_foreach (json_object_get (port, "fixed_ips"), i, fixed_ip) osm_strbuf_addf (
      &addresses, "%s%s", i ? ", " : "",
      osm_json_str (fixed_ip, "ip_address") ? osm_json_str (fixed_ip, "ip_address") : "?");
  osm_json_set_str (planned, "addresses", osm_strbuf_str (&addresses));

  /* What is empty is not carried. */
  if (!text_of (create, "mac_address", err) ||
      plan_network (input, plan, port, wish, planned, &target, err) == -1 ||
      plan_qos (input, plan, port, wish, planned, err) == -1 ||
      plan_security_groups (input, plan, port, wish, planned, err) == -1)
    return -1;
  if (!target) {
    keep_addresses (port, wish, planned);
    return 0;
  }
  network_id = text_of (target, "id", err);
  if (!network_id)
    return -1;
  osm_json_set_str (planned, "network_name", osm_json_str (target, "name"));
  osm_json_set_str (create, "network_id", network_id);
  query = osm_asprintf ("network_id=%s", network_id);
  if (osm_network_list (input->cloud[OSM_DESTINATION], &osm_subnets, query, &subnets, err) == -1 ||
      plan_addresses (input, plan, port, wish, planned, subnets, err) == -1)
    return -1;
  check_rights (input, plan, port, target, create);
  return check_free (input, plan, network_id, osm_json_str (planned, "network_name"), "MAC address",
                     "mac_address=", osm_json_str (create, "mac_address"), err);
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
  OSM_CLEANUP_JSON json_t *found = NULL, *interfaces = NULL, *ordered = NULL, *extensions = NULL,
                          *ports = json_array ();
  const char *id = osm_json_str (server, "id"), *name = osm_json_str (server, "name");
  bool certain;
  size_t i;
  const json_t *interface;

  if (osm_server_interfaces (input->cloud[OSM_SOURCE], id, &found, err) == -1 ||
      extensions_of (input, &extensions, err) == -1)
    return -1;
  ordered = osm_plan_order_ports (found, server, &certain);
  interfaces = osm_plan_wished_order (ordered, json_object_get (input->wishes, "ports"));
  if (!certain && !input->wishes)
    osm_plan_finding (plan, "source-port-order", "warning", name,
                      "look at the order of the plan's ports (--dry-run), and change it in a plan "
                      "file; inside the server its network cards go by their MAC addresses, which "
                      "stay",
                      "server '%s': Nova does not tell the order of all of its %zu ports", name,
                      json_array_size (interfaces));
  json_array_foreach (interfaces, i, interface)
  {
    OSM_CLEANUP_JSON json_t *port = NULL;
    const char *port_id = osm_json_str (interface, "port_id");

    if (osm_cloud_find (input->cloud[OSM_SOURCE], &osm_ports, port_id, &port, err) == -1 ||
        plan_port (input, plan, port, extensions, osm_json_str (interface, "tag"), err) == -1 ||
        osm_plan_floating_ips (input, plan, port_id, network_of_last_port (plan), extensions,
                               err) == -1)
      return osm_error_wrap (err, "port %s", port_id);
    json_array_append (ports, port);
  }
  return osm_plan_forwardings (input, plan, server, ports, err);
}
