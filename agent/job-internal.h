/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Shared by the files of jobs: job.c starts and ends them, job-report.c is what they and their workers tell, job-file.c keeps them across
 * restarts. Nobody else includes this. */

#ifndef OSM_AGENT_JOB_INTERNAL_H
#define OSM_AGENT_JOB_INTERNAL_H

#include "agent/child.h"
#include "agent/job.h"
#include "agent/limits.h"
#include "common/pace.h"

enum osm_job_state { OSM_JOB_RUNNING, OSM_JOB_DONE, OSM_JOB_FAILED, OSM_JOB_CANCELLED };

/* What workers count from 0 on. */
enum { OSM_JOB_SENT, OSM_JOB_ZERO, OSM_JOB_WIRE, OSM_JOB_FOUND, OSM_JOB_COUNTS };

struct osm_job {
  char *id, *kind;
  json_t *params; /* of the request */
  bool on_disk;
  enum osm_job_state state;
  uint64_t done_bytes, free_bytes, left_bytes, unknown_bytes, connections;
  uint64_t counts[OSM_JOB_COUNTS];
  struct osm_pace pace;
  struct osm_limit limit;
  int64_t started_ms, ended_ms;
  char *cipher;
  json_t *error, *result;
  json_t *bad_blocks; /* [[offset, length], ...] or NULL */
  bool cancel;
  uint64_t cancelled_at_ms;
  uint64_t resume_until_ms, resume_at_ms; /* while it waits to run again; else 0 */
  uint64_t ended_at_ms;                   /* as osm_now_ms */
  struct osm_child child;
};

struct osm_jobs {
  struct osm_job *v[OSM_JOBS_MAX];
  size_t nr;
  struct osm_limits *limits;
};

/* job.c */
struct osm_job *osm_job_new (const char *id, const char *kind);
void osm_job_free (struct osm_job *job);

/* job-report.c */
bool osm_job_is_copy (const struct osm_job *job);
const char *osm_job_state_name (enum osm_job_state state);
/* What a worker says of its progress, or its job's file. */
void osm_job_take_counts (struct osm_job *job, const json_t *object);
/* As long as its worker has not told anything: what is finished is what was saved, all else counts from 0. */
void osm_job_count_anew (struct osm_job *job);
void osm_job_take_progress (struct osm_job *job, const json_t *progress);
void osm_job_take_bad_blocks (struct osm_job *job, const json_t *object);

/* job-file.c */
int osm_job_save (const struct osm_job *job, struct osm_error *err);
void osm_job_remove_files (const char *id);

#endif
