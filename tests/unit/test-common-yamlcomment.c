/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test-json.h"

#include "common/yaml.h"
#include "common/yamlcomment.h"
#include "common/yamlwrite.h"

/* Read, changed to `value` (NULL: left as it is), and written again. */
static void
assert_again (const char *text, const char *value, const char *wanted)
{
  OSM_CLEANUP_YAML struct osm_yaml *doc = NULL;
  OSM_CLEANUP_JSON json_t *comments = NULL, *there = NULL, *other = value ? parse (value) : NULL;
  OSM_CLEANUP_FREE char *written = NULL;
  OSM_ERROR (err);

  osm_yaml_parse (text, strlen (text), "file", &doc, &err);
  assert_no_error (&err);
  osm_yaml_comments (text, strlen (text), "file", &comments, &err);
  assert_no_error (&err);
  if (!other)
    other = json_incref (osm_yaml_root (doc));
  there = osm_yaml_comments_on (comments, other);
  written = osm_yaml_dump_commented (other, there);
  assert_string_equal (written, wanted);
}

TEST (comments_stay_where_they_are)
{
  static const char text[] = "# of the file\n"
                             "a: 1  # of a\n"
                             "# two lines\n"
                             "# of b\n"
                             "b:  # behind b\n"
                             "# of the first\n"
                             "- k: 'x # y'  # of k\n"
                             "  # of l\n"
                             "  l: [] # of []\n"
                             "# of the second\n"
                             "- m:\n"
                             "  - 2  # two\n"
                             "# the end\n";

  assert_again (text, NULL,
                "# of the file\n"
                "a: 1  # of a\n"
                "# two lines\n"
                "# of b\n"
                "b:  # behind b\n"
                "# of the first\n"
                "- k: 'x # y'  # of k\n"
                "  # of l\n"
                "  l: []  # of []\n"
                "# of the second\n"
                "- m:\n"
                "  - 2  # two\n"
                "# the end\n");
}

TEST (written_otherwise_they_go_with_their_keys)
{
  assert_again ("z: {w: 1, v: 2} # flow\n"
                "# of a\n"
                "a:\n"
                "    b: \"text # no comment\n"
                "      # nor this\"\n"
                "    c: |\n"
                "      # nor that\n"
                "    # of d\n"
                "    d: é # ü\n",
                NULL,
                "# of a\n"
                "a:\n"
                "  b: 'text # no comment # nor this'\n"
                "  c: \"# nor that\\n\"\n"
                "  # of d\n"
                "  d: \"é\"  # ü\n"
                "z:\n"
                "  v: 2  # flow\n"
                "  w: 1\n");
}

TEST (keys_that_come_after_a_dash_in_another_order)
{
  assert_again ("- b: 1\n"
                "  # of a\n"
                "  a: 2\n",
                NULL,
                "# of a\n"
                "- a: 2\n"
                "  b: 1\n");
  assert_again ("- # of the list\n  - 1\n", NULL, "# of the list\n- - 1\n");
}

TEST (what_goes_leaves_its_comments)
{
  assert_again ("a:\n"
                "  # of x\n"
                "  x: 1  # behind x\n"
                "  w: 2\n",
                "{'a': {'w': 2}}",
                "# of x\n"
                "# behind x\n"
                "a:\n"
                "  w: 2\n");
  assert_again ("# of x\nx: 1\n", "{'a': 2}", "a: 2\n# of x\n");
}

TEST (names_with_slashes)
{
  assert_again ("# of it\n'a/b~c': 1\nd: 2\n", NULL, "# of it\n'a/b~c': 1\nd: 2\n");
}

TEST (where_they_stood)
{
  static const char text[] = "a: 1\n# one\n\n# two\nb: 2\n";
  OSM_CLEANUP_JSON json_t *comments = NULL;
  OSM_ERROR (err);

  osm_yaml_comments (text, strlen (text), "file", &comments, &err);
  assert_json (comments,
               "{'/b': {'before': [{'text': '# one', 'line': 2}, {'text': '# two', 'line': 4}]}}");
}

TEST (nonsense_is_an_error)
{
  OSM_CLEANUP_JSON json_t *comments = NULL;
  OSM_ERROR (err);

  assert_int_equal (osm_yaml_comments ("a: [", 4, "file", &comments, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "file: is not YAML");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (comments_stay_where_they_are),
    cmocka_unit_test (written_otherwise_they_go_with_their_keys),
    cmocka_unit_test (keys_that_come_after_a_dash_in_another_order),
    cmocka_unit_test (what_goes_leaves_its_comments),
    cmocka_unit_test (names_with_slashes),
    cmocka_unit_test (where_they_stood),
    cmocka_unit_test (nonsense_is_an_error),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
