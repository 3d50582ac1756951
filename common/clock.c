/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/clock.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static atomic_bool interrupted;
static atomic_int nr_stops;
static _Thread_local unsigned holds;
/* Readable while interrupted: wakes every waiting thread. */
static int wake_fd = -1;
static pthread_once_t wake_once = PTHREAD_ONCE_INIT;

static uint64_t
clock_ms (clockid_t clock)
{
  struct timespec ts;

  clock_gettime (clock, &ts);
  return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t
osm_now_ms (void)
{
  return clock_ms (CLOCK_MONOTONIC);
}

uint64_t
osm_now_us (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

int64_t
osm_wall_ms (void)
{
  return (int64_t)clock_ms (CLOCK_REALTIME);
}

const char *
osm_time_text (int64_t wall_ms, char buf[OSM_TIME_LEN])
{
  /* Rounded down, also before 1970. */
  time_t t = (time_t)(wall_ms / 1000 - (wall_ms % 1000 < 0));
  struct tm tm;

  if (gmtime_r (&t, &tm) == NULL || strftime (buf, OSM_TIME_LEN, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
    snprintf (buf, OSM_TIME_LEN, "unknown time");
  return buf;
}

static void
make_wake_fd (void)
{
  wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
}

/* Async-signal-safe once wake_fd is there. */
static void
note (void)
{
  uint64_t one = 1;

  atomic_store (&interrupted, true);
  if (wake_fd >= 0 && write (wake_fd, &one, sizeof one) == -1) {
    /* The counter is full: readable already. */
  }
}

static void
handler (int sig)
{
  int saved_errno = errno;

  if (sig != SIGHUP && atomic_fetch_add (&nr_stops, 1) > 0) {
    signal (sig, SIG_DFL);
    raise (sig);
  }
  note ();
  errno = saved_errno;
}

void
osm_interrupt_init (void)
{
  struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART }, hangup;

  pthread_once (&wake_once, make_wake_fd);
  sigemptyset (&sa.sa_mask);
  sigaction (SIGINT, &sa, NULL);
  sigaction (SIGTERM, &sa, NULL);
  if (sigaction (SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
    sigaction (SIGHUP, &sa, NULL);
}

void
osm_hangup_ignore (void)
{
  signal (SIGHUP, SIG_IGN);
}

bool
osm_interrupted (void)
{
  return atomic_load (&interrupted);
}

void
osm_interrupt_set (void)
{
  pthread_once (&wake_once, make_wake_fd);
  note ();
}

void
osm_interrupt_clear (void)
{
  uint64_t count;

  pthread_once (&wake_once, make_wake_fd);
  atomic_store (&interrupted, false);
  atomic_store (&nr_stops, 0);
  if (read (wake_fd, &count, sizeof count) == -1) {
    /* It was clear. */
  }
}

bool
osm_interrupt_held (void)
{
  return holds > 0;
}

void
osm_interrupt_hold (void)
{
  holds++;
}

void
osm_interrupt_release (void)
{
  if (holds > 0)
    holds--;
}

int
osm_interrupt_fd (void)
{
  pthread_once (&wake_once, make_wake_fd);
  return holds > 0 ? -1 : wake_fd;
}

int
osm_interrupt_check (struct osm_error *err)
{
  if (holds == 0 && osm_interrupted ())
    return osm_error_set (err, OSM_ERROR_INTERRUPTED, 0, "interrupted");
  return 0;
}

int
osm_wait_ms (uint64_t ms, struct osm_error *err)
{
  uint64_t now = osm_now_ms (), end;
  struct pollfd pfd = { .fd = osm_interrupt_fd (), .events = POLLIN };

  if (osm_interrupt_check (err) == -1)
    return -1;
  if (__builtin_add_overflow (now, ms, &end))
    end = UINT64_MAX;
  while (now < end) {
    uint64_t left = end - now;

    poll (&pfd, 1, left > 60000 ? 60000 : (int)left);
    if (osm_interrupt_check (err) == -1)
      return -1;
    now = osm_now_ms ();
  }
  return 0;
}

int
osm_backoff_wait (struct osm_backoff *b, struct osm_error *err)
{
  uint64_t ms = b->next_ms < b->max_ms ? b->next_ms : b->max_ms;
  uint64_t longer = ms + ms / 2 + 1;

  if (osm_wait_ms (ms, err) == -1)
    return -1;
  b->next_ms = longer < b->max_ms ? longer : b->max_ms;
  return 0;
}
