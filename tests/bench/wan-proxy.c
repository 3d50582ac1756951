/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A long line: TCP on the loopback, with a delay and a bandwidth that all connections share in each
 * direction.  For machines whose kernel has no netem.
 *
 *   wan-proxy PORT ADDRESS ADDRESS_PORT ROUND_TRIP_US BITS_PER_SECOND
 *
 * Nothing is lost and the queue before the line is 20 ms long: a clean line without other users. */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 128
#define CHUNK_BYTES 32768
#define WINDOW_BYTES (8u << 20) /* on its way on one connection, as TCP would have it */
#define QUEUE_NS 20000000
#define SLEEP_NS 200000 /* at least so long: fewer wake-ups */
#define BUFFER_BYTES (512 << 10)

struct chunk {
  struct chunk *next;
  int64_t due_ns;
  size_t len, done;
  char data[CHUNK_BYTES];
};

struct way {
  struct connection *connection;
  int from, to;
  struct chunk *first, **last;
  size_t bytes;
  bool eof, shut;
};

struct connection {
  bool open;
  struct way way[2];
};

static struct connection connections[CONNECTIONS_MAX];
static int64_t free_at_ns[2]; /* when the line can take the next byte */
static int64_t delay_ns;
static double ns_per_byte;

static int64_t
now_ns (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_MONOTONIC, &ts);
  return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void
fail (const char *what)
{
  perror (what);
  exit (1);
}

static void
tune (int fd)
{
  int one = 1, bytes = BUFFER_BYTES;

  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  fcntl (fd, F_SETFL, O_NONBLOCK);
}

static void
close_connection (struct connection *c)
{
  close (c->way[0].from);
  close (c->way[1].from);
  for (int i = 0; i < 2; i++)
    while (c->way[i].first) {
      struct chunk *next = c->way[i].first->next;

      free (c->way[i].first);
      c->way[i].first = next;
    }
  c->open = false;
}

static void
accept_connection (int listener, const struct sockaddr_in *address)
{
  int fds[2] = { accept (listener, NULL, NULL), socket (AF_INET, SOCK_STREAM, 0) };

  for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
    struct connection *c = &connections[i];

    if (c->open)
      continue;
    if (fds[0] == -1 || fds[1] == -1 ||
        connect (fds[1], (const struct sockaddr *)address, sizeof *address) == -1)
      break;
    for (int d = 0; d < 2; d++) {
      tune (fds[d]);
      c->way[d] = (struct way){ .connection = c, .from = fds[d], .to = fds[1 - d] };
      c->way[d].last = &c->way[d].first;
    }
    c->open = true;
    return;
  }
  close (fds[0]);
  close (fds[1]);
}

static bool
may_read (const struct way *w, int direction, int64_t now)
{
  return !w->eof && w->bytes < WINDOW_BYTES && free_at_ns[direction] - now < QUEUE_NS;
}

/* False: broken. */
static bool
take (struct way *w, int direction, int64_t now)
{
  struct chunk *chunk = malloc (sizeof *chunk);
  ssize_t n;

  if (!chunk)
    fail ("memory");
  n = read (w->from, chunk->data, sizeof chunk->data);
  if (n <= 0) {
    int e = errno;

    free (chunk);
    w->eof = n == 0;
    return n == 0 || e == EAGAIN || e == EINTR;
  }
  if (free_at_ns[direction] < now)
    free_at_ns[direction] = now;
  free_at_ns[direction] += (int64_t)((double)n * ns_per_byte);
  chunk->next = NULL;
  chunk->due_ns = free_at_ns[direction] + delay_ns;
  chunk->len = (size_t)n;
  chunk->done = 0;
  *w->last = chunk;
  w->last = &chunk->next;
  w->bytes += (size_t)n;
  return true;
}

