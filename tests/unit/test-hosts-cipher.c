/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <jansson.h>

#include "controller/hosts/internal.h"

static void
assert_cipher (const json_t *source, const json_t *destination, const char *cipher, const char *why)
{
  const char *is;

  if (cipher)
    assert_string_equal (osm_cipher_of (source, destination, &is), cipher);
  else
    assert_null (osm_cipher_of (source, destination, &is));
  if (why)
    assert_non_null (strstr (is, why));
  else
    assert_null (is);
}

TEST (aes_where_both_have_instructions)
{
  assert_cipher (json_true (), json_true (), "aes-gcm", "both");
}

TEST (one_without_instructions_decides)
{
  assert_cipher (json_false (), json_true (), "chacha20", "source's");
  assert_cipher (json_true (), json_false (), "chacha20", "destination's");
  assert_cipher (json_false (), json_false (), "chacha20", "the processors");
  assert_cipher (json_false (), NULL, "chacha20", "source's");
}

TEST (what_nobody_knows_is_measured)
{
  assert_cipher (NULL, json_true (), NULL, NULL);
  assert_cipher (json_true (), NULL, NULL, NULL);
  assert_cipher (NULL, NULL, NULL, NULL);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (aes_where_both_have_instructions),
    cmocka_unit_test (one_without_instructions_decides),
    cmocka_unit_test (what_nobody_knows_is_measured),
  };

  return cmocka_run_group_tests_name ("hosts/cipher", tests, NULL, NULL);
}
