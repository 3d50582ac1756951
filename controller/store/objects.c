/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The mapping of the objects around servers: also who made what. The rows of servers and volumes have no origin. */

#include <config.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "controller/store/internal.h"

int
osm_store_mapping_note (struct osm_store *store, const struct osm_mapping *m, struct osm_error *err)
{
  /* What osm made stays so, however it is found again. */
  return osm_sql_run_alone (
      store, NULL, err,
      "INSERT INTO mapping (source_cloud, destination_cloud, type, source_id, destination_id,"
      "                     updated_ms, origin, name)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
      " ON CONFLICT DO UPDATE SET"
      "   origin = CASE WHEN excluded.origin = 'adopted'"
      "                      AND mapping.destination_id = excluded.destination_id"
      "                      AND mapping.origin IS NOT NULL"
      "                 THEN mapping.origin ELSE excluded.origin END,"
      "   destination_id = excluded.destination_id, updated_ms = excluded.updated_ms,"
      "   name = excluded.name",
      "sssssiss", m->source_cloud, m->destination_cloud, m->type, m->source_id, m->destination_id,
      osm_wall_ms (), m->origin, m->name);
}

static json_t *
row_of (sqlite3_stmt *s)
{
  static const char *const keys[] = { "source_cloud", "destination_cloud", "type",
                                      "source_id",    "destination_id",    "origin",
                                      "name" };
  json_t *row = json_object ();

  for (int i = 0; i < (int)(sizeof keys / sizeof keys[0]); i++) {
    OSM_CLEANUP_FREE char *text = osm_sql_text (s, i);

    osm_json_set_str (row, keys[i], text);
  }
  json_object_set_new (row, "updated_ms", json_integer (sqlite3_column_int64 (s, 7)));
  if (sqlite3_column_type (s, 8) != SQLITE_NULL)
    json_object_set_new (row, "source_deleted_ms", json_integer (sqlite3_column_int64 (s, 8)));
  return row;
}

int
osm_store_mapping_list (struct osm_store *store, const char *source_cloud,
                        const char *destination_cloud, json_t **ret, struct osm_error *err)
{
  OSM_TRANSACTION (t, store);
  OSM_CLEANUP_STMT sqlite3_stmt *s = NULL;
  OSM_CLEANUP_JSON json_t *rows = json_array ();
  int r;

  if (osm_sql_prepare (store, &s, err,
                       "SELECT source_cloud, destination_cloud, type, source_id, destination_id,"
                       "       origin, name, updated_ms, source_deleted_ms"
                       " FROM mapping WHERE origin IS NOT NULL"
                       " AND (?1 IS NULL OR source_cloud = ?1)"
                       " AND (?2 IS NULL OR destination_cloud = ?2)"
                       " ORDER BY source_cloud, destination_cloud, type, updated_ms, source_id",
                       "ss", source_cloud, destination_cloud) == -1)
    return -1;
  while ((r = osm_sql_step (store, s, err)) == 1)
    json_array_append_new (rows, row_of (s));
  if (r == -1)
    return -1;
  *ret = osm_take (rows);
  return 0;
}

int
osm_store_mapping_forget (struct osm_store *store, const char *source_cloud,
                          const char *destination_cloud, const char *type, const char *source_id,
                          struct osm_error *err)
{
  return osm_sql_run_alone (store, "nothing is known of this object", err,
                            "DELETE FROM mapping WHERE source_cloud = ? AND destination_cloud = ?"
                            " AND type = ? AND source_id = ? AND origin IS NOT NULL",
                            "ssss", source_cloud, destination_cloud, type, source_id);
}

int
osm_store_mapping_source_deleted (struct osm_store *store, const char *source_cloud,
                                  const char *destination_cloud, const char *type,
                                  const char *source_id, struct osm_error *err)
{
  return osm_sql_run_alone (store, "nothing is known of this object", err,
                            "UPDATE mapping SET source_deleted_ms = ?"
                            " WHERE source_cloud = ? AND destination_cloud = ?"
                            " AND type = ? AND source_id = ? AND origin IS NOT NULL",
                            "issss", osm_wall_ms (), source_cloud, destination_cloud, type,
                            source_id);
}
