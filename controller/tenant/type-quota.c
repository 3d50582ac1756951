/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/tenant/inventory.h"
#include "controller/tenant/types.h"

/* One object for each service: it is always there, and can only be changed. */
static const struct {
  const char *name, *path, *key;
  enum osm_service service;
} services[] = {
  { "compute", "/os-quota-sets", "quota_set", OSM_COMPUTE },
  { "network", "/quotas", "quota", OSM_NETWORK },
  { "volume", "/os-quota-sets", "quota_set", OSM_VOLUME },
};
#define NR_SERVICES (sizeof services / sizeof services[0])

#define QUOTA(name) OSM_FIELD (name, OSM_FIELD_INTEGER, .flags = OSM_FIELD_BEYOND)

/* Those that do not belong to the service are not in the entry. What Nova has of networks is from times before Neutron, and quotas of
 * each volume type belong to a cloud. */
static const struct osm_field fields[] = {
  OSM_FIELD ("service", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED),
  QUOTA ("cores"),
  QUOTA ("instances"),
  QUOTA ("key_pairs"),
  QUOTA ("metadata_items"),
  QUOTA ("ram"),
  QUOTA ("server_group_members"),
  QUOTA ("server_groups"),
  QUOTA ("floatingip"),
  QUOTA ("network"),
  QUOTA ("port"),
  QUOTA ("rbac_policy"),
  QUOTA ("router"),
  QUOTA ("security_group"),
  QUOTA ("security_group_rule"),
  QUOTA ("subnet"),
  QUOTA ("subnetpool"),
  QUOTA ("trunk"),
  QUOTA ("backup_gigabytes"),
  QUOTA ("backups"),
  QUOTA ("gigabytes"),
  QUOTA ("groups"),
  QUOTA ("per_volume_gigabytes"),
  QUOTA ("snapshots"),
  QUOTA ("volumes"),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO, .api = "service"),
  OSM_FIELDS_END,
};

static char *
quota_id (const json_t *quota)
{
  return osm_strdup (osm_json_str (quota, "service"));
}

static int
list (const struct osm_listing *l, json_t **ret, struct osm_error *err)
{
  const char *project = osm_inventory_project (l->inventory);
  OSM_CLEANUP_JSON json_t *all = json_array ();

  for (size_t i = 0; project && i < NR_SERVICES; i++) {
    OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/%s", services[i].path, project);
    json_t *quota = NULL;

    if (osm_cloud_get (l->cloud, services[i].service, path, services[i].key, &quota, err) == -1)
      return -1;
    json_object_set_new (quota, "service", json_string (services[i].name));
    json_array_append_new (all, quota);
  }
  *ret = osm_take (all);
  return 0;
}

static int
update (const struct osm_change *change, const char *id, const json_t *body, const json_t *entry,
        const json_t *is, struct osm_error *err)
{
  const char *project = osm_inventory_project (change->inventory);

  (void)entry;
  (void)is;
  for (size_t i = 0; project && i < NR_SERVICES; i++)
    if (strcmp (services[i].name, id) == 0) {
      OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/%s", services[i].path, project);
      OSM_CLEANUP_JSON json_t *wrapped = osm_json_pack ("{s:O}", services[i].key, body);

      return osm_cloud_put (change->cloud, services[i].service, path, wrapped, NULL, NULL, err);
    }
  return osm_error_set (err, OSM_ERROR_USER, 0, "there are no quotas of a service '%s'", id);
}

static const char *const match[] = { "service", NULL };

const struct osm_tenant_type osm_type_quota = {
  .name = "quotas",
  .noun = "quota",
  .yaml_type = "osm.Quota",
  .file = OSM_OWN_FILES "quotas.yml",
  .administrator = true,
  .service = OSM_COMPUTE,
  .of_project = true,
  .match = match,
  .filter_by = "service",
  .fields = fields,
  .id = quota_id,
  .list = list,
  .never_made = "the destination has no such quotas",
  .update = update,
};
