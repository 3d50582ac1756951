/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/store/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/crashpoint.h"
#include "common/json.h"
#include "common/strbuf.h"

#define BUSY_SECONDS 10

/* https://www.sqlite.org/rescode.html */
int
osm_sql_error (struct osm_store *store, int code, struct osm_error *err)
{
  const char *path = store->path, *message = sqlite3_errmsg (store->db);
  int number = sqlite3_system_errno (store->db);

  switch (code & 0xff) {
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    osm_error_set (err, OSM_ERROR_RETRY, EBUSY,
                   "the journal %s is locked by another process since %d seconds", path,
                   BUSY_SECONDS);
    return osm_error_hint (err, "'fuser -v %s' shows who has it open", path);
  case SQLITE_FULL:
    osm_error_set (err, OSM_ERROR_USER, ENOSPC, "the journal %s cannot grow: the disk is full",
                   path);
    return osm_error_hint (err, "make room there, then resume what was running");
  case SQLITE_READONLY:
  case SQLITE_PERM:
  case SQLITE_AUTH:
    osm_error_set (err, OSM_ERROR_USER, EROFS, "the journal %s cannot be written: %s", path,
                   message);
    return osm_error_hint (err, "make it and its folder writable, or use another --state-dir");
  case SQLITE_CANTOPEN:
    osm_error_set (err, OSM_ERROR_USER, number, "the journal %s cannot be opened: %s", path,
                   number ? strerror (number) : message);
    return osm_error_hint (err, "make it and its folder writable, or use another --state-dir");
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB:
    osm_error_set (err, OSM_ERROR_USER, 0, "the journal %s is damaged: %s", path, message);
    return osm_error_hint (err, "bring it back from a copy; what osm made in the clouds has the "
                                "metadata osm.migration");
  case SQLITE_IOERR:
    if (number == ENOSPC || number == EDQUOT) {
      osm_error_set (err, OSM_ERROR_USER, number, "the journal %s cannot grow: %s", path,
                     strerror (number));
      return osm_error_hint (err, "make room there, then resume what was running");
    }
    return osm_error_set (err, OSM_ERROR_USER, number, "the journal %s: %s%s%s", path, message,
                          number ? ": " : "", number ? strerror (number) : "");
  case SQLITE_NOMEM:
    osm_oom ();
  default:
    return osm_error_set (err, OSM_ERROR_BUG, 0, "the journal %s: %s", path, message);
  }
}

static int
bind_one (sqlite3_stmt *s, int index, char type, va_list *args)
{
  switch (type) {
  case 's':
    return sqlite3_bind_text (s, index, va_arg (*args, const char *), -1, SQLITE_TRANSIENT);
  case 'i':
    return sqlite3_bind_int64 (s, index, va_arg (*args, int64_t));
  case 'u': {
    uint64_t n = va_arg (*args, uint64_t);

    return n > INT64_MAX ? SQLITE_TOOBIG : sqlite3_bind_int64 (s, index, (int64_t)n);
  }
  case 'j': {
    const json_t *value = va_arg (*args, const json_t *);

    return value ? sqlite3_bind_text (s, index, osm_json_dump (value), -1, free)
                 : sqlite3_bind_null (s, index);
  }
  default:
    return SQLITE_MISUSE;
  }
}

static int
prepare (struct osm_store *store, sqlite3_stmt **ret, struct osm_error *err, const char *sql,
         const char *format, va_list *args)
{
  OSM_CLEANUP_STMT sqlite3_stmt *s = NULL;
  int code = sqlite3_prepare_v2 (store->db, sql, -1, &s, NULL);

  if (code == SQLITE_OK && sqlite3_bind_parameter_count (s) != (int)strlen (format))
    return osm_error_set (err, OSM_ERROR_BUG, 0, "wrong number of values for: %s", sql);
  for (int i = 1; code == SQLITE_OK && *format; i++)
    code = bind_one (s, i, *format++, args);
  if (code == SQLITE_TOOBIG)
    return osm_error_set (err, OSM_ERROR_BUG, 0, "a value is too large for the journal %s",
                          store->path);
  if (code != SQLITE_OK)
    return osm_sql_error (store, code, err);
  *ret = osm_take (s);
  return 0;
}

