/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/job-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "agent/paths.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "nbd/digest.h"
#include "nbd/bitmap.h"

#define CHUNKS_AT_ONCE 16384

static const char *const state_names[] = { "running", "done", "failed", "cancelled" };

static const char *const count_names[] = { "sent_bytes", "zero_bytes", "wire_bytes",
                                           "found_bytes" };

bool
osm_job_running (const struct osm_job *job)
{
  return job->state == OSM_JOB_RUNNING;
}

bool
osm_job_is_copy (const struct osm_job *job)
{
  return strcmp (job->kind, "copy") == 0;
}

const char *
osm_job_state_name (enum osm_job_state state)
{
  return state_names[state];
}

/* ---- what workers tell ---- */

static void
take_number (const json_t *object, const char *key, uint64_t *ret)
{
  json_t *value = json_object_get (object, key);

  if (json_is_integer (value) && json_integer_value (value) >= 0)
    *ret = (uint64_t)json_integer_value (value);
}

void
osm_job_take_counts (struct osm_job *job, const json_t *object)
{
  take_number (object, "done_bytes", &job->done_bytes);
  take_number (object, "free_bytes", &job->free_bytes);
  take_number (object, "left_bytes", &job->left_bytes);
  take_number (object, "unknown_bytes", &job->unknown_bytes);
  for (size_t i = 0; i < OSM_JOB_COUNTS; i++)
    take_number (object, count_names[i], &job->counts[i]);
}

void
osm_job_count_anew (struct osm_job *job)
{
  OSM_CLEANUP_FREE char *path = osm_path_job (job->id, ".bitmap");
  OSM_CLEANUP_BITMAP struct osm_bitmap *bitmap = NULL;
  uint64_t size = osm_json_uint (job->params, "size_bytes");
  OSM_ERROR (ignored);

  memset (job->counts, 0, sizeof job->counts);
  job->left_bytes = 0;
  job->done_bytes = osm_job_is_copy (job) && osm_bitmap_load (path, size, &bitmap, &ignored) == 0
                        ? osm_bitmap_done_bytes (bitmap)
                        : 0;
  job->unknown_bytes = osm_job_is_copy (job) ? size - job->done_bytes : 0;
}

void
osm_job_take_bad_blocks (struct osm_job *job, const json_t *object)
{
  json_t *list = json_object_get (object, "bad_blocks");

  if (!json_is_array (list))
    return;
  json_decref (job->bad_blocks);
  job->bad_blocks = json_incref (list);
}

void
osm_job_take_progress (struct osm_job *job, const json_t *progress)
{
  osm_job_take_counts (job, progress);
  take_number (progress, "connections", &job->connections);
  osm_job_take_bad_blocks (job, progress);
  if (osm_json_str (progress, "cipher"))
    osm_str_set (&job->cipher, osm_json_str (progress, "cipher"));
  osm_pace_update (&job->pace, osm_job_is_copy (job) ? job->counts[OSM_JOB_SENT] : job->done_bytes,
                   job->counts[OSM_JOB_ZERO], osm_now_ms ());
}

/* ---- what requests ask ---- */

static struct osm_pace_left
what_is_left (const struct osm_job *job)
{
  const struct osm_pace_counts counts = {
    .size_bytes = osm_json_uint (job->params, "size_bytes"),
    .done_bytes = job->done_bytes,
    .found_bytes = job->counts[OSM_JOB_FOUND],
    .skipped_bytes = job->counts[OSM_JOB_ZERO],
    .left_bytes = job->left_bytes,
    .unknown_bytes = job->unknown_bytes,
  };

  if (osm_job_is_copy (job))
    return osm_pace_left (&counts);
  return (struct osm_pace_left){ .send_bytes = counts.size_bytes > counts.done_bytes
                                                   ? counts.size_bytes - counts.done_bytes
                                                   : 0 };
}

static void
add_copy (const struct osm_job *job, json_t *j)
{
  static const char *const names[] = { "group", "limit_bytes_per_second",
                                       "group_limit_bytes_per_second" };

  for (size_t i = 0; i < OSM_JOB_COUNTS; i++)
    json_object_set_new (j, count_names[i], json_integer ((json_int_t)job->counts[i]));
  json_object_set_new (j, "free_bytes", json_integer ((json_int_t)job->free_bytes));
  json_object_set_new (j, "left_bytes", json_integer ((json_int_t)job->left_bytes));
  json_object_set_new (j, "unknown_bytes", json_integer ((json_int_t)job->unknown_bytes));
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (json_object_get (job->params, names[i]))
      json_object_set (j, names[i], json_object_get (job->params, names[i]));
  if (job->state != OSM_JOB_RUNNING)
    return;
  json_object_set_new (j, "connections", json_integer ((json_int_t)job->connections));
  json_object_set_new (j, "allowed_bytes_per_second",
                       json_integer ((json_int_t)job->limit.bytes_per_second));
}

