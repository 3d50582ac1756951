/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cmd/commands.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/cmd/common.h"
#include "controller/cmd/describe.h"

const struct osm_option osm_options_watch[] = {
  { NULL, 0, NULL, NULL },
};

#define POLL_MS 500
/* A process that was just started, or is between two of its own, may have no lease for a moment. */
#define GRACE_MS 5000

struct watch {
  struct osm_session *session;
  char *id;
  uint64_t last_event;
  json_t *steps;           /* "SEQ": started_ms of those that were shown */
  uint64_t alone_since_ms; /* 0: a process is there */
};

static void
watch_done (struct watch *w)
{
  free (w->id);
  json_decref (w->steps);
}

/* ---- what is new since the last look, as objects with "time_ms" ---- */

static int
new_events (struct watch *w, json_t *news, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *events = NULL;
  size_t i;
  json_t *event;

  if (osm_store_event_list (w->session->store, w->id, w->last_event, &events, err) == -1)
    return -1;
  json_array_foreach (events, i, event)
  {
    w->last_event = (uint64_t)json_integer_value (json_object_get (event, "seq"));
    json_object_set_new (event, "event", json_string ("journal"));
    json_array_append (news, event);
  }
  return 0;
}

/* Steps that were begun, or whose undo was begun. */
static int
new_steps (struct watch *w, json_t *news, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *steps = NULL;
  size_t i;
  const json_t *step;

  if (osm_store_step_list (w->session->store, w->id, &steps, err) == -1)
    return -1;
  json_array_foreach (steps, i, step)
  {
    OSM_CLEANUP_FREE char *seq =
        osm_asprintf ("%" JSON_INTEGER_FORMAT, json_integer_value (json_object_get (step, "seq")));
    OSM_CLEANUP_FREE char *text = NULL;
    json_t *started = json_object_get (step, "started_ms");

    if (json_equal (json_object_get (w->steps, seq), started))
      continue;
    json_object_set (w->steps, seq, started);
    text = osm_asprintf (
        "%s%s", osm_str_starts_with (osm_json_str (step, "state"), "und") ? "undo of " : "",
        osm_json_str (step, "name"));
    json_array_append_new (
        news, osm_json_pack ("{s:s, s:O, s:s}", "event", "step", "time_ms", started, "text", text));
  }
  return 0;
}

/* The earliest, the first of those. *ret is taken out of the array. */
static bool
take_earliest (json_t *news, json_t **ret)
{
  size_t i, best = 0;
  const json_t *item;
  json_int_t best_ms = INT64_MAX;

  if (json_array_size (news) == 0)
    return false;
  json_array_foreach (news, i, item)
  {
    json_int_t ms = json_integer_value (json_object_get (item, "time_ms"));

    if (ms < best_ms) {
      best = i;
      best_ms = ms;
    }
  }
  *ret = json_incref (json_array_get (news, best));
  json_array_remove (news, best);
  return true;
}

static int
show_news (struct watch *w, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *news = json_array ();
  json_t *item;

  if (new_events (w, news, err) == -1 || new_steps (w, news, err) == -1)
    return -1;
  while (take_earliest (news, &item)) {
    char time[OSM_TIME_LEN];
    OSM_CLEANUP_FREE char *line = NULL;

    osm_time_text (json_integer_value (json_object_get (item, "time_ms")), time);
    line = osm_asprintf ("%s  %s%s", time,
                         osm_str_equal (osm_json_str (item, "event"), "step") ? "step: " : "",
                         osm_json_str (item, "text"));
    json_object_set_new (item, "time", json_string (time));
    osm_ui_event (w->session->ui, item, line);
  }
  return 0;
}

