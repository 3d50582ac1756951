/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/strbuf.h"
#include "nbd/freemap.h"

#define K UINT64_C (65536)

/* Ranges in granules: offset, length, ..., end with 0 length. */
static void
fill (struct osm_freemap *m, uint64_t size, const uint64_t *ranges)
{
  OSM_ERROR (err);

  osm_freemap_init (m, size);
  for (; ranges[1]; ranges += 2)
    assert_int_equal (osm_freemap_add (m, ranges[0] * K, ranges[1] * K, &err), 0);
}

static void
is (const struct osm_freemap *m, const uint64_t *ranges)
{
  uint64_t sum = 0;
  size_t n = 0;

  for (; ranges[1]; ranges += 2, n++) {
    assert_true (n < m->nr);
    assert_int_equal (m->v[n].offset, ranges[0] * K);
    assert_int_equal (m->v[n].length, ranges[1] * K);
    sum += ranges[1] * K;
  }
  assert_int_equal (m->nr, n);
  assert_int_equal (m->free_bytes, sum);
}

static void
ranges_are_ascending_and_within_the_volume (void **state)
{
  OSM_FREEMAP (m);
  OSM_ERROR (err);
  (void)state;

  fill (&m, 100 * K, (const uint64_t[]){ 1, 2, 3, 1, 10, 5, 0, 0 });
  is (&m, (const uint64_t[]){ 1, 3, 10, 5, 0, 0 });
  assert_int_equal (osm_freemap_add (&m, 14 * K, K, &err), -1);
  assert_int_equal (osm_freemap_add (&m, 99 * K, 2 * K, &err), -1);
  assert_int_equal (osm_freemap_add (&m, UINT64_MAX, 2, &err), -1);
  assert_int_equal (osm_freemap_add (&m, 20 * K, UINT64_MAX, &err), -1);
}

static void
a_place_is_free_or_not (void **state)
{
  OSM_FREEMAP (m);
  uint64_t next = 0;
  (void)state;

  fill (&m, 20 * K, (const uint64_t[]){ 1, 2, 10, 5, 0, 0 });
  assert_int_equal (osm_freemap_at (&m, 0, &next), 0);
  assert_int_equal (next, K);
  assert_int_equal (osm_freemap_at (&m, K, &next), 2 * K);
  assert_int_equal (osm_freemap_at (&m, 3 * K - 1, &next), 1);
  assert_int_equal (osm_freemap_at (&m, 3 * K, &next), 0);
  assert_int_equal (next, 10 * K);
  assert_int_equal (osm_freemap_at (&m, 15 * K, &next), 0);
  assert_int_equal (next, 20 * K);
  assert_int_equal (osm_freemap_count (&m, 0, 20 * K), 7 * K);
  assert_int_equal (osm_freemap_count (&m, 2 * K, 9 * K), 2 * K);
  assert_int_equal (osm_freemap_count (&m, 3 * K, 7 * K), 0);
}

static void
the_mask_zeroes_what_is_free (void **state)
{
  OSM_FREEMAP (m);
  OSM_ERROR (err);
  char buf[10];
  (void)state;

  osm_freemap_init (&m, 100);
  assert_int_equal (osm_freemap_add (&m, 12, 3, &err), 0);
  assert_int_equal (osm_freemap_add (&m, 18, 30, &err), 0);
  memset (buf, 'x', sizeof buf);
  osm_freemap_mask (&m, buf, sizeof buf, 10);
  assert_memory_equal (buf, "xx\0\0\0xxx\0\0", 10);
  memset (buf, 'x', sizeof buf);
  osm_freemap_mask (&m, buf, sizeof buf, 50);
  assert_memory_equal (buf, "xxxxxxxxxx", 10);
}

static void
union_of_two (void **state)
{
  OSM_FREEMAP (a);
  OSM_FREEMAP (b);
  OSM_FREEMAP (m);
  OSM_ERROR (err);
  (void)state;

  fill (&a, 100 * K, (const uint64_t[]){ 1, 2, 10, 5, 30, 1, 0, 0 });
  fill (&b, 100 * K, (const uint64_t[]){ 0, 1, 2, 3, 11, 2, 31, 1, 50, 50, 0, 0 });
  osm_freemap_init (&m, 100 * K);
  assert_int_equal (osm_freemap_union (&m, &a, &b, &err), 0);
  is (&m, (const uint64_t[]){ 0, 5, 10, 5, 30, 2, 50, 50, 0, 0 });
}

