/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A migration that is known from the clouds only gets its rows again. */

#include <config.h>

#include "controller/store/store.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "controller/store/internal.h"

static int
add_steps (struct osm_store *store, const char *id, const json_t *steps, int64_t now,
           struct osm_error *err)
{
  const json_t *step;
  size_t i;

  json_array_foreach (steps, i, step)
  {
    if (osm_sql_run (store, err,
                     "INSERT INTO step (migration, seq, name, state, started_ms)"
                     " SELECT number, ?, ?, ?, ? FROM migration WHERE id = ?",
                     "issis", (int64_t)i, osm_json_str (step, "name"), osm_json_str (step, "state"),
                     now, id) == -1)
      return -1;
  }
  return 0;
}

static int
add_objects (struct osm_store *store, const char *id, const json_t *objects, struct osm_error *err)
{
  const json_t *object;
  size_t i;

  json_array_foreach (objects, i, object)
  {
    if (osm_sql_run (store, err,
                     "INSERT INTO object (migration, key, cloud, type, state, object_id)"
                     " SELECT number, ?, ?, ?, 'created', ? FROM migration WHERE id = ?",
                     "sssss", osm_json_str (object, "key"), osm_json_str (object, "cloud"),
                     osm_json_str (object, "type"), osm_json_str (object, "object_id"), id) == -1)
      return -1;
  }
  return 0;
}

int
osm_store_migration_restore (struct osm_store *store, const struct osm_migration_row *row,
                             const json_t *steps, const json_t *objects, struct osm_error *err)
{
  OSM_TRANSACTION (t, store);
  int64_t now = osm_wall_ms ();

  if (osm_sql_begin (&t, err) == -1 ||
      osm_sql_run (store, err,
                   "INSERT INTO migration (id, kind, state, source_cloud, destination_cloud,"
                   "  object_id, object_name, result_id, created_ms, updated_ms, bytes_total, plan)"
                   " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   "ssssssssiiuj", row->id, row->kind, row->state, row->source_cloud,
                   row->destination_cloud, row->object_id, row->object_name, row->result_id, now,
                   now, row->bytes_total, row->plan) == -1 ||
      add_steps (store, row->id, steps, now, err) == -1 ||
      add_objects (store, row->id, objects, err) == -1 ||
      osm_sql_run (store, err,
                   "INSERT INTO event (migration, time_ms, text)"
                   " SELECT number, ?, 'rebuilt from the marks in both clouds' FROM migration"
                   " WHERE id = ?",
                   "is", now, row->id) == -1)
    return -1;
  return osm_sql_commit (&t, err);
}
