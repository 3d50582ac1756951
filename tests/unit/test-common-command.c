/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/command.h"
#include "common/log.h"
#include "common/strbuf.h"

/* What the last command was called with, and what it is to do. */
static struct {
  char *seen;
  int status;
  enum osm_error_class error;
} call;
static struct osm_strbuf logged;

static int
run_move (const struct osm_args *args, struct osm_error *err)
{
  OSM_STRBUF (b);
  const char *const *operands;
  size_t n = osm_args_operands (args, &operands);
  const char *only;

  for (size_t i = 0; i < n; i++)
    osm_strbuf_addf (&b, "[%s]", operands[i]);
  osm_strbuf_addf (&b, " output=%s",
                   osm_args_get (args, "output") ? osm_args_get (args, "output") : "-");
  osm_strbuf_addf (&b, " dry=%d verbose=%d config=%s", osm_args_has (args, "dry-run"),
                   osm_args_count (args, "verbose"),
                   osm_args_get (args, "config") ? osm_args_get (args, "config") : "-");
  for (size_t i = 0; (only = osm_args_nth (args, "only", i)); i++)
    osm_strbuf_addf (&b, " only=%s", only);
  free (call.seen);
  call.seen = osm_strbuf_take (&b);
  if (call.error) {
    osm_error_set (err, call.error, 0, "it broke");
    osm_error_hint (err, "mend it");
  }
  return call.status;
}

static const struct osm_option move_options[] = {
  { "dry-run", 'n', NULL, "print the plan, touch nothing" },
  { "output", 'o', "FORMAT", "text or json" },
  { "only", 0, "VOLUME",
    "this volume; may be given several times, and this sentence is so long that "
    "it has to be wrapped more than once to stay within eighty columns" },
  { NULL, 0, NULL, NULL },
};
static const struct osm_option global_options[] = {
  { "config", 'c', "FILE", "configuration file" },
  { NULL, 0, NULL, NULL },
};
static const struct osm_command commands[] = {
  { "move-server", "SERVER [NAME]", 1, 2, move_options, run_move, "move a server", false },
  { "list", "", 0, 0, NULL, run_move, "list all migrations", false },
  { "any", "[ID...]", 0, -1, NULL, run_move, "anything", false },
  { "a-command-with-a-very-long-name", "OPERAND", 1, 1, NULL, run_move, "long", false },
  { "secret", "", 0, 0, NULL, run_move, "not shown", true },
  { NULL, NULL, 0, 0, NULL, NULL, NULL, false },
};
static char *
details (const struct osm_command *command)
{
  return command->max_operands == 2 ? osm_strdup ("SERVER is a name\nor an id.\n") : NULL;
}

static const struct osm_program program = { .name = "prog",
                                            .version = "1.2",
                                            .about = "Moves things.",
                                            .commands = commands,
                                            .global_options = global_options,
                                            .epilogue = "See prog(1).\n",
                                            .details = details };

static void
collect (void *data, enum osm_log_level level, const char *line)
{
  (void)data;
  (void)level;
  osm_strbuf_addf (&logged, "%s\n", line);
}

static int
setup (void **state)
{
  (void)state;
  call.status = 0;
  call.error = OSM_ERROR_NONE;
  free (call.seen);
  call.seen = NULL;
  osm_strbuf_clear (&logged);
  osm_log_set_sink (collect, NULL);
  return 0;
}

static int
teardown (void **state)
{
  (void)state;
  free (call.seen);
  osm_strbuf_done (&logged);
  return 0;
}

/* Runs the command line (split at blanks); what it prints goes to *ret_out if wanted. */
static int
run (const char *line, char **ret_out)
{
  OSM_CLEANUP_STRV char **argv = osm_strv_split (line, ' ');
  char template[] = "/tmp/osm-test-command.XXXXXX";
  int fd = mkostemp (template, O_CLOEXEC), saved = dup (STDOUT_FILENO), status;
  off_t len;

  assert_true (fd >= 0);
  unlink (template);
  fflush (stdout);
  dup2 (fd, STDOUT_FILENO);
  status = osm_command_main (&program, (int)osm_strv_len (argv), argv);
  fflush (stdout);
  dup2 (saved, STDOUT_FILENO);
  close (saved);
  len = lseek (fd, 0, SEEK_END);
  if (ret_out) {
    *ret_out = osm_calloc ((size_t)len + 1, 1);
    assert_int_equal (pread (fd, *ret_out, (size_t)len, 0), len);
  }
  close (fd);
  return status;
}

