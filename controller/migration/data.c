/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/internal.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "controller/hosts/path.h"
#include "controller/migration/devices.h"
#include "controller/migration/sparse.h"
#include "controller/migration/verify.h"

#define POLL_MS 250
#define AGENT_TIMEOUT_MS 60000

/* Names of exports and jobs at the agents: the same after a restart of anything. */
static char *
job_id (const struct osm_migration *m, const char *kind, size_t index)
{
  return osm_asprintf ("%s-%s-%zu", m->row->id, kind, index);
}

static int
volume_id_at (struct osm_migration *m, enum osm_side side, const json_t *volume, char **ret,
              struct osm_error *err)
{
  OSM_CLEANUP_FREE char *role = osm_role_of (OSM_ROLE_VOLUME, osm_json_str (volume, "id"));

  if ((side == OSM_SOURCE
           ? osm_source_exported_id (m, volume, ret, err)
           : osm_made_id (m, OSM_DESTINATION, OSM_MADE_VOLUME, role, ret, err)) == -1)
    return -1;
  if (!*ret)
    return osm_error_set (err, OSM_ERROR_BUG, 0, "volume '%s' is not prepared at the %s",
                          osm_volume_label (volume), osm_side_name (side));
  return 0;
}

/* A job of an earlier process still has the copy's device open: then it was found, and asking for it again would only say that it is in use. */
static bool
destination_works (struct osm_migration *m, size_t index)
{
  static const char *const kinds[] = { "copy", "digest" };

  for (size_t i = 0; i < 2; i++) {
    OSM_CLEANUP_FREE char *id = job_id (m, kinds[i], index);
    OSM_CLEANUP_JSON json_t *answer = NULL;
    OSM_ERROR (ignored);

    if (osm_migration_agent (m, OSM_DESTINATION, "job.get", osm_json_pack ("{s:[s]}", "ids", id),
                             AGENT_TIMEOUT_MS, &answer, &ignored) == 0 &&
        osm_str_equal (osm_json_str (json_array_get (json_object_get (answer, "jobs"), 0), "state"),
                       "running"))
      return true;
  }
  return false;
}

static int
export_volume (struct osm_migration *m, const json_t *volume, size_t index, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *id = job_id (m, "export", index), *volume_id = NULL, *key = NULL,
                        *free_id = osm_sparse_id (m, index);
  OSM_CLEANUP_JSON json_t *export = NULL;

  if (osm_devices_find (m, volume, index, !destination_works (m, index), err) == -1)
    return -1;
  if (volume_id_at (m, OSM_SOURCE, volume, &volume_id, err) == -1 ||
      osm_migration_agent (m, OSM_SOURCE, "export.start",
                           osm_json_pack ("{s:s, s:s, s:I, s:s}", "id", id, "volume_id", volume_id,
                                          "size_bytes", (json_int_t)osm_devices_bytes (m, volume),
                                          "free", free_id),
                           AGENT_TIMEOUT_MS, &export, err) == -1)
    return -1;
  key = osm_asprintf ("export:%s", osm_json_str (volume, "id"));
  return osm_store_fact_set (m->context.store, m->row->id, key, export, err);
}

int
osm_data_export (struct osm_migration *m, struct osm_error *err)
{
  if (osm_migration_open_hosts (m, err) == -1 || osm_devices_load (m, err) == -1)
    return -1;
  return osm_each_volume (m, export_volume, err);
}

int
osm_data_unexport (struct osm_migration *m, struct osm_error *err)
{
  size_t i;
  json_t *volume;

  osm_migration_try_open_hosts (m);
  if (!m->host[OSM_SOURCE])
    return osm_data_close_path (m, err); /* a host that is gone exports nothing */
  json_array_foreach (osm_migration_volumes (m), i, volume)
  {
    OSM_CLEANUP_FREE char *id = job_id (m, "export", i);

    if (osm_migration_agent (m, OSM_SOURCE, "export.stop", osm_json_pack ("{s:s}", "id", id),
                             AGENT_TIMEOUT_MS, NULL, err) == -1)
      return -1;
  }
  return osm_data_close_path (m, err);
}

