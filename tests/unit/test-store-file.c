/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The file itself: its mode, its schema, and what can be wrong with it. */

#include <config.h>

#include "tests/unit/test-store.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/file.h"

static char *
in_folder (const char *name)
{
  return osm_asprintf ("%s/%s", store_folder, name);
}

static mode_t
mode_of (const char *name)
{
  OSM_CLEANUP_FREE char *path = in_folder (name);
  struct stat st;

  assert_int_equal (stat (path, &st), 0);
  return st.st_mode & 07777;
}

STORE_TEST (all_its_files_are_private)
{
  struct osm_migration_row row = sample_row ("o1");
  OSM_ERROR (err);

  osm_store_migration_add (store, &row, &err);
  assert_no_error (&err);
  assert_int_equal (mode_of ("osm.db"), 0600);
  assert_int_equal (mode_of ("osm.db-wal"), 0600);
  assert_int_equal (mode_of ("osm.db-shm"), 0600);
  free (row.id);
}

/* Thousands of transactions, with another process's connection open all the time. */
STORE_TEST (the_log_of_writes_does_not_grow_for_ever)
{
  OSM_CLEANUP_FREE char *path = in_folder ("osm.db"), *wal = in_folder ("osm.db-wal");
  OSM_CLEANUP_FREE char *text = osm_calloc (1, 16001);
  OSM_CLEANUP_STORE struct osm_store *other = NULL;
  struct osm_migration_row row = sample_row ("o1");
  struct stat st;
  OSM_ERROR (err);

  memset (text, 'x', 16000);
  osm_store_open (path, &other, &err);
  osm_store_migration_add (store, &row, &err);
  for (int i = 0; i < 1500; i++) {
    OSM_CLEANUP_JSON json_t *value = osm_json_pack ("{s:s}", "text", text);

    osm_store_fact_set (store, row.id, "fact", value, &err);
  }
  assert_no_error (&err);
  assert_int_equal (stat (wal, &st), 0);
  assert_in_range (st.st_size, 1, 8 << 20);
  assert_int_equal (stat (path, &st), 0);
  assert_in_range (st.st_size, 1, 1 << 20);
  free (row.id);
}

STORE_TEST (a_file_that_others_may_read_becomes_private)
{
  OSM_CLEANUP_FREE char *path = in_folder ("osm.db");
  OSM_CLEANUP_STORE struct osm_store *again = NULL;
  OSM_ERROR (err);

  assert_int_equal (chmod (path, 0644), 0);
  osm_store_open (path, &again, &err);
  assert_no_error (&err);
  assert_int_equal (mode_of ("osm.db"), 0600);
}