json_t *
osm_job_to_json (const struct osm_job *job)
{
  static const char *const shown[] = { "manifest", "free_bytes", "found", "accelerator" };
  bool running = job->state == OSM_JOB_RUNNING;
  struct osm_pace_left left = what_is_left (job);
  int64_t eta_ms = running ? osm_pace_eta_ms (&job->pace, &left, osm_now_ms ()) : -1;
  json_t *j = osm_json_pack (
      "{s:s, s:s, s:s, s:O?, s:I, s:I, s:I, s:I, s:I, s:I}", "id", job->id, "kind", job->kind,
      "state", state_names[job->state], "size_bytes", json_object_get (job->params, "size_bytes"),
      "done_bytes", (json_int_t)job->done_bytes, "sent_bytes",
      (json_int_t)job->counts[OSM_JOB_SENT], "zero_bytes", (json_int_t)job->counts[OSM_JOB_ZERO],
      "bytes_per_second", (json_int_t)(running ? osm_rate_get (&job->pace.rate) : 0), "started_ms",
      (json_int_t)job->started_ms, "ended_ms", (json_int_t)job->ended_ms);

  if (osm_job_is_copy (job))
    add_copy (job, j);
  if (eta_ms >= 0)
    json_object_set_new (j, "eta_ms", json_integer ((json_int_t)eta_ms));
  osm_json_set_str (j, "cipher", job->cipher);
  if (job->error)
    json_object_set (j, "error", job->error);
  if (job->bad_blocks)
    json_object_set (j, "bad_blocks", job->bad_blocks);
  for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
    if (json_object_get (job->result, shown[i]))
      json_object_set (j, shown[i], json_object_get (job->result, shown[i]));
  return j;
}

json_t *
osm_jobs_list (const struct osm_jobs *jobs)
{
  json_t *list = json_array ();

  for (size_t i = 0; i < jobs->nr; i++)
    json_array_append_new (list, osm_job_to_json (jobs->v[i]));
  return list;
}

const json_t *
osm_job_result (const struct osm_job *job, struct osm_error *err)
{
  if (job->state == OSM_JOB_DONE)
    return job->result;
  if (job->error)
    osm_error_from_json (job->error, err);
  else
    osm_error_set (err, OSM_ERROR_INTERRUPTED, 0, "the job was cancelled");
  return NULL;
}

int
osm_job_chunks (struct osm_jobs *jobs, const char *id, uint64_t first, uint64_t count, char **ret,
                struct osm_error *err)
{
  struct osm_job *job = osm_job_find (jobs, id, err);
  OSM_CLEANUP_FREE char *path = NULL;
  OSM_CLEANUP_FREE unsigned char *data = NULL;
  OSM_CLEANUP_FD int fd = -1;
  struct osm_manifest part = { .chunk_bytes = 1 };
  const json_t *manifest;
  uint64_t chunks;

  if (!job)
    return -1;
  manifest = json_object_get (job->result, "manifest");
  if (job->state != OSM_JOB_DONE || !manifest)
    return osm_error_set (err, OSM_ERROR_USER, 0, "job %s is no finished digest", id);
  chunks = osm_json_uint (manifest, "chunks");
  if (first > chunks || count > CHUNKS_AT_ONCE)
    return osm_error_set (err, OSM_ERROR_USER, EINVAL, "job %s has %llu chunks, at most %d at once",
                          id, (unsigned long long)chunks, CHUNKS_AT_ONCE);
  if (count > chunks - first)
    count = chunks - first;
  path = osm_path_job (id, ".digests");
  fd = open (path, O_RDONLY | O_CLOEXEC);
  if (fd == -1)
    return osm_error_set_errno (err, errno, "%s", path);
  data = osm_calloc (count ? count : 1, OSM_DIGEST_LEN);
  if (osm_pread_full (fd, data, count * OSM_DIGEST_LEN, first * OSM_DIGEST_LEN, err) == -1)
    return osm_error_wrap (err, "%s", path);
  part.nr_chunks = count;
  part.digests = data;
  *ret = osm_manifest_hex (&part, 0, count);
  return 0;
}
