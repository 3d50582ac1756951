/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Migrations and the facts found while they run. */

#include <config.h>

#include "controller/store/store.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/strbuf.h"
#include "controller/store/internal.h"

#define ID_LEN 8
#define MAX_NAMED 8 /* candidates that a message lists */

#define COLUMNS                                                                          \
  "id, kind, state, source_cloud, destination_cloud, object_id, object_name, result_id," \
  " created_ms, updated_ms, bytes_total, bytes_done, bytes_sent, error"

void
osm_migration_row_free (struct osm_migration_row *row)
{
  if (!row)
    return;
  free (row->id);
  free (row->kind);
  free (row->state);
  free (row->source_cloud);
  free (row->destination_cloud);
  free (row->object_id);
  free (row->object_name);
  free (row->result_id);
  json_decref (row->plan);
  json_decref (row->error);
  free (row);
}

/* COLUMNS, and the plan after them if with_plan. */
static int
read_row (struct osm_store *store, sqlite3_stmt *s, bool with_plan, struct osm_migration_row **ret,
          struct osm_error *err)
{
  struct osm_migration_row *row = osm_calloc (1, sizeof *row);
  int i = 0;

  row->id = osm_sql_text (s, i++);
  row->kind = osm_sql_text (s, i++);
  row->state = osm_sql_text (s, i++);
  row->source_cloud = osm_sql_text (s, i++);
  row->destination_cloud = osm_sql_text (s, i++);
  row->object_id = osm_sql_text (s, i++);
  row->object_name = osm_sql_text (s, i++);
  row->result_id = osm_sql_text (s, i++);
  row->created_ms = sqlite3_column_int64 (s, i++);
  row->updated_ms = sqlite3_column_int64 (s, i++);
  row->bytes_total = osm_sql_uint (s, i++);
  row->bytes_done = osm_sql_uint (s, i++);
  row->bytes_sent = osm_sql_uint (s, i++);
  if (osm_sql_json (store, s, i++, &row->error, err) == -1 ||
      (with_plan && osm_sql_json (store, s, i, &row->plan, err) == -1)) {
    osm_migration_row_free (row);
    return -1;
  }
  *ret = row;
  return 0;
}

/* *ret_id NULL if there is none. */
static int
find_unfinished (struct osm_store *store, const struct osm_migration_row *row, char **ret_id,
                 char **ret_state, struct osm_error *err)
{
  OSM_CLEANUP_STMT sqlite3_stmt *s = NULL;
  int r;

  *ret_id = *ret_state = NULL;
  if (osm_sql_prepare (store, &s, err,
                       "SELECT id, state FROM migration"
                       " WHERE source_cloud = ? AND kind = ? AND object_id = ?"
                       " AND state NOT IN ('completed', 'rolled-back', 'cleaned')",
                       "sss", row->source_cloud, row->kind, row->object_id) == -1 ||
      (r = osm_sql_step (store, s, err)) == -1)
    return -1;
  if (r == 1) {
    *ret_id = osm_sql_text (s, 0);
    *ret_state = osm_sql_text (s, 1);
  }
  return 0;
}

/* Random, and not taken. */
static int
choose_id (struct osm_store *store, char ret[ID_LEN + 1], struct osm_error *err)
{
  for (;;) {
    OSM_CLEANUP_STMT sqlite3_stmt *s = NULL;
    char uuid[OSM_UUID_LEN + 1];
    int r;

    osm_uuid_new (uuid);
    memcpy (ret, uuid, ID_LEN);
    ret[ID_LEN] = '\0';
    if (osm_sql_prepare (store, &s, err, "SELECT 1 FROM migration WHERE id = ?", "s", ret) == -1 ||
        (r = osm_sql_step (store, s, err)) == -1)
      return -1;
    if (r == 0)
      return 0;
  }
}

int
osm_store_migration_add (struct osm_store *store, struct osm_migration_row *row,
                         struct osm_error *err)
{
  OSM_TRANSACTION (t, store);
  OSM_CLEANUP_FREE char *other = NULL, *state = NULL;
  char id[ID_LEN + 1];
  int64_t now = osm_wall_ms ();