STORE_TEST (a_symbolic_link_is_not_followed)
{
  OSM_CLEANUP_FREE char *path = in_folder ("osm.db"), *link = in_folder ("link.db");
  OSM_CLEANUP_STORE struct osm_store *other = NULL;
  OSM_ERROR (err);

  assert_int_equal (symlink (path, link), 0);
  assert_int_equal (osm_store_open (link, &other, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "cannot be opened");
}

STORE_TEST (what_was_written_is_there_after_reopening)
{
  OSM_CLEANUP_FREE char *path = in_folder ("osm.db"), *got = NULL;
  OSM_CLEANUP_STORE struct osm_store *again = NULL;
  OSM_ERROR (err);

  osm_store_mapping_set (store, "a", "b", "server", "1", "x", &err);
  osm_store_open (path, &again, &err);
  assert_no_error (&err);
  osm_store_mapping_get (again, "a", "b", "server", "1", &got, &err);
  assert_no_error (&err);
  assert_string_equal (got, "x");
}

STORE_TEST (foreign_keys_and_types_are_enforced)
{
  assert_int_not_equal (
      sqlite3_exec (store->db, "INSERT INTO event VALUES (1, 99, 1, 'x')", NULL, NULL, NULL),
      SQLITE_OK);
  assert_int_not_equal (
      sqlite3_exec (
          store->db,
          "INSERT INTO mapping VALUES ('a', 'b', 'c', 'd', 'e', 'today', NULL, NULL, NULL)", NULL,
          NULL, NULL),
      SQLITE_OK);
}

STORE_TEST (a_newer_schema_is_refused)
{
  OSM_CLEANUP_FREE char *path = in_folder ("osm.db"), *wanted = NULL;
  OSM_CLEANUP_STORE struct osm_store *again = NULL;
  OSM_ERROR (err);

  exec_sql (store, "INSERT INTO schema_version VALUES (70, 1, 'osm 9.9')");
  assert_int_equal (osm_store_open (path, &again, &err), -1);
  assert_non_null (strstr (err.hint, "--state-dir"));
  wanted = osm_asprintf ("was written by a newer osm (schema 70, this one knows %d)",
                         osm_store_schema.nr_versions);
  assert_error (&err, OSM_ERROR_USER, wanted);
}

/* Today's, and two more. */
static struct osm_schema
longer_schema (const char *versions[20], const char *one, const char *two)
{
  int n = osm_store_schema.nr_versions;

  assert_in_range (n, 1, 18);
  memcpy (versions, osm_store_schema.versions, (size_t)n * sizeof *versions);
  versions[n] = one;
  versions[n + 1] = two;
  return (struct osm_schema){ versions, n + 2 };
}

STORE_TEST (an_older_schema_is_brought_up_to_date_once)
{
  const char *versions[20];
  const struct osm_schema newer = longer_schema (versions, "ALTER TABLE host ADD COLUMN extra TEXT",
                                                 "CREATE TABLE third (a INTEGER) STRICT");
  OSM_ERROR (err);

  osm_store_upgrade (store, &newer, &err);
  assert_no_error (&err);
  osm_store_upgrade (store, &newer, &err);
  assert_no_error (&err);
  exec_sql (store, "INSERT INTO host (cloud, name, value, extra) VALUES ('a', 'b', '{}', 'c')");
  exec_sql (store, "INSERT INTO third VALUES (1)");
}

STORE_TEST (a_failed_upgrade_leaves_the_file_as_it_was)
{
  const char *versions[20];
  const struct osm_schema broken = longer_schema (versions, "CREATE TABLE second (a)", "NONSENSE");
  OSM_CLEANUP_FREE char *wanted =
      osm_asprintf ("bring the journal to schema %d", broken.nr_versions);
  OSM_ERROR (err);

  assert_int_equal (osm_store_upgrade (store, &broken, &err), -1);
  assert_error (&err, OSM_ERROR_BUG, wanted);
  osm_store_upgrade (store, &osm_store_schema, &err);
  assert_no_error (&err);
  exec_sql (store, "CREATE TABLE second (a)");
}

/* The rows of an import by the version before stay, and none of them is deleted at the source. */
STORE_TEST (a_mapping_of_schema_3_is_kept)
{
  const struct osm_schema three = { osm_store_schema.versions, 3 };
  OSM_CLEANUP_JSON json_t *rows = NULL;
  OSM_ERROR (err);

  exec_sql (store, "ALTER TABLE mapping DROP COLUMN source_deleted_ms");
  exec_sql (store, "DROP TABLE role_grant");
  exec_sql (store, "DELETE FROM schema_version WHERE version > 3");
  exec_sql (store,
            "INSERT INTO mapping VALUES ('a', 'b', 'networks', '1', '2', 5, 'created', 'n')");
  osm_store_upgrade (store, &three, &err);
  assert_no_error (&err);
  osm_store_upgrade (store, &osm_store_schema, &err);
  assert_no_error (&err);
  osm_store_mapping_list (store, "a", "b", &rows, &err);
  assert_no_error (&err);
  assert_int_equal (json_array_size (rows), 1);
  assert_null (json_object_get (json_array_get (rows, 0), "source_deleted_ms"));
}

static void
write_file (const char *path, const char *text, size_t len)
{
  OSM_ERROR (err);

  osm_file_write (path, text, len, 0600, &err);
  assert_no_error (&err);
}

STORE_TEST (a_file_of_something_else_is_refused)
{
  OSM_CLEANUP_FREE char *path = in_folder ("other");
  OSM_CLEANUP_STORE struct osm_store *other = NULL;
  char text[4096];
  OSM_ERROR (err);

  memset (text, 'x', sizeof text);
  write_file (path, text, sizeof text);
  assert_int_equal (osm_store_open (path, &other, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "is damaged: file is not a database");
}

STORE_TEST (a_database_of_another_program_is_refused)
{
  OSM_CLEANUP_FREE char *path = in_folder ("other.db");
  OSM_CLEANUP_STORE struct osm_store *other = NULL;
  sqlite3 *db = NULL;
  OSM_ERROR (err);

  assert_int_equal (sqlite3_open (path, &db), SQLITE_OK);
  assert_int_equal (sqlite3_exec (db, "CREATE TABLE t (a)", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close (db);
  assert_int_equal (osm_store_open (path, &other, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "is not a journal of osm");
}

STORE_TEST (a_damaged_file_says_so)
{
  OSM_CLEANUP_FREE char *path = in_folder ("osm.db"), *copy = in_folder ("copy.db"), *data = NULL;
  OSM_CLEANUP_STORE struct osm_store *other = NULL;
  size_t len;
  OSM_ERROR (err);

  exec_sql (store, "PRAGMA wal_checkpoint (TRUNCATE)");
  osm_file_read (path, 10 << 20, &data, &len, &err);
  assert_no_error (&err);
  assert_true (len > 8192);
  memset (data + 4096, 0xa5, len - 4096);
  write_file (copy, data, len);
  assert_int_equal (osm_store_open (copy, &other, &err), -1);
  assert_non_null (strstr (err.hint, "osm.migration"));
  assert_error (&err, OSM_ERROR_USER, "is damaged");
}

STORE_TEST (a_full_disk_is_an_error_for_the_operator)
{
  OSM_CLEANUP_FREE char *text = osm_calloc (200001, 1);
  OSM_CLEANUP_JSON json_t *value = NULL;
  OSM_ERROR (err);

  memset (text, 'x', 200000);
  value = osm_json_pack ("[s]", text);
  exec_sql (store, "PRAGMA max_page_count = 30");
  assert_int_equal (osm_store_host_set (store, "a", "b", value, &err), -1);
  assert_non_null (strstr (err.hint, "make room"));
  assert_error (&err, OSM_ERROR_USER, "the disk is full");
  /* And nothing of it was written. */
  exec_sql (store, "PRAGMA max_page_count = 100000");
  json_decref (value);
  value = NULL;
  osm_store_host_get (store, "a", "b", &value, &err);
  assert_no_error (&err);
  assert_null (value);
}

STORE_TEST (a_file_that_cannot_be_written_says_so)
{
  OSM_ERROR (err);

  exec_sql (store, "PRAGMA query_only = ON");
  assert_int_equal (osm_store_host_delete (store, "a", "b", &err), -1);
  assert_error (&err, OSM_ERROR_USER, "cannot be written");
}

STORE_TEST (a_missing_folder_says_so)
{
  OSM_CLEANUP_STORE struct osm_store *other = NULL;
  OSM_ERROR (err);

  assert_int_equal (osm_store_open ("/nonexistent/osm.db", &other, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "/nonexistent/osm.db");
}

/* Longer than SQLite's own patience would make the test slow: the handler is set to less here. */
STORE_TEST (a_lock_that_another_process_keeps_is_worth_a_retry)
{
  OSM_CLEANUP_FREE char *path = in_folder ("osm.db");
  OSM_CLEANUP_STORE struct osm_store *other = NULL;
  OSM_ERROR (err);

  osm_store_open (path, &other, &err);
  assert_no_error (&err);
  sqlite3_busy_timeout (store->db, 50);
  exec_sql (other, "BEGIN IMMEDIATE");
  assert_int_equal (osm_store_host_delete (store, "a", "b", &err), -1);
  assert_error (&err, OSM_ERROR_RETRY, "is locked by another process");
  exec_sql (other, "ROLLBACK");
  osm_store_host_delete (store, "a", "b", &err);
  assert_no_error (&err);
}

/* ---- many at once ---- */

#define WRITERS 4
#define EVENTS 25

static void *
write_events (void *data)
{
  struct osm_store *store = data;
  OSM_ERROR (err);

  for (int i = 0; i < EVENTS; i++)
    if (osm_store_mapping_set (store, "a", "b", "t", "1", "x", &err) == -1 ||
        osm_store_event_add (store, "00000001", "x", &err) == -1)
      return (void *)"failed";
  return NULL;
}

STORE_TEST (threads_share_a_store)
{
  pthread_t threads[WRITERS];
  OSM_CLEANUP_JSON json_t *events = NULL;
  OSM_ERROR (err);

  exec_sql (store, "INSERT INTO migration (id, kind, state, source_cloud, destination_cloud,"
                   " object_id, object_name, created_ms, updated_ms)"
                   " VALUES ('00000001', 'k', 's', 'a', 'b', 'o', 'n', 1, 1)");
  exec_sql (store, "PRAGMA synchronous = OFF");
  for (size_t i = 0; i < WRITERS; i++)
    assert_int_equal (pthread_create (&threads[i], NULL, write_events, store), 0);
  for (size_t i = 0; i < WRITERS; i++) {
    void *failed;

    pthread_join (threads[i], &failed);
    assert_null (failed);
  }
  osm_store_event_list (store, "00000001", 0, &events, &err);
  assert_no_error (&err);
  assert_int_equal (json_array_size (events), WRITERS * EVENTS);
}

static int
open_new_file (void)
{
  OSM_CLEANUP_FREE char *path = in_folder ("new.db");
  OSM_CLEANUP_STORE struct osm_store *mine = NULL;
  OSM_ERROR (err);

  if (osm_store_open (path, &mine, &err) == 0 &&
      osm_store_mapping_set (mine, "a", "b", "t", "1", "x", &err) == 0)
    return 0;
  fprintf (stderr, "# %s\n", err.message);
  return 1;
}

/* No journal is open in the parent: what it holds would count as leaked in the children. */
TEST (processes_open_a_new_file_at_once)
{
  pid_t pids[WRITERS];

  for (size_t i = 0; i < WRITERS; i++) {
    pids[i] = fork ();
    assert_true (pids[i] >= 0);
    if (pids[i] == 0)
      _exit (open_new_file ());
  }
  for (size_t i = 0; i < WRITERS; i++) {
    int status;

    assert_int_equal (waitpid (pids[i], &status, 0), pids[i]);
    assert_int_equal (status, 0);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    store_unit_test (all_its_files_are_private),
    store_unit_test (the_log_of_writes_does_not_grow_for_ever),
    store_unit_test (a_file_that_others_may_read_becomes_private),
    store_unit_test (a_symbolic_link_is_not_followed),
    store_unit_test (what_was_written_is_there_after_reopening),
    store_unit_test (foreign_keys_and_types_are_enforced),
    store_unit_test (a_newer_schema_is_refused),
    store_unit_test (an_older_schema_is_brought_up_to_date_once),
    store_unit_test (a_failed_upgrade_leaves_the_file_as_it_was),
    store_unit_test (a_mapping_of_schema_3_is_kept),
    store_unit_test (a_file_of_something_else_is_refused),
    store_unit_test (a_database_of_another_program_is_refused),
    store_unit_test (a_damaged_file_says_so),
    store_unit_test (a_full_disk_is_an_error_for_the_operator),
    store_unit_test (a_file_that_cannot_be_written_says_so),
    store_unit_test (a_missing_folder_says_so),
    store_unit_test (a_lock_that_another_process_keeps_is_worth_a_retry),
    store_unit_test (threads_share_a_store),
    cmocka_unit_test_setup_teardown (processes_open_a_new_file_at_once, folder_setup,
                                     store_teardown),
  };

  return cmocka_run_group_tests_name ("controller/store/file", tests, NULL, NULL);
}
