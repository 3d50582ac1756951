/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/migration.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/crashpoint.h"
#include "common/json.h"
#include "common/log.h"
#include "common/parallel.h"
#include "common/strbuf.h"
#include "controller/hosts/path.h"
#include "controller/migration/internal.h"
#include "controller/migration/lease.h"
#include "controller/migration/plan.h"
#include "controller/migration/recover.h"
#include "controller/migration/state.h"

/* ---- the plan, shortly ---- */

const json_t *
osm_migration_source (const struct osm_migration *m)
{
  return json_object_get (m->row->plan, "source");
}

const json_t *
osm_migration_volumes (const struct osm_migration *m)
{
  return json_object_get (m->row->plan, "volumes");
}

bool
osm_volume_is (const json_t *volume, const char *access)
{
  return osm_str_equal (osm_json_str (volume, "access"), access);
}

const char *
osm_volume_label (const json_t *volume)
{
  const char *name = osm_json_str (volume, "name");

  return name && *name ? name : osm_json_str (volume, "id");
}

uint64_t
osm_volume_bytes (const json_t *volume)
{
  return (uint64_t)json_integer_value (json_object_get (volume, "size_gb")) << 30;
}

const struct osm_migration_row *
osm_migration_row (const struct osm_migration *m)
{
  return m->row;
}

static const struct osm_step *
steps_of (const struct osm_migration *m)
{
  return strcmp (m->row->kind, "volume") == 0 ? osm_volume_steps : osm_server_steps;
}

/* ---- conversion hosts ---- */

struct open_host {
  struct osm_migration *m;
  enum osm_side side;
};

static int
open_host (void *data, struct osm_error *err)
{
  struct open_host *o = data;
  const struct osm_migration_context *c = &o->m->context;
  struct osm_hosts_context context = { .config = c->config,
                                       .cloud = { c->cloud[0], c->cloud[1] },
                                       .store = c->store };

  if (o->m->host[o->side])
    return 0;
  if (osm_host_open (&context, o->side, &o->m->host[o->side], err) == -1)
    return -1;
  osm_link_set_patience (o->m->host[o->side]->link, c->config->reconnect_seconds * 1000);
  return 0;
}

int
osm_migration_open_hosts (struct osm_migration *m, struct osm_error *err)
{
  struct open_host source = { m, OSM_SOURCE }, destination = { m, OSM_DESTINATION };
  const struct osm_task tasks[] = { { open_host, &source }, { open_host, &destination } };

  if (m->host[OSM_SOURCE] && m->host[OSM_DESTINATION])
    return 0;
  return osm_parallel (tasks, 2, err);
}

void
osm_migration_try_open_hosts (struct osm_migration *m)
{
  for (enum osm_side side = OSM_SOURCE; side <= OSM_DESTINATION; side++) {
    struct open_host o = { m, side };
    OSM_ERROR (why);

    if (open_host (&o, &why) == -1)
      osm_info ("%s conversion host: %s", osm_side_name (side), why.message);
  }
}

int
osm_migration_agent (struct osm_migration *m, enum osm_side side, const char *method,
                     json_t *params, uint64_t timeout_ms, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *answer = NULL;

  if (!m->host[side]) {
    json_decref (params);
    return osm_error_set (err, OSM_ERROR_RETRY, 0, "the %s conversion host cannot be reached",
                          osm_side_name (side));
  }
  if (osm_link_call_timeout (m->host[side]->link, method, params, timeout_ms, &answer, err) == -1)
    return osm_error_wrap (err, "%s conversion host", osm_side_name (side));
  if (ret) {
    json_decref (*ret);
    *ret = osm_take (answer);
  }
  return 0;
}

/* ---- making and opening ---- */

static struct osm_migration *
new_migration (const struct osm_migration_context *context, struct osm_migration_row *row)
{
  struct osm_migration *m = osm_calloc (1, sizeof *m);

  m->context = *context;
  m->row = row;
  m->started_ms = osm_now_ms ();
  return m;
}

