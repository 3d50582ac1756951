/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What happens to a migration: steps, objects made in the clouds, events. */

#include <config.h>

#include "controller/store/store.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/store/internal.h"

#define MAX_EVENT_TEXT 4096

#define MIGRATION "(SELECT number FROM migration WHERE id = ?)"

static json_t *
text_or_null (sqlite3_stmt *s, int column)
{
  const char *text = (const char *)sqlite3_column_text (s, column);
  json_t *value = text ? json_string (text) : json_null ();

  return value ? value : json_null ();
}

static json_t *
number_or_null (sqlite3_stmt *s, int column)
{
  if (sqlite3_column_type (s, column) == SQLITE_NULL)
    return json_null ();
  return json_integer (sqlite3_column_int64 (s, column));
}

/* ---- steps ---- */

int
osm_store_step_begin (struct osm_store *store, const char *id, unsigned seq, const char *name,
                      struct osm_error *err)
{
  return osm_sql_run_alone (store, "such migration", err,
                            "INSERT INTO step (migration, seq, name, state, started_ms)"
                            " SELECT number, ?, ?, 'running', ? FROM migration WHERE id = ?"
                            " ON CONFLICT DO UPDATE SET name = excluded.name, state = 'running',"
                            "  started_ms = excluded.started_ms, ended_ms = NULL, error = NULL",
                            "isis", (int64_t)seq, name, osm_wall_ms (), id);
}

/* The times are those of the latest attempt: an undo has its own. */
int
osm_store_step_end (struct osm_store *store, const char *id, unsigned seq, const char *state,
                    const json_t *error, struct osm_error *err)
{
  int64_t now = osm_wall_ms ();
  bool undoing = strcmp (state, "undoing") == 0, undone = strcmp (state, "undone") == 0;
  const char *sql =
      undoing && !error
          ? "UPDATE step SET started_ms = ?1, ended_ms = NULL, state = ?2, error = ?3"
            " WHERE migration = (SELECT number FROM migration WHERE id = ?4) AND seq = ?5"
      : undone
          ? "UPDATE step SET started_ms = iif (state = 'undoing', started_ms, ?1), ended_ms = ?1,"
            " state = ?2, error = ?3"
            " WHERE migration = (SELECT number FROM migration WHERE id = ?4) AND seq = ?5"
          : "UPDATE step SET ended_ms = ?1, state = ?2, error = ?3"
            " WHERE migration = (SELECT number FROM migration WHERE id = ?4) AND seq = ?5";

  return osm_sql_run_alone (store, "such step", err, sql, "isjsi", now, state, error, id,
                            (int64_t)seq);
}

int
osm_store_step_state (struct osm_store *store, const char *id, unsigned seq, char **ret,
                      struct osm_error *err)
{
  OSM_TRANSACTION (t, store);
  OSM_CLEANUP_STMT sqlite3_stmt *s = NULL;
  int r;

  if (osm_sql_prepare (store, &s, err,
                       "SELECT state FROM step WHERE migration = " MIGRATION " AND seq = ?", "si",
                       id, (int64_t)seq) == -1 ||
      (r = osm_sql_step (store, s, err)) == -1)
    return -1;
  *ret = r == 1 ? osm_sql_text (s, 0) : NULL;
  return 0;
}

int
osm_store_step_list (struct osm_store *store, const char *id, json_t **ret, struct osm_error *err)
{
  OSM_TRANSACTION (t, store);
  OSM_CLEANUP_STMT sqlite3_stmt *s = NULL;
  OSM_CLEANUP_JSON json_t *steps = json_array ();
  int r;

  if (osm_sql_prepare (store, &s, err,
                       "SELECT seq, name, state, started_ms, ended_ms, error FROM step"
                       " WHERE migration = " MIGRATION " ORDER BY seq",
                       "s", id) == -1)
    return -1;
  while ((r = osm_sql_step (store, s, err)) == 1) {
    json_t *error = NULL;

    if (osm_sql_json (store, s, 5, &error, err) == -1)
      return -1;
    json_array_append_new (
        steps, osm_json_pack ("{s:o, s:o, s:o, s:o, s:o, s:o}", "seq", number_or_null (s, 0),
                              "name", text_or_null (s, 1), "state", text_or_null (s, 2),
                              "started_ms", number_or_null (s, 3), "ended_ms",
                              number_or_null (s, 4), "error", error ? error : json_null ()));
  }
  if (r == -1)
    return -1;
  *ret = osm_take (steps);
  return 0;
}

/* ---- objects ---- */

/* A second intent for an object that was deleted starts its life anew; one that was created stays so. */
int
osm_store_object_intend (struct osm_store *store, const char *id, const char *key,
                         const char *cloud, const char *type, struct osm_error *err)
{
  return osm_sql_run_alone (store, "such migration", err,
                            "INSERT INTO object (migration, key, cloud, type, state, intended_ms)"
                            " SELECT number, ?, ?, ?, 'intended', ? FROM migration WHERE id = ?"
                            " ON CONFLICT DO UPDATE SET cloud = excluded.cloud,"
                            "  type = excluded.type, intended_ms = excluded.intended_ms,"
                            "  object_id = iif (state = 'deleted', NULL, object_id),"
                            "  state = iif (state = 'deleted', 'intended', state)",
                            "sssis", key, cloud, type, osm_wall_ms (), id);
}

