/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/service.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>

#include "agent/hello.h"
#include "agent/method.h"
#include "agent/paths.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/frame.h"
#include "common/json.h"
#include "common/log.h"
#include "common/strbuf.h"

#define CONNECTIONS_MAX 64
#define PENDING_MAX 64 /* unanswered requests of one connection */
#define OUTPUT_MAX (8 * 1024 * 1024)
#define TICK_MS 100 /* while a request waits for something that has no descriptor */
#define IDLE_TICK_MS 1000

struct pending {
  json_t *id, *params, *state;
  char *method;
  uint64_t started_ms;
};

struct connection {
  int fd;
  struct osm_frame_parser parser;
  struct osm_strbuf output;
  size_t sent; /* of output */
  bool greeted, closing;
  bool ended;        /* it says no more, but waits for answers */
  uint64_t heard_ms; /* when it last said something */
  struct pending pending[PENDING_MAX];
  size_t nr_pending;
};

struct service {
  struct osm_agent agent;
  int listen_fd, signal_fd;
  char *socket_path;
  struct connection *connections[CONNECTIONS_MAX];
  size_t nr_connections;
  bool stop;
};

/* ---- connections ---- */

static void
pending_done (struct pending *p)
{
  json_decref (p->id);
  json_decref (p->params);
  json_decref (p->state);
  free (p->method);
}

static void
connection_free (struct connection *c)
{
  for (size_t i = 0; i < c->nr_pending; i++)
    pending_done (&c->pending[i]);
  osm_frame_parser_done (&c->parser);
  osm_strbuf_done (&c->output);
  close (c->fd);
  free (c);
}

static int
send_frame (struct connection *c, const json_t *frame)
{
  OSM_CLEANUP_FREE char *data = NULL;
  size_t len;
  OSM_ERROR (err);

  if (osm_frame_encode (frame, &data, &len, &err) == -1)
    return -1;
  if (c->output.len + len > OUTPUT_MAX) {
    osm_warning ("connection closed: it does not read its answers");
    c->closing = true;
    return 0;
  }
  osm_strbuf_add_mem (&c->output, data, len);
  return 0;
}

static void
flush_output (struct connection *c)
{
  while (c->sent < c->output.len) {
    ssize_t n =
        send (c->fd, c->output.s + c->sent, c->output.len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1) {
      if (errno != EAGAIN)
        c->closing = true;
      break;
    }
    c->sent += (size_t)n;
  }
  if (c->sent > 0) {
    c->output.len -= c->sent;
    memmove (c->output.s, c->output.s + c->sent, c->output.len);
    c->sent = 0;
  }
}

static void
answer (struct connection *c, const json_t *id, json_t *result, const struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *frame = osm_json_pack ("{s:O}", "id", id);

  if (result)
    json_object_set_new (frame, "result", result);
  else
    json_object_set_new (frame, "error", osm_error_to_json (err));
  if (send_frame (c, frame) == -1) {
    OSM_ERROR (why);

    osm_error_set (&why, OSM_ERROR_USER, EMSGSIZE, "the answer does not fit into a frame");
    osm_error_hint (&why, "ask for less at once");
    json_object_del (frame, "result");
    json_object_set_new (frame, "error", osm_error_to_json (&why));
    (void)send_frame (c, frame);
  }
}

/* The last word to a connection. */
static void
refuse (struct connection *c, const struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *frame = osm_json_pack ("{s:o}", "error", osm_error_to_json (err));

  osm_warning ("connection closed: %s", err->message);
  (void)send_frame (c, frame);
  c->closing = true;
}

/* True if it was answered. */
static bool
turn (struct service *s, struct connection *c, struct pending *p)
{
  json_t *result;
  OSM_ERROR (err);

  if (osm_method_call (&s->agent, p->method, p->params, p->started_ms, &p->state, &result, &err) ==
      OSM_ANSWER_LATER)
    return false;
  answer (c, p->id, result, &err);
  return true;
}

static void
take_hello (struct connection *c, const json_t *frame)
{
  const json_t *hello = json_object_get (frame, "hello");
  OSM_ERROR (err);

  if (json_integer_value (json_object_get (hello, "protocol")) == OSM_PROTOCOL) {
    c->greeted = true;
    return;
  }
  osm_error_set (&err, OSM_ERROR_USER, EPROTO, "this agent (version %s) speaks protocol %d",
                 PACKAGE_VERSION, OSM_PROTOCOL);
  osm_error_hint (&err, "use the same version of osm on both sides");
  refuse (c, &err);
}

