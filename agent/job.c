/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/job-internal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/device.h"
#include "agent/paths.h"
#include "agent/share.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/ranges.h"
#include "common/run.h"
#include "common/strbuf.h"

#define CANCEL_PATIENCE_MS 10000
#define RESUME_RETRY_MS 500
#define KEEP_RESULT_MS 60000 /* of a job that is not on disk */

struct osm_job *
osm_job_new (const char *id, const char *kind)
{
  struct osm_job *job = osm_calloc (1, sizeof *job);

  job->child = (struct osm_child)OSM_CHILD_NONE;
  job->id = osm_strdup (id);
  job->kind = osm_strdup (kind);
  return job;
}

void
osm_job_free (struct osm_job *job)
{
  if (!job)
    return;
  osm_child_ended (&job->child);
  free (job->id);
  free (job->kind);
  json_decref (job->params);
  free (job->cipher);
  json_decref (job->error);
  json_decref (job->result);
  json_decref (job->bad_blocks);
  free (job);
}

static void
job_end (struct osm_job *job, enum osm_job_state state, const struct osm_error *why)
{
  OSM_ERROR (err);

  job->state = state;
  job->resume_until_ms = 0;
  job->ended_ms = osm_wall_ms ();
  job->ended_at_ms = osm_now_ms ();
  json_decref (job->error);
  job->error = state == OSM_JOB_FAILED && why ? osm_error_to_json (why) : NULL;
  if (state == OSM_JOB_FAILED)
    osm_log (OSM_LOG_WARNING, "job %s failed: %s", job->id, why ? why->message : "?");
  else
    osm_info ("job %s is %s", job->id, osm_job_state_name (state));
  if (osm_job_save (job, &err) == -1)
    osm_warning ("job %s: %s", job->id, err.message);
}

/* ---- starting ---- */

static size_t
nr_running (const struct osm_jobs *jobs, bool copies_only)
{
  size_t n = 0;

  for (size_t i = 0; i < jobs->nr; i++)
    n += jobs->v[i]->state == OSM_JOB_RUNNING && (!copies_only || osm_job_is_copy (jobs->v[i]));
  return n;
}

/* Every running copy, and the one that is about to start (or NULL), gets its share of what the host may use. */
static void
share (struct osm_jobs *jobs, struct osm_job *about_to_start)
{
  struct osm_limited copies[OSM_JOBS_RUNNING_MAX + 1];
  size_t n = 0;

  for (size_t i = 0; i < jobs->nr && n < OSM_JOBS_RUNNING_MAX + 1; i++) {
    struct osm_job *job = jobs->v[i];
    bool starts = about_to_start && job == about_to_start;

    if (osm_job_is_copy (job) && (starts || (job->state == OSM_JOB_RUNNING && job->child.pid > 0)))
      copies[n++] = (struct osm_limited){ .params = job->params,
                                          .child = &job->child,
                                          .sent_bytes = job->counts[OSM_JOB_SENT],
                                          .limit = &job->limit };
  }
  osm_limits_share (jobs->limits, copies, n, osm_now_ms ());
}

static int
worker_specification (const struct osm_job *job, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *spec = json_copy (job->params);
  OSM_CLEANUP_FREE char *device = NULL, *key = osm_path_peer_key (),
                        *bitmap = osm_path_job (job->id, ".bitmap"),
                        *digests = osm_path_job (job->id, ".digests"),
                        *bad_blocks = osm_path_job (job->id, ".bad");
  const char *volume_id = osm_json_str (job->params, "volume_id"),
             *free_id = osm_json_str (job->params, "free");

  if (volume_id) {
    if (osm_device_find (volume_id, osm_device_size_of (job->params), &device, NULL, err) == -1)
      return -1;
    osm_json_set_str (spec, "device", device);
  }
  osm_json_set_str (spec, "key", key);
  osm_json_set_str (spec, "bitmap", bitmap);
  osm_json_set_str (spec, "digests", digests);
  /* The map of free space belongs to the job that found it; a digest names that job. */
  if (strcmp (job->kind, "sparse") == 0 || free_id) {
    OSM_CLEANUP_FREE char *free_file = osm_path_job (free_id ? free_id : job->id, ".free");

    osm_json_set_str (spec, "free_file", free_file);
  }
  /* What a digest finds is of this time only. */
  if (strcmp (job->kind, "copy") == 0)
    osm_json_set_str (spec, "bad_blocks_file", bad_blocks);
  *ret = osm_take (spec);
  return 0;
}