int
osm_store_object_created (struct osm_store *store, const char *id, const char *key,
                          const char *object_id, struct osm_error *err)
{
  return osm_sql_run_alone (store, "such object", err,
                            "UPDATE object SET state = 'created', object_id = ?"
                            " WHERE migration = " MIGRATION " AND key = ?",
                            "sss", object_id, id, key);
}

int
osm_store_object_deleted (struct osm_store *store, const char *id, const char *key,
                          struct osm_error *err)
{
  return osm_sql_run_alone (store, "such object", err,
                            "UPDATE object SET state = 'deleted'"
                            " WHERE migration = " MIGRATION " AND key = ?",
                            "ss", id, key);
}

int
osm_store_object_get (struct osm_store *store, const char *id, const char *key, char **ret_state,
                      char **ret_object_id, struct osm_error *err)
{
  OSM_TRANSACTION (t, store);
  OSM_CLEANUP_STMT sqlite3_stmt *s = NULL;
  int r;

  if (osm_sql_prepare (store, &s, err,
                       "SELECT state, iif (state = 'created', object_id, NULL) FROM object"
                       " WHERE migration = " MIGRATION " AND key = ?",
                       "ss", id, key) == -1 ||
      (r = osm_sql_step (store, s, err)) == -1)
    return -1;
  *ret_state = r == 1 ? osm_sql_text (s, 0) : NULL;
  *ret_object_id = r == 1 ? osm_sql_text (s, 1) : NULL;
  return 0;
}

int
osm_store_object_age (struct osm_store *store, const char *id, const char *key, int64_t *ret_ms,
                      struct osm_error *err)
{
  OSM_TRANSACTION (t, store);
  OSM_CLEANUP_STMT sqlite3_stmt *s = NULL;
  int r;

  if (osm_sql_prepare (store, &s, err,
                       "SELECT intended_ms FROM object WHERE migration = " MIGRATION " AND key = ?",
                       "ss", id, key) == -1 ||
      (r = osm_sql_step (store, s, err)) == -1)
    return -1;
  *ret_ms = r == 1 && sqlite3_column_type (s, 0) != SQLITE_NULL
                ? osm_wall_ms () - sqlite3_column_int64 (s, 0)
                : INT64_MAX;
  return 0;
}

int
osm_store_object_list (struct osm_store *store, const char *id, json_t **ret, struct osm_error *err)
{
  OSM_TRANSACTION (t, store);
  OSM_CLEANUP_STMT sqlite3_stmt *s = NULL;
  OSM_CLEANUP_JSON json_t *objects = json_array ();
  int r;

  if (osm_sql_prepare (store, &s, err,
                       "SELECT key, cloud, type, object_id, state FROM object"
                       " WHERE migration = " MIGRATION " ORDER BY number",
                       "s", id) == -1)
    return -1;
  while ((r = osm_sql_step (store, s, err)) == 1)
    json_array_append_new (
        objects, osm_json_pack ("{s:o, s:o, s:o, s:o, s:o}", "key", text_or_null (s, 0), "cloud",
                                text_or_null (s, 1), "type", text_or_null (s, 2), "object_id",
                                text_or_null (s, 3), "state", text_or_null (s, 4)));
  if (r == -1)
    return -1;
  *ret = osm_take (objects);
  return 0;
}

/* ---- events ---- */

int
osm_store_event_add (struct osm_store *store, const char *id, const char *text,
                     struct osm_error *err)
{
  OSM_CLEANUP_FREE char *head = osm_strndup (text, MAX_EVENT_TEXT);

  return osm_sql_run_alone (store, "such migration", err,
                            "INSERT INTO event (migration, time_ms, text)"
                            " SELECT number, ?, ? FROM migration WHERE id = ?",
                            "iss", osm_wall_ms (), head, id);
}

int
osm_store_event_list (struct osm_store *store, const char *id, uint64_t after, json_t **ret,
                      struct osm_error *err)
{
  OSM_TRANSACTION (t, store);
  OSM_CLEANUP_STMT sqlite3_stmt *s = NULL;
  OSM_CLEANUP_JSON json_t *events = json_array ();
  int r;

  if (osm_sql_prepare (store, &s, err,
                       "SELECT number, time_ms, text FROM event"
                       " WHERE migration = " MIGRATION " AND number > ? ORDER BY number",
                       "su", id, after) == -1)
    return -1;
  while ((r = osm_sql_step (store, s, err)) == 1)
    json_array_append_new (events, osm_json_pack ("{s:o, s:o, s:o}", "seq", number_or_null (s, 0),
                                                  "time_ms", number_or_null (s, 1), "text",
                                                  text_or_null (s, 2)));
  if (r == -1)
    return -1;
  *ret = osm_take (events);
  return 0;
}
