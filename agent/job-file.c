/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/job-internal.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "agent/paths.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "common/parse.h"
#include "common/strbuf.h"

#define FILE_MAX (256 * 1024)
#define RESUME_PATIENCE_MS 60000 /* for disks to appear after a boot, and old workers to let go */

int
osm_job_save (const struct osm_job *job, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_path_job (job->id, ".json"), *text = NULL;
  OSM_CLEANUP_JSON json_t *file = NULL;

  if (!job->on_disk)
    return 0;
  file = osm_json_pack ("{s:o, s:O}", "job", osm_job_to_json (job), "params", job->params);
  if (job->result)
    json_object_set (file, "result", job->result);
  text = osm_json_dump (file);
  return osm_file_write (path, text, strlen (text), 0600, err);
}

void
osm_job_remove_files (const char *id)
{
  static const char *const suffixes[] = { ".json", ".bitmap", ".digests", ".bad", ".free" };

  for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
    OSM_CLEANUP_FREE char *path = osm_path_job (id, suffixes[i]);

    if (unlink (path) == -1 && errno != ENOENT)
      osm_warning ("%s: %s", path, strerror (errno));
  }
}

static int
load_one (const char *id, struct osm_job **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_path_job (id, ".json"), *text = NULL;
  OSM_CLEANUP_JSON json_t *file = NULL;
  const json_t *j;
  struct osm_job *job;
  size_t len;

  if (osm_file_read (path, FILE_MAX, &text, &len, err) == -1 ||
      osm_json_parse (text, len, path, &file, err) == -1)
    return -1;
  j = json_object_get (file, "job");
  if (!osm_str_equal (osm_json_str (j, "id"), id) || !osm_json_str (j, "kind") ||
      !json_is_object (json_object_get (file, "params")))
    return osm_error_set (err, OSM_ERROR_USER, 0, "%s is damaged", path);
  job = osm_job_new (id, osm_json_str (j, "kind"));
  job->params = json_incref (json_object_get (file, "params"));
  job->on_disk = true;
  job->error = json_incref (json_object_get (j, "error"));
  job->result = json_incref (json_object_get (file, "result"));
  job->cipher = osm_strdup (osm_json_str (j, "cipher"));
  osm_job_take_bad_blocks (job, j);
  for (enum osm_job_state s = OSM_JOB_RUNNING; s <= OSM_JOB_CANCELLED; s++)
    if (osm_str_equal (osm_json_str (j, "state"), osm_job_state_name (s)))
      job->state = s;
  osm_job_take_counts (job, j);
  job->started_ms = json_integer_value (json_object_get (j, "started_ms"));
  job->ended_ms = json_integer_value (json_object_get (j, "ended_ms"));
  *ret = job;
  return 0;
}

int
osm_jobs_load (struct osm_jobs **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *folder = osm_asprintf ("%s/jobs", osm_path_state ());
  struct osm_limits *limits = NULL;
  struct osm_jobs *jobs;
  struct dirent *entry;
  DIR *dir;

  if (osm_mkdir_p (folder, 0700, err) == -1)
    return -1;
  dir = opendir (folder);
  if (!dir)
    return osm_error_set_errno (err, errno, "%s", folder);
  if (osm_limits_load (&limits, err) == -1) {
    closedir (dir);
    return -1;
  }
  jobs = osm_calloc (1, sizeof *jobs);
  jobs->limits = limits;
  while ((entry = readdir (dir)) && jobs->nr < OSM_JOBS_MAX) {
    OSM_CLEANUP_FREE char *id = NULL;
    struct osm_job *job = NULL;
    OSM_ERROR (why);

    if (!osm_str_ends_with (entry->d_name, ".json"))
      continue;
    id = osm_strndup (entry->d_name, strlen (entry->d_name) - strlen (".json"));
    if (!osm_is_safe_name (id))
      continue;
    if (load_one (id, &job, &why) == -1) {
      osm_warning ("%s", why.message);
      continue;
    }
    jobs->v[jobs->nr++] = job;
    if (job->state == OSM_JOB_RUNNING) {
      osm_job_count_anew (job);
      job->resume_until_ms = osm_now_ms () + RESUME_PATIENCE_MS;
    }
  }
  closedir (dir);
  *ret = jobs;
  return 0;
}
