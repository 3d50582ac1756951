/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/compression.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "nbd/zstd.h"

#define WINDOW_MS 500
#define WINDOW_BYTES (UINT64_C (1) << 20) /* fewer tell nothing of the rate */
#define SAMPLE_MS 100
#define SAMPLE_MIN_BYTES ((size_t)8 << 10)
#define SAMPLE_MAX_BYTES ((size_t)64 << 10)
#define WORTH_RATIO 0.8
#define LOST_RATIO 0.9
#define WORTH_IDLE_CORES 0.5
#define WORTH_FACTOR 1.1
#define SWITCH_MS 20000
#define SWITCH_LOST_MS \
  5000 /* a connection that was to be made anew and was not, for whatever reason */
#define PAUSE_FIRST_MS 15000
#define PAUSE_MAX_MS 300000

int
osm_compression_parse (const char *text, enum osm_compression_mode *ret, struct osm_error *err)
{
  if (!text || strcmp (text, "auto") == 0)
    *ret = OSM_COMPRESSION_AUTO;
  else if (strcmp (text, "on") == 0)
    *ret = OSM_COMPRESSION_ON;
  else if (strcmp (text, "off") == 0)
    *ret = OSM_COMPRESSION_OFF;
  else
    return osm_error_set (err, OSM_ERROR_USER, EINVAL, "compression must be auto, on or off");
  return 0;
}

/* ---- the rule ---- */

static void
back_to_plain (struct osm_compression_rule *rule, uint64_t now_ms)
{
  uint64_t pause = rule->pause_ms ? rule->pause_ms * 2 : PAUSE_FIRST_MS;

  rule->pause_ms = pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS;
  rule->retry_ms = now_ms + rule->pause_ms;
  rule->state = OSM_COMPRESSION_PLAIN;
  memset (rule->last_rates, 0, sizeof rule->last_rates);
}

bool
osm_compression_decide (struct osm_compression_rule *rule, const struct osm_compression_window *w)
{
  uint64_t rate = w->ms ? (uint64_t)((double)w->data_bytes * 1000 / (double)w->ms) : 0;

  switch (rule->state) {
  case OSM_COMPRESSION_PLAIN:
    /* Windows in which zeros were found in between show too little. */
    rule->last_rates[2] = rule->last_rates[1];
    rule->last_rates[1] = rule->last_rates[0];
    rule->last_rates[0] = rule->plain_rate = rate;
    for (size_t i = 1; i < 3; i++)
      if (rule->last_rates[i] > rule->plain_rate)
        rule->plain_rate = rule->last_rates[i];
    if (w->now_ms < rule->retry_ms || w->sample_ratio <= 0 || w->sample_ratio >= WORTH_RATIO ||
        rule->plain_rate >= w->sample_rate / (w->idle_cores < WORTH_IDLE_CORES ? 2 : 1))
      return false;
    rule->state = OSM_COMPRESSION_TRIAL;
    rule->trial_until_ms = w->now_ms + SWITCH_MS;
    return true;
  case OSM_COMPRESSION_TRIAL:
    if (!w->switched) {
      if (w->now_ms < rule->trial_until_ms)
        return false;
      back_to_plain (rule, w->now_ms);
      return true;
    }
    if ((double)rate < (double)rule->plain_rate * WORTH_FACTOR)
      back_to_plain (rule, w->now_ms);
    else {
      rule->state = OSM_COMPRESSION_KEPT;
      rule->pause_ms = 0;
    }
    return true;
  case OSM_COMPRESSION_KEPT:
    if ((double)w->wire_bytes <= (double)w->data_bytes * LOST_RATIO)
      return false;
    back_to_plain (rule, w->now_ms);
    return true;
  }
  return false;
}

/* ---- what passes ---- */

struct osm_compression {
  atomic_int mode;
  _Atomic uint64_t wire_bytes, data_bytes;
  atomic_bool wanted;
  atomic_int switching;       /* connections that are being made anew */
  _Atomic uint64_t switch_ms; /* when the last of them was told to */
  atomic_int connections[2];  /* open now: plain, compressed */
  _Atomic uint64_t sample_at_ms, window_at_ms;