/* ---- copy and verify: one loop over three kinds of job ---- */

struct volume_jobs {
  const json_t *volume;
  size_t index;
  char *copy_id, *digest_id;
  char *sparse_id;
  json_t *copy, *source_digest, *destination_digest, *sparse; /* the agents' last word, or NULL */
};

static void
free_jobs (struct volume_jobs *jobs, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    free (jobs[i].copy_id);
    free (jobs[i].digest_id);
    free (jobs[i].sparse_id);
    json_decref (jobs[i].sparse);
    json_decref (jobs[i].copy);
    json_decref (jobs[i].source_digest);
    json_decref (jobs[i].destination_digest);
  }
  free (jobs);
}

static struct volume_jobs *
new_jobs (const struct osm_migration *m, size_t n)
{
  struct volume_jobs *jobs = osm_calloc (n ? n : 1, sizeof *jobs);

  for (size_t i = 0; i < n; i++) {
    jobs[i].volume = json_array_get (osm_migration_volumes (m), i);
    jobs[i].index = i;
    jobs[i].copy_id = job_id (m, "copy", i);
    jobs[i].digest_id = job_id (m, "digest", i);
    jobs[i].sparse_id = osm_sparse_id (m, i);
  }
  return jobs;
}

static bool
job_is (const json_t *job, const char *state)
{
  return osm_str_equal (osm_json_str (job, "state"), state);
}

static int
cancel_copy (struct osm_migration *m, const char *id, struct osm_error *err)
{
  if (osm_migration_agent (m, OSM_DESTINATION, "job.cancel", osm_json_pack ("{s:s}", "id", id),
                           AGENT_TIMEOUT_MS, NULL, err) == 0)
    return 0;
  if (err->code != ENOENT)
    return -1;
  osm_error_clear (err);
  return 0;
}

static int
start_copy (struct osm_migration *m, struct volume_jobs *j, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *id = NULL,
                        *key = osm_asprintf ("export:%s", osm_json_str (j->volume, "id"));
  OSM_CLEANUP_JSON json_t *export = NULL, *params = NULL;

  if (volume_id_at (m, OSM_DESTINATION, j->volume, &id, err) == -1 ||
      osm_store_fact_get (m->context.store, m->row->id, key, &export, err) == -1)
    return -1;
  params = osm_json_pack ("{s:s, s:s, s:I, s:b, s:I, s:s?, s:o}", "id", j->copy_id, "volume_id", id,
                          "size_bytes", (json_int_t)osm_devices_bytes (m, j->volume), "free_map", 1,
                          "reconnect_seconds", (json_int_t)m->context.config->reconnect_seconds,
                          "compression", osm_json_str (m->row->plan, "compression"), "source",
                          osm_path_source_json (m->path, osm_json_str (export, "socket"), NULL));
  osm_devices_add_larger (m, j->volume, params);
  if (osm_verify_add_bad_blocks (m, params, err) == -1 ||
      osm_limit_for_start (m, params, err) == -1)
    return -1;
  /* One that runs keeps the way to its source that it has. */
  if (m->path_moved && cancel_copy (m, j->copy_id, err) == -1)
    return -1;
  return osm_migration_agent (m, OSM_DESTINATION, "copy.start", osm_take (params), AGENT_TIMEOUT_MS,
                              &j->copy, err);
}

static int
start_digest (struct osm_migration *m, enum osm_side side, struct volume_jobs *j, json_t **ret,
              struct osm_error *err)
{
  OSM_CLEANUP_FREE char *id = NULL;
  OSM_CLEANUP_JSON json_t *params = NULL;

