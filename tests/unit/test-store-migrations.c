/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test-store.h"

#include <time.h>

#include "common/clock.h"

static const char *
add (struct osm_store *store, const char *object_id, struct osm_migration_row *row)
{
  OSM_ERROR (err);

  *row = sample_row (object_id);
  osm_store_migration_add (store, row, &err);
  assert_no_error (&err);
  return row->id;
}

static void
move (struct osm_store *store, const char *id, const char *from, const char *to)
{
  OSM_ERROR (err);

  osm_store_migration_set_state (store, id, from, to, NULL, &err);
  assert_no_error (&err);
}

STORE_TEST (a_migration_is_read_back_as_written)
{
  struct osm_migration_row row;
  struct osm_migration_row *got = NULL;
  OSM_ERROR (err);
  OSM_CLEANUP_JSON json_t *plan = osm_json_pack ("{s:s, s:[i, i]}", "kind", "server", "x", 1, 2);

  row = sample_row ("o1");
  row.plan = plan;
  row.bytes_total = INT64_MAX;
  osm_store_migration_add (store, &row, &err);
  assert_no_error (&err);
  assert_int_equal (strlen (row.id), 8);
  assert_true (row.created_ms > INT64_C (1600000000000));
  osm_store_migration_get (store, row.id, &got, &err);
  assert_no_error (&err);
  assert_string_equal (got->id, row.id);
  assert_string_equal (got->kind, "server");
  assert_string_equal (got->state, "planned");
  assert_string_equal (got->source_cloud, "src");
  assert_string_equal (got->destination_cloud, "dst");
  assert_string_equal (got->object_id, "o1");
  assert_string_equal (got->object_name, "web '1'; DROP TABLE migration; --");
  assert_null (got->result_id);
  assert_null (got->error);
  assert_true (json_equal (got->plan, plan));
  assert_true (got->bytes_total == INT64_MAX);
  osm_migration_row_free (got);
  free (row.id);
}

STORE_TEST (a_number_that_does_not_fit_is_refused)
{
  struct osm_migration_row row = sample_row ("o1");
  OSM_ERROR (err);

  row.bytes_total = UINT64_MAX;
  assert_int_equal (osm_store_migration_add (store, &row, &err), -1);
  assert_error (&err, OSM_ERROR_BUG, "too large");
}

STORE_TEST (a_second_unfinished_migration_of_an_object_is_refused)
{
  struct osm_migration_row first, second = sample_row ("o1");
  OSM_ERROR (err);
  const char *id = add (store, "o1", &first);

  assert_int_equal (osm_store_migration_add (store, &second, &err), -1);
  assert_non_null (strstr (err.message, id));
  assert_non_null (strstr (err.hint, "osm-controller show"));
  assert_error (&err, OSM_ERROR_USER, "has an unfinished migration already");
  move (store, id, "planned", "rolled-back");
  osm_store_migration_add (store, &second, &err);
  assert_no_error (&err);
  free (first.id);
  free (second.id);
}

STORE_TEST (a_finished_one_cannot_start_again_beside_another)
{
  struct osm_migration_row first, second;
  OSM_ERROR (err);
  const char *id = add (store, "o1", &first);

  move (store, id, "planned", "completed");
  add (store, "o1", &second);
  assert_int_equal (
      osm_store_migration_set_state (store, id, "completed", "rolling-back", NULL, &err), -1);
  assert_non_null (strstr (err.message, second.id));
  assert_error (&err, OSM_ERROR_USER, "is at work on the same object");
  free (first.id);
  free (second.id);
}

STORE_TEST (the_beginning_of_an_id_is_enough)
{
  struct osm_migration_row row;
  struct osm_migration_row *got = NULL;
  char prefix[5] = { 0 };
  OSM_ERROR (err);

  add (store, "o1", &row);
  memcpy (prefix, row.id, 4);
  for (char *p = prefix; *p; p++)
    if (*p >= 'a' && *p <= 'f')
      *p = (char)(*p - 'a' + 'A');
  osm_store_migration_get (store, prefix, &got, &err);
  assert_no_error (&err);
  assert_string_equal (got->id, row.id);
  osm_migration_row_free (got);
  free (row.id);
}

