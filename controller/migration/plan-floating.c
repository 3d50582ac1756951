/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/plan-internal.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/cloud/network.h"

/* The external networks that routers of the tenant lead to from the network: {id: true}. Routers of others are not shown. */
static int
reachable_networks (const struct osm_plan_input *input, const char *network_id, json_t **ret,
                    struct osm_error *err)
{
  OSM_CLEANUP_FREE char *query = osm_asprintf ("network_id=%s", network_id);
  OSM_CLEANUP_JSON json_t *ports = NULL, *routers = NULL, *found = json_object ();
  size_t i, j;
  json_t *port, *router;

  if (osm_network_list (input->cloud[OSM_DESTINATION], &osm_ports, query, &ports, err) == -1 ||
      osm_network_list (input->cloud[OSM_DESTINATION], &osm_routers, "", &routers, err) == -1)
    return -1;
  json_array_foreach (ports, i, port)
  {
    const char *owner = osm_json_str (port, "device_owner");

    /* network:router_interface, network:router_interface_distributed, network:ha_router_replicated_interface */
    if (!owner || !osm_str_starts_with (owner, "network:") || !strstr (owner, "router"))
      continue;
    json_array_foreach (routers, j, router)
    {
      const char *external =
          osm_json_str (json_object_get (router, "external_gateway_info"), "network_id");

      if (external && osm_str_equal (osm_json_str (router, "id"), osm_json_str (port, "device_id")))
        json_object_set_new (found, external, json_true ());
    }
  }
  *ret = osm_take (found);
  return 0;
}

/* Where a new address comes from: the network that the operator named; else one that the port's network is connected to, of the old one's
 * name if there are several. *ret NULL: there is none. New reference. */
static int
choose_network (const struct osm_plan_input *input, json_t *plan, const json_t *wish,
                const char *network_id, const json_t *old_network, json_t **ret, char **ret_named,
                struct osm_error *err)
{
  const char *old_name = osm_json_str (old_network, "name"),
             *wished = osm_json_str (wish, "network");
  OSM_CLEANUP_FREE char *mapped =
      osm_config_map (input->config, "networks", old_name, osm_json_str (old_network, "id"));
  OSM_CLEANUP_JSON json_t *reachable = NULL, *external = NULL;
  json_t *network, *best = NULL;
  size_t i;

  *ret = NULL;
  *ret_named = wished ? osm_strdup (wished) : osm_take (mapped);
  if (*ret_named)
    return osm_plan_look_up (input, plan, "networks", &osm_networks, old_name ? old_name : "",
                             *ret_named, ret, err);
  if (reachable_networks (input, network_id, &reachable, err) == -1 ||
      osm_network_list (input->cloud[OSM_DESTINATION], &osm_networks, "router:external=true",
                        &external, err) == -1)
    return -1;
  json_array_foreach (external, i, network)
  {
    if (!json_object_get (reachable, osm_json_str (network, "id")))
      continue;
    if (!best || osm_str_equal (osm_json_str (network, "name"), old_name))
      best = network;
  }
  *ret = json_incref (best);
  return 0;
}

/* The tenant's own one with that address, or NULL. New reference. */
static int
find_same_address (const struct osm_plan_input *input, const char *address, json_t **ret,
                   struct osm_error *err)
{
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (address);
  OSM_CLEANUP_FREE char *query =
      osm_asprintf ("floating_ip_address=%s&project_id=%s", quoted,
                    osm_cloud_project_id (input->cloud[OSM_DESTINATION]));
  OSM_CLEANUP_JSON json_t *found = NULL;

  *ret = NULL;
  if (osm_network_list (input->cloud[OSM_DESTINATION], &osm_floating_ips, query, &found, err) == -1)
    return -1;
  *ret = json_incref (json_array_get (found, 0));
  return 0;
}

/* One that nothing can be, or is to be done for: for the plan file. */
static json_t *
add_other (json_t *plan, const json_t *ip, const char *mode)
{
  json_t *others = json_object_get (plan, "other_floating_ips"), *other;

  if (!others) {
    others = json_array ();
    json_object_set_new (plan, "other_floating_ips", others);
  }
  other = osm_json_pack ("{s:s?, s:s?, s:s}", "id", osm_json_str (ip, "id"), "address",
                         osm_json_str (ip, "floating_ip_address"), "mode", mode);
  json_array_append_new (others, other);
  return other;
}

/* It is not needed, so that it is neither right nor wrong. */
static void
leave_network (const struct osm_plan_input *input, json_t *planned)
{
  const char *network =
      osm_json_str (osm_plan_wish (input, "floating_ips", osm_json_str (planned, "id")), "network");

  if (network)
    osm_plan_choose (planned, "network", network, network);
}

static const char *
mode_of (const struct osm_plan_input *input, const json_t *ip)
{
  const char *wished =
      osm_json_str (osm_plan_wish (input, "floating_ips", osm_json_str (ip, "id")), "mode");

  return wished ? wished : input->floating_ip;
}

