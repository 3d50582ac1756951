/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/strbuf.h"
#include "nbd/freemap.h"
#include "nbd/reads.h"
#include "nbd/server.h"

#define SIZE ((UINT64_C (6) << 20) + 777) /* the last page is a part of one */
#define OPTION UINT64_C (0x49484156454f5054)

/* A volume with data in [1 MiB, 5 MiB) and at its end, a server thread, and our end of the connection. */
struct fixture {
  int file, fd, theirs;
  char *content, *free_path, *reads_path;
  struct osm_volume *volume;
  pthread_t thread;
  struct osm_error err;
};

static void *
serve (void *data)
{
  struct fixture *f = data;

  (void)osm_serve (f->volume, f->theirs, f->theirs, &f->err);
  shutdown (f->theirs, SHUT_RDWR);
  return NULL;
}

static void
start (struct fixture *f)
{
  struct osm_volume_options options = { .size_bytes = SIZE };
  uint64_t x = 1;
  int pair[2];
  OSM_ERROR (err);

  f->content = osm_calloc (1, SIZE);
  for (uint64_t i = 1 << 20; i < 5 << 20; i++)
    f->content[i] = (char)((x = x * 6364136223846793005u + 1442695040888963407u) >> 56);
  f->content[SIZE - 1] = 'z';
  f->file = memfd_create ("volume", MFD_CLOEXEC);
  assert_int_equal (ftruncate (f->file, SIZE), 0);
  assert_int_equal (pwrite (f->file, f->content + (1 << 20), 4 << 20, 1 << 20), 4 << 20);
  assert_int_equal (pwrite (f->file, "z", 1, SIZE - 1), 1);
  options.fd = f->file;
  options.free_path = f->free_path;
  options.reads_path = f->reads_path;
  assert_int_equal (osm_volume_new (&options, &f->volume, &err), 0);
  assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  f->fd = pair[0];
  f->theirs = pair[1];
  assert_int_equal (pthread_create (&f->thread, NULL, serve, f), 0);
}

static void
stop (struct fixture *f)
{
  if (f->fd >= 0)
    close (f->fd);
  pthread_join (f->thread, NULL);
  close (f->theirs);
  osm_volume_free (f->volume);
  close (f->file);
  osm_error_done (&f->err);
  free (f->content);
}

static void
get (struct fixture *f, void *buf, size_t len)
{
  assert_int_equal (recv (f->fd, buf, len, MSG_WAITALL), len);
}

static uint16_t
get16 (struct fixture *f)
{
  uint16_t v;

  get (f, &v, sizeof v);
  return be16toh (v);
}

static uint32_t
get32 (struct fixture *f)
{
  uint32_t v;

  get (f, &v, sizeof v);
  return be32toh (v);
}

static uint64_t
get64 (struct fixture *f)
{
  uint64_t v;

  get (f, &v, sizeof v);
  return be64toh (v);
}

static void
put (struct fixture *f, const void *bytes, size_t len)
{
  assert_int_equal (send (f->fd, bytes, len, MSG_NOSIGNAL), len);
}

static void
put16 (struct fixture *f, uint16_t v)
{
  v = htobe16 (v);
  put (f, &v, sizeof v);
}

static void
put32 (struct fixture *f, uint32_t v)
{
  v = htobe32 (v);
  put (f, &v, sizeof v);
}

static void
put64 (struct fixture *f, uint64_t v)
{
  v = htobe64 (v);
  put (f, &v, sizeof v);
}

static void
greet (struct fixture *f, uint32_t flags)
{
  assert_int_equal (get64 (f), UINT64_C (0x4e42444d41474943));
  assert_int_equal (get64 (f), OPTION);
  assert_int_equal (get16 (f), 3);
  put32 (f, flags);
}

static void
put_option (struct fixture *f, uint32_t option, uint32_t len)
{
  put64 (f, OPTION);
  put32 (f, option);
  put32 (f, len);
}

