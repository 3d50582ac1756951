/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <stdlib.h>

#include "common/cleanup.h"
#include "common/hash.h"

static void
assert_hash (const char *name, const char *wanted)
{
  OSM_CLEANUP_HASH struct osm_hash *hash = osm_hash_new (name);
  OSM_CLEANUP_FREE char *text = NULL;

  osm_hash_add (hash, "a", 1);
  osm_hash_add (hash, "bc", 2);
  text = osm_hash_text (hash);
  assert_string_equal (text, wanted);
}

/* RFC 1321, FIPS 180-4, FIPS 202, RFC 7693. */
TEST (known_answers)
{
  assert_hash ("md5", "900150983cd24fb0d6963f7d28e17f72");
  assert_hash ("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assert_hash ("sha512", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                         "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
  assert_hash ("sha3_256", "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
  assert_hash ("blake2b", "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
                          "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
}

TEST (unknown_ones_are_none)
{
  assert_null (osm_hash_new ("crc32"));
  assert_null (osm_hash_new (NULL));
  osm_hash_add (NULL, "x", 1);
  assert_null (osm_hash_text (NULL));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (known_answers),
    cmocka_unit_test (unknown_ones_are_none),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
