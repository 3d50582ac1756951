/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/run.h"
#include "common/strbuf.h"

static int
run_shell (const char *script, size_t max_bytes, char **ret, struct osm_error *err)
{
  char *argv[] = { (char *)"sh", (char *)"-c", (char *)script, NULL };

  return osm_run_capture (argv, max_bytes, ret, err);
}

TEST (output_is_captured_whole)
{
  OSM_CLEANUP_FREE char *out = NULL;
  OSM_ERROR (err);

  run_shell ("seq 20000; echo noise >&2", 1 << 20, &out, &err);
  assert_no_error (&err);
  assert_int_equal (strlen (out), 108894);
}

TEST (no_output_is_the_empty_string)
{
  OSM_CLEANUP_FREE char *out = NULL;
  OSM_ERROR (err);

  assert_int_equal (run_shell (":", 10, &out, &err), 0);
  assert_string_equal (out, "");
  assert_int_equal (run_shell ("echo dropped", 0, NULL, &err), 0);
}

TEST (a_failure_quotes_the_end_of_stderr)
{
  OSM_ERROR (err);

  assert_int_equal (run_shell ("seq 5000 >&2; echo 'no such disk' >&2; exit 3", 10, NULL, &err),
                    -1);
  assert_int_equal (err.code, 3);
  assert_true (strlen (err.message) < 2200);
  assert_true (osm_str_ends_with (err.message, "no such disk"));
  assert_error (&err, OSM_ERROR_USER, "sh exited with status 3: ");
}