STORE_TEST (an_ambiguous_beginning_lists_the_candidates)
{
  struct osm_migration_row *got = NULL;
  OSM_ERROR (err);

  for (int i = 0; i < 40; i++) {
    OSM_CLEANUP_FREE char *object = osm_asprintf ("o%d", i);
    struct osm_migration_row row;

    add (store, object, &row);
    free (row.id);
  }
  /* Forty ids and sixteen digits: one digit is shared by at least three. */
  for (char digit = '0';; digit = digit == '9' ? 'a' : (char)(digit + 1)) {
    char prefix[] = { digit, '\0' };

    assert_true (digit <= 'f');
    if (osm_store_migration_get (store, prefix, &got, &err) == 0)
      osm_migration_row_free (got);
    else if (err.code == 0)
      break;
    osm_error_clear (&err);
  }
  assert_error (&err, OSM_ERROR_USER, "several migrations start with");
}

STORE_TEST (what_is_no_id_is_not_found)
{
  static const char *const bad[] = { "", "%", "zz", "123456789", "1' OR '1'='1", "________" };
  struct osm_migration_row *got = NULL;
  struct osm_migration_row row;
  OSM_ERROR (err);

  add (store, "o1", &row);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal (osm_store_migration_get (store, bad[i], &got, &err), -1);
    assert_int_equal (err.code, 404);
    assert_error (&err, OSM_ERROR_USER, "there is no migration");
  }
  free (row.id);
}

STORE_TEST (the_state_changes_only_from_the_expected_one)
{
  OSM_CLEANUP_JSON json_t *why = osm_json_pack ("{s:s, s:s}", "class", "retry", "message", "gone");
  OSM_CLEANUP_JSON json_t *events = NULL;
  struct osm_migration_row row;
  struct osm_migration_row *got = NULL;
  OSM_ERROR (err);
  const char *id = add (store, "o1", &row);

  move (store, id, "planned", "running");
  assert_int_equal (osm_store_migration_set_state (store, id, "planned", "running", NULL, &err),
                    -1);
  assert_error (&err, OSM_ERROR_RETRY, "it is running by now, not planned");
  osm_store_migration_set_state (store, id, "running", "failed", why, &err);
  assert_no_error (&err);
  osm_store_migration_get (store, id, &got, &err);
  assert_no_error (&err);
  assert_string_equal (got->state, "failed");
  assert_true (json_equal (got->error, why));
  osm_migration_row_free (got);
  osm_store_event_list (store, id, 0, &events, &err);
  assert_no_error (&err);
  assert_int_equal (json_array_size (events), 2);
  assert_string_equal (osm_json_str (json_array_get (events, 0), "text"), "planned -> running");
  assert_string_equal (osm_json_str (json_array_get (events, 1), "text"),
                       "running -> failed: gone");
  free (row.id);
}

