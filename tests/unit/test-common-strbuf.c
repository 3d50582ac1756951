/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <stdlib.h>

#include "common/cleanup.h"
#include "common/strbuf.h"

TEST (an_empty_buffer_reads_as_the_empty_string)
{
  OSM_STRBUF (b);
  char *s;

  assert_string_equal (osm_strbuf_str (&b), "");
  s = osm_strbuf_take (&b);
  assert_string_equal (s, "");
  free (s);
}

TEST (a_buffer_grows)
{
  OSM_STRBUF (b);

  for (int i = 0; i < 10000; i++)
    osm_strbuf_addf (&b, "%d,", i % 10);
  assert_int_equal (b.len, 20000);
  assert_memory_equal (osm_strbuf_str (&b), "0,1,2,", 6);
  assert_int_equal (b.s[b.len], 0);
}

TEST (a_buffer_keeps_nul_bytes)
{
  OSM_STRBUF (b);

  osm_strbuf_add_mem (&b, "a\0b", 3);
  osm_strbuf_add_mem (&b, NULL, 0);
  assert_int_equal (b.len, 3);
  assert_memory_equal (b.s, "a\0b", 4);
}

TEST (clearing_keeps_the_buffer_usable)
{
  OSM_STRBUF (b);

  osm_strbuf_add (&b, "old");
  osm_strbuf_clear (&b);
  assert_string_equal (osm_strbuf_str (&b), "");
  osm_strbuf_add (&b, "new");
  assert_string_equal (osm_strbuf_str (&b), "new");
}

TEST (taking_empties_the_buffer)
{
  OSM_STRBUF (b);
  char *s;

  osm_strbuf_add (&b, "x");
  s = osm_strbuf_take (&b);
  assert_string_equal (s, "x");
  assert_null (b.s);
  free (s);
}

TEST (copies_of_null_are_null)
{
  char *s = NULL;

  assert_null (osm_strdup (NULL));
  osm_str_set (&s, "a");
  osm_str_set (&s, s);
  assert_string_equal (s, "a");
  osm_str_set (&s, NULL);
  assert_null (s);
}

TEST (strndup_stops_at_the_nul)
{
  char *s = osm_strndup ("ab", 10);

  assert_string_equal (s, "ab");
  free (s);
  s = osm_strndup ("abc", 2);
  assert_string_equal (s, "ab");
  free (s);
}

TEST (equality_knows_null)
{
  assert_true (osm_str_equal (NULL, NULL));
  assert_false (osm_str_equal (NULL, ""));
  assert_false (osm_str_equal ("", NULL));
  assert_true (osm_str_equal ("a", "a"));
}

TEST (prefixes_and_suffixes)
{
  assert_true (osm_str_starts_with ("volume", "vol"));
  assert_false (osm_str_starts_with ("vol", "volume"));
  assert_true (osm_str_ends_with ("a.yaml", ".yaml"));
  assert_false (osm_str_ends_with ("yaml", "a.yaml"));
  assert_true (osm_str_ends_with ("x", ""));
}

TEST (splitting_keeps_empty_parts)
{
  char **v = osm_strv_split (":a::b:", ':');

  assert_int_equal (osm_strv_len (v), 5);
  assert_string_equal (v[0], "");
  assert_string_equal (v[1], "a");
  assert_string_equal (v[2], "");
  assert_string_equal (v[3], "b");
  assert_string_equal (v[4], "");
  osm_strv_free (v);
}

TEST (splitting_nothing_gives_one_empty_part)
{
  char **v = osm_strv_split ("", ',');

  assert_int_equal (osm_strv_len (v), 1);
  assert_string_equal (v[0], "");
  osm_strv_free (v);
}

TEST (joining_undoes_splitting)
{
  char **v = osm_strv_split ("a,,b", ',');
  char *s = osm_strv_join (v, ",");

  assert_string_equal (s, "a,,b");
  free (s);
  osm_strv_free (v);
  s = osm_strv_join (NULL, ",");
  assert_string_equal (s, "");
  free (s);
}

TEST (appending_to_null_makes_a_vector)
{
  OSM_CLEANUP_STRV char **v = NULL;

  assert_int_equal (osm_strv_len (NULL), 0);
  osm_strv_append (&v, "a");
  osm_strv_append (&v, "b");
  assert_int_equal (osm_strv_len (v), 2);
  assert_true (osm_strv_contains (v, "b"));
  assert_false (osm_strv_contains (v, "c"));
  assert_false (osm_strv_contains (NULL, "c"));
}

TEST (taking_a_pointer_leaves_null)
{
  OSM_CLEANUP_FREE char *s = osm_strdup ("x");
  char *t = osm_take (s);
  int fd = 7;

  assert_null (s);
  assert_string_equal (t, "x");
  free (t);
  assert_int_equal (osm_take_fd (&fd), 7);
  assert_int_equal (fd, -1);
}

TEST (memory_of_no_elements_can_be_freed)
{
  free (osm_calloc (0, 8));
  free (osm_realloc (NULL, 0, 8));
  osm_secret_free (NULL);
  osm_secret_free (osm_strdup ("secret"));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (an_empty_buffer_reads_as_the_empty_string),
    cmocka_unit_test (a_buffer_grows),
    cmocka_unit_test (a_buffer_keeps_nul_bytes),
    cmocka_unit_test (clearing_keeps_the_buffer_usable),
    cmocka_unit_test (taking_empties_the_buffer),
    cmocka_unit_test (copies_of_null_are_null),
    cmocka_unit_test (strndup_stops_at_the_nul),
    cmocka_unit_test (equality_knows_null),
    cmocka_unit_test (prefixes_and_suffixes),
    cmocka_unit_test (splitting_keeps_empty_parts),
    cmocka_unit_test (splitting_nothing_gives_one_empty_part),
    cmocka_unit_test (joining_undoes_splitting),
    cmocka_unit_test (appending_to_null_makes_a_vector),
    cmocka_unit_test (taking_a_pointer_leaves_null),
    cmocka_unit_test (memory_of_no_elements_can_be_freed),
  };

  return cmocka_run_group_tests_name ("common/strbuf", tests, NULL, NULL);
}
