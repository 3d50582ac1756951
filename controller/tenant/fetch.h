/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What a cloud has, into an inventory: one list for each type, all at once, and then the few objects of others that these refer to.
 *
 *   osm_fetch_lists (cloud, types, inventory, refused, err);
 *   osm_fetch_entries (cloud, type, inventory, &entries, err);       as they stand in files
 */

#ifndef OSM_CONTROLLER_TENANT_FETCH_H
#define OSM_CONTROLLER_TENANT_FETCH_H

#include "controller/tenant/inventory.h"

/* Of the token's project, or of that one (borrowed). */
struct osm_inventory *osm_fetch_inventory (const struct osm_cloud *cloud,
                                           const struct osm_tenant_project *project);
/* types: NULL-terminated. A list that cannot be had goes into the object `refused`, {TYPE: error}, and keeps the others from nothing:
 * its code is 403 if this user may not have it. What the cloud does not know at all is empty, and in it as {"unavailable": true, "message"}. */
int osm_fetch_lists (struct osm_cloud *cloud, const struct osm_tenant_type *const *types,
                     struct osm_inventory *inventory, json_t *refused, struct osm_error *err);
/* {"ID": entry} of the type's own objects; one that cannot be told (it refers to what is not there) is {"ID": {"error": ..., "name": ...}}.
 * New object. */
int osm_fetch_entries (struct osm_cloud *cloud, const struct osm_tenant_type *type,
                       struct osm_inventory *inventory, json_t **ret, struct osm_error *err);
/* osm_tenant_to_api, with the objects that the entry names asked for by their names, and whose a new one (changed: NULL) is, if that is
 * not the token's project. */
int osm_fetch_body (struct osm_cloud *cloud, const struct osm_tenant_type *type,
                    struct osm_inventory *inventory, const json_t *entry, const json_t *changed,
                    json_t **ret, struct osm_error *err);
/* The path of a type's list, for a project (NULL: of all that there are). Caller frees. (pure) */
char *osm_fetch_path (const struct osm_tenant_type *type, const char *project_id);

#endif
