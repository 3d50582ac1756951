/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/command.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "common/suggest.h"

#define WIDTH 79       /* of the help text, so that 80 columns never wrap */
#define HELP_COLUMN 28 /* where the explanations start */
#define MAX_VALUES 4096

struct value {
  const struct osm_option *option;
  const char *text;
};

struct osm_args {
  const struct osm_program *program;
  const struct osm_command *command; /* NULL until its name was seen */
  struct value *values;
  size_t nr_values;
  const char **operands;
  size_t nr_operands;
  const char *first_word;
};

const struct osm_option osm_builtin_options[] = {
  { "help", 'h', NULL, "show this help" },
  { "version", 0, NULL, "show the version" },
  { "verbose", 'v', NULL, "say more on stderr; repeat for still more" },
  { NULL, 0, NULL, NULL },
};

static const struct osm_option no_options[] = { { NULL, 0, NULL, NULL } };

/* Reading what was parsed. */

const char *
osm_args_nth (const struct osm_args *args, const char *option, size_t index)
{
  for (size_t i = 0; i < args->nr_values; i++)
    if (osm_str_equal (args->values[i].option->name, option) && index-- == 0)
      return args->values[i].text;
  return NULL;
}

int
osm_args_count (const struct osm_args *args, const char *option)
{
  int n = 0;

  for (size_t i = 0; i < args->nr_values; i++)
    n += osm_str_equal (args->values[i].option->name, option);
  return n;
}

const char *
osm_args_get (const struct osm_args *args, const char *option)
{
  int n = osm_args_count (args, option);

  return n > 0 ? osm_args_nth (args, option, (size_t)n - 1) : NULL;
}

bool
osm_args_has (const struct osm_args *args, const char *option)
{
  return osm_args_count (args, option) > 0;
}

size_t
osm_args_operands (const struct osm_args *args, const char *const **ret)
{
  *ret = args->operands;
  return args->nr_operands;
}

/* Help. */

/* Words of text from column `column` on, following lines indented to HELP_COLUMN. */
static void
print_wrapped (FILE *out, const char *text, size_t column, size_t indent)
{
  while (*text) {
    size_t word = strcspn (text, " ");

    if (column + word > WIDTH && column > indent) {
      fprintf (out, "\n%*s", (int)indent, "");
      column = indent;
    }
    fwrite (text, 1, word, out);
    column += word;
    text += word;
    if (*text == ' ') {
      text++;
      if (column + 1 + strcspn (text, " ") <= WIDTH) {
        fputc (' ', out);
        column++;
      }
      else {
        fprintf (out, "\n%*s", (int)indent, "");
        column = indent;
      }
    }
  }
  fputc ('\n', out);
}

static void
print_entry (FILE *out, const char *left, const char *help)
{
  size_t len = strlen (left);

  fputs (left, out);
  if (len + 2 > HELP_COLUMN) {
    fputc ('\n', out);
    len = 0;
  }
  fprintf (out, "%*s", (int)(HELP_COLUMN - len), "");
  print_wrapped (out, help ? help : "", HELP_COLUMN, HELP_COLUMN);
}

static void
print_options (FILE *out, const char *title, const struct osm_option *options)
{
  if (options == NULL || options->name == NULL)
    return;
  if (title)
    fprintf (out, "\n%s:\n", title);
  for (; options->name; options++) {
    OSM_CLEANUP_FREE char *left = NULL;
    char letter[] = "    ";

    if (options->letter) {
      letter[0] = '-';
      letter[1] = options->letter;
      letter[2] = ',';
    }
    left = osm_asprintf ("  %s--%s%s%s", letter, options->name, options->argument ? " " : "",
                         options->argument ? options->argument : "");
    print_entry (out, left, options->help);
  }
}

static void
print_lines (FILE *out, const char *line)
{
  while (*line) {
    size_t len = strcspn (line, "\n");
    OSM_CLEANUP_FREE char *text = osm_strndup (line, len);

    print_wrapped (out, text, 0, 0);
    line += len + (line[len] == '\n');
  }
}

