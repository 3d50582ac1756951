/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/store/internal.h"

#include "common/cleanup.h"
#include "common/clock.h"

/* "osm1": tells our file from other SQLite files. */
#define APPLICATION_ID 0x6f736d31

/* A version that was released never changes: the next one alters it. Times are milliseconds since 1970. The plan is the last column, so that
 * lists do not read it. */
static const char version_1[] =
    "CREATE TABLE migration ("
    "  number INTEGER PRIMARY KEY,"
    "  id TEXT NOT NULL UNIQUE CHECK (length (id) = 8),"
    "  kind TEXT NOT NULL,"
    "  state TEXT NOT NULL,"
    "  source_cloud TEXT NOT NULL,"
    "  destination_cloud TEXT NOT NULL,"
    "  object_id TEXT NOT NULL,"
    "  object_name TEXT NOT NULL,"
    "  result_id TEXT,"
    "  created_ms INTEGER NOT NULL,"
    "  updated_ms INTEGER NOT NULL,"
    "  bytes_total INTEGER NOT NULL DEFAULT 0,"
    "  bytes_done INTEGER NOT NULL DEFAULT 0,"
    "  bytes_sent INTEGER NOT NULL DEFAULT 0,"
    "  error TEXT,"
    "  plan TEXT"
    ") STRICT;"
    "CREATE INDEX migration_by_state ON migration (state, number);"
    "CREATE UNIQUE INDEX migration_unfinished ON migration (source_cloud, kind, object_id)"
    "  WHERE state NOT IN ('completed', 'rolled-back', 'cleaned');"

    "CREATE TABLE step ("
    "  migration INTEGER NOT NULL REFERENCES migration ON DELETE CASCADE,"
    "  seq INTEGER NOT NULL,"
    "  name TEXT NOT NULL,"
    "  state TEXT NOT NULL,"
    "  started_ms INTEGER NOT NULL,"
    "  ended_ms INTEGER,"
    "  error TEXT,"
    "  PRIMARY KEY (migration, seq)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE object ("
    "  number INTEGER PRIMARY KEY,"
    "  migration INTEGER NOT NULL REFERENCES migration ON DELETE CASCADE,"
    "  key TEXT NOT NULL,"
    "  cloud TEXT NOT NULL,"
    "  type TEXT NOT NULL,"
    "  state TEXT NOT NULL CHECK (state IN ('intended', 'created', 'deleted')),"
    "  object_id TEXT,"
    "  UNIQUE (migration, key)"
    ") STRICT;"

    "CREATE TABLE event ("
    "  number INTEGER PRIMARY KEY,"
    "  migration INTEGER NOT NULL REFERENCES migration ON DELETE CASCADE,"
    "  time_ms INTEGER NOT NULL,"
    "  text TEXT NOT NULL"
    ") STRICT;"
    "CREATE INDEX event_by_migration ON event (migration, number);"

    "CREATE TABLE fact ("
    "  migration INTEGER NOT NULL REFERENCES migration ON DELETE CASCADE,"
    "  key TEXT NOT NULL,"
    "  value TEXT NOT NULL,"
    "  PRIMARY KEY (migration, key)"
    ") STRICT;"

    "CREATE TABLE lease ("
    "  migration INTEGER PRIMARY KEY REFERENCES migration ON DELETE CASCADE,"
    "  host TEXT NOT NULL,"
    "  kernel TEXT NOT NULL," /* boot id and process namespace: where the pid means something */
    "  pid INTEGER NOT NULL,"
    "  start_time TEXT NOT NULL,"
    "  heartbeat_ms INTEGER NOT NULL"
    ") STRICT;"

    "CREATE TABLE mapping ("
    "  source_cloud TEXT NOT NULL,"
    "  destination_cloud TEXT NOT NULL,"
    "  type TEXT NOT NULL,"
    "  source_id TEXT NOT NULL,"
    "  destination_id TEXT NOT NULL,"
    "  updated_ms INTEGER NOT NULL,"
    "  PRIMARY KEY (source_cloud, destination_cloud, type, source_id)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE host ("
    "  cloud TEXT NOT NULL,"
    "  name TEXT NOT NULL,"
    "  value TEXT NOT NULL,"
    "  PRIMARY KEY (cloud, name)"
    ") STRICT;";

