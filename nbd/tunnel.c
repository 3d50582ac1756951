/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/tunnel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/strbuf.h"
#include "nbd/sshexec.h"

#define DOWN_BYTES ((size_t)256 << 10) /* one step from the channel to our end */
#define UP_BYTES ((size_t)32 << 10)    /* requests are small */
#define SOCKET_BYTES (2 << 20)         /* of the socket pair; the kernel may give less */

struct osm_tunnel {
  ssh_session session; /* used by the thread alone once it runs */
  ssh_channel channel;
  json_t *reply; /* of the command */
  char *cipher;
  int inner, outer; /* socket pair: ours to pump, the caller's */
  int stop_fd;      /* eventfd: end now */
  bool running;
  pthread_t thread;
  pthread_mutex_t lock;
  struct osm_error error; /* why the pump ended; under lock */
};

struct pump {
  struct osm_tunnel *t;
  char *down, *up;
  size_t down_start, down_len; /* received, not yet given to inner */
  size_t up_start, up_len;     /* taken from inner, not yet given to the channel */
  bool remote_eof, local_eof;
};

/* Everything the channel has, as long as inner takes it. -1 with err: connection lost. */
static int
pump_down (struct pump *p, bool *ret_progress, struct osm_error *err)
{
  struct osm_tunnel *t = p->t;

  for (;;) {
    while (p->down_len > 0) {
      ssize_t n = send (t->inner, p->down + p->down_start, p->down_len, MSG_NOSIGNAL);

      if (n == -1 && errno == EINTR)
        continue;
      if (n == -1 && errno == EAGAIN)
        return 0;
      if (n == -1) { /* our end was closed: nobody wants the rest */
        p->local_eof = true;
        p->down_len = 0;
        return 0;
      }
      p->down_start += (size_t)n;
      p->down_len -= (size_t)n;
      *ret_progress = true;
    }
    {
      int n = ssh_channel_read_nonblocking (t->channel, p->down, (uint32_t)DOWN_BYTES, 0);

      if (n == SSH_ERROR)
        return osm_ssh_error (t->session, "connection lost", err);
      if (n == SSH_EOF || (n == 0 && ssh_channel_is_eof (t->channel))) {
        p->remote_eof = true;
        return 0;
      }
      if (n <= 0)
        return 0;
      p->down_start = 0;
      p->down_len = (size_t)n;
    }
  }
}

static int
pump_up (struct pump *p, struct osm_error *err)
{
  struct osm_tunnel *t = p->t;

  while (!p->local_eof) {
    if (p->up_len == 0) {
      ssize_t n = recv (t->inner, p->up, UP_BYTES, MSG_DONTWAIT);

      if (n == -1 && errno == EINTR)
        continue;
      if (n == -1 && errno == EAGAIN)
        return 0;
      if (n <= 0) {
        p->local_eof = true;
        return 0;
      }
      p->up_start = 0;
      p->up_len = (size_t)n;
    }
    {
      int n = ssh_channel_write (t->channel, p->up + p->up_start, (uint32_t)p->up_len);

      if (n == SSH_ERROR)
        return osm_ssh_error (t->session, "connection lost", err);
      if (n <= 0) /* no window */
        return 0;
      p->up_start += (size_t)n;
      p->up_len -= (size_t)n;
    }
  }
  return 0;
}

/* 1: end regularly. */
static int
pump_step (struct pump *p, struct osm_error *err)
{
  struct osm_tunnel *t = p->t;
  struct pollfd fds[3] = { 0 };
  bool progress = false;

  /* Servers of NBD speak first, and libssh may hold decrypted data: drain before waiting. */
  if (pump_down (p, &progress, err) == -1 || pump_up (p, err) == -1)
    return -1;
  if (p->local_eof)
    return 1;
  if (p->remote_eof && p->down_len == 0)
    return osm_error_set (err, OSM_ERROR_RETRY, 0, "the other end closed the socket");
  if (!ssh_is_connected (t->session))
    return osm_ssh_error (t->session, "connection lost", err);

  fds[0].fd = ssh_get_fd (t->session);
  fds[0].events = 0;
  /* While inner is full nothing more is taken: the SSH window then stops the server. */
  if (p->down_len == 0 && !p->remote_eof)
    fds[0].events = POLLIN;
  if (ssh_get_poll_flags (t->session) & SSH_WRITE_PENDING)
    fds[0].events |= POLLOUT;
  fds[1].fd = t->inner;
  fds[1].events = 0;
  if (p->up_len == 0)
    fds[1].events |= POLLIN;
  else
    fds[0].events |= POLLIN; /* the window opens by a message */
  if (p->down_len > 0)
    fds[1].events |= POLLOUT;
  /* poll reports a hang-up also where nothing is asked for: that would spin. */
  for (int i = 0; i < 2; i++)
    if (fds[i].events == 0)
      fds[i].fd = -1;
  fds[2].fd = t->stop_fd;
  fds[2].events = POLLIN;
  if (poll (fds, 3, -1) == -1 && errno != EINTR)
    return osm_error_set_errno (err, errno, "poll");
  if (fds[2].revents)
    return 1;
  if (fds[0].revents & POLLOUT && ssh_blocking_flush (t->session, 0) == SSH_ERROR)
    return osm_ssh_error (t->session, "connection lost", err);
  return 0;
}

