/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/zstdserver.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "nbd/stream.h"
#include "nbd/zstd.h"

#define DOWN_BYTES ((size_t)256 << 10) /* one step of the compressor */
#define UP_BYTES ((size_t)32 << 10)    /* requests are small */
#define FULL_PAUSE_MS 100              /* no descriptors left: wait for somebody to go */

struct server {
  const char *socket_path;
  int level;
  atomic_uint connections;
};

struct joint {
  struct osm_compressor *compressor;
  int client_in, client_out, server;
  char *in, *out, *up;
  struct osm_zstd_io io;        /* in: read from the server and not yet compressed */
  size_t out_start, out_len;    /* compressed, not yet given to the client */
  size_t up_start, up_len;      /* of the client, not yet given to the server */
  bool dirty, flushing;         /* the compressor holds something; is being emptied */
  bool server_eof, client_gone; /* either ends the connection, the first after the last byte */
};

/* Sends what it can. -1: the other side has gone. */
static int
give (int fd, const char *buf, size_t *start, size_t *len)
{
  while (*len > 0) {
    ssize_t n = send (fd, buf + *start, *len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n == -1 && errno == ENOTSOCK)
      n = write (fd, buf + *start, *len);
    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1)
      return errno == EAGAIN ? 0 : -1;
    *start += (size_t)n;
    *len -= (size_t)n;
  }
  return 0;
}

/* Bytes, 0 at the end (or when the other side has gone), -1: nothing now. */
static ssize_t
take (int fd, char *buf, size_t len)
{
  for (;;) {
    ssize_t n = recv (fd, buf, len, MSG_DONTWAIT);

    if (n == -1 && errno == ENOTSOCK)
      n = read (fd, buf, len);
    if (n == -1 && errno == EINTR)
      continue;
    return n == -1 && errno != EAGAIN ? 0 : n;
  }
}

static void
step_up (struct joint *j)
{
  while (!j->client_gone) {
    if (j->up_len == 0) {
      ssize_t n = take (j->client_in, j->up, UP_BYTES);

      if (n == 0)
        j->client_gone = true;
      if (n <= 0)
        return;
      j->up_start = 0;
      j->up_len = (size_t)n;
    }
    if (give (j->server, j->up, &j->up_start, &j->up_len) == -1)
      j->server_eof = true;
    if (j->up_len > 0)
      return;
  }
}

/* Until the server pauses and all that it said is on its way, or the client takes no more. */
static int
step_down (struct joint *j, struct osm_error *err)
{
  while (!j->client_gone) {
    ssize_t n;

    if (give (j->client_out, j->out, &j->out_start, &j->out_len) == -1)
      j->client_gone = true;
    if (j->out_len > 0)
      return 0;
    if (j->io.in_len > 0 || j->flushing) {
      int r;

      j->io.out = j->out;
      j->io.out_len = DOWN_BYTES;
      r = osm_compress (j->compressor, &j->io, j->flushing, err);
      if (r == -1)
        return -1;
      j->out_start = 0;
      j->out_len = DOWN_BYTES - j->io.out_len;
      if (r == 0)
        j->flushing = false;
      continue;
    }
    n = j->server_eof ? -1 : take (j->server, j->in, DOWN_BYTES);
    if (n > 0) {
      j->io.in = j->in;
      j->io.in_len = (size_t)n;
      j->dirty = true;
      step_up (j); /* requests do not wait for a long answer */
      continue;
    }
    j->server_eof = j->server_eof || n == 0;
    if (!j->dirty)
      return 0;
    j->dirty = false;
    j->flushing = true;
  }
  return 0;
}

static int
carry (struct joint *j, struct osm_error *err)
{
  for (;;) {
    enum { IN, OUT, SERVER };
    struct pollfd fds[] = { { .fd = j->client_in }, { .fd = j->client_out }, { .fd = j->server } };

    step_up (j);
    if (step_down (j, err) == -1)
      return -1;
    if (j->client_gone || (j->server_eof && j->out_len == 0))
      return 0;
    if (j->up_len == 0)
      fds[IN].events = POLLIN;
    else
      fds[SERVER].events = POLLOUT;
    if (j->out_len > 0)
      fds[OUT].events = POLLOUT;
    else
      fds[SERVER].events |= POLLIN;
    /* poll reports a hang-up also where nothing is asked for: that would spin. */
    if (fds[SERVER].events == 0 || j->server_eof)
      fds[SERVER].fd = -1;
    if (poll (fds, 3, -1) == -1 && errno != EINTR)
      return osm_error_set_errno (err, errno, "poll");
    /* A client that hung up while the server is waited for. */
    if (((fds[IN].revents | fds[OUT].revents) & (POLLHUP | POLLERR)))
      return 0;
  }
}

int
osm_zstd_join (int client_in, int client_out, int server, int level, struct osm_error *err)
{
  struct joint j = { .client_in = client_in, .client_out = client_out, .server = server };
  int r;

  j.compressor = osm_compressor_new (level);
  j.in = osm_calloc (1, DOWN_BYTES);
  j.out = osm_calloc (1, DOWN_BYTES);
  j.up = osm_calloc (1, UP_BYTES);
  r = carry (&j, err);
  osm_compressor_free (j.compressor);
  free (j.in);
  free (j.out);
  free (j.up);
  return r;
}

struct client {
  struct server *owner;
  int fd;
};

static void *
client_thread (void *data)
{
  struct client *c = data;
  OSM_ERROR (err);
  OSM_CLEANUP_FD int server = osm_unix_connect (c->owner->socket_path, &err);

  if (server == -1 || osm_zstd_join (c->fd, c->fd, server, c->owner->level, &err) == -1)
    osm_debug ("compression: %s", err.message);
  close (c->fd);
  atomic_fetch_sub (&c->owner->connections, 1);
  free (c);
  return NULL;
}

static void
start (struct server *s, int fd)
{
  struct client *c;
  pthread_attr_t attributes;
  pthread_t thread;
  int e;

  if (atomic_fetch_add (&s->connections, 1) >= OSM_ZSTD_CONNECTIONS_MAX) {
    atomic_fetch_sub (&s->connections, 1);
    close (fd);
    return;
  }
  c = osm_calloc (1, sizeof *c);
  c->owner = s;
  c->fd = fd;
  pthread_attr_init (&attributes);
  pthread_attr_setdetachstate (&attributes, PTHREAD_CREATE_DETACHED);
  e = pthread_create (&thread, &attributes, client_thread, c);
  pthread_attr_destroy (&attributes);
  if (e != 0) {
    osm_debug ("compression: cannot start a thread: %s", strerror (e));
    close (fd);
    atomic_fetch_sub (&s->connections, 1);
    free (c);
  }
}

int
osm_zstd_serve (int listen_fd, const char *socket_path, int level, struct osm_error *err)
{
  /* Its threads outlive this function if listening fails. */
  struct server *s = osm_calloc (1, sizeof *s);

  s->socket_path = osm_strdup (socket_path);
  s->level = level;
  for (;;) {
    struct sockaddr_un peer;
    socklen_t len = sizeof peer;
    int fd = accept4 (listen_fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);

    if (fd >= 0)
      start (s, fd);
    else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
      (void)poll (NULL, 0, FULL_PAUSE_MS);
    else if (errno != EINTR && errno != ECONNABORTED)
      return osm_error_set_errno (err, errno, "accept");
  }
}
