/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The job table, with this very program as its worker: it does what the parameter "do" says. */

#include <config.h>

#include "tests/unit/test-agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "agent/job.h"
#include "common/clock.h"
#include "common/frame.h"
#include "common/json.h"
#include "common/log.h"

static struct osm_jobs *jobs;

/* ---- the worker ---- */

static int
act_as_worker (void)
{
  struct osm_frame_fds fds = { STDIN_FILENO, STDOUT_FILENO };
  struct osm_frame_io io = osm_frame_io_fds (&fds);
  OSM_CLEANUP_JSON json_t *specification = NULL, *progress = NULL, *last = NULL;
  const char *what;
  OSM_ERROR (err);

  if (osm_frame_read (&io, &specification, &err) == -1)
    return 3;
  what = osm_json_str (specification, "do");
  progress = osm_json_pack ("{s:{s:i, s:i, s:s}}", "progress", "done_bytes", 7, "sent_bytes", 3,
                            "cipher", "rot13");
  (void)osm_frame_write (&io, progress, &err);
  if (strcmp (what, "finish") == 0)
    last = osm_json_pack ("{s:{s:{s:i, s:i, s:s}}}", "result", "manifest", "chunk_bytes", 4096,
                          "chunks", 2, "sha256", "00");
  else if (strcmp (what, "fail") == 0)
    last = osm_json_pack ("{s:{s:s, s:i, s:s}}", "error", "class", "remote", "code", 5, "message",
                          "it broke");
  else if (strcmp (what, "babble") == 0 && write (STDOUT_FILENO, "\xff\xff\xff\xff", 4) != 4)
    return 3;
  if (strcmp (what, "babble") == 0 || strcmp (what, "stay") == 0)
    pause ();
  if (last && osm_frame_write (&io, last, &err) == -1)
    return 3;
  if (strcmp (what, "finish-badly") == 0)
    return 1;
  return strcmp (what, "fail") == 0;
}

/* ---- helpers ---- */

static int
setup (void **state)
{
  OSM_ERROR (err);

  return agent_setup (state) == -1 ? -1 : osm_jobs_load (&jobs, &err);
}

static int
teardown (void **state)
{
  osm_jobs_free (jobs);
  jobs = NULL;
  return agent_teardown (state);
}

static void
load_again (void)
{
  OSM_ERROR (err);

  osm_jobs_free (jobs);
  assert_int_equal (osm_jobs_load (&jobs, &err), 0);
}

static struct osm_job *
start (const char *id, const char *what)
{
  OSM_CLEANUP_JSON json_t *params =
      osm_json_pack ("{s:s, s:i, s:s}", "id", id, "size_bytes", 10, "do", what);
  struct osm_job *job;
  OSM_ERROR (err);

  if (osm_job_start (jobs, "copy", params, &job, &err) == -1)
    fail_msg ("%s", err.message);
  return job;
}

static void
turn (void)
{
  struct pollfd fds[OSM_JOBS_RUNNING_MAX];
  int status;
  pid_t pid;

  (void)poll (fds, osm_jobs_poll_fds (jobs, fds, OSM_JOBS_RUNNING_MAX), 10);
  osm_jobs_read (jobs);
  while ((pid = waitpid (-1, &status, WNOHANG)) > 0)
    assert_true (osm_jobs_child_ended (jobs, pid, status));
  osm_jobs_tick (jobs);
}

static void
wait_end (const struct osm_job *job)
{
  uint64_t started = osm_now_ms ();

  while (osm_job_running (job)) {
    turn ();
    if (osm_now_ms () - started > 30000)
      fail_msg ("the job does not end");
  }
}

static void
assert_job (const struct osm_job *job, const char *state, const char *error)
{
  OSM_CLEANUP_JSON json_t *j = osm_job_to_json (job);
  const char *message = osm_json_str (json_object_get (j, "error"), "message");

  assert_string_equal (osm_json_str (j, "state"), state);
  if (!error)
    assert_null (message);
  else if (!message || !strstr (message, error))
    fail_msg ("error is: %s", message ? message : "none");
}

/* ---- tests ---- */

TEST (progress_and_result)
{
  struct osm_job *job = start ("a", "finish");
  OSM_CLEANUP_JSON json_t *j = NULL;

  wait_end (job);
  assert_job (job, "done", NULL);
  j = osm_job_to_json (job);
  assert_int_equal (json_integer_value (json_object_get (j, "done_bytes")), 7);
  assert_int_equal (json_integer_value (json_object_get (j, "sent_bytes")), 3);
  assert_string_equal (osm_json_str (j, "cipher"), "rot13");
  assert_int_equal (
      json_integer_value (json_object_get (json_object_get (j, "manifest"), "chunks")), 2);
}

