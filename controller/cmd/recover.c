/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/recover.h"

#include <stdio.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/log.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/cmd/commands.h"
#include "controller/cmd/common.h"

const struct osm_option osm_options_recover[] = {
  { "yes", 'y', NULL, "rebuild all that is found: nobody else works on it" },
  { "dry-run", 'n', NULL, "only say what would be done" },
  { NULL, 0, NULL, NULL },
};

static json_t *
object_row (const json_t *object)
{
  return osm_json_pack ("[s, s, s, s?, s?, s?]", osm_json_str (object, "cloud"),
                        osm_json_str (object, "kind"), osm_json_str (object, "id"),
                        osm_json_str (object, "name"), osm_json_str (object, "status"),
                        osm_json_str (object, "what"));
}

static void
print_objects (const json_t *objects)
{
  static const char *const columns[] = { "CLOUD", "KIND", "ID", "NAME", "STATUS", "WHAT", NULL };
  OSM_CLEANUP_JSON json_t *rows = json_array ();
  size_t i;
  const json_t *object;

  json_array_foreach (objects, i, object) json_array_append_new (rows, object_row (object));
  osm_ui_table (columns, rows);
}

static const char *
action_text (const char *action)
{
  if (osm_str_equal (action, "rebuilt"))
    return "in the journal now";
  if (osm_str_equal (action, "known"))
    return "the journal has it";
  return osm_str_equal (action, "refused") ? "cannot be rebuilt" : "not in the journal";
}

static void
print_migration (const json_t *migration)
{
  const json_t *plan = json_object_get (migration, "plan"),
               *source = json_object_get (plan, "source");
  const char *id = osm_json_str (migration, "id"), *action = osm_json_str (migration, "action"),
             *why = osm_json_str (migration, "why"), *resume = osm_json_str (migration, "resume"),
             *status = osm_json_str (source, "status"), *kind = osm_json_str (migration, "kind");
  OSM_CLEANUP_FREE char *name = osm_quote_terminal (osm_json_str (source, "name")),
                        *host = osm_quote_terminal (osm_json_str (migration, "claimed_on"));
  bool unfinished = json_is_true (json_object_get (migration, "unfinished"));

  printf ("migration %s", id);
  if (kind)
    printf (" of %s '%s', %s", kind, name ? name : "", unfinished ? "unfinished" : "complete");
  printf (": %s\n", action_text (action));
  print_objects (json_object_get (migration, "objects"));
  if (why) {
    OSM_CLEANUP_FREE char *text = osm_quote_terminal (why);

    printf ("  %s\n", text);
  }
  if (host)
    printf ("  begun on '%s'\n", host);
  if (osm_str_equal (status, "UNKNOWN"))
    printf ("  no mark tells whether its source server was running: a rollback leaves it off\n");
  if (osm_str_equal (action, "rebuilt") || osm_str_equal (action, "found")) {
    printf ("  -> %sosm-controller rollback %s%s%s\n",
            osm_str_equal (action, "found") ? "after osm-controller recover ID: " : "", id,
            !resume ? ", or resume " : "", !resume ? id : "");
    if (resume && unfinished) {
      OSM_CLEANUP_FREE char *text = osm_quote_terminal (resume);

      printf ("  it cannot be resumed: %s\n", text);
    }
  }
  printf ("\n");
}

static void
print_rest (const json_t *found)
{
  const json_t *orphans = json_object_get (found, "orphans"),
               *hosts = json_object_get (found, "hosts"), *item;
  size_t i;

  if (json_array_size (orphans) > 0) {
    printf ("Left over, and part of no migration that can be rebuilt. Look at each before you "
            "remove it:\n");
    print_objects (orphans);
    json_array_foreach (orphans, i, item)
    {
      OSM_CLEANUP_FREE char *command = osm_quote_terminal (osm_json_str (item, "command"));

      printf ("  -> %s\n", command);
    }
    printf ("\n");
  }
  json_array_foreach (hosts, i, item)
  {
    OSM_CLEANUP_FREE char *pair = osm_quote_terminal (osm_json_str (item, "pair")),
                          *cloud = osm_quote_terminal (osm_json_str (item, "cloud"));

    printf ("conversion host of pair '%s' in cloud '%s': server %s, %s\n", pair ? pair : "", cloud,
            osm_json_str (item, "id"), osm_json_str (item, "status"));
  }
  if (json_array_size (hosts) > 0)
    printf ("  -> osm-controller delete-conversion-hosts\n");
}

static size_t
count (const json_t *found, const char *action)
{
  size_t i, n = 0;
  const json_t *migration;

  json_array_foreach (json_object_get (found, "migrations"), i, migration) n +=
      osm_str_equal (osm_json_str (migration, "action"), action);
  return n;
}

int
osm_cmd_recover (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_JSON json_t *found = NULL;
  struct osm_recover_choice choice = { .all = osm_args_has (args, "yes"),
                                       .dry_run = osm_args_has (args, "dry-run") };
  struct osm_migration_context context;
  const json_t *migrations;

  choice.nr_ids = osm_args_operands (args, &choice.ids);
  if (osm_session_open (args, OSM_WANT_CLOUDS | OSM_WANT_STORE, &session, err) == -1)
    return OSM_EXIT_FAILED;
  context = (struct osm_migration_context){ .config = session->config,
                                            .cloud = { session->cloud[0], session->cloud[1] },
                                            .store = session->store,
                                            .ui = session->ui };
  if (osm_recover (&context, &choice, &found, err) == -1)
    return OSM_EXIT_FAILED;
  migrations = json_object_get (found, "migrations");
  if (osm_ui_get_mode (session->ui) == OSM_UI_JSON)
    osm_ui_json (found);
  else {
    size_t i;
    const json_t *migration;

    json_array_foreach (migrations, i, migration) print_migration (migration);
    print_rest (found);
  }
  if (count (found, "found") > 0 && !choice.dry_run)
    osm_warning ("marks do not tell whether another operator is at work on a migration right now: "
                 "name those to be rebuilt (osm-controller recover ID...), or give --yes for all");
  if (count (found, "rebuilt") > 0)
    osm_warning ("if another operator, with another journal, still works on a migration that was "
                 "rebuilt: stop that before you roll back or resume here");
  return count (found, "found") + count (found, "rebuilt") > 0 ||
                 json_array_size (json_object_get (found, "orphans")) > 0
             ? OSM_EXIT_OK
             : OSM_EXIT_NOTHING;
}
