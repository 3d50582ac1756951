/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <stdlib.h>

#include "common/pace.h"

#define MIB (UINT64_C (1) << 20)
#define GIB (UINT64_C (1) << 30)

/* ---- rate ---- */

TEST (a_rate_is_unknown_until_the_second_look)
{
  struct osm_rate rate = { 0 };

  osm_rate_update (&rate, 0, 1000);
  assert_int_equal (osm_rate_get (&rate), 0);
  osm_rate_update (&rate, 100, 2000);
  assert_int_equal (osm_rate_get (&rate), 100);
}

TEST (a_rate_follows_slowly)
{
  struct osm_rate rate = { 0 };
  uint64_t bytes = 0, now = 0;

  for (int i = 0; i < 10; i++)
    osm_rate_update (&rate, bytes += 100, now += 1000);
  osm_rate_update (&rate, bytes += 700, now += 1000);
  assert_in_range (osm_rate_get (&rate), 150, 300);
  for (int i = 0; i < 60; i++)
    osm_rate_update (&rate, bytes += 700, now += 1000);
  assert_in_range (osm_rate_get (&rate), 695, 700);
}

TEST (waiting_for_the_first_byte_is_not_slow)
{
  struct osm_rate rate = { 0 };

  for (uint64_t now = 0; now <= 10000; now += 1000)
    osm_rate_update (&rate, 0, now);
  assert_int_equal (osm_rate_get (&rate), 0);
  osm_rate_update (&rate, 100, 11000);
  assert_int_equal (osm_rate_get (&rate), 100);
}

TEST (a_rate_starts_anew_when_the_count_goes_back)
{
  struct osm_rate rate = { 0 };

  osm_rate_update (&rate, 1000, 1000);
  osm_rate_update (&rate, 2000, 2000);
  osm_rate_update (&rate, 10, 3000);
  assert_int_equal (osm_rate_get (&rate), 0);
  osm_rate_update (&rate, 20, 4000);
  assert_int_equal (osm_rate_get (&rate), 10);
}

TEST (two_looks_at_the_same_moment_change_nothing)
{
  struct osm_rate rate = { 0 };

  osm_rate_update (&rate, 0, 1000);
  osm_rate_update (&rate, 500, 1000);
  osm_rate_update (&rate, 1000, 2000);
  assert_int_equal (osm_rate_get (&rate), 1000);
}

/* ---- what is left ---- */

static void
assert_left (const struct osm_pace_counts *c, uint64_t send, uint64_t skip)
{
  struct osm_pace_left left = osm_pace_left (c);

  assert_int_equal (left.send_bytes, send);
  assert_int_equal (left.skip_bytes, skip);
}

TEST (before_anything_is_known_all_may_be_data)
{
  assert_left (&(struct osm_pace_counts){ .size_bytes = 100, .unknown_bytes = 100 }, 100, 0);
}

TEST (what_is_known_counts_as_it_is)
{
  assert_left (&(struct osm_pace_counts){ .size_bytes = 100,
                                          .done_bytes = 50,
                                          .found_bytes = 50,
                                          .skipped_bytes = 30,
                                          .left_bytes = 30 },
               30, 20);
}

TEST (what_is_unknown_is_like_what_is_known)
{
  /* 40 of 100 were looked at: 10 data copied, 20 skipped, 10 data still to copy. */
  assert_left (&(struct osm_pace_counts){ .size_bytes = 100,
                                          .done_bytes = 30,
                                          .found_bytes = 20,
                                          .skipped_bytes = 20,
                                          .left_bytes = 10,
                                          .unknown_bytes = 60 },
               10 + 30, 30);
}

TEST (nothing_is_left_of_what_is_done)
{
  assert_left (
      &(struct osm_pace_counts){
          .size_bytes = 100, .done_bytes = 100, .found_bytes = 40, .skipped_bytes = 60 },
      0, 0);
  assert_left (&(struct osm_pace_counts){ 0 }, 0, 0);
}

TEST (counts_that_do_not_fit_do_no_harm)
{
  assert_left (
      &(struct osm_pace_counts){
          .size_bytes = 100, .done_bytes = 120, .left_bytes = 50, .unknown_bytes = UINT64_MAX },
      0, 0);
  assert_left (&(struct osm_pace_counts){ .size_bytes = UINT64_MAX, .unknown_bytes = UINT64_MAX },
               UINT64_MAX, 0);
}

/* ---- time left: a disk that is copied by a fake engine ---- */