static void
what_was_read_is_kept (void **state)
{
  OSM_FREEMAP (m);
  unsigned char bits[3] = { 0 };
  OSM_ERROR (err);
  (void)state;

  fill (&m, 20 * K + 5, (const uint64_t[]){ 1, 6, 10, 5, 0, 0 });
  assert_int_equal (osm_freemap_add (&m, 18 * K + 7, 2 * K - 2, &err), 0);
  bits[0] = 1u << 2 | 1u << 6;
  bits[1] = 1u << (10 - 8);
  bits[2] = 0;
  osm_freemap_subtract (&m, bits, K);
  assert_int_equal (m.nr, 4);
  assert_int_equal (m.v[0].offset, K);
  assert_int_equal (m.v[0].length, K);
  assert_int_equal (m.v[1].offset, 3 * K);
  assert_int_equal (m.v[1].length, 3 * K);
  assert_int_equal (m.v[2].offset, 11 * K);
  assert_int_equal (m.v[2].length, 4 * K);
  /* whole granules, but the short one at the end of the volume counts as whole */
  assert_int_equal (m.v[3].offset, 19 * K);
  assert_int_equal (m.v[3].length, K + 5);
  assert_int_equal (m.free_bytes, 9 * K + 5);
}

static void
the_smallest_go_first (void **state)
{
  OSM_FREEMAP (m);
  (void)state;

  fill (&m, 100 * K, (const uint64_t[]){ 0, 1, 2, 8, 20, 1, 22, 2, 30, 5, 0, 0 });
  osm_freemap_limit (&m, 5);
  assert_int_equal (m.nr, 5);
  osm_freemap_limit (&m, 2);
  is (&m, (const uint64_t[]){ 2, 8, 30, 5, 0, 0 });
  osm_freemap_limit (&m, 0);
  is (&m, (const uint64_t[]){ 0, 0 });
}

static void
files (void **state)
{
  OSM_FREEMAP (m);
  OSM_FREEMAP (back);
  OSM_ERROR (err);
  char path[] = "/tmp/test-freemap-XXXXXX";
  OSM_CLEANUP_FREE char *text = NULL;
  size_t len;
  int fd = mkstemp (path);
  (void)state;

  assert_true (fd >= 0);
  close (fd);
  unlink (path);
  assert_int_equal (osm_freemap_load (path, 100 * K, &back, &err), -1);
  assert_int_equal (err.code, ENOENT);
  osm_error_clear (&err);
  fill (&m, 100 * K, (const uint64_t[]){ 1, 2, 10, 5, 30, 1, 0, 0 });
  assert_int_equal (osm_freemap_save (&m, path, &err), 0);
  assert_int_equal (osm_freemap_load (path, 100 * K, &back, &err), 0);
  is (&back, (const uint64_t[]){ 1, 2, 10, 5, 30, 1, 0, 0 });
  assert_int_equal (osm_freemap_load (path, 101 * K, &back, &err), -1);
  osm_error_clear (&err);
  assert_int_equal (osm_file_read (path, 1 << 20, &text, &len, &err), 0);
  for (size_t n = 0; n < len; n++) {
    assert_int_equal (osm_file_write (path, text, n, 0600, &err), 0);
    assert_int_equal (osm_freemap_load (path, 100 * K, &back, &err), -1);
    osm_error_clear (&err);
  }
  text[24 + 16 + 7] = 1; /* a range beyond the end */
  assert_int_equal (osm_file_write (path, text, len, 0600, &err), 0);
  assert_int_equal (osm_freemap_load (path, 100 * K, &back, &err), -1);
  unlink (path);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (ranges_are_ascending_and_within_the_volume),
    cmocka_unit_test (a_place_is_free_or_not),
    cmocka_unit_test (the_mask_zeroes_what_is_free),
    cmocka_unit_test (union_of_two),
    cmocka_unit_test (what_was_read_is_kept),
    cmocka_unit_test (the_smallest_go_first),
    cmocka_unit_test (files),
  };

  return cmocka_run_group_tests_name ("nbd/freemap", tests, NULL, NULL);
}
