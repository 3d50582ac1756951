/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Roles that osm gives its own user in a project, from right before it does so until they are taken back. */

#include <config.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "controller/store/internal.h"

int
osm_store_grant_intend (struct osm_store *store, const struct osm_role_grant *g,
                        struct osm_error *err)
{
  return osm_sql_run_alone (
      store, NULL, err,
      "INSERT INTO role_grant (cloud, project_id, user_id, role_id, project, role, url,"
      "                        intended_ms)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
      " ON CONFLICT DO UPDATE SET intended_ms = excluded.intended_ms, url = excluded.url",
      "sssssssi", g->cloud, g->project_id, g->user_id, g->role_id, g->project, g->role, g->url,
      osm_wall_ms ());
}

int
osm_store_grant_list (struct osm_store *store, const char *cloud, json_t **ret,
                      struct osm_error *err)
{
  static const char *const keys[] = { "cloud",   "project_id", "user_id", "role_id",
                                      "project", "role",       "url" };
  OSM_TRANSACTION (t, store);
  OSM_CLEANUP_STMT sqlite3_stmt *s = NULL;
  OSM_CLEANUP_JSON json_t *rows = json_array ();
  int r;

  if (osm_sql_prepare (store, &s, err,
                       "SELECT cloud, project_id, user_id, role_id, project, role, url, intended_ms"
                       " FROM role_grant WHERE (?1 IS NULL OR cloud = ?1)"
                       " ORDER BY intended_ms, cloud, project_id",
                       "s", cloud) == -1)
    return -1;
  while ((r = osm_sql_step (store, s, err)) == 1) {
    json_t *row = json_object ();

    for (int i = 0; i < (int)(sizeof keys / sizeof keys[0]); i++) {
      OSM_CLEANUP_FREE char *text = osm_sql_text (s, i);

      osm_json_set_str (row, keys[i], text);
    }
    json_object_set_new (row, "intended_ms", json_integer (sqlite3_column_int64 (s, 7)));
    json_array_append_new (rows, row);
  }
  if (r == -1)
    return -1;
  *ret = osm_take (rows);
  return 0;
}

int
osm_store_grant_revoked (struct osm_store *store, const char *cloud, const char *project_id,
                         const char *user_id, const char *role_id, struct osm_error *err)
{
  return osm_sql_run_alone (store, NULL, err,
                            "DELETE FROM role_grant WHERE cloud = ? AND project_id = ?"
                            " AND user_id = ? AND role_id = ?",
                            "ssss", cloud, project_id, user_id, role_id);
}