static void
print_program_help (const struct osm_program *program, FILE *out)
{
  fprintf (out, "Usage: %s [OPTION...] COMMAND [ARGUMENT...]\n\n", program->name);
  if (program->about) {
    print_wrapped (out, program->about, 0, 0);
    fputc ('\n', out);
  }
  fprintf (out, "Commands:\n");
  for (const struct osm_command *c = program->commands; c->name; c++) {
    OSM_CLEANUP_FREE char *left = NULL;

    if (c->hidden)
      continue;
    left = osm_asprintf ("  %s%s%s", c->name, c->operands && *c->operands ? " " : "",
                         c->operands ? c->operands : "");
    print_entry (out, left, c->help);
  }
  print_entry (out, "  help [COMMAND]", "show this help, or that of a command");
  print_options (out, "Options", program->global_options ? program->global_options : no_options);
  print_options (out, program->global_options && program->global_options->name ? NULL : "Options",
                 osm_builtin_options);
  if (program->epilogue) {
    fputc ('\n', out);
    print_lines (out, program->epilogue);
  }
}

static void
print_command_help (const struct osm_program *program, const struct osm_command *c, FILE *out)
{
  const struct osm_option *global = program->global_options;
  OSM_CLEANUP_FREE char *details = program->details ? program->details (c) : NULL;

  fprintf (out, "Usage: %s %s [OPTION...]%s%s\n\n", program->name, c->name,
           c->operands && *c->operands ? " " : "", c->operands ? c->operands : "");
  print_wrapped (out, c->help ? c->help : "", 0, 0);
  print_options (out, "Options", c->options);
  print_options (out, "Options of every command", global);
  print_options (out, global && global->name ? NULL : "Options of every command",
                 osm_builtin_options);
  if (details) {
    fputc ('\n', out);
    print_lines (out, details);
  }
}

/* Machine-readable: one line for what every command takes (named "*"), one for each command. */
static void
print_option_words (const struct osm_option *options, const char **separator)
{
  for (; options && options->name; options++) {
    printf ("%s--%s%s%s", *separator, options->name, options->argument ? "=" : "",
            options->argument ? options->argument : "");
    *separator = " ";
    if (options->letter)
      printf (" -%c", options->letter);
  }
}

static void
print_commands (const struct osm_program *program)
{
  const char *separator = "";

  printf ("*\t\t");
  print_option_words (program->global_options, &separator);
  print_option_words (osm_builtin_options, &separator);
  printf ("\n");
  for (const struct osm_command *c = program->commands; c->name; c++) {
    if (c->hidden)
      continue;
    separator = "";
    printf ("%s\t%s\t", c->name, c->operands ? c->operands : "");
    print_option_words (c->options, &separator);
    printf ("\n");
  }
}

/* Parsing. */

static const struct osm_command *
find_command (const struct osm_program *program, const char *name)
{
  for (const struct osm_command *c = program->commands; c->name; c++)
    if (osm_str_equal (c->name, name))
      return c;
  return NULL;
}

static const struct osm_option *
find_in (const struct osm_option *options, const char *name, size_t len, char letter)
{
  for (; options && options->name; options++)
    if (name ? strlen (options->name) == len && memcmp (options->name, name, len) == 0
             : options->letter == letter)
      return options;
  return NULL;
}

/* By name, or by letter if name is NULL. A command's own options come first. */
static const struct osm_option *
find_option (const struct osm_args *args, const char *name, size_t len, char letter)
{
  const struct osm_option *option = NULL;

  if (args->command)
    option = find_in (args->command->options, name, len, letter);
  if (option == NULL)
    option = find_in (args->program->global_options, name, len, letter);
  if (option == NULL)
    option = find_in (osm_builtin_options, name, len, letter);
  return option;
}

static int
add_value (struct osm_args *args, const struct osm_option *option, const char *text,
           struct osm_error *err)
{
  if (text && option->argument && strchr (option->argument, '|')) {
    OSM_CLEANUP_STRV char **choices = osm_strv_split (option->argument, '|');

    if (!osm_strv_contains (choices, text))
      return osm_error_set (err, OSM_ERROR_USER, 0, "option --%s: '%s' is none of %s", option->name,
                            text, option->argument);
  }
  if (args->nr_values >= MAX_VALUES)
    return osm_error_set (err, OSM_ERROR_USER, 0, "too many options");
  args->values = osm_realloc (args->values, args->nr_values + 1, sizeof *args->values);
  args->values[args->nr_values++] = (struct value){ option, text };
  return 0;
}