struct disk {
  const char *map; /* a letter for each GiB: d data, z zero */
  uint64_t send_rate, skip_rate;
  uint64_t now, sent, skipped;
  struct osm_pace pace;
};

/* True time left; *counts as an engine would tell that looks one GiB ahead. */
static uint64_t
look (const struct disk *d, struct osm_pace_counts *c)
{
  uint64_t done = d->sent + d->skipped, ms = 0;

  *c = (struct osm_pace_counts){ .size_bytes = strlen (d->map) * GIB,
                                 .done_bytes = done,
                                 .skipped_bytes = d->skipped };
  c->unknown_bytes = c->size_bytes;
  for (uint64_t i = 0; d->map[i]; i++) {
    uint64_t start = i * GIB,
             left = done > start ? (done - start < GIB ? GIB - (done - start) : 0) : GIB;

    ms += left * 1000 / (d->map[i] == 'd' ? d->send_rate : d->skip_rate);
    if (start > done)
      continue;
    c->unknown_bytes -= GIB;
    if (d->map[i] == 'd') {
      c->found_bytes += GIB;
      c->left_bytes += left;
    }
  }
  return ms;
}

static void
advance (struct disk *d, uint64_t ms)
{
  for (uint64_t i = 0; i < ms; i++) {
    uint64_t at = (d->sent + d->skipped) / GIB, room = (at + 1) * GIB - d->sent - d->skipped, n;

    d->now++;
    if (!d->map[at])
      continue;
    n = (d->map[at] == 'd' ? d->send_rate : d->skip_rate) / 1000;
    n = n < room ? n : room;
    *(d->map[at] == 'd' ? &d->sent : &d->skipped) += n;
  }
  osm_pace_update (&d->pace, d->sent, d->skipped, d->now);
}

static int64_t
eta (const struct disk *d, uint64_t *ret_true)
{
  struct osm_pace_counts c;
  struct osm_pace_left left;

  *ret_true = look (d, &c);
  left = osm_pace_left (&c);
  return osm_pace_eta_ms (&d->pace, &left, d->now);
}

/* From the first second on known, at the end 0; within the factor of the truth from `from` GiB on to 20 s before the end. */
static void
copy (struct disk *d, uint64_t from, double factor)
{
  uint64_t truth = 1;

  advance (d, 1);
  for (int i = 0; i < 100000 && truth > 0; i++) {
    int64_t e;

    advance (d, 250);
    e = eta (d, &truth);
    if (d->now < 1500)
      continue;
    if (e < 0 && d->sent > 0)
      fail_msg ("unknown at %lu ms", (unsigned long)d->now);
    if ((d->sent + d->skipped) / GIB < from || truth < 20000)
      continue;
    if ((double)e > (double)truth * factor || (double)e < (double)truth / factor)
      fail_msg ("%s: at %lu ms %ld ms left, in truth %lu", d->map, (unsigned long)d->now, (long)e,
                (unsigned long)truth);
  }
  assert_int_equal (truth, 0);
  assert_int_equal (eta (d, &truth), 0);
}

TEST (a_full_disk)
{
  struct disk d = { .map = "dddddddddd", .send_rate = 100 * MIB, .skip_rate = 2000 * MIB };

  copy (&d, 0, 1.05);
}

TEST (an_empty_disk)
{
  struct disk d = { .map = "zzzzzzzzzzzzzzzzzzzz",
                    .send_rate = 100 * MIB,
                    .skip_rate = 2000 * MIB };

  copy (&d, 0, 1.05);
}

TEST (a_mixed_disk)
{
  struct disk d = { .map = "dzdzdzdzdzdzdzdzdzdz",
                    .send_rate = 100 * MIB,
                    .skip_rate = 2000 * MIB };

  copy (&d, 6, 1.5);
}

TEST (zeros_are_slow_to_read)
{
  struct disk d = { .map = "dzzdzzdzzdzzdzz", .send_rate = 200 * MIB, .skip_rate = 150 * MIB };

  copy (&d, 6, 1.6);
}

TEST (the_time_left_does_not_jump_in_a_long_empty_part)
{
  struct disk d = { .map = "ddddddddddzzzzzzzzzzdddddddddd",
                    .send_rate = 100 * MIB,
                    .skip_rate = 1000 * MIB };
  int64_t last = -1;
  uint64_t truth = 1;

  advance (&d, 1);
  while (truth > 0) {
    int64_t e;

    advance (&d, 500);
    e = eta (&d, &truth);
    if (d.now < 2000)
      continue;
    assert_true (e >= 0);
    if (last > 20000 && (e > last * 2 || e < last / 2))
      fail_msg ("from %ld to %ld ms", (long)last, (long)e);
    last = e;
  }
}

