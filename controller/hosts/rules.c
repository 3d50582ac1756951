/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/hosts/internal.h"

#include <string.h>

#include "common/cidr.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/cloud/network.h"

/* Clouds write "everybody" as no prefix at all, too, and prefixes with or without the bits of a host. */
static bool
is_ssh_from (const json_t *rule, const char *cidr)
{
  const char *prefix = osm_json_str (rule, "remote_ip_prefix");
  const char *everybody =
      osm_str_equal (osm_json_str (rule, "ethertype"), "IPv6") ? "::/0" : "0.0.0.0/0";
  OSM_CLEANUP_FREE char *from = osm_cidr_canonical (prefix ? prefix : everybody),
                        *wanted = osm_cidr_canonical (cidr);

  return osm_str_equal (osm_json_str (rule, "direction"), "ingress") &&
         osm_str_equal (osm_json_str (rule, "protocol"), "tcp") &&
         json_integer_value (json_object_get (rule, "port_range_min")) == 22 &&
         json_integer_value (json_object_get (rule, "port_range_max")) == 22 &&
         !osm_json_str (rule, "remote_group_id") &&
         !osm_json_str (rule, "remote_address_group_id") && wanted && osm_str_equal (from, wanted);
}

static bool
is_wanted (const json_t *rule, char *const *wanted)
{
  for (size_t i = 0; wanted && wanted[i]; i++)
    if (is_ssh_from (rule, wanted[i]))
      return true;
  return false;
}

static bool
is_there (const json_t *rules, const char *cidr)
{
  size_t i;
  json_t *rule;

  json_array_foreach (rules, i, rule) if (is_ssh_from (rule, cidr)) return true;
  return false;
}

void
osm_host_rules_compare (const json_t *rules, char *const *wanted, char ***ret_missing,
                        char ***ret_extra)
{
  size_t i;
  json_t *rule;

  *ret_missing = *ret_extra = NULL;
  for (size_t k = 0; wanted && wanted[k]; k++) {
    OSM_CLEANUP_FREE char *cidr = osm_cidr_canonical (wanted[k]);

    if (cidr && !is_there (rules, cidr) &&
        !(*ret_missing && osm_strv_contains (*ret_missing, cidr)))
      osm_strv_append (ret_missing, cidr);
  }
  json_array_foreach (rules, i, rule)
  {
    /* What goes out is not our matter. */
    if (osm_str_equal (osm_json_str (rule, "direction"), "ingress") && osm_json_str (rule, "id") &&
        !is_wanted (rule, wanted))
      osm_strv_append (ret_extra, osm_json_str (rule, "id"));
  }
}

static int
add_rules (struct osm_cloud *cloud, const char *group_id, char *const *missing, bool *ret_changed,
           struct osm_error *err)
{
  for (size_t i = 0; missing && missing[i]; i++) {
    OSM_CLEANUP_JSON json_t *rule = osm_json_pack (
        "{s:s, s:s, s:s, s:s, s:i, s:i, s:s}", "security_group_id", group_id, "direction",
        "ingress", "ethertype", strchr (missing[i], ':') ? "IPv6" : "IPv4", "protocol", "tcp",
        "port_range_min", 22, "port_range_max", 22, "remote_ip_prefix", missing[i]);

    OSM_ERROR (why);

    if (osm_security_group_rule_create (cloud, rule, &why) == -1 && why.code != 409) {
      osm_error_move (err, &why);
      return -1;
    }
    *ret_changed = true;
  }
  return 0;
}

static int
get_rules (struct osm_cloud *cloud, const char *group_id, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *group = NULL;

  if (osm_cloud_find (cloud, &osm_security_groups, group_id, &group, err) == -1)
    return -1;
  *ret = json_incref (json_object_get (group, "security_group_rules"));
  return 0;
}

int
osm_host_rules_open (struct osm_cloud *cloud, const char *group_id, char *const *from,
                     bool *ret_changed, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *rules = NULL;
  OSM_CLEANUP_STRV char **missing = NULL, **extra = NULL;

  if (get_rules (cloud, group_id, &rules, err) == -1)
    return -1;
  osm_host_rules_compare (rules, from, &missing, &extra);
  return add_rules (cloud, group_id, missing, ret_changed, err);
}

int
osm_host_rules_close (struct osm_cloud *cloud, const char *group_id, char *const *from,
                      bool *ret_changed, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *rules = NULL;
  size_t i;
  json_t *rule;

  if (get_rules (cloud, group_id, &rules, err) == -1)
    return -1;
  json_array_foreach (rules, i, rule)
  {
    if (!is_wanted (rule, from) || !osm_json_str (rule, "id"))
      continue;
    if (osm_security_group_rule_delete (cloud, osm_json_str (rule, "id"), err) == -1)
      return -1;
    *ret_changed = true;
  }
  return 0;
}

int
osm_host_migrator_addresses (const struct osm_host_config *config, const char *address, char ***ret,
                             struct osm_error *err)
{
  char **from = config->allow_ssh_from;
  OSM_CLEANUP_STRV char **addresses = NULL;

  for (size_t i = 0; from && from[i]; i++) {
    OSM_CLEANUP_FREE char *own = NULL;

    if (strcmp (from[i], "auto") == 0 && osm_host_own_address (address, &own, err) == -1)
      return osm_error_hint (err, "name it in the configuration: allow_ssh_from");
    osm_strv_append (&addresses, own ? own : from[i]);
  }
  *ret = osm_take (addresses);
  return 0;
}

int
osm_host_rules_converge (struct osm_cloud *cloud, const char *group_id, char *const *wanted,
                         bool *ret_changed, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *rules = NULL;
  OSM_CLEANUP_STRV char **missing = NULL, **extra = NULL;

  if (get_rules (cloud, group_id, &rules, err) == -1)
    return -1;
  osm_host_rules_compare (rules, wanted, &missing, &extra);
  if (add_rules (cloud, group_id, missing, ret_changed, err) == -1)
    return -1;
  for (size_t i = 0; extra && extra[i]; i++) {
    if (osm_security_group_rule_delete (cloud, extra[i], err) == -1)
      return -1;
    *ret_changed = true;
  }
  return 0;
}
