/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <stdlib.h>
#include <time.h>

#include "common/schedule.h"

static int
setup (void **state)
{
  (void)state;
  /* Central Europe, without a time zone database: clocks go forward on March 29, 2026 at 2:00, back on October 25 at 3:00. */
  setenv ("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
  tzset ();
  return 0;
}

static time_t
utc (int year, int month, int day, int hour, int minute)
{
  struct tm tm = {
    .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour, .tm_min = minute
  };

  return timegm (&tm);
}

static void
add (struct osm_schedule *s, const char *days, const char *from, const char *to, uint64_t rate)
{
  OSM_ERROR (err);

  osm_window_parse (days, from, to, rate, &s->windows[s->nr_windows++], &err);
  assert_no_error (&err);
}

TEST (without_windows_the_rate_is_always_the_same)
{
  const struct osm_schedule s = { .bytes_per_second = 7 };

  assert_int_equal (osm_rate_at (&s, utc (2026, 1, 5, 12, 0)), 7);
}

TEST (a_window_holds_from_its_first_minute_to_before_its_last)
{
  struct osm_schedule s = { .bytes_per_second = 50 };

  add (&s, "mon-fri", "08:00", "18:00", 10);
  /* January 5, 2026 is a Monday; local time is UTC + 1. */
  assert_int_equal (osm_rate_at (&s, utc (2026, 1, 5, 6, 59)), 50);
  assert_int_equal (osm_rate_at (&s, utc (2026, 1, 5, 7, 0)), 10);
  assert_int_equal (osm_rate_at (&s, utc (2026, 1, 5, 16, 59)), 10);
  assert_int_equal (osm_rate_at (&s, utc (2026, 1, 5, 17, 0)), 50);
  assert_int_equal (osm_rate_at (&s, utc (2026, 1, 9, 12, 0)), 10);
  assert_int_equal (osm_rate_at (&s, utc (2026, 1, 10, 12, 0)), 50);
}

TEST (a_window_over_midnight_belongs_to_the_day_on_which_it_begins)
{
  struct osm_schedule s = { .bytes_per_second = 50 };

  add (&s, "fri", "22:00", "06:00", 0);
  assert_int_equal (osm_rate_at (&s, utc (2026, 1, 9, 20, 59)), 50);
  assert_int_equal (osm_rate_at (&s, utc (2026, 1, 9, 21, 0)), 0);
  assert_int_equal (osm_rate_at (&s, utc (2026, 1, 10, 4, 59)), 0);
  assert_int_equal (osm_rate_at (&s, utc (2026, 1, 10, 5, 0)), 50);
  assert_int_equal (osm_rate_at (&s, utc (2026, 1, 9, 4, 0)), 50);
}

TEST (the_first_window_that_holds_counts)
{
  struct osm_schedule s = { .bytes_per_second = 50 };

  add (&s, "sat,sun", "00:00", "24:00", 3);
  add (&s, NULL, "12:00", "13:00", 4);
  assert_int_equal (osm_rate_at (&s, utc (2026, 1, 10, 11, 30)), 3);
  assert_int_equal (osm_rate_at (&s, utc (2026, 1, 12, 11, 30)), 4);
  assert_int_equal (osm_rate_at (&s, utc (2026, 1, 11, 22, 59)), 3);
  assert_int_equal (osm_rate_at (&s, utc (2026, 1, 11, 23, 0)), 50);
}

TEST (days_may_go_over_the_end_of_the_week)
{
  struct osm_schedule s = { .bytes_per_second = 0 };

  add (&s, "fri-mon", "00:00", "24:00", 1);
  assert_int_equal (osm_rate_at (&s, utc (2026, 1, 11, 12, 0)), 1);
  assert_int_equal (osm_rate_at (&s, utc (2026, 1, 5, 12, 0)), 1);
  assert_int_equal (osm_rate_at (&s, utc (2026, 1, 6, 12, 0)), 0);
}

TEST (clocks_that_change_are_followed)
{
  struct osm_schedule s = { .bytes_per_second = 50 };

  add (&s, NULL, "02:00", "03:00", 5);
  /* In spring 1:59 is followed by 3:00. */
  assert_int_equal (osm_rate_at (&s, utc (2026, 3, 29, 0, 59)), 50);
  assert_int_equal (osm_rate_at (&s, utc (2026, 3, 29, 1, 0)), 50);
  assert_int_equal (osm_rate_at (&s, utc (2026, 3, 30, 0, 0)), 5);
  /* In autumn 2:59 is followed by 2:00 once. */
  assert_int_equal (osm_rate_at (&s, utc (2026, 10, 24, 23, 59)), 50);
  assert_int_equal (osm_rate_at (&s, utc (2026, 10, 25, 0, 0)), 5);
  assert_int_equal (osm_rate_at (&s, utc (2026, 10, 25, 1, 59)), 5);
  assert_int_equal (osm_rate_at (&s, utc (2026, 10, 25, 2, 0)), 50);
}

TEST (what_is_no_window_is_refused)
{
  static const char *const bad[][3] = {
    { "", "08:00", "09:00" },     { "monday", "08:00", "09:00" },  { "mon-", "08:00", "09:00" },
    { "mon,", "08:00", "09:00" }, { "mon fri", "08:00", "09:00" }, { "mon", "8:00", "09:00" },
    { "mon", "24:00", "09:00" },  { "mon", "08:60", "09:00" },     { "mon", "08:00", "24:01" },
    { "mon", "08:00", "25:00" },  { "mon", "08:00", "08:00" },     { "mon", "08-00", "09:00" },
    { "mon", "", "09:00" },
  };
  struct osm_window w;

  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    OSM_ERROR (err);

    if (osm_window_parse (bad[i][0], bad[i][1], bad[i][2], 0, &w, &err) == 0)
      fail_msg ("accepted: %s %s %s", bad[i][0], bad[i][1], bad[i][2]);
    assert_int_equal (err.class, OSM_ERROR_USER);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (without_windows_the_rate_is_always_the_same),
    cmocka_unit_test (a_window_holds_from_its_first_minute_to_before_its_last),
    cmocka_unit_test (a_window_over_midnight_belongs_to_the_day_on_which_it_begins),
    cmocka_unit_test (the_first_window_that_holds_counts),
    cmocka_unit_test (days_may_go_over_the_end_of_the_week),
    cmocka_unit_test (clocks_that_change_are_followed),
    cmocka_unit_test (what_is_no_window_is_refused),
  };

  return cmocka_run_group_tests (tests, setup, NULL);
}
