/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The findings of a plan: their ids, and which of them stop a migration.
 *
 *   osm_findings_check_accepted (ids, err);              an id that no finding ever has: USER error that lists them
 *   n = osm_findings_accept (plan, ids);                 marks them "accepted"; n warnings are not
 *
 * Ids are a promise: scripts name them. docs/FINDINGS.md explains each. */

#ifndef OSM_CONTROLLER_MIGRATION_FINDINGS_H
#define OSM_CONTROLLER_MIGRATION_FINDINGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

/* All of them, in alphabetical order; NULL ends the list. */
extern const char *const osm_finding_ids[];

/* ids: a NULL-terminated vector, or NULL. */
int osm_findings_check_accepted (char *const *ids, struct osm_error *err);
/* Warnings with these ids get "accepted": true. Returns how many warnings have another id. */
size_t osm_findings_accept (json_t *plan, char *const *ids);
/* Marks the last finding, a warning, as one without whose acceptance nothing is begun. */
void osm_plan_must_accept (json_t *plan);
/* How many of them were not accepted. */
size_t osm_findings_unaccepted (const json_t *plan);
/* Is there one about that object? object NULL: "". */
bool osm_plan_has_finding (const json_t *plan, const char *id, const char *object);

#endif
