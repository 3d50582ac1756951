/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Ports as answers of Nova and Neutron describe them: their order, their own attributes, addresses that a subnet gives by itself. */

#include <config.h>

#include "controller/migration/plan-internal.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"

/* ---- order ---- */

/* The MAC addresses of a server in the order of its ports, as far as the order of its addresses tells: Nova groups them by network. */
static json_t *
macs_of (const json_t *server, bool *ret_certain)
{
  json_t *macs = json_array (), *entries, *entry;
  const char *label;
  size_t nr_labels = 0, nr_crowded = 0, i, k;
  json_t *known;

  json_object_foreach (json_object_get (server, "addresses"), label, entries)
  {
    size_t before = json_array_size (macs);

    json_array_foreach (entries, i, entry)
    {
      const char *mac = osm_json_str (entry, "OS-EXT-IPS-MAC:mac_addr");
      bool there = false;

      json_array_foreach (macs, k, known) there |=
          mac && strcasecmp (mac, json_string_value (known)) == 0;
      if (mac && !there)
        json_array_append_new (macs, json_string (mac));
    }
    nr_labels++;
    nr_crowded += json_array_size (macs) - before > 1;
  }
  *ret_certain = nr_labels <= 1 || nr_crowded == 0;
  return macs;
}

static const json_t *
with_mac (const json_t *interfaces, const char *mac)
{
  size_t i;
  const json_t *interface;

  json_array_foreach (interfaces, i, interface)
  {
    const char *its = osm_json_str (interface, "mac_addr");

    if (its && strcasecmp (its, mac) == 0)
      return interface;
  }
  return NULL;
}

json_t *
osm_plan_order_ports (const json_t *interfaces, const json_t *server, bool *ret_certain)
{
  OSM_CLEANUP_JSON json_t *macs = macs_of (server, ret_certain);
  json_t *ordered = json_array (), *interface;
  size_t i;
  const json_t *mac;

  json_array_foreach (macs, i, mac)
  {
    const json_t *found = with_mac (interfaces, json_string_value (mac));

    if (found)
      json_array_append (ordered, (json_t *)found);
  }
  /* Without an address, Nova does not tell its place. */
  json_array_foreach (interfaces, i, interface)
  {
    const char *its = osm_json_str (interface, "mac_addr");

    if (its && with_mac (ordered, its))
      continue;
    json_array_append (ordered, interface);
    if (json_array_size (interfaces) > 1)
      *ret_certain = false;
  }
  return ordered;
}

/* ---- addresses that a subnet gives by itself ---- */

/* Neutron's is_auto_address_subnet. */
bool
osm_plan_is_automatic (const json_t *subnet)
{
  static const char *const keys[] = { "ipv6_address_mode", "ipv6_ra_mode" };

  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    const char *mode = osm_json_str (subnet, keys[i]);

    if (osm_str_equal (mode, "slaac") || osm_str_equal (mode, "dhcpv6-stateless"))
      return true;
  }
  return false;
}

