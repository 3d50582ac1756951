/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <stdio.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/ui/format.h"

#define MIB (UINT64_C (1) << 20)
#define GIB (UINT64_C (1) << 30)

static const struct osm_ui_progress half = {
  .name = "data", .phase = "copy", .size_bytes = 2 * GIB, .done_bytes = GIB, .sent_bytes = GIB / 2
};

static void
assert_bar (const struct osm_ui_progress *p, uint64_t rate, size_t width, const char *expected)
{
  int64_t eta_ms = p->size_bytes == p->done_bytes ? 0
                   : rate ? (int64_t)((p->size_bytes - p->done_bytes) * 1000 / rate)
                          : -1;
  OSM_CLEANUP_FREE char *line = osm_format_bar (p, rate, eta_ms, width, false);

  assert_string_equal (line, expected);
}

/* ---- width ---- */

TEST (letters_take_one_column)
{
  assert_int_equal (osm_display_width (""), 0);
  assert_int_equal (osm_display_width ("abc"), 3);
  assert_int_equal (osm_display_width ("na\xc3\xafve"), 5);
}

TEST (wide_characters_take_two_columns)
{
  assert_int_equal (osm_display_width ("\xe6\x97\xa5\xe6\x9c\xac"), 4); /* Japan */
  assert_int_equal (osm_display_width ("\xed\x95\x9c"), 2);             /* Hangul */
  assert_int_equal (osm_display_width ("\xf0\x9f\x98\x80"), 2);         /* emoji */
  assert_int_equal (osm_display_width ("\xef\xbc\xa1"), 2);             /* full width A */
}

TEST (combining_marks_take_no_column)
{
  assert_int_equal (osm_display_width ("e\xcc\x81"), 1);
  assert_int_equal (osm_display_width ("\xe0\xb8\x81\xe0\xb8\xb4"), 1); /* Thai */
}

TEST (a_stray_byte_takes_one_column)
{
  assert_int_equal (osm_display_width ("\xff\xfe"), 2);
  assert_int_equal (osm_display_width ("a\xe6\x97"), 3);
}

static void
assert_fit (const char *s, size_t width, const char *expected)
{
  OSM_CLEANUP_FREE char *fit = osm_display_fit (s, width);

  assert_string_equal (fit, expected);
  assert_in_range (osm_display_width (fit), 0, width);
}

TEST (what_does_not_fit_is_cut)
{
  assert_fit ("volume", 6, "volume");
  assert_fit ("volume", 5, "volu~");
  assert_fit ("volume", 1, "~");
  assert_fit ("volume", 0, "");
  assert_fit ("\xe6\x97\xa5\xe6\x9c\xac", 4, "\xe6\x97\xa5\xe6\x9c\xac");
  assert_fit ("\xe6\x97\xa5\xe6\x9c\xac", 3, "\xe6\x97\xa5~");
  assert_fit ("\xe6\x97\xa5\xe6\x9c\xac", 2, "~");
}

TEST (a_hostile_name_is_quoted)
{
  assert_fit ("a\033[2Jb\n", 40, "a\\x1b[2Jb\\x0a");
  assert_fit ("\xe2\x80\xae"
              "exe",
              40, "\\xe2\\x80\\xaeexe");
}

/* ---- numbers ---- */

TEST (only_all_is_a_hundred_percent)
{
  assert_int_equal (osm_percent (0, 10), 0);
  assert_int_equal (osm_percent (5, 10), 50);
  assert_int_equal (osm_percent (UINT64_MAX - 1, UINT64_MAX), 99);
  assert_int_equal (osm_percent (10, 10), 100);
  assert_int_equal (osm_percent (11, 10), 100);
  assert_int_equal (osm_percent (0, 0), 100);
}

/* ---- bars ---- */

TEST (a_wide_terminal_gets_everything)
{
  assert_bar (&half, 100 * MIB, 110,
              "data                      50% copy   [############>            ]"
              "       1.0 GiB/2.0 GiB  100.0 MiB/s ETA 10s   ");
}