static int
job_launch (struct osm_jobs *jobs, struct osm_job *job, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *spec = NULL;

  if (worker_specification (job, &spec, err) == -1)
    return osm_error_wrap (err, "job %s", job->id);
  if (osm_job_is_copy (job)) {
    job->limit = (struct osm_limit){ 0 };
    share (jobs, job);
    json_object_set_new (spec, "limit", osm_limit_json (&job->limit));
    json_object_set_new (spec, "memory_bytes",
                         json_integer ((json_int_t)osm_share_memory (nr_running (jobs, true) + 1)));
  }
  if (osm_child_start (&job->child, job->kind, spec, -1, err) == -1)
    return osm_error_wrap (err, "job %s", job->id);
  if (!osm_job_is_copy (job))
    osm_child_close_in (&job->child);
  job->state = OSM_JOB_RUNNING;
  job->resume_until_ms = 0;
  job->cancel = false;
  job->started_ms = osm_wall_ms ();
  job->ended_ms = 0;
  job->pace = (struct osm_pace){ 0 };
  osm_job_count_anew (job);
  json_decref (osm_take (job->error));
  json_decref (osm_take (job->result));
  json_decref (osm_take (job->bad_blocks));
  return 0;
}

static struct osm_job *
lookup (struct osm_jobs *jobs, const char *id)
{
  for (size_t i = 0; i < jobs->nr; i++)
    if (strcmp (jobs->v[i]->id, id) == 0)
      return jobs->v[i];
  return NULL;
}

struct osm_job *
osm_job_find (struct osm_jobs *jobs, const char *id, struct osm_error *err)
{
  struct osm_job *job = lookup (jobs, id);

  if (!job)
    osm_error_set (err, OSM_ERROR_USER, ENOENT, "there is no job %s", id);
  return job;
}

static int
check_room (const struct osm_jobs *jobs, bool one_more, struct osm_error *err)
{
  if ((one_more && jobs->nr == OSM_JOBS_MAX) || nr_running (jobs, false) >= OSM_JOBS_RUNNING_MAX)
    return osm_error_set (err, OSM_ERROR_RETRY, EAGAIN,
                          "the agent has %zu jobs, %zu of them running: no room for more", jobs->nr,
                          nr_running (jobs, false));
  return 0;
}

/* What makes two requests the same work; how the source is reached may change between two attempts. */
static bool
same_work (const struct osm_job *job, const char *kind, const json_t *params)
{
  static const char *const keys[] = { "volume_id", "size_bytes", "chunk_bytes", "drop_cache",
                                      "free" };

  if (strcmp (job->kind, kind) != 0)
    return false;
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    const json_t *a = json_object_get (job->params, keys[i]),
                 *b = json_object_get (params, keys[i]);

    if ((a || b) && !(a && b && json_equal (a, b)))
      return false;
  }
  return true;
}

int
osm_job_start (struct osm_jobs *jobs, const char *kind, const json_t *params, struct osm_job **ret,
               struct osm_error *err)
{
  const char *id = osm_json_str (params, "id");
  struct osm_job *job = lookup (jobs, id);
  OSM_ERROR (why);

  if (job) {
    if (!same_work (job, kind, params))
      return osm_error_set (err, OSM_ERROR_USER, EEXIST,
                            "job %s exists with other parameters: forget it first", id);
    if (job->state == OSM_JOB_RUNNING || job->state == OSM_JOB_DONE) {
      *ret = job;
      return 0;
    }
    if (check_room (jobs, false, err) == -1)
      return -1;
    json_decref (job->params);
    job->params = json_deep_copy (params);
    if (job_launch (jobs, job, err) == -1)
      return -1;
    *ret = job;
    return osm_job_save (job, err);
  }
  if (check_room (jobs, true, err) == -1)
    return -1;
  job = osm_job_new (id, kind);
  job->params = json_deep_copy (params);
  job->on_disk = strcmp (kind, "link-test") != 0;
  /* Written before it runs: after a crash it is known that something was under way. */
  if (osm_job_save (job, err) == -1) {
    osm_job_free (job);
    return -1;
  }
  jobs->v[jobs->nr++] = job;
  if (job_launch (jobs, job, &why) == -1) {
    OSM_ERROR (ignored);

    osm_error_move (err, &why);
    job->state = OSM_JOB_FAILED;
    osm_job_forget (jobs, id, &ignored);
    return -1;
  }
  *ret = job;
  return 0;
}

int
osm_job_repeat (struct osm_jobs *jobs, const char *kind, const char *id, const json_t *ranges,
                struct osm_job **ret, struct osm_error *err)
{
  struct osm_job *job = osm_job_find (jobs, id, err);
  OSM_RANGES (checked);
  uint64_t size;