void
osm_migration_free (struct osm_migration *m)
{
  if (!m)
    return;
  osm_lease_keeper_free (m->lease);
  osm_path_free (m->path);
  osm_host_free (m->host[OSM_SOURCE]);
  osm_host_free (m->host[OSM_DESTINATION]);
  osm_migration_row_free (m->row);
  free (m->sizes);
  free (m);
}

int
osm_migration_create (const struct osm_migration_context *context, const json_t *plan,
                      struct osm_migration **ret, struct osm_error *err)
{
  struct osm_migration_row *row = osm_calloc (1, sizeof *row);
  OSM_CLEANUP_MIGRATION struct osm_migration *m = new_migration (context, row);
  const json_t *source = json_object_get (plan, "source");

  row->kind = osm_strdup (osm_json_str (plan, "kind"));
  row->state = osm_strdup (osm_migration_state_name (OSM_STATE_PLANNED));
  row->source_cloud = osm_strdup (osm_cloud_name (context->cloud[OSM_SOURCE]));
  row->destination_cloud = osm_strdup (osm_cloud_name (context->cloud[OSM_DESTINATION]));
  row->object_id = osm_strdup (osm_json_str (source, "id"));
  row->object_name = osm_strdup (osm_json_str (source, "name"));
  row->plan = json_deep_copy (plan);
  row->bytes_total = osm_plan_bytes (plan);
  /* Before anything is written: without the hosts there is nothing to resume. */
  if (osm_migration_open_hosts (m, err) == -1 ||
      osm_store_migration_add (context->store, row, err) == -1 ||
      osm_lease_keeper_new (context->store, row->id, &m->lease, err) == -1)
    return -1;
  *ret = osm_take (m);
  return 0;
}

int
osm_migration_open (const struct osm_migration_context *context, const char *id,
                    struct osm_migration **ret, struct osm_error *err)
{
  struct osm_migration_row *row;
  OSM_CLEANUP_MIGRATION struct osm_migration *m = NULL;

  if (osm_store_migration_get (context->store, id, &row, err) == -1)
    return -1;
  m = new_migration (context, row);
  for (enum osm_side side = OSM_SOURCE; side <= OSM_DESTINATION; side++) {
    const char *was = side == OSM_SOURCE ? row->source_cloud : row->destination_cloud;

    if (!osm_str_equal (was, osm_cloud_name (context->cloud[side]))) {
      osm_error_set (err, OSM_ERROR_USER, 0, "migration %s has cloud '%s' as its %s, not '%s'",
                     row->id, was, osm_side_name (side), osm_cloud_name (context->cloud[side]));
      return osm_error_hint (err, "use --src-cloud %s --dst-cloud %s", row->source_cloud,
                             row->destination_cloud);
    }
  }
  if (osm_lease_keeper_new (context->store, row->id, &m->lease, err) == -1)
    return -1;
  *ret = osm_take (m);
  return 0;
}

/* ---- forwards ---- */

/* Is a step that was done to be done again? Conversion hosts may have been replaced or have lost their memory since, as long as there is
 * something to copy or to compare; and the source is looked at before anything is made of the copies, whenever that was. */
static int
is_wanted_again (struct osm_migration *m, const struct osm_step *step, bool *ret,
                 struct osm_error *err)
{
  const struct osm_step *steps = steps_of (m);
  OSM_CLEANUP_FREE char *state = NULL;
  unsigned seq = 0;

  *ret = (step->flags & OSM_STEP_CUTOVER) != 0;
  if (!(step->flags & OSM_STEP_AT_HOSTS))
    return 0;
  while (steps[seq + 1].name && !(steps[seq].flags & OSM_STEP_LAST_AT_HOSTS))
    seq++;
  if (osm_store_step_state (m->context.store, m->row->id, seq, &state, err) == -1)
    return -1;
  *ret = !osm_str_equal (state, "done");
  return 0;
}

