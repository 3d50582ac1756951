/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Run a program: the only place of the project that forks.  posix_spawn-like: nothing but
 * async-signal-safe calls between fork and exec; all descriptors but those named are closed in the child.
 *
 *   struct osm_run_spec spec = { .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1 };
 *   osm_run_start (&spec, &pid, err);  ...  osm_run_wait (pid, &status, err);
 *   osm_run_capture (argv, 1 << 20, &out, err);       whole output, error with the stderr tail if it fails */

#ifndef OSM_COMMON_RUN_H
#define OSM_COMMON_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/error.h"

struct osm_run_spec {
  const char *program; /* NULL: argv[0]; searched in PATH unless it has a slash */
  char *const *argv;
  char *const *env;    /* NULL: inherit */
  int stdin_fd;        /* -1: /dev/null */
  int stdout_fd;       /* -1: inherit */
  int stderr_fd;       /* -1: inherit */
  const int *keep_fds; /* further descriptors, which become 3, 4, ... in the child */
  size_t nr_keep_fds;
  bool die_with_parent; /* SIGTERM when the calling thread ends (prctl(2), PR_SET_PDEATHSIG) */
  bool new_session;     /* setsid */
};

int osm_run_start (const struct osm_run_spec *spec, pid_t *ret_pid, struct osm_error *err);
/* Blocks. ret_status as of waitpid. */
int osm_run_wait (pid_t pid, int *ret_status, struct osm_error *err);
/* Non-zero exit is an error that quotes the last lines of stderr. ret_stdout may be NULL. */
int osm_run_capture (char *const *argv, size_t max_bytes, char **ret_stdout, struct osm_error *err);
/* "exited with status 3", "killed by signal 9 (Killed)" */
const char *osm_run_status_text (int status, char *buf, size_t len);

#endif
