/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/store/internal.h"

#define BUSY_MS 10000

/* SQLite makes the -wal and -shm files with the mode of this one. */
static int
make_private (const char *path, struct osm_error *err)
{
  OSM_CLEANUP_FD int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
  struct stat st;

  if (fd == -1) {
    osm_error_set_errno (err, errno, "the journal %s cannot be opened", path);
    return osm_error_hint (err, "make it and its folder writable, or use another --state-dir");
  }
  if (fstat (fd, &st) == -1)
    return osm_error_set_errno (err, errno, "the journal %s", path);
  if (!S_ISREG (st.st_mode))
    return osm_error_set (err, OSM_ERROR_USER, 0, "the journal %s is not a regular file", path);
  if ((st.st_mode & 07777) != 0600 && fchmod (fd, 0600) == -1)
    return osm_error_set_errno (err, errno, "set the mode of the journal %s", path);
  return 0;
}

/* Two processes that open a new file at once: SQLite does not wait by itself when it changes the journal mode. */
static int
set_wal (struct osm_store *store, struct osm_error *err)
{
  uint64_t deadline = osm_now_ms () + BUSY_MS;
  int code;

  for (;;) {
    code = sqlite3_exec (store->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
    if ((code & 0xff) != SQLITE_BUSY || osm_now_ms () >= deadline)
      break;
    if (osm_wait_ms (20, err) == -1)
      return -1;
  }
  return code == SQLITE_OK ? 0 : osm_sql_error (store, code, err);
}

int
osm_store_open (const char *path, struct osm_store **ret, struct osm_error *err)
{
  OSM_CLEANUP_STORE struct osm_store *store = NULL;
  int code;

  if (make_private (path, err) == -1)
    return -1;
  store = osm_calloc (1, sizeof *store);
  pthread_mutex_init (&store->lock, NULL);
  store->path = osm_strdup (path);
  code = sqlite3_open_v2 (path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL);
  if (!store->db)
    osm_oom ();
  if (code == SQLITE_OK)
    code = sqlite3_extended_result_codes (store->db, 1);
  if (code == SQLITE_OK)
    code = sqlite3_busy_timeout (store->db, BUSY_MS);
  if (code != SQLITE_OK)
    return osm_sql_error (store, code, err);
  if (set_wal (store, err) == -1)
    return -1;
  code = sqlite3_exec (store->db,
                       "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                       "PRAGMA trusted_schema = OFF",
                       NULL, NULL, NULL);
  if (code != SQLITE_OK)
    return osm_sql_error (store, code, err);
  if (osm_store_upgrade (store, &osm_store_schema, err) == -1)
    return -1;
  *ret = osm_take (store);
  return 0;
}

void
osm_store_free (struct osm_store *store)
{
  if (!store)
    return;
  sqlite3_close (store->db);
  pthread_mutex_destroy (&store->lock);
  free (store->path);
  free (store);
}

/* ---- mapping of migrated objects ---- */

int
osm_store_mapping_set (struct osm_store *store, const char *source_cloud,
                       const char *destination_cloud, const char *type, const char *source_id,
                       const char *destination_id, struct osm_error *err)
{
  return osm_sql_run_alone (store, NULL, err,
                            "INSERT INTO mapping (source_cloud, destination_cloud, type, source_id,"
                            "                     destination_id, updated_ms)"
                            " VALUES (?, ?, ?, ?, ?, ?)"
                            " ON CONFLICT DO UPDATE SET destination_id = excluded.destination_id,"
                            "                           updated_ms = excluded.updated_ms",
                            "sssssi", source_cloud, destination_cloud, type, source_id,
                            destination_id, osm_wall_ms ());
}

int
osm_store_mapping_get (struct osm_store *store, const char *source_cloud,
                       const char *destination_cloud, const char *type, const char *source_id,
                       char **ret_destination_id, struct osm_error *err)
{
  OSM_TRANSACTION (t, store);
  OSM_CLEANUP_STMT sqlite3_stmt *s = NULL;
  int r;

  if (osm_sql_prepare (store, &s, err,
                       "SELECT destination_id FROM mapping WHERE source_cloud = ?"
                       " AND destination_cloud = ? AND type = ? AND source_id = ?",
                       "ssss", source_cloud, destination_cloud, type, source_id) == -1 ||
      (r = osm_sql_step (store, s, err)) == -1)
    return -1;
  *ret_destination_id = r == 1 ? osm_sql_text (s, 0) : NULL;
  return 0;
}

/* ---- conversion hosts ---- */

int
osm_store_host_set (struct osm_store *store, const char *cloud, const char *name,
                    const json_t *value, struct osm_error *err)
{
  return osm_sql_run_alone (store, NULL, err,
                            "INSERT INTO host (cloud, name, value) VALUES (?, ?, ?)"
                            " ON CONFLICT DO UPDATE SET value = excluded.value",
                            "ssj", cloud, name, value);
}

int
osm_store_host_get (struct osm_store *store, const char *cloud, const char *name, json_t **ret,
                    struct osm_error *err)
{
  OSM_TRANSACTION (t, store);
  OSM_CLEANUP_STMT sqlite3_stmt *s = NULL;
  int r;

  if (osm_sql_prepare (store, &s, err, "SELECT value FROM host WHERE cloud = ? AND name = ?", "ss",
                       cloud, name) == -1 ||
      (r = osm_sql_step (store, s, err)) == -1)
    return -1;
  if (r == 1)
    return osm_sql_json (store, s, 0, ret, err);
  *ret = NULL;
  return 0;
}

int
osm_store_host_delete (struct osm_store *store, const char *cloud, const char *name,
                       struct osm_error *err)
{
  return osm_sql_run_alone (store, NULL, err, "DELETE FROM host WHERE cloud = ? AND name = ?", "ss",
                            cloud, name);
}
