/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Jobs of the service: copy, digest, link test. One worker process each; what they are and how far they got is on disk, so that they
 * survive the controller's connection and a restart of the service.
 *
 *   osm_jobs_load (&jobs, err);                    what was running goes on with the next ticks
 *   osm_job_start (jobs, "copy", params, &job, err);
 *   osm_jobs_child_ended (jobs, pid, status);      after waitpid
 *   osm_job_to_json (job)                          as PROTOCOL.md describes it
 */

#ifndef OSM_AGENT_JOB_H
#define OSM_AGENT_JOB_H

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"

#define OSM_JOBS_MAX 1024
#define OSM_JOBS_RUNNING_MAX 128
#define OSM_REPAIR_RANGES_MAX 4096

struct osm_jobs;
struct osm_job;

int osm_jobs_load (struct osm_jobs **ret, struct osm_error *err);
/* Stops all workers and waits for them; what was running will run again after the next load. */
void osm_jobs_free (struct osm_jobs *jobs);

/* Same id and parameters: the job there is. A failed or cancelled one starts again, a copy from where it was. kind "link-test"
 * takes a fresh id and is not kept on disk. */
int osm_job_start (struct osm_jobs *jobs, const char *kind, const json_t *params,
                   struct osm_job **ret, struct osm_error *err);
/* Runs a finished copy or digest (`kind` says which it must be) again, only where `ranges` ([[offset, length], ...]) touch. */
int osm_job_repeat (struct osm_jobs *jobs, const char *kind, const char *id, const json_t *ranges,
                    struct osm_job **ret, struct osm_error *err);
/* NULL with err (USER, ENOENT) if there is none. */
struct osm_job *osm_job_find (struct osm_jobs *jobs, const char *id, struct osm_error *err);
bool osm_job_running (const struct osm_job *job);
/* Asks the worker to end; SIGKILL after 10 s (osm_jobs_tick). */
void osm_job_cancel (struct osm_job *job);
/* Of a copy. 0: no limit. Kept on disk, in force at once. */
int osm_job_limit (struct osm_jobs *jobs, struct osm_job *job, uint64_t bytes_per_second,
                   struct osm_error *err);
/* Of all copies of a group together; USER, ENOENT if there is none. */
int osm_jobs_limit_group (struct osm_jobs *jobs, const char *group, uint64_t bytes_per_second,
                          struct osm_error *err);
/* Of all copies of this host together. */
uint64_t osm_jobs_host_limit (const struct osm_jobs *jobs);
int osm_jobs_limit_host (struct osm_jobs *jobs, uint64_t bytes_per_second, struct osm_error *err);
int osm_job_forget (struct osm_jobs *jobs, const char *id, struct osm_error *err);
json_t *osm_job_to_json (const struct osm_job *job);
/* What a link test found, borrowed; NULL with err if it failed. */
const json_t *osm_job_result (const struct osm_job *job, struct osm_error *err);
json_t *osm_jobs_list (const struct osm_jobs *jobs);
/* Hexadecimal of count chunks; caller frees. */
int osm_job_chunks (struct osm_jobs *jobs, const char *id, uint64_t first, uint64_t count,
                    char **ret, struct osm_error *err);

/* For the poll loop. */
size_t osm_jobs_poll_fds (const struct osm_jobs *jobs, struct pollfd *fds, size_t max);
void osm_jobs_read (struct osm_jobs *jobs);
bool osm_jobs_child_ended (struct osm_jobs *jobs, pid_t pid, int status);
/* Time-outs: cancelled workers, jobs that wait to go on, results that nobody fetched. */
void osm_jobs_tick (struct osm_jobs *jobs);

#endif
