/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/uses.h"

#include "common/cidr.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"

struct uses {
  const json_t *found;
  json_t *uses;
  json_t *servers;    /* {ID: name} */
  json_t *interfaces; /* {NETWORK: [id of a port of a router]} */
};

/* text: stolen. by_type NULL: it is none of the tenant's objects that are cleaned up. */
static void
add (const struct uses *u, const char *type, const char *id, const char *by_type, const char *by_id,
     char *text)
{
  json_t *of_type = json_object_get (u->uses, type),
         *of_id = id ? json_object_get (of_type, id) : NULL;

  if (!of_type) {
    of_type = json_object ();
    json_object_set_new (u->uses, type, of_type);
  }
  if (id && !of_id) {
    of_id = json_array ();
    json_object_set_new (of_type, id, of_id);
  }
  if (id)
    json_array_append_new (
        of_id, osm_json_pack ("{s:s?, s:s?, s:s}", "type", by_type, "id", by_id, "text", text));
  free (text);
}

static const char *
name_or_id (const json_t *object)
{
  const char *name = osm_json_str (object, "name"), *id = osm_json_str (object, "id");

  return name && *name ? name : id ? id : "";
}

static char *
server_text (const struct uses *u, const char *id)
{
  const char *name = id ? osm_json_str (u->servers, id) : NULL;

  return osm_asprintf ("the server %s", name ? name : id ? id : "");
}

/* ---- ports ---- */

enum port_kind {
  PORT_OF_NEUTRON, /* comes and goes with what it is on */
  PORT_INTERFACE,  /* of a router */
  PORT_OF_OTHERS,
};

static enum port_kind
kind_of (const json_t *port)
{
  static const char *const neutrons[] = { "network:dhcp", "network:distributed",
                                          "network:router_centralized_snat", NULL };
  static const char *const interfaces[] = { "network:router_interface",
                                            "network:ha_router_replicated_interface",
                                            "network:router_interface_distributed", NULL };
  const char *owner = osm_json_str (port, "device_owner");

  for (size_t i = 0; neutrons[i]; i++)
    if (osm_str_equal (owner, neutrons[i]))
      return PORT_OF_NEUTRON;
  for (size_t i = 0; interfaces[i]; i++)
    if (osm_str_equal (owner, interfaces[i]))
      return PORT_INTERFACE;
  return PORT_OF_OTHERS;
}

static char *
port_text (const struct uses *u, const json_t *port)
{
  const char *owner = osm_json_str (port, "device_owner"),
             *device = osm_json_str (port, "device_id");

  if (owner && osm_str_starts_with (owner, "compute:"))
    return server_text (u, device);
  if (kind_of (port) == PORT_INTERFACE)
    return osm_asprintf ("the router interface %s", name_or_id (port));
  return owner && *owner ? osm_asprintf ("the port %s (%s)", name_or_id (port), owner)
                         : osm_asprintf ("the port %s", name_or_id (port));
}

/* Whoever is on the network loses its way out with the interface, and nobody asks. */
static void
add_interfaces (const struct uses *u, const json_t *port, const char *type, const char *id)
{
  const char *network = osm_json_str (port, "network_id");
  const json_t *interface;
  size_t i;

  json_array_foreach (network ? json_object_get (u->interfaces, network) : NULL, i, interface)
  {
    if (!osm_str_equal (json_string_value (interface), id))
      add (u, "router_interfaces", json_string_value (interface), type, id, port_text (u, port));
  }
}

static void
add_port (const struct uses *u, const json_t *port)
{
  enum port_kind kind = kind_of (port);
  const char *id = osm_json_str (port, "id"),
             *type = kind == PORT_INTERFACE ? "router_interfaces" : NULL;
  const json_t *ip, *group;
  size_t i;

  if (kind == PORT_OF_NEUTRON)
    return;
  add (u, "networks", osm_json_str (port, "network_id"), type, id, port_text (u, port));
  json_array_foreach (json_object_get (port, "fixed_ips"), i, ip)
  {
    add (u, "subnets", osm_json_str (ip, "subnet_id"), type, id, port_text (u, port));
  }
  add_interfaces (u, port, type, id);
  json_array_foreach (json_object_get (port, "security_groups"), i, group)
      add (u, "security_groups", json_string_value (group), type, id, port_text (u, port));
  if (kind == PORT_INTERFACE)
    add (u, "routers", osm_json_str (port, "device_id"), type, id, port_text (u, port));
}

static void
index_interfaces (const struct uses *u)
{
  const json_t *port;
  size_t i;

  json_array_foreach (json_object_get (u->found, "ports"), i, port)
  {
    const char *network = osm_json_str (port, "network_id");
    json_t *list = network ? json_object_get (u->interfaces, network) : NULL;

    if (kind_of (port) != PORT_INTERFACE || !network ||
        !json_is_string (json_object_get (port, "id")))
      continue;
    if (!list) {
      list = json_array ();
      json_object_set_new (u->interfaces, network, list);
    }
    json_array_append (list, json_object_get (port, "id"));
  }
}

/* ---- what is not a port ---- */

static bool
has_address (const json_t *port, const char *address)
{
  const json_t *ip;
  size_t i;
  OSM_CLEANUP_FREE char *wanted = osm_cidr_canonical (address);

  json_array_foreach (json_object_get (port, "fixed_ips"), i, ip)
  {
    const char *text = osm_json_str (ip, "ip_address");
    OSM_CLEANUP_FREE char *is = text ? osm_cidr_canonical (text) : NULL;

    if (is && osm_str_equal (is, wanted))
      return true;
  }
  return false;
}

