/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Free space of a source volume: looked for by the source's agent while the copy runs, never waited for. Only for
 * controller/migration/.
 *
 *   osm_sparse_start (m, volume, index, &job, err);      with the copy
 *   while (osm_sparse_pending (job, copy)) ...           the source's digest waits: it must treat free space as the copy does
 *   osm_sparse_decide (m, volume, index, &job, copy, err);        once the copy is done
 *   osm_sparse_add_free (m, volume, index, params, err);          to a digest of the source */

#ifndef OSM_CONTROLLER_MIGRATION_SPARSE_H
#define OSM_CONTROLLER_MIGRATION_SPARSE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "controller/migration/internal.h"

/* Name of the job at the source, which exports and digests are given. Caller frees. */
char *osm_sparse_id (const struct osm_migration *m, size_t index);
/* *ret NULL: it is not looked for. What was decided once holds for the whole migration. */
int osm_sparse_start (struct osm_migration *m, const json_t *volume, size_t index, json_t **ret,
                      struct osm_error *err);
/* May the copy still get a map? */
bool osm_sparse_pending (const json_t *job, const json_t *copy);
/* Says what was found, once the job has ended. */
void osm_sparse_tell (struct osm_migration *m, const json_t *volume, json_t *job);
/* The copy is done: notes whether it used a map, ends a search that came too late. */
int osm_sparse_decide (struct osm_migration *m, const json_t *volume, size_t index, json_t **job,
                       const json_t *copy, struct osm_error *err);
int osm_sparse_add_free (struct osm_migration *m, const json_t *volume, size_t index,
                         json_t *params, struct osm_error *err);

#endif