/* The type of one answer; its body is left to be read. */
static uint32_t
get_answer (struct fixture *f, uint32_t option, uint32_t *ret_len)
{
  uint32_t type;

  assert_int_equal (get64 (f), UINT64_C (0x0003e889045565a9));
  assert_int_equal (get32 (f), option);
  type = get32 (f);
  *ret_len = get32 (f);
  return type;
}

static void
expect_answer (struct fixture *f, uint32_t option, uint32_t type, uint32_t len)
{
  uint32_t n;

  assert_int_equal (get_answer (f, option, &n), type);
  assert_int_equal (n, len);
}

static void
put_name (struct fixture *f, const char *name)
{
  put32 (f, (uint32_t)strlen (name));
  put (f, name, strlen (name));
}

static void
structured (struct fixture *f)
{
  put_option (f, 8, 0);
  expect_answer (f, 8, 1, 0);
}

static void
set_context (struct fixture *f, const char *export)
{
  char buf[19];

  put_option (f, 10, (uint32_t)(4 + strlen (export) + 4 + 4 + 15));
  put_name (f, export);
  put32 (f, 1);
  put_name (f, "base:allocation");
  expect_answer (f, 10, 4, 19);
  get (f, buf, sizeof buf);
  assert_memory_equal (buf + 4, "base:allocation", 15);
  expect_answer (f, 10, 1, 0);
}

static void
go (struct fixture *f, const char *export)
{
  put_option (f, 7, (uint32_t)(4 + strlen (export) + 2));
  put_name (f, export);
  put16 (f, 0);
  expect_answer (f, 7, 3, 12);
  assert_int_equal (get16 (f), 0);
  assert_int_equal (get64 (f), SIZE);
  assert_int_equal (get16 (f), 1 | 2 | 1 << 8);
  expect_answer (f, 7, 1, 0);
}

static void
begin (struct fixture *f, const char *export)
{
  start (f);
  greet (f, 3);
  structured (f);
  set_context (f, export);
  go (f, export);
}

static void
ask (struct fixture *f, uint16_t flags, uint16_t type, uint64_t offset, uint32_t len)
{
  put32 (f, 0x25609513);
  put16 (f, flags);
  put16 (f, type);
  put64 (f, 4711);
  put64 (f, offset);
  put32 (f, len);
}

/* Flags, type and length of a chunk. */
static uint32_t
get_chunk (struct fixture *f, uint16_t *ret_flags, uint16_t *ret_type)
{
  assert_int_equal (get32 (f), 0x668e33ef);
  *ret_flags = get16 (f);
  *ret_type = get16 (f);
  assert_int_equal (get64 (f), 4711);
  return get32 (f);
}

/* 0, or the error. */
static int
read_back (struct fixture *f, char *buf, uint64_t offset, uint32_t len)
{
  uint32_t got = 0;
  uint16_t flags = 0, type;

  ask (f, 0, 0, offset, len);
  while (!(flags & 1)) {
    uint32_t n = get_chunk (f, &flags, &type);

    if (type == 0x8001) {
      int e;

      assert_int_equal (flags, 1);
      assert_int_equal (n, 6);
      e = (int)get32 (f);
      assert_int_equal (get16 (f), 0);
      return e;
    }
    assert_int_equal (type, 1);
    assert_int_equal (get64 (f), offset + got);
    n -= 8;
    assert_true (n > 0 && n <= len - got);
    get (f, buf + got, n);
    got += n;
  }
  assert_int_equal (got, len);
  return 0;
}

static void
check_read (struct fixture *f, uint64_t offset, uint32_t len)
{
  OSM_CLEANUP_FREE char *buf = osm_calloc (1, len);

  assert_int_equal (read_back (f, buf, offset, len), 0);
  assert_memory_equal (buf, f->content + offset, len);
}