TEST (options_stand_anywhere)
{
  const char *lines[] = { "prog move-server -n -o json s",
                          "prog move-server s --dry-run --output=json",
                          "prog move-server --output json s -n", "prog move-server s -no json",
                          "prog move-server -nojson s" };

  for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
    assert_int_equal (run (lines[i], NULL), 0);
    assert_string_equal (call.seen, "[s] output=json dry=1 verbose=0 config=-");
  }
}

TEST (global_options_stand_before_or_after_the_command)
{
  assert_int_equal (run ("prog -v --config=f move-server s -v", NULL), 0);
  assert_string_equal (call.seen, "[s] output=- dry=0 verbose=2 config=f");
  assert_int_equal (run ("prog move-server s -vv -c f", NULL), 0);
  assert_string_equal (call.seen, "[s] output=- dry=0 verbose=2 config=f");
}

TEST (the_last_value_wins_and_all_can_be_read)
{
  assert_int_equal (run ("prog move-server s -o a --only x -o b --only=y", NULL), 0);
  assert_string_equal (call.seen, "[s] output=b dry=0 verbose=0 config=- only=x only=y");
}

TEST (after_two_dashes_all_are_operands)
{
  assert_int_equal (run ("prog move-server -- -n --help", NULL), 0);
  assert_string_equal (call.seen, "[-n][--help] output=- dry=0 verbose=0 config=-");
  assert_int_equal (run ("prog any -", NULL), 0);
  assert_string_equal (call.seen, "[-] output=- dry=0 verbose=0 config=-");
}

TEST (values_may_be_empty_or_look_like_options)
{
  assert_int_equal (run ("prog move-server s --output=", NULL), 0);
  assert_string_equal (call.seen, "[s] output= dry=0 verbose=0 config=-");
  assert_int_equal (run ("prog move-server s --output --help", NULL), 0);
  assert_string_equal (call.seen, "[s] output=--help dry=0 verbose=0 config=-");
}

TEST (wrong_usage_is_status_2_and_runs_nothing)
{
  const struct {
    const char *line, *message;
  } bad[] = {
    { "prog move-server", "move-server: too few arguments, expected SERVER [NAME]" },
    { "prog move-server a b c", "move-server: unexpected argument 'c'" },
    { "prog list x", "list: unexpected argument 'x'" },
    { "prog list --wrong", "unknown option --wrong" },
    { "prog list --dry-run", "unknown option --dry-run" },
    { "prog move-server s --dry", "unknown option --dry" },
    { "prog move-server s --dry-run=1", "option --dry-run takes no value" },
    { "prog move-server s --output", "option --output needs a value: FORMAT" },
    { "prog move-server s -o", "option -o needs a value: FORMAT" },
    { "prog list -x", "unknown option -x" },
    { "prog -n list", "unknown option -n" },
    { "prog lost", "unknown command 'lost'" },
    { "prog help lost", "unknown command 'lost'" },
  };

  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    osm_strbuf_clear (&logged);
    assert_int_equal (run (bad[i].line, NULL), OSM_EXIT_USAGE);
    assert_null (call.seen);
    if (strstr (osm_strbuf_str (&logged), bad[i].message) == NULL)
      fail_msg ("'%s' says: %s", bad[i].line, osm_strbuf_str (&logged));
    assert_non_null (strstr (osm_strbuf_str (&logged), "hint: "));
  }
}

