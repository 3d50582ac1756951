/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The throttle with a clock of its own: no test waits. */

#include <config.h>

#include "tests/unit/test.h"

#include "nbd/throttle.h"

#define MIB (UINT64_C (1) << 20)
#define SECOND UINT64_C (1000000)
#define MAX ((size_t)512 << 10)

/* Takes all it gets from `from` to `to`, and sleeps `late_us` longer than it was told, by turns more and less. */
static uint64_t
run (struct osm_throttle *t, uint64_t from, uint64_t to, uint64_t late_us)
{
  uint64_t taken = 0, n = 0;

  for (uint64_t now = from; now < to;) {
    size_t piece = osm_throttle_piece (t, MAX);
    uint64_t wait = osm_throttle_take (t, piece, now);

    if (wait == 0)
      taken += piece;
    else
      now += wait + late_us * (n++ % 3) / 2;
  }
  return taken;
}

static void
assert_within (uint64_t value, uint64_t expected, unsigned percent)
{
  assert_in_range (value, expected - expected * percent / 100, expected + expected * percent / 100);
}

TEST (no_limit_lets_everything_through)
{
  struct osm_throttle t = OSM_THROTTLE_INIT (0);

  for (int i = 0; i < 1000; i++)
    assert_int_equal (osm_throttle_take (&t, MAX, 5), 0);
  assert_int_equal (osm_throttle_piece (&t, MAX), MAX);
  assert_int_equal (osm_throttle_take (NULL, MAX, 5), 0);
  assert_int_equal (osm_throttle_piece (NULL, MAX), MAX);
  assert_int_equal (osm_throttle_get (NULL), 0);
}

TEST (the_rate_holds_over_every_second)
{
  static const uint64_t rates[] = { 100 * 1000, MIB, 10 * MIB, 123456789, 1000 * MIB };

  for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
    struct osm_throttle t = OSM_THROTTLE_INIT (rates[i]);

    for (uint64_t s = 0; s < 20; s++)
      assert_within (run (&t, s * SECOND, (s + 1) * SECOND, 0), rates[i], 9);
  }
}

TEST (late_sleepers_lose_nothing)
{
  struct osm_throttle t = OSM_THROTTLE_INIT (10 * MIB);

  for (uint64_t s = 0; s < 10; s++)
    assert_within (run (&t, s * SECOND, (s + 1) * SECOND, 40000), 10 * MIB, 9);
}

TEST (two_threads_share_it)
{
  struct osm_throttle t = OSM_THROTTLE_INIT (8 * MIB);
  uint64_t taken[2] = { 0 }, wake[2] = { 0 };

  for (uint64_t now = 0; now < 10 * SECOND; now += 1000)
    for (int i = 0; i < 2; i++)
      while (wake[i] <= now) {
        uint64_t wait = osm_throttle_take (&t, 65536, now);

        if (wait)
          wake[i] = now + wait;
        else
          taken[i] += 65536;
      }
  assert_within (taken[0] + taken[1], 80 * MIB, 2);
}

TEST (silence_is_not_saved_up)
{
  struct osm_throttle t = OSM_THROTTLE_INIT (10 * MIB);

  run (&t, 0, SECOND, 0);
  assert_within (run (&t, 100 * SECOND, 101 * SECOND, 0), 10 * MIB, 9);
}

TEST (a_new_rate_holds_at_once)
{
  struct osm_throttle t = OSM_THROTTLE_INIT (100 * MIB);

  run (&t, 0, SECOND, 0);
  osm_throttle_set (&t, 2 * MIB);
  assert_int_equal (osm_throttle_get (&t), 2 * MIB);
  assert_within (run (&t, SECOND, 2 * SECOND, 0), 2 * MIB, 10);
  osm_throttle_set (&t, 0);
  assert_int_equal (osm_throttle_take (&t, MAX, 2 * SECOND), 0);
  assert_int_equal (osm_throttle_take (&t, MAX, 2 * SECOND), 0);
  osm_throttle_set (&t, 50 * MIB);
  assert_within (run (&t, 2 * SECOND, 3 * SECOND, 0), 50 * MIB, 9);
}

TEST (the_time_to_wait_is_enough)
{
  struct osm_throttle t = OSM_THROTTLE_INIT (MIB);
  uint64_t wait;

  assert_int_equal (osm_throttle_take (&t, 65536, 0), 0);
  wait = osm_throttle_take (&t, 65536, 0);
  assert_in_range (wait, 62500, 62600);
  assert_int_equal (osm_throttle_take (&t, 65536, wait), 0);
}

TEST (pieces_are_short_at_a_low_rate)
{
  struct osm_throttle t = OSM_THROTTLE_INIT (OSM_THROTTLE_MIN);

  assert_int_equal (osm_throttle_piece (&t, MAX), 4096);
  assert_int_equal (osm_throttle_piece (&t, 100), 100);
  osm_throttle_set (&t, 10 * MIB);
  assert_int_equal (osm_throttle_piece (&t, MAX), 208896);
  osm_throttle_set (&t, 1000 * MIB);
  assert_int_equal (osm_throttle_piece (&t, MAX), MAX);
}

TEST (a_clock_that_stands_still_does_no_harm)
{
  struct osm_throttle t = OSM_THROTTLE_INIT (MIB);

  assert_int_equal (osm_throttle_take (&t, 4096, 1000), 0);
  assert_true (osm_throttle_take (&t, 4096, 1000) > 0);
  assert_true (osm_throttle_take (&t, 4096, 500) > 0);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (no_limit_lets_everything_through),
    cmocka_unit_test (the_rate_holds_over_every_second),
    cmocka_unit_test (late_sleepers_lose_nothing),
    cmocka_unit_test (two_threads_share_it),
    cmocka_unit_test (silence_is_not_saved_up),
    cmocka_unit_test (a_new_rate_holds_at_once),
    cmocka_unit_test (the_time_to_wait_is_enough),
    cmocka_unit_test (pieces_are_short_at_a_low_rate),
    cmocka_unit_test (a_clock_that_stands_still_does_no_harm),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