/* Is it on a subnet to which the next hop belongs? */
static bool
leads_to (const struct uses *u, const json_t *port, const char *hop)
{
  const json_t *ip, *subnet;
  size_t i, k;

  json_array_foreach (json_object_get (port, "fixed_ips"), i, ip)
  {
    const char *id = osm_json_str (ip, "subnet_id");

    json_array_foreach (json_object_get (u->found, "subnets"), k, subnet)
    {
      const char *cidr = osm_json_str (subnet, "cidr");

      if (id && cidr && osm_str_equal (osm_json_str (subnet, "id"), id) &&
          osm_cidr_contains (cidr, hop))
        return true;
    }
  }
  return false;
}

/* Neutron keeps the router's own interface through which its route leads, but not that of another router which is its next hop. */
static void
add_routes (const struct uses *u, const json_t *router)
{
  const json_t *route, *port;
  size_t i, k;

  json_array_foreach (json_object_get (router, "routes"), i, route)
  {
    const char *hop = osm_json_str (route, "nexthop");

    json_array_foreach (json_object_get (u->found, "ports"), k, port)
    {
      bool own = osm_str_equal (osm_json_str (port, "device_id"), osm_json_str (router, "id"));

      if (hop && kind_of (port) == PORT_INTERFACE &&
          (has_address (port, hop) || (own && leads_to (u, port, hop))))
        add (u, "router_interfaces", osm_json_str (port, "id"), NULL, NULL,
             osm_asprintf ("the route by %s of the router %s", hop, name_or_id (router)));
    }
  }
}

/* Neutron deletes them with their network. */
static void
add_subnet (const struct uses *u, const json_t *subnet)
{
  add (u, "networks", osm_json_str (subnet, "network_id"), "subnets", osm_json_str (subnet, "id"),
       osm_asprintf ("the subnet %s", name_or_id (subnet)));
}

static void
add_group_members (const struct uses *u, const json_t *group)
{
  const json_t *member;
  size_t i;

  json_array_foreach (json_object_get (group, "members"), i, member)
      add (u, "server_groups", osm_json_str (group, "id"), NULL, NULL,
           server_text (u, json_string_value (member)));
}

/* The rule would go with the group that it lets in. */
static void
add_rule (const struct uses *u, const json_t *rule)
{
  const char *group = osm_json_str (rule, "security_group_id"),
             *remote = osm_json_str (rule, "remote_group_id");

  if (group && remote && !osm_str_equal (group, remote))
    add (u, "security_groups", remote, "security_groups", group,
         osm_asprintf ("a rule of the security group %s", group));
}

static void
add_share (const struct uses *u, const char *type, const char *id)
{
  add (u, type, id, NULL, NULL, osm_strdup ("an RBAC policy, which shares it with others"));
}

/* Who may use a network uses what is on it. */
static void
add_shared_network (const struct uses *u, const char *network)
{
  const json_t *object;
  size_t i;

  add_share (u, "networks", network);
  json_array_foreach (json_object_get (u->found, "subnets"), i, object)
  {
    if (osm_str_equal (osm_json_str (object, "network_id"), network))
      add_share (u, "subnets", osm_json_str (object, "id"));
  }
  json_array_foreach (json_object_get (u->found, "ports"), i, object)
  {
    if (kind_of (object) == PORT_INTERFACE &&
        osm_str_equal (osm_json_str (object, "network_id"), network))
      add_share (u, "router_interfaces", osm_json_str (object, "id"));
  }
}

static void
add_policy (const struct uses *u, const json_t *policy)
{
  const char *kind = osm_json_str (policy, "object_type"), *id = osm_json_str (policy, "object_id");

  if (id && osm_str_equal (kind, "network"))
    add_shared_network (u, id);
  else if (osm_str_equal (kind, "security_group"))
    add_share (u, "security_groups", id);
}

static void
add_floating_ip (const struct uses *u, const json_t *ip)
{
  const char *address = osm_json_str (ip, "floating_ip_address");

  add (u, "routers", osm_json_str (ip, "router_id"), NULL, NULL,
       osm_asprintf ("the floating IP %s", address ? address : ""));
}

typedef void each (const struct uses *u, const json_t *object);

static void
add_all (const struct uses *u, const char *key, each *function)
{
  const json_t *object;
  size_t i;

  json_array_foreach (json_object_get (u->found, key), i, object) function (u, object);
}

json_t *
osm_tenant_uses (const json_t *found)
{
  OSM_CLEANUP_JSON json_t *servers = json_object (), *interfaces = json_object ();
  const struct uses u = {
    .found = found, .uses = json_object (), .servers = servers, .interfaces = interfaces
  };
  const json_t *server;
  size_t i;

  json_array_foreach (json_object_get (found, "servers"), i, server)
  {
    const char *id = osm_json_str (server, "id");

    if (id)
      json_object_set_new (servers, id, json_string (name_or_id (server)));
  }
  index_interfaces (&u);
  add_all (&u, "ports", add_port);
  add_all (&u, "subnets", add_subnet);
  add_all (&u, "routers", add_routes);
  add_all (&u, "server_groups", add_group_members);
  add_all (&u, "security_group_rules", add_rule);
  add_all (&u, "rbac_policies", add_policy);
  add_all (&u, "floating_ips", add_floating_ip);
  return u.uses;
}
