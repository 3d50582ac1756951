/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What check-server and check-servers have in common. */

#ifndef OSM_CONTROLLER_CMD_PREFLIGHT_H
#define OSM_CONTROLLER_CMD_PREFLIGHT_H

#include "common/command.h"
#include "controller/cmd/common.h"

/* One server's plan, its warnings accepted as --accept says. */
int osm_preflight_plan (struct osm_session *session, const struct osm_args *args,
                        const char *server, char *const *accepted, json_t **ret,
                        struct osm_error *err);
/* {"server", "volumes", "bytes", "needs", "findings", "blockers", "warnings": those not accepted,
 * "must_accept": those of them that must be}; the findings are the plan's own. */
json_t *osm_preflight_report (const json_t *plan);
/* The conversion hosts as they are, with --measure the link between them, too; findings about them are added to `findings`, an object with
 * an array of that name. */
int osm_preflight_look (struct osm_session *session, const struct osm_args *args, json_t *findings,
                        size_t nr_volumes, char *const *accepted, json_t **ret,
                        struct osm_error *err);

/* For people. owner: name of the server that stands before each finding, or NULL. */
void osm_preflight_add_rows (json_t *rows, const char *owner, const json_t *findings);
void osm_preflight_print_findings (bool with_owner, const json_t *rows);
/* "conversion hosts: source 26 slots free, ..." and how long so many bytes take at most, as far as that is known. */
void osm_preflight_print_hosts (const json_t *look, uint64_t bytes);
/* "2 blockers, 1 warning". */
void osm_preflight_print_count (size_t blockers, size_t warnings);
/* Milliseconds for copying so many bytes, 0: not known. */
uint64_t osm_preflight_duration (const json_t *look, uint64_t bytes);
/* Into the report of a server, if the link was measured: copy_seconds and downtime_seconds, estimated from all its bytes. */
void osm_preflight_estimate (json_t *report, const json_t *look);
/* 4 for blockers, with --strict for warnings, too. */
int osm_preflight_status (const struct osm_args *args, size_t blockers, size_t warnings);

#endif
