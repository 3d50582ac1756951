/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The tenant into files, and again after both have changed.
 *
 *   OSM_CLEANUP_JSON json_t *report = NULL;
 *   osm_tenant_export (cloud, &options, &report, err);
 *   report: {"objects": [{"type", "name", "id", "result", "reason"}], "files": [...], "counts": {"created": 3, ...}}
 *
 * Results: created (new in the file), updated, equal, skipped, failed, gone (in the file, and not at the source any more), unavailable (a
 * type that this cloud does not know). What the last
 * export has read is kept in DATA_DIR/.osm: a new one changes only what has changed at the source since, and leaves what the operator
 * has edited. */

#ifndef OSM_CONTROLLER_TENANT_EXPORT_H
#define OSM_CONTROLLER_TENANT_EXPORT_H

#include "controller/cloud/cloud.h"
#include "controller/tenant/filter.h"
#include "controller/tenant/type.h"

#define OSM_EXPORT_BASE ".osm" /* in the folder of the files: what the last export has read */

struct osm_export_options {
  const struct osm_tenant_type *const *types; /* NULL-terminated */
  const struct osm_filter *filter;
  const char *hosts;    /* name of osm's conversion hosts there, or NULL */
  const char *data_dir; /* made if it is not there */
  unsigned with;        /* also what these need or contain of other types: enum osm_needs */
  const struct osm_tenant_project *project; /* NULL: the token's */
};

/* An object that cannot be exported is in the report; -1 only if nothing can. */
int osm_tenant_export (struct osm_cloud *cloud, const struct osm_export_options *options,
                       json_t **ret_report, struct osm_error *err);

/* The entries of a file after an export. (pure)
 * entries: {ID: entry} of the source; file, base: arrays of what the file has, and the last export had (NULL: there was none).
 * Appends a row to rows for each object. New array. */
json_t *osm_export_merge (const struct osm_tenant_type *type, const json_t *entries,
                          const json_t *file, const json_t *base, const struct osm_filter *filter,
                          json_t *rows);
/* The same list with what has been exported now: what the next export takes for the base. New array. (pure) */
json_t *osm_export_base (const struct osm_tenant_type *type, const json_t *entries,
                         const json_t *base, const struct osm_filter *filter);
/* What a filter looks at: the name, or that of what contains it. NULL: it has none. Borrowed. (pure) */
const char *osm_export_filtered_by (const struct osm_tenant_type *type, const json_t *entry);
/* Does the filter take the entry? (pure) */
bool osm_export_takes (const struct osm_tenant_type *type, const struct osm_filter *filter,
                       const json_t *entry);
/* {"type", "name", "id", "result", "reason"}, without those that are NULL. No name: it is about the whole type. */
json_t *osm_export_row (const struct osm_tenant_type *type, const char *name, const char *id,
                        const char *result, const char *reason);
/* Appends what is to be told of a type whose list was refused: skipped if rights are missing, else failed. One that the cloud does not
 * know is unavailable, or (files: {TYPE: entries} that are to be imported) skipped if there are entries of it. */
void osm_export_tell_refused (const struct osm_tenant_type *type, const json_t *error,
                              const json_t *files, json_t *rows);

#endif