  if (!job)
    return -1;
  size = osm_json_uint (job->params, "size_bytes");
  if (strcmp (job->kind, kind) != 0)
    return osm_error_set (err, OSM_ERROR_USER, EINVAL, "job %s is no %s", id, kind);
  if (osm_ranges_from_json (ranges, size, OSM_REPAIR_RANGES_MAX, &checked, err) == -1)
    return osm_error_wrap (err, "parameter 'ranges'");
  if (job->state == OSM_JOB_RUNNING) {
    if (!json_equal (json_object_get (job->params, "repair"), (json_t *)ranges))
      return osm_error_set (err, OSM_ERROR_USER, EBUSY, "job %s is running", id);
    *ret = job;
    return 0;
  }
  if (job->state != OSM_JOB_DONE && strcmp (kind, "digest") == 0)
    return osm_error_set (err, OSM_ERROR_USER, 0, "job %s is no finished digest", id);
  if (check_room (jobs, false, err) == -1)
    return -1;
  /* In the parameters, so that it is still known after a restart of the service. */
  json_object_set (job->params, "repair", (json_t *)ranges);
  if (job_launch (jobs, job, err) == -1)
    return -1;
  *ret = job;
  return osm_job_save (job, err);
}

/* ---- ending ---- */

void
osm_job_cancel (struct osm_job *job)
{
  if (job->state != OSM_JOB_RUNNING || job->cancel)
    return;
  job->cancel = true;
  job->cancelled_at_ms = osm_now_ms ();
  if (job->child.pid > 0)
    kill (job->child.pid, SIGTERM);
  else
    job_end (job, OSM_JOB_CANCELLED, NULL);
}

int
osm_job_forget (struct osm_jobs *jobs, const char *id, struct osm_error *err)
{
  for (size_t i = 0; i < jobs->nr; i++) {
    if (strcmp (jobs->v[i]->id, id) != 0)
      continue;
    if (jobs->v[i]->state == OSM_JOB_RUNNING)
      return osm_error_set (err, OSM_ERROR_USER, EBUSY, "job %s is running: cancel it first", id);
    if (jobs->v[i]->on_disk)
      osm_job_remove_files (id);
    osm_job_free (jobs->v[i]);
    jobs->v[i] = jobs->v[--jobs->nr];
    return 0;
  }
  return osm_error_set (err, OSM_ERROR_USER, ENOENT, "there is no job %s", id);
}

static void
read_frames (struct osm_job *job)
{
  for (;;) {
    OSM_CLEANUP_JSON json_t *frame = NULL;
    OSM_ERROR (why);

    if (osm_child_read (&job->child, &frame, &why) == -1) {
      osm_warning ("job %s: %s", job->id, why.message);
      if (job->child.pid > 0)
        kill (job->child.pid, SIGKILL);
      close (osm_take_fd (&job->child.out)); /* nothing more is believed */
      return;
    }
    if (!frame)
      return;
    if (json_object_get (frame, "progress"))
      osm_job_take_progress (job, json_object_get (frame, "progress"));
    if (json_object_get (frame, "result")) {
      json_decref (job->result);
      job->result = json_incref (json_object_get (frame, "result"));
      osm_job_take_bad_blocks (job, job->result);
    }
    if (json_object_get (frame, "error")) {
      json_decref (job->error);
      job->error = json_incref (json_object_get (frame, "error"));
    }
  }
}

bool
osm_jobs_child_ended (struct osm_jobs *jobs, pid_t pid, int status)
{
  for (size_t i = 0; i < jobs->nr; i++) {
    struct osm_job *job = jobs->v[i];
    OSM_ERROR (why);
    char text[128];

    if (job->child.pid != pid)
      continue;
    read_frames (job);
    osm_child_ended (&job->child);
    if (job->result && WIFEXITED (status) && WEXITSTATUS (status) == 0)
      job_end (job, OSM_JOB_DONE, NULL);
    else if (job->cancel)
      job_end (job, OSM_JOB_CANCELLED, NULL);
    else {
      if (job->error)
        osm_error_from_json (job->error, &why);
      else
        osm_error_set (&why, OSM_ERROR_RETRY, 0, "the worker %s without a result",
                       osm_run_status_text (status, text, sizeof text));
      job_end (job, OSM_JOB_FAILED, &why);
    }
    return true;
  }
  return false;
}

void
osm_jobs_read (struct osm_jobs *jobs)
{
  for (size_t i = 0; i < jobs->nr; i++)
    if (jobs->v[i]->child.out >= 0)
      read_frames (jobs->v[i]);
}

/* A job that was running when the service ended. Right after a boot its disk may not be there yet, and right after a crash the worker of
 * before may still hold it. */