static int
unknown_option (const struct osm_args *args, const char *name, size_t len, struct osm_error *err)
{
  const struct osm_option *known[] = { args->command ? args->command->options : NULL,
                                       args->program->global_options, osm_builtin_options };
  struct osm_suggestion s = osm_suggestion_for_mem (name, len);

  osm_error_set (err, OSM_ERROR_USER, 0, "unknown option --%.*s", (int)len, name);
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    for (const struct osm_option *o = known[i]; o && o->name; o++)
      osm_suggestion_offer (&s, o->name);
  if (s.best)
    osm_error_hint (err, "did you mean --%s? '%s help%s%s' lists all options", s.best,
                    args->program->name, args->command ? " " : "",
                    args->command ? args->command->name : "");
  return -1;
}

/* --name, --name=value, --name value. *i is moved over what was used. */
static int
parse_long (struct osm_args *args, int argc, char **argv, int *i, struct osm_error *err)
{
  const char *name = argv[*i] + 2;
  size_t len = strcspn (name, "=");
  const struct osm_option *option = find_option (args, name, len, 0);
  const char *text = name[len] == '=' ? name + len + 1 : NULL;

  if (option == NULL)
    return unknown_option (args, name, len, err);
  if (option->argument == NULL && text)
    return osm_error_set (err, OSM_ERROR_USER, 0, "option --%s takes no value", option->name);
  if (option->argument && text == NULL) {
    if (*i + 1 >= argc)
      return osm_error_set (err, OSM_ERROR_USER, 0, "option --%s needs a value: %s", option->name,
                            option->argument);
    text = argv[++*i];
  }
  return add_value (args, option, text, err);
}

/* -v, -vv, -oVALUE, -o VALUE */
static int
parse_letters (struct osm_args *args, int argc, char **argv, int *i, struct osm_error *err)
{
  for (const char *p = argv[*i] + 1; *p; p++) {
    const struct osm_option *option = find_option (args, NULL, 0, *p);
    const char *text = NULL;

    if (option == NULL)
      return osm_error_set (err, OSM_ERROR_USER, 0, "unknown option -%c", *p);
    if (option->argument) {
      if (p[1])
        text = p + 1;
      else if (*i + 1 < argc)
        text = argv[++*i];
      else
        return osm_error_set (err, OSM_ERROR_USER, 0, "option -%c needs a value: %s", *p,
                              option->argument);
      return add_value (args, option, text, err);
    }
    if (add_value (args, option, NULL, err) == -1)
      return -1;
  }
  return 0;
}

static int
parse (struct osm_args *args, int argc, char **argv, struct osm_error *err)
{
  bool only_operands = false;

  args->operands = osm_calloc ((size_t)argc + 1, sizeof *args->operands);
  for (int i = 1; i < argc; i++) {
    const char *word = argv[i];

    if (!only_operands && osm_str_equal (word, "--")) {
      only_operands = true;
    }
    else if (!only_operands && osm_str_starts_with (word, "--")) {
      if (parse_long (args, argc, argv, &i, err) == -1)
        return -1;
    }
    else if (!only_operands && word[0] == '-' && word[1]) {
      if (parse_letters (args, argc, argv, &i, err) == -1)
        return -1;
    }
    else if (args->first_word == NULL) {
      args->first_word = word;
      args->command = find_command (args->program, word);
      /* What follows an unknown command cannot be judged. */
      if (args->command == NULL && !osm_str_equal (word, "help"))
        return 0;
    }
    else {
      args->operands[args->nr_operands++] = word;
    }
  }
  return 0;
}

static int
unknown_command (const struct osm_program *program, const char *word, struct osm_error *err)
{
  struct osm_suggestion s = osm_suggestion_for (word);

  osm_error_set (err, OSM_ERROR_USER, 0, "unknown command '%s'", word);
  for (const struct osm_command *c = program->commands; c->name; c++)
    if (!c->hidden)
      osm_suggestion_offer (&s, c->name);
  if (s.best)
    return osm_error_hint (err, "did you mean '%s'? '%s help' lists all commands", s.best,
                           program->name);
  return osm_error_hint (err, "'%s help' lists all commands", program->name);
}