  if (volume_id_at (m, side, j->volume, &id, err) == -1)
    return -1;
  /* At the destination the digest is of what is on the device, so nothing may be answered from memory. */
  params = osm_json_pack ("{s:s, s:s, s:I, s:i, s:b}", "id", j->digest_id, "volume_id", id,
                          "size_bytes", (json_int_t)osm_devices_bytes (m, j->volume), "chunk_bytes",
                          OSM_VERIFY_CHUNK_BYTES, "drop_cache", side == OSM_DESTINATION);
  if (side == OSM_DESTINATION)
    osm_devices_add_larger (m, j->volume, params);
  if (side == OSM_SOURCE && (osm_verify_add_bad_blocks (m, params, err) == -1 ||
                             osm_sparse_add_free (m, j->volume, j->index, params, err) == -1))
    return -1;
  return osm_migration_agent (m, side, "digest.start", osm_take (params), AGENT_TIMEOUT_MS, ret,
                              err);
}

/* Ask one agent about all its running jobs in one request; slots[k] is where job ids[k] is kept. */
static int
refresh (struct osm_migration *m, enum osm_side side, json_t *ids, json_t ***slots,
         struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *answer = NULL;
  size_t i, n = json_array_size (ids);
  const json_t *jobs;

  if (n == 0) {
    json_decref (ids);
    return 0;
  }
  if (osm_migration_agent (m, side, "job.get", osm_json_pack ("{s:o}", "ids", ids),
                           AGENT_TIMEOUT_MS, &answer, err) == -1)
    return -1;
  jobs = json_object_get (answer, "jobs");
  if (json_array_size (jobs) != n)
    return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                          "the agent was asked about %zu jobs and answered about %zu", n,
                          json_array_size (jobs));
  for (i = 0; i < n; i++) {
    json_decref (*slots[i]);
    *slots[i] = json_incref (json_array_get (jobs, i));
  }
  return 0;
}

static int
refresh_all (struct osm_migration *m, struct volume_jobs *jobs, size_t n, struct osm_error *err)
{
  json_t *source_ids = json_array (), *destination_ids = json_array ();
  OSM_CLEANUP_FREE json_t ***source_slots = osm_calloc (n ? 2 * n : 1, sizeof *source_slots),
                          ***destination_slots =
                              osm_calloc (n ? 2 * n : 1, sizeof *destination_slots);

  for (size_t i = 0; i < n; i++) {
    struct volume_jobs *j = &jobs[i];

    if (job_is (j->source_digest, "running")) {
      source_slots[json_array_size (source_ids)] = &j->source_digest;
      json_array_append_new (source_ids, json_string (j->digest_id));
    }
    if (job_is (j->sparse, "running")) {
      source_slots[json_array_size (source_ids)] = &j->sparse;
      json_array_append_new (source_ids, json_string (j->sparse_id));
    }
    if (job_is (j->copy, "running")) {
      destination_slots[json_array_size (destination_ids)] = &j->copy;
      json_array_append_new (destination_ids, json_string (j->copy_id));
    }
    if (job_is (j->destination_digest, "running")) {
      destination_slots[json_array_size (destination_ids)] = &j->destination_digest;
      json_array_append_new (destination_ids, json_string (j->digest_id));
    }
  }
  if (refresh (m, OSM_SOURCE, source_ids, source_slots, err) == -1) {
    json_decref (destination_ids);
    return -1;
  }
  return refresh (m, OSM_DESTINATION, destination_ids, destination_slots, err);
}

static int
check_job (const json_t *job, const struct volume_jobs *j, const char *what, struct osm_error *err)
{
  if (!job || job_is (job, "running") || job_is (job, "done"))
    return 0;
  if (job_is (job, "failed") && json_object_get (job, "error"))
    osm_error_from_json (json_object_get (job, "error"), err);
  else
    osm_error_set (err, OSM_ERROR_REMOTE, 0, "the job is %s",
                   osm_json_str (job, "state") ? osm_json_str (job, "state") : "in no state");
  return osm_error_wrap (err, "%s volume '%s'", what, osm_volume_label (j->volume));
}