static const char version_2[] = "ALTER TABLE object ADD COLUMN intended_ms INTEGER";

/* Of the objects around servers: 'created', 'adopted' or 'registered', and the name in the files. */
static const char version_3[] = "ALTER TABLE mapping ADD COLUMN origin TEXT;"
                                "ALTER TABLE mapping ADD COLUMN name TEXT";

/* Since when cleanup-source knows that the object is not at the source any more. */
static const char version_4[] = "ALTER TABLE mapping ADD COLUMN source_deleted_ms INTEGER";

/* Roles that osm gave its own user, until they are taken back. */
static const char version_5[] = "CREATE TABLE role_grant ("
                                "  cloud TEXT NOT NULL,"
                                "  project_id TEXT NOT NULL,"
                                "  user_id TEXT NOT NULL,"
                                "  role_id TEXT NOT NULL,"
                                "  project TEXT NOT NULL,"
                                "  role TEXT NOT NULL,"
                                "  intended_ms INTEGER NOT NULL,"
                                "  url TEXT NOT NULL," /* which cloud that name meant */
                                "  PRIMARY KEY (cloud, project_id, user_id, role_id)"
                                ") STRICT, WITHOUT ROWID";

static const char *const versions[] = { version_1, version_2, version_3, version_4, version_5 };
const struct osm_schema osm_store_schema = { versions, sizeof versions / sizeof versions[0] };

static int
get_number (struct osm_store *store, const char *sql, int64_t *ret, struct osm_error *err)
{
  OSM_CLEANUP_STMT sqlite3_stmt *s = NULL;
  int r;

  if (osm_sql_prepare (store, &s, err, sql, "") == -1 || (r = osm_sql_step (store, s, err)) == -1)
    return -1;
  *ret = r == 1 ? sqlite3_column_int64 (s, 0) : 0;
  return 0;
}

static int
exec (struct osm_store *store, const char *sql, struct osm_error *err)
{
  int code = sqlite3_exec (store->db, sql, NULL, NULL, NULL);

  return code == SQLITE_OK ? 0 : osm_sql_error (store, code, err);
}

/* A new file becomes ours; somebody else's is left alone. */
static int
claim (struct osm_store *store, struct osm_error *err)
{
  int64_t application, tables;

  if (get_number (store, "PRAGMA application_id", &application, err) == -1 ||
      get_number (store, "SELECT count(*) FROM sqlite_schema", &tables, err) == -1)
    return -1;
  if (application == APPLICATION_ID)
    return 0;
  if (application != 0 || tables != 0) {
    osm_error_set (err, OSM_ERROR_USER, 0, "%s is not a journal of osm but another SQLite file",
                   store->path);
    return osm_error_hint (err, "use another --state-dir");
  }
  return exec (store,
               "PRAGMA application_id = 1869835569;"
               "CREATE TABLE schema_version ("
               "  version INTEGER PRIMARY KEY,"
               "  applied_ms INTEGER NOT NULL,"
               "  program TEXT NOT NULL"
               ") STRICT",
               err);
}

int
osm_store_upgrade (struct osm_store *store, const struct osm_schema *schema, struct osm_error *err)
{
  OSM_TRANSACTION (t, store);
  int64_t version;

  _Static_assert(APPLICATION_ID == 1869835569, "the number in the statement above");
  if (osm_sql_begin (&t, err) == -1 || claim (store, err) == -1 ||
      get_number (store, "SELECT max(version) FROM schema_version", &version, err) == -1)
    return -1;
  if (version > schema->nr_versions) {
    osm_error_set (err, OSM_ERROR_USER, 0,
                   "%s was written by a newer osm (schema %lld, this one knows %d)", store->path,
                   (long long)version, schema->nr_versions);
    return osm_error_hint (err, "use that version of osm, or another --state-dir");
  }
  for (; version < schema->nr_versions; version++) {
    if (exec (store, schema->versions[version], err) == -1 ||
        osm_sql_run (store, err,
                     "INSERT INTO schema_version (version, applied_ms, program) VALUES (?, ?, ?)",
                     "iis", version + 1, osm_wall_ms (), PACKAGE_STRING) == -1)
      return osm_error_wrap (err, "bring the journal to schema %lld", (long long)version + 1);
  }
  return osm_sql_commit (&t, err);
}
