/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/yaml.h"
#include "common/yamlwrite.h"

static void
assert_dump (json_t *value, const char *wanted)
{
  OSM_CLEANUP_FREE char *text = osm_yaml_dump (value);

  assert_string_equal (text, wanted);
  json_decref (value);
}

TEST (keys_are_sorted_and_lists_stand_below_their_key)
{
  assert_dump (osm_json_pack ("{s:[{s:s, s:[i, i]}, s], s:{s:b}, s:n}", "list", "b", "x", "a", 1, 2,
                              "plain", "map", "k", 1, "_none"),
               "_none: null\n"
               "list:\n"
               "- a:\n"
               "  - 1\n"
               "  - 2\n"
               "  b: x\n"
               "- plain\n"
               "map:\n"
               "  k: true\n");
}

TEST (empty_collections_stay_in_their_line)
{
  assert_dump (osm_json_pack ("{s:[], s:{}, s:[[], {}]}", "a", "b", "c"), "a: []\n"
                                                                          "b: {}\n"
                                                                          "c:\n"
                                                                          "- []\n"
                                                                          "- {}\n");
  assert_dump (json_array (), "[]\n");
}

TEST (lists_in_lists)
{
  assert_dump (osm_json_pack ("[[s, s], [{s:i}]]", "a", "b", "k", 1), "- - a\n"
                                                                      "  - b\n"
                                                                      "- - k: 1\n");
}

/* Other parsers than ours follow YAML 1.1: yes, 012, 1:30 and 2026-01-01 are no text there. */
TEST (text_that_looks_like_something_else_is_quoted)
{
  static const char *const quoted[] = { "",      "yes",    "No",         "on",  "Y",      "~",
                                        "null",  "True",   "12",         "012", "1.5",    "1e3",
                                        "1_000", "0x1f",   "2026-01-01", "-",   "- a",    "a: b",
                                        "a #b",  "1:30",   "fe80::1",    "*a",  "%auth%", "@a",
                                        "{a}",   " blank", "a b",        "=",   "<<",     "?",
                                        "+1",    ".5",     "a:",         "!x",  "it's",   "\"" };
  static const char *const plain[] = { "web-1",    "n1",    "10.0.0.1", "10.0.0.0/24",
                                       "1.0.5",    "_info", "a.b/c",    "openstack.network.Network",
                                       "yesterday" };

  for (size_t i = 0; i < sizeof quoted / sizeof quoted[0]; i++) {
    OSM_CLEANUP_JSON json_t *value = json_string (quoted[i]);
    OSM_CLEANUP_FREE char *text = osm_yaml_dump (value);

    if (text[0] != '\'')
      fail_msg ("not quoted: %s", text);
  }
  for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
    OSM_CLEANUP_JSON json_t *value = json_string (plain[i]);
    OSM_CLEANUP_FREE char *text = osm_yaml_dump (value);

    assert_memory_equal (text, plain[i], strlen (plain[i]));
  }
}

TEST (everything_comes_back)
{
  OSM_CLEANUP_JSON json_t *value = osm_json_pack (
      "{s:s, s:s, s:s, s:s, s:s, s:i, s:f, s:[{s:n, s:[[], {s:s}]}], s:b, s:s}", "line\nbreak",
      "a\nb", "quote", "it's", "tab", "\t", "uni", "\xc3\xa4", "del", "\x7f", "n", -5, "r", 1.5,
      "l", "x", "y", "z", "12:30", "f", 0, "uuid", "0f2fbf6e-1111-4222-8333-123456789012");
  OSM_CLEANUP_FREE char *text = osm_yaml_dump (value);
  OSM_CLEANUP_YAML struct osm_yaml *doc = NULL;
  OSM_ERROR (err);

  osm_yaml_parse (text, strlen (text), "x", &doc, &err);
  assert_no_error (&err);
  assert_true (json_equal (osm_yaml_root (doc), value));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (keys_are_sorted_and_lists_stand_below_their_key),
    cmocka_unit_test (empty_collections_stay_in_their_line),
    cmocka_unit_test (lists_in_lists),
    cmocka_unit_test (text_that_looks_like_something_else_is_quoted),
    cmocka_unit_test (everything_comes_back),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
