/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A fresh journal for each test of the store.
 *
 *   STORE_TEST (lists_are_newest_first) { ... store ... }
 *   store_unit_test (lists_are_newest_first)
 */

#ifndef OSM_TESTS_UNIT_TEST_STORE_H
#define OSM_TESTS_UNIT_TEST_STORE_H

#include "tests/unit/test.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/run.h"
#include "common/strbuf.h"
#include "controller/store/internal.h"

/* Under valgrind or with sanitizers everything takes longer. */
#ifdef OSM_SANITIZERS
#define TIME_FACTOR 10
#else
#define TIME_FACTOR (getenv ("LD_PRELOAD") ? 50 : 1)
#endif

static char store_folder[64];

static inline int
folder_setup (void **state)
{
  *state = NULL;
  snprintf (store_folder, sizeof store_folder, "/tmp/osm-test-store.XXXXXX");
  return mkdtemp (store_folder) ? 0 : -1;
}

static inline int
store_setup (void **state)
{
  OSM_CLEANUP_FREE char *path = NULL;
  struct osm_store *store = NULL;
  OSM_ERROR (err);

  if (folder_setup (state) == -1)
    return -1;
  path = osm_asprintf ("%s/osm.db", store_folder);
  if (osm_store_open (path, &store, &err) == -1) {
    print_error ("%s\n", err.message);
    return -1;
  }
  *state = store;
  return 0;
}

static inline int
store_teardown (void **state)
{
  char *argv[] = { (char *)"rm", (char *)"-rf", store_folder, NULL };
  OSM_ERROR (err);

  osm_store_free (*state);
  return osm_run_capture (argv, 0, NULL, &err);
}

#define STORE_TEST(name)                             \
  static void name##_with (struct osm_store *store); \
  static void name (void **state)                    \
  {                                                  \
    name##_with (*state);                            \
  }                                                  \
  static void name##_with (__attribute__ ((unused)) struct osm_store *store)

#define store_unit_test(name) cmocka_unit_test_setup_teardown (name, store_setup, store_teardown)

/* Its strings are constants: only the id that osm_store_migration_add puts in is to be freed. */
static inline struct osm_migration_row
sample_row (const char *object_id)
{
  return (struct osm_migration_row){ .kind = (char *)"server",
                                     .state = (char *)"planned",
                                     .source_cloud = (char *)"src",
                                     .destination_cloud = (char *)"dst",
                                     .object_id = (char *)object_id,
                                     .object_name = (char *)"web '1'; DROP TABLE migration; --" };
}

static inline void
free_list (struct osm_migration_row **list, size_t nr)
{
  for (size_t i = 0; i < nr; i++)
    osm_migration_row_free (list[i]);
  free (list);
}

static inline void
exec_sql (struct osm_store *store, const char *sql)
{
  char *message = NULL;

  if (sqlite3_exec (store->db, sql, NULL, NULL, &message) != SQLITE_OK)
    fail_msg ("%s: %s", sql, message);
}

#endif
