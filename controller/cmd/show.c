/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cmd/commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/parse.h"
#include "common/quote.h"
#include "common/ranges.h"
#include "common/strbuf.h"
#include "controller/cmd/common.h"
#include "controller/cmd/describe.h"
#include "controller/migration/manifest.h"
#include "controller/migration/plan.h"

const struct osm_option osm_options_show[] = {
  { "manifest", 0, NULL, "print the digests of the copied volumes as JSON" },
  { NULL, 0, NULL, NULL },
};

/* All that the journal has about one migration. */
struct story {
  struct osm_migration_row *row;
  bool alive;
  char *holder, *advice;
  json_t *steps, *objects, *events;
  json_t *repairs, *unreadable; /* by volume */
};

static void
story_done (struct story *s)
{
  osm_migration_row_free (s->row);
  free (s->holder);
  free (s->advice);
  json_decref (s->steps);
  json_decref (s->objects);
  json_decref (s->events);
  json_decref (s->repairs);
  json_decref (s->unreadable);
}

/* Facts "PREFIX:VOLUME" as an object with a member for each volume. */
static int
facts_of_volumes (struct osm_store *store, const char *id, const char *prefix, json_t **ret,
                  struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *facts = NULL, *volumes = json_object ();
  const char *key;
  json_t *value;

  if (osm_store_fact_list (store, id, prefix, &facts, err) == -1)
    return -1;
  json_object_foreach (facts, key, value) json_object_set (volumes, key + strlen (prefix), value);
  *ret = osm_take (volumes);
  return 0;
}

static int
read_story (struct osm_store *store, const char *id, struct story *s, struct osm_error *err)
{
  if (osm_store_migration_get (store, id, &s->row, err) == -1 ||
      osm_describe_alive (store, s->row, &s->alive, &s->holder, err) == -1 ||
      osm_store_step_list (store, s->row->id, &s->steps, err) == -1 ||
      osm_store_object_list (store, s->row->id, &s->objects, err) == -1 ||
      osm_store_event_list (store, s->row->id, 0, &s->events, err) == -1 ||
      facts_of_volumes (store, s->row->id, "repair:", &s->repairs, err) == -1 ||
      facts_of_volumes (store, s->row->id, "unreadable:", &s->unreadable, err) == -1)
    return -1;
  s->advice = osm_describe_advice (s->row, s->alive);
  return 0;
}

static void
print_json (const struct story *s)
{
  OSM_CLEANUP_JSON json_t *all = osm_describe_row (s->row, s->alive);

  osm_json_set_str (all, "process", s->holder);
  osm_json_set_str (all, "advice", s->advice);
  json_object_set (all, "steps", s->steps);
  json_object_set (all, "objects", s->objects);
  json_object_set (all, "events", s->events);
  json_object_set (all, "repairs", s->repairs);
  json_object_set (all, "unreadable", s->unreadable);
  json_object_set (all, "plan", s->row->plan ? s->row->plan : json_null ());
  osm_ui_json (all);
}

static void
print_head (const struct story *s)
{
  const struct osm_migration_row *row = s->row;
  OSM_CLEANUP_FREE char *state = osm_describe_state (row, s->alive);
  OSM_CLEANUP_FREE char *name = osm_quote_terminal (row->object_name);
  OSM_CLEANUP_FREE char *age = osm_describe_age (row->created_ms, osm_wall_ms ());
  char created[OSM_TIME_LEN], updated[OSM_TIME_LEN];
  char done[OSM_HUMAN_LEN], total[OSM_HUMAN_LEN], sent[OSM_HUMAN_LEN];

  printf ("Migration %s: %s '%s'\n", row->id, row->kind, name);
  printf ("  state        %s\n", state);
  if (s->holder)
    printf ("  process      %s\n", s->holder);
  printf ("  source       %s in cloud '%s'\n", row->object_id, row->source_cloud);
  printf ("  destination  %s in cloud '%s'\n",
          osm_str_equal (row->state, "rolled-back") ? "nothing"
          : row->result_id                          ? row->result_id
                                                    : "not there yet",
          row->destination_cloud);
  printf ("  created      %s (%s ago)\n", osm_time_text (row->created_ms, created), age);
  printf ("  last change  %s\n", osm_time_text (row->updated_ms, updated));
  printf ("  copied       %s of %s, %s sent\n", osm_human_size (row->bytes_done, done),
          osm_human_size (row->bytes_total, total), osm_human_size (row->bytes_sent, sent));
}

