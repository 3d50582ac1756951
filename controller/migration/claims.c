/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/claims.h"

#include <stdlib.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/migration/belongings.h"
#include "controller/migration/marks.h"
#include "controller/migration/quota.h"
#include "controller/migration/state.h"

/* ---- pure ---- */

static bool
is_made (const json_t *objects, const char *role, const char *id)
{
  OSM_CLEANUP_FREE char *key = id ? osm_asprintf ("%s:%s", role, id) : osm_strdup (role);

  return osm_str_equal (osm_json_str (osm_json_find (objects, "key", key), "state"), "created");
}

/* Those that are not made yet. New array. */
static json_t *
unmade (const json_t *planned, const json_t *objects, const char *role)
{
  json_t *left = json_array (), *one;
  size_t i;

  json_array_foreach (planned, i, one)
  {
    if (!is_made (objects, role, osm_json_str (one, "id")))
      json_array_append (left, one);
  }
  return left;
}

json_t *
osm_claims_of (const json_t *plan, const json_t *objects)
{
  static const struct {
    const char *list, *role;
  } kinds[] = { { "volumes", OSM_ROLE_VOLUME },
                { "ports", OSM_ROLE_PORT },
                { "floating_ips", OSM_ROLE_FLOATING_IP } };
  OSM_CLEANUP_JSON json_t *left = json_object (), *needs = NULL;

  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
    json_object_set_new (left, kinds[i].list,
                         unmade (json_object_get (plan, kinds[i].list), objects, kinds[i].role));
  if (json_object_get (plan, "server") && !is_made (objects, OSM_ROLE_SERVER, NULL))
    json_object_set (left, "server", json_object_get (plan, "server"));
  needs = osm_quota_needs (left);
  if (is_made (objects, OSM_BELONGING_GROUP, NULL))
    json_object_del (json_object_get (needs, "destination"), "server_groups");
  return json_incref (json_object_get (needs, "destination"));
}

/* ---- the journal ---- */

static int
add_migration (struct osm_store *store, const char *id, json_t *seen, json_t *sum,
               struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *objects = NULL, *needs = NULL;
  struct osm_migration_row *row;
  int r;

  if (osm_store_migration_get (store, id, &row, err) == -1)
    return -1;
  r = osm_store_object_list (store, id, &objects, err);
  if (r == 0) {
    const char *group = osm_json_str (
        json_object_get (json_object_get (row->plan, "server"), "server_group"), "name");

    needs = osm_claims_of (row->plan, objects);
    /* Of several that need one group the first makes it. */
    if (group && json_object_get (seen, group))
      json_object_del (needs, "server_groups");
    else if (group)
      json_object_set_new (seen, group, json_true ());
    osm_quota_add (sum, needs);
  }
  osm_migration_row_free (row);
  return r;
}

int
osm_claims_load (struct osm_store *store, const char *destination_cloud, json_t **ret,
                 struct osm_error *err)
{
  static const enum osm_migration_state states[] = { OSM_STATE_PLANNED, OSM_STATE_RUNNING,
                                                     OSM_STATE_HELD };
  OSM_CLEANUP_JSON json_t *sum = json_object (), *seen = json_object ();
  int r = 0;

  for (size_t s = 0; r == 0 && s < sizeof states / sizeof states[0]; s++) {
    struct osm_migration_row **rows = NULL;
    size_t nr = 0;

    r = osm_store_migration_list (store, osm_migration_state_name (states[s]), 0, &rows, &nr, err);
    for (size_t i = 0; i < nr; i++) {
      if (r == 0 && osm_str_equal (rows[i]->destination_cloud, destination_cloud))
        r = add_migration (store, rows[i]->id, seen, sum, err);
      osm_migration_row_free (rows[i]);
    }
    free (rows);
  }
  if (r == 0)
    *ret = osm_take (sum);
  return r;
}
