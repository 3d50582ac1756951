/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cmd/commands.h"

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/strbuf.h"
#include "controller/tenant/type.h"

const struct osm_option osm_options_completion[] = {
  { NULL, 0, NULL, NULL },
};

static void
add_words (struct osm_strbuf *b, const struct osm_option *options)
{
  for (; options && options->name; options++)
    osm_strbuf_addf (b, " --%s", options->name);
}

/* "    --config|-c) COMMAND ;;" for each option with a value. */
static void
add_values (struct osm_strbuf *b, const struct osm_option *options, const char *command)
{
  for (; options && options->name; options++) {
    const char *argument = options->argument;

    if (!argument)
      continue;
    osm_strbuf_addf (b, "    %s:--%s", command, options->name);
    if (options->letter)
      osm_strbuf_addf (b, "|%s:-%c", command, options->letter);
    osm_strbuf_add (b, ") ");
    if (strchr (argument, '|')) {
      OSM_CLEANUP_STRV char **choices = osm_strv_split (argument, '|');
      OSM_CLEANUP_FREE char *words = osm_strv_join (choices, " ");

      osm_strbuf_addf (b, "words='%s'", words);
    }
    else if (strcmp (argument, "FILE") == 0)
      osm_strbuf_add (b, "kind=-f");
    else if (strcmp (argument, "DIR") == 0)
      osm_strbuf_add (b, "kind=-d");
    else
      osm_strbuf_add (b, "kind=none");
    osm_strbuf_add (b, " ;;\n");
  }
}

/* Options with a value, for the search of the command's name: "--config|--output|-o". */
static void
add_with_value (struct osm_strbuf *b, const struct osm_option *options)
{
  for (; options && options->name; options++) {
    if (!options->argument)
      continue;
    osm_strbuf_addf (b, "%s--%s", b->len > 0 ? "|" : "", options->name);
    if (options->letter)
      osm_strbuf_addf (b, "|-%c", options->letter);
  }
}

static void
add_types (struct osm_strbuf *b)
{
  osm_strbuf_add (b, " all");
  for (size_t i = 0; osm_tenant_types[i]; i++)
    if (osm_tenant_types[i]->file)
      osm_strbuf_addf (b, " %s", osm_tenant_types[i]->name);
}

int
osm_cmd_completion (const struct osm_args *args, struct osm_error *err)
{
  const struct osm_program *program = &osm_controller_program;
  OSM_STRBUF (with_value);
  OSM_STRBUF (values);
  OSM_STRBUF (commands);
  OSM_STRBUF (cases);
  OSM_STRBUF (global);

  (void)args;
  (void)err;
  add_words (&global, program->global_options);
  add_words (&global, osm_builtin_options);
  add_with_value (&with_value, program->global_options);
  for (const struct osm_command *c = program->commands; c->name; c++) {
    if (c->hidden)
      continue;
    osm_strbuf_addf (&commands, " %s", c->name);
    add_values (&values, c->options, c->name);
    osm_strbuf_addf (&cases, "    %s) words=\"$words", c->name);
    add_words (&cases, c->options);
    if (strstr (c->operands, "TYPE"))
      add_types (&cases);
    osm_strbuf_add (&cases, "\"");
    if (strcmp (c->operands, "ID") == 0)
      osm_strbuf_add (&cases, "; ids=yes");
    osm_strbuf_add (&cases, " ;;\n");
  }
  add_values (&values, program->global_options, "*");

  printf ("# bash completion of %s\n"
          "# Made by '%s completion' from its table of commands.\n"
          "\n"
          "_osm_controller ()\n"
          "{\n"
          "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
          "  local command='' words='' kind='' ids='' i\n"
          "\n"
          "  COMPREPLY=()\n"
          "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "    case ${COMP_WORDS[i]} in\n"
          "      %s) i=$((i + 1)) ;;\n"
          "      -*) ;;\n"
          "      *) command=${COMP_WORDS[i]}; break ;;\n"
          "    esac\n"
          "  done\n"
          "  # --option=value comes as three words\n"
          "  if [ \"$cur\" = = ]; then\n"
          "    cur=''\n"
          "  elif [ \"$prev\" = = ] && [ \"$COMP_CWORD\" -ge 2 ]; then\n"
          "    prev=${COMP_WORDS[COMP_CWORD-2]}\n"
          "  fi\n",
          program->name, program->name, osm_strbuf_str (&with_value));
  printf ("  case $command:$prev in\n%s  esac\n"
          "  if [ -n \"$kind\" ]; then\n"
          "    [ \"$kind\" = none ] || mapfile -t COMPREPLY < <(compgen \"$kind\" -- \"$cur\")\n"
          "    return\n"
          "  fi\n"
          "  if [ -n \"$words\" ]; then\n"
          "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
          "    return\n"
          "  fi\n"
          "  words='%s'\n"
          "  case $command in\n"
          "    '') words=\"$words%s help\" ;;\n"
          "    help) words='%s' ;;\n%s  esac\n"
          "  if [ -n \"$ids\" ] && [ \"${cur:0:1}\" != - ]; then\n"
          "    words=$(%s list 2> /dev/null | while read -r id _; do echo \"$id\"; done)\n"
          "    words=${words#ID}\n"
          "  fi\n"
          "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
          "}\n"
          "\n"
          "complete -F _osm_controller %s\n",
          osm_strbuf_str (&values), osm_strbuf_str (&global) + 1, osm_strbuf_str (&commands),
          osm_strbuf_str (&commands) + 1, osm_strbuf_str (&cases), program->name, program->name);
  return OSM_EXIT_OK;
}
