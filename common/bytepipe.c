/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/bytepipe.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/strbuf.h"

/* How long an interrupt may take to be seen. */
#define LOOK_MS 200

struct osm_bytepipe {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  struct osm_error why;
  bool ended, broken;
  size_t size, start, len;
  unsigned char *bytes;
};

struct osm_bytepipe *
osm_bytepipe_new (size_t size)
{
  struct osm_bytepipe *pipe = osm_calloc (1, sizeof *pipe);
  pthread_condattr_t attributes;

  pipe->bytes = osm_calloc (size, 1);
  pipe->size = size;
  pthread_mutex_init (&pipe->lock, NULL);
  pthread_condattr_init (&attributes);
  pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
  pthread_cond_init (&pipe->changed, &attributes);
  pthread_condattr_destroy (&attributes);
  return pipe;
}

void
osm_bytepipe_free (struct osm_bytepipe *pipe)
{
  if (!pipe)
    return;
  pthread_cond_destroy (&pipe->changed);
  pthread_mutex_destroy (&pipe->lock);
  osm_error_done (&pipe->why);
  free (pipe->bytes);
  free (pipe);
}

/* With the lock held. -1: broken, or interrupted. */
static int
wait_for_change (struct osm_bytepipe *pipe, struct osm_error *err)
{
  struct timespec until;

  clock_gettime (CLOCK_MONOTONIC, &until);
  until.tv_nsec += LOOK_MS * 1000000L;
  until.tv_sec += until.tv_nsec / 1000000000L;
  until.tv_nsec %= 1000000000L;
  pthread_cond_timedwait (&pipe->changed, &pipe->lock, &until);
  return osm_interrupt_check (err);
}

static int
check (struct osm_bytepipe *pipe, struct osm_error *err)
{
  if (!pipe->broken)
    return 0;
  osm_error_copy (err, &pipe->why);
  return -1;
}

int
osm_bytepipe_write (struct osm_bytepipe *pipe, const void *data, size_t len, struct osm_error *err)
{
  const unsigned char *from = data;
  OSM_LOCKED (&pipe->lock);

  while (len > 0) {
    size_t end = (pipe->start + pipe->len) % pipe->size, room = pipe->size - pipe->len, n;

    if (check (pipe, err) == -1)
      return -1;
    if (room == 0) {
      if (wait_for_change (pipe, err) == -1)
        return -1;
      continue;
    }
    n = room < pipe->size - end ? room : pipe->size - end;
    if (n > len)
      n = len;
    memcpy (pipe->bytes + end, from, n);
    from += n;
    len -= n;
    pipe->len += n;
    pthread_cond_broadcast (&pipe->changed);
  }
  return 0;
}

int
osm_bytepipe_read (struct osm_bytepipe *pipe, void *buffer, size_t size, size_t *ret_len,
                   struct osm_error *err)
{
  OSM_LOCKED (&pipe->lock);
  size_t n;

  for (;;) {
    if (check (pipe, err) == -1)
      return -1;
    if (pipe->len > 0 || pipe->ended)
      break;
    if (wait_for_change (pipe, err) == -1)
      return -1;
  }
  n = pipe->len < pipe->size - pipe->start ? pipe->len : pipe->size - pipe->start;
  if (n > size)
    n = size;
  memcpy (buffer, pipe->bytes + pipe->start, n);
  pipe->start = (pipe->start + n) % pipe->size;
  pipe->len -= n;
  pthread_cond_broadcast (&pipe->changed);
  *ret_len = n;
  return 0;
}

void
osm_bytepipe_end (struct osm_bytepipe *pipe)
{
  OSM_LOCKED (&pipe->lock);

  pipe->ended = true;
  pthread_cond_broadcast (&pipe->changed);
}

void
osm_bytepipe_break (struct osm_bytepipe *pipe, const struct osm_error *why)
{
  OSM_LOCKED (&pipe->lock);

  if (!pipe->broken)
    osm_error_copy (&pipe->why, why);
  pipe->broken = true;
  pthread_cond_broadcast (&pipe->changed);
}