  pthread_mutex_t lock; /* for the rest; only ever tried */
  struct osm_compression_rule rule;
  struct osm_compressor *compressor;
  char *compressed;
  bool open;              /* a window is being measured */
  bool switched_at_start; /* all connections were as they should be */
  uint64_t start_ms, start_wire, start_data;
  uint64_t sample_in, sample_out, sample_ns;
  uint64_t cpu_idle, cpu_total; /* ticks at the start of the window */
};

struct osm_compression *
osm_compression_new (enum osm_compression_mode mode)
{
  struct osm_compression *c = osm_calloc (1, sizeof *c);

  atomic_init (&c->mode, (int)mode);
  atomic_store (&c->wanted, mode == OSM_COMPRESSION_ON);
  pthread_mutex_init (&c->lock, NULL);
  return c;
}

void
osm_compression_free (struct osm_compression *c)
{
  if (!c)
    return;
  osm_compressor_free (c->compressor);
  free (c->compressed);
  pthread_mutex_destroy (&c->lock);
  free (c);
}

bool
osm_compression_wanted (const struct osm_compression *c)
{
  return c && atomic_load (&c->wanted);
}

void
osm_compression_opened (struct osm_compression *c, bool compressed)
{
  if (!c)
    return;
  atomic_fetch_add (&c->connections[compressed], 1);
  if (atomic_load (&c->switching) > 0)
    atomic_fetch_sub (&c->switching, 1);
}

void
osm_compression_closed (struct osm_compression *c, bool compressed)
{
  if (c)
    atomic_fetch_sub (&c->connections[compressed], 1);
}

bool
osm_compression_refused (struct osm_compression *c)
{
  if (atomic_load (&c->mode) == OSM_COMPRESSION_ON)
    return false;
  atomic_store (&c->mode, OSM_COMPRESSION_OFF);
  atomic_store (&c->wanted, false);
  return true;
}

bool
osm_compression_stale (struct osm_compression *c, bool compressed)
{
  uint64_t now;
  int most, n;

  if (!c || atomic_load (&c->wanted) == compressed)
    return false;
  now = osm_now_ms ();
  if (now - atomic_load (&c->switch_ms) > SWITCH_LOST_MS)
    atomic_store (&c->switching, 0);
  /* Half of them, so that the link is not idle. */
  most = (atomic_load (&c->connections[0]) + atomic_load (&c->connections[1])) / 2;
  n = atomic_load (&c->switching);
  do
    if (n >= (most > 1 ? most : 1))
      return false;
  while (!atomic_compare_exchange_weak (&c->switching, &n, n + 1));
  atomic_store (&c->switch_ms, now);
  return true;
}

uint64_t
osm_compression_wire_bytes (const struct osm_compression *c)
{
  return c ? atomic_load (&c->wire_bytes) : 0;
}

static uint64_t
thread_ns (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &ts);
  return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void
sample (struct osm_compression *c, const char *plain, size_t n)
{
  struct osm_zstd_io io = { .in = plain, .in_len = n < SAMPLE_MAX_BYTES ? n : SAMPLE_MAX_BYTES };
  uint64_t start;
  OSM_ERROR (ignored);

  if (!c->compressor) {
    c->compressor = osm_compressor_new (OSM_ZSTD_LEVEL);
    c->compressed = osm_calloc (2, SAMPLE_MAX_BYTES);
  }
  io.out = c->compressed;
  io.out_len = 2 * SAMPLE_MAX_BYTES;
  n = io.in_len;
  start = thread_ns ();
  if (osm_compress (c->compressor, &io, true, &ignored) != 0)
    return;
  c->sample_ns += thread_ns () - start;
  c->sample_in += n;
  c->sample_out += 2 * SAMPLE_MAX_BYTES - io.out_len;
}

