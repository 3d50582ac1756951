/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include "common/parse.h"

TEST (uint_takes_the_whole_range)
{
  OSM_ERROR (err);
  uint64_t n = 1;

  assert_int_equal (osm_parse_uint ("0", "n", 0, UINT64_MAX, &n, &err), 0);
  assert_true (n == 0);
  assert_int_equal (osm_parse_uint ("18446744073709551615", "n", 0, UINT64_MAX, &n, &err), 0);
  assert_true (n == UINT64_MAX);
}

TEST (uint_refuses_what_is_not_only_digits)
{
  const char *bad[] = { "", "-1", "+1", " 1", "1 ", "0x10", "1e3", "1.0", "\xd9\xa1", "1\n" };

  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    OSM_ERROR (err);
    uint64_t n = 42;

    assert_int_equal (osm_parse_uint (bad[i], "port", 0, UINT64_MAX, &n, &err), -1);
    assert_true (n == 42);
    assert_error (&err, OSM_ERROR_USER, "port '");
  }
}

TEST (uint_refuses_overflow)
{
  OSM_ERROR (err);
  uint64_t n;

  assert_int_equal (osm_parse_uint ("18446744073709551616", "n", 0, UINT64_MAX, &n, &err), -1);
  osm_error_clear (&err);
  assert_int_equal (osm_parse_uint ("99999999999999999999999999", "n", 0, UINT64_MAX, &n, &err),
                    -1);
}

TEST (uint_keeps_the_limits)
{
  OSM_ERROR (err);
  uint64_t n;

  assert_int_equal (osm_parse_uint ("1", "n", 1, 16, &n, &err), 0);
  assert_int_equal (osm_parse_uint ("16", "n", 1, 16, &n, &err), 0);
  assert_int_equal (osm_parse_uint ("17", "n", 1, 16, &n, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "from 1 to 16");
  assert_int_equal (osm_parse_uint ("0", "n", 1, 16, &n, &err), -1);
}

TEST (sizes_have_binary_units)
{
  const struct {
    const char *text;
    uint64_t bytes;
  } good[] = { { "0", 0 },
               { "4096", 4096 },
               { "64K", 65536 },
               { "64k", 65536 },
               { "64KiB", 65536 },
               { "3M", 3145728 },
               { "10G", 10737418240 },
               { "1T", 1099511627776 },
               { "15E", 17293822569102704640U } };

  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    OSM_ERROR (err);
    uint64_t n;

    assert_int_equal (osm_parse_size (good[i].text, "size", &n, &err), 0);
    assert_true (n == good[i].bytes);
  }
}

TEST (sizes_refuse_the_ambiguous_and_the_impossible)
{
  const char *bad[] = { "",   "K",   "1GB", "1g b", "16E", "1.5G",        "-1G",
                        "1Z", "1Ki", "1iB", "1KK",  " 1K", "20000000000T" };

  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    OSM_ERROR (err);
    uint64_t n = 42;

    assert_int_equal (osm_parse_size (bad[i], "block size", &n, &err), -1);
    assert_true (n == 42);
    assert_non_null (err.hint);
    assert_error (&err, OSM_ERROR_USER, "block size '");
  }
}

TEST (durations_default_to_seconds)
{
  const struct {
    const char *text;
    uint64_t ms;
  } good[] = { { "30", 30000 },  { "500ms", 500 },  { "30s", 30000 },
               { "5m", 300000 }, { "2h", 7200000 }, { "1d", 86400000 } };

  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    OSM_ERROR (err);
    uint64_t n;

    assert_int_equal (osm_parse_duration (good[i].text, "time", &n, &err), 0);
    assert_true (n == good[i].ms);
  }
}

TEST (durations_refuse_nonsense_and_overflow)
{
  const char *bad[] = { "", "s", "1 s", "1w", "-1s", "1.5s", "18446744073709551615s" };

  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    OSM_ERROR (err);
    uint64_t n;

    assert_int_equal (osm_parse_duration (bad[i], "time", &n, &err), -1);
    assert_error (&err, OSM_ERROR_USER, "is not a duration");
  }
}

