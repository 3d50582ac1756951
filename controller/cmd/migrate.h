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
/* What the journal's unfinished migrations will take of the destination's quotas, for plans that are made afterwards. */
int osm_cmd_load_claims (struct osm_session *session, struct osm_error *err);
/* --accept: all that were given, a vector; an id that is none is a USER error. Caller frees. */
int osm_cmd_accepted (const struct osm_args *args, char ***ret, struct osm_error *err);
/* Plan, findings, dry run or run, result. Returns an osm_exit. */
int osm_cmd_migrate (const struct osm_args *args, const char *kind,
                     int (*make_plan) (const struct osm_plan_input *input, json_t **ret,
                                       struct osm_error *err),
                     struct osm_error *err);
/* The parts of it. --limit, --bad-blocks, --path: are their values right? */
int osm_cmd_check_run_options (const struct osm_args *args, struct osm_error *err);
/* Accepts warnings; OSM_EXIT_BLOCKED with err if the findings stop it; *ret_stopping: how many of them. */
int osm_cmd_judge (const struct osm_args *args, const char *kind, const char *object, json_t *plan,
                   char *const *accepted, size_t *ret_stopping, struct osm_error *err);
/* Was this very object migrated before, and is the result still there? Then it is said. */
int osm_cmd_already_there (struct osm_session *session, const char *kind, const json_t *plan,
                           bool *ret, struct osm_error *err);
void osm_cmd_show_findings (struct osm_session *session, const json_t *plan);
/* Prints the plan. Returns an osm_exit. */
int osm_cmd_dry_run (struct osm_session *session, const json_t *plan, size_t stopping);
/* Migrates by the plan and reports. Returns an osm_exit. */
int osm_cmd_run_plan (const struct osm_args *args, struct osm_session *session, const char *kind,
                      const json_t *plan, struct osm_error *err);
/* migrate-planned.c: migrate-server --plan FILE [SERVER...]. Returns an osm_exit. */
int osm_cmd_migrate_planned (const struct osm_args *args, struct osm_error *err);
/* --bad-blocks, --path, --limit into the journal; osm_cmd_check_run_options has looked at them. */
int osm_cmd_set_bad_blocks (const struct osm_args *args, struct osm_migration *m,
                            struct osm_error *err);
int osm_cmd_set_path (const struct osm_args *args, struct osm_migration *m, struct osm_error *err);
/* The end of a migration for the operator: a sentence, or the JSON result. */
void osm_cmd_report (struct osm_session *session, struct osm_migration *m);
int osm_cmd_set_limit (const struct osm_args *args, struct osm_session *session,
                       struct osm_migration *m, struct osm_error *err);
/* Session and migration for a command whose operand is a migration ID. */
int osm_cmd_open_migration (const struct osm_args *args, struct osm_session **ret_session,
                            struct osm_migration **ret, enum osm_migration_state *ret_state,
                            struct osm_error *err);

#endif