  if (osm_sql_begin (&t, err) == -1 || find_unfinished (store, row, &other, &state, err) == -1)
    return -1;
  if (other) {
    osm_error_set (err, OSM_ERROR_USER, EEXIST,
                   "%s '%s' of cloud '%s' has an unfinished migration already: %s (%s)", row->kind,
                   row->object_name, row->source_cloud, other, state);
    return osm_error_hint (err,
                           "'osm-controller show %s' tells about it; finish it with "
                           "'osm-controller resume %s' or take it back with "
                           "'osm-controller rollback %s'",
                           other, other, other);
  }
  if (choose_id (store, id, err) == -1 ||
      osm_sql_run (store, err,
                   "INSERT INTO migration (id, kind, state, source_cloud, destination_cloud,"
                   "  object_id, object_name, result_id, created_ms, updated_ms, bytes_total,"
                   "  bytes_done, bytes_sent, error, plan)"
                   " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   "ssssssssiiuuujj", id, row->kind, row->state, row->source_cloud,
                   row->destination_cloud, row->object_id, row->object_name, row->result_id, now,
                   now, row->bytes_total, row->bytes_done, row->bytes_sent, row->error,
                   row->plan) == -1 ||
      osm_sql_commit (&t, err) == -1)
    return -1;
  osm_str_set (&row->id, id);
  row->created_ms = row->updated_ms = now;
  return 0;
}

static int
no_such_migration (const char *id, struct osm_error *err)
{
  osm_error_set (err, OSM_ERROR_USER, 404, "there is no migration '%s'", id);
  return osm_error_hint (err, "'osm-controller list' shows them");
}

/* The ids with that prefix, at most MAX_NAMED + 1. */
static int
find_ids (struct osm_store *store, const char *prefix, char ***ret, struct osm_error *err)
{
  OSM_CLEANUP_STMT sqlite3_stmt *s = NULL;
  OSM_CLEANUP_STRV char **ids = NULL;
  int r;

  /* 'g' follows all hexadecimal digits. */
  if (osm_sql_prepare (store, &s, err,
                       "SELECT id FROM migration WHERE id >= ?1 AND id < ?1 || 'g'"
                       " ORDER BY id LIMIT 9",
                       "s", prefix) == -1)
    return -1;
  while ((r = osm_sql_step (store, s, err)) == 1)
    osm_strv_append (&ids, (const char *)sqlite3_column_text (s, 0));
  if (r == -1)
    return -1;
  *ret = osm_take (ids);
  return 0;
}

int
osm_store_migration_get (struct osm_store *store, const char *id, struct osm_migration_row **ret,
                         struct osm_error *err)
{
  OSM_TRANSACTION (t, store);
  OSM_CLEANUP_STMT sqlite3_stmt *s = NULL;
  OSM_CLEANUP_STRV char **ids = NULL;
  char prefix[ID_LEN + 1];
  size_t len = strlen (id), nr_ids;
  int r;

  if (len == 0 || len > ID_LEN || strspn (id, "0123456789abcdefABCDEF") != len)
    return no_such_migration (id, err);
  for (size_t i = 0; i <= len; i++)
    prefix[i] = (char)tolower ((unsigned char)id[i]);
  if (find_ids (store, prefix, &ids, err) == -1)
    return -1;
  nr_ids = osm_strv_len (ids);
  if (nr_ids == 0)
    return no_such_migration (id, err);
  if (nr_ids > 1) {
    OSM_CLEANUP_FREE char *all = NULL;

    if (nr_ids > MAX_NAMED)
      osm_str_set (&ids[MAX_NAMED], "...");
    all = osm_strv_join (ids, ", ");
    osm_error_set (err, OSM_ERROR_USER, 0, "several migrations start with '%s': %s", id, all);
    return osm_error_hint (err, "give more of the id");
  }
  if (osm_sql_prepare (store, &s, err, "SELECT " COLUMNS ", plan FROM migration WHERE id = ?", "s",
                       ids[0]) == -1 ||
      (r = osm_sql_step (store, s, err)) == -1)
    return -1;
  return r == 1 ? read_row (store, s, true, ret, err) : no_such_migration (id, err);
}