static void
print_steps (const json_t *steps)
{
  static const char *const columns[] = { "STEP", "STATE", "TIME", NULL };
  OSM_CLEANUP_JSON json_t *rows = json_array ();
  size_t i;
  const json_t *step;

  json_array_foreach (steps, i, step)
  {
    json_int_t started = json_integer_value (json_object_get (step, "started_ms"));
    json_int_t ended = json_integer_value (json_object_get (step, "ended_ms"));
    char time[OSM_HUMAN_LEN] = "-";

    if (ended >= started && started > 0)
      osm_human_duration ((uint64_t)(ended - started), time);
    json_array_append_new (rows, osm_json_pack ("[s, s, s]", osm_json_str (step, "name"),
                                                osm_json_str (step, "state"), time));
  }
  if (i > 0) {
    printf ("\n");
    osm_ui_table (columns, rows);
  }
}

static void
print_objects (const json_t *objects)
{
  static const char *const columns[] = { "OBJECT", "CLOUD", "STATE", "ID", "ROLE", NULL };
  OSM_CLEANUP_JSON json_t *rows = json_array ();
  size_t i;
  const json_t *object;

  json_array_foreach (objects, i, object) json_array_append_new (
      rows, osm_json_pack ("[s, s, s, s?, s]", osm_json_str (object, "type"),
                           osm_json_str (object, "cloud"), osm_json_str (object, "state"),
                           osm_json_str (object, "object_id"), osm_json_str (object, "key")));
  if (i > 0) {
    printf ("\n");
    osm_ui_table (columns, rows);
  }
}

static void
print_places (const char *what, const json_t *volumes)
{
  const char *id;
  json_t *fact;

  json_object_foreach ((json_t *)volumes, id, fact)
  {
    OSM_RANGES (ranges);
    OSM_CLEANUP_FREE char *text = NULL, *quoted_id = NULL, *quoted_result = NULL;
    const char *result = osm_json_str (fact, "result");
    OSM_ERROR (ignored);

    if (osm_ranges_from_json (json_object_get (fact, "ranges"), INT64_MAX, SIZE_MAX, &ranges,
                              &ignored) == -1)
      continue;
    text = osm_ranges_text (&ranges, 64);
    quoted_id = osm_quote_terminal (id);
    quoted_result = osm_quote_terminal (result);
    printf ("\n%s in volume %s%s%s%s: %s\n", what, quoted_id, result ? " (" : "",
            result ? quoted_result : "", result ? ")" : "", text);
  }
}

static void
print_events (const json_t *events)
{
  size_t i;
  const json_t *event;

  json_array_foreach (events, i, event)
  {
    char time[OSM_TIME_LEN];
    OSM_CLEANUP_FREE char *text = osm_quote_terminal (osm_json_str (event, "text"));

    printf ("%s%s  %s\n", i == 0 ? "\n" : "",
            osm_time_text (json_integer_value (json_object_get (event, "time_ms")), time), text);
  }
}

static void
print_end (const struct story *s)
{
  OSM_CLEANUP_FREE char *message = osm_quote_terminal (osm_json_str (s->row->error, "message"));
  OSM_CLEANUP_FREE char *hint = osm_quote_terminal (osm_json_str (s->row->error, "hint"));

  if (message)
    printf ("\nError: %s\n", message);
  if (hint)
    printf ("Hint: %s\n", hint);
  if (s->advice)
    printf ("%sNext: %s\n", message ? "" : "\n", s->advice);
}

