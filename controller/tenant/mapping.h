/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Which object of the destination is which of the source, as earlier imports and the operator have noted it in the journal.
 *
 *   OSM_CLEANUP_MAPPING struct osm_tenant_mapping *mapping = NULL;
 *   osm_tenant_mapping_load (store, "src", "dst", &mapping, err);
 *   osm_tenant_mapping_of (mapping, "networks")          {ID at the source: {"destination_id", "origin", "name"}}
 *   osm_tenant_mapping_note (mapping, "networks", source_id, destination_id, name, "created", false, err); */

#ifndef OSM_CONTROLLER_TENANT_MAPPING_H
#define OSM_CONTROLLER_TENANT_MAPPING_H

#include "controller/cloud/cloud.h"
#include "controller/store/store.h"
#include "controller/tenant/inventory.h"

struct osm_tenant_mapping;
/* store or source NULL: one that knows nothing and notes nothing. */
int osm_tenant_mapping_load (struct osm_store *store, const char *source, const char *destination,
                             struct osm_tenant_mapping **ret, struct osm_error *err);
void osm_tenant_mapping_free (struct osm_tenant_mapping *mapping);
/* Borrowed; may be NULL. */
json_t *osm_tenant_mapping_of (const struct osm_tenant_mapping *mapping, const char *type);
/* What is known already costs nothing, unless the object has been changed: the time is noted, too. "adopted" does not replace another origin. */
int osm_tenant_mapping_note (struct osm_tenant_mapping *mapping, const char *type,
                             const char *source_id, const char *destination_id, const char *name,
                             const char *origin, bool changed, struct osm_error *err);
/* References by the names that these objects have in the files mean them; what is in no file has the name that it had last.
 * files: {TYPE: array of entries}. */
void osm_tenant_mapping_alias (const struct osm_tenant_mapping *mapping, const json_t *files,
                               struct osm_inventory *inventory);

/* The one object of that name or id, whoever owns it. USER error if there is none, or several. */
int osm_tenant_find (struct osm_cloud *cloud, const struct osm_tenant_type *type,
                     const char *name_or_id, json_t **ret, struct osm_error *err);
/* Of the rows of osm_store_mapping_list the one of that type that has it as source id, destination id or name. Borrowed. USER error if
 * there is none, or several. (pure) */
int osm_tenant_mapping_find (const json_t *rows, const char *type, const char *name_or_id,
                             const json_t **ret, struct osm_error *err);

static inline void
osm_cleanup_mapping (struct osm_tenant_mapping **m)
{
  osm_tenant_mapping_free (*m);
}
#define OSM_CLEANUP_MAPPING __attribute__ ((cleanup (osm_cleanup_mapping)))

#endif