/* All rows of a statement that selects COLUMNS. */
static int
read_rows (struct osm_store *store, sqlite3_stmt *s, struct osm_migration_row ***ret,
           size_t *ret_nr, struct osm_error *err)
{
  struct osm_migration_row **rows = NULL;
  size_t nr = 0, allocated = 0;
  int r;

  while ((r = osm_sql_step (store, s, err)) == 1) {
    if (nr == allocated) {
      allocated = allocated ? allocated * 2 : 64;
      rows = osm_realloc (rows, allocated, sizeof *rows);
    }
    if (read_row (store, s, false, &rows[nr], err) == -1) {
      r = -1;
      break;
    }
    nr++;
  }
  if (r == -1) {
    while (nr > 0)
      osm_migration_row_free (rows[--nr]);
    free (rows);
    return -1;
  }
  *ret = rows;
  *ret_nr = nr;
  return 0;
}

int
osm_store_migration_list (struct osm_store *store, const char *state, size_t limit,
                          struct osm_migration_row ***ret, size_t *ret_nr, struct osm_error *err)
{
  OSM_TRANSACTION (t, store);
  OSM_CLEANUP_STMT sqlite3_stmt *s = NULL;
  int64_t at_most = limit > 0 && limit <= INT64_MAX ? (int64_t)limit : -1;

  if ((state ? osm_sql_prepare (store, &s, err,
                                "SELECT " COLUMNS " FROM migration WHERE state = ?"
                                " ORDER BY number DESC LIMIT ?",
                                "si", state, at_most)
             : osm_sql_prepare (store, &s, err,
                                "SELECT " COLUMNS " FROM migration ORDER BY number DESC LIMIT ?",
                                "i", at_most)) == -1)
    return -1;
  return read_rows (store, s, ret, ret_nr, err);
}

int
osm_store_migration_recent (struct osm_store *store, size_t finished,
                            struct osm_migration_row ***ret, size_t *ret_nr, size_t *ret_more,
                            struct osm_error *err)
{
  OSM_TRANSACTION (t, store);
  OSM_CLEANUP_STMT sqlite3_stmt *s = NULL, *count = NULL;
  int r;

  /* The unfinished ones are an index of their own. */
  if (osm_sql_prepare (store, &count, err, "SELECT count (*) FROM migration", "") == -1 ||
      (r = osm_sql_step (store, count, err)) == -1 ||
      osm_sql_prepare (store, &s, err,
                       "SELECT " COLUMNS " FROM migration WHERE number IN"
                       " (SELECT number FROM migration"
                       "   WHERE state NOT IN ('completed', 'rolled-back', 'cleaned')"
                       "  UNION ALL SELECT number FROM"
                       "   (SELECT number FROM migration ORDER BY number DESC LIMIT ?))"
                       " ORDER BY number DESC",
                       "i", (int64_t)finished) == -1 ||
      read_rows (store, s, ret, ret_nr, err) == -1)
    return -1;
  *ret_more = r == 1 ? (size_t)osm_sql_uint (count, 0) : 0;
  *ret_more -= *ret_more < *ret_nr ? *ret_more : *ret_nr;
  return 0;
}

/* Why a compare-and-set changed nothing. */
static int
explain_state (struct osm_store *store, const char *id, const char *from, struct osm_error *err)
{
  OSM_CLEANUP_STMT sqlite3_stmt *s = NULL;
  const char *state;
  int r;

  if (osm_sql_prepare (store, &s, err,
                       "SELECT m.state, other.id FROM migration m LEFT JOIN migration other"
                       " ON other.source_cloud = m.source_cloud AND other.kind = m.kind"
                       " AND other.object_id = m.object_id AND other.number != m.number"
                       " AND other.state NOT IN ('completed', 'rolled-back', 'cleaned')"
                       " WHERE m.id = ?",
                       "s", id) == -1 ||
      (r = osm_sql_step (store, s, err)) == -1)
    return -1;
  if (r == 0)
    return no_such_migration (id, err);
  state = (const char *)sqlite3_column_text (s, 0);
  if (strcmp (state, from) == 0)
    return osm_error_set (err, OSM_ERROR_USER, EEXIST,
                          "migration %s is at work on the same object: finish that one first",
                          (const char *)sqlite3_column_text (s, 1));
  return osm_error_set (err, OSM_ERROR_RETRY, 0,
                        "it is %s by now, not %s: another process is at it", state, from);
}

