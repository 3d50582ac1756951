/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "controller/cloud/network.h"
#include "controller/tenant/filter.h"
#include "controller/tenant/types.h"

/* https://docs.openstack.org/api-ref/network/v2/#security-groups-security-groups */
static const struct osm_field fields[] = {
  OSM_FIELD ("description", OSM_FIELD_TEXT),
  OSM_FIELD ("name", OSM_FIELD_TEXT),
  OSM_FIELD ("is_stateful", OSM_FIELD_BOOL, .flags = OSM_FIELD_BEYOND, .api = "stateful",
             .extension = "stateful-security-group"),
  OSM_FIELD ("tags", OSM_FIELD_SET, .flags = OSM_FIELD_BEYOND | OSM_FIELD_SEPARATE),
  OSM_FIELD ("created_at", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("project_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("revision_number", OSM_FIELD_INTEGER, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("updated_at", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELDS_END,
};

static int
delete_rules (const struct osm_change *change, const json_t *group, struct osm_error *err)
{
  const json_t *rule;
  size_t i;

  json_array_foreach (json_object_get (group, "security_group_rules"), i, rule)
  {
    const char *id = osm_json_str (rule, "id");

    if (id && osm_security_group_rule_delete (change->cloud, id, err) == -1)
      return osm_error_wrap (err, "the rules that a new group has");
  }
  return 0;
}

/* The next import would take its rules for wanted. */
static void
delete_again (const struct osm_change *change, const json_t *group, struct osm_error *err)
{
  const char *id = osm_json_str (group, "id");
  OSM_ERROR (why);

  osm_interrupt_hold ();
  if (osm_network_delete (change->cloud, &osm_security_groups, id, &why) == -1)
    osm_error_hint (err, "delete the new group %s: it has rules that let everything out", id);
  osm_interrupt_release ();
}

/* A new group comes with rules that let everything out. If its rules come from a file, they are in that file or are not wanted. */
static int
create (const struct osm_change *change, const json_t *entry, const json_t *body, json_t **ret,
        struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *group = NULL;

  (void)entry;
  if (osm_network_create (change->cloud, &osm_security_groups, body, &group, err) == -1)
    return -1;
  if (change->rules && osm_filter_takes (change->rules, osm_json_str (body, "name")) &&
      delete_rules (change, group, err) == -1) {
    delete_again (change, group, err);
    return -1;
  }
  *ret = osm_take (group);
  return 0;
}

static const char *const match[] = { "name", NULL };

const struct osm_tenant_type osm_type_security_group = {
  .name = "security_groups",
  .noun = "security group",
  .yaml_type = "openstack.network.SecurityGroup",
  .file = "security_groups.yml",
  .service = OSM_NETWORK,
  .list_path = "/security-groups?project_id=%s",
  .list_key = "security_groups",
  .member_path = "/security-groups",
  .member_key = "security_group",
  .list_by_id = true,
  .owner = "project_id",
  .match = match,
  .cleanable = true,
  .fields = fields,
  .create = create,
  .set = osm_tenant_set_tags,
};
