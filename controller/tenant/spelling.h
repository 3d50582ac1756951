/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Objects that differ in what they say and are the same to a cloud: a rule for "TCP" and one for protocol 6. Pure. */

#ifndef OSM_CONTROLLER_TENANT_SPELLING_H
#define OSM_CONTROLLER_TENANT_SPELLING_H

#include <jansson.h>

#include "controller/tenant/type.h"

/* The same for all that is the same: osm_tenant_identity, where the type knows no better. Caller frees. */
char *osm_tenant_spelling (const struct osm_tenant_type *type, const json_t *entry);
/* Rows "missing" of osm_tenant_compare become "equal" where the cloud has the same one, or the file has it before; what is meant so is taken out of
 * extra, the rows "extra" of the same comparison. */
void osm_spelling_settle (const struct osm_tenant_type *type, json_t *rows, json_t *extra);

#endif
