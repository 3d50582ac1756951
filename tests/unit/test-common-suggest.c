/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include "common/suggest.h"

static const char *
nearest (const char *word)
{
  struct osm_suggestion s = osm_suggestion_for (word);

  osm_suggestion_offer (&s, "list");
  osm_suggestion_offer (&s, "migrate-server");
  osm_suggestion_offer (&s, "migrate-volume");
  osm_suggestion_offer (&s, "show");
  return s.best;
}

static void
swapped_letters_are_near (void **state)
{
  (void)state;
  assert_string_equal (nearest ("lsit"), "list");
  assert_string_equal (nearest ("migrate-sevrer"), "migrate-server");
}

static void
a_beginning_is_near (void **state)
{
  (void)state;
  assert_string_equal (nearest ("migrate-v"), "migrate-volume");
  assert_string_equal (nearest ("s"), "show");
}

static void
another_word_is_not (void **state)
{
  (void)state;
  assert_null (nearest ("frobnicate"));
  assert_null (nearest ("xy"));
  assert_null (nearest (""));
}

static void
a_very_long_word_is_not (void **state)
{
  (void)state;
  assert_null (nearest ("listlistlistlistlistlistlistlistlistlistlistlist"));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (swapped_letters_are_near),
    cmocka_unit_test (a_beginning_is_near),
    cmocka_unit_test (another_word_is_not),
    cmocka_unit_test (a_very_long_word_is_not),
  };

  return cmocka_run_group_tests_name ("common/suggest", tests, NULL, NULL);
}