/* First line of /proc/stat: user nice system idle iowait ... (proc(5)). */
static void
cpu_times (uint64_t *ret_idle, uint64_t *ret_total)
{
  char buf[512] = "";
  OSM_CLEANUP_FD int fd = open ("/proc/stat", O_RDONLY | O_CLOEXEC);
  ssize_t n = fd == -1 ? -1 : read (fd, buf, sizeof buf - 1);
  char *at = buf + strcspn (buf, " ");

  *ret_idle = *ret_total = 0;
  if (n <= 0)
    return;
  for (int i = 0; i < 8; i++) {
    char *end;
    uint64_t ticks = strtoull (at, &end, 10);

    if (end == at)
      return;
    at = end;
    *ret_total += ticks;
    if (i == 3 || i == 4)
      *ret_idle += ticks;
  }
}

static bool
all_switched (struct osm_compression *c)
{
  return atomic_load (&c->connections[!atomic_load (&c->wanted)]) == 0;
}

static void
window_begin (struct osm_compression *c, uint64_t now)
{
  c->open = true;
  c->switched_at_start = all_switched (c);
  c->start_ms = now;
  c->start_wire = atomic_load (&c->wire_bytes);
  c->start_data = atomic_load (&c->data_bytes);
  c->sample_in = c->sample_out = c->sample_ns = 0;
  cpu_times (&c->cpu_idle, &c->cpu_total);
}

static void
window_end (struct osm_compression *c, uint64_t now)
{
  struct osm_compression_window w = { .now_ms = now, .ms = now - c->start_ms };
  uint64_t idle, total;
  long cores = sysconf (_SC_NPROCESSORS_ONLN);

  w.data_bytes = atomic_load (&c->data_bytes) - c->start_data;
  w.wire_bytes = atomic_load (&c->wire_bytes) - c->start_wire;
  w.switched = c->switched_at_start && all_switched (c);
  if (w.data_bytes < WINDOW_BYTES && w.switched)
    return;
  if (c->sample_in > 0 && c->sample_ns > 0) {
    w.sample_ratio = (double)c->sample_out / (double)c->sample_in;
    w.sample_rate = (uint64_t)((double)c->sample_in * 1e9 / (double)c->sample_ns);
  }
  cpu_times (&idle, &total);
  if (total > c->cpu_total)
    w.idle_cores = (double)(cores > 0 ? cores : 1) * (double)(idle - c->cpu_idle) /
                   (double)(total - c->cpu_total);
  if (osm_compression_decide (&c->rule, &w)) {
    bool wanted = c->rule.state != OSM_COMPRESSION_PLAIN;

    osm_debug ("compression %s: %" PRIu64 " bytes in %" PRIu64 " ms, %" PRIu64
               " on the wire; a sample has %.2f of its size at %" PRIu64 " MB/s; %.1f idle cores",
               wanted ? "on" : "off", w.data_bytes, w.ms, w.wire_bytes, w.sample_ratio,
               w.sample_rate / 1000000, w.idle_cores);
    atomic_store (&c->wanted, wanted);
  }
  window_begin (c, now);
}

void
osm_compression_passed (struct osm_compression *c, bool compressed, size_t wire_bytes,
                        const char *plain, size_t plain_bytes)
{
  uint64_t now;
  bool sampling, window;

  if (!c)
    return;
  atomic_fetch_add (&c->wire_bytes, wire_bytes);
  atomic_fetch_add (&c->data_bytes, plain_bytes);
  if (atomic_load (&c->mode) != OSM_COMPRESSION_AUTO)
    return;
  now = osm_now_ms ();
  sampling =
      !compressed && plain_bytes >= SAMPLE_MIN_BYTES && now >= atomic_load (&c->sample_at_ms);
  window = now >= atomic_load (&c->window_at_ms);
  if ((!sampling && !window) || pthread_mutex_trylock (&c->lock) != 0)
    return;
  if (sampling) {
    sample (c, plain, plain_bytes);
    atomic_store (&c->sample_at_ms, now + SAMPLE_MS);
  }
  if (window && c->open)
    window_end (c, now);
  else if (window)
    window_begin (c, now);
  if (window)
    atomic_store (&c->window_at_ms, now + WINDOW_MS);
  pthread_mutex_unlock (&c->lock);
}
