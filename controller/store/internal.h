/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* How the files of controller/store/ talk to SQLite. Only for them and their tests.
 *
 *   OSM_TRANSACTION (t, store);                              holds the store's lock until the end of the scope
 *   if (osm_sql_begin (&t, err) == -1 ||                     BEGIN IMMEDIATE, waits for other processes
 *       osm_sql_run (store, err, "UPDATE x SET a = ? WHERE b = ?", "si", text, number) == -1)
 *     return -1;                                             rolled back
 *   return osm_sql_commit (&t, err);
 *
 *   OSM_CLEANUP_STMT sqlite3_stmt *s = NULL;
 *   if (osm_sql_prepare (store, &s, err, "SELECT a FROM x WHERE b = ?", "i", number) == -1) return -1;
 *   while ((r = osm_sql_step (store, s, err)) == 1) ... sqlite3_column_text (s, 0) ...
 *   if (r == -1) return -1;
 *
 * Values are always bound, never put into the text: s = const char * (may be NULL), i = int64_t, u = uint64_t, j = const json_t * (may be
 * NULL; stored as text). */

#ifndef OSM_CONTROLLER_STORE_INTERNAL_H
#define OSM_CONTROLLER_STORE_INTERNAL_H

#include <pthread.h>
#include <sqlite3.h>

#include "controller/store/store.h"

struct osm_store {
  sqlite3 *db;
  char *path;
  pthread_mutex_t lock;
};

struct osm_transaction {
  struct osm_store *store;
  const char *what; /* the function whose transaction it is */
  bool open;
};
struct osm_transaction osm_transaction_lock (struct osm_store *store, const char *what);
/* Rolls back what is still open, releases the lock. */
void osm_transaction_done (struct osm_transaction *t);
#define OSM_TRANSACTION(name, store)                                             \
  __attribute__ ((cleanup (osm_transaction_done))) struct osm_transaction name = \
      osm_transaction_lock (store, __func__)

int osm_sql_begin (struct osm_transaction *t, struct osm_error *err);
int osm_sql_commit (struct osm_transaction *t, struct osm_error *err);
int osm_sql_prepare (struct osm_store *store, sqlite3_stmt **ret, struct osm_error *err,
                     const char *sql, const char *format, ...);
/* 1: a row, 0: the end, -1: error. */
int osm_sql_step (struct osm_store *store, sqlite3_stmt *stmt, struct osm_error *err);
/* Without rows. Returns the number of rows that changed. */
int osm_sql_run (struct osm_store *store, struct osm_error *err, const char *sql,
                 const char *format, ...);
/* The same as a transaction of its own; no change at all is an error that says `missing` (unless that is NULL). */
int osm_sql_run_named (const char *what, struct osm_store *store, const char *missing,
                       struct osm_error *err, const char *sql, const char *format, ...);
#define osm_sql_run_alone(...) osm_sql_run_named (__func__, __VA_ARGS__)
/* The last failure of SQLite as an error for the operator. Returns -1. */
int osm_sql_error (struct osm_store *store, int code, struct osm_error *err);

/* Columns. Caller frees; NULL for NULL. */
char *osm_sql_text (sqlite3_stmt *stmt, int column);
uint64_t osm_sql_uint (sqlite3_stmt *stmt, int column);
/* *ret NULL for NULL. */
int osm_sql_json (struct osm_store *store, sqlite3_stmt *stmt, int column, json_t **ret,
                  struct osm_error *err);

/* leases.c: how long an old lease of another machine is watched before it is taken. Only tests change it. */
extern uint64_t osm_store_lease_watch_ms;

/* schema.c: one element for each version, applied in order; version N is element N - 1. */
struct osm_schema {
  const char *const *versions; /* each: statements, separated by semicolons */
  int nr_versions;
};
extern const struct osm_schema osm_store_schema;
/* Bring the file to the newest version; a file of an even newer one is refused. */
int osm_store_upgrade (struct osm_store *store, const struct osm_schema *schema,
                       struct osm_error *err);

static inline void
osm_cleanup_stmt (sqlite3_stmt **stmt)
{
  sqlite3_finalize (*stmt);
}
#define OSM_CLEANUP_STMT __attribute__ ((cleanup (osm_cleanup_stmt)))

#endif