TEST (eighty_columns_are_enough_for_all_but_the_graph)
{
  assert_bar (&half, 100 * MIB, 79,
              "data                   50% copy         1.0 GiB/2.0 GiB  100.0 MiB/s ETA 10s   ");
}

TEST (a_narrow_terminal_gets_what_matters_most)
{
  assert_bar (&half, 100 * MIB, 60, "data           50% copy         1.0 GiB/2.0 GiB  100.0 MiB/s");
  assert_bar (&half, 100 * MIB, 42, "data      50% copy         1.0 GiB/2.0 GiB");
  assert_bar (&half, 100 * MIB, 20, "data      50% copy  ");
  assert_bar (&half, 100 * MIB, 13, "data      50%");
  assert_bar (&half, 100 * MIB, 5, "data ");
}

TEST (no_width_is_ever_exceeded)
{
  static const char *const names[] = { "", "data", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
                                       "a very long name of a volume, longer than all columns",
                                       "\033[31m\xff\xe2\x80\xae" };
  static const uint64_t sizes[] = { 0, 1, GIB, 1023 * GIB, UINT64_MAX };

  for (size_t n = 0; n < sizeof names / sizeof names[0]; n++)
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
      for (size_t width = 0; width < 200; width++) {
        struct osm_ui_progress p = {
          .name = names[n], .phase = "verify", .size_bytes = sizes[s], .done_bytes = sizes[s] / 3
        };
        OSM_CLEANUP_FREE char *line =
            osm_format_bar (&p, sizes[s] / 7, (int64_t)(sizes[s] / 9), width, false);

        if (osm_display_width (line) > width)
          fail_msg ("%zu columns in %zu: '%s'", osm_display_width (line), width, line);
      }
}

TEST (a_long_time_has_room)
{
  OSM_CLEANUP_FREE char *line = osm_format_bar (&half, MIB, INT64_C (999) * 3600 * 1000, 79, false);

  assert_non_null (strstr (line, "  1.0 MiB/s 999h 00m"));
}

TEST (a_volume_of_no_size_is_full)
{
  const struct osm_ui_progress p = { .name = "empty", .phase = "copy" };

  assert_bar (&p, 0, 79,
              "empty                 100% copy                 0 B/0 B              ETA 0.0s  ");
}

TEST (a_bar_without_a_rate_knows_no_end)
{
  assert_bar (&half, 0, 79,
              "data                   50% copy         1.0 GiB/2.0 GiB              ETA -     ");
}

TEST (a_finished_bar_has_neither_rate_nor_end)
{
  struct osm_ui_progress p = half;
  OSM_CLEANUP_FREE char *coloured = NULL;

  p.phase = "done";
  p.done_bytes = p.size_bytes;
  assert_bar (&p, 5, 79,
              "data                  100% done         2.0 GiB/2.0 GiB                        ");
  coloured = osm_format_bar (&p, 5, -1, 79, true);
  assert_non_null (strstr (coloured, " \033[32mdone  \033[0m "));
}

TEST (a_line_for_a_log)
{
  OSM_CLEANUP_FREE char *line = osm_format_progress (&half, 100 * MIB, 10000);
  struct osm_ui_progress p = half;
  OSM_CLEANUP_FREE char *done = NULL;

  assert_string_equal (line, "volume 'data': copy 50%, 1.0 GiB of 2.0 GiB, "
                             "512.0 MiB sent, 100.0 MiB/s, 10s left");
  p.phase = "done";
  p.name = "a\nb";
  done = osm_format_progress (&p, 0, -1);
  assert_string_equal (done, "volume 'a\\x0ab': done, 2.0 GiB, 512.0 MiB sent");
}

