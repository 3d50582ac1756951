/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/state.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/log.h"
#include "common/strbuf.h"

#define TO(state) (1u << (state))

static const struct {
  const char *name;
  unsigned next; /* set of states that may follow */
} states[] = {
  [OSM_STATE_PLANNED] = { "planned", TO (OSM_STATE_RUNNING) | TO (OSM_STATE_ROLLED_BACK) },
  [OSM_STATE_RUNNING] = { "running", TO (OSM_STATE_RUNNING) | TO (OSM_STATE_FAILED) |
                                         TO (OSM_STATE_INTERRUPTED) | TO (OSM_STATE_HELD) |
                                         TO (OSM_STATE_COMPLETED) | TO (OSM_STATE_ROLLING_BACK) },
  [OSM_STATE_HELD] = { "held", TO (OSM_STATE_RUNNING) | TO (OSM_STATE_ROLLING_BACK) },
  [OSM_STATE_FAILED] = { "failed", TO (OSM_STATE_RUNNING) | TO (OSM_STATE_ROLLING_BACK) },
  [OSM_STATE_INTERRUPTED] = { "interrupted", TO (OSM_STATE_RUNNING) | TO (OSM_STATE_ROLLING_BACK) },
  [OSM_STATE_COMPLETED] = { "completed", TO (OSM_STATE_ROLLING_BACK) | TO (OSM_STATE_CLEANED) },
  [OSM_STATE_ROLLING_BACK] = { "rolling-back", TO (OSM_STATE_ROLLING_BACK) |
                                                   TO (OSM_STATE_ROLLBACK_FAILED) |
                                                   TO (OSM_STATE_ROLLED_BACK) },
  [OSM_STATE_ROLLBACK_FAILED] = { "rollback-failed", TO (OSM_STATE_ROLLING_BACK) },
  [OSM_STATE_ROLLED_BACK] = { "rolled-back", 0 },
  [OSM_STATE_CLEANED] = { "cleaned", 0 },
};
#define NR_STATES (sizeof states / sizeof states[0])

const char *
osm_migration_state_name (enum osm_migration_state state)
{
  return states[state].name;
}

int
osm_migration_state_parse (const char *name, enum osm_migration_state *ret, struct osm_error *err)
{
  for (size_t i = 0; i < NR_STATES; i++) {
    if (osm_str_equal (name, states[i].name)) {
      *ret = (enum osm_migration_state)i;
      return 0;
    }
  }
  return osm_error_set (err, OSM_ERROR_USER, 0, "there is no migration state '%s'",
                        name ? name : "");
}

bool
osm_migration_state_may_follow (enum osm_migration_state from, enum osm_migration_state to)
{
  return states[from].next & TO (to);
}

bool
osm_migration_state_is_final (enum osm_migration_state state)
{
  return state == OSM_STATE_COMPLETED || state == OSM_STATE_ROLLED_BACK ||
         state == OSM_STATE_CLEANED;
}

char *
osm_migration_state_advice (enum osm_migration_state state, const char *id)
{
  switch (state) {
  case OSM_STATE_PLANNED:
  case OSM_STATE_RUNNING:
  case OSM_STATE_HELD:
  case OSM_STATE_FAILED:
  case OSM_STATE_INTERRUPTED:
    return osm_asprintf ("finish it with 'osm-controller resume %s', or have everything back as it "
                         "was with 'osm-controller rollback %s'",
                         id, id);
  case OSM_STATE_ROLLING_BACK:
  case OSM_STATE_ROLLBACK_FAILED:
    return osm_asprintf ("carry on with 'osm-controller rollback %s'", id);
  case OSM_STATE_COMPLETED:
    return osm_asprintf ("when you are satisfied: 'osm-controller cleanup %s'; to undo it: "
                         "'osm-controller rollback %s'",
                         id, id);
  case OSM_STATE_ROLLED_BACK:
  case OSM_STATE_CLEANED:
    break;
  }
  return NULL;
}

int
osm_migration_set_state (struct osm_store *store, struct osm_migration_row *row,
                         enum osm_migration_state to, const struct osm_error *why,
                         struct osm_error *err)
{
  enum osm_migration_state from;
  OSM_CLEANUP_JSON json_t *error = NULL;

  if (osm_migration_state_parse (row->state, &from, err) == -1)
    return osm_error_wrap (err, "migration %s", row->id);
  if (!osm_migration_state_may_follow (from, to)) {
    OSM_CLEANUP_FREE char *advice = osm_migration_state_advice (from, row->id);

    osm_error_set (err, OSM_ERROR_USER, 0, "migration %s is %s: it cannot become %s", row->id,
                   row->state, osm_migration_state_name (to));
    if (advice)
      osm_error_hint (err, "%s", advice);
    return -1;
  }
  if (why && osm_error_is_set (why))
    error = osm_error_to_json (why);
  if (osm_store_migration_set_state (store, row->id, row->state, osm_migration_state_name (to),
                                     error, err) == -1)
    return osm_error_wrap (err, "migration %s", row->id);
  osm_debug ("migration %s: %s -> %s", row->id, row->state, osm_migration_state_name (to));
  osm_str_set (&row->state, osm_migration_state_name (to));
  return 0;
}
