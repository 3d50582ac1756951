/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/linktest.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "nbd/bitmap.h"
#include "nbd/client.h"

#define ROUND_TRIPS 15
#define PAUSE_MS 10
#define HANDSHAKE_US UINT64_C (30000000)

static int
compare (const void *a, const void *b)
{
  uint64_t x = *(const uint64_t *)a;
  uint64_t y = *(const uint64_t *)b;

  return x < y ? -1 : x > y;
}

static void
note_read (void *data, void *cookie, int error)
{
  (void)data;
  *(int *)cookie = error;
}

/* One byte there and back. */
static int
round_trip (struct osm_nbd *nbd, struct osm_error *err)
{
  char byte;
  int result = -1;

  if (osm_nbd_read (nbd, &byte, 1, 0, &result, err) == -1)
    return -1;
  while (result == -1)
    if (osm_nbd_receive (nbd, 1000, err) == -1)
      return -1;
  return result ? osm_error_set_errno (err, result, "read from the test export") : 0;
}

static int
measure (struct osm_nbd *nbd, struct osm_link_test_result *ret, struct osm_error *err)
{
  uint64_t times[ROUND_TRIPS], deadline = osm_now_us () + HANDSHAKE_US;
  int r;

  while ((r = osm_nbd_handshake (nbd, 1000, err)) == 0)
    if (osm_now_us () > deadline)
      return osm_error_set (err, OSM_ERROR_RETRY, ETIMEDOUT, "NBD server does not answer");
  if (r == -1)
    return -1;
  for (int i = 0; i < ROUND_TRIPS && osm_nbd_size (nbd) > 0; i++) {
    uint64_t start = osm_now_us ();

    if (round_trip (nbd, err) == -1)
      return -1;
    times[i] = osm_now_us () - start;
  }
  if (osm_nbd_size (nbd) > 0) {
    qsort (times, ROUND_TRIPS, sizeof times[0], compare);
    ret->rtt_us = times[ROUND_TRIPS / 2];
  }
  return 0;
}

static int
measure_rtt (const struct osm_source *source, struct osm_link_test_result *ret, uint64_t *ret_size,
             struct osm_error *err)
{
  static const struct osm_nbd_callbacks callbacks = { .read_done = note_read };
  struct osm_source_connection connection;
  struct osm_nbd *nbd;
  const char *cipher;
  int r;

  if (source->open (source->data, &connection, err) == -1)
    return -1;
  nbd = osm_nbd_new (&connection.stream, "", &callbacks);
  r = measure (nbd, ret, err);
  *ret_size = osm_nbd_size (nbd);
  cipher = connection.cipher ? connection.cipher (connection.handle) : NULL;
  if (cipher)
    snprintf (ret->cipher, sizeof ret->cipher, "%s", cipher);
  osm_nbd_free (nbd);
  connection.close (connection.handle);
  return r;
}

struct run {
  const struct osm_source *source;
  struct osm_copy_options options;
  struct osm_copy_progress progress;
  atomic_bool cancel, ended;
  int result;
  struct osm_error error;
};

static void *
run_thread (void *data)
{
  struct run *run = data;

  run->result = osm_copy_run (run->source, -1, &run->options, &run->error);
  atomic_store (&run->ended, true);
  return NULL;
}

static int
measure_throughput (struct run *run, uint64_t limit_ms, const atomic_bool *cancel,
                    struct osm_link_test_result *ret, struct osm_error *err)
{
  uint64_t begin = osm_now_us (), start = 0, end;
  bool cancelled = false, in_time = true;
  pthread_t thread;
  int e = pthread_create (&thread, NULL, run_thread, run);

  if (e != 0)
    return osm_error_set_errno (err, e, "cannot start a thread");
  while (!atomic_load (&run->ended)) {
    struct timespec ts = { .tv_nsec = PAUSE_MS * 1000000L };

    /* Connecting is not counted: it would make a long link look slow. */
    if (start == 0 && atomic_load (&run->progress.sent_bytes) == 0)
      begin = osm_now_us ();
    else if (start == 0)
      start = begin;
    cancelled = cancelled || (cancel && atomic_load (cancel));
    in_time = start == 0 || osm_now_us () - start < limit_ms * 1000;
    if (cancelled || !in_time)
      atomic_store (&run->cancel, true);
    nanosleep (&ts, NULL);
  }
  end = osm_now_us ();
  pthread_join (thread, NULL);
  if (cancelled)
    return osm_error_set (err, OSM_ERROR_INTERRUPTED, 0, "link test cancelled");
  if (run->result == -1 && run->error.class != OSM_ERROR_INTERRUPTED) {
    osm_error_copy (err, &run->error);
    return -1;
  }
  ret->bytes = atomic_load (&run->progress.sent_bytes);
  end = end > begin ? end - begin : 1;
  ret->bytes_per_second = (uint64_t)((double)ret->bytes * 1e6 / (double)end);
  return 0;
}

int
osm_link_test (const struct osm_source *source, uint64_t bytes, uint64_t limit_ms,
               const atomic_bool *cancel, struct osm_link_test_result *ret, struct osm_error *err)
{
  OSM_CLEANUP_BITMAP struct osm_bitmap *bitmap = NULL;
  struct osm_link_test_result result = { 0 };
  struct run run = { .source = source };
  uint64_t size = 0;
  int r;

  if (measure_rtt (source, &result, &size, err) == -1)
    return osm_error_wrap (err, "link test");
  if (osm_bitmap_new (size, 0, &bitmap, err) == -1)
    return -1;
  if (bytes < size)
    osm_bitmap_set (bitmap, bytes, size - bytes); /* as if it had been copied before */
  run.options = (struct osm_copy_options){ .size_bytes = size,
                                           .discard = true,
                                           .reconnect_ms = 5000,
                                           .bitmap = bitmap,
                                           .cancel = &run.cancel,
                                           .progress = &run.progress };
  r = measure_throughput (&run, limit_ms, cancel, &result, err);
  osm_error_done (&run.error);
  if (r == -1)
    return -1;
  *ret = result;
  return 0;
}