static void
take_request (struct service *s, struct connection *c, const json_t *frame)
{
  const json_t *id = json_object_get (frame, "id"), *params = json_object_get (frame, "params");
  const char *method = osm_json_str (frame, "method");
  struct pending p;
  OSM_ERROR (err);

  if (!c->greeted) {
    take_hello (c, frame);
    return;
  }
  if (!json_is_integer (id) || !method || (params && !json_is_object (params))) {
    osm_error_set (&err, OSM_ERROR_REMOTE, EPROTO, "control channel: a frame that is no request");
    refuse (c, &err);
    return;
  }
  if (c->nr_pending == PENDING_MAX) {
    osm_error_set (&err, OSM_ERROR_RETRY, EAGAIN, "%d requests of this connection wait already",
                   PENDING_MAX);
    answer (c, id, NULL, &err);
    return;
  }
  p = (struct pending){ .id = json_incref ((json_t *)id),
                        .params = params ? json_incref ((json_t *)params) : json_object (),
                        .method = osm_strdup (method),
                        .started_ms = osm_now_ms () };
  osm_debug ("request %s", method);
  if (turn (s, c, &p))
    pending_done (&p);
  else
    c->pending[c->nr_pending++] = p;
}

static void
read_connection (struct service *s, struct connection *c)
{
  char buf[8192];
  ssize_t n = recv (c->fd, buf, sizeof buf, MSG_DONTWAIT);
  OSM_ERROR (err);

  if (n == -1 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n <= 0) {
    /* The second time it is not the end of a stream but of the connection. */
    c->closing = n == -1 || c->ended;
    c->ended = true;
    return;
  }
  c->heard_ms = osm_now_ms ();
  if (osm_frame_parser_feed (&c->parser, buf, (size_t)n, &err) == -1) {
    refuse (c, &err);
    return;
  }
  while (!c->closing) {
    OSM_CLEANUP_JSON json_t *frame = NULL;

    if (osm_frame_parser_take (&c->parser, &frame, &err) == -1)
      refuse (c, &err);
    else if (frame)
      take_request (s, c, frame);
    else
      break;
  }
}

/* Ourselves and root; the socket's mode says the same. */
static bool
is_welcome (int fd)
{
  struct ucred peer;
  socklen_t len = sizeof peer;

  return getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
         (peer.uid == 0 || peer.uid == geteuid ());
}

/* Gateways of controllers that vanished without a word (a network that is gone) stay for hours: the one that was silent for longest goes. */
static void
make_room (struct service *s)
{
  size_t oldest = 0;

  if (s->nr_connections < CONNECTIONS_MAX)
    return;
  for (size_t i = 1; i < s->nr_connections; i++)
    if (s->connections[i]->heard_ms < s->connections[oldest]->heard_ms)
      oldest = i;
  osm_warning ("connection closed: there are too many, and this one was silent for longest");
  connection_free (s->connections[oldest]);
  s->connections[oldest] = s->connections[--s->nr_connections];
}

static void
accept_connection (struct service *s)
{
  struct sockaddr_un address;
  socklen_t len = sizeof address;
  OSM_CLEANUP_FD int fd = accept4 (s->listen_fd, (struct sockaddr *)&address, &len, SOCK_CLOEXEC);
  struct connection *c;

  if (fd == -1)
    return;
  if (!is_welcome (fd)) {
    osm_warning ("a connection of another user was refused");
    return;
  }
  make_room (s);
  c = osm_calloc (1, sizeof *c);
  c->fd = osm_take_fd (&fd);
  c->heard_ms = osm_now_ms ();
  s->connections[s->nr_connections++] = c;
  (void)send_frame (c, s->agent.hello);
}

static void
turn_all (struct service *s)
{
  for (size_t i = 0; i < s->nr_connections; i++) {
    struct connection *c = s->connections[i];

    for (size_t k = 0; k < c->nr_pending;) {
      if (turn (s, c, &c->pending[k])) {
        pending_done (&c->pending[k]);
        c->pending[k] = c->pending[--c->nr_pending];
      }
      else
        k++;
    }
    flush_output (c);
    c->closing = c->closing || (c->ended && c->nr_pending == 0 && c->output.len == 0);
  }
}

static void
drop_closed (struct service *s)
{
  for (size_t i = 0; i < s->nr_connections;) {
    if (s->connections[i]->closing) {
      flush_output (s->connections[i]);
      connection_free (s->connections[i]);
      s->connections[i] = s->connections[--s->nr_connections];
    }
    else
      i++;
  }
}

/* ---- signals ---- */

static void
reap (struct service *s)
{
  int status;
  pid_t pid;

  while ((pid = waitpid (-1, &status, WNOHANG)) > 0)
    if (!osm_jobs_child_ended (s->agent.jobs, pid, status) &&
        !osm_exports_child_ended (s->agent.exports, pid, status) &&
        !osm_carriers_child_ended (s->agent.carriers, pid, status))
      osm_debug ("process %d ended", (int)pid);
}

