/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include "nbd/compression.h"

#define MB UINT64_C (1000000)

/* One second on a slow link, with data that compresses, on an idle machine. */
static struct osm_compression_window
window (uint64_t now_ms, uint64_t megabytes)
{
  return (struct osm_compression_window){ .now_ms = now_ms,
                                          .ms = 1000,
                                          .data_bytes = megabytes * MB,
                                          .wire_bytes = megabytes * MB,
                                          .switched = true,
                                          .sample_ratio = 0.4,
                                          .sample_rate = 300 * MB,
                                          .idle_cores = 1.5 };
}

TEST (slow_link_and_data_that_compresses)
{
  struct osm_compression_rule rule = { 0 };
  struct osm_compression_window w = window (1000, 25);

  assert_true (osm_compression_decide (&rule, &w));
  assert_int_equal (rule.state, OSM_COMPRESSION_TRIAL);
  w = window (2000, 10);
  w.switched = false;
  assert_false (osm_compression_decide (&rule, &w));
  w = window (3000, 60);
  assert_true (osm_compression_decide (&rule, &w));
  assert_int_equal (rule.state, OSM_COMPRESSION_KEPT);
  w = window (4000, 60);
  w.wire_bytes = 25 * MB;
  assert_false (osm_compression_decide (&rule, &w));
}

TEST (no_reason_to_compress)
{
  struct osm_compression_rule rule = { 0 };
  struct osm_compression_window w = window (1000, 400); /* faster than a core compresses */

  assert_false (osm_compression_decide (&rule, &w));
  rule = (struct osm_compression_rule){ 0 };
  w = window (1000, 25);
  w.sample_ratio = 0.95;
  assert_false (osm_compression_decide (&rule, &w));
  w.sample_ratio = 0; /* not known */
  assert_false (osm_compression_decide (&rule, &w));
  rule = (struct osm_compression_rule){ 0 };
  w = window (1000, 200);
  w.idle_cores = 0.2;
  assert_false (osm_compression_decide (&rule, &w));
  assert_int_equal (rule.state, OSM_COMPRESSION_PLAIN);
}

TEST (busy_machine_but_a_link_that_is_far_slower)
{
  struct osm_compression_rule rule = { 0 };
  struct osm_compression_window w = window (1000, 25);

  w.idle_cores = 0;
  assert_true (osm_compression_decide (&rule, &w));
}

TEST (windows_with_zeros_between_do_not_make_a_fast_link_slow)
{
  struct osm_compression_rule rule = { 0 };
  struct osm_compression_window w = window (1000, 400);

  assert_false (osm_compression_decide (&rule, &w));
  w = window (2000, 20);
  assert_false (osm_compression_decide (&rule, &w));
}

TEST (trial_that_does_not_pay)
{
  struct osm_compression_rule rule = { 0 };
  struct osm_compression_window w = window (1000, 100);
  uint64_t now = 1000;

  for (uint64_t pause = 15000; pause <= 600000; pause *= 2) {
    uint64_t expected = pause < 300000 ? pause : 300000;

    assert_true (osm_compression_decide (&rule, &w));
    now += 1000;
    w = window (now, 105);
    assert_true (osm_compression_decide (&rule, &w));
    assert_int_equal (rule.state, OSM_COMPRESSION_PLAIN);
    w = window (now + expected - 1, 100);
    assert_false (osm_compression_decide (&rule, &w));
    now += expected;
    w = window (now, 100);
  }
}

TEST (trial_whose_connections_do_not_come_up)
{
  struct osm_compression_rule rule = { 0 };
  struct osm_compression_window w = window (1000, 25);

  assert_true (osm_compression_decide (&rule, &w));
  w = window (20000, 0);
  w.switched = false;
  assert_false (osm_compression_decide (&rule, &w));
  w.now_ms = 21000;
  assert_true (osm_compression_decide (&rule, &w));
  assert_int_equal (rule.state, OSM_COMPRESSION_PLAIN);
}

TEST (data_that_stops_compressing)
{
  struct osm_compression_rule rule = { .state = OSM_COMPRESSION_KEPT };
  struct osm_compression_window w = window (1000, 25);

  w.wire_bytes = 20 * MB;
  assert_false (osm_compression_decide (&rule, &w));
  w.wire_bytes = 24 * MB;
  assert_true (osm_compression_decide (&rule, &w));
  assert_int_equal (rule.state, OSM_COMPRESSION_PLAIN);
}

TEST (one_connection_at_a_time_is_made_anew)
{
  struct osm_compression *c = osm_compression_new (OSM_COMPRESSION_ON);

  osm_compression_opened (c, false);
  osm_compression_opened (c, false);
  assert_false (osm_compression_stale (c, true));
  assert_true (osm_compression_stale (c, false));
  assert_false (osm_compression_stale (c, false));
  osm_compression_closed (c, false);
  assert_false (osm_compression_stale (c, false));
  osm_compression_opened (c, true);
  assert_true (osm_compression_stale (c, false));
  osm_compression_free (c);
}

TEST (a_source_without_the_twin)
{
  struct osm_compression *c = osm_compression_new (OSM_COMPRESSION_ON);

  assert_false (osm_compression_refused (c));
  assert_true (osm_compression_wanted (c));
  osm_compression_free (c);
  c = osm_compression_new (OSM_COMPRESSION_AUTO);
  assert_true (osm_compression_refused (c));
  assert_false (osm_compression_wanted (c));
  osm_compression_free (c);
}

TEST (names)
{
  enum osm_compression_mode mode;
  OSM_ERROR (err);

  assert_int_equal (osm_compression_parse (NULL, &mode, &err), 0);
  assert_int_equal (mode, OSM_COMPRESSION_AUTO);
  assert_int_equal (osm_compression_parse ("on", &mode, &err), 0);
  assert_int_equal (mode, OSM_COMPRESSION_ON);
  assert_int_equal (osm_compression_parse ("off", &mode, &err), 0);
  assert_int_equal (mode, OSM_COMPRESSION_OFF);
  assert_int_equal (osm_compression_parse ("yes", &mode, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "auto, on or off");
}

TEST (without_an_object_nothing_is_compressed)
{
  assert_false (osm_compression_wanted (NULL));
  assert_false (osm_compression_stale (NULL, false));
  osm_compression_opened (NULL, false);
  osm_compression_passed (NULL, false, 5, "plain", 5);
  osm_compression_closed (NULL, false);
  assert_int_equal (osm_compression_wire_bytes (NULL), 0);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (slow_link_and_data_that_compresses),
    cmocka_unit_test (no_reason_to_compress),
    cmocka_unit_test (busy_machine_but_a_link_that_is_far_slower),
    cmocka_unit_test (windows_with_zeros_between_do_not_make_a_fast_link_slow),
    cmocka_unit_test (trial_that_does_not_pay),
    cmocka_unit_test (trial_whose_connections_do_not_come_up),
    cmocka_unit_test (data_that_stops_compressing),
    cmocka_unit_test (one_connection_at_a_time_is_made_anew),
    cmocka_unit_test (a_source_without_the_twin),
    cmocka_unit_test (names),
    cmocka_unit_test (without_an_object_nothing_is_compressed),
  };

  return cmocka_run_group_tests_name ("nbd/compression", tests, NULL, NULL);
}
