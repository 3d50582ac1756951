/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/parallel.h"

static int
clear (void **state)
{
  (void)state;
  osm_interrupt_clear ();
  return 0;
}

TEST (times_are_written_in_utc)
{
  char buf[OSM_TIME_LEN];

  assert_string_equal (osm_time_text (0, buf), "1970-01-01T00:00:00Z");
  assert_string_equal (osm_time_text (1795237925000, buf), "2026-11-21T05:12:05Z");
  assert_string_equal (osm_time_text (-1, buf), "1969-12-31T23:59:59Z");
  assert_non_null (osm_time_text (INT64_MAX, buf));
  assert_non_null (osm_time_text (INT64_MIN, buf));
}

TEST (waiting_lasts_as_long_as_asked)
{
  OSM_ERROR (err);
  uint64_t start = osm_now_ms ();

  assert_int_equal (osm_wait_ms (20, &err), 0);
  assert_true (osm_now_ms () - start >= 20);
  assert_int_equal (osm_wait_ms (0, &err), 0);
}

TEST (an_interrupt_ends_waiting_before_it_starts)
{
  OSM_ERROR (err);

  osm_interrupt_set ();
  assert_true (osm_interrupted ());
  assert_int_equal (osm_wait_ms (UINT64_MAX, &err), -1);
  assert_error (&err, OSM_ERROR_INTERRUPTED, "interrupted");
}

static void *
interrupt (void *data)
{
  (void)data;
  osm_interrupt_set ();
  return NULL;
}

TEST (an_interrupt_wakes_who_waits)
{
  OSM_ERROR (err);
  pthread_t thread;

  assert_int_equal (pthread_create (&thread, NULL, interrupt, NULL), 0);
  assert_int_equal (osm_wait_ms (3600000, &err), -1);
  pthread_join (thread, NULL);
  assert_error (&err, OSM_ERROR_INTERRUPTED, "interrupted");
}

static int
wait_long (void *data, struct osm_error *err)
{
  (void)data;
  return osm_wait_ms (3600000, err);
}

static int
set_interrupt (void *data, struct osm_error *err)
{
  (void)data;
  (void)err;
  osm_interrupt_set ();
  return 0;
}

TEST (an_interrupt_wakes_all_threads)
{
  const struct osm_task tasks[] = { { wait_long, NULL },
                                    { wait_long, NULL },
                                    { set_interrupt, NULL } };
  OSM_ERROR (err);

  assert_int_equal (osm_parallel (tasks, 3, &err), -1);
  assert_error (&err, OSM_ERROR_INTERRUPTED, "interrupted; also: interrupted");
}

TEST (a_signal_is_an_interrupt)
{
  const int signals[] = { SIGTERM, SIGHUP, SIGINT };

  signal (SIGHUP, SIG_DFL); /* nohup leaves it ignored */
  osm_interrupt_init ();
  for (size_t i = 0; i < 3; i++) {
    OSM_ERROR (err);

    assert_int_equal (osm_interrupt_check (&err), 0);
    raise (signals[i]);
    assert_int_equal (osm_interrupt_check (&err), -1);
    osm_interrupt_clear ();
    assert_int_equal (osm_interrupted (), false);
  }
}

/* The signal that ended a process which got these two; 0 if none did. */
static int
ended_by (int first, int second)
{
  pid_t pid = fork ();
  int status;

  if (pid == 0) {
    signal (first, SIG_DFL);
    signal (second, SIG_DFL);
    osm_interrupt_init ();
    raise (first);
    raise (second);
    _exit (osm_interrupted () ? 0 : 1);
  }
  assert_int_equal (waitpid (pid, &status, 0), pid);
  return WIFSIGNALED (status) ? WTERMSIG (status) : -WEXITSTATUS (status);
}

