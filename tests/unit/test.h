/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What every unit test starts with: cmocka, the headers it wants before it, and assertions about
 * errors.
 *
 *   TEST (size_without_a_unit_is_bytes)
 *   {
 *     OSM_ERROR (err);
 *     ...
 *     assert_error (&err, OSM_ERROR_USER, "is not a size");
 *   }
 */

#ifndef OSM_TESTS_UNIT_TEST_H
#define OSM_TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/error.h"

/* A test without a fixture. */
#define TEST(name) static void name (__attribute__ ((unused)) void **state)

#define assert_no_error(err)                       \
  do {                                             \
    if (osm_error_is_set (err))                    \
      fail_msg ("unexpected: %s", (err)->message); \
  } while (0)

/* An error of that class whose message contains the text; it is cleared. */
#define assert_error(err, expected_class, text)                        \
  do {                                                                 \
    if (!osm_error_is_set (err))                                       \
      fail_msg ("no error, expected: %s", text);                       \
    if (strstr ((err)->message, text) == NULL)                         \
      fail_msg ("message is: %s; expected: %s", (err)->message, text); \
    assert_string_equal (osm_error_class_name ((err)->class),          \
                         osm_error_class_name (expected_class));       \
    osm_error_clear (err);                                             \
  } while (0)

#endif
