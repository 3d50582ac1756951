/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/strbuf.h"

static char seen[4096];
static int nr_seen;

static void
collect (void *data, enum osm_log_level level, const char *line)
{
  (void)data;
  (void)level;
  nr_seen++;
  snprintf (seen, sizeof seen, "%s", line);
}

static int
setup (void **state)
{
  (void)state;
  unsetenv ("JOURNAL_STREAM");
  osm_log_init ("prog", OSM_LOG_WARNING);
  osm_log_set_sink (collect, NULL);
  nr_seen = 0;
  seen[0] = '\0';
  return 0;
}

TEST (lines_carry_program_and_level)
{
  osm_warning ("disk %d", 3);
  assert_string_equal (seen, "prog: warning: disk 3");
  osm_log (OSM_LOG_ERROR, "x");
  assert_string_equal (seen, "prog: error: x");
}

TEST (lower_levels_are_silent)
{
  osm_info ("no");
  osm_debug ("no");
  assert_int_equal (nr_seen, 0);
  assert_false (osm_log_enabled (OSM_LOG_INFO));
  osm_log_set_level (OSM_LOG_DEBUG);
  osm_debug ("yes");
  osm_trace ("no");
  assert_int_equal (nr_seen, 1);
  assert_string_equal (seen, "prog: debug: yes");
}

TEST (a_name_cannot_forge_a_line)
{
  osm_warning ("server %s", "x\nprog: error: hacked\x1b[2J");
  assert_string_equal (seen, "prog: warning: server x\\x0aprog: error: hacked\\x1b[2J");
  assert_int_equal (nr_seen, 1);
}

TEST (errno_survives_logging)
{
  errno = EXDEV;
  osm_warning ("x");
  assert_int_equal (errno, EXDEV);
}

/* What is written to a pipe that stands in for stderr. */
static void
capture_stderr (const char *journal_format, char *buf, size_t len)
{
  OSM_CLEANUP_FREE char *value = NULL;
  int fds[2], saved = dup (STDERR_FILENO);
  struct stat st;
  ssize_t r;

  assert_int_equal (pipe2 (fds, O_CLOEXEC), 0);
  assert_int_equal (dup2 (fds[1], STDERR_FILENO), STDERR_FILENO);
  assert_int_equal (fstat (fds[1], &st), 0);
  if (journal_format) {
    value =
        osm_asprintf ("%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    setenv ("JOURNAL_STREAM", osm_str_equal (journal_format, "same") ? value : journal_format, 1);
  }
  osm_log_init ("prog", OSM_LOG_INFO);
  osm_log_set_sink (NULL, NULL);
  osm_info ("hello");
  osm_warning ("careful");
  dup2 (saved, STDERR_FILENO);
  close (saved);
  close (fds[1]);
  r = read (fds[0], buf, len - 1);
  close (fds[0]);
  buf[r > 0 ? r : 0] = '\0';
}

TEST (stderr_gets_whole_lines)
{
  char buf[256];

  capture_stderr (NULL, buf, sizeof buf);
  assert_string_equal (buf, "prog: hello\nprog: warning: careful\n");
}

TEST (the_journal_gets_priorities)
{
  char buf[256];

  capture_stderr ("same", buf, sizeof buf);
  assert_string_equal (buf, "<6>hello\n<4>careful\n");
}

TEST (a_redirected_stderr_is_not_the_journal)
{
  char buf[256];

  capture_stderr ("1:2", buf, sizeof buf);
  assert_string_equal (buf, "prog: hello\nprog: warning: careful\n");
  capture_stderr ("nonsense", buf, sizeof buf);
  assert_string_equal (buf, "prog: hello\nprog: warning: careful\n");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup (lines_carry_program_and_level, setup),
    cmocka_unit_test_setup (lower_levels_are_silent, setup),
    cmocka_unit_test_setup (a_name_cannot_forge_a_line, setup),
    cmocka_unit_test_setup (errno_survives_logging, setup),
    cmocka_unit_test_setup (stderr_gets_whole_lines, setup),
    cmocka_unit_test_setup (the_journal_gets_priorities, setup),
    cmocka_unit_test_setup (a_redirected_stderr_is_not_the_journal, setup),
  };

  return cmocka_run_group_tests_name ("common/log", tests, NULL, NULL);
}
