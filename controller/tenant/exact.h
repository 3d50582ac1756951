/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What the destination has and the files have not, when they are to say all: which of it may go. */

#ifndef OSM_CONTROLLER_TENANT_EXACT_H
#define OSM_CONTROLLER_TENANT_EXACT_H

#include <jansson.h>

#include "common/error.h"
#include "controller/tenant/inventory.h"

/* The security groups whose rules are all in files, those of security_groups.yml: {NAME: id, or true if that is not known}. Those that
 * others take care of are not among them; mapped: as osm_tenant_mapping_of has it for groups. New object. */
int osm_exact_groups (const char *data_dir, const json_t *mapped, json_t **ret,
                      struct osm_error *err);
/* The rows "extra" among those of osm_tenant_compare, taken out of these. New array. (pure) */
json_t *osm_exact_take (json_t *rows);
/* Of these the rules of those groups, and not of others that are called the same. rows: what became of the rules in the file. "extra": it may
 * be deleted; "skipped": it is not, and the reason. New array. (pure) */
json_t *osm_exact_choose (const json_t *groups, const json_t *rows, const json_t *extra,
                          const struct osm_inventory *inventory);

#endif
