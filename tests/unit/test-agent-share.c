/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include "agent/share.h"

#define ALL UINT64_MAX

TEST (without_limits_there_is_no_limit)
{
  struct osm_share v[] = { { .demand = ALL }, { .demand = 5 } };

  osm_share_rates (v, 2, 0);
  assert_int_equal (v[0].rate, 0);
  assert_int_equal (v[1].rate, 0);
  osm_share_rates (v, 0, 100);
}

TEST (the_limit_of_the_host_is_divided_evenly)
{
  struct osm_share v[] = { { .demand = ALL }, { .demand = ALL }, { .demand = ALL } };

  osm_share_rates (v, 3, 900);
  for (size_t i = 0; i < 3; i++)
    assert_int_equal (v[i].rate, 300);
  osm_share_rates (v, 1, 900);
  assert_int_equal (v[0].rate, 900);
}

TEST (what_one_may_not_use_goes_to_the_others)
{
  struct osm_share v[] = { { .demand = ALL, .limit = 100 }, { .demand = ALL }, { .demand = ALL } };

  osm_share_rates (v, 3, 900);
  assert_int_equal (v[0].rate, 100);
  assert_int_equal (v[1].rate, 400);
  assert_int_equal (v[2].rate, 400);
}

TEST (an_own_limit_above_the_share_changes_nothing)
{
  struct osm_share v[] = { { .demand = ALL, .limit = 800 }, { .demand = ALL } };

  osm_share_rates (v, 2, 900);
  assert_int_equal (v[0].rate, 450);
  assert_int_equal (v[1].rate, 450);
}

TEST (an_own_limit_holds_without_one_of_the_host)
{
  struct osm_share v[] = { { .demand = ALL, .limit = 800 }, { .demand = ALL } };

  osm_share_rates (v, 2, 0);
  assert_int_equal (v[0].rate, 800);
  assert_int_equal (v[1].rate, 0);
}

TEST (what_one_does_not_use_goes_to_the_others)
{
  struct osm_share v[] = { { .demand = 100 }, { .demand = ALL } };

  osm_share_rates (v, 2, 1000);
  assert_int_equal (v[0].rate, 100);
  assert_int_equal (v[1].rate, 900);
}

TEST (room_that_nobody_uses_is_there_for_all)
{
  struct osm_share v[] = { { .demand = 100 }, { .demand = 300, .limit = 350 }, { .demand = 0 } };

  osm_share_rates (v, 3, 1000);
  assert_int_equal (v[1].rate, 350);
  assert_int_equal (v[0].rate, 100 + 275);
  assert_int_equal (v[2].rate, 275);
}

TEST (a_group_has_a_limit_of_its_own)
{
  struct osm_share v[] = { { .group = "a", .group_limit = 200, .demand = ALL },
                           { .group = "b", .demand = ALL },
                           { .group = "a", .group_limit = 200, .demand = ALL, .limit = 50 },
                           { .demand = ALL } };

  osm_share_rates (v, 4, 0);
  assert_int_equal (v[0].rate, 150);
  assert_int_equal (v[1].rate, 0);
  assert_int_equal (v[2].rate, 50);
  assert_int_equal (v[3].rate, 0);
  osm_share_rates (v, 4, 1000);
  assert_int_equal (v[0].rate, 150);
  assert_int_equal (v[1].rate, 400);
  assert_int_equal (v[2].rate, 50);
  assert_int_equal (v[3].rate, 400);
}

TEST (everybody_gets_something)
{
  struct osm_share v[] = { { .demand = ALL }, { .demand = ALL }, { .demand = ALL } };

  osm_share_rates (v, 3, 2);
  for (size_t i = 0; i < 3; i++)
    assert_int_equal (v[i].rate, 1);
}

/* Whatever is asked, the sum keeps the limits. */
TEST (no_limit_is_ever_exceeded)
{
  uint64_t seed = 1;

  for (int round = 0; round < 2000; round++) {
    struct osm_share v[9];
    uint64_t host = 100 + round, sum = 0, group = 0;
    size_t n = 1 + (size_t)round % 9;

    for (size_t i = 0; i < n; i++) {
      seed = seed * 6364136223846793005U + 1442695040888963407U;
      v[i] = (struct osm_share){ .group = seed >> 40 & 1 ? "g" : NULL,
                                 .group_limit = 50,
                                 .limit = seed >> 41 & 1 ? 1 + (seed >> 44) % 300 : 0,
                                 .demand = seed >> 42 & 1 ? (seed >> 48) % 300 : ALL };
    }
    osm_share_rates (v, n, host);
    for (size_t i = 0; i < n; i++) {
      assert_true (v[i].rate > 0);
      assert_true (!v[i].limit || v[i].rate <= v[i].limit);
      sum += v[i].rate;
      group += v[i].group ? v[i].rate : 0;
    }
    assert_in_range (sum, 1, host + n);
    assert_in_range (group, 0, 50 + n);
  }
}

TEST (connections_and_memory)
{
  assert_int_equal (osm_share_connections (1), 8);
  assert_int_equal (osm_share_connections (3), 2);
  assert_int_equal (osm_share_connections (6), 1);
  assert_int_equal (osm_share_connections (100), 1);
  assert_int_equal (osm_share_memory (1), 64 << 20);
  assert_int_equal (osm_share_memory (4), 64 << 20);
  assert_int_equal (osm_share_memory (8), 32 << 20);
  assert_int_equal (osm_share_memory (128), 2 << 20);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (without_limits_there_is_no_limit),
    cmocka_unit_test (the_limit_of_the_host_is_divided_evenly),
    cmocka_unit_test (what_one_may_not_use_goes_to_the_others),
    cmocka_unit_test (an_own_limit_above_the_share_changes_nothing),
    cmocka_unit_test (an_own_limit_holds_without_one_of_the_host),
    cmocka_unit_test (what_one_does_not_use_goes_to_the_others),
    cmocka_unit_test (room_that_nobody_uses_is_there_for_all),
    cmocka_unit_test (a_group_has_a_limit_of_its_own),
    cmocka_unit_test (everybody_gets_something),
    cmocka_unit_test (no_limit_is_ever_exceeded),
    cmocka_unit_test (connections_and_memory),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