/* ---- what belongs to it ---- */

void
osm_plan_compare_floating_ip (json_t *plan, const json_t *ip, const json_t *there)
{
  const char *address = osm_json_str (ip, "floating_ip_address"),
             *policy = osm_json_str (ip, "qos_policy_id"),
             *its = osm_json_str (there, "qos_policy_id");
  OSM_CLEANUP_JSON json_t *tags = osm_plan_own_tags (json_object_get (ip, "tags"));
  const json_t *tag, *other;
  size_t i, k, n = 0;
  OSM_STRBUF (b);

  json_array_foreach (tags, i, tag)
  {
    bool has = false;

    json_array_foreach (json_object_get (there, "tags"), k, other) has |= json_equal (tag, other);
    if (!has)
      osm_strbuf_addf (&b, "%s'%s'", n++ ? ", " : "tags ", json_string_value (tag));
  }
  if (policy && *policy && (!its || !*its))
    osm_strbuf_addf (&b, "%sQoS policy %s", b.len ? ", " : "", policy);
  if (b.len)
    osm_plan_finding (plan, "floating-ip-property-not-carried", "warning", address,
                      "set it at the destination's floating IP",
                      "floating IP %s: the destination's own is used as it is, without what the "
                      "source's has: %s",
                      address, osm_strbuf_str (&b));
}

/* Tags and QoS policy of a new one. */
static int
carry (const struct osm_plan_input *input, json_t *plan, const json_t *ip, const json_t *extensions,
       json_t *planned, struct osm_error *err)
{
  const char *policy = osm_json_str (ip, "qos_policy_id"),
             *address = osm_json_str (ip, "floating_ip_address");
  const struct osm_plan_limited limited = { "floating IP", address, policy };
  OSM_CLEANUP_JSON json_t *tags = osm_plan_own_tags (json_object_get (ip, "tags"));

  if (json_array_size (tags) > 0)
    json_object_set (planned, "tags", tags);
  osm_plan_carried_floating_ip (plan, address, ip);
  if (!policy || !*policy)
    return 0;
  if (osm_plan_has_extension (extensions, "qos-fip"))
    return osm_plan_qos (input, plan, &limited, NULL, planned, err);
  osm_plan_finding (plan, "floating-ip-property-not-carried", "warning", address, NULL,
                    "floating IP %s: the destination's Neutron has no extension 'qos-fip': the new "
                    "one is without the QoS policy %s",
                    address, policy);
  return 0;
}

static void
plan_new (json_t *plan, const json_t *ip, const char *mode, const json_t *wish,
          const json_t *network, json_t *planned)
{
  static const char *const kept[] = { "dns_name", "dns_domain" };
  const char *address = osm_json_str (ip, "floating_ip_address");
  json_t *create = osm_json_pack ("{s:s?}", "floating_network_id", osm_json_str (network, "id"));

  json_object_set_new (planned, "create", create);
  osm_json_set_str (planned, "network_name", osm_json_str (network, "name"));
  for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
    const char *value = osm_json_str (ip, kept[i]);

    if (value && *value)
      osm_json_set_str (create, kept[i], value);
  }
  osm_plan_choose (planned, "mode", osm_str_equal (mode, "keep") ? "keep" : "new", NULL);
  osm_plan_choose (planned, "network",
                   osm_json_str (wish, "network") ? osm_json_str (wish, "network")
                                                  : osm_json_str (network, "name"),
                   osm_json_str (network, "id"));
  if (osm_str_equal (mode, "keep"))
    osm_json_set_str (create, "floating_ip_address", address);
  else
    osm_plan_finding (
        plan, "floating-ip-changes", "warning", address,
        "change what points to it (DNS, firewalls), or have the same address: make it "
        "at the destination and use --floating-ip existing",
        "floating IP %s: the new server gets another one, of network '%s'", address,
        osm_json_str (network, "name"));
}

/* The new port may have another address, by a plan file. NULL: its only one. */
static const char *
fixed_ip_of (const json_t *plan, const json_t *ip)
{
  const json_t *port = osm_json_find (json_object_get (plan, "ports"), "id",
                                      osm_json_str (ip, "port_id")),
               *one;
  const char *old = osm_json_str (ip, "fixed_ip_address"), *only = NULL;
  size_t i, n = 0;

  if (!port)
    return old;
  json_array_foreach (json_object_get (json_object_get (port, "create"), "fixed_ips"), i, one)
  {
    const char *address = osm_json_str (one, "ip_address");

    if (address && osm_str_equal (address, old))
      return old;
    if (address && !strchr (address, ':')) {
      only = address;
      n++;
    }
  }
  return n == 1 ? only : NULL;
}

