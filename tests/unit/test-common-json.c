/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"

struct thing {
  char *id;
  uint64_t size;
  int64_t delta;
  double ratio;
  bool bootable;
  json_t *any, *object, *array;
  char *deep;
};

static const struct osm_json_field fields[] = {
  { "id", OSM_JSON_STRING, offsetof (struct thing, id), OSM_JSON_MANDATORY },
  { "size", OSM_JSON_UINT, offsetof (struct thing, size), 0 },
  { "delta", OSM_JSON_INT, offsetof (struct thing, delta), 0 },
  { "ratio", OSM_JSON_REAL, offsetof (struct thing, ratio), 0 },
  { "bootable", OSM_JSON_BOOL, offsetof (struct thing, bootable), 0 },
  { "any", OSM_JSON_ANY, offsetof (struct thing, any), 0 },
  { "object", OSM_JSON_OBJECT, offsetof (struct thing, object), 0 },
  { "array", OSM_JSON_ARRAY, offsetof (struct thing, array), 0 },
  { "links.os-x:y.href", OSM_JSON_STRING, offsetof (struct thing, deep), 0 },
  { NULL, OSM_JSON_ANY, 0, 0 },
};

static int
read_text (const char *text, struct thing *thing, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *object = NULL;

  if (osm_json_parse (text, strlen (text), "test", &object, err) == -1)
    return -1;
  return osm_json_read (object, fields, "thing", thing, err);
}

TEST (members_go_where_the_table_says)
{
  struct thing t = { 0 };
  OSM_ERROR (err);

  read_text ("{\"id\": \"a\", \"size\": 9223372036854775807, \"delta\": -3, \"ratio\": 2,"
             " \"bootable\": true, \"any\": [1], \"object\": {\"k\": 1}, \"array\": [1, 2],"
             " \"links\": {\"os-x:y\": {\"href\": \"h\"}}, \"unknown\": {}}",
             &t, &err);
  assert_no_error (&err);
  assert_string_equal (t.id, "a");
  assert_true (t.size == INT64_MAX);
  assert_int_equal (t.delta, -3);
  assert_true (t.ratio > 1.9 && t.ratio < 2.1);
  assert_true (t.bootable);
  assert_true (json_is_array (t.any));
  assert_int_equal (json_object_size (t.object), 1);
  assert_int_equal (json_array_size (t.array), 2);
  assert_string_equal (t.deep, "h");
  osm_json_done (fields, &t);
  assert_null (t.id);
  assert_null (t.any);
}

TEST (absent_and_null_members_leave_the_field)
{
  struct thing t = { .size = 7 };
  OSM_ERROR (err);

  read_text ("{\"id\": \"a\", \"size\": null, \"links\": null}", &t, &err);
  assert_no_error (&err);
  assert_true (t.size == 7);
  assert_null (t.deep);
  osm_json_done (fields, &t);
}

TEST (mandatory_members_must_be_there)
{
  struct thing t = { 0 };
  OSM_ERROR (err);

  assert_int_equal (read_text ("{}", &t, &err), -1);
  assert_error (&err, OSM_ERROR_REMOTE, "thing: member 'id' is missing");
  assert_int_equal (read_text ("{\"id\": null}", &t, &err), -1);
  assert_error (&err, OSM_ERROR_REMOTE, "thing: member 'id' is missing");
}

TEST (wrong_types_are_refused_and_nothing_leaks)
{
  const struct {
    const char *text, *message;
  } bad[] = {
    { "{\"id\": 1}", "'id' is an integer, expected a string" },
    { "{\"id\": {}}", "'id' is an object" },
    { "{\"id\": \"a\", \"any\": [], \"size\": -1}",
      "'size' is an integer, expected a non-negative" },
    { "{\"id\": \"a\", \"size\": 1.5}", "'size' is a real number" },
    { "{\"id\": \"a\", \"size\": \"5\"}", "'size' is a string" },
    { "{\"id\": \"a\", \"delta\": true}", "'delta' is a boolean" },
    { "{\"id\": \"a\", \"ratio\": \"x\"}", "'ratio' is a string" },
    { "{\"id\": \"a\", \"bootable\": 1}", "'bootable' is an integer" },
    { "{\"id\": \"a\", \"bootable\": \"yes\"}", "'bootable' is a string" },
    { "{\"id\": \"a\", \"object\": []}", "'object' is an array" },
    { "{\"id\": \"a\", \"object\": {}, \"array\": {}}", "'array' is an object" },
    { "{\"id\": \"a\", \"links\": [1]}", "there is an array instead of an object" },
    { "{\"id\": \"a\", \"links\": {\"os-x:y\": \"s\"}}", "there is a string instead" },
    { "[]", "an array instead of an object" },
  };

  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct thing t = { 0 };
    OSM_ERROR (err);

    assert_int_equal (read_text (bad[i].text, &t, &err), -1);
    assert_error (&err, OSM_ERROR_REMOTE, bad[i].message);
    assert_null (t.id);
    assert_null (t.any);
    osm_json_done (fields, &t);
  }
}