static void
expect_refused (struct fixture *f, uint16_t flags, uint16_t type, uint64_t offset, uint32_t len,
                int error)
{
  uint16_t chunk_flags, chunk_type;

  ask (f, flags, type, offset, len);
  assert_int_equal (get_chunk (f, &chunk_flags, &chunk_type), 6);
  assert_int_equal (chunk_flags, 1);
  assert_int_equal (chunk_type, 0x8001);
  assert_int_equal (get32 (f), error);
  assert_int_equal (get16 (f), 0);
}

/* What it says next is nothing. */
static void
expect_end (struct fixture *f)
{
  char c;

  assert_int_equal (recv (f->fd, &c, 1, 0), 0);
}

TEST (what_is_read)
{
  static const struct {
    uint64_t offset;
    uint32_t len;
  } reads[] = { { 0, 1 },
                { 0, 4096 },
                { (1 << 20) - 1, 2 },
                { (1 << 20) + 4095, 4098 },
                { (2 << 20) + 1, 256 << 10 },
                { (2 << 20) + 513, (1 << 20) - 8192 },
                { (2 << 20) + 4095, (1 << 20) - 8192 },
                { 0, (uint32_t)SIZE },
                { 7, (uint32_t)SIZE - 7 },
                { SIZE - 1, 1 },
                { SIZE - 5000, 5000 } };
  struct fixture f = { 0 };

  begin (&f, "");
  for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++)
    check_read (&f, reads[i].offset, reads[i].len);
  stop (&f);
  assert_no_error (&f.err);
}

TEST (many_requests_at_once)
{
  struct fixture f = { 0 };
  OSM_CLEANUP_FREE char *buf = osm_calloc (1, 4096);

  begin (&f, "");
  for (unsigned i = 0; i < 20; i++)
    ask (&f, 0, 0, (1 << 20) + i * 4096, 512);
  for (unsigned i = 0; i < 20; i++) {
    uint16_t flags, type;

    assert_int_equal (get_chunk (&f, &flags, &type), 8 + 512);
    assert_int_equal (get64 (&f), (1 << 20) + i * 4096);
    get (&f, buf, 512);
    assert_memory_equal (buf, f.content + (1 << 20) + i * 4096, 512);
  }
  stop (&f);
}

TEST (a_volume_that_ends_too_early)
{
  struct fixture f = { 0 };
  OSM_CLEANUP_FREE char *buf = osm_calloc (1, 4 << 20);

  begin (&f, "");
  check_read (&f, 3 << 20, 4096);
  assert_int_equal (ftruncate (f.file, 3 << 20), 0);
  assert_int_equal (read_back (&f, buf, 3 << 20, 4096), EIO);
  /* Its beginning could be read: nothing of it may show up elsewhere. */
  assert_int_equal (read_back (&f, buf, (3 << 20) - 8192, 65536), EIO);
  check_read (&f, (3 << 20) - 8192, 8192);
  assert_int_equal (read_back (&f, buf, 0, 4 << 20), EIO);
  check_read (&f, 1 << 20, 2 << 20);
  stop (&f);
}

TEST (requests_that_are_refused)
{
  struct fixture f = { 0 };
  char zeros[512] = { 0 };

  begin (&f, "");
  expect_refused (&f, 0, 0, 0, 0, EINVAL);
  expect_refused (&f, 0, 0, SIZE, 1, EINVAL);
  expect_refused (&f, 0, 0, SIZE - 1, 2, EINVAL);
  expect_refused (&f, 0, 0, UINT64_MAX, 2, EINVAL);
  expect_refused (&f, 0, 0, UINT64_MAX - 511, 512, EINVAL);
  expect_refused (&f, 0, 0, 0, UINT32_MAX, EINVAL);
  expect_refused (&f, 1, 0, 0, 512, EINVAL);
  expect_refused (&f, 4, 0, 0, 512, EINVAL);
  expect_refused (&f, 0, 7, SIZE, 1, EINVAL);
  expect_refused (&f, 2, 7, 0, 512, EINVAL);
  expect_refused (&f, 0, 3, 0, 0, EINVAL);
  expect_refused (&f, 0, 5, 0, 512, EINVAL);
  expect_refused (&f, 0, 99, 0, 512, EINVAL);
  expect_refused (&f, 0, 4, 0, 512, EPERM);
  expect_refused (&f, 0, 6, 0, 512, EPERM);
  ask (&f, 0, 1, 1 << 20, 512);
  put (&f, zeros, sizeof zeros);
  {
    uint16_t flags, type;

    get_chunk (&f, &flags, &type);
    assert_int_equal (type, 0x8001);
    assert_int_equal (get32 (&f), EPERM);
    get16 (&f);
  }
  check_read (&f, 1 << 20, 512);
  ask (&f, 0, 2, 0, 0);
  expect_end (&f);
  stop (&f);
  assert_no_error (&f.err);
}