int
osm_store_migration_set_state (struct osm_store *store, const char *id, const char *from,
                               const char *to, const json_t *error, struct osm_error *err)
{
  OSM_TRANSACTION (t, store);
  const char *message = error ? osm_json_str (error, "message") : NULL;
  OSM_CLEANUP_FREE char *text =
      osm_asprintf ("%s -> %s%s%s", from, to, message ? ": " : "", message ? message : "");
  int64_t now = osm_wall_ms ();
  int r;

  if (osm_sql_begin (&t, err) == -1)
    return -1;
  r = osm_sql_run (store, err,
                   "UPDATE OR IGNORE migration SET state = ?, error = ?, updated_ms = ?"
                   " WHERE id = ? AND state = ?",
                   "sjiss", to, error, now, id, from);
  if (r == -1)
    return -1;
  if (r == 0)
    return explain_state (store, id, from, err);
  if (osm_sql_run (store, err,
                   "INSERT INTO event (migration, time_ms, text)"
                   " SELECT number, ?, ? FROM migration WHERE id = ?",
                   "iss", now, text, id) == -1)
    return -1;
  return osm_sql_commit (&t, err);
}

int
osm_store_migration_set_result (struct osm_store *store, const char *id, const char *result_id,
                                struct osm_error *err)
{
  return osm_sql_run_alone (store, "such migration", err,
                            "UPDATE migration SET result_id = ?, updated_ms = ? WHERE id = ?",
                            "sis", result_id, osm_wall_ms (), id);
}

int
osm_store_migration_set_progress (struct osm_store *store, const char *id, uint64_t bytes_total,
                                  uint64_t bytes_done, uint64_t bytes_sent, struct osm_error *err)
{
  return osm_sql_run_alone (store, "such migration", err,
                            "UPDATE migration SET bytes_total = ?, bytes_done = ?, bytes_sent = ?,"
                            " updated_ms = ? WHERE id = ?",
                            "uuuis", bytes_total, bytes_done, bytes_sent, osm_wall_ms (), id);
}

/* ---- facts ---- */

int
osm_store_fact_set (struct osm_store *store, const char *id, const char *key, const json_t *value,
                    struct osm_error *err)
{
  return osm_sql_run_alone (store, "such migration", err,
                            "INSERT INTO fact (migration, key, value)"
                            " SELECT number, ?, ? FROM migration WHERE id = ?"
                            " ON CONFLICT DO UPDATE SET value = excluded.value",
                            "sjs", key, value, id);
}

int
osm_store_fact_get (struct osm_store *store, const char *id, const char *key, json_t **ret,
                    struct osm_error *err)
{
  OSM_TRANSACTION (t, store);
  OSM_CLEANUP_STMT sqlite3_stmt *s = NULL;
  int r;

  if (osm_sql_prepare (store, &s, err,
                       "SELECT value FROM fact JOIN migration ON number = migration"
                       " WHERE id = ? AND key = ?",
                       "ss", id, key) == -1 ||
      (r = osm_sql_step (store, s, err)) == -1)
    return -1;
  if (r == 1)
    return osm_sql_json (store, s, 0, ret, err);
  *ret = NULL;
  return 0;
}

int
osm_store_fact_list (struct osm_store *store, const char *id, const char *prefix, json_t **ret,
                     struct osm_error *err)
{
  OSM_TRANSACTION (t, store);
  OSM_CLEANUP_STMT sqlite3_stmt *s = NULL;
  OSM_CLEANUP_JSON json_t *facts = json_object ();
  int r;

  if (osm_sql_prepare (store, &s, err,
                       "SELECT key, value FROM fact JOIN migration ON number = migration"
                       " WHERE id = ? AND substr (key, 1, length (?2)) = ?2 ORDER BY key",
                       "ss", id, prefix) == -1)
    return -1;
  while ((r = osm_sql_step (store, s, err)) == 1) {
    json_t *value = NULL;

    if (osm_sql_json (store, s, 1, &value, err) == -1)
      return -1;
    json_object_set_new (facts, (const char *)sqlite3_column_text (s, 0), value);
  }
  if (r == -1)
    return -1;
  *ret = osm_take (facts);
  return 0;
}