TEST (booleans_in_all_spellings)
{
  const char *yes[] = { "true", "True", "YES", "on", "1" };
  const char *no[] = { "false", "FALSE", "no", "Off", "0" };
  OSM_ERROR (err);
  bool b;

  for (size_t i = 0; i < 5; i++) {
    assert_int_equal (osm_parse_bool (yes[i], "b", &b, &err), 0);
    assert_true (b);
    assert_int_equal (osm_parse_bool (no[i], "b", &b, &err), 0);
    assert_false (b);
  }
  assert_int_equal (osm_parse_bool ("", "b", &b, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "neither true nor false");
  assert_int_equal (osm_parse_bool ("2", "b", &b, &err), -1);
}

TEST (uuids_have_one_form)
{
  assert_true (osm_is_uuid ("01234567-89ab-cdef-ABCD-EF0123456789"));
  assert_false (osm_is_uuid (""));
  assert_false (osm_is_uuid ("01234567-89ab-cdef-abcd-ef012345678"));
  assert_false (osm_is_uuid ("01234567-89ab-cdef-abcd-ef01234567890"));
  assert_false (osm_is_uuid ("0123456789ab-cdef-abcd-ef0123456789--"));
  assert_false (osm_is_uuid ("g1234567-89ab-cdef-abcd-ef0123456789"));
  assert_false (osm_is_uuid ("../../../../../../../../../etc/passwd"));
}

TEST (safe_names_cannot_leave_a_folder)
{
  char longest[130];

  assert_true (osm_is_safe_name ("vol-1_a.b"));
  assert_true (osm_is_safe_name ("0"));
  assert_false (osm_is_safe_name (""));
  assert_false (osm_is_safe_name ("."));
  assert_false (osm_is_safe_name (".."));
  assert_false (osm_is_safe_name ("-rf"));
  assert_false (osm_is_safe_name ("a/b"));
  assert_false (osm_is_safe_name ("a b"));
  assert_false (osm_is_safe_name ("a\n"));
  assert_false (osm_is_safe_name ("\xc3\xa4"));
  memset (longest, 'a', sizeof longest);
  longest[128] = '\0';
  assert_true (osm_is_safe_name (longest));
  longest[128] = 'a';
  longest[129] = '\0';
  assert_false (osm_is_safe_name (longest));
}

TEST (new_uuids_are_valid_and_different)
{
  char a[OSM_UUID_LEN + 1], b[OSM_UUID_LEN + 1];

  osm_uuid_new (a);
  osm_uuid_new (b);
  assert_true (osm_is_uuid (a));
  assert_string_not_equal (a, b);
  assert_int_equal (a[14], '4');
  assert_non_null (strchr ("89ab", a[19]));
}

TEST (human_sizes)
{
  char buf[OSM_HUMAN_LEN];

  assert_string_equal (osm_human_size (0, buf), "0 B");
  assert_string_equal (osm_human_size (1023, buf), "1023 B");
  assert_string_equal (osm_human_size (1024, buf), "1.0 KiB");
  assert_string_equal (osm_human_size (12582912, buf), "12.0 MiB");
  assert_string_equal (osm_human_size (1610612736, buf), "1.5 GiB");
  assert_string_equal (osm_human_size (1048575, buf), "1023.9 KiB");
  assert_string_equal (osm_human_size (UINT64_MAX, buf), "15.9 EiB");
}

TEST (human_durations)
{
  char buf[OSM_HUMAN_LEN];

  assert_string_equal (osm_human_duration (0, buf), "0.0s");
  assert_string_equal (osm_human_duration (9990, buf), "9.9s");
  assert_string_equal (osm_human_duration (12300, buf), "12s");
  assert_string_equal (osm_human_duration (200000, buf), "3m 20s");
  assert_string_equal (osm_human_duration (3900000, buf), "1h 05m");
  assert_non_null (osm_human_duration (UINT64_MAX, buf));
}

TEST (checked_arithmetic_sees_overflow)
{
  uint64_t n;

  assert_true (osm_add_u64 (UINT64_MAX - 1, 1, &n));
  assert_true (n == UINT64_MAX);
  assert_false (osm_add_u64 (UINT64_MAX, 1, &n));
  assert_true (osm_mul_u64 (UINT32_MAX, UINT32_MAX, &n));
  assert_false (osm_mul_u64 (UINT64_MAX, 2, &n));
}

TEST (rates)
{
  static const struct {
    const char *text;
    uint64_t rate;
  } good[] = { { "unlimited", 0 },     { "1024", 1024 },        { "50M", 50 << 20 },
               { "1G", 1 << 30 },      { "200Mbit", 25000000 }, { "100kbit", 12500 },
               { "1Gbit", 125000000 }, { "64KiB", 65536 } };
  static const char *const bad[] = { "",     "0",     "1",     "1023", "50MB",  "-1",   "1.5M",
                                     "Mbit", "8kbit", "1mbit", "50 M", "1Tbit", "auto", "50M/s" };
  uint64_t rate;

  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    OSM_ERROR (err);

    osm_parse_rate (good[i].text, "rate", &rate, &err);
    assert_no_error (&err);
    assert_int_equal (rate, good[i].rate);
  }
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    OSM_ERROR (err);

    if (osm_parse_rate (bad[i], "rate", &rate, &err) == 0)
      fail_msg ("accepted: %s", bad[i]);
    assert_error (&err, OSM_ERROR_USER, "is not a rate");
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (rates),
    cmocka_unit_test (uint_takes_the_whole_range),
    cmocka_unit_test (uint_refuses_what_is_not_only_digits),
    cmocka_unit_test (uint_refuses_overflow),
    cmocka_unit_test (uint_keeps_the_limits),
    cmocka_unit_test (sizes_have_binary_units),
    cmocka_unit_test (sizes_refuse_the_ambiguous_and_the_impossible),
    cmocka_unit_test (durations_default_to_seconds),
    cmocka_unit_test (durations_refuse_nonsense_and_overflow),
    cmocka_unit_test (booleans_in_all_spellings),
    cmocka_unit_test (uuids_have_one_form),
    cmocka_unit_test (safe_names_cannot_leave_a_folder),
    cmocka_unit_test (new_uuids_are_valid_and_different),
    cmocka_unit_test (human_sizes),
    cmocka_unit_test (human_durations),
    cmocka_unit_test (checked_arithmetic_sees_overflow),
  };

  return cmocka_run_group_tests_name ("common/parse", tests, NULL, NULL);
}
