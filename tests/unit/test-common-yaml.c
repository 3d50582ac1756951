/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <stdlib.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "common/yaml.h"

static int
parse (const char *text, struct osm_yaml **ret, struct osm_error *err)
{
  return osm_yaml_parse (text, strlen (text), "f.yaml", ret, err);
}

#define assert_yaml(text, json)                                                \
  do {                                                                         \
    OSM_CLEANUP_YAML struct osm_yaml *doc_ = NULL;                             \
    OSM_CLEANUP_JSON json_t *want_ = json_loads (json, JSON_DECODE_ANY, NULL); \
    OSM_CLEANUP_FREE char *got_text_ = NULL;                                   \
    OSM_ERROR (err_);                                                          \
    parse (text, &doc_, &err_);                                                \
    assert_no_error (&err_);                                                   \
    assert_non_null (want_);                                                   \
    got_text_ = osm_json_dump (osm_yaml_root (doc_));                          \
    if (!json_equal (want_, osm_yaml_root (doc_)))                             \
      fail_msg ("got %s, expected %s", got_text_, json);                       \
  } while (0)

#define assert_refused(text, expected)                 \
  do {                                                 \
    struct osm_yaml *doc_ = NULL;                      \
    OSM_ERROR (err_);                                  \
    assert_int_equal (parse (text, &doc_, &err_), -1); \
    assert_null (doc_);                                \
    assert_error (&err_, OSM_ERROR_USER, expected);    \
  } while (0)

TEST (mappings_and_sequences_become_objects_and_arrays)
{
  assert_yaml ("a:\n  - 1\n  - b: x\nc: {}\n", "{\"a\": [1, {\"b\": \"x\"}], \"c\": {}}");
  assert_yaml ("[]", "[]");
}

TEST (plain_scalars_follow_the_core_schema)
{
  assert_yaml ("[~, null, Null, NULL, ]", "[null, null, null, null]");
  assert_yaml ("a:\n", "{\"a\": null}");
  assert_yaml ("[true, True, FALSE]", "[true, true, false]");
  assert_yaml ("[0, -5, +7, 0o17, 0xff, 007]", "[0, -5, 7, 15, 255, 7]");
  assert_yaml ("[1.5, .5, 1., -1e3]", "[1.5, 0.5, 1.0, -1000.0]");
}

TEST (what_yaml_1_1_took_for_booleans_stays_a_string)
{
  assert_yaml ("[yes, no, on, off, y, tRUE]",
               "[\"yes\", \"no\", \"on\", \"off\", \"y\", \"tRUE\"]");
}

TEST (what_only_looks_like_a_number_stays_a_string)
{
  assert_yaml ("[1.2.3, 10.0.0.0/24, 1e, '.', -, 0x, 0o8, 1_000, .inf, .nan, 12:30]",
               "[\"1.2.3\", \"10.0.0.0/24\", \"1e\", \".\", \"-\", \"0x\", \"0o8\", \"1_000\","
               " \".inf\", \".nan\", \"12:30\"]");
}

TEST (quoted_and_tagged_scalars_are_strings)
{
  assert_yaml ("['1', \"true\", '', !!str 5, ! null]", "[\"1\", \"true\", \"\", \"5\", \"null\"]");
  assert_yaml ("|\n  1\n  2\n", "\"1\\n2\\n\"");
}

TEST (an_empty_file_is_null)
{
  assert_yaml ("", "null");
  assert_yaml ("# only a comment\n", "null");
  assert_yaml ("---\n", "null");
}

TEST (aliases_are_resolved)
{
  assert_yaml ("a: &x [1]\nb: *x\n", "{\"a\": [1], \"b\": [1]}");
  assert_yaml ("[&x 1, *x, &x 2, *x]", "[1, 1, 2, 2]");
}

TEST (merge_keys_fill_in_what_is_missing)
{
  assert_yaml ("base: &b {region: x, verify: true}\nc:\n  <<: *b\n  region: y\n",
               "{\"base\": {\"region\": \"x\", \"verify\": true},"
               " \"c\": {\"region\": \"y\", \"verify\": true}}");
  assert_yaml ("- &a {x: 1}\n- &b {x: 2, y: 3}\n- <<: [*a, *b]\n",
               "[{\"x\": 1}, {\"x\": 2, \"y\": 3}, {\"x\": 1, \"y\": 3}]");
  assert_yaml ("'<<': 1\n", "{\"<<\": 1}");
}

TEST (a_merge_key_wants_mappings)
{
  assert_refused ("a: &a [1]\nb:\n  <<: *a\n", "f.yaml:3:3: '<<' wants a mapping");
  assert_refused ("<<: 5\n", "f.yaml:1:1: '<<' wants a mapping");
}

TEST (an_alias_needs_its_anchor_before_it)
{
  assert_refused ("a: *x\n", "f.yaml:1:4: alias of an anchor");
  assert_refused ("&x [*x]", "f.yaml:1:5: alias of an anchor");
}