static int
run_step (struct osm_migration *m, const struct osm_step *step, unsigned seq, struct osm_error *err)
{
  struct osm_store *store = m->context.store;
  OSM_CLEANUP_FREE char *state = NULL;
  OSM_CLEANUP_JSON json_t *error = NULL;
  bool again = false;
  OSM_ERROR (ignored);

  if (osm_store_step_state (store, m->row->id, seq, &state, err) == -1 ||
      is_wanted_again (m, step, &again, err) == -1)
    return -1;
  if (osm_str_equal (state, "done") && !again)
    return 0;
  osm_crash_where (step->name);
  if (osm_interrupt_check (err) == -1 ||
      osm_store_step_begin (store, m->row->id, seq, step->name, err) == -1)
    return -1;
  osm_ui_step (m->context.ui, "%s", step->text);
  if (step->run (m, err) == 0)
    return osm_store_step_end (store, m->row->id, seq, "done", NULL, err);
  error = osm_error_to_json (err);
  if (osm_store_step_end (store, m->row->id, seq, "failed", error, &ignored) == -1)
    osm_warning ("%s", ignored.message);
  return osm_error_wrap (err, "%s", step->text);
}

static void
set_advice (struct osm_migration *m, struct osm_error *err)
{
  enum osm_migration_state state;
  OSM_CLEANUP_FREE char *advice = NULL, *hint = NULL;
  OSM_ERROR (ignored);

  if (osm_migration_state_parse (m->row->state, &state, &ignored) == -1)
    return;
  advice = osm_migration_state_advice (state, m->row->id);
  /* A hint that names the migration says already what to do with it. */
  if (!advice || (err->hint && strstr (err->hint, m->row->id)))
    return;
  hint = err->hint ? osm_strdup (err->hint) : NULL;
  osm_error_hint (err, "%s%s%s", hint ? hint : "", hint ? "; then " : "", advice);
}

int
osm_migration_run (struct osm_migration *m, bool hold, struct osm_error *err)
{
  const struct osm_step *steps = steps_of (m);
  struct osm_store *store = m->context.store;
  const struct osm_migration_row *row = m->row;

  if (osm_recover_check_resume (row->plan, row->id, err) == -1 ||
      osm_migration_set_state (store, m->row, OSM_STATE_RUNNING, NULL, err) == -1)
    return -1;
  for (unsigned seq = 0; steps[seq].name; seq++) {
    OSM_ERROR (ignored);

    if (hold && (steps[seq].flags & OSM_STEP_CUTOVER))
      return osm_migration_set_state (store, m->row, OSM_STATE_HELD, NULL, err);
    if (run_step (m, &steps[seq], seq, err) == 0)
      continue;
    if (osm_migration_set_state (store, m->row,
                                 err->class == OSM_ERROR_INTERRUPTED ? OSM_STATE_INTERRUPTED
                                                                     : OSM_STATE_FAILED,
                                 err, &ignored) == -1)
      osm_warning ("%s", ignored.message);
    set_advice (m, err);
    return -1;
  }
  if (osm_destination_sweep (m, err) == -1) {
    OSM_ERROR (ignored);

    if (osm_migration_set_state (store, m->row, OSM_STATE_FAILED, err, &ignored) == -1)
      osm_warning ("%s", ignored.message);
    set_advice (m, err);
    return -1;
  }
  if (osm_store_mapping_set (store, row->source_cloud, row->destination_cloud, row->kind,
                             row->object_id, row->result_id, err) == -1)
    return -1;
  return osm_migration_set_state (store, m->row, OSM_STATE_COMPLETED, NULL, err);
}

/* ---- backwards ---- */

static int
undo_step (struct osm_migration *m, const struct osm_step *step, unsigned seq,
           struct osm_error *err)
{
  struct osm_store *store = m->context.store;
  OSM_CLEANUP_FREE char *state = NULL;
  OSM_CLEANUP_JSON json_t *error = NULL;
  OSM_ERROR (ignored);