TEST (the_second_signal_ends_the_process_at_once)
{
  assert_int_equal (ended_by (SIGINT, SIGINT), SIGINT);
  assert_int_equal (ended_by (SIGTERM, SIGTERM), SIGTERM);
  assert_int_equal (ended_by (SIGINT, SIGTERM), SIGTERM);
  assert_int_equal (ended_by (SIGHUP, SIGINT), 0);
  assert_int_equal (ended_by (SIGINT, SIGHUP), 0);
}

TEST (a_hangup_may_be_ignored)
{
  pid_t pid = fork ();
  int status;

  if (pid == 0) {
    signal (SIGHUP, SIG_IGN); /* nohup */
    osm_interrupt_init ();
    raise (SIGHUP);
    if (osm_interrupted ())
      _exit (1);
    signal (SIGHUP, SIG_DFL);
    osm_interrupt_init ();
    osm_hangup_ignore ();
    raise (SIGHUP);
    _exit (osm_interrupted () ? 2 : 0);
  }
  assert_int_equal (waitpid (pid, &status, 0), pid);
  assert_int_equal (status, 0);
}

TEST (held_interrupts_are_noted_but_not_reported)
{
  OSM_ERROR (err);

  osm_interrupt_hold ();
  osm_interrupt_hold ();
  osm_interrupt_set ();
  assert_true (osm_interrupted ());
  assert_true (osm_interrupt_held ());
  assert_int_equal (osm_interrupt_check (&err), 0);
  assert_int_equal (osm_wait_ms (5, &err), 0);
  assert_int_equal (osm_interrupt_fd (), -1);
  osm_interrupt_release ();
  assert_int_equal (osm_interrupt_check (&err), 0);
  osm_interrupt_release ();
  assert_int_equal (osm_interrupt_check (&err), -1);
  osm_interrupt_release ();
  assert_false (osm_interrupt_held ());
}

TEST (the_descriptor_is_readable_while_interrupted)
{
  struct pollfd pfd = { .fd = osm_interrupt_fd (), .events = POLLIN };

  assert_int_equal (poll (&pfd, 1, 0), 0);
  osm_interrupt_set ();
  osm_interrupt_set ();
  assert_int_equal (poll (&pfd, 1, 0), 1);
  assert_int_equal (poll (&pfd, 1, 0), 1);
  osm_interrupt_clear ();
  assert_int_equal (poll (&pfd, 1, 0), 0);
}

TEST (backoff_grows_up_to_its_maximum)
{
  struct osm_backoff b = { .next_ms = 1, .max_ms = 4 };
  OSM_ERROR (err);

  assert_int_equal (osm_backoff_wait (&b, &err), 0);
  assert_true (b.next_ms == 2);
  osm_backoff_wait (&b, &err);
  assert_true (b.next_ms == 4);
  osm_backoff_wait (&b, &err);
  assert_true (b.next_ms == 4);
}

TEST (backoff_starts_as_the_api_wants_it)
{
  struct osm_backoff b = OSM_BACKOFF_POLL;

  assert_true (b.next_ms == 300);
  assert_true (b.max_ms == 5000);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup (times_are_written_in_utc, clear),
    cmocka_unit_test_setup (waiting_lasts_as_long_as_asked, clear),
    cmocka_unit_test_setup (an_interrupt_ends_waiting_before_it_starts, clear),
    cmocka_unit_test_setup (an_interrupt_wakes_who_waits, clear),
    cmocka_unit_test_setup (an_interrupt_wakes_all_threads, clear),
    cmocka_unit_test_setup (a_signal_is_an_interrupt, clear),
    cmocka_unit_test_setup (the_second_signal_ends_the_process_at_once, clear),
    cmocka_unit_test_setup (a_hangup_may_be_ignored, clear),
    cmocka_unit_test_setup (held_interrupts_are_noted_but_not_reported, clear),
    cmocka_unit_test_setup (the_descriptor_is_readable_while_interrupted, clear),
    cmocka_unit_test_setup (backoff_grows_up_to_its_maximum, clear),
    cmocka_unit_test_setup (backoff_starts_as_the_api_wants_it, clear),
  };

  return cmocka_run_group_tests_name ("common/clock", tests, NULL, NULL);
}
