/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <string.h>
#include <strings.h>

#include "common/cidr.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/strbuf.h"
#include "controller/tenant/diff.h"
#include "controller/tenant/types.h"

/* https://docs.openstack.org/api-ref/network/v2/#security-group-rules-security-group-rules. A rule cannot be changed: another one
 * takes its place. */
static const struct osm_field fields[] = {
  OSM_FIELD ("description", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED),
  OSM_FIELD ("direction", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED),
  OSM_FIELD ("ether_type", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED, .api = "ethertype"),
  OSM_FIELD ("port_range_max", OSM_FIELD_INTEGER, .flags = OSM_FIELD_FIXED | OSM_FIELD_NULLABLE),
  OSM_FIELD ("port_range_min", OSM_FIELD_INTEGER, .flags = OSM_FIELD_FIXED | OSM_FIELD_NULLABLE),
  OSM_FIELD ("protocol", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED | OSM_FIELD_NULLABLE),
  OSM_FIELD ("remote_ip_prefix", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED | OSM_FIELD_NULLABLE),
  OSM_FIELD ("security_group_ref", OSM_FIELD_REF, .flags = OSM_FIELD_FIXED,
             .api = "security_group_id", .refers = "security_groups"),
  OSM_FIELD ("remote_group_ref", OSM_FIELD_REF, .flags = OSM_FIELD_FIXED | OSM_FIELD_NULLABLE,
             .api = "remote_group_id", .refers = "security_groups"),
  OSM_FIELD ("remote_address_group_ref", OSM_FIELD_REF,
             .flags = OSM_FIELD_FIXED | OSM_FIELD_BEYOND | OSM_FIELD_RESTRICTS,
             .api = "remote_address_group_id", .refers = "address_groups",
             .extension = "security-groups-remote-address-group"),
  OSM_FIELD ("created_at", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("project_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("remote_group_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("revision_number", OSM_FIELD_INTEGER, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("security_group_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("updated_at", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELDS_END,
};

/* All that Neutron takes for the same rule: the description is not part of it. */
static const char *const match[] = { "security_group_ref",
                                     "direction",
                                     "ether_type",
                                     "protocol",
                                     "port_range_min",
                                     "port_range_max",
                                     "remote_ip_prefix",
                                     "remote_group_ref",
                                     "remote_address_group_ref",
                                     NULL };

/* https://www.iana.org/assignments/protocol-numbers, by the names that Neutron takes. */
static const struct {
  const char *name;
  unsigned number;
} protocols[] = {
  { "ah", 51 },        { "dccp", 33 },       { "egp", 8 },         { "esp", 50 },
  { "gre", 47 },       { "hopopt", 0 },      { "icmp", 1 },        { "icmpv6", 58 },
  { "igmp", 2 },       { "ipip", 4 },        { "ipv6-encap", 41 }, { "ipv6-frag", 44 },
  { "ipv6-icmp", 58 }, { "ipv6-nonxt", 59 }, { "ipv6-opts", 60 },  { "ipv6-route", 43 },
  { "ospf", 89 },      { "pgm", 113 },       { "rsvp", 46 },       { "sctp", 132 },
  { "tcp", 6 },        { "udp", 17 },        { "udplite", 136 },   { "vrrp", 112 },
};

/* New reference. */
static json_t *
protocol_number (const json_t *protocol, bool ipv6)
{
  const char *text = json_string_value (protocol);
  uint64_t number;
  OSM_ERROR (ignored);

  if (!text)
    return protocol ? json_incref ((json_t *)protocol) : json_null ();
  /* For IPv6 Neutron takes the old name for the new protocol. */
  if (ipv6 && strcasecmp (text, "icmp") == 0)
    text = "ipv6-icmp";
  for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++)
    if (strcasecmp (protocols[i].name, text) == 0)
      return json_integer ((json_int_t)protocols[i].number);
  return osm_parse_uint (text, "protocol", 0, 255, &number, &ignored) == 0
             ? json_integer ((json_int_t)number)
             : json_incref ((json_t *)protocol);
}

/* Everybody is no prefix at all. New reference. */
static json_t *
canonical_prefix (const json_t *prefix)
{
  const char *text = json_string_value (prefix);
  OSM_CLEANUP_FREE char *cidr = text ? osm_cidr_canonical (text) : NULL;

  if (!cidr)
    return prefix ? json_incref ((json_t *)prefix) : json_null ();
  return strcmp (cidr, "0.0.0.0/0") == 0 || strcmp (cidr, "::/0") == 0 ? json_null ()
                                                                       : json_string (cidr);
}

static void
set_lower (json_t *params, const char *key)
{
  const char *text = osm_json_str (params, key);
  OSM_CLEANUP_FREE char *lower = text ? osm_strdup (text) : NULL;

  for (char *p = lower; p && *p; p++)
    *p = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
  if (lower)
    json_object_set_new (params, key, json_string (lower));
}

/* As Neutron compares rules before it makes one (SecurityGroupRuleExists). */
static char *
spelling (const struct osm_tenant_type *type, const json_t *entry)
{
  OSM_CLEANUP_JSON json_t *copy = json_deep_copy (entry);
  json_t *params = json_object_get (copy, "params");

  set_lower (params, "direction");
  set_lower (params, "ether_type");
  json_object_set_new (
      params, "protocol",
      protocol_number (json_object_get (params, "protocol"),
                       osm_str_equal (osm_json_str (params, "ether_type"), "ipv6")));
  json_object_set_new (params, "remote_ip_prefix",
                       canonical_prefix (json_object_get (params, "remote_ip_prefix")));
  if (json_integer_value (json_object_get (params, "port_range_min")) == 1 &&
      json_integer_value (json_object_get (params, "port_range_max")) == 65535) {
    json_object_set_new (params, "port_range_min", json_null ());
    json_object_set_new (params, "port_range_max", json_null ());
  }
  return osm_tenant_identity (type, copy);
}

const struct osm_tenant_type osm_type_security_group_rule = {
  .name = "security_group_rules",
  .noun = "security group rule",
  .yaml_type = "openstack.network.SecurityGroupRule",
  .file = "security_group_rules.yml",
  .service = OSM_NETWORK,
  .list_path = "/security-group-rules?project_id=%s",
  .list_key = "security_group_rules",
  .member_path = "/security-group-rules",
  .member_key = "security_group_rule",
  .owner = "project_id",
  .part_of = "security_group_ref",
  .match = match,
  .by_content = true,
  .filter_by = "security_group_ref.name",
  .fields = fields,
  .spelling = spelling,
  .removable = true,
  /* https://docs.openstack.org/api-ref/network/v2/#bulk-create-security-group-rule; of one group at a time. */
  .bulk_by = "security_group_id",
};