  if (osm_store_step_state (store, m->row->id, seq, &state, err) == -1)
    return -1;
  if (!state || strcmp (state, "undone") == 0)
    return 0;
  if (step->undo) {
    OSM_CLEANUP_FREE char *where = osm_asprintf ("undo %s", step->name);

    osm_crash_where (where);
    if (osm_interrupt_check (err) == -1 ||
        osm_store_step_end (store, m->row->id, seq, "undoing", NULL, err) == -1)
      return -1;
    osm_ui_step (m->context.ui, "undo: %s", step->text);
    if (step->undo (m, err) == -1) {
      error = osm_error_to_json (err);
      if (osm_store_step_end (store, m->row->id, seq, "undoing", error, &ignored) == -1)
        osm_warning ("%s", ignored.message);
      return osm_error_wrap (err, "undo of '%s'", step->text);
    }
  }
  return osm_store_step_end (store, m->row->id, seq, "undone", NULL, err);
}

int
osm_migration_rollback (struct osm_migration *m, struct osm_error *err)
{
  const struct osm_step *steps = steps_of (m);
  unsigned n = 0;
  OSM_ERROR (first);

  if (strcmp (m->row->state, osm_migration_state_name (OSM_STATE_PLANNED)) == 0)
    return osm_migration_set_state (m->context.store, m->row, OSM_STATE_ROLLED_BACK, NULL, err);
  if (osm_migration_set_state (m->context.store, m->row, OSM_STATE_ROLLING_BACK, NULL, err) == -1)
    return -1;
  while (steps[n].name)
    n++;
  /* One undo that fails must not keep the others from giving back what they can. */
  while (n-- > 0) {
    OSM_ERROR (why);

    if (undo_step (m, &steps[n], n, &why) == 0)
      continue;
    if (osm_error_is_set (&first))
      osm_warning ("%s", why.message);
    else
      osm_error_move (&first, &why);
    if (first.class == OSM_ERROR_INTERRUPTED)
      break;
  }
  if (osm_error_is_set (&first)) {
    osm_error_move (err, &first);
    if (osm_migration_set_state (m->context.store, m->row, OSM_STATE_ROLLBACK_FAILED, err,
                                 &first) == -1)
      osm_warning ("%s", first.message);
    set_advice (m, err);
    return -1;
  }
  return osm_migration_set_state (m->context.store, m->row, OSM_STATE_ROLLED_BACK, NULL, err);
}

/* ---- afterwards ---- */

int
osm_migration_cleanup (struct osm_migration *m, struct osm_error *err)
{
  enum osm_migration_state state;

  if (osm_migration_state_parse (m->row->state, &state, err) == -1)
    return -1;
  if (state == OSM_STATE_ROLLED_BACK || state == OSM_STATE_CLEANED)
    return 0;
  if (!osm_migration_state_may_follow (state, OSM_STATE_CLEANED)) {
    osm_error_set (err, OSM_ERROR_USER, 0,
                   "migration %s is %s: it has to be finished or rolled "
                   "back before it can be cleaned up",
                   m->row->id, m->row->state);
    set_advice (m, err);
    return -1;
  }
  osm_ui_step (m->context.ui, "take osm's marks off what was migrated");
  if (osm_destination_unmark (m, err) == -1)
    return -1;
  return osm_migration_set_state (m->context.store, m->row, OSM_STATE_CLEANED, NULL, err);
}

json_t *
osm_migration_result (struct osm_migration *m)
{
  const struct osm_migration_row *row = m->row;

  return osm_json_pack ("{s:s, s:s, s:s, s:s, s:s?, s:s, s:s, s:s?, s:f, s:I, s:I, s:o}", "event",
                        "result", "id", row->id, "kind", row->kind, "source_id", row->object_id,
                        "name", row->object_name, "state", row->state, "destination_cloud",
                        row->destination_cloud, "destination_id", row->result_id, "seconds",
                        (double)(osm_now_ms () - m->started_ms) / 1000, "bytes_total",
                        (json_int_t)row->bytes_total, "bytes_sent", (json_int_t)row->bytes_sent,
                        "floating_ips", osm_floating_result (m));
}