static void
show_progress (const struct watch *w, const struct osm_migration_row *row)
{
  struct osm_ui_progress progress = { .name = row->object_name,
                                      .phase =
                                          osm_describe_needs_process (row->state) ? "copy" : "done",
                                      .size_bytes = row->bytes_total,
                                      .done_bytes = row->bytes_done,
                                      .sent_bytes = row->bytes_sent,
                                      .found_bytes = row->bytes_sent,
                                      .unknown_bytes = row->bytes_total - row->bytes_done };

  if (row->bytes_done > row->bytes_total)
    progress.unknown_bytes = 0;
  if (row->bytes_done > row->bytes_sent)
    progress.zero_bytes = row->bytes_done - row->bytes_sent;
  if (row->bytes_done > 0 && osm_describe_needs_process (row->state))
    osm_ui_bar (w->session->ui, 0, &progress);
}

/* The last word, and the status of the command. */
static int
conclude (const struct watch *w, const struct osm_migration_row *row, bool alive,
          struct osm_error *err)
{
  OSM_CLEANUP_FREE char *state = osm_describe_state (row, alive);
  OSM_CLEANUP_FREE char *text = osm_asprintf ("migration %s is %s", row->id, state);
  OSM_CLEANUP_FREE char *advice = osm_describe_advice (row, alive);
  json_t *result = osm_describe_row (row, alive);
  int status = osm_describe_outcome (row->state);

  json_object_set_new (result, "event", json_string ("result"));
  osm_ui_event (w->session->ui, result, text);
  if (!alive) {
    osm_error_set (err, OSM_ERROR_USER, 0, "no process is at work on migration %s", row->id);
    osm_error_hint (err, "%s", advice);
  }
  else if (row->error && status != OSM_EXIT_OK) {
    osm_error_from_json (row->error, err);
    if (!err->hint && advice)
      osm_error_hint (err, "%s", advice);
  }
  return status;
}

/* Should somebody be at work, and is nobody, for longer than the grace? */
static bool
is_abandoned (struct watch *w, bool alive)
{
  uint64_t now = osm_now_ms ();

  if (alive) {
    w->alone_since_ms = 0;
    return false;
  }
  if (w->alone_since_ms == 0)
    w->alone_since_ms = now;
  return now - w->alone_since_ms >= GRACE_MS;
}

/* One look. *ret_status -1: go on. */
static int
look (struct watch *w, int *ret_status, struct osm_error *err)
{
  struct osm_migration_row *row = NULL;
  bool alive, held;
  OSM_CLEANUP_FREE char *holder = NULL;
  int r = -1;

  /* The row first: what it says has its events written already. */
  if (osm_store_migration_get (w->session->store, w->id, &row, err) == -1)
    return -1;
  if (osm_describe_alive (w->session->store, row, &alive, &holder, err) == -1 ||
      show_news (w, err) == -1)
    goto out;
  held = holder != NULL;
  show_progress (w, row);
  r = 0;
  *ret_status = -1;
  if (osm_describe_needs_process (row->state) || osm_str_equal (row->state, "planned")) {
    if (is_abandoned (w, held))
      *ret_status = conclude (w, row, osm_str_equal (row->state, "planned"), err);
  }
  else
    *ret_status = conclude (w, row, true, err);
out:
  osm_migration_row_free (row);
  return r;
}

int
osm_cmd_watch (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  __attribute__ ((cleanup (watch_done))) struct watch w = { 0 };
  struct osm_migration_row *row = NULL;
  const char *const *operands;
  int status = -1;

  osm_args_operands (args, &operands);
  if (osm_session_open (args, OSM_WANT_STORE, &session, err) == -1 ||
      osm_store_migration_get (session->store, operands[0], &row, err) == -1)
    return OSM_EXIT_FAILED;
  w.session = session;
  w.id = osm_strdup (row->id);
  w.steps = json_object ();
  osm_migration_row_free (row);
  for (;;) {
    if (look (&w, &status, err) == -1)
      return OSM_EXIT_FAILED;
    if (status != -1)
      return status;
    if (osm_wait_ms (POLL_MS, err) == -1) {
      osm_error_clear (err);
      osm_error_set (err, OSM_ERROR_INTERRUPTED, 0, "not watching any more; migration %s goes on",
                     w.id);
      return OSM_EXIT_INTERRUPTED;
    }
  }
}