/* What has arrived. False: broken. */
static bool
give (struct way *w, int64_t now)
{
  while (w->first && w->first->due_ns <= now) {
    struct chunk *chunk = w->first;
    ssize_t n = send (w->to, chunk->data + chunk->done, chunk->len - chunk->done, MSG_NOSIGNAL);

    if (n == -1)
      return errno == EAGAIN || errno == EINTR;
    chunk->done += (size_t)n;
    w->bytes -= (size_t)n;
    if (chunk->done < chunk->len)
      return true;
    w->first = chunk->next;
    if (!w->first)
      w->last = &w->first;
    free (chunk);
  }
  if (!w->first && w->eof && !w->shut) {
    shutdown (w->to, SHUT_WR);
    w->shut = true;
  }
  return true;
}

/* False: nothing more to take from it now. */
static bool
take_one (struct way *w, int64_t now)
{
  struct connection *c = w->connection;
  int direction = (int)(w - c->way);
  size_t before = w->bytes;

  if (!c->open || !may_read (w, direction, now))
    return false;
  if (!take (w, direction, now)) {
    close_connection (c);
    return false;
  }
  return w->bytes > before;
}

static void
turn (int listener, const struct sockaddr_in *address)
{
  static struct pollfd fds[1 + 2 * CONNECTIONS_MAX];
  static struct way *ways[1 + 2 * CONNECTIONS_MAX];
  int64_t now = now_ns (), wake = now + 1000000000;
  struct timespec timeout;
  static nfds_t first;
  nfds_t n = 1;

  fds[0] = (struct pollfd){ .fd = listener, .events = POLLIN };
  for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
    struct connection *c = &connections[i];

    for (int d = 0; c->open && d < 2; d++) {
      struct way *w = &c->way[d];

      if (!give (w, now) || (c->way[0].shut && c->way[1].shut)) {
        close_connection (c);
        break;
      }
      if (w->first && w->first->due_ns > now && w->first->due_ns < wake)
        wake = w->first->due_ns;
      if (may_read (w, d, now)) {
        ways[n] = w;
        fds[n++] = (struct pollfd){ .fd = w->from, .events = POLLIN };
      }
      else if (!w->eof && w->bytes < WINDOW_BYTES && free_at_ns[d] - QUEUE_NS / 2 < wake)
        wake = free_at_ns[d] - QUEUE_NS / 2;
      if (w->first && w->first->due_ns <= now) {
        ways[n] = NULL;
        fds[n++] = (struct pollfd){ .fd = w->to, .events = POLLOUT };
      }
    }
  }
  if (wake < now + SLEEP_NS)
    wake = now + SLEEP_NS;
  timeout = (struct timespec){ .tv_sec = (wake - now) / 1000000000,
                               .tv_nsec = (wake - now) % 1000000000 };
  if (ppoll (fds, n, &timeout, NULL) <= 0)
    return;
  now = now_ns ();
  if (fds[0].revents)
    accept_connection (listener, address);
  /* A chunk of each in turn, and not always the same one first: TCP shares a line, too. */
  for (bool any = true; any;) {
    any = false;
    for (nfds_t k = 0; k + 1 < n; k++) {
      nfds_t i = 1 + (first + k) % (n - 1);

      if (fds[i].revents && ways[i] && take_one (ways[i], now))
        any = true;
      else
        ways[i] = NULL;
    }
  }
  first++;
}

int
main (int argc, char **argv)
{
  struct sockaddr_in here = { .sin_family = AF_INET }, there = { .sin_family = AF_INET };
  int listener = socket (AF_INET, SOCK_STREAM, 0), one = 1;

  if (argc != 6 || inet_pton (AF_INET, argv[2], &there.sin_addr) != 1) {
    fprintf (stderr, "usage: wan-proxy PORT ADDRESS ADDRESS_PORT ROUND_TRIP_US BITS_PER_SECOND\n");
    return 2;
  }
  here.sin_port = htons ((uint16_t)strtoul (argv[1], NULL, 10));
  here.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  there.sin_port = htons ((uint16_t)strtoul (argv[3], NULL, 10));
  delay_ns = strtoll (argv[4], NULL, 10) * 1000 / 2;
  ns_per_byte = 8e9 / (double)strtoll (argv[5], NULL, 10);
  setsockopt (listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind (listener, (struct sockaddr *)&here, sizeof here) == -1 || listen (listener, 64) == -1)
    fail ("listen");
  for (;;)
    turn (listener, &there);
}
