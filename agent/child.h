/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A supervised worker process: this program again, `osm-agent worker KIND`, told what to do by one frame on its stdin (and perhaps
 * by more later), telling what it does by frames on its stdout. Dies with the service. */

#ifndef OSM_AGENT_CHILD_H
#define OSM_AGENT_CHILD_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "common/error.h"
#include "common/frame.h"

struct osm_child {
  pid_t pid; /* 0: none */
  int in;    /* its stdin, non-blocking; -1 once nobody has anything to tell it */
  int out;   /* its stdout, non-blocking; -1 once it has ended */
  struct osm_frame_parser parser;
};
#define OSM_CHILD_NONE            \
  {                               \
    .pid = 0, .in = -1, .out = -1 \
  }

/* listen_fd: becomes descriptor 3 of the worker; -1: none. */
int osm_child_start (struct osm_child *child, const char *kind, const json_t *specification,
                     int listen_fd, struct osm_error *err);
/* One more frame, a short one (it must fit into a pipe at once). The caller ignores SIGPIPE. RETRY if there is no room now. */
int osm_child_tell (struct osm_child *child, const json_t *frame, struct osm_error *err);
/* There is nothing more to tell: the end of its stdin. */
void osm_child_close_in (struct osm_child *child);
/* Next frame, or *ret NULL: none yet, or (child->out == -1) the stream has ended. */
int osm_child_read (struct osm_child *child, json_t **ret, struct osm_error *err);
/* After waitpid gave its status; closes. */
void osm_child_ended (struct osm_child *child);
/* SIGKILL, wait, close. */
void osm_child_kill (struct osm_child *child);

#endif