TEST (nothing_is_known_at_first)
{
  struct disk d = { .map = "dd", .send_rate = 10 * MIB, .skip_rate = 100 * MIB };
  uint64_t truth;

  assert_int_equal (eta (&d, &truth), -1);
  advance (&d, 1);
  advance (&d, 500);
  assert_int_equal (eta (&d, &truth), -1);
  advance (&d, 600);
  assert_in_range (eta (&d, &truth), 190000, 220000);
}

TEST (a_stall_makes_it_unknown_after_a_while)
{
  struct disk d = { .map = "dddd", .send_rate = 100 * MIB, .skip_rate = 100 * MIB };
  uint64_t truth;

  advance (&d, 1);
  advance (&d, 5000);
  d.send_rate = 0;
  for (int i = 0; i < 50; i++)
    osm_pace_update (&d.pace, d.sent, d.skipped, d.now += 250);
  d.send_rate = 100 * MIB;
  assert_true (eta (&d, &truth) > 0);
  for (int i = 0; i < 50; i++)
    osm_pace_update (&d.pace, d.sent, d.skipped, d.now += 250);
  assert_int_equal (eta (&d, &truth), -1);
  advance (&d, 250);
  assert_true (eta (&d, &truth) > 0);
}

TEST (another_rate_is_believed_after_some_seconds)
{
  struct disk d = { .map = "dddddddddddddddddddd",
                    .send_rate = 200 * MIB,
                    .skip_rate = 1000 * MIB };
  uint64_t truth;
  int64_t e;

  advance (&d, 1);
  for (int i = 0; i < 80; i++)
    advance (&d, 250);
  d.send_rate = 20 * MIB;
  for (int i = 0; i < 120; i++)
    advance (&d, 250);
  e = eta (&d, &truth);
  assert_in_range (e, truth * 6 / 10, truth * 11 / 10);
}

TEST (a_new_count_starts_anew)
{
  struct osm_pace pace = { 0 };
  const struct osm_pace_left left = { 100, 0 };

  osm_pace_update (&pace, 0, 0, 1000);
  osm_pace_update (&pace, 100, 0, 3000);
  assert_int_equal (osm_pace_eta_ms (&pace, &left, 3000), 2000);
  osm_pace_update (&pace, 0, 0, 4000);
  assert_int_equal (osm_pace_eta_ms (&pace, &left, 4000), -1);
}

TEST (what_takes_for_ever_is_unknown)
{
  struct osm_pace pace = { 0 };
  const struct osm_pace_left left = { UINT64_MAX, UINT64_MAX };

  osm_pace_update (&pace, 0, 0, 0);
  osm_pace_update (&pace, 1, 0, 2000);
  assert_int_equal (osm_pace_eta_ms (&pace, &left, 2000), -1);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_rate_is_unknown_until_the_second_look),
    cmocka_unit_test (a_rate_follows_slowly),
    cmocka_unit_test (waiting_for_the_first_byte_is_not_slow),
    cmocka_unit_test (a_rate_starts_anew_when_the_count_goes_back),
    cmocka_unit_test (two_looks_at_the_same_moment_change_nothing),
    cmocka_unit_test (before_anything_is_known_all_may_be_data),
    cmocka_unit_test (what_is_known_counts_as_it_is),
    cmocka_unit_test (what_is_unknown_is_like_what_is_known),
    cmocka_unit_test (nothing_is_left_of_what_is_done),
    cmocka_unit_test (counts_that_do_not_fit_do_no_harm),
    cmocka_unit_test (a_full_disk),
    cmocka_unit_test (an_empty_disk),
    cmocka_unit_test (a_mixed_disk),
    cmocka_unit_test (zeros_are_slow_to_read),
    cmocka_unit_test (the_time_left_does_not_jump_in_a_long_empty_part),
    cmocka_unit_test (nothing_is_known_at_first),
    cmocka_unit_test (a_stall_makes_it_unknown_after_a_while),
    cmocka_unit_test (another_rate_is_believed_after_some_seconds),
    cmocka_unit_test (a_new_count_starts_anew),
    cmocka_unit_test (what_takes_for_ever_is_unknown),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