TEST (death_by_signal_is_told)
{
  OSM_ERROR (err);

  assert_int_equal (run_shell ("kill -9 $$", 10, NULL, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "sh killed by signal 9 (Killed)");
}

TEST (too_much_output_ends_the_program)
{
  OSM_CLEANUP_FREE char *out = NULL;
  OSM_ERROR (err);

  assert_int_equal (run_shell ("yes", 1000, &out, &err), -1);
  assert_null (out);
  assert_error (&err, OSM_ERROR_REMOTE, "more than 1000 bytes");
}

TEST (a_missing_program_is_an_error_of_the_call)
{
  char *by_name[] = { (char *)"osm-no-such-program", NULL };
  char *by_path[] = { (char *)"/nonexistent/program", NULL };
  char *not_executable[] = { (char *)"/etc/passwd", NULL };
  OSM_ERROR (err);

  assert_int_equal (osm_run_capture (by_name, 10, NULL, &err), -1);
  assert_int_equal (err.code, ENOENT);
  assert_error (&err, OSM_ERROR_USER, "run osm-no-such-program: No such file");
  assert_int_equal (osm_run_capture (by_path, 10, NULL, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "run /nonexistent/program: No such file");
  assert_int_equal (osm_run_capture (not_executable, 10, NULL, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "run /etc/passwd: Permission denied");
}

TEST (arguments_are_not_interpreted)
{
  char *argv[] = { (char *)"printf", (char *)"%s", (char *)"$(id); `id` ' \" \n*", NULL };
  OSM_CLEANUP_FREE char *out = NULL;
  OSM_ERROR (err);

  assert_int_equal (osm_run_capture (argv, 100, &out, &err), 0);
  assert_string_equal (out, "$(id); `id` ' \" \n*");
}

TEST (the_child_gets_only_the_descriptors_named)
{
  OSM_CLEANUP_FREE char *out = NULL;
  OSM_ERROR (err);
  int leaks[20];

  /* Without O_CLOEXEC, as a careless library would. */
  for (int i = 0; i < 20; i++)
    leaks[i] = dup (STDOUT_FILENO);
  /* Asked one by one: a listing would open one more. */
  run_shell ("for i in $(seq 0 99); do test -e /proc/$$/fd/$i && echo $i; done; true", 100, &out,
             &err);
  for (int i = 0; i < 20; i++)
    close (leaks[i]);
  assert_no_error (&err);
  assert_string_equal (out, "0\n1\n2\n");
}

TEST (kept_descriptors_are_numbered_from_three)
{
  char *argv[] = { (char *)"sh", (char *)"-c", (char *)"cat <&3; cat <&4; cat; printf x >&5",
                   NULL };
  int a[2], b[2], c[2], out[2], status = -1;
  struct osm_run_spec spec = {
    .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1, .nr_keep_fds = 3
  };
  OSM_ERROR (err);
  char buf[10] = "";
  int keep[3];
  pid_t pid;

  assert_int_equal (pipe2 (a, O_CLOEXEC), 0);
  assert_int_equal (pipe2 (b, O_CLOEXEC), 0);
  assert_int_equal (pipe2 (c, O_CLOEXEC), 0);
  assert_int_equal (pipe2 (out, O_CLOEXEC), 0);
  assert_int_equal (write (a[1], "a", 1), 1);
  assert_int_equal (write (b[1], "b", 1), 1);
  assert_int_equal (write (c[1], "c", 1), 1);
  close (a[1]);
  close (b[1]);
  close (c[1]);
  /* In an order in which each target is another's source. */
  keep[0] = b[0];
  keep[1] = a[0];
  keep[2] = out[1];
  spec.keep_fds = keep;
  spec.stdin_fd = c[0];
  spec.stdout_fd = out[1];
  assert_int_equal (osm_run_start (&spec, &pid, &err), 0);
  assert_int_equal (osm_run_wait (pid, &status, &err), 0);
  assert_int_equal (status, 0);
  assert_int_equal (read (out[0], buf, sizeof buf), 4);
  assert_string_equal (buf, "bacx");
  close (a[0]);
  close (b[0]);
  close (c[0]);
  close (out[0]);
  close (out[1]);
}

TEST (stdin_is_empty_unless_given)
{
  OSM_CLEANUP_FREE char *out = NULL;
  OSM_ERROR (err);

  assert_int_equal (run_shell ("cat; readlink /proc/$$/fd/0", 100, &out, &err), 0);
  assert_string_equal (out, "/dev/null\n");
}

TEST (the_environment_can_be_replaced)
{
  char *argv[] = { (char *)"/usr/bin/env", NULL };
  char *env[] = { (char *)"ONLY=this", NULL };
  int p[2], status;
  struct osm_run_spec spec = { .argv = argv, .env = env, .stdin_fd = -1, .stderr_fd = -1 };
  OSM_ERROR (err);
  char buf[100] = "";
  pid_t pid;

  assert_int_equal (pipe2 (p, O_CLOEXEC), 0);
  spec.stdout_fd = p[1];
  assert_int_equal (osm_run_start (&spec, &pid, &err), 0);
  assert_int_equal (osm_run_wait (pid, &status, &err), 0);
  assert_true (read (p[0], buf, sizeof buf - 1) > 0);
  assert_string_equal (buf, "ONLY=this\n");
  close (p[0]);
  close (p[1]);
}

TEST (ignored_and_blocked_signals_are_not_inherited)
{
  OSM_CLEANUP_FREE char *out = NULL;
  unsigned long long blocked, ignored;
  sigset_t set, saved;
  char *end;
  OSM_ERROR (err);

  signal (SIGPIPE, SIG_IGN);
  sigemptyset (&set);
  sigaddset (&set, SIGTERM);
  pthread_sigmask (SIG_BLOCK, &set, &saved);
  /* Not of the shell itself: it blocks signals for a moment when it starts a program. */
  run_shell ("exec sed -n 's/^Sig\\(Blk\\|Ign\\):\t/0x/p' /proc/self/status", 200, &out, &err);
  pthread_sigmask (SIG_SETMASK, &saved, NULL);
  signal (SIGPIPE, SIG_DFL);
  assert_no_error (&err);
  blocked = strtoull (out, &end, 16);
  ignored = strtoull (end, NULL, 16);
  assert_true (blocked == 0);
  assert_true ((ignored & 1U << (SIGPIPE - 1)) == 0);
}

TEST (a_new_session_is_one)
{
  char *argv[] = { (char *)"sh", (char *)"-c",
                   (char *)"test \"$(ps -o sid= -p $$ | tr -d ' ')\" = $$", NULL };
  struct osm_run_spec spec = {
    .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1, .new_session = true
  };
  OSM_ERROR (err);
  int status = -1;
  pid_t pid;

  assert_int_equal (osm_run_start (&spec, &pid, &err), 0);
  assert_int_equal (getsid (pid), pid);
  assert_int_equal (osm_run_wait (pid, &status, &err), 0);
}

static void *
interrupt (void *data)
{
  char byte;

  /* The child is there once it has written. */
  if (read (*(int *)data, &byte, 1) == 1)
    osm_interrupt_set ();
  return NULL;
}

TEST (an_interrupt_ends_the_program)
{
  OSM_CLEANUP_FREE char *script = NULL;
  OSM_ERROR (err);
  pthread_t thread;
  int p[2];

  assert_int_equal (pipe2 (p, O_CLOEXEC), 0);
  script = osm_asprintf ("printf x > /proc/%d/fd/%d; exec sleep 3600", (int)getpid (), p[1]);
  assert_int_equal (pthread_create (&thread, NULL, interrupt, &p[0]), 0);
  assert_int_equal (run_shell (script, 10, NULL, &err), -1);
  pthread_join (thread, NULL);
  osm_interrupt_clear ();
  assert_error (&err, OSM_ERROR_INTERRUPTED, "sh: interrupted");
  close (p[0]);
  close (p[1]);
}

TEST (waiting_for_a_stranger_is_an_error)
{
  OSM_ERROR (err);

  assert_int_equal (osm_run_wait (1, NULL, &err), -1);
  assert_int_equal (err.code, ECHILD);
}

TEST (statuses_are_put_in_words)
{
  char buf[64];

  assert_string_equal (osm_run_status_text (3 << 8, buf, sizeof buf), "exited with status 3");
  assert_string_equal (osm_run_status_text (SIGTERM, buf, sizeof buf),
                       "killed by signal 15 (Terminated)");
  assert_string_equal (osm_run_status_text (3 << 8, buf, 7), "exited");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (output_is_captured_whole),
    cmocka_unit_test (no_output_is_the_empty_string),
    cmocka_unit_test (a_failure_quotes_the_end_of_stderr),
    cmocka_unit_test (death_by_signal_is_told),
    cmocka_unit_test (too_much_output_ends_the_program),
    cmocka_unit_test (a_missing_program_is_an_error_of_the_call),
    cmocka_unit_test (arguments_are_not_interpreted),
    cmocka_unit_test (the_child_gets_only_the_descriptors_named),
    cmocka_unit_test (kept_descriptors_are_numbered_from_three),
    cmocka_unit_test (stdin_is_empty_unless_given),
    cmocka_unit_test (the_environment_can_be_replaced),
    cmocka_unit_test (ignored_and_blocked_signals_are_not_inherited),
    cmocka_unit_test (a_new_session_is_one),
    cmocka_unit_test (an_interrupt_ends_the_program),
    cmocka_unit_test (waiting_for_a_stranger_is_an_error),
    cmocka_unit_test (statuses_are_put_in_words),
  };

  return cmocka_run_group_tests_name ("common/run", tests, NULL, NULL);
}