int
osm_sql_prepare (struct osm_store *store, sqlite3_stmt **ret, struct osm_error *err,
                 const char *sql, const char *format, ...)
{
  va_list args;
  int r;

  va_start (args, format);
  r = prepare (store, ret, err, sql, format, &args);
  va_end (args);
  return r;
}

int
osm_sql_step (struct osm_store *store, sqlite3_stmt *stmt, struct osm_error *err)
{
  int code = sqlite3_step (stmt);

  if (code == SQLITE_ROW)
    return 1;
  return code == SQLITE_DONE ? 0 : osm_sql_error (store, code, err);
}

static int
run (struct osm_store *store, struct osm_error *err, const char *sql, const char *format,
     va_list *args)
{
  OSM_CLEANUP_STMT sqlite3_stmt *s = NULL;

  if (prepare (store, &s, err, sql, format, args) == -1 || osm_sql_step (store, s, err) == -1)
    return -1;
  return sqlite3_changes (store->db);
}

int
osm_sql_run (struct osm_store *store, struct osm_error *err, const char *sql, const char *format,
             ...)
{
  va_list args;
  int r;

  va_start (args, format);
  r = run (store, err, sql, format, &args);
  va_end (args);
  return r;
}

int
osm_sql_run_named (const char *what, struct osm_store *store, const char *missing,
                   struct osm_error *err, const char *sql, const char *format, ...)
{
  OSM_TRANSACTION (t, store);
  va_list args;
  int r;

  t.what = what;
  if (osm_sql_begin (&t, err) == -1)
    return -1;
  va_start (args, format);
  r = run (store, err, sql, format, &args);
  va_end (args);
  if (r == -1)
    return -1;
  if (r == 0 && missing)
    return osm_error_set (err, OSM_ERROR_USER, 404, "there is no %s", missing);
  return osm_sql_commit (&t, err);
}

struct osm_transaction
osm_transaction_lock (struct osm_store *store, const char *what)
{
  pthread_mutex_lock (&store->lock);
  return (struct osm_transaction){ .store = store, .what = what };
}

/* All that a migration writes comes through here, but what happens again and again while nothing else does. */
static void
crash_point (const struct osm_transaction *t, enum osm_crash when)
{
#ifdef OSM_CRASH_POINTS
  static const char prefix[] = "osm_store_";
  const char *what = t->what;
  char text[64];

  if (osm_str_starts_with (what, prefix))
    what += strlen (prefix);
  if (strcmp (what, "migration_set_progress") == 0 || strcmp (what, "lease_renew") == 0 ||
      strcmp (what, "upgrade") == 0)
    return;
  snprintf (text, sizeof text, "journal %s", what);
  osm_crash_point (when, text);
#else
  (void)t;
  (void)when;
#endif
}

void
osm_transaction_done (struct osm_transaction *t)
{
  /* Fails only when SQLite has rolled back already. */
  if (t->open)
    sqlite3_exec (t->store->db, "ROLLBACK", NULL, NULL, NULL);
  pthread_mutex_unlock (&t->store->lock);
}

int
osm_sql_begin (struct osm_transaction *t, struct osm_error *err)
{
  int code;

  crash_point (t, OSM_CRASH_BEFORE);
  code = sqlite3_exec (t->store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

  if (code != SQLITE_OK)
    return osm_sql_error (t->store, code, err);
  t->open = true;
  return 0;
}

int
osm_sql_commit (struct osm_transaction *t, struct osm_error *err)
{
  int code = sqlite3_exec (t->store->db, "COMMIT", NULL, NULL, NULL);

  if (code != SQLITE_OK)
    return osm_sql_error (t->store, code, err);
  t->open = false;
  crash_point (t, OSM_CRASH_AFTER);
  return 0;
}

char *
osm_sql_text (sqlite3_stmt *stmt, int column)
{
  return osm_strdup ((const char *)sqlite3_column_text (stmt, column));
}

uint64_t
osm_sql_uint (sqlite3_stmt *stmt, int column)
{
  int64_t n = sqlite3_column_int64 (stmt, column);

  return n > 0 ? (uint64_t)n : 0;
}

int
osm_sql_json (struct osm_store *store, sqlite3_stmt *stmt, int column, json_t **ret,
              struct osm_error *err)
{
  const char *text = (const char *)sqlite3_column_text (stmt, column);

  if (!text) {
    *ret = NULL;
    return 0;
  }
  return osm_json_parse (text, (size_t)sqlite3_column_bytes (stmt, column), store->path, ret, err);
}