static int
check_operands (const struct osm_args *args, struct osm_error *err)
{
  const struct osm_command *c = args->command;

  if (args->nr_operands < (size_t)c->min_operands)
    return osm_error_set (err, OSM_ERROR_USER, 0, "%s: too few arguments, expected %s", c->name,
                          c->operands);
  if (c->max_operands >= 0 && args->nr_operands > (size_t)c->max_operands)
    return osm_error_set (err, OSM_ERROR_USER, 0, "%s: unexpected argument '%s'", c->name,
                          args->operands[c->max_operands]);
  return 0;
}

static void
print_error (const struct osm_error *err)
{
  osm_log (OSM_LOG_ERROR, "%s%s", err->class == OSM_ERROR_BUG ? "internal error: " : "",
           err->message ? err->message : "failed");
  if (err->hint)
    osm_log (OSM_LOG_ERROR, "hint: %s", err->hint);
}

static int
usage_error (const struct osm_args *args, struct osm_error *err)
{
  if (args->command && err->hint == NULL)
    osm_error_hint (err, "'%s help %s' shows how it is used", args->program->name,
                    args->command->name);
  else if (err->hint == NULL)
    osm_error_hint (err, "'%s help' shows how it is used", args->program->name);
  print_error (err);
  return OSM_EXIT_USAGE;
}

/* `help`, `help COMMAND`, `--help`, `COMMAND --help` */
static int
help (const struct osm_args *args, struct osm_error *err)
{
  const struct osm_command *command = args->command;

  if (command == NULL && args->nr_operands > 0) {
    command = find_command (args->program, args->operands[0]);
    if (command == NULL) {
      unknown_command (args->program, args->operands[0], err);
      return usage_error (args, err);
    }
  }
  if (command)
    print_command_help (args->program, command, stdout);
  else
    print_program_help (args->program, stdout);
  return OSM_EXIT_OK;
}

static int
run_command (const struct osm_args *args, struct osm_error *err)
{
  int status = args->command->run (args, err);

  if (!osm_error_is_set (err)) {
    if (status >= 0)
      return status;
    osm_error_set (err, OSM_ERROR_BUG, 0, "%s failed without saying why", args->command->name);
  }
  print_error (err);
  /* Commands say that they failed; that they were interrupted is in the error. */
  if (err->class == OSM_ERROR_INTERRUPTED)
    return OSM_EXIT_INTERRUPTED;
  return status > 0 ? status : OSM_EXIT_FAILED;
}

static int
dispatch (struct osm_args *args, int argc, char **argv, struct osm_error *err)
{
  int verbose;

  if (parse (args, argc, argv, err) == -1)
    return usage_error (args, err);
  verbose = osm_args_count (args, "verbose");
  if (verbose > 0)
    osm_log_set_level (verbose == 1 ? OSM_LOG_INFO : verbose == 2 ? OSM_LOG_DEBUG : OSM_LOG_TRACE);
  if (osm_args_has (args, "version")) {
    printf ("%s %s\n", args->program->name, args->program->version);
    return OSM_EXIT_OK;
  }
  if (args->command == NULL && osm_str_equal (args->first_word, "__commands")) {
    print_commands (args->program);
    return OSM_EXIT_OK;
  }
  if (osm_args_has (args, "help") ||
      (args->command == NULL && osm_str_equal (args->first_word, "help")))
    return help (args, err);
  if (args->first_word == NULL) {
    print_program_help (args->program, stderr);
    return OSM_EXIT_USAGE;
  }
  if (args->command == NULL) {
    unknown_command (args->program, args->first_word, err);
    return usage_error (args, err);
  }
  if (check_operands (args, err) == -1)
    return usage_error (args, err);
  return run_command (args, err);
}

int
osm_command_main (const struct osm_program *program, int argc, char **argv)
{
  struct osm_args args = { .program = program };
  OSM_ERROR (err);
  int status;

  osm_log_init (program->name, OSM_LOG_WARNING);
  status = dispatch (&args, argc, argv, &err);
  free (args.values);
  free (args.operands);
  /* A full disk behind stdout must not look like success. */
  if (fflush (stdout) == EOF || ferror (stdout)) {
    if (status == OSM_EXIT_OK) {
      osm_log (OSM_LOG_ERROR, "cannot write to standard output");
      status = OSM_EXIT_FAILED;
    }
  }
  return status;
}
