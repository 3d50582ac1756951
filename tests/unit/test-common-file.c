/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/run.h"
#include "common/strbuf.h"

static char folder[] = "/tmp/osm-test-file.XXXXXX";

static char *
in_folder (const char *name)
{
  return osm_asprintf ("%s/%s", folder, name);
}

static int
make_folder (void **state)
{
  (void)state;
  return mkdtemp (folder) ? 0 : -1;
}

static int
remove_folder (void **state)
{
  OSM_ERROR (err);
  char *argv[] = { (char *)"rm", (char *)"-rf", folder, NULL };

  (void)state;
  return osm_run_capture (argv, 0, NULL, &err);
}

TEST (what_was_written_is_read_back)
{
  OSM_CLEANUP_FREE char *path = in_folder ("a");
  OSM_CLEANUP_FREE char *data = NULL;
  OSM_ERROR (err);
  struct stat st;
  size_t len;

  osm_file_write (path, "x\0y", 3, 0640, &err);
  assert_no_error (&err);
  osm_file_read (path, 100, &data, &len, &err);
  assert_no_error (&err);
  assert_int_equal (len, 3);
  assert_memory_equal (data, "x\0y", 4);
  assert_int_equal (stat (path, &st), 0);
  assert_int_equal (st.st_mode & 07777, 0640);
}

TEST (writing_replaces_and_leaves_nothing_beside)
{
  OSM_CLEANUP_FREE char *sub = in_folder ("only");
  OSM_CLEANUP_FREE char *path = in_folder ("only/b");
  OSM_CLEANUP_FREE char *out = NULL;
  OSM_ERROR (err);
  char *argv[] = { (char *)"ls", (char *)"-A", sub, NULL };

  osm_mkdir_p (sub, 0700, &err);
  osm_file_write (path, "old", 3, 0600, &err);
  osm_file_write (path, "", 0, 0600, &err);
  osm_run_capture (argv, 100, &out, &err);
  assert_no_error (&err);
  assert_string_equal (out, "b\n");
}