static void
expect_extents (struct fixture *f, uint16_t flags, uint64_t offset, uint32_t len,
                const uint32_t *expected, size_t nr)
{
  uint16_t chunk_flags, type;

  ask (f, flags, 7, offset, len);
  assert_int_equal (get_chunk (f, &chunk_flags, &type), 4 + nr * 8);
  assert_int_equal (type, 5);
  assert_int_equal (get32 (f), 1);
  for (size_t i = 0; i < nr * 2; i++)
    assert_int_equal (get32 (f), expected[i]);
}

TEST (extents)
{
  struct fixture f = { 0 };
  const uint32_t all[] = {
    1 << 20, 3, 4 << 20, 0, 1 << 20, 3, 777, 0,
  };

  begin (&f, "");
  expect_extents (&f, 0, 0, SIZE, all, 4);
  expect_extents (&f, 1 << 3, 0, SIZE, all, 1);
  expect_extents (&f, 0, 0, 100, (const uint32_t[]){ 100, 3 }, 1);
  expect_extents (&f, 0, 2 << 20, 1, (const uint32_t[]){ 1, 0 }, 1);
  stop (&f);
}

TEST (free_space_that_becomes_known)
{
  char path[] = "/tmp/osm-test-free-XXXXXX", reads[] = "/tmp/osm-test-reads-XXXXXX";
  struct fixture f = { .free_path = path, .reads_path = reads };
  int fd = mkstemp (path), reads_fd = mkstemp (reads);
  unsigned char bits[2];
  OSM_FREEMAP (map);
  OSM_ERROR (err);

  assert_int_not_equal (fd, -1);
  unlink (path);
  osm_freemap_init (&map, SIZE);
  assert_int_equal (osm_freemap_add (&map, 2 << 20, 1 << 20, &err), 0);
  assert_int_equal (osm_freemap_save (&map, path, &err), 0);
  begin (&f, OSM_FREEMAP_EXPORT);
  expect_extents (&f, 0, 0, SIZE,
                  (const uint32_t[]){ 2 << 20, 0, 1 << 20, 3, (uint32_t)(SIZE - (3 << 20)), 0 }, 3);
  memset (f.content + (2 << 20), 0, 1 << 20);
  check_read (&f, 2 << 20, 1 << 20);
  assert_int_equal (pread (reads_fd, bits, 2, 4), 2);
  assert_int_equal (bits[0] | bits[1], 0);
  check_read (&f, (2 << 20) - 4096, 8192);
  assert_int_equal (pread (reads_fd, bits, 2, 3), 2);
  assert_int_equal (bits[0], 0x80);
  assert_int_equal (bits[1], 1);
  check_read (&f, (3 << 20) - 1, 4096);
  check_read (&f, 4 << 20, 4096);
  stop (&f);
  unlink (path);
  unlink (reads);
  close (fd);
  close (reads_fd);
}