TEST (a_laughing_file_is_refused)
{
  OSM_STRBUF (b);

  osm_strbuf_add (&b, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
  for (int i = 1; i < 10; i++)
    osm_strbuf_addf (&b, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i,
                     i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
  assert_refused (osm_strbuf_str (&b), "too many nodes");
}

TEST (deep_nesting_is_refused)
{
  char text[300];

  memset (text, '[', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  assert_refused (text, "nested too deeply");
}

TEST (a_key_twice_is_refused)
{
  assert_refused ("a: 1\nb: 2\na: 3\n", "f.yaml:3:1: key 'a' is there twice");
}

TEST (keys_must_be_scalars)
{
  assert_refused ("[a, b]: 1\n", "f.yaml:1:1: a key must be");
  assert_yaml ("1: a\ntrue: b\n", "{\"1\": \"a\", \"true\": \"b\"}");
}

TEST (numbers_out_of_range_are_refused)
{
  assert_refused ("id: 12345678901234567890123456789012\n", "f.yaml:1:5: number out of range");
  assert_refused ("[1e999]", "f.yaml:1:2: number out of range");
}

TEST (syntax_errors_have_a_position)
{
  assert_refused ("a: [1, 2\nb: 3\n", "f.yaml:2:");
  assert_refused ("a: 'x\n", "f.yaml:2:");
  assert_refused ("a:\n\t- b\n", "f.yaml:2:1:");
  assert_refused ("a: !custom x\n", "f.yaml:1:4: unknown tag");
  assert_refused ("a: 1\n---\nb: 2\n", "a second document");
}

TEST (bytes_that_are_not_text_are_refused)
{
  OSM_ERROR (err);
  struct osm_yaml *doc = NULL;

  assert_refused ("a: \xff\n", "f.yaml: at byte 3");
  assert_refused ("a: \"\\0\"\n", "f.yaml:1:4: a NUL character");
  assert_refused ("\"a\\0\": 1\n", "f.yaml:1:1: a NUL character in a key");
  assert_int_equal (osm_yaml_parse ("a: b\0c\n", 7, "f.yaml", &doc, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "f.yaml: at byte 4");
}

TEST (a_value_is_found_again)
{
  OSM_CLEANUP_YAML struct osm_yaml *doc = NULL;
  OSM_ERROR (err);
  const json_t *list;

  parse ("clouds:\n  src:\n    ports: [22,  x]\n", &doc, &err);
  assert_no_error (&err);
  list = json_object_get (json_object_get (json_object_get (osm_yaml_root (doc), "clouds"), "src"),
                          "ports");
  assert_int_equal (osm_yaml_error (doc, json_array_get (list, 1), &err, "not a %s", "port"), -1);
  assert_error (&err, OSM_ERROR_USER, "f.yaml:3:18: not a port");
}

TEST (a_key_is_found_again)
{
  OSM_CLEANUP_YAML struct osm_yaml *doc = NULL;
  OSM_ERROR (err);
  const json_t *inner;

  parse ("a:\n  good: 1\n  bad: true\n", &doc, &err);
  assert_no_error (&err);
  inner = json_object_get (osm_yaml_root (doc), "a");
  osm_yaml_key_error (doc, inner, "bad", &err, "unknown key '%s'", "bad");
  assert_error (&err, OSM_ERROR_USER, "f.yaml:3:3: unknown key 'bad'");
  osm_yaml_key_error (doc, inner, "missing", &err, "is missing");
  assert_error (&err, OSM_ERROR_USER, "f.yaml:2:3: is missing");
  /* true is one object for the whole program. */
  osm_yaml_error (doc, json_object_get (inner, "bad"), &err, "wrong");
  assert_error (&err, OSM_ERROR_USER, "f.yaml: wrong");
}

TEST (a_missing_file_is_named)
{
  struct osm_yaml *doc = NULL;
  OSM_ERROR (err);

  assert_int_equal (osm_yaml_load ("/nonexistent.yaml", &doc, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "/nonexistent.yaml");
  osm_yaml_free (NULL);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (mappings_and_sequences_become_objects_and_arrays),
    cmocka_unit_test (plain_scalars_follow_the_core_schema),
    cmocka_unit_test (what_yaml_1_1_took_for_booleans_stays_a_string),
    cmocka_unit_test (what_only_looks_like_a_number_stays_a_string),
    cmocka_unit_test (quoted_and_tagged_scalars_are_strings),
    cmocka_unit_test (an_empty_file_is_null),
    cmocka_unit_test (aliases_are_resolved),
    cmocka_unit_test (merge_keys_fill_in_what_is_missing),
    cmocka_unit_test (a_merge_key_wants_mappings),
    cmocka_unit_test (an_alias_needs_its_anchor_before_it),
    cmocka_unit_test (a_laughing_file_is_refused),
    cmocka_unit_test (deep_nesting_is_refused),
    cmocka_unit_test (a_key_twice_is_refused),
    cmocka_unit_test (keys_must_be_scalars),
    cmocka_unit_test (numbers_out_of_range_are_refused),
    cmocka_unit_test (syntax_errors_have_a_position),
    cmocka_unit_test (bytes_that_are_not_text_are_refused),
    cmocka_unit_test (a_value_is_found_again),
    cmocka_unit_test (a_key_is_found_again),
    cmocka_unit_test (a_missing_file_is_named),
  };

  return cmocka_run_group_tests_name ("common/yaml", tests, NULL, NULL);
}
