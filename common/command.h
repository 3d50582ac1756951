/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* One table per program drives dispatch, --help, shell completion and the test that the man page lists
 * exactly these commands and options.
 *
 *   static const struct osm_option migrate_server_options[] = {
 *     { "dry-run", 'n', NULL, "print the plan, touch nothing" },
 *     { "output", 'o', "FORMAT", "text or json" },
 *     { NULL } };
 *   const struct osm_command commands[] = {
 *     { "migrate-server", "SERVER", 1, 1, migrate_server_options, cmd_migrate_server, "move a server" },
 *     { NULL } };
 *   return osm_command_main (&program, argc, argv);
 *
 * Options may stand before or after the operands; `--name=value`, `--name value`, unique prefixes are not
 * accepted (scripts outlive prefixes). */

#ifndef OSM_COMMON_COMMAND_H
#define OSM_COMMON_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

/* Exit status of both programs. */
enum osm_exit {
  OSM_EXIT_OK = 0,
  OSM_EXIT_FAILED = 1,
  OSM_EXIT_USAGE = 2,
  OSM_EXIT_NOTHING = 3,
  OSM_EXIT_BLOCKED = 4,
  OSM_EXIT_PARTIAL = 5,
  OSM_EXIT_INTERRUPTED = 130,
};

struct osm_option {
  const char *name;     /* without dashes */
  char letter;          /* or 0 */
  const char *argument; /* its name in the help, or "this|that" for a choice; NULL: a flag */
  const char *help;     /* one line */
};

/* --help, --version, --verbose: every program has them. */
extern const struct osm_option osm_builtin_options[];

/* Parsed command line of one invocation. */
struct osm_args;
const char *osm_args_get (const struct osm_args *args, const char *option); /* last one, or NULL */
bool osm_args_has (const struct osm_args *args, const char *option);
int osm_args_count (const struct osm_args *args, const char *option); /* -vv */
/* All values of an option that may be repeated: index 0.., NULL at the end. */
const char *osm_args_nth (const struct osm_args *args, const char *option, size_t index);
size_t osm_args_operands (const struct osm_args *args, const char *const **ret);

struct osm_command {
  const char *name;               /* NULL ends the table */
  const char *operands;           /* for the usage line: "SERVER", "[ID]" */
  int min_operands, max_operands; /* max -1: any number */
  const struct osm_option *options;
  /* Returns an osm_exit; with err set, the message is printed by osm_command_main and the status
   * is OSM_EXIT_FAILED (or INTERRUPTED) if the function returned OSM_EXIT_OK. */
  int (*run) (const struct osm_args *args, struct osm_error *err);
  const char *help; /* one line */
  bool hidden;      /* not in the short help: internal */
};

struct osm_program {
  const char *name, *version, *about;
  const struct osm_command *commands;
  const struct osm_option *global_options; /* besides help, version, verbose */
  const char *epilogue;                    /* after the list of commands, or NULL */
  /* More at the end of the help of a command, or NULL. Its answer may be NULL; the caller frees it. */
  char *(*details) (const struct osm_command *command);
};

/* Understands --help, -h, `help COMMAND`, --version, -v/--verbose (repeatable: sets the log level), and the hidden
 * `__commands` (name, operands and options, tab separated: the source of completion and man page tests). */
int osm_command_main (const struct osm_program *program, int argc, char **argv);

#endif
