/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The NBD server's connections: a thread for each. */

#include <config.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "common/strbuf.h"
#include "nbd/server.h"

#define SOCKET_BYTES (2 << 20) /* the kernel may give less */
#define FULL_PAUSE_MS 100      /* no descriptors left: wait for somebody to go */

struct listener {
  struct osm_volume *volume;
  atomic_uint connections;
};

struct client {
  struct listener *owner;
  int fd;
};

static void *
client_thread (void *data)
{
  struct client *c = data;
  OSM_ERROR (err);

  if (osm_serve (c->owner->volume, c->fd, c->fd, &err) == -1)
    osm_debug ("%s", err.message);
  close (c->fd);
  atomic_fetch_sub (&c->owner->connections, 1);
  free (c);
  return NULL;
}

static int
start_thread (struct listener *l, int fd)
{
  struct client *c = osm_calloc (1, sizeof *c);
  pthread_attr_t attributes;
  pthread_t thread;
  int e;

  c->owner = l;
  c->fd = fd;
  pthread_attr_init (&attributes);
  pthread_attr_setdetachstate (&attributes, PTHREAD_CREATE_DETACHED);
  e = pthread_create (&thread, &attributes, client_thread, c);
  pthread_attr_destroy (&attributes);
  if (e != 0)
    free (c);
  return e;
}

static void
start (struct listener *l, int fd)
{
  int e = EMFILE, n = SOCKET_BYTES;

  (void)setsockopt (fd, SOL_SOCKET, SO_SNDBUF, &n, sizeof n);
  if (atomic_fetch_add (&l->connections, 1) < OSM_SERVE_CONNECTIONS_MAX)
    e = start_thread (l, fd);
  if (e == 0)
    return;
  osm_debug ("NBD client turned away: %s", strerror (e));
  close (fd);
  atomic_fetch_sub (&l->connections, 1);
}

int
osm_serve_socket (struct osm_volume *v, int listen_fd, struct osm_error *err)
{
  /* Its threads outlive this function if listening fails. */
  struct listener *l = osm_calloc (1, sizeof *l);

  l->volume = v;
  for (;;) {
    struct sockaddr_un peer;
    socklen_t len = sizeof peer;
    int fd = accept4 (listen_fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);

    if (fd >= 0)
      start (l, fd);
    else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
      (void)poll (NULL, 0, FULL_PAUSE_MS);
    else if (errno != EINTR && errno != ECONNABORTED)
      return osm_error_set_errno (err, errno, "accept");
  }
}