TEST (unknown_commands_get_a_suggestion)
{
  run ("prog mvoe-server s --dry-run", NULL);
  assert_non_null (strstr (osm_strbuf_str (&logged), "did you mean 'move-server'?"));
  osm_strbuf_clear (&logged);
  run ("prog move", NULL);
  assert_non_null (strstr (osm_strbuf_str (&logged), "did you mean 'move-server'?"));
  osm_strbuf_clear (&logged);
  run ("prog xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", NULL);
  assert_null (strstr (osm_strbuf_str (&logged), "did you mean"));
  osm_strbuf_clear (&logged);
  run ("prog secre", NULL);
  assert_null (strstr (osm_strbuf_str (&logged), "did you mean"));
}

TEST (hidden_commands_can_be_run)
{
  assert_int_equal (run ("prog secret", NULL), 0);
  assert_non_null (call.seen);
}

TEST (errors_are_printed_once_with_their_hint)
{
  call.error = OSM_ERROR_REMOTE;
  assert_int_equal (run ("prog list", NULL), OSM_EXIT_FAILED);
  assert_string_equal (osm_strbuf_str (&logged),
                       "prog: error: it broke\nprog: error: hint: mend it\n");
}

TEST (the_error_class_gives_the_status)
{
  call.error = OSM_ERROR_INTERRUPTED;
  assert_int_equal (run ("prog list", NULL), OSM_EXIT_INTERRUPTED);
  call.status = -1;
  assert_int_equal (run ("prog list", NULL), OSM_EXIT_INTERRUPTED);
  call.error = OSM_ERROR_BUG;
  assert_int_equal (run ("prog list", NULL), OSM_EXIT_FAILED);
  assert_non_null (strstr (osm_strbuf_str (&logged), "internal error: it broke"));
}

TEST (the_command_may_choose_the_status)
{
  call.status = OSM_EXIT_BLOCKED;
  assert_int_equal (run ("prog list", NULL), OSM_EXIT_BLOCKED);
  call.error = OSM_ERROR_USER;
  assert_int_equal (run ("prog list", NULL), OSM_EXIT_BLOCKED);
}

TEST (failing_without_a_reason_is_a_bug)
{
  call.status = -1;
  assert_int_equal (run ("prog list", NULL), OSM_EXIT_FAILED);
  assert_non_null (strstr (osm_strbuf_str (&logged), "list failed without saying why"));
}

static void
assert_fits (const char *text)
{
  OSM_CLEANUP_STRV char **lines = osm_strv_split (text, '\n');

  for (size_t i = 0; lines[i]; i++)
    if (strlen (lines[i]) > 80 || osm_str_ends_with (lines[i], " "))
      fail_msg ("does not fit: '%s'", lines[i]);
}

TEST (help_lists_the_commands_in_80_columns)
{
  const char *lines[] = { "prog help", "prog --help", "prog -h" };

  for (size_t i = 0; i < 3; i++) {
    OSM_CLEANUP_FREE char *out = NULL;

    assert_int_equal (run (lines[i], &out), 0);
    assert_fits (out);
    assert_non_null (strstr (out, "Usage: prog [OPTION...] COMMAND"));
    assert_non_null (strstr (out, "\n  move-server SERVER [NAME]"));
    assert_non_null (strstr (out, "-c, --config FILE"));
    assert_non_null (strstr (out, "\nSee prog(1).\n"));
    assert_null (strstr (out, "secret"));
  }
}

TEST (help_of_a_command_lists_its_options_in_80_columns)
{
  const char *lines[] = { "prog help move-server", "prog move-server --help",
                          "prog move-server -h s", "prog --help move-server" };

  for (size_t i = 0; i < 4; i++) {
    OSM_CLEANUP_FREE char *out = NULL;

    assert_int_equal (run (lines[i], &out), 0);
    assert_null (call.seen);
    assert_fits (out);
    assert_non_null (strstr (out, "Usage: prog move-server [OPTION...] SERVER [NAME]\n"));
    assert_non_null (strstr (out, "\n  -n, --dry-run             print the plan, touch nothing\n"));
    assert_non_null (strstr (out, "\n      --only VOLUME"));
    assert_non_null (strstr (out, "--verbose"));
    assert_non_null (strstr (out, "repeat for still more\n\nSERVER is a name\nor an id.\n"));
  }
}