static void *
pump_thread (void *data)
{
  struct osm_tunnel *t = data;
  struct pump p = { .t = t };
  OSM_ERROR (err);
  int r;

  p.down = osm_calloc (1, DOWN_BYTES);
  p.up = osm_calloc (1, UP_BYTES);
  do
    r = pump_step (&p, &err);
  while (r == 0);
  {
    OSM_LOCKED (&t->lock);
    osm_error_move (&t->error, &err);
  }
  /* The reason is in place before the reader of the other end sees the end. */
  shutdown (t->inner, SHUT_RDWR);
  free (p.down);
  free (p.up);
  return NULL;
}

static void
set_buffers (int fd)
{
  int n = SOCKET_BYTES;

  setsockopt (fd, SOL_SOCKET, SO_SNDBUF, &n, sizeof n);
  setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &n, sizeof n);
}

static int
open_command (struct osm_tunnel *t, const struct osm_ssh_target *target,
              const struct osm_tunnel_end *end, struct osm_error *err)
{
  struct osm_ssh_exec exec = { 0 };
  int r = osm_ssh_exec_open (&exec, t->session, end->command, end->request, end->request_len, err);

  if (r == 0)
    r = osm_ssh_exec_read (&exec, &t->reply, err);
  if (r == 0 && !t->reply)
    r = osm_error_set (err, OSM_ERROR_REMOTE, 0, "'%s' does not answer", end->command);
  if (r == 0)
    t->channel = osm_take (exec.channel);
  osm_ssh_exec_done (&exec);
  return r == 0 ? 0 : osm_error_wrap (err, "%s", target->address);
}

static int
open_socket (struct osm_tunnel *t, const struct osm_ssh_target *target, const char *socket_path,
             struct osm_error *err)
{
  t->channel = ssh_channel_new (t->session);
  if (!t->channel)
    osm_oom ();
  /* The originator is for the server's log only. */
  if (ssh_channel_open_forward_unix (t->channel, socket_path, "127.0.0.1", 0) == SSH_OK)
    return 0;
  if (ssh_is_connected (t->session) && strstr (ssh_get_error (t->session), "opening failure"))
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "%s does not connect us to %s: %s",
                          target->address, socket_path, ssh_get_error (t->session));
  osm_ssh_error (t->session, socket_path, err);
  return osm_error_wrap (err, "%s", target->address);
}

int
osm_tunnel_open (const struct osm_ssh_target *target, const struct osm_tunnel_end *end,
                 struct osm_tunnel **ret, struct osm_error *err)
{
  OSM_CLEANUP_TUNNEL struct osm_tunnel *t = osm_calloc (1, sizeof *t);
  int pair[2];

  t->inner = t->outer = t->stop_fd = -1;
  pthread_mutex_init (&t->lock, NULL);
  if (osm_ssh_connect (target, &t->session, err) == -1)
    return -1;
  if ((end->socket_path ? open_socket (t, target, end->socket_path, err)
                        : open_command (t, target, end, err)) == -1)
    return -1;
  t->cipher = osm_strdup (ssh_get_cipher_in (t->session));
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
    return osm_error_set_errno (err, errno, "socketpair");
  t->inner = pair[0];
  t->outer = pair[1];
  set_buffers (t->inner);
  set_buffers (t->outer);
  t->stop_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (t->stop_fd == -1 || fcntl (t->inner, F_SETFL, O_NONBLOCK) == -1)
    return osm_error_set_errno (err, errno, "eventfd");
  ssh_set_blocking (t->session, 0);
  errno = pthread_create (&t->thread, NULL, pump_thread, t);
  if (errno != 0)
    return osm_error_set_errno (err, errno, "cannot start a thread");
  t->running = true;
  *ret = osm_take (t);
  return 0;
}

int
osm_tunnel_take_fd (struct osm_tunnel *t)
{
  return osm_take_fd (&t->outer);
}

int
osm_tunnel_error (struct osm_tunnel *t, struct osm_error *err)
{
  OSM_LOCKED (&t->lock);
  if (!osm_error_is_set (&t->error))
    return 0;
  if (!osm_error_is_set (err))
    osm_error_copy (err, &t->error);
  return -1;
}

const json_t *
osm_tunnel_reply (const struct osm_tunnel *t)
{
  return t->reply;
}

const char *
osm_tunnel_cipher (const struct osm_tunnel *t)
{
  return t->cipher;
}

void
osm_tunnel_free (struct osm_tunnel *t)
{
  if (!t)
    return;
  if (t->running) {
    uint64_t one = 1;

    while (write (t->stop_fd, &one, sizeof one) == -1 && errno == EINTR)
      ;
    pthread_join (t->thread, NULL);
  }
  /* No farewell on the channel: a peer that does not answer must not hold us up. */
  if (t->channel)
    ssh_channel_free (t->channel);
  osm_ssh_free (t->session);
  if (t->inner >= 0)
    close (t->inner);
  if (t->outer >= 0)
    close (t->outer);
  if (t->stop_fd >= 0)
    close (t->stop_fd);
  osm_error_done (&t->error);
  pthread_mutex_destroy (&t->lock);
  json_decref (t->reply);
  free (t->cipher);
  free (t);
}
