/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "agent/paths.h"
#include "common/cleanup.h"
#include "common/run.h"

int
osm_child_start (struct osm_child *child, const char *kind, const json_t *specification,
                 int listen_fd, struct osm_error *err)
{
  char *argv[] = { (char *)"osm-agent", (char *)"worker", (char *)kind, NULL };
  int in[2] = { -1, -1 }, out[2] = { -1, -1 };
  struct osm_run_spec spec = { .program = osm_path_program (),
                               .argv = argv,
                               .stdin_fd = -1,
                               .stdout_fd = -1,
                               .stderr_fd = -1,
                               .keep_fds = &listen_fd,
                               .nr_keep_fds = listen_fd >= 0,
                               .die_with_parent = true };
  struct osm_frame_fds fds;
  struct osm_frame_io io;
  pid_t pid = 0;
  int r = -1;

  if (pipe2 (in, O_CLOEXEC) == -1 || pipe2 (out, O_CLOEXEC) == -1) {
    osm_error_set_errno (err, errno, "pipe for a worker");
    goto done;
  }
  spec.stdin_fd = in[0];
  spec.stdout_fd = out[1];
  if (osm_run_start (&spec, &pid, err) == -1)
    goto done;
  /* Specifications are far smaller than a pipe's buffer: this cannot block. */
  fds = (struct osm_frame_fds){ -1, in[1] };
  io = osm_frame_io_fds (&fds);
  if (osm_frame_write (&io, specification, err) == -1) {
    kill (pid, SIGKILL);
    waitpid (pid, NULL, 0);
    goto done;
  }
  if (fcntl (out[0], F_SETFL, O_NONBLOCK) == -1 || fcntl (in[1], F_SETFL, O_NONBLOCK) == -1) {
    osm_error_set_errno (err, errno, "pipe of a worker");
    kill (pid, SIGKILL);
    waitpid (pid, NULL, 0);
    goto done;
  }
  child->pid = pid;
  child->in = osm_take_fd (&in[1]);
  child->out = osm_take_fd (&out[0]);
  child->parser = (struct osm_frame_parser){ 0 };
  r = 0;
done:
  for (int i = 0; i < 2; i++) {
    osm_cleanup_fd (&in[i]);
    osm_cleanup_fd (&out[i]);
  }
  return r;
}

int
osm_child_tell (struct osm_child *child, const json_t *frame, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *data = NULL;
  size_t len;
  ssize_t n;

  if (child->in == -1)
    return osm_error_set (err, OSM_ERROR_BUG, EPIPE, "the worker is told nothing");
  if (osm_frame_encode (frame, &data, &len, err) == -1)
    return -1;
  if (len > PIPE_BUF)
    return osm_error_set (err, OSM_ERROR_BUG, EMSGSIZE, "a frame to a worker is too long");
  /* Up to PIPE_BUF it is all or nothing: pipe(7). */
  do
    n = write (child->in, data, len);
  while (n == -1 && errno == EINTR);
  if (n == -1)
    return osm_error_set (err, OSM_ERROR_RETRY, errno, "tell a worker: %s", strerror (errno));
  return 0;
}

void
osm_child_close_in (struct osm_child *child)
{
  if (child->in >= 0)
    close (osm_take_fd (&child->in));
}

int
osm_child_read (struct osm_child *child, json_t **ret, struct osm_error *err)
{
  char buf[8192];

  *ret = NULL;
  for (;;) {
    ssize_t n;

    if (osm_frame_parser_take (&child->parser, ret, err) == -1)
      return -1;
    if (*ret || child->out == -1)
      return 0;
    n = read (child->out, buf, sizeof buf);
    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1 && errno == EAGAIN)
      return 0;
    if (n <= 0) {
      close (osm_take_fd (&child->out));
      continue;
    }
    if (osm_frame_parser_feed (&child->parser, buf, (size_t)n, err) == -1)
      return -1;
  }
}

void
osm_child_ended (struct osm_child *child)
{
  child->pid = 0;
  osm_child_close_in (child);
  if (child->out >= 0)
    close (osm_take_fd (&child->out));
  osm_frame_parser_done (&child->parser);
}

void
osm_child_kill (struct osm_child *child)
{
  if (child->pid > 0) {
    kill (child->pid, SIGKILL);
    while (waitpid (child->pid, NULL, 0) == -1 && errno == EINTR)
      ;
  }
  osm_child_ended (child);
}