static void
read_signals (struct service *s)
{
  struct signalfd_siginfo info;

  while (read (s->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
    if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
      s->stop = true;
  /* Signals of one kind are merged: look for all children whatever came. */
  reap (s);
}

static int
open_signals (struct osm_error *err)
{
  sigset_t set;
  int fd;

  sigemptyset (&set);
  sigaddset (&set, SIGTERM);
  sigaddset (&set, SIGINT);
  sigaddset (&set, SIGCHLD);
  signal (SIGPIPE, SIG_IGN);
  if (sigprocmask (SIG_BLOCK, &set, NULL) == -1 ||
      (fd = signalfd (-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) == -1)
    return osm_error_set_errno (err, errno, "signalfd");
  return fd;
}

/* ---- start, loop, end ---- */

static int
open_socket (const char *path, struct osm_error *err)
{
  OSM_CLEANUP_FD int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  mode_t mask;
  int r;

  if (fd == -1)
    return osm_error_set_errno (err, errno, "socket");
  if (strlen (path) >= sizeof address.sun_path)
    return osm_error_set (err, OSM_ERROR_USER, ENAMETOOLONG, "socket path %s is too long", path);
  memcpy (address.sun_path, path, strlen (path) + 1);
  if (connect (fd, (struct sockaddr *)&address, sizeof address) == 0)
    return osm_error_set (err, OSM_ERROR_USER, EADDRINUSE, "another agent answers at %s", path);
  if (unlink (path) == -1 && errno != ENOENT)
    return osm_error_set_errno (err, errno, "%s", path);
  mask = umask (0177);
  r = bind (fd, (struct sockaddr *)&address, sizeof address);
  umask (mask);
  if (r == -1 || listen (fd, CONNECTIONS_MAX) == -1)
    return osm_error_set_errno (err, errno, "listen at %s", path);
  return osm_take_fd (&fd);
}

static int
service_start (struct service *s, struct osm_error *err)
{
  if (osm_mkdir_p (osm_path_state (), 0700, err) == -1)
    return -1;
  s->signal_fd = open_signals (err);
  if (s->signal_fd == -1)
    return -1;
  s->agent.hello = osm_agent_hello ();
  s->socket_path = osm_path_control_socket ();
  s->listen_fd = open_socket (s->socket_path, err);
  if (s->listen_fd == -1 || osm_exports_load (&s->agent.exports, err) == -1 ||
      osm_carriers_load (&s->agent.carriers, err) == -1 ||
      osm_jobs_load (&s->agent.jobs, err) == -1)
    return -1;
  osm_jobs_tick (s->agent.jobs);
  return 0;
}

static void
loop_once (struct service *s)
{
  struct pollfd fds[2 + CONNECTIONS_MAX + OSM_JOBS_RUNNING_MAX];
  size_t n = 0, first_connection, nr_connections = s->nr_connections;
  int timeout = IDLE_TICK_MS;

  fds[n++] = (struct pollfd){ .fd = s->signal_fd, .events = POLLIN };
  fds[n++] = (struct pollfd){ .fd = s->listen_fd, .events = POLLIN };
  first_connection = n;
  for (size_t i = 0; i < nr_connections; i++) {
    const struct connection *c = s->connections[i];

    fds[n++] = (struct pollfd){
      .fd = c->fd, .events = (short)((c->ended ? 0 : POLLIN) | (c->output.len ? POLLOUT : 0))
    };
    if (c->nr_pending)
      timeout = TICK_MS;
  }
  n += osm_jobs_poll_fds (s->agent.jobs, fds + n, OSM_JOBS_RUNNING_MAX);
  if (poll (fds, n, timeout) == -1)
    return; /* EINTR */
  if (fds[0].revents)
    read_signals (s);
  osm_jobs_read (s->agent.jobs);
  osm_jobs_tick (s->agent.jobs);
  osm_exports_tick (s->agent.exports);
  osm_carriers_tick (s->agent.carriers);
  for (size_t i = 0; i < nr_connections; i++)
    if (fds[first_connection + i].revents & (POLLIN | POLLHUP | POLLERR))
      read_connection (s, s->connections[i]);
  if (fds[1].revents)
    accept_connection (s);
  turn_all (s);
  drop_closed (s);
  sd_notify (0, "WATCHDOG=1");
}

static void
service_stop (struct service *s)
{
  while (s->nr_connections > 0)
    connection_free (s->connections[--s->nr_connections]);
  osm_exports_free (s->agent.exports);
  osm_carriers_free (s->agent.carriers);
  osm_jobs_free (s->agent.jobs);
  json_decref (s->agent.hello);
  if (s->listen_fd >= 0) {
    close (s->listen_fd);
    unlink (s->socket_path);
  }
  if (s->signal_fd >= 0)
    close (s->signal_fd);
  free (s->socket_path);
  free (s);
}

int
osm_service_run (struct osm_error *err)
{
  struct service *s = osm_calloc (1, sizeof *s);
  int r;

  s->listen_fd = s->signal_fd = -1;
  r = service_start (s, err);
  if (r == 0) {
    osm_info ("agent %s ready at %s", PACKAGE_VERSION, s->socket_path);
    sd_notify (0, "READY=1");
    while (!s->stop)
      loop_once (s);
    sd_notify (0, "STOPPING=1");
    osm_info ("agent stops");
  }
  service_stop (s);
  return r;
}
