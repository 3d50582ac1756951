/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/pace.h"

#define WINDOW_MS 5000.0
#define COST_WINDOW_MS 10000.0
#define OBSERVE_MS 1000                           /* before that nothing is known */
#define STALL_MS 15000                            /* without a byte: nothing is known any more */
#define MAX_ETA_MS (INT64_C (1000) * 3600 * 1000) /* beyond a thousand hours neither */
#define SKIP_IS_CHEAPER 10 /* than sending, until it was seen: reading zeros against sending data */

void
osm_rate_update (struct osm_rate *rate, uint64_t bytes, uint64_t now_ms)
{
  double sample, weight;
  uint64_t elapsed;

  if (!rate->started || bytes < rate->bytes) {
    *rate = (struct osm_rate){ .bytes = bytes, .at_ms = now_ms, .started = true };
    return;
  }
  elapsed = now_ms - rate->at_ms;
  if (now_ms <= rate->at_ms)
    return;
  /* Before the first byte it has not begun. */
  if (!rate->known && bytes == rate->bytes) {
    rate->at_ms = now_ms;
    return;
  }
  sample = (double)(bytes - rate->bytes) * 1000 / (double)elapsed;
  /* The share of an old average that a first-order low-pass keeps after that time, without exp(). */
  weight = (double)elapsed / ((double)elapsed + WINDOW_MS);
  rate->per_second = rate->known ? rate->per_second + (sample - rate->per_second) * weight : sample;
  rate->known = true;
  rate->bytes = bytes;
  rate->at_ms = now_ms;
}

uint64_t
osm_rate_get (const struct osm_rate *rate)
{
  return rate->known && rate->per_second < 1e18 ? (uint64_t)rate->per_second : 0;
}

static uint64_t
minus (uint64_t a, uint64_t b)
{
  return a > b ? a - b : 0;
}

struct osm_pace_left
osm_pace_left (const struct osm_pace_counts *c)
{
  uint64_t missing = minus (c->size_bytes, c->done_bytes);
  uint64_t unknown = c->unknown_bytes < missing ? c->unknown_bytes : missing;
  uint64_t left = c->left_bytes < missing - unknown ? c->left_bytes : missing - unknown;
  uint64_t empty = missing - unknown - left; /* known, and not data */
  double seen = (double)c->found_bytes + (double)c->skipped_bytes + (double)empty;
  double share = seen > 0 ? (double)c->found_bytes / seen : 1;
  uint64_t data = share < 1 ? (uint64_t)((double)unknown * share) : unknown;

  return (struct osm_pace_left){ .send_bytes = left + data, .skip_bytes = empty + unknown - data };
}

static void
add_cost (struct osm_pace_cost *cost, double ms, double bytes)
{
  double keep = COST_WINDOW_MS / (COST_WINDOW_MS + ms);

  if (bytes <= 0)
    return;
  cost->ms = cost->ms * keep + ms;
  cost->bytes = cost->bytes * keep + bytes;
}

/* Milliseconds for a byte of either kind; 0: nothing is known of it. */
static double
cost_of (const struct osm_pace_cost *cost, const struct osm_pace_cost *other, double times)
{
  if (cost->bytes > 0)
    return cost->ms / cost->bytes;
  return other->bytes > 0 ? other->ms / other->bytes * times : 0;
}

void
osm_pace_update (struct osm_pace *pace, uint64_t sent_bytes, uint64_t skipped_bytes,
                 uint64_t now_ms)
{
  double sent, skipped, elapsed, send_cost, skip_cost, for_sent;

  osm_rate_update (&pace->rate, sent_bytes, now_ms);
  if (!pace->started || sent_bytes < pace->sent_bytes || skipped_bytes < pace->skipped_bytes) {
    struct osm_rate rate = pace->rate;

    *pace = (struct osm_pace){ .rate = rate,
                               .sent_bytes = sent_bytes,
                               .skipped_bytes = skipped_bytes,
                               .at_ms = now_ms,
                               .started = true };
    return;
  }
  sent = (double)(sent_bytes - pace->sent_bytes);
  skipped = (double)(skipped_bytes - pace->skipped_bytes);
  if (now_ms <= pace->at_ms || (sent <= 0 && skipped <= 0))
    return;
  elapsed = (double)(now_ms - pace->at_ms);
  /* The time is divided between the two as what is known of them says. */
  send_cost = cost_of (&pace->send, &pace->skip, SKIP_IS_CHEAPER);
  skip_cost = cost_of (&pace->skip, &pace->send, 1.0 / SKIP_IS_CHEAPER);
  if (send_cost <= 0 || skip_cost <= 0) {
    send_cost = SKIP_IS_CHEAPER;
    skip_cost = 1;
  }
  for_sent = elapsed * sent * send_cost / (sent * send_cost + skipped * skip_cost);
  add_cost (&pace->send, for_sent, sent);
  add_cost (&pace->skip, elapsed - for_sent, skipped);
  pace->observed_ms += now_ms - pace->at_ms;
  pace->sent_bytes = sent_bytes;
  pace->skipped_bytes = skipped_bytes;
  pace->at_ms = now_ms;
}

int64_t
osm_pace_eta_ms (const struct osm_pace *pace, const struct osm_pace_left *left, uint64_t now_ms)
{
  double ms;

  if (left->send_bytes == 0 && left->skip_bytes == 0)
    return 0;
  if (pace->observed_ms < OBSERVE_MS || now_ms - pace->at_ms > STALL_MS)
    return -1;
  /* What data costs is not to be guessed from what zeros cost. */
  if (left->send_bytes > 0 && pace->send.bytes <= 0)
    return -1;
  ms = (double)left->send_bytes * cost_of (&pace->send, &pace->skip, SKIP_IS_CHEAPER) +
       (double)left->skip_bytes * cost_of (&pace->skip, &pace->send, 1.0 / SKIP_IS_CHEAPER);
  return ms > (double)MAX_ETA_MS ? -1 : (int64_t)ms;
}
