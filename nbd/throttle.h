/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A limit of bytes per second that several threads share and that may change at any time: a token bucket.
 *
 *   struct osm_throttle throttle = OSM_THROTTLE_INIT (10 << 20);
 *   length = osm_throttle_piece (&throttle, length);                 short pieces at a low rate
 *   wait_us = osm_throttle_take (&throttle, length, now_us);         0: go on; else ask again after that time
 *   osm_throttle_set (&throttle, 0);                                 from any thread; 0: no limit
 *
 * Over any second not more than 8 % above the rate comes out of it, and nothing is lost if every waiting thread wakes up within
 * 60 ms of the time it was told. A NULL throttle has no limit. */

#ifndef OSM_NBD_THROTTLE_H
#define OSM_NBD_THROTTLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* The lowest rate that can be asked for: below it a piece of 4096 bytes would take seconds. */
#define OSM_THROTTLE_MIN 1024

struct osm_throttle {
  _Atomic uint64_t bytes_per_second; /* 0: no limit */
  pthread_mutex_t lock;
  uint64_t seen;  /* the rate that `credit` is of */
  double credit;  /* bytes; negative: a piece was larger than what there was */
  uint64_t at_us; /* when credit was last filled up */
};
#define OSM_THROTTLE_INIT(rate)                                   \
  {                                                               \
    .bytes_per_second = (rate), .lock = PTHREAD_MUTEX_INITIALIZER \
  }

void osm_throttle_set (struct osm_throttle *throttle, uint64_t bytes_per_second);
uint64_t osm_throttle_get (struct osm_throttle *throttle);
/* At most max, a multiple of 4096 unless it is max: what takes about 20 ms. */
size_t osm_throttle_piece (struct osm_throttle *throttle, size_t max);
/* 0: taken. Else nothing was, and there will be something in so many microseconds. now_us: any clock that does not go back. */
uint64_t osm_throttle_take (struct osm_throttle *throttle, size_t bytes, uint64_t now_us);

#endif
