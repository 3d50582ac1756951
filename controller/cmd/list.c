/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cmd/commands.h"

#include <stdio.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/strbuf.h"
#include "controller/cmd/common.h"
#include "controller/cmd/describe.h"
#include "controller/migration/state.h"

#define NEWEST 100 /* what a table shows of a long journal, besides all that is not finished */

const struct osm_option osm_options_list[] = {
  { "state", 's', "STATE", "only migrations in this state (failed, completed ...)" },
  { "limit", 'n', "NUMBER", "only that many of the newest" },
  { "all", 'a', NULL, "also finished ones that are older than the newest 100" },
  { "objects", 0, NULL, "what import has made, found or was told instead of migrations" },
  { "grants", 0, NULL,
    "roles that osm has given itself and not taken back, instead of migrations" },
  { NULL, 0, NULL, NULL },
};

static int
check_state (const char *state, struct osm_error *err)
{
  enum osm_migration_state ignored;
  OSM_STRBUF (known);

  if (!state || osm_migration_state_parse (state, &ignored, err) == 0)
    return 0;
  for (int i = OSM_STATE_PLANNED; i <= OSM_STATE_CLEANED; i++)
    osm_strbuf_addf (&known, "%s%s", i > 0 ? ", " : "",
                     osm_migration_state_name ((enum osm_migration_state)i));
  return osm_error_hint (err, "the states are %s", osm_strbuf_str (&known));
}

static json_t *
table_row (const struct osm_migration_row *row, bool alive, int64_t now)
{
  OSM_CLEANUP_FREE char *state = osm_describe_state (row, alive);
  OSM_CLEANUP_FREE char *progress = osm_describe_progress (row);
  OSM_CLEANUP_FREE char *age = osm_describe_age (row->created_ms, now);
  OSM_CLEANUP_FREE char *way = osm_asprintf ("%s -> %s", row->source_cloud, row->destination_cloud);

  return osm_json_pack ("[s, s, s, s, s, s, s]", row->id, row->kind, row->object_name, state,
                        progress, way, age);
}

static int
print (const struct osm_session *session, struct osm_migration_row **rows, size_t nr,
       struct osm_error *err)
{
  static const char *const columns[] = { "ID",    "KIND",     "NAME",
                                         "STATE", "PROGRESS", "SOURCE -> DESTINATION",
                                         "AGE",   NULL };
  OSM_CLEANUP_JSON json_t *table = json_array ();
  bool json = osm_ui_get_mode (session->ui) == OSM_UI_JSON;
  int64_t now = osm_wall_ms ();

  for (size_t i = 0; i < nr; i++) {
    bool alive = true;

    if (osm_describe_needs_process (rows[i]->state) &&
        osm_describe_alive (session->store, rows[i], &alive, NULL, err) == -1)
      return -1;
    json_array_append_new (table, json ? osm_describe_row (rows[i], alive)
                                       : table_row (rows[i], alive, now));
  }
  if (json)
    osm_ui_json (table);
  else if (nr > 0)
    osm_ui_table (columns, table);
  else
    fprintf (stderr, "no migrations\n");
  return 0;
}

static int
list_objects (const struct osm_session *session, struct osm_error *err)
{
  static const char *const columns[] = { "TYPE",        "NAME",           "SOURCE", "SOURCE ID",
                                         "DESTINATION", "DESTINATION ID", "ORIGIN", NULL };
  OSM_CLEANUP_JSON json_t *rows = NULL, *table = json_array ();
  const json_t *row;
  size_t i;

  if (osm_store_mapping_list (session->store, NULL, NULL, &rows, err) == -1)
    return -1;
  json_array_foreach (rows, i, row)
  {
    const char *name = osm_json_str (row, "name");
    OSM_CLEANUP_FREE char *source =
        osm_asprintf ("%s%s", osm_json_str (row, "source_id"),
                      json_object_get (row, "source_deleted_ms") ? " (deleted)" : "");

    json_array_append_new (
        table, osm_json_pack ("[s, s, s, s, s, s, s]", osm_json_str (row, "type"), name ? name : "",
                              osm_json_str (row, "source_cloud"), source,
                              osm_json_str (row, "destination_cloud"),
                              osm_json_str (row, "destination_id"), osm_json_str (row, "origin")));
  }
  if (osm_ui_get_mode (session->ui) == OSM_UI_JSON)
    osm_ui_json (rows);
  else if (json_array_size (rows) > 0)
    osm_ui_table (columns, table);
  else
    fprintf (stderr, "no objects\n");
  return 0;
}

static int
list_grants (const struct osm_session *session, struct osm_error *err)
{
  static const char *const columns[] = { "CLOUD", "PROJECT", "ROLE", "USER ID", NULL };
  OSM_CLEANUP_JSON json_t *rows = NULL, *table = json_array ();
  const json_t *row;
  size_t i;

  if (osm_store_grant_list (session->store, NULL, &rows, err) == -1)
    return -1;
  json_array_foreach (rows, i, row) json_array_append_new (
      table,
      osm_json_pack ("[s?, s?, s?, s?]", osm_json_str (row, "cloud"), osm_json_str (row, "project"),
                     osm_json_str (row, "role"), osm_json_str (row, "user_id")));
  if (osm_ui_get_mode (session->ui) == OSM_UI_JSON)
    osm_ui_json (rows);
  else if (json_array_size (rows) > 0)
    osm_ui_table (columns, table);
  else
    fprintf (stderr, "no roles\n");
  return 0;
}

int
osm_cmd_list (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  const char *state = osm_args_get (args, "state"), *limit_text = osm_args_get (args, "limit");
  struct osm_migration_row **rows = NULL;
  uint64_t limit = 0;
  size_t nr = 0, more = 0;
  int r;

  if (check_state (state, err) == -1 ||
      (limit_text && osm_parse_uint (limit_text, "--limit", 1, 1000000, &limit, err) == -1))
    return OSM_EXIT_USAGE;
  if (osm_session_open (args, OSM_WANT_STORE, &session, err) == -1)
    return OSM_EXIT_FAILED;
  if (osm_args_has (args, "objects"))
    return list_objects (session, err) == 0 ? OSM_EXIT_OK : OSM_EXIT_FAILED;
  if (osm_args_has (args, "grants"))
    return list_grants (session, err) == 0 ? OSM_EXIT_OK : OSM_EXIT_FAILED;
  if (state || limit || osm_args_has (args, "all") || osm_ui_get_mode (session->ui) == OSM_UI_JSON)
    r = osm_store_migration_list (session->store, state, limit, &rows, &nr, err);
  else
    r = osm_store_migration_recent (session->store, NEWEST, &rows, &nr, &more, err);
  if (r == -1)
    return OSM_EXIT_FAILED;
  r = print (session, rows, nr, err);
  if (r == 0 && more > 0) {
    fflush (stdout);
    fprintf (stderr, "%zu older ones are finished: --all shows them, prune forgets them\n", more);
  }
  for (size_t i = 0; i < nr; i++)
    osm_migration_row_free (rows[i]);
  free (rows);
  return r == 0 ? OSM_EXIT_OK : OSM_EXIT_FAILED;
}
