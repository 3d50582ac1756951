/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/throttle.h"

#include "common/cleanup.h"

#define BURST_MS 60 /* what may be saved up */
#define PIECE_MS 20
#define ALIGN 4096

void
osm_throttle_set (struct osm_throttle *throttle, uint64_t bytes_per_second)
{
  atomic_store (&throttle->bytes_per_second, bytes_per_second);
}

uint64_t
osm_throttle_get (struct osm_throttle *throttle)
{
  return throttle ? atomic_load (&throttle->bytes_per_second) : 0;
}

size_t
osm_throttle_piece (struct osm_throttle *throttle, size_t max)
{
  uint64_t rate = osm_throttle_get (throttle);
  uint64_t piece = rate / (1000 / PIECE_MS) / ALIGN * ALIGN;

  if (rate == 0 || piece >= max)
    return max;
  if (piece < ALIGN)
    piece = ALIGN;
  return piece < max ? (size_t)piece : max;
}

uint64_t
osm_throttle_take (struct osm_throttle *throttle, size_t bytes, uint64_t now_us)
{
  uint64_t rate = osm_throttle_get (throttle);
  double burst = (double)rate * BURST_MS / 1000;

  if (!throttle)
    return 0;
  OSM_LOCKED (&throttle->lock);
  if (rate == 0) {
    throttle->seen = 0;
    return 0;
  }
  if (throttle->seen == 0) {
    throttle->credit = 0;
    throttle->at_us = now_us;
  }
  else if (throttle->seen != rate)
    /* What is owed or saved is time. */
    throttle->credit = throttle->credit / (double)throttle->seen * (double)rate;
  throttle->seen = rate;
  if (now_us > throttle->at_us)
    throttle->credit += (double)(now_us - throttle->at_us) * (double)rate / 1e6;
  throttle->at_us = now_us;
  if (throttle->credit > burst)
    throttle->credit = burst;
  if (throttle->credit < 0)
    return (uint64_t)(-throttle->credit * 1e6 / (double)rate) + 1;
  throttle->credit -= (double)bytes;
  return 0;
}
