/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Where the operator and the source have both changed a value: the operator's stays, and a comment above it says what the source has, until
 * that line is deleted or both are the same again. Comments, because every reader of such files takes them. Pure.
 *
 *       # conflict: mtu: the source has now: 1300
 *       mtu: 1400
 *
 *   json_t *marks = osm_conflicts_take (comments);           [{"entry": 0, "field": "mtu", "value": "1300", "line": 12}]
 *   json_t *now = osm_conflicts_now (type, resources, entries, filter, marks, rows);
 *   osm_conflicts_put (comments, resources, now); */

#ifndef OSM_CONTROLLER_TENANT_CONFLICT_H
#define OSM_CONTROLLER_TENANT_CONFLICT_H

#include <jansson.h>

#include "controller/tenant/filter.h"
#include "controller/tenant/type.h"

/* comments: of osm_yaml_comments; the marks are taken out of them. entry: index in "resources". New array. */
json_t *osm_conflicts_take (json_t *comments);
void osm_conflicts_put (json_t *comments, const json_t *resources, const json_t *marks);
/* After an export: the marks of what is not resolved, those of before and new ones. resources: of osm_export_merge, entries: {ID: entry} of
 * the source, rows: what that has told; those with marks of before get "conflicts" and a reason, too. New array. */
json_t *osm_conflicts_now (const struct osm_tenant_type *type, const json_t *resources,
                           const json_t *entries, const struct osm_filter *filter,
                           const json_t *marks, json_t *rows);
/* Are they about the same, wherever they stand? */
bool osm_conflicts_equal (const json_t *a, const json_t *b);
/* "web: mtu, description; db: mtu": of the entries that the filter takes. NULL: there are none. Caller frees. */
char *osm_conflicts_text (const struct osm_tenant_type *type, const json_t *resources,
                          const json_t *marks, const struct osm_filter *filter);

#endif