TEST (cinder_spells_booleans_as_strings)
{
  struct thing t = { 0 };
  OSM_ERROR (err);

  read_text ("{\"id\": \"a\", \"bootable\": \"True\"}", &t, &err);
  assert_no_error (&err);
  assert_true (t.bootable);
  read_text ("{\"id\": \"a\", \"bootable\": \"false\"}", &t, &err);
  assert_no_error (&err);
  assert_false (t.bootable);
  osm_json_done (fields, &t);
}

TEST (reading_again_replaces_without_a_leak)
{
  struct thing t = { 0 };
  OSM_ERROR (err);

  read_text ("{\"id\": \"a\", \"any\": [1]}", &t, &err);
  read_text ("{\"id\": \"b\", \"any\": [2]}", &t, &err);
  assert_no_error (&err);
  assert_string_equal (t.id, "b");
  osm_json_done (fields, &t);
}

TEST (nothing_instead_of_an_object)
{
  struct thing t = { 0 };
  OSM_ERROR (err);

  assert_int_equal (osm_json_read (NULL, fields, "reply", &t, &err), -1);
  assert_error (&err, OSM_ERROR_REMOTE, "reply: nothing instead of an object");
}

TEST (text_that_is_not_json_is_located)
{
  const struct {
    const char *text;
    size_t len;
  } bad[] = { { "", 0 },
              { "{", 1 },
              { "{\"a\": 1,}", 9 },
              { "{\"a\": 1, \"a\": 2}", 16 },
              { "{\"a\": \"\\u0000\"}", 15 },
              { "{\"a\": \"\xff\"}", 10 },
              { "{}\0", 3 },
              { "{\"a\": 99999999999999999999}", 27 },
              { "{\"a\": 1e999}", 12 },
              { "<html>", 6 } };

  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    json_t *value = NULL;
    OSM_ERROR (err);

    assert_int_equal (osm_json_parse (bad[i].text, bad[i].len, "reply of x", &value, &err), -1);
    assert_null (value);
    assert_error (&err, OSM_ERROR_REMOTE, "reply of x is not JSON: line ");
  }
}

TEST (dumped_text_is_compact)
{
  OSM_CLEANUP_JSON json_t *value = osm_json_pack ("{s:[i,n,b]}", "a", 1, 0);
  OSM_CLEANUP_FREE char *text = osm_json_dump (value);

  assert_string_equal (text, "{\"a\":[1,null,false]}");
}

TEST (strings_are_borrowed_only_when_they_are_strings)
{
  OSM_CLEANUP_JSON json_t *value = osm_json_pack ("{s:s, s:i}", "a", "x", "b", 1);

  assert_string_equal (osm_json_str (value, "a"), "x");
  assert_null (osm_json_str (value, "b"));
  assert_null (osm_json_str (value, "c"));
  assert_null (osm_json_str (NULL, "a"));
}

TEST (null_strings_are_not_set)
{
  OSM_CLEANUP_JSON json_t *value = json_object ();

  osm_json_set_str (value, "a", NULL);
  assert_int_equal (json_object_size (value), 0);
  osm_json_set_str (value, "a", "b");
  assert_string_equal (osm_json_str (value, "a"), "b");
}

static void
the_first_with_that_string_is_found (void **state)
{
  OSM_CLEANUP_JSON json_t *array = json_loads ("[7, {\"id\": 1}, {\"id\": \"a\", \"n\": 1},"
                                               " {\"id\": \"ab\"}, {\"id\": \"a\"}]",
                                               0, NULL);

  (void)state;
  assert_ptr_equal (osm_json_find (array, "id", "a"), json_array_get (array, 2));
  assert_ptr_equal (osm_json_find (array, "id", "ab"), json_array_get (array, 3));
  assert_null (osm_json_find (array, "id", "b"));
  assert_null (osm_json_find (array, "name", "a"));
  assert_null (osm_json_find (array, "id", NULL));
  assert_null (osm_json_find (NULL, "id", "a"));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (members_go_where_the_table_says),
    cmocka_unit_test (absent_and_null_members_leave_the_field),
    cmocka_unit_test (mandatory_members_must_be_there),
    cmocka_unit_test (wrong_types_are_refused_and_nothing_leaks),
    cmocka_unit_test (cinder_spells_booleans_as_strings),
    cmocka_unit_test (reading_again_replaces_without_a_leak),
    cmocka_unit_test (nothing_instead_of_an_object),
    cmocka_unit_test (text_that_is_not_json_is_located),
    cmocka_unit_test (dumped_text_is_compact),
    cmocka_unit_test (strings_are_borrowed_only_when_they_are_strings),
    cmocka_unit_test (the_first_with_that_string_is_found),
    cmocka_unit_test (null_strings_are_not_set),
  };

  return cmocka_run_group_tests_name ("common/json", tests, NULL, NULL);
}