TEST (simple_answers)
{
  struct fixture f = { 0 };
  OSM_CLEANUP_FREE char *buf = osm_calloc (1, SIZE);

  start (&f);
  greet (&f, 3);
  put_option (&f, 1, 0);
  assert_int_equal (get64 (&f), SIZE);
  get16 (&f);
  for (unsigned i = 0; i < 2; i++) {
    uint32_t len = i == 0 ? 65536 : SIZE;

    ask (&f, 0, 0, 0, len);
    assert_int_equal (get32 (&f), 0x67446698);
    assert_int_equal (get32 (&f), 0);
    assert_int_equal (get64 (&f), 4711);
    get (&f, buf, len);
    assert_memory_equal (buf, f.content, len);
  }
  ask (&f, 0, 0, SIZE, 1);
  assert_int_equal (get32 (&f), 0x67446698);
  assert_int_equal (get32 (&f), EINVAL);
  assert_int_equal (get64 (&f), 4711);
  ask (&f, 0, 7, 0, 512); /* no contexts */
  get32 (&f);
  assert_int_equal (get32 (&f), EINVAL);
  get64 (&f);
  stop (&f);
}

TEST (an_old_client_gets_its_zeros)
{
  struct fixture f = { 0 };
  char buf[134], zeros[124] = { 0 };

  start (&f);
  greet (&f, 1);
  put_option (&f, 1, 4);
  put (&f, "name", 4);
  get (&f, buf, sizeof buf);
  assert_memory_equal (buf + 10, zeros, sizeof zeros);
  stop (&f);
}

TEST (options)
{
  struct fixture f = { 0 };
  uint32_t n;
  char buf[64];

  start (&f);
  greet (&f, 3);
  put_option (&f, 10, 8); /* contexts before structured answers */
  put64 (&f, 0);
  expect_answer (&f, 10, 0x80000003, 0);
  structured (&f);
  put_option (&f, 5, 0); /* STARTTLS */
  expect_answer (&f, 5, 0x80000001, 0);
  put_option (&f, 3, 0); /* LIST */
  expect_answer (&f, 3, 2, 4);
  get32 (&f);
  expect_answer (&f, 3, 1, 0);
  put_option (&f, 9, 8); /* LIST_META_CONTEXT of everything */
  put64 (&f, 0);
  expect_answer (&f, 9, 4, 19);
  get (&f, buf, 19);
  expect_answer (&f, 9, 1, 0);
  put_option (&f, 7, 3); /* bodies that are none */
  put (&f, "abc", 3);
  expect_answer (&f, 7, 0x80000003, 0);
  put_option (&f, 7, 6);
  put32 (&f, UINT32_MAX);
  put16 (&f, 0);
  expect_answer (&f, 7, 0x80000003, 0);
  put_option (&f, 7, 6);
  put32 (&f, 0);
  put16 (&f, UINT16_MAX);
  expect_answer (&f, 7, 0x80000003, 0);
  put_option (&f, 10, 12);
  put32 (&f, 0);
  put32 (&f, UINT32_MAX);
  put32 (&f, UINT32_MAX);
  expect_answer (&f, 10, 0x80000003, 0);
  put_option (&f, 6, 8); /* INFO with block sizes */
  put32 (&f, 0);
  put16 (&f, 1);
  put16 (&f, 3);
  assert_int_equal (get_answer (&f, 6, &n), 3);
  get (&f, buf, n);
  expect_answer (&f, 6, 3, 14);
  assert_int_equal (get16 (&f), 3);
  assert_int_equal (get32 (&f), 1);
  assert_int_equal (get32 (&f), 4096);
  assert_int_equal (get32 (&f), 32 << 20);
  expect_answer (&f, 6, 1, 0);
  set_context (&f, "one");
  go (&f, "another"); /* the contexts were not of this one */
  expect_refused (&f, 0, 7, 0, 512, EINVAL);
  stop (&f);
}

static void
broken (const void *bytes, size_t len, bool greeted, const char *text)
{
  struct fixture f = { 0 };

  if (greeted)
    begin (&f, "");
  else {
    start (&f);
    assert_int_equal (get64 (&f), UINT64_C (0x4e42444d41474943));
    assert_int_equal (get64 (&f), OPTION);
    get16 (&f);
  }
  put (&f, bytes, len);
  (void)shutdown (f.fd, SHUT_WR);
  {
    char buf[256];

    while (recv (f.fd, buf, sizeof buf, 0) > 0)
      ;
  }
  pthread_join (f.thread, NULL);
  if (text)
    assert_error (&f.err, OSM_ERROR_REMOTE, text);
  else
    assert_no_error (&f.err);
  assert_int_equal (pthread_create (&f.thread, NULL, serve, &f), 0); /* which stop joins */
  stop (&f);
}