static int
hex_value (char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  c = (char)(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
parse_mac (const char *text, unsigned char mac[6])
{
  if (!text || strlen (text) != 17)
    return false;
  for (size_t i = 0; i < 6; i++) {
    int high = hex_value (text[3 * i]), low = hex_value (text[3 * i + 1]);

    if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
      return false;
    mac[i] = (unsigned char)(high << 4 | low);
  }
  return true;
}

/* RFC 4291, appendix A: the modified EUI-64 of the MAC address in the last half of the subnet's prefix of 64 bits. */
bool
osm_plan_is_eui64 (const char *cidr, const char *mac_text, const char *address)
{
  unsigned char wanted[16], is[16], mac[6];
  OSM_CLEANUP_FREE char *prefix = osm_strndup (cidr, strcspn (cidr, "/"));

  if (!parse_mac (mac_text, mac) || inet_pton (AF_INET6, prefix, wanted) != 1 ||
      inet_pton (AF_INET6, address, is) != 1)
    return false;
  wanted[8] = (unsigned char)(mac[0] ^ 0x02);
  wanted[9] = mac[1];
  wanted[10] = mac[2];
  wanted[11] = 0xff;
  wanted[12] = 0xfe;
  wanted[13] = mac[3];
  wanted[14] = mac[4];
  wanted[15] = mac[5];
  return memcmp (wanted, is, sizeof is) == 0;
}

/* ---- attributes ---- */

/* Set by whoever made the port, and the extension of Neutron that each belongs to. */
static const struct {
  const char *field, *extension;
} carried[] = {
  { "name", NULL },
  { "mac_address", NULL },
  { "admin_state_up", NULL },
  { "port_security_enabled", "port-security" },
  { "allowed_address_pairs", "allowed-address-pairs" },
  { "extra_dhcp_opts", "extra_dhcp_opt" },
  { "dns_domain", "dns-domain-ports" },
  { "propagate_uplink_status", "uplink-status-propagation" },
};
static bool
is_empty (const json_t *value)
{
  return !value || json_is_null (value) ||
         (json_is_string (value) && !*json_string_value (value)) ||
         (json_is_array (value) && json_array_size (value) == 0) ||
         (json_is_object (value) && json_object_size (value) == 0);
}

/* Is it what a port has of which nothing was said? */
static bool
is_default (const char *field, const json_t *value)
{
  if (strcmp (field, "port_security_enabled") == 0)
    return json_is_true (value);
  return strcmp (field, "propagate_uplink_status") == 0 && !json_is_true (value);
}

bool
osm_plan_has_extension (const json_t *extensions, const char *alias)
{
  return !alias || !extensions || json_object_get (extensions, alias);
}

json_t *
osm_plan_own_tags (const json_t *tags)
{
  json_t *own = json_array (), *tag;
  size_t i;

  json_array_foreach (tags, i, tag)
  {
    if (json_is_string (tag) && !osm_str_starts_with (json_string_value (tag), "osm."))
      json_array_append (own, tag);
  }
  return own;
}

/* Nova gives a port the hostname of its server, and refuses one that has another. */
static void
check_dns_name (json_t *plan, const json_t *port, const char *label, const char *hostname)
{
  const char *name = osm_json_str (port, "dns_name");

  if (name && *name && hostname && strcasecmp (name, hostname) != 0)
    osm_plan_finding (plan, "source-port-dns-name", "warning", label,
                      "set it afterwards: openstack port set --dns-name NAME PORT",
                      "port '%s' has the DNS name '%s', which is not the hostname '%s' of its "
                      "server: the new port gets the hostname",
                      label, name, hostname);
}

void
osm_plan_port_fields (json_t *plan, const json_t *port, const json_t *extensions,
                      const char *hostname, json_t *planned)
{
  json_t *create = json_object_get (planned, "create"),
         *tags = osm_plan_own_tags (json_object_get (port, "tags"));
  const char *name = osm_json_str (port, "name"), *vnic = osm_json_str (port, "binding:vnic_type"),
             *description = osm_json_str (port, "description"),
             *label = name && *name ? name : osm_json_str (port, "id");
  bool special = vnic && strcmp (vnic, "normal") != 0;

  for (size_t i = 0; i < sizeof carried / sizeof carried[0]; i++) {
    const char *field = carried[i].field;
    json_t *value = json_object_get (port, field);

    if (is_empty (value))
      continue;
    if (osm_plan_has_extension (extensions, carried[i].extension))
      json_object_set (create, field, value);
    else if (!is_default (field, value))
      /* The status of an uplink means something to devices of the host alone. */
      osm_plan_finding (plan, "destination-port-extension",
                        strcmp (field, "propagate_uplink_status") == 0 && !special ? "info"
                                                                                   : "warning",
                        label, NULL,
                        "port '%s': the destination's Neutron has no extension '%s': the new port "
                        "is without its %s",
                        label, carried[i].extension, field);
  }
  if (description && *description)
    osm_json_set_str (planned, "description", description);
  if (special)
    osm_json_set_str (create, "binding:vnic_type", vnic);
  json_object_set_new (planned, "tags", tags);
  check_dns_name (plan, port, label, hostname);
}
