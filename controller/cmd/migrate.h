/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What the commands that run a migration have in common. */

#ifndef OSM_CONTROLLER_CMD_MIGRATE_H
#define OSM_CONTROLLER_CMD_MIGRATE_H

#include "common/command.h"
#include "controller/cmd/common.h"
#include "controller/migration/migration.h"
#include "controller/migration/plan.h"
#include "controller/migration/state.h"

/* What the options and the configuration say about a plan; boot-volume ... may be missing in the command's table. */
struct osm_plan_input osm_cmd_plan_input (const struct osm_args *args,
                                          const struct osm_session *session, const char *object);
/* --accept: all that were given, a vector; an id that is none is a USER error. Caller frees. */
int osm_cmd_accepted (const struct osm_args *args, char ***ret, struct osm_error *err);
/* Plan, findings, dry run or run, result. Returns an osm_exit. */
int osm_cmd_migrate (const struct osm_args *args, const char *kind,
                     int (*make_plan) (const struct osm_plan_input *input, json_t **ret,
                                       struct osm_error *err),
                     struct osm_error *err);
/* --bad-blocks: is its value right, and into the journal. */
int osm_cmd_check_bad_blocks (const struct osm_args *args, struct osm_error *err);
int osm_cmd_set_bad_blocks (const struct osm_args *args, struct osm_migration *m,
                            struct osm_error *err);
/* --path: likewise. */
int osm_cmd_check_path (const struct osm_args *args, struct osm_error *err);
int osm_cmd_set_path (const struct osm_args *args, struct osm_migration *m, struct osm_error *err);
/* The end of a migration for the operator: a sentence, or the JSON result. */
void osm_cmd_report (struct osm_session *session, struct osm_migration *m);
/* --limit: checked before anything else is done, then kept in the journal. */
int osm_cmd_check_limit (const struct osm_args *args, struct osm_error *err);
int osm_cmd_set_limit (const struct osm_args *args, struct osm_session *session,
                       struct osm_migration *m, struct osm_error *err);
/* Session and migration for a command whose operand is a migration ID. */
int osm_cmd_open_migration (const struct osm_args *args, struct osm_session **ret_session,
                            struct osm_migration **ret, enum osm_migration_state *ret_state,
                            struct osm_error *err);

#endif
