/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/hosts/internal.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/cloud/network.h"

static bool
is_ssh_from (const json_t *rule, const char *cidr)
{
  return osm_str_equal (osm_json_str (rule, "protocol"), "tcp") &&
         json_integer_value (json_object_get (rule, "port_range_min")) == 22 &&
         json_integer_value (json_object_get (rule, "port_range_max")) == 22 &&
         osm_str_equal (osm_json_str (rule, "remote_ip_prefix"), cidr);
}

void
osm_host_rules_compare (const json_t *rules, char *const *wanted, char ***ret_missing,
                        char ***ret_extra)
{
  size_t i;
  json_t *rule;

  *ret_missing = *ret_extra = NULL;
  for (size_t k = 0; wanted && wanted[k]; k++) {
    bool there = false;

    json_array_foreach (rules, i, rule) there =
        there || (osm_str_equal (osm_json_str (rule, "direction"), "ingress") &&
                  is_ssh_from (rule, wanted[k]));
    if (!there && !osm_strv_contains (*ret_missing, wanted[k]))
      osm_strv_append (ret_missing, wanted[k]);
  }
  json_array_foreach (rules, i, rule)
  {
    bool meant = !osm_str_equal (osm_json_str (rule, "direction"), "ingress");

    for (size_t k = 0; !meant && wanted && wanted[k]; k++)
      meant = is_ssh_from (rule, wanted[k]);
    if (!meant && osm_json_str (rule, "id"))
      osm_strv_append (ret_extra, osm_json_str (rule, "id"));
  }
}

int
osm_host_rules_converge (struct osm_cloud *cloud, const char *group_id, char *const *wanted,
                         bool *ret_changed, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *group = NULL;
  OSM_CLEANUP_STRV char **missing = NULL, **extra = NULL;

  if (osm_cloud_find (cloud, &osm_security_groups, group_id, &group, err) == -1)
    return -1;
  osm_host_rules_compare (json_object_get (group, "security_group_rules"), wanted, &missing,
                          &extra);
  for (size_t i = 0; missing && missing[i]; i++) {
    OSM_CLEANUP_JSON json_t *rule = osm_json_pack (
        "{s:s, s:s, s:s, s:s, s:i, s:i, s:s}", "security_group_id", group_id, "direction",
        "ingress", "ethertype", strchr (missing[i], ':') ? "IPv6" : "IPv4", "protocol", "tcp",
        "port_range_min", 22, "port_range_max", 22, "remote_ip_prefix", missing[i]);

    if (osm_security_group_rule_create (cloud, rule, err) == -1)
      return -1;
    *ret_changed = true;
  }
  for (size_t i = 0; extra && extra[i]; i++) {
    if (osm_security_group_rule_delete (cloud, extra[i], err) == -1)
      return -1;
    *ret_changed = true;
  }
  return 0;
}
