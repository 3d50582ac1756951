/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cmd/describe.h"

#include <inttypes.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/migration/state.h"
#include "controller/ui/format.h"

static bool
is (const char *state, enum osm_migration_state which)
{
  return osm_str_equal (state, osm_migration_state_name (which));
}

bool
osm_describe_needs_process (const char *state)
{
  return is (state, OSM_STATE_RUNNING) || is (state, OSM_STATE_ROLLING_BACK);
}

int
osm_describe_alive (struct osm_store *store, const struct osm_migration_row *row, bool *ret,
                    char **ret_holder, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *holder = NULL;
  bool held;

  if (osm_store_lease_held (store, row->id, &held, &holder, err) == -1)
    return -1;
  *ret = held || !osm_describe_needs_process (row->state);
  if (ret_holder)
    *ret_holder = osm_take (holder);
  return 0;
}

static json_t *
time_json (int64_t ms)
{
  char text[OSM_TIME_LEN];

  return json_string (osm_time_text (ms, text));
}

json_t *
osm_describe_row (const struct osm_migration_row *row, bool alive)
{
  return osm_json_pack (
      "{s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:s, s:s?, s:o, s:o, s:I, s:I, s:I, s:O?}", "id",
      row->id, "kind", row->kind, "state", row->state, "alive", alive, "source_cloud",
      row->source_cloud, "destination_cloud", row->destination_cloud, "source_id", row->object_id,
      "name", row->object_name, "destination_id", row->result_id, "created",
      time_json (row->created_ms), "updated", time_json (row->updated_ms), "bytes_total",
      (json_int_t)row->bytes_total, "bytes_done", (json_int_t)row->bytes_done, "bytes_sent",
      (json_int_t)row->bytes_sent, "error", row->error);
}

char *
osm_describe_state (const struct osm_migration_row *row, bool alive)
{
  return osm_asprintf ("%s%s", row->state, alive ? "" : " (no process)");
}

char *
osm_describe_progress (const struct osm_migration_row *row)
{
  if (row->bytes_total == 0)
    return osm_strdup ("-");
  return osm_asprintf ("%u%%", osm_percent (row->bytes_done, row->bytes_total));
}

char *
osm_describe_age (int64_t then_ms, int64_t now_ms)
{
  int64_t s = now_ms > then_ms ? (now_ms - then_ms) / 1000 : 0;

  if (s < 60)
    return osm_asprintf ("%" PRId64 "s", s);
  if (s < 3600)
    return osm_asprintf ("%" PRId64 "m", s / 60);
  if (s < 2 * 86400)
    return osm_asprintf ("%" PRId64 "h", s / 3600);
  return osm_asprintf ("%" PRId64 "d", s / 86400);
}

char *
osm_describe_advice (const struct osm_migration_row *row, bool alive)
{
  enum osm_migration_state state;
  OSM_ERROR (ignored);

  if (osm_describe_needs_process (row->state) && alive)
    return osm_asprintf ("follow it with 'osm-controller watch %s'", row->id);
  if (osm_migration_state_parse (row->state, &state, &ignored) == -1)
    return NULL;
  return osm_migration_state_advice (state, row->id);
}

enum osm_exit
osm_describe_outcome (const char *state)
{
  if (is (state, OSM_STATE_COMPLETED) || is (state, OSM_STATE_CLEANED) ||
      is (state, OSM_STATE_HELD))
    return OSM_EXIT_OK;
  if (is (state, OSM_STATE_INTERRUPTED))
    return OSM_EXIT_INTERRUPTED;
  return OSM_EXIT_FAILED;
}