TEST (what_a_worker_says_of_its_end)
{
  struct osm_job *job = start ("a", "fail");
  OSM_ERROR (err);

  wait_end (job);
  assert_job (job, "failed", "it broke");
  assert_null (osm_job_result (job, &err));
  assert_int_equal (err.code, 5);
  assert_error (&err, OSM_ERROR_REMOTE, "it broke");
}

TEST (an_end_without_a_word_is_retried)
{
  static const char *const ends[][2] = { { "finish-badly", "exited with status 1" },
                                         { "silence", "without a result" },
                                         { "babble", "killed by signal 9" } };

  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
    struct osm_job *job = start (ends[i][0], ends[i][0]);
    OSM_ERROR (err);

    wait_end (job);
    assert_job (job, "failed", ends[i][1]);
    assert_null (osm_job_result (job, &err));
    assert_error (&err, OSM_ERROR_RETRY, "the worker");
  }
}

TEST (cancelled)
{
  struct osm_job *job = start ("a", "stay");
  OSM_ERROR (err);

  osm_job_cancel (job);
  assert_true (osm_job_running (job));
  wait_end (job);
  assert_job (job, "cancelled", NULL);
  assert_null (osm_job_result (job, &err));
  assert_error (&err, OSM_ERROR_INTERRUPTED, "cancelled");
}

