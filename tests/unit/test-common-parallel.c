/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <stdatomic.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/parallel.h"

static int
count (void *data, struct osm_error *err)
{
  (void)err;
  atomic_fetch_add ((atomic_int *)data, 1);
  return 0;
}

static int
fail_with_name (void *data, struct osm_error *err)
{
  return osm_error_set (err, OSM_ERROR_REMOTE, 7, "%s failed", (const char *)data);
}

static int
fail_silently (void *data, struct osm_error *err)
{
  (void)data;
  (void)err;
  return -1;
}

static int
is_held (void *data, struct osm_error *err)
{
  (void)err;
  if (osm_interrupt_held ())
    atomic_fetch_add ((atomic_int *)data, 1);
  return 0;
}

TEST (no_tasks_is_success)
{
  OSM_ERROR (err);

  assert_int_equal (osm_parallel (NULL, 0, &err), 0);
}

TEST (every_task_runs_once)
{
  struct osm_task tasks[100];
  atomic_int n = 0;
  OSM_ERROR (err);

  for (size_t i = 0; i < 100; i++)
    tasks[i] = (struct osm_task){ count, &n };
  assert_int_equal (osm_parallel (tasks, 100, &err), 0);
  assert_int_equal (n, 100);
  assert_int_equal (osm_parallel (tasks, 1, &err), 0);
  assert_int_equal (n, 101);
}

TEST (the_others_run_also_when_one_fails)
{
  atomic_int n = 0;
  const struct osm_task tasks[] = { { count, &n }, { fail_with_name, (void *)"b" }, { count, &n } };
  OSM_ERROR (err);

  assert_int_equal (osm_parallel (tasks, 3, &err), -1);
  assert_int_equal (n, 2);
  assert_int_equal (err.code, 7);
  assert_error (&err, OSM_ERROR_REMOTE, "b failed");
}

TEST (further_failures_are_added_to_the_first)
{
  const struct osm_task tasks[] = { { fail_with_name, (void *)"a" },
                                    { fail_with_name, (void *)"b" } };
  OSM_ERROR (err);

  assert_int_equal (osm_parallel (tasks, 2, &err), -1);
  assert_string_equal (err.message, "a failed; also: b failed");
}

TEST (a_long_list_of_failures_is_cut)
{
  struct osm_task tasks[50];
  OSM_ERROR (err);

  for (size_t i = 0; i < 50; i++)
    tasks[i] = (struct osm_task){ fail_with_name, (void *)"x" };
  assert_int_equal (osm_parallel (tasks, 50, &err), -1);
  assert_error (&err, OSM_ERROR_REMOTE, "; and 41 more");
}

TEST (a_failure_without_a_reason_is_a_bug)
{
  const struct osm_task tasks[] = { { fail_silently, NULL } };
  OSM_ERROR (err);

  assert_int_equal (osm_parallel (tasks, 1, &err), -1);
  assert_error (&err, OSM_ERROR_BUG, "task 0");
}

TEST (an_earlier_error_is_kept)
{
  const struct osm_task tasks[] = { { fail_with_name, (void *)"a" } };
  OSM_ERROR (err);

  osm_error_set (&err, OSM_ERROR_USER, 0, "cause");
  assert_int_equal (osm_parallel (tasks, 1, &err), -1);
  assert_string_equal (err.message, "cause");
}

TEST (tasks_hold_interrupts_as_their_caller_does)
{
  atomic_int n = 0;
  const struct osm_task tasks[] = { { is_held, &n }, { is_held, &n }, { is_held, &n } };
  OSM_ERROR (err);

  assert_int_equal (osm_parallel (tasks, 3, &err), 0);
  assert_int_equal (n, 0);
  osm_interrupt_hold ();
  assert_int_equal (osm_parallel (tasks, 3, &err), 0);
  assert_true (osm_interrupt_held ());
  osm_interrupt_release ();
  assert_int_equal (n, 3);
  assert_false (osm_interrupt_held ());
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (no_tasks_is_success),
    cmocka_unit_test (every_task_runs_once),
    cmocka_unit_test (the_others_run_also_when_one_fails),
    cmocka_unit_test (further_failures_are_added_to_the_first),
    cmocka_unit_test (a_long_list_of_failures_is_cut),
    cmocka_unit_test (a_failure_without_a_reason_is_a_bug),
    cmocka_unit_test (an_earlier_error_is_kept),
    cmocka_unit_test (tasks_hold_interrupts_as_their_caller_does),
  };

  return cmocka_run_group_tests_name ("common/parallel", tests, NULL, NULL);
}