static void
show_progress (struct osm_migration *m, const struct volume_jobs *jobs, size_t n)
{
  uint64_t total = 0, done = 0, sent = 0;
  OSM_ERROR (ignored);

  for (size_t i = 0; i < n; i++) {
    const struct volume_jobs *j = &jobs[i];
    bool verifying = j->destination_digest != NULL;
    const json_t *job = verifying ? j->destination_digest : j->copy;
    struct osm_ui_progress progress = {
      .name = osm_volume_label (j->volume),
      .phase = !verifying             ? "copy"
               : job_is (job, "done") ? "done"
                                      : "verify",
      .size_bytes = osm_devices_bytes (m, j->volume),
      .done_bytes = osm_json_uint (job, "done_bytes"),
      .sent_bytes = osm_json_uint (j->copy, "sent_bytes"),
      .zero_bytes = osm_json_uint (j->copy, "zero_bytes"),
      .free_bytes = osm_json_uint (j->copy, "free_bytes"),
      .wire_bytes = osm_json_uint (j->copy, "wire_bytes"),
      .found_bytes = osm_json_uint (j->copy, "found_bytes"),
      .left_bytes = osm_json_uint (j->copy, "left_bytes"),
      .unknown_bytes = osm_json_uint (j->copy, "unknown_bytes"),
    };

    osm_ui_bar (m->context.ui, (unsigned)i, &progress);
    total += progress.size_bytes;
    done += osm_json_uint (j->copy, "done_bytes");
    sent += osm_json_uint (j->copy, "sent_bytes");
  }
  m->row->bytes_total = total;
  m->row->bytes_done = done;
  m->row->bytes_sent = sent;
  /* Only for those who watch: a failure to write it is no reason to stop. */
  if (osm_store_migration_set_progress (m->context.store, m->row->id, total, done, sent,
                                        &ignored) == -1)
    osm_debug ("progress not written: %s", ignored.message);
}

static void
cancel_copies (struct osm_migration *m, const struct volume_jobs *jobs, size_t n)
{
  osm_interrupt_hold ();
  for (size_t i = 0; i < n; i++) {
    OSM_ERROR (ignored);

    if (job_is (jobs[i].copy, "running") &&
        osm_migration_agent (m, OSM_DESTINATION, "job.cancel",
                             osm_json_pack ("{s:s}", "id", jobs[i].copy_id), AGENT_TIMEOUT_MS, NULL,
                             &ignored) == -1)
      osm_debug ("cancel %s: %s", jobs[i].copy_id, ignored.message);
  }
  osm_interrupt_release ();
}

/* Until all copies (or all digests too) are there. The destination's digest of a volume starts as soon as its copy is done. */
static int
drive (struct osm_migration *m, struct volume_jobs *jobs, size_t n, bool to_digests,
       struct osm_error *err)
{
  for (;;) {
    size_t ready = 0;

    if (refresh_all (m, jobs, n, err) == -1)
      return -1;
    for (size_t i = 0; i < n; i++) {
      struct volume_jobs *j = &jobs[i];

      if (check_job (j->copy, j, "copy", err) == -1) {
        osm_data_explain (m, err);
        return -1;
      }
      if (check_job (j->source_digest, j, "read back the source of", err) == -1 ||
          check_job (j->destination_digest, j, "read back the copy of", err) == -1)
        return -1;
      osm_sparse_tell (m, j->volume, j->sparse);
      if (job_is (j->copy, "done") && !j->destination_digest &&
          (osm_sparse_decide (m, j->volume, i, &j->sparse, j->copy, err) == -1 ||
           start_digest (m, OSM_DESTINATION, j, &j->destination_digest, err) == -1))
        return -1;
      if (!j->source_digest && !osm_sparse_pending (j->sparse, j->copy) &&
          start_digest (m, OSM_SOURCE, j, &j->source_digest, err) == -1)
        return -1;
      if (!job_is (j->copy, "done"))
        continue;
      if (!to_digests ||
          (job_is (j->source_digest, "done") && job_is (j->destination_digest, "done")))
        ready++;
    }
    osm_limit_apply (m);
    show_progress (m, jobs, n);
    if (ready == n)
      return 0;
    if (osm_wait_ms (POLL_MS, err) == -1)
      return -1;
  }
}