STORE_TEST (changes_to_no_migration_are_errors)
{
  OSM_ERROR (err);
  OSM_CLEANUP_JSON json_t *value = json_object ();

  assert_int_equal (osm_store_migration_set_result (store, "00000000", "x", &err), -1);
  assert_error (&err, OSM_ERROR_USER, "there is no such migration");
  assert_int_equal (osm_store_migration_set_progress (store, "00000000", 1, 1, 1, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "there is no such migration");
  assert_int_equal (osm_store_fact_set (store, "00000000", "k", value, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "there is no such migration");
  assert_int_equal (osm_store_event_add (store, "00000000", "x", &err), -1);
  assert_error (&err, OSM_ERROR_USER, "there is no such migration");
  assert_int_equal (osm_store_step_begin (store, "00000000", 0, "x", &err), -1);
  assert_error (&err, OSM_ERROR_USER, "there is no such migration");
}

STORE_TEST (result_and_progress_are_kept)
{
  struct osm_migration_row row;
  struct osm_migration_row *got = NULL;
  OSM_ERROR (err);
  const char *id = add (store, "o1", &row);

  osm_store_migration_set_result (store, id, "new-id", &err);
  osm_store_migration_set_progress (store, id, 100, 50, 7, &err);
  osm_store_migration_get (store, id, &got, &err);
  assert_no_error (&err);
  assert_string_equal (got->result_id, "new-id");
  assert_int_equal (got->bytes_total, 100);
  assert_int_equal (got->bytes_done, 50);
  assert_int_equal (got->bytes_sent, 7);
  osm_migration_row_free (got);
  free (row.id);
}

STORE_TEST (facts_are_kept_by_key)
{
  OSM_CLEANUP_JSON json_t *a = osm_json_pack ("{s:i}", "n", 1), *b = osm_json_pack ("[i]", 2);
  OSM_CLEANUP_JSON json_t *got = NULL, *list = NULL, *none = NULL;
  struct osm_migration_row row;
  OSM_ERROR (err);
  const char *id = add (store, "o1", &row);

  osm_store_fact_set (store, id, "manifest:v1", b, &err);
  osm_store_fact_set (store, id, "manifest:v1", a, &err);
  osm_store_fact_set (store, id, "manifest:v2", b, &err);
  osm_store_fact_set (store, id, "manifesto", b, &err);
  osm_store_fact_get (store, id, "manifest:v1", &got, &err);
  assert_no_error (&err);
  assert_true (json_equal (got, a));
  osm_store_fact_list (store, id, "manifest:", &list, &err);
  assert_no_error (&err);
  assert_int_equal (json_object_size (list), 2);
  assert_true (json_equal (json_object_get (list, "manifest:v2"), b));
  osm_store_fact_get (store, id, "other", &none, &err);
  assert_no_error (&err);
  assert_null (none);
  free (row.id);
}

STORE_TEST (lists_are_newest_first_filtered_and_limited)
{
  struct osm_migration_row rows[3];
  struct osm_migration_row **list = NULL;
  size_t nr = 0;
  OSM_ERROR (err);

  add (store, "o0", &rows[0]);
  add (store, "o1", &rows[1]);
  add (store, "o2", &rows[2]);
  move (store, rows[1].id, "planned", "running");
  osm_store_migration_list (store, NULL, 2, &list, &nr, &err);
  assert_no_error (&err);
  assert_int_equal (nr, 2);
  assert_string_equal (list[0]->id, rows[2].id);
  assert_string_equal (list[1]->id, rows[1].id);
  free_list (list, nr);
  osm_store_migration_list (store, "running", 0, &list, &nr, &err);
  assert_no_error (&err);
  assert_int_equal (nr, 1);
  assert_string_equal (list[0]->id, rows[1].id);
  free_list (list, nr);
  osm_store_migration_list (store, "failed", 0, &list, &nr, &err);
  assert_no_error (&err);
  assert_int_equal (nr, 0);
  free_list (list, nr);
  for (size_t i = 0; i < 3; i++)
    free (rows[i].id);
}

/* Of this thread's processor time: the machine may be busy with something else. */
static uint64_t
spent_ms (void)
{
  struct timespec t;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Written in one transaction, with SQLite itself: ten thousand of them with a plan each, as after years of use. */
STORE_TEST (ten_thousand_finished_migrations_list_quickly)
{
  struct osm_migration_row **list = NULL;
  size_t nr = 0;
  uint64_t start, best = UINT64_MAX;
  OSM_ERROR (err);

  exec_sql (
      store,
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
      " INSERT INTO migration (id, kind, state, source_cloud, destination_cloud, object_id,"
      "  object_name, created_ms, updated_ms, plan)"
      " SELECT printf ('%08x', i), 'server', iif (i % 100, 'completed', 'cleaned'), 'src',"
      "  'dst', i, 'server ' || i, i, i, '{\"x\":\"' || hex (zeroblob (2500)) || '\"}' FROM n");
  for (int i = 0; i < 3; i++) {
    start = spent_ms ();
    osm_store_migration_list (store, NULL, 0, &list, &nr, &err);
    assert_no_error (&err);
    if (spent_ms () - start < best)
      best = spent_ms () - start;
    assert_int_equal (nr, 10000);
    free_list (list, nr);
  }
  assert_in_range (best, 0, 99 * TIME_FACTOR);
  start = spent_ms ();
  osm_store_migration_list (store, "cleaned", 0, &list, &nr, &err);
  assert_no_error (&err);
  assert_in_range (spent_ms () - start, 0, 50 * TIME_FACTOR);
  assert_int_equal (nr, 100);
  free_list (list, nr);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    store_unit_test (a_migration_is_read_back_as_written),
    store_unit_test (a_number_that_does_not_fit_is_refused),
    store_unit_test (a_second_unfinished_migration_of_an_object_is_refused),
    store_unit_test (a_finished_one_cannot_start_again_beside_another),
    store_unit_test (the_beginning_of_an_id_is_enough),
    store_unit_test (an_ambiguous_beginning_lists_the_candidates),
    store_unit_test (what_is_no_id_is_not_found),
    store_unit_test (the_state_changes_only_from_the_expected_one),
    store_unit_test (changes_to_no_migration_are_errors),
    store_unit_test (result_and_progress_are_kept),
    store_unit_test (facts_are_kept_by_key),
    store_unit_test (lists_are_newest_first_filtered_and_limited),
    store_unit_test (ten_thousand_finished_migrations_list_quickly),
  };

  return cmocka_run_group_tests_name ("controller/store/migrations", tests, NULL, NULL);
}
