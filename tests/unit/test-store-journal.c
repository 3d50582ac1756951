/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test-store.h"

#include <pthread.h>
#include <stdatomic.h>

#include <errno.h>
#include <sys/wait.h>

static char migration_id[16];

static const char *
add_migration (struct osm_store *store)
{
  struct osm_migration_row row = sample_row ("o1");
  OSM_ERROR (err);

  osm_store_migration_add (store, &row, &err);
  assert_no_error (&err);
  snprintf (migration_id, sizeof migration_id, "%s", row.id);
  free (row.id);
  return migration_id;
}

/* ---- steps ---- */

STORE_TEST (a_step_that_was_never_begun_has_no_state)
{
  OSM_CLEANUP_FREE char *state = NULL;
  OSM_ERROR (err);
  const char *id = add_migration (store);

  osm_store_step_state (store, id, 0, &state, &err);
  assert_no_error (&err);
  assert_null (state);
  assert_int_equal (osm_store_step_end (store, id, 0, "done", NULL, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "there is no such step");
}

static void
assert_step (struct osm_store *store, const char *id, const char *state, bool ended,
             const char *message)
{
  OSM_CLEANUP_JSON json_t *steps = NULL;
  OSM_ERROR (err);
  const json_t *step, *start, *end;

  osm_store_step_list (store, id, &steps, &err);
  assert_no_error (&err);
  assert_int_equal (json_array_size (steps), 1);
  step = json_array_get (steps, 0);
  start = json_object_get (step, "started_ms");
  end = json_object_get (step, "ended_ms");
  assert_string_equal (osm_json_str (step, "name"), "stop");
  assert_string_equal (osm_json_str (step, "state"), state);
  assert_true (json_integer_value (start) > 0);
  if (ended)
    assert_true (json_integer_value (end) >= json_integer_value (start));
  else
    assert_true (json_is_null (end));
  if (message)
    assert_string_equal (osm_json_str (json_object_get (step, "error"), "message"), message);
  else
    assert_true (json_is_null (json_object_get (step, "error")));
}

STORE_TEST (a_step_goes_through_its_states)
{
  OSM_CLEANUP_JSON json_t *error = osm_json_pack ("{s:s}", "message", "no");
  OSM_ERROR (err);
  const char *id = add_migration (store);

  osm_store_step_begin (store, id, 3, "stop", &err);
  assert_step (store, id, "running", false, NULL);
  osm_store_step_end (store, id, 3, "failed", error, &err);
  assert_step (store, id, "failed", true, "no");
  osm_store_step_begin (store, id, 3, "stop", &err);
  assert_step (store, id, "running", false, NULL);
  osm_store_step_end (store, id, 3, "done", NULL, &err);
  assert_step (store, id, "done", true, NULL);
  osm_store_step_end (store, id, 3, "undoing", NULL, &err);
  assert_step (store, id, "undoing", false, NULL);
  osm_store_step_end (store, id, 3, "undoing", error, &err);
  assert_step (store, id, "undoing", true, "no");
  osm_store_step_end (store, id, 3, "undone", NULL, &err);
  assert_step (store, id, "undone", true, NULL);
  assert_no_error (&err);
}

/* ---- objects ---- */

static void
assert_object (struct osm_store *store, const char *id, const char *state, const char *object_id)
{
  OSM_CLEANUP_FREE char *got_state = NULL, *got_id = NULL;
  OSM_ERROR (err);

  osm_store_object_get (store, id, "volume:1", &got_state, &got_id, &err);
  assert_no_error (&err);
  assert_true (osm_str_equal (got_state, state));
  assert_true (osm_str_equal (got_id, object_id));
}

STORE_TEST (an_object_goes_through_its_states)
{
  OSM_ERROR (err);
  const char *id = add_migration (store);

  assert_object (store, id, NULL, NULL);
  osm_store_object_intend (store, id, "volume:1", "dst", "volume", &err);
  assert_object (store, id, "intended", NULL);
  osm_store_object_created (store, id, "volume:1", "v-1", &err);
  assert_object (store, id, "created", "v-1");
  osm_store_object_intend (store, id, "volume:1", "dst", "volume", &err);
  assert_object (store, id, "created", "v-1");
  osm_store_object_deleted (store, id, "volume:1", &err);
  assert_object (store, id, "deleted", NULL);
  osm_store_object_intend (store, id, "volume:1", "dst", "volume", &err);
  assert_object (store, id, "intended", NULL);
  assert_no_error (&err);
}

STORE_TEST (the_age_of_an_intent_is_known)
{
  OSM_ERROR (err);
  const char *id = add_migration (store);
  int64_t age;

  osm_store_object_age (store, id, "volume:1", &age, &err);
  assert_true (age == INT64_MAX);
  osm_store_object_intend (store, id, "volume:1", "dst", "volume", &err);
  osm_store_object_age (store, id, "volume:1", &age, &err);
  assert_no_error (&err);
  assert_true (age >= 0 && age < 60000);
}

STORE_TEST (an_object_without_an_intent_is_refused)
{
  OSM_ERROR (err);
  const char *id = add_migration (store);

  assert_int_equal (osm_store_object_created (store, id, "volume:1", "v-1", &err), -1);
  assert_error (&err, OSM_ERROR_USER, "there is no such object");
}

STORE_TEST (objects_are_listed_in_order_of_creation)
{
  OSM_CLEANUP_JSON json_t *objects = NULL;
  OSM_ERROR (err);
  const char *id = add_migration (store);

  osm_store_object_intend (store, id, "z", "src", "snapshot", &err);
  osm_store_object_intend (store, id, "a", "src", "volume", &err);
  osm_store_object_created (store, id, "z", "s-1", &err);
  osm_store_object_list (store, id, &objects, &err);
  assert_no_error (&err);
  assert_int_equal (json_array_size (objects), 2);
  assert_string_equal (osm_json_str (json_array_get (objects, 0), "key"), "z");
  assert_string_equal (osm_json_str (json_array_get (objects, 0), "object_id"), "s-1");
  assert_string_equal (osm_json_str (json_array_get (objects, 1), "key"), "a");
}

/* ---- events ---- */

STORE_TEST (events_are_listed_after_a_number)
{
  OSM_CLEANUP_JSON json_t *all = NULL, *later = NULL;
  OSM_ERROR (err);
  const char *id = add_migration (store);
  uint64_t seq;

  osm_store_event_add (store, id, "one", &err);
  osm_store_event_add (store, id, "two", &err);
  osm_store_event_list (store, id, 0, &all, &err);
  assert_no_error (&err);
  assert_int_equal (json_array_size (all), 2);
  seq = (uint64_t)json_integer_value (json_object_get (json_array_get (all, 0), "seq"));
  osm_store_event_list (store, id, seq, &later, &err);
  assert_no_error (&err);
  assert_int_equal (json_array_size (later), 1);
  assert_string_equal (osm_json_str (json_array_get (later, 0), "text"), "two");
}

STORE_TEST (a_very_long_event_is_cut)
{
  OSM_CLEANUP_FREE char *text = osm_calloc (100001, 1);
  OSM_CLEANUP_JSON json_t *events = NULL;
  OSM_ERROR (err);
  const char *id = add_migration (store);

  memset (text, 'x', 100000);
  osm_store_event_add (store, id, text, &err);
  osm_store_event_list (store, id, 0, &events, &err);
  assert_no_error (&err);
  assert_int_equal (strlen (osm_json_str (json_array_get (events, 0), "text")), 4096);
}

/* ---- leases ---- */

/* Another process that takes the lease and stays until the write end of the pipe is closed. */
static pid_t
other_holder (const char *id, int *ret_write_fd)
{
  int told[2], hold[2];
  pid_t pid;
  char ok = 0;

  assert_int_equal (pipe (told), 0);
  assert_int_equal (pipe (hold), 0);
  pid = fork ();
  assert_true (pid >= 0);
  if (pid == 0) {
    OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/osm.db", store_folder);
    struct osm_store *store = NULL;
    OSM_ERROR (err);

    close (told[0]);
    close (hold[1]);
    ok = osm_store_open (path, &store, &err) == 0 && osm_store_lease_take (store, id, &err) == 0;
    if (write (told[1], &ok, 1) != 1)
      _exit (1);
    while (read (hold[0], &ok, 1) == -1 && errno == EINTR)
      ;
    _exit (0);
  }
  close (told[1]);
  close (hold[0]);
  assert_int_equal (read (told[0], &ok, 1), 1);
  close (told[0]);
  assert_int_equal (ok, 1);
  *ret_write_fd = hold[1];
  return pid;
}

STORE_TEST (a_lease_keeps_other_processes_off_while_its_holder_lives)
{
  OSM_CLEANUP_FREE char *expected = NULL, *holder = NULL, *nobody = NULL;
  bool held = false;
  OSM_ERROR (err);
  const char *id = add_migration (store);
  siginfo_t info;
  int fd;
  pid_t pid = other_holder (id, &fd);

  expected = osm_asprintf ("pid %d", (int)pid);
  assert_int_equal (osm_store_lease_take (store, id, &err), -1);
  assert_error (&err, OSM_ERROR_USER, expected);
  assert_int_equal (osm_store_lease_renew (store, id, &err), -1);
  osm_error_clear (&err);
  /* Releasing what is not ours changes nothing. */
  osm_store_lease_release (store, id, &err);
  osm_store_lease_held (store, id, &held, &holder, &err);
  assert_no_error (&err);
  assert_true (held);
  assert_non_null (strchr (holder, ':'));

  /* It is dead, though nobody has waited for it. */
  close (fd);
  assert_int_equal (waitid (P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
  osm_store_lease_held (store, id, &held, &nobody, &err);
  assert_no_error (&err);
  assert_false (held);
  assert_int_equal (waitpid (pid, NULL, 0), pid);
  osm_store_lease_held (store, id, &held, &nobody, &err);
  assert_no_error (&err);
  assert_false (held);
  assert_null (nobody);
  osm_store_lease_take (store, id, &err);
  assert_no_error (&err);
}

STORE_TEST (a_lease_may_be_taken_again_by_its_holder_and_is_given_back)
{
  OSM_CLEANUP_FREE char *holder = NULL;
  bool held = true;
  OSM_ERROR (err);
  const char *id = add_migration (store);

  osm_store_lease_take (store, id, &err);
  osm_store_lease_take (store, id, &err);
  osm_store_lease_renew (store, id, &err);
  osm_store_lease_release (store, id, &err);
  osm_store_lease_held (store, id, &held, &holder, &err);
  assert_no_error (&err);
  assert_false (held);
}

STORE_TEST (a_lease_of_another_host_lives_by_its_heartbeat)
{
  OSM_ERROR (err);
  const char *id = add_migration (store);

  exec_sql (store, "INSERT INTO lease (migration, host, kernel, pid, start_time, heartbeat_ms)"
                   " SELECT 1, 'elsewhere', 'other', 1, '1', unixepoch () * 1000 - 30000");
  assert_int_equal (osm_store_lease_take (store, id, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "pid 1 on elsewhere");
  exec_sql (store, "UPDATE lease SET heartbeat_ms = unixepoch () * 1000 - 62000");
  osm_store_lease_watch_ms = 1;
  osm_store_lease_take (store, id, &err);
  assert_no_error (&err);
}

struct renewal {
  sqlite3 *db;
  atomic_bool stop;
};

/* The other machine, whose clock is a day behind or ahead: it renews its lease while we look. */
static void *
renew_elsewhere (void *data)
{
  struct renewal *r = data;

  while (!atomic_load (&r->stop)) {
    sqlite3_exec (r->db, "UPDATE lease SET heartbeat_ms = heartbeat_ms + 15 WHERE pid = 1", NULL,
                  NULL, NULL);
    usleep (20000);
  }
  return NULL;
}

STORE_TEST (a_clock_that_jumps_ends_no_lease)
{
  static const char *const jumps[] = { "86400000", "-86400000" };
  const char *id = add_migration (store);

  osm_store_lease_watch_ms = 60000;
  for (size_t i = 0; i < 2; i++) {
    OSM_CLEANUP_FREE char *sql = osm_asprintf (
        "INSERT OR REPLACE INTO lease (migration, host, kernel, pid, start_time, heartbeat_ms)"
        " SELECT 1, 'elsewhere', 'other', 1, '1', unixepoch () * 1000 + %s",
        jumps[i]);
    pthread_t thread;
    struct renewal renewal = { 0 };
    OSM_ERROR (err);

    exec_sql (store, sql);
    assert_int_equal (sqlite3_open (store->path, &renewal.db), SQLITE_OK);
    sqlite3_busy_timeout (renewal.db, 10000);
    assert_int_equal (pthread_create (&thread, NULL, renew_elsewhere, &renewal), 0);
    assert_int_equal (osm_store_lease_take (store, id, &err), -1);
    assert_error (&err, OSM_ERROR_USER, "pid 1 on elsewhere");
    atomic_store (&renewal.stop, true);
    pthread_join (thread, NULL);
    sqlite3_close (renewal.db);
  }
}

STORE_TEST (a_lease_of_no_migration_is_refused)
{
  OSM_ERROR (err);

  assert_int_equal (osm_store_lease_take (store, "00000000", &err), -1);
  assert_error (&err, OSM_ERROR_USER, "there is no migration");
}

/* ---- mapping and hosts ---- */

STORE_TEST (a_mapping_is_unique_for_pair_type_and_source)
{
  OSM_CLEANUP_FREE char *got = NULL, *none = NULL;
  OSM_ERROR (err);

  osm_store_mapping_set (store, "a", "b", "volume", "1", "x", &err);
  osm_store_mapping_set (store, "a", "b", "volume", "1", "y", &err);
  osm_store_mapping_get (store, "a", "b", "volume", "1", &got, &err);
  osm_store_mapping_get (store, "b", "a", "volume", "1", &none, &err);
  assert_no_error (&err);
  assert_string_equal (got, "y");
  assert_null (none);
}

STORE_TEST (what_is_known_of_a_host_is_kept_until_deleted)
{
  OSM_CLEANUP_JSON json_t *value = osm_json_pack ("{s:s}", "key", "ssh-ed25519 AAAA");
  OSM_CLEANUP_JSON json_t *got = NULL, *none = NULL;
  OSM_ERROR (err);

  osm_store_host_set (store, "https://a", "osm", value, &err);
  osm_store_host_get (store, "https://a", "osm", &got, &err);
  assert_no_error (&err);
  assert_true (json_equal (got, value));
  osm_store_host_delete (store, "https://a", "osm", &err);
  osm_store_host_delete (store, "https://a", "osm", &err);
  osm_store_host_get (store, "https://a", "osm", &none, &err);
  assert_no_error (&err);
  assert_null (none);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    store_unit_test (a_step_that_was_never_begun_has_no_state),
    store_unit_test (a_step_goes_through_its_states),
    store_unit_test (an_object_goes_through_its_states),
    store_unit_test (the_age_of_an_intent_is_known),
    store_unit_test (an_object_without_an_intent_is_refused),
    store_unit_test (objects_are_listed_in_order_of_creation),
    store_unit_test (events_are_listed_after_a_number),
    store_unit_test (a_very_long_event_is_cut),
    store_unit_test (a_lease_keeps_other_processes_off_while_its_holder_lives),
    store_unit_test (a_lease_may_be_taken_again_by_its_holder_and_is_given_back),
    store_unit_test (a_lease_of_another_host_lives_by_its_heartbeat),
    store_unit_test (a_clock_that_jumps_ends_no_lease),
    store_unit_test (a_lease_of_no_migration_is_refused),
    store_unit_test (a_mapping_is_unique_for_pair_type_and_source),
    store_unit_test (what_is_known_of_a_host_is_kept_until_deleted),
  };

  return cmocka_run_group_tests_name ("controller/store/journal", tests, NULL, NULL);
}
