/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What files say and what a cloud has, object by object. Pure.
 *
 *   json_t *rows = osm_tenant_compare (type, file, cloud, filter, true);
 *   rows: [{"type", "name", "result", "reason"?, "id"?, "differences"?, "entry"?, "is"?}]
 *
 * result: "equal", "differs", "missing" (in the cloud), "extra" (there, and in no file), "failed" (the cloud has several of it, or one that cannot be read). id: in the
 * cloud. entry and is: what stands in the file, and the same made of the cloud's object. */

#ifndef OSM_CONTROLLER_TENANT_COMPARE_H
#define OSM_CONTROLLER_TENANT_COMPARE_H

#include "controller/tenant/filter.h"
#include "controller/tenant/type.h"

/* file: array of entries; cloud: {ID: entry}, as osm_fetch_entries makes them; mapped: {ID at the source: {"destination_id", "origin", "elsewhere":
 * it is there, though not in `cloud`}} or NULL, which counts more than names. New array. */
json_t *osm_tenant_compare (const struct osm_tenant_type *type, const json_t *file,
                            const json_t *cloud, const json_t *mapped,
                            const struct osm_filter *filter, bool with_extra);
/* "mtu: 1400 instead of 1450; name: ...", for people; of those that can be changed, or of those that cannot, or (-1) of all. Caller
 * frees; NULL if there are none. */
char *osm_tenant_differences_text (const json_t *differences, int fixed);

#endif