static int
start_all (struct osm_migration *m, struct volume_jobs *jobs, size_t n, struct osm_error *err)
{
  if (osm_migration_open_hosts (m, err) == -1 || osm_data_open_path (m, err) == -1)
    return -1;
  for (size_t i = 0; i < n; i++) {
    /* Idempotent: after a restart the agents answer with the jobs they have. */
    if (start_copy (m, &jobs[i], err) == -1 ||
        (!job_is (jobs[i].copy, "done") &&
         osm_sparse_start (m, jobs[i].volume, i, &jobs[i].sparse, err) == -1))
      return osm_error_wrap (err, "volume '%s'", osm_volume_label (jobs[i].volume));
  }
  return 0;
}

int
osm_data_copy (struct osm_migration *m, struct osm_error *err)
{
  size_t n = json_array_size (osm_migration_volumes (m));
  struct volume_jobs *jobs = new_jobs (m, n);
  int r = start_all (m, jobs, n, err);

  if (r == 0)
    r = drive (m, jobs, n, false, err);
  if (r == -1 && osm_interrupted ())
    cancel_copies (m, jobs, n);
  free_jobs (jobs, n);
  return r;
}

int
osm_data_verify (struct osm_migration *m, struct osm_error *err)
{
  size_t n = json_array_size (osm_migration_volumes (m));
  struct volume_jobs *jobs = new_jobs (m, n);
  int r = start_all (m, jobs, n, err);

  if (r == 0)
    r = drive (m, jobs, n, true, err);
  if (r == -1 && osm_interrupted ())
    cancel_copies (m, jobs, n);
  for (size_t i = 0; r == 0 && i < n; i++) {
    const struct osm_verify verify = { .volume = jobs[i].volume,
                                       .index = (unsigned)i,
                                       .copy_id = jobs[i].copy_id,
                                       .digest_id = { jobs[i].digest_id, jobs[i].digest_id } };

    r = osm_verify_volume (m, &verify, err);
  }
  free_jobs (jobs, n);
  return r;
}

/* Cancel if running, then forget; a job that the agent does not know is forgotten already. */
static int
forget_job (struct osm_migration *m, enum osm_side side, const char *id, struct osm_error *err)
{
  static const char *const methods[] = { "job.cancel", "job.forget" };

  for (size_t i = 0; i < 2; i++) {
    if (osm_migration_agent (m, side, methods[i], osm_json_pack ("{s:s}", "id", id),
                             AGENT_TIMEOUT_MS, NULL, err) == 0)
      continue;
    if (!osm_error_not_found (err) && err->code != ENOENT)
      return -1;
    osm_error_clear (err);
    return 0;
  }
  return 0;
}

int
osm_data_forget (struct osm_migration *m, struct osm_error *err)
{
  size_t n = json_array_size (osm_migration_volumes (m));

  osm_migration_try_open_hosts (m);
  for (size_t i = 0; i < n; i++) {
    OSM_CLEANUP_FREE char *copy = job_id (m, "copy", i), *digest = job_id (m, "digest", i),
                          *sparse = osm_sparse_id (m, i);

    if (m->host[OSM_DESTINATION] && (forget_job (m, OSM_DESTINATION, copy, err) == -1 ||
                                     forget_job (m, OSM_DESTINATION, digest, err) == -1))
      return -1;
    if (m->host[OSM_SOURCE] && (forget_job (m, OSM_SOURCE, digest, err) == -1 ||
                                forget_job (m, OSM_SOURCE, sparse, err) == -1))
      return -1;
  }
  return 0;
}