TEST (no_command_is_wrong_usage)
{
  int saved = dup (STDERR_FILENO), null = open ("/dev/null", O_WRONLY | O_CLOEXEC);

  dup2 (null, STDERR_FILENO);
  assert_int_equal (run ("prog", NULL), OSM_EXIT_USAGE);
  dup2 (saved, STDERR_FILENO);
  close (saved);
  close (null);
}

TEST (the_version_is_printed)
{
  OSM_CLEANUP_FREE char *out = NULL;

  assert_int_equal (run ("prog --version", &out), 0);
  assert_string_equal (out, "prog 1.2\n");
}

TEST (commands_are_listed_for_machines)
{
  OSM_CLEANUP_FREE char *out = NULL;

  assert_int_equal (run ("prog __commands", &out), 0);
  assert_string_equal (out,
                       "*\t\t--config=FILE -c --help -h --version --verbose -v\n"
                       "move-server\tSERVER [NAME]\t--dry-run -n --output=FORMAT -o --only=VOLUME\n"
                       "list\t\t\n"
                       "any\t[ID...]\t\n"
                       "a-command-with-a-very-long-name\tOPERAND\t\n");
}

TEST (verbose_sets_the_log_level)
{
  run ("prog list", NULL);
  assert_false (osm_log_enabled (OSM_LOG_INFO));
  run ("prog list -v", NULL);
  assert_true (osm_log_enabled (OSM_LOG_INFO));
  assert_false (osm_log_enabled (OSM_LOG_DEBUG));
  run ("prog list -vvv", NULL);
  assert_true (osm_log_enabled (OSM_LOG_TRACE));
}

TEST (a_full_disk_behind_stdout_is_a_failure)
{
  OSM_CLEANUP_STRV char **argv = osm_strv_split ("prog help", ' ');
  int saved = dup (STDOUT_FILENO), full = open ("/dev/full", O_WRONLY | O_CLOEXEC), status;

  fflush (stdout);
  dup2 (full, STDOUT_FILENO);
  status = osm_command_main (&program, 2, argv);
  dup2 (saved, STDOUT_FILENO);
  clearerr (stdout);
  close (saved);
  close (full);
  assert_int_equal (status, OSM_EXIT_FAILED);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup (options_stand_anywhere, setup),
    cmocka_unit_test_setup (global_options_stand_before_or_after_the_command, setup),
    cmocka_unit_test_setup (the_last_value_wins_and_all_can_be_read, setup),
    cmocka_unit_test_setup (after_two_dashes_all_are_operands, setup),
    cmocka_unit_test_setup (values_may_be_empty_or_look_like_options, setup),
    cmocka_unit_test_setup (wrong_usage_is_status_2_and_runs_nothing, setup),
    cmocka_unit_test_setup (unknown_commands_get_a_suggestion, setup),
    cmocka_unit_test_setup (hidden_commands_can_be_run, setup),
    cmocka_unit_test_setup (errors_are_printed_once_with_their_hint, setup),
    cmocka_unit_test_setup (the_error_class_gives_the_status, setup),
    cmocka_unit_test_setup (the_command_may_choose_the_status, setup),
    cmocka_unit_test_setup (failing_without_a_reason_is_a_bug, setup),
    cmocka_unit_test_setup (help_lists_the_commands_in_80_columns, setup),
    cmocka_unit_test_setup (help_of_a_command_lists_its_options_in_80_columns, setup),
    cmocka_unit_test_setup (no_command_is_wrong_usage, setup),
    cmocka_unit_test_setup (the_version_is_printed, setup),
    cmocka_unit_test_setup (commands_are_listed_for_machines, setup),
    cmocka_unit_test_setup (verbose_sets_the_log_level, setup),
    cmocka_unit_test_setup (a_full_disk_behind_stdout_is_a_failure, setup),
  };

  return cmocka_run_group_tests_name ("common/command", tests, NULL, teardown);
}
