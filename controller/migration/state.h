/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* States of a migration and the moves between them. */

#ifndef OSM_CONTROLLER_MIGRATION_STATE_H
#define OSM_CONTROLLER_MIGRATION_STATE_H

#include <stdbool.h>

#include "common/error.h"
#include "controller/store/store.h"

enum osm_migration_state {
  OSM_STATE_PLANNED,     /* written down, nothing touched */
  OSM_STATE_RUNNING,     /* a process is (or was, when its lease is dead) at work */
  OSM_STATE_HELD,        /* stopped before the server is created, as asked: resume or rollback */
  OSM_STATE_FAILED,      /* stopped by an error: resume or rollback */
  OSM_STATE_INTERRUPTED, /* stopped by the operator: resume or rollback */
  OSM_STATE_COMPLETED,   /* every part done and verified */
  OSM_STATE_ROLLING_BACK,
  OSM_STATE_ROLLBACK_FAILED, /* rollback again */
  OSM_STATE_ROLLED_BACK,     /* the source as it was, the destination without a trace */
  OSM_STATE_CLEANED,         /* completed and released: marks gone, no way back */
};

const char *osm_migration_state_name (enum osm_migration_state state);
/* -1 if there is no such name. */
int osm_migration_state_parse (const char *name, enum osm_migration_state *ret,
                               struct osm_error *err);
bool osm_migration_state_may_follow (enum osm_migration_state from, enum osm_migration_state to);
/* Nothing is left to do, short of a new migration (completed can still be rolled back or cleaned). */
bool osm_migration_state_is_final (enum osm_migration_state state);
/* What an operator can do next: "osm-controller resume ID", ... or NULL. Caller frees. */
char *osm_migration_state_advice (enum osm_migration_state state, const char *id);

/* The only way to change the state of a migration: refuses illegal moves, writes the row and an event,
 * updates row->state. `why` may be NULL. */
int osm_migration_set_state (struct osm_store *store, struct osm_migration_row *row,
                             enum osm_migration_state to, const struct osm_error *why,
                             struct osm_error *err);

#endif