TEST (a_line_says_what_became_of_the_bytes)
{
  const struct osm_ui_progress p = { .phase = "copy",
                                     .size_bytes = 4 * GIB,
                                     .done_bytes = 2 * GIB,
                                     .found_bytes = 2 * GIB,
                                     .sent_bytes = GIB,
                                     .wire_bytes = GIB / 2,
                                     .zero_bytes = GIB / 4,
                                     .free_bytes = 3 * GIB / 4 };
  OSM_CLEANUP_FREE char *line = osm_format_progress (&p, 0, -1);

  assert_string_equal (line, "total: copy 50%, 2.0 GiB of 4.0 GiB, 2.0 GiB found to copy, 1.0 GiB "
                             "sent, 512.0 MiB on the wire, 256.0 MiB zero, 768.0 MiB free space");
}

/* ---- tables ---- */

TEST (a_table_is_as_wide_as_its_cells)
{
  static const char *const columns[] = { "ID", "NAME", "SIZE", NULL };
  OSM_CLEANUP_JSON json_t *rows =
      osm_json_pack ("[[s, s, i], [s, s, i], [s, n, n]]", "1", "\xe6\x97\xa5\xe6\x9c\xac", 5, "22",
                     "plain name", 1000, "3");
  OSM_CLEANUP_FREE char *table = osm_format_table (columns, rows);

  assert_string_equal (table, "ID  NAME        SIZE\n"
                              "1   \xe6\x97\xa5\xe6\x9c\xac           5\n"
                              "22  plain name  1000\n"
                              "3   -           -\n");
}

TEST (a_table_quotes_hostile_cells)
{
  static const char *const columns[] = { "NAME", NULL };
  OSM_CLEANUP_JSON json_t *rows = osm_json_pack ("[[s]]", "a\nb\033");
  OSM_CLEANUP_FREE char *table = osm_format_table (columns, rows);

  assert_string_equal (table, "NAME\na\\x0ab\\x1b\n");
}

TEST (an_empty_table_has_its_titles)
{
  static const char *const columns[] = { "A", "B", NULL };
  OSM_CLEANUP_JSON json_t *rows = json_array ();
  OSM_CLEANUP_FREE char *table = osm_format_table (columns, rows);

  assert_string_equal (table, "A  B\n");
}

TEST (an_unknown_output_is_refused)
{
  enum osm_ui_mode mode;
  OSM_ERROR (err);

  assert_int_equal (osm_ui_mode_parse ("xml", &mode, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "must be text or json, not 'xml'");
  osm_ui_mode_parse ("json", &mode, &err);
  assert_int_equal (mode, OSM_UI_JSON);
  osm_ui_mode_parse (NULL, &mode, &err);
  assert_int_equal (mode, OSM_UI_AUTO);
  assert_no_error (&err);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (letters_take_one_column),
    cmocka_unit_test (wide_characters_take_two_columns),
    cmocka_unit_test (combining_marks_take_no_column),
    cmocka_unit_test (a_stray_byte_takes_one_column),
    cmocka_unit_test (what_does_not_fit_is_cut),
    cmocka_unit_test (a_hostile_name_is_quoted),
    cmocka_unit_test (only_all_is_a_hundred_percent),
    cmocka_unit_test (a_wide_terminal_gets_everything),
    cmocka_unit_test (eighty_columns_are_enough_for_all_but_the_graph),
    cmocka_unit_test (a_narrow_terminal_gets_what_matters_most),
    cmocka_unit_test (no_width_is_ever_exceeded),
    cmocka_unit_test (a_long_time_has_room),
    cmocka_unit_test (a_volume_of_no_size_is_full),
    cmocka_unit_test (a_bar_without_a_rate_knows_no_end),
    cmocka_unit_test (a_finished_bar_has_neither_rate_nor_end),
    cmocka_unit_test (a_line_for_a_log),
    cmocka_unit_test (a_line_says_what_became_of_the_bytes),
    cmocka_unit_test (a_table_is_as_wide_as_its_cells),
    cmocka_unit_test (a_table_quotes_hostile_cells),
    cmocka_unit_test (an_empty_table_has_its_titles),
    cmocka_unit_test (an_unknown_output_is_refused),
  };

  return cmocka_run_group_tests_name ("controller/ui/format", tests, NULL, NULL);
}