static void
print_text (const struct story *s)
{
  OSM_CLEANUP_FREE char *plan = json_is_object (s->row->plan)
                                    ? osm_plan_text (s->row->plan, s->row->destination_cloud)
                                    : NULL;

  print_head (s);
  if (plan)
    printf ("\n%s", plan);
  print_steps (s->steps);
  print_objects (s->objects);
  print_places ("Copied once more", s->repairs);
  print_places ("Not readable at the source, zeros in the copy", s->unreadable);
  print_events (s->events);
  print_end (s);
}

/* One volume, digest by digest: there may be millions. */
static void
print_volume_manifest (const char *volume_id, const json_t *manifest, const unsigned char *digests,
                       uint64_t chunks)
{
  OSM_CLEANUP_JSON json_t *key = json_string (volume_id);
  OSM_CLEANUP_FREE char *name = json_dumps (key, JSON_ENCODE_ANY | JSON_ENSURE_ASCII),
                        *text = json_dumps (manifest, JSON_COMPACT | JSON_ENSURE_ASCII);
  char hex[2 * OSM_CHUNK_DIGEST_LEN + 1];

  if (!name || !text)
    osm_oom ();
  printf ("  %s: %.*s", name, (int)(strlen (text) - 1), text);
  if (digests) {
    printf ("%s\"digest\": \"XXH3-128\", \"digests\": [", json_object_size (manifest) ? ", " : "");
    for (uint64_t i = 0; i < chunks; i++) {
      osm_chunk_hex (digests + i * OSM_CHUNK_DIGEST_LEN, hex);
      printf ("%s\n    \"%s\"", i > 0 ? "," : "", hex);
    }
    printf ("]");
  }
  printf ("}");
}

static int
print_manifest (const struct osm_session *session, const struct osm_migration_row *row,
                struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *volumes = NULL;
  const char *id;
  json_t *manifest;
  bool first = true;

  if (facts_of_volumes (session->store, row->id, "manifest:", &volumes, err) == -1)
    return OSM_EXIT_FAILED;
  if (json_object_size (volumes) == 0) {
    osm_error_set (err, OSM_ERROR_USER, 0, "migration %s has no manifest: no volume was verified",
                   row->id);
    return OSM_EXIT_FAILED;
  }
  printf ("{\n");
  json_object_foreach (volumes, id, manifest)
  {
    json_int_t chunks = json_integer_value (json_object_get (manifest, "chunks"));
    OSM_CLEANUP_FREE unsigned char *digests = NULL;
    OSM_ERROR (why);

    /* Migrations of older versions have only the sum. */
    if (osm_chunks_load (session->config->state_dir, row->id, id, chunks > 0 ? (uint64_t)chunks : 0,
                         &digests, &why) == -1 &&
        why.code != ENOENT)
      osm_warning ("%s", why.message);
    printf ("%s", first ? "" : ",\n");
    print_volume_manifest (id, manifest, digests, (uint64_t)chunks);
    first = false;
  }
  printf ("\n}\n");
  return OSM_EXIT_OK;
}

int
osm_cmd_show (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  __attribute__ ((cleanup (story_done))) struct story story = { 0 };
  const char *const *operands;

  osm_args_operands (args, &operands);
  if (osm_session_open (args, OSM_WANT_STORE, &session, err) == -1 ||
      read_story (session->store, operands[0], &story, err) == -1)
    return OSM_EXIT_FAILED;
  if (osm_args_has (args, "manifest"))
    return print_manifest (session, story.row, err);
  if (osm_ui_get_mode (session->ui) == OSM_UI_JSON)
    print_json (&story);
  else
    print_text (&story);
  return OSM_EXIT_OK;
}