TEST (the_same_again)
{
  struct osm_job *job = start ("a", "stay");
  OSM_CLEANUP_JSON json_t *other =
      osm_json_pack ("{s:s, s:i, s:s}", "id", "a", "size_bytes", 11, "do", "stay");
  struct osm_job *same = NULL;
  OSM_ERROR (err);

  assert_ptr_equal (start ("a", "stay"), job);
  assert_int_equal (osm_job_start (jobs, "copy", other, &same, &err), -1);
  assert_int_equal (err.code, EEXIST);
  assert_error (&err, OSM_ERROR_USER, "other parameters");
  json_object_set_new (other, "size_bytes", json_integer (10));
  assert_int_equal (osm_job_start (jobs, "digest", other, &same, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "other parameters");
  osm_job_cancel (job);
  wait_end (job);
  /* Once more, and how it is done may differ now. */
  assert_ptr_equal (start ("a", "finish"), job);
  wait_end (job);
  assert_job (job, "done", NULL);
  assert_ptr_equal (start ("a", "fail"), job);
  assert_job (job, "done", NULL);
}

TEST (forgotten)
{
  OSM_CLEANUP_FREE char *path = agent_path ("state/jobs/a.json");
  struct osm_job *job = start ("a", "stay");
  OSM_ERROR (err);

  assert_true (osm_file_exists (path));
  assert_int_equal (osm_job_forget (jobs, "a", &err), -1);
  assert_int_equal (err.code, EBUSY);
  assert_error (&err, OSM_ERROR_USER, "is running");
  osm_job_cancel (job);
  wait_end (job);
  assert_int_equal (osm_job_forget (jobs, "a", &err), 0);
  assert_false (osm_file_exists (path));
  assert_int_equal (osm_job_forget (jobs, "a", &err), -1);
  assert_int_equal (err.code, ENOENT);
  osm_error_clear (&err);
  assert_null (osm_job_find (jobs, "a", &err));
}

TEST (jobs_survive_a_restart)
{
  OSM_ERROR (err);

  wait_end (start ("done", "finish"));
  wait_end (start ("failed", "fail"));
  start ("running", "stay");
  load_again ();
  assert_job (osm_job_find (jobs, "done", &err), "done", NULL);
  assert_job (osm_job_find (jobs, "failed", &err), "failed", "it broke");
  assert_true (osm_job_running (osm_job_find (jobs, "running", &err)));
  turn ();
  assert_job (osm_job_find (jobs, "running", &err), "running", NULL);
  assert_int_equal (osm_jobs_poll_fds (jobs, (struct pollfd[8]){ { 0 } }, 8), 1);
}

TEST (a_job_that_waits_for_its_disk_goes_on_later)
{
  OSM_CLEANUP_FREE char *path = agent_path ("state/jobs/a.json");
  OSM_CLEANUP_JSON json_t *file = NULL;
  OSM_CLEANUP_FREE char *text = NULL;
  struct osm_job *job;
  OSM_ERROR (err);

  /* As a service wrote it that knew of a volume which is not there now. */
  file = osm_json_pack ("{s:{s:s, s:s, s:s}, s:{s:s, s:s, s:i}}", "job", "id", "a", "kind", "copy",
                        "state", "running", "params", "id", "a", "volume_id",
                        "0f14c2e6-5d2a-4b3e-9a77-52c1c3a1d0b4", "size_bytes", 10);
  text = osm_json_dump (file);
  assert_int_equal (osm_file_write (path, text, strlen (text), 0600, &err), 0);
  load_again ();
  job = osm_job_find (jobs, "a", &err);
  turn ();
  assert_job (job, "running", NULL);
  /* Nothing runs that would have to be waited for. */
  osm_job_cancel (job);
  assert_job (job, "cancelled", NULL);
}

TEST (files_that_are_no_jobs)
{
  OSM_CLEANUP_JSON json_t *list = NULL;

  agent_file ("state/jobs/a.json", "");
  agent_file ("state/jobs/b.json", "[]");
  agent_file ("state/jobs/c.json", "{\"job\": {\"id\": \"other\", \"kind\": \"copy\"}}");
  agent_file ("state/jobs/d.json", "{\"job\": {\"id\": \"d\"}, \"params\": {}}");
  agent_file ("state/jobs/e.json", "{\"job\": {\"id\": \"e\", \"kind\": \"copy\"}}");
  agent_file ("state/jobs/.f.json", "{}");
  agent_file ("state/jobs/g.bitmap", "x");
  load_again ();
  list = osm_jobs_list (jobs);
  assert_int_equal (json_array_size (list), 0);
}

TEST (chunks_of_a_digest)
{
  static const char digests[33] = "0123456789abcdef"
                                  "ABCDEFGHIJKLMNOP";
  OSM_CLEANUP_FREE char *one = NULL, *rest = NULL, *none = NULL, *bad = NULL;
  OSM_ERROR (err);

  agent_file ("state/jobs/a.digests", digests);
  wait_end (start ("a", "finish"));
  assert_int_equal (osm_job_chunks (jobs, "a", 0, 1, &one, &err), 0);
  assert_string_equal (one, "30313233343536373839616263646566");
  assert_int_equal (osm_job_chunks (jobs, "a", 1, 16384, &rest, &err), 0);
  assert_string_equal (rest, "4142434445464748494a4b4c4d4e4f50");
  assert_int_equal (osm_job_chunks (jobs, "a", 2, 5, &none, &err), 0);
  assert_string_equal (none, "");
  assert_int_equal (osm_job_chunks (jobs, "a", 3, 1, &bad, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "has 2 chunks");
  assert_int_equal (osm_job_chunks (jobs, "a", 0, 16385, &bad, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "at most 16384");
  wait_end (start ("b", "fail"));
  assert_int_equal (osm_job_chunks (jobs, "b", 0, 1, &bad, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "no finished digest");
}

TEST (only_so_many_run)
{
  OSM_CLEANUP_JSON json_t *params = osm_json_pack ("{s:s, s:s}", "id", "more", "do", "stay");
  struct osm_job *job;
  OSM_ERROR (err);

  for (int i = 0; i < OSM_JOBS_RUNNING_MAX; i++) {
    OSM_CLEANUP_FREE char *id = osm_asprintf ("j%d", i);

    start (id, "stay");
  }
  assert_int_equal (osm_job_start (jobs, "copy", params, &job, &err), -1);
  assert_error (&err, OSM_ERROR_RETRY, "no room for more");
}

#define JOB_TEST(f) cmocka_unit_test_setup_teardown (f, setup, teardown)

int
main (int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
    JOB_TEST (progress_and_result),
    JOB_TEST (what_a_worker_says_of_its_end),
    JOB_TEST (an_end_without_a_word_is_retried),
    JOB_TEST (cancelled),
    JOB_TEST (the_same_again),
    JOB_TEST (forgotten),
    JOB_TEST (jobs_survive_a_restart),
    JOB_TEST (a_job_that_waits_for_its_disk_goes_on_later),
    JOB_TEST (files_that_are_no_jobs),
    JOB_TEST (chunks_of_a_digest),
    JOB_TEST (only_so_many_run),
  };

  /* Under valgrind that name means valgrind, except to readlink. */
  OSM_CLEANUP_FREE char *program = realpath ("/proc/self/exe", NULL);

  osm_log_init ("test", OSM_LOG_ERROR);
  if (!program || setenv ("OSM_AGENT_PROGRAM", program, 1) == -1)
    return 1;
  if (argc > 1 && strcmp (argv[1], "worker") == 0)
    return act_as_worker ();
  signal (SIGPIPE, SIG_IGN); /* as the service does */
  return cmocka_run_group_tests (tests, NULL, NULL);
}