TEST (a_failed_write_keeps_the_old_file)
{
  OSM_CLEANUP_FREE char *path = in_folder ("folder");
  OSM_ERROR (err);

  osm_mkdir_p (path, 0700, &err);
  assert_no_error (&err);
  assert_int_equal (osm_file_write (path, "x", 1, 0600, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "rename");
  assert_true (osm_file_exists (path));
}

TEST (a_file_beyond_the_limit_is_refused)
{
  OSM_CLEANUP_FREE char *path = in_folder ("c");
  OSM_CLEANUP_FREE char *data = NULL;
  OSM_ERROR (err);

  osm_file_write (path, "12345", 5, 0600, &err);
  assert_int_equal (osm_file_read (path, 5, &data, NULL, &err), 0);
  free (osm_take (data));
  assert_int_equal (osm_file_read (path, 4, &data, NULL, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "larger than 4 bytes");
  assert_int_equal (osm_file_read ("/dev/zero", 100000, &data, NULL, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "larger than");
  assert_null (data);
}

TEST (a_missing_file_is_named)
{
  char *data = NULL;
  OSM_ERROR (err);

  assert_int_equal (osm_file_read ("/nonexistent/x", 10, &data, NULL, &err), -1);
  assert_int_equal (err.code, ENOENT);
  assert_error (&err, OSM_ERROR_USER, "open /nonexistent/x: No such file");
  assert_int_equal (osm_file_read ("/", 10, &data, NULL, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "Is a directory");
}

TEST (folders_are_made_with_their_parents)
{
  OSM_CLEANUP_FREE char *path = in_folder ("x//y/z/");
  OSM_ERROR (err);

  osm_mkdir_p (path, 0750, &err);
  osm_mkdir_p (path, 0750, &err);
  osm_mkdir_p ("/", 0750, &err);
  assert_no_error (&err);
  assert_true (osm_file_exists (path));
}

TEST (a_file_in_the_way_of_a_folder_is_an_error)
{
  OSM_CLEANUP_FREE char *file = in_folder ("plain");
  OSM_CLEANUP_FREE char *path = in_folder ("plain/sub");
  OSM_ERROR (err);

  osm_file_write (file, "", 0, 0600, &err);
  assert_int_equal (osm_mkdir_p (path, 0700, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "Not a directory");
  assert_int_equal (osm_mkdir_p (file, 0700, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "Not a directory");
}

TEST (the_end_inside_a_read_is_reported)
{
  OSM_ERROR (err);
  int fds[2];
  char buf[4];

  assert_int_equal (pipe2 (fds, O_CLOEXEC), 0);
  assert_int_equal (write (fds[1], "abc", 3), 3);
  close (fds[1]);
  assert_int_equal (osm_read_full (fds[0], buf, 4, &err), -1);
  assert_error (&err, OSM_ERROR_RETRY, "end after 3 of 4 bytes");
  close (fds[0]);
}

struct writer {
  int fd;
  const char *data;
  size_t len;
};

static void *
write_in_pieces (void *data)
{
  const struct writer *w = data;

  for (size_t i = 0; i < w->len; i++)
    if (write (w->fd, w->data + i, 1) != 1)
      break;
  return NULL;
}

TEST (a_read_goes_on_until_it_has_all_also_when_non_blocking)
{
  struct writer w = { .data = "0123456789", .len = 10 };
  OSM_ERROR (err);
  pthread_t thread;
  int fds[2];
  char buf[10];

  assert_int_equal (pipe2 (fds, O_CLOEXEC | O_NONBLOCK), 0);
  w.fd = fds[1];
  assert_int_equal (pthread_create (&thread, NULL, write_in_pieces, &w), 0);
  assert_int_equal (osm_read_full (fds[0], buf, 10, &err), 0);
  pthread_join (thread, NULL);
  assert_memory_equal (buf, "0123456789", 10);
  close (fds[0]);
  close (fds[1]);
}

static void *
read_all (void *data)
{
  struct writer *r = data;
  char buf[4096];
  ssize_t n;

  while ((n = read (r->fd, buf, sizeof buf)) > 0)
    r->len += (size_t)n;
  return NULL;
}

TEST (a_write_goes_on_when_the_pipe_is_full)
{
  struct writer r = { .len = 0 };
  OSM_CLEANUP_FREE char *big = osm_calloc (1, 1000000);
  OSM_ERROR (err);
  pthread_t thread;
  int fds[2];

  assert_int_equal (pipe2 (fds, O_CLOEXEC), 0);
  assert_int_equal (fcntl (fds[1], F_SETFL, O_NONBLOCK), 0);
  r.fd = fds[0];
  assert_int_equal (pthread_create (&thread, NULL, read_all, &r), 0);
  osm_write_full (fds[1], big, 1000000, &err);
  close (fds[1]);
  pthread_join (thread, NULL);
  close (fds[0]);
  assert_no_error (&err);
  assert_int_equal (r.len, 1000000);
}

TEST (positioned_reads_and_writes)
{
  OSM_CLEANUP_FREE char *path = in_folder ("p");
  OSM_CLEANUP_FD int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  OSM_ERROR (err);
  char buf[3];

  osm_pwrite_full (fd, "xyz", 3, 5, &err);
  osm_pread_full (fd, buf, 3, 5, &err);
  assert_no_error (&err);
  assert_memory_equal (buf, "xyz", 3);
  assert_int_equal (osm_pread_full (fd, buf, 3, 6, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "read at offset 8: end of file");
}

TEST (impossible_offsets_are_refused)
{
  OSM_ERROR (err);
  char buf[2] = "";

  assert_int_equal (osm_pread_full (0, buf, 2, UINT64_MAX, &err), -1);
  assert_error (&err, OSM_ERROR_BUG, "out of range");
  assert_int_equal (osm_pwrite_full (0, buf, 2, INT64_MAX, &err), -1);
  assert_error (&err, OSM_ERROR_BUG, "out of range");
}

TEST (a_full_device_is_reported)
{
  OSM_CLEANUP_FD int fd = open ("/dev/full", O_WRONLY | O_CLOEXEC);
  OSM_ERROR (err);

  assert_int_equal (osm_write_full (fd, "x", 1, &err), -1);
  assert_int_equal (err.code, ENOSPC);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (what_was_written_is_read_back),
    cmocka_unit_test (writing_replaces_and_leaves_nothing_beside),
    cmocka_unit_test (a_failed_write_keeps_the_old_file),
    cmocka_unit_test (a_file_beyond_the_limit_is_refused),
    cmocka_unit_test (a_missing_file_is_named),
    cmocka_unit_test (folders_are_made_with_their_parents),
    cmocka_unit_test (a_file_in_the_way_of_a_folder_is_an_error),
    cmocka_unit_test (the_end_inside_a_read_is_reported),
    cmocka_unit_test (a_read_goes_on_until_it_has_all_also_when_non_blocking),
    cmocka_unit_test (a_write_goes_on_when_the_pipe_is_full),
    cmocka_unit_test (positioned_reads_and_writes),
    cmocka_unit_test (impossible_offsets_are_refused),
    cmocka_unit_test (a_full_device_is_reported),
  };

  return cmocka_run_group_tests_name ("common/file", tests, make_folder, remove_folder);
}