static void
resume (struct osm_jobs *jobs, struct osm_job *job)
{
  uint64_t now = osm_now_ms ();
  OSM_ERROR (why);

  if (now < job->resume_at_ms)
    return;
  if (job_launch (jobs, job, &why) == 0) {
    osm_info ("job %s goes on", job->id);
    return;
  }
  job->resume_at_ms = now + RESUME_RETRY_MS;
  if (now >= job->resume_until_ms ||
      (why.class != OSM_ERROR_RETRY && why.code != EBUSY && why.code != EACCES))
    job_end (job, OSM_JOB_FAILED, &why);
}

void
osm_jobs_tick (struct osm_jobs *jobs)
{
  uint64_t now = osm_now_ms ();

  for (size_t i = 0; i < jobs->nr; i++) {
    struct osm_job *job = jobs->v[i];

    if (job->state == OSM_JOB_RUNNING && job->cancel && job->child.pid > 0 &&
        now - job->cancelled_at_ms > CANCEL_PATIENCE_MS)
      kill (job->child.pid, SIGKILL);
    if (job->state == OSM_JOB_RUNNING && job->resume_until_ms)
      resume (jobs, job);
    /* Whoever asked for it has gone. */
    if (job->state != OSM_JOB_RUNNING && !job->on_disk && now - job->ended_at_ms > KEEP_RESULT_MS) {
      osm_job_free (job);
      jobs->v[i--] = jobs->v[--jobs->nr];
    }
  }
  share (jobs, NULL);
}

/* ---- limits ---- */

static int
set_limit (struct osm_job *job, const char *key, uint64_t bytes_per_second, struct osm_error *err)
{
  json_object_set_new (job->params, key, json_integer ((json_int_t)bytes_per_second));
  return osm_job_save (job, err);
}

int
osm_job_limit (struct osm_jobs *jobs, struct osm_job *job, uint64_t bytes_per_second,
               struct osm_error *err)
{
  if (!osm_job_is_copy (job))
    return osm_error_set (err, OSM_ERROR_USER, EINVAL, "job %s is no copy", job->id);
  if (set_limit (job, "limit_bytes_per_second", bytes_per_second, err) == -1)
    return -1;
  share (jobs, NULL);
  return 0;
}

int
osm_jobs_limit_group (struct osm_jobs *jobs, const char *group, uint64_t bytes_per_second,
                      struct osm_error *err)
{
  bool found = false;

  for (size_t i = 0; i < jobs->nr; i++)
    if (osm_job_is_copy (jobs->v[i]) &&
        osm_str_equal (osm_json_str (jobs->v[i]->params, "group"), group)) {
      found = true;
      if (set_limit (jobs->v[i], "group_limit_bytes_per_second", bytes_per_second, err) == -1)
        return -1;
    }
  if (!found)
    return osm_error_set (err, OSM_ERROR_USER, ENOENT, "there is no copy of the group %s", group);
  share (jobs, NULL);
  return 0;
}

uint64_t
osm_jobs_host_limit (const struct osm_jobs *jobs)
{
  return osm_limits_host (jobs->limits);
}

int
osm_jobs_limit_host (struct osm_jobs *jobs, uint64_t bytes_per_second, struct osm_error *err)
{
  if (osm_limits_set_host (jobs->limits, bytes_per_second, err) == -1)
    return -1;
  share (jobs, NULL);
  return 0;
}

size_t
osm_jobs_poll_fds (const struct osm_jobs *jobs, struct pollfd *fds, size_t max)
{
  size_t n = 0;

  for (size_t i = 0; i < jobs->nr && n < max; i++)
    if (jobs->v[i]->child.out >= 0)
      fds[n++] = (struct pollfd){ .fd = jobs->v[i]->child.out, .events = POLLIN };
  return n;
}

void
osm_jobs_free (struct osm_jobs *jobs)
{
  uint64_t until = osm_now_ms () + CANCEL_PATIENCE_MS;

  if (!jobs)
    return;
  /* All at once, then wait: each saves its bitmap on SIGTERM. Their state on disk stays "running". */
  for (size_t i = 0; i < jobs->nr; i++)
    if (jobs->v[i]->child.pid > 0)
      kill (jobs->v[i]->child.pid, SIGTERM);
  for (size_t i = 0; i < jobs->nr; i++) {
    struct osm_job *job = jobs->v[i];

    while (job->child.pid > 0) {
      pid_t r = waitpid (job->child.pid, NULL, WNOHANG);

      if (r == job->child.pid || (r == -1 && errno == ECHILD))
        break;
      if (osm_now_ms () > until)
        kill (job->child.pid, SIGKILL);
      (void)poll (NULL, 0, 20);
    }
    osm_job_free (job);
  }
  osm_limits_free (jobs->limits);
  free (jobs);
}