TEST (clients_that_break_the_protocol)
{
  char options[4 + 65 * 16] = { 0, 0, 0, 3 };

  for (size_t i = 0; i < 65; i++)
    memcpy (options + 4 + i * 16, "IHAVEOPT\0\0\0\5\0\0\0\0", 16);
  broken ("\0\0\0\7", 4, false, "flags that nobody knows");
  broken ("\0\0\0\3IHAVEOPX\0\0\0\7\0\0\0\0", 20, false, "an option that is none");
  broken ("\0\0\0\3IHAVEOPT\0\0\0\7\0\0\x20\1", 20, false, "an option that is none");
  broken ("\0\0\0\3IHAVEOPT\0\0\0\7\xff\xff\xff\xff", 20, false, "an option that is none");
  broken ("\0\0\0\3IHAVEOPT\0\0\0\1\0\0\0\4a\0bc", 24, false, "an export name that is none");
  broken (options, sizeof options, false, "options without end");
  broken ("\0\0\0\3IHAVEOPT\0\0\0\2\0\0\0\0", 20, false, NULL); /* ABORT */
  broken ("\0\0\0\3IHAVEO", 10, false, NULL);
  broken ("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", 37, true, "a request that is none");
  broken ("\x25\x60\x95\x13\0\0\0\1abcdefgh\0\0\0\0\0\0\0\0\xff\xff\xff\xff", 28, true,
          "it writes too much");
  broken ("\x25\x60\x95\x13\0\0\0\1abcdefgh\0\0\0\0\0\0\0\0\0\0\1\0", 28, true, NULL);
}

TEST (a_client_that_vanishes)
{
  struct fixture f = { 0 };

  begin (&f, "");
  for (unsigned i = 0; i < 20; i++)
    ask (&f, 0, 0, 0, SIZE);
  get32 (&f);
  close (f.fd);
  f.fd = -1;
  stop (&f);
  assert_no_error (&f.err);
}

TEST (synthetic_data)
{
  struct osm_volume_options options = { .fd = -1, .size_bytes = 10000 };
  struct osm_volume *v;
  struct osm_reader *r;
  static char one[10000], two[10000];
  OSM_EXTENTS (e);
  OSM_ERROR (err);

  assert_int_equal (osm_volume_new (&options, &v, &err), 0);
  r = osm_volume_open (v, "");
  assert_int_equal (osm_volume_pipe (r, -1, 0, 100), ENOTSUP);
  assert_int_equal (osm_volume_read (r, one, 0, sizeof one), 0);
  assert_int_equal (osm_volume_read (r, two, 3, sizeof two - 3), 0);
  assert_memory_equal (one + 3, two, sizeof two - 3);
  osm_volume_extents (r, 5, 100, &e);
  assert_int_equal (e.nr, 1);
  assert_false (e.v[0].zero);
  assert_int_equal (e.v[0].length, 100);
  osm_volume_close (r);
  osm_volume_free (v);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (what_is_read),
    cmocka_unit_test (many_requests_at_once),
    cmocka_unit_test (a_volume_that_ends_too_early),
    cmocka_unit_test (requests_that_are_refused),
    cmocka_unit_test (extents),
    cmocka_unit_test (free_space_that_becomes_known),
    cmocka_unit_test (simple_answers),
    cmocka_unit_test (an_old_client_gets_its_zeros),
    cmocka_unit_test (options),
    cmocka_unit_test (clients_that_break_the_protocol),
    cmocka_unit_test (a_client_that_vanishes),
    cmocka_unit_test (synthetic_data),
  };

  signal (SIGPIPE, SIG_IGN);
  return cmocka_run_group_tests (tests, NULL, NULL);
}