static int
plan_floating_ip (const struct osm_plan_input *input, json_t *plan, const json_t *ip,
                  const char *network_id, const json_t *extensions, struct osm_error *err)
{
  const json_t *wish = osm_plan_wish (input, "floating_ips", osm_json_str (ip, "id"));
  const char *mode = mode_of (input, ip), *address = osm_json_str (ip, "floating_ip_address"),
             *cloud = osm_cloud_name (input->cloud[OSM_DESTINATION]);
  OSM_CLEANUP_JSON json_t *same = NULL, *old_network = NULL, *network = NULL, *planned = NULL;
  OSM_CLEANUP_FREE char *named = NULL;
  bool only_same = osm_str_equal (mode, "existing") || osm_str_equal (mode, "keep");

  planned =
      osm_json_pack ("{s:s?, s:s?, s:s?, s:s?, s:s?}", "id", osm_json_str (ip, "id"), "address",
                     address, "port_id", osm_json_str (ip, "port_id"), "fixed_ip_address",
                     fixed_ip_of (plan, ip), "description", osm_json_str (ip, "description"));
  if (!osm_str_equal (mode, "new") && find_same_address (input, address, &same, err) == -1)
    return -1;
  if (same) {
    const char *holder = osm_json_str (same, "port_id");

    if (!holder || !*holder) {
      osm_json_set_str (planned, "use", osm_json_str (same, "id"));
      osm_plan_choose (planned, "mode", osm_str_equal (mode, "keep") ? mode : "existing", NULL);
      leave_network (input, planned);
      osm_plan_compare_floating_ip (plan, ip, same);
      json_array_append (json_object_get (plan, "floating_ips"), planned);
      return 0;
    }
    osm_plan_finding (plan, "floating-ip-in-use", only_same ? "blocker" : "warning", address,
                      "free it: openstack floating ip unset --port ADDRESS",
                      "floating IP %s of cloud '%s' is used by port %s", address, cloud, holder);
    if (only_same) {
      add_other (plan, ip, mode);
      return 0;
    }
  }
  else if (osm_str_equal (mode, "existing")) {
    osm_plan_finding (
        plan, "floating-ip-missing", "blocker", address,
        "make it (openstack floating ip create --floating-ip-address ADDRESS NETWORK), "
        "or use --floating-ip auto",
        "cloud '%s' has no floating IP %s in this project", cloud, address);
    add_other (plan, ip, mode);
    return 0;
  }
  if (osm_cloud_find (input->cloud[OSM_SOURCE], &osm_networks,
                      osm_json_str (ip, "floating_network_id"), &old_network, err) == -1 ||
      choose_network (input, plan, wish, network_id, old_network, &network, &named, err) == -1)
    return -1;
  if (!network && named) {
    osm_plan_choose (add_other (plan, ip, mode), "network", named, NULL);
    return 0;
  }
  if (!network) {
    osm_plan_finding (plan, "floating-ip-no-network",
                      osm_str_equal (mode, "auto") ? "warning" : "blocker", address,
                      "connect the server's network to an external one by a router, or name the "
                      "external network in the configuration: map: { networks: { OLD: NEW } }",
                      "floating IP %s: no router of cloud '%s' connects the server's network to an "
                      "external one%s",
                      address, cloud,
                      osm_str_equal (mode, "auto") ? ", so the new server gets none" : "");
    add_other (plan, ip, osm_str_equal (mode, "auto") ? "skip" : mode);
    return 0;
  }
  plan_new (plan, ip, mode, wish, network, planned);
  json_array_append (json_object_get (plan, "floating_ips"), planned);
  return carry (input, plan, ip, extensions, planned, err);
}

int
osm_plan_floating_ips (const struct osm_plan_input *input, json_t *plan, const char *port_id,
                       const char *network_id, const json_t *extensions, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *query = osm_asprintf ("port_id=%s", port_id);
  OSM_CLEANUP_JSON json_t *floating = NULL;
  size_t i;
  json_t *ip;

  if (osm_network_list (input->cloud[OSM_SOURCE], &osm_floating_ips, query, &floating, err) == -1)
    return -1;
  json_array_foreach (floating, i, ip)
  {
    const char *address = osm_json_str (ip, "floating_ip_address");

    if (!address || !osm_json_str (ip, "id") || !osm_json_str (ip, "floating_network_id"))
      return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                            "cloud '%s': the answer about a floating IP of port %s has no %s",
                            osm_cloud_name (input->cloud[OSM_SOURCE]), port_id,
                            !address                   ? "address"
                            : !osm_json_str (ip, "id") ? "id"
                                                       : "network");
    if (osm_str_equal (mode_of (input, ip), "skip")) {
      osm_plan_finding (plan, "floating-ip-stays", "info", address, NULL,
                        "floating IP %s stays with the source server", address);
      leave_network (input, add_other (plan, ip, "skip"));
    }
    else if (!network_id)
      leave_network (input, add_other (plan, ip, mode_of (input, ip)));
    else if (plan_floating_ip (input, plan, ip, network_id, extensions, err) == -1)
      return osm_error_wrap (err, "floating IP %s", address);
  }
  return 0;
}
