/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* How list, show and watch describe a migration of the journal. */

#ifndef OSM_CONTROLLER_CMD_DESCRIBE_H
#define OSM_CONTROLLER_CMD_DESCRIBE_H

#include "common/command.h"
#include "controller/store/store.h"

/* Is the migration in a state in which a process should be at work? */
bool osm_describe_needs_process (const char *state);
/* Members for programs; alive: whether such a process is there. New reference. */
json_t *osm_describe_row (const struct osm_migration_row *row, bool alive);
/* "running", or "running (no process)". Caller frees. */
char *osm_describe_state (const struct osm_migration_row *row, bool alive);
/* "42%", "-" when there is nothing to copy. Caller frees. */
char *osm_describe_progress (const struct osm_migration_row *row);
/* "12s", "5m", "3h", "2d" since then. Caller frees. */
char *osm_describe_age (int64_t then_ms, int64_t now_ms);
/* True when no process is needed or one is there. */
int osm_describe_alive (struct osm_store *store, const struct osm_migration_row *row, bool *ret,
                        char **ret_holder, struct osm_error *err);
/* What to do next, NULL if nothing. Caller frees. */
char *osm_describe_advice (const struct osm_migration_row *row, bool alive);
/* The exit status that the process which runs it has (had): 0, 1 or 130. */
enum osm_exit osm_describe_outcome (const char *state);

#endif
