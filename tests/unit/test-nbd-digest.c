/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "nbd/digest.h"

/* Expected values: xxhsum -H2 of each chunk, hashlib.sha256 of their concatenation. */

#define PATTERN_LEN 100003

static char path[] = "/tmp/osm-test-XXXXXX";

static int
setup (void **state)
{
  int fd = mkstemp (path);

  (void)state;
  return fd == -1 ? -1 : close (fd);
}

static int
teardown (void **state)
{
  (void)state;
  return unlink (path);
}

static void
write_pattern (void)
{
  OSM_ERROR (err);
  OSM_CLEANUP_FREE unsigned char *buf = malloc (PATTERN_LEN);

  for (unsigned i = 0; i < PATTERN_LEN; i++)
    buf[i] = (unsigned char)(i * i * 7 + i / 251);
  assert_int_equal (osm_file_write (path, buf, PATTERN_LEN, 0600, &err), 0);
}

static void
check_pattern (bool drop_cache)
{
  struct osm_digest_options options = { .chunk_bytes = 4096, .drop_cache = drop_cache };
  OSM_CLEANUP_FREE char *first = NULL;
  OSM_CLEANUP_FREE char *last = NULL;
  OSM_CLEANUP_FREE char *none = NULL;
  OSM_ERROR (err);
  OSM_MANIFEST (m);

  write_pattern ();
  assert_int_equal (osm_digest_run (path, PATTERN_LEN, &options, &m, &err), 0);
  assert_int_equal (m.nr_chunks, 25);
  assert_string_equal (m.sha256,
                       "c577a316e053a858be786d2b8c6afb52701ad554e1ace568a1daaa90b03bb51d");
  first = osm_manifest_hex (&m, 0, 1);
  assert_string_equal (first, "1389feb581eb8597b0beef2bdb95863b");
  last = osm_manifest_hex (&m, 24, 100);
  assert_string_equal (last, "5a6d85f12d3da74eb7f17a3dee1d5111");
  none = osm_manifest_hex (&m, 25, 1);
  assert_string_equal (none, "");

  options.chunk_bytes = 65536;
  assert_int_equal (osm_digest_run (path, PATTERN_LEN, &options, &m, &err), 0);
  assert_string_equal (m.sha256,
                       "be4fcc18a8a29043cf15f245b3b846856203836db1ba043938bfb1e1d7768a85");
}

static void
digests_are_those_of_xxhsum (void **state)
{
  (void)state;
  check_pattern (false);
}

static void
digests_are_the_same_past_the_cache (void **state)
{
  (void)state;
  check_pattern (true);
}

static void
holes_read_as_zeros (void **state)
{
  const uint64_t size = (3 << 20) + 5;
  struct osm_digest_options options = { .chunk_bytes = 65536 };
  OSM_CLEANUP_FREE char *hex = NULL;
  OSM_ERROR (err);
  OSM_MANIFEST (m);
  char data[50];
  (void)state;

  memset (data, 0x5a, sizeof data);
  assert_int_equal (truncate (path, 0), 0);
  assert_int_equal (truncate (path, (off_t)size), 0);
  {
    OSM_CLEANUP_FILE FILE *f = fopen (path, "r+");

    assert_int_equal (fseek (f, (1 << 20) + 100, SEEK_SET), 0);
    assert_int_equal (fwrite (data, sizeof data, 1, f), 1);
  }
  for (int drop = 0; drop < 2; drop++) {
    options.drop_cache = drop;
    assert_int_equal (osm_digest_run (path, size, &options, &m, &err), 0);
    assert_int_equal (m.nr_chunks, 49);
    assert_string_equal (m.sha256,
                         "6fe7037526467c86b2b2b7f27dea644cc2566e97e3b1cfc0c89eb32514da4c88");
  }
  hex = osm_manifest_hex (&m, 16, 1);
  assert_string_equal (hex, "0dd2e0c518ef58bc927449bf2a6b0e29");
}

static void
an_empty_file_has_no_chunks (void **state)
{
  struct osm_digest_options options = { 0 };
  OSM_ERROR (err);
  OSM_MANIFEST (m);
  (void)state;

  assert_int_equal (truncate (path, 0), 0);
  assert_int_equal (osm_digest_run (path, 0, &options, &m, &err), 0);
  assert_int_equal (m.nr_chunks, 0);
  assert_string_equal (m.sha256,
                       "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void
another_size_is_refused (void **state)
{
  struct osm_digest_options options = { 0 };
  OSM_ERROR (err);
  OSM_MANIFEST (m);
  (void)state;

  write_pattern ();
  assert_int_equal (osm_digest_run (path, PATTERN_LEN + 1, &options, &m, &err), -1);
  assert_int_equal (err.class, OSM_ERROR_USER);
}

static void
chunks_of_odd_size_are_refused (void **state)
{
  static const uint64_t wrong[] = { 1, 4095, 6144, UINT64_C (2) << 30 };
  (void)state;

  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    struct osm_digest_options options = { .chunk_bytes = wrong[i] };
    OSM_ERROR (err);
    OSM_MANIFEST (m);

    assert_int_equal (osm_digest_run (path, 0, &options, &m, &err), -1);
  }
}

struct seen {
  atomic_bool cancel;
  uint64_t last;
  unsigned calls;
};

static void
cancel_at_second (void *data, uint64_t done)
{
  struct seen *seen = data;

  seen->last = done;
  if (++seen->calls == 2)
    atomic_store (&seen->cancel, true);
}

static void
a_cancelled_run_ends_as_interrupted (void **state)
{
  struct seen seen = { 0 };
  struct osm_digest_options options = { .chunk_bytes = 4096,
                                        .cancel = &seen.cancel,
                                        .progress = cancel_at_second,
                                        .progress_data = &seen };
  OSM_ERROR (err);
  OSM_MANIFEST (m);
  (void)state;

  write_pattern ();
  assert_int_equal (osm_digest_run (path, PATTERN_LEN, &options, &m, &err), -1);
  assert_int_equal (err.class, OSM_ERROR_INTERRUPTED);
  assert_int_equal (seen.calls, 2);
  assert_int_equal (seen.last, 8192);
  assert_null (m.digests);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (digests_are_those_of_xxhsum),
    cmocka_unit_test (digests_are_the_same_past_the_cache),
    cmocka_unit_test (holes_read_as_zeros),
    cmocka_unit_test (an_empty_file_has_no_chunks),
    cmocka_unit_test (another_size_is_refused),
    cmocka_unit_test (chunks_of_odd_size_are_refused),
    cmocka_unit_test (a_cancelled_run_ends_as_interrupted),
  };

  return cmocka_run_group_tests_name ("nbd/digest", tests, setup, teardown);
}
