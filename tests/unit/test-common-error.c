/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <errno.h>

#include "common/error.h"
#include "common/json.h"
#include "common/strbuf.h"

TEST (a_new_object_is_empty)
{
  OSM_ERROR (err);

  assert_false (osm_error_is_set (&err));
  assert_null (err.message);
}

TEST (setting_twice_keeps_the_cause)
{
  OSM_ERROR (err);

  assert_int_equal (osm_error_set (&err, OSM_ERROR_RETRY, 503, "first"), -1);
  osm_error_set (&err, OSM_ERROR_USER, 0, "second");
  osm_error_set_errno (&err, ENOENT, "third");
  assert_string_equal (err.message, "first");
  assert_int_equal (err.class, OSM_ERROR_RETRY);
  assert_int_equal (err.code, 503);
}

TEST (an_error_without_a_class_is_a_bug)
{
  OSM_ERROR (err);

  osm_error_set (&err, OSM_ERROR_NONE, 0, "what");
  assert_error (&err, OSM_ERROR_BUG, "what");
}

TEST (errno_is_explained_and_kept_as_code)
{
  OSM_ERROR (err);

  assert_int_equal (osm_error_set_errno (&err, ENOENT, "open %s", "x"), -1);
  assert_int_equal (err.code, ENOENT);
  assert_error (&err, OSM_ERROR_USER, "open x: No such file or directory");
}

TEST (lost_connections_may_be_tried_again)
{
  const int errnums[] = { ECONNRESET, EPIPE, ETIMEDOUT, EAGAIN, EINTR, ECONNREFUSED };

  for (size_t i = 0; i < sizeof errnums / sizeof errnums[0]; i++) {
    OSM_ERROR (err);

    osm_error_set_errno (&err, errnums[i], "x");
    assert_int_equal (err.class, OSM_ERROR_RETRY);
  }
}

TEST (wrapping_puts_context_before_and_keeps_the_rest)
{
  OSM_ERROR (err);

  osm_error_set (&err, OSM_ERROR_REMOTE, 404, "not found");
  osm_error_hint (&err, "look elsewhere");
  assert_int_equal (osm_error_wrap (&err, "volume %d", 7), -1);
  assert_string_equal (err.message, "volume 7: not found");
  assert_int_equal (err.class, OSM_ERROR_REMOTE);
  assert_int_equal (err.code, 404);
  assert_string_equal (err.hint, "look elsewhere");
}

TEST (wrapping_nothing_is_a_bug)
{
  OSM_ERROR (err);

  osm_error_wrap (&err, "copy");
  assert_error (&err, OSM_ERROR_BUG, "copy: failed without saying why");
}

TEST (a_hint_is_replaced)
{
  OSM_ERROR (err);

  osm_error_set (&err, OSM_ERROR_USER, 0, "x");
  osm_error_hint (&err, "one");
  osm_error_hint (&err, "two %d", 2);
  assert_string_equal (err.hint, "two 2");
}

TEST (moving_empties_the_source)
{
  OSM_ERROR (a);
  OSM_ERROR (b);

  osm_error_set (&a, OSM_ERROR_USER, 1, "a");
  osm_error_set (&b, OSM_ERROR_USER, 2, "b");
  osm_error_move (&a, &b);
  assert_string_equal (a.message, "b");
  assert_false (osm_error_is_set (&b));
  osm_error_move (&a, &a);
  assert_string_equal (a.message, "b");
}

TEST (a_copy_is_independent)
{
  OSM_ERROR (a);
  OSM_ERROR (b);

  osm_error_set (&a, OSM_ERROR_USER, 1, "a");
  osm_error_hint (&a, "h");
  osm_error_copy (&b, &a);
  osm_error_clear (&a);
  assert_string_equal (b.message, "a");
  assert_string_equal (b.hint, "h");
  osm_error_copy (&b, &b);
  assert_string_equal (b.message, "a");
}

TEST (class_names_and_back)
{
  for (int c = OSM_ERROR_NONE; c <= OSM_ERROR_INTERRUPTED; c++)
    assert_int_equal (osm_error_class_from_name (osm_error_class_name ((enum osm_error_class)c)),
                      c);
  assert_int_equal (osm_error_class_from_name ("nonsense"), OSM_ERROR_BUG);
  assert_int_equal (osm_error_class_from_name (NULL), OSM_ERROR_BUG);
  assert_string_equal (osm_error_class_name ((enum osm_error_class)99), "bug");
}

TEST (a_message_may_be_long)
{
  OSM_ERROR (err);
  static char big[20001];

  memset (big, 'x', sizeof big - 1);
  big[sizeof big - 1] = '\0';
  osm_error_set (&err, OSM_ERROR_USER, 0, "%s", big);
  assert_int_equal (strlen (err.message), 20000);
}

TEST (an_error_survives_the_control_channel)
{
  OSM_ERROR (sent);
  OSM_ERROR (got);
  json_t *object;

  osm_error_set (&sent, OSM_ERROR_RETRY, 503, "busy");
  osm_error_hint (&sent, "wait");
  object = osm_error_to_json (&sent);
  assert_int_equal (osm_error_from_json (object, &got), -1);
  json_decref (object);
  assert_int_equal (got.class, OSM_ERROR_RETRY);
  assert_int_equal (got.code, 503);
  assert_string_equal (got.message, "busy");
  assert_string_equal (got.hint, "wait");
}

TEST (a_hostile_error_object_still_is_an_error)
{
  const char *texts[] = { "{}", "[]", "{\"class\": \"none\", \"message\": 5, \"hint\": {}}",
                          "{\"class\": \"none\", \"code\": 99999999999, \"message\": \"%s%n\"}" };

  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    OSM_ERROR (err);
    json_t *object = json_loads (texts[i], 0, NULL);

    assert_int_equal (osm_error_from_json (object, &err), -1);
    assert_true (osm_error_is_set (&err));
    assert_int_equal (err.class, OSM_ERROR_BUG);
    assert_int_equal (err.code, 0);
    json_decref (object);
  }
}

TEST (a_message_that_is_not_utf8_can_be_sent)
{
  OSM_ERROR (err);
  json_t *object;

  osm_error_set (&err, OSM_ERROR_USER, 0, "open \xff\xfe");
  object = osm_error_to_json (&err);
  assert_string_equal (osm_json_str (object, "message"), "open \\xff\\xfe");
  json_decref (object);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_new_object_is_empty),
    cmocka_unit_test (setting_twice_keeps_the_cause),
    cmocka_unit_test (an_error_without_a_class_is_a_bug),
    cmocka_unit_test (errno_is_explained_and_kept_as_code),
    cmocka_unit_test (lost_connections_may_be_tried_again),
    cmocka_unit_test (wrapping_puts_context_before_and_keeps_the_rest),
    cmocka_unit_test (wrapping_nothing_is_a_bug),
    cmocka_unit_test (a_hint_is_replaced),
    cmocka_unit_test (moving_empties_the_source),
    cmocka_unit_test (a_copy_is_independent),
    cmocka_unit_test (class_names_and_back),
    cmocka_unit_test (a_message_may_be_long),
    cmocka_unit_test (an_error_survives_the_control_channel),
    cmocka_unit_test (a_hostile_error_object_still_is_an_error),
    cmocka_unit_test (a_message_that_is_not_utf8_can_be_sent),
  };

  return cmocka_run_group_tests_name ("common/error", tests, NULL, NULL);
}
