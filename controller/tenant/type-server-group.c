/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/tenant/inventory.h"
#include "controller/tenant/types.h"

#define PAGE 1000
#define MAX_GROUPS 100000

/* Before 2.64 a list, of which only the first counted. */
static int
policy_to_file (const struct osm_inventory *inventory, const json_t *group, json_t **ret,
                struct osm_error *err)
{
  json_t *policy = json_object_get (group, "policy");

  (void)inventory;
  (void)err;
  if (!policy)
    policy = json_array_get (json_object_get (group, "policies"), 0);
  *ret = policy ? json_incref (policy) : json_null ();
  return 0;
}

/* https://docs.openstack.org/api-ref/compute/#server-groups-os-server-groups. Nothing of it can be changed. */
static const struct osm_field fields[] = {
  OSM_FIELD ("name", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED),
  OSM_FIELD ("policy", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED, .to_file = policy_to_file),
  OSM_FIELD ("rules", OSM_FIELD_OBJECT, .flags = OSM_FIELD_FIXED | OSM_FIELD_NO_EMPTY,
             .since = "2.64"),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("members", OSM_FIELD_LIST, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("project_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("user_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELDS_END,
};

/* Nova gives no more than its max_limit at once, and no link to the rest. */
static int
list_pages (struct osm_cloud *cloud, const char *query, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *all = json_array (), *seen = json_object ();

  for (size_t offset = 0;;) {
    OSM_CLEANUP_FREE char *path =
        osm_asprintf ("/os-server-groups?%slimit=%d&offset=%zu", query, PAGE, offset);
    OSM_CLEANUP_JSON json_t *page = NULL;
    size_t i, before = json_array_size (all);
    json_t *group;

    if (osm_cloud_list (cloud, OSM_COMPUTE, path, "server_groups", &page, err) == -1)
      return -1;
    json_array_foreach (page, i, group)
    {
      const char *id = osm_json_str (group, "id");

      if (!id || json_object_get (seen, id))
        continue;
      json_object_set_new (seen, id, json_true ());
      json_array_append (all, group);
    }
    /* Nothing new: also from one that always begins at the beginning. */
    if (json_array_size (all) == before)
      break;
    offset += json_array_size (page);
    if (offset > MAX_GROUPS)
      return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                            "cloud '%s': the list of server groups has more than %d entries",
                            osm_cloud_name (cloud), MAX_GROUPS);
  }
  *ret = osm_take (all);
  return 0;
}

/* Nova lists those of the token's project, or for administrators all. */
static int
list (const struct osm_listing *l, json_t **ret, struct osm_error *err)
{
  const char *project = osm_inventory_project (l->inventory);
  OSM_CLEANUP_JSON json_t *groups = NULL, *ours = json_array ();
  json_t *group;
  size_t i;

  if (!osm_inventory_of_project (l->inventory))
    return list_pages (l->cloud, "", ret, err);
  if (!osm_cloud_has_microversion (l->cloud, OSM_COMPUTE, "2.13"))
    return osm_error_set (err, OSM_ERROR_USER, 403,
                          "cloud '%s': server groups of other projects need compute 2.13",
                          osm_cloud_name (l->cloud));
  if (list_pages (l->cloud, "all_projects=True&", &groups, err) == -1)
    return -1;
  json_array_foreach (groups, i,
                      group) if (osm_str_equal (osm_json_str (group, "project_id"), project))
      json_array_append (ours, group);
  *ret = osm_take (ours);
  return 0;
}

/* In the token's project, whatever is asked. */
static int
create (const struct osm_change *change, const json_t *entry, const json_t *body, json_t **ret,
        struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *group = json_copy ((json_t *)body), *wrapped = NULL;
  const struct osm_tenant_project *project = osm_inventory_of_project (change->inventory);
  struct osm_cloud *cloud = change->cloud;

  (void)entry;
  if (project && project->open && project->open (project->data, &cloud, err) == -1)
    return -1;
  if (!osm_cloud_has_microversion (change->cloud, OSM_COMPUTE, "2.64")) {
    json_object_set_new (group, "policies",
                         osm_json_pack ("[O?]", json_object_get (group, "policy")));
    json_object_del (group, "policy");
  }
  wrapped = osm_json_pack ("{s:O}", "server_group", group);
  return osm_cloud_post (cloud, OSM_COMPUTE, "/os-server-groups", wrapped, "server_group", ret,
                         err);
}

static const char *const match[] = { "name", NULL };

const struct osm_tenant_type osm_type_server_group = {
  .name = "server_groups",
  .noun = "server group",
  .yaml_type = "osm.compute.ServerGroup",
  .file = OSM_OWN_FILES "server_groups.yml",
  .service = OSM_COMPUTE,
  .list_key = "server_groups",
  .member_path = "/os-server-groups",
  .member_key = "server_group",
  .of_project = true,
  .match = match,
  .cleanable = true,
  .fields = fields,
  .list = list,
  .create = create,
};
