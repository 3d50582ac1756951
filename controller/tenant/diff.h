/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Entries of files compared: with what a cloud has, and with what the last export wrote. Pure.
 *
 *   json_t *differences = osm_tenant_diff (type, wanted, is);     [{"field", "wanted", "is", "fixed"}]
 *   json_t *merged = osm_tenant_merge (type, base, file, source, conflicts);
 */

#ifndef OSM_CONTROLLER_TENANT_DIFF_H
#define OSM_CONTROLLER_TENANT_DIFF_H

#include "controller/tenant/convert.h"

/* Where an entry of the file differs from one made of the object in a cloud, as far as the file says something: a field that is missing,
 * or null where null is no value, says nothing. fixed: it cannot be changed once the object is there. New array. */
json_t *osm_tenant_diff (const struct osm_tenant_type *type, const json_t *wanted,
                         const json_t *is);
/* Also what the cloud cannot have, because it does not know the field: for who deletes the other one. New array. */
json_t *osm_tenant_diff_strict (const struct osm_tenant_type *type, const json_t *wanted,
                                const json_t *is);
/* The same for the same object in file and cloud: the fields of type->match. Caller frees. */
char *osm_tenant_identity (const struct osm_tenant_type *type, const json_t *entry);
/* The entry after a new export: for each value, what the operator has edited stays, what has changed at the source comes. base: as the
 * last export wrote it, NULL if that is not known. If both have changed, or one cannot tell, the file's value stays, and
 * {"field", "file", "source"} is appended to conflicts. New entry. */
json_t *osm_tenant_merge (const json_t *base, const json_t *file, const json_t *source,
                          json_t *conflicts);

#endif
