/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What export, validate, diff and import have in common: types, filters, folder, table of results. */

#ifndef OSM_CONTROLLER_CMD_TENANT_H
#define OSM_CONTROLLER_CMD_TENANT_H

#include "controller/cmd/common.h"
#include "controller/tenant/filter.h"
#include "controller/tenant/type.h"

/* --data-dir, OSM_DATA_DIR, or "osm-data" in the current folder. Borrowed. */
const char *osm_cmd_data_dir (const struct osm_args *args);
/* All --filter. */
int osm_cmd_filter (const struct osm_args *args, struct osm_filter **ret, struct osm_error *err);
/* --with-dependencies and --with-members: a set of enum osm_needs. */
unsigned osm_cmd_with (const struct osm_args *args);
/* The operands; none: all. *ret: the caller frees. */
int osm_cmd_types (const struct osm_args *args, const struct osm_tenant_type ***ret,
                   struct osm_error *err);
/* The type of that name; an unknown one: USER error. */
int osm_cmd_one_type (const char *name, const struct osm_tenant_type **ret, struct osm_error *err);
/* Objects with their results as a table, equal ones only counted, and a last line that counts all, with the time it took and how many
 * requests each cloud was sent; or the report as JSON, to which "seconds" and "requests" are added. */
void osm_cmd_print_results (const struct osm_session *session, json_t *report);
/* For the help of a command: the types, if it takes some; else NULL. Caller frees. */
char *osm_cmd_types_help (const struct osm_command *command);
/* The exit status of a report; sets err if objects failed, or types were skipped because rights are missing, or (all) anything was
 * skipped. */
int osm_cmd_results_status (const json_t *report, const char *what, bool all,
                            struct osm_error *err);

#endif
