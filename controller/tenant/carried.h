/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What of an entry a cloud can have: an older one does not know every field, and a tenant may not ask for all of them. */

#ifndef OSM_CONTROLLER_TENANT_CARRIED_H
#define OSM_CONTROLLER_TENANT_CARRIED_H

#include "controller/cloud/cloud.h"
#include "controller/tenant/type.h"

/* What only administrators may ask for is taken out of these entries; "_refused" of an entry says so, where it was more than nothing. (pure) */
void osm_carried_without_rights (const struct osm_tenant_type *type, json_t *entries);
/* *ret: a copy of the entry as far as the cloud knows its fields. extensions: of Neutron, NULL if it does not tell. *ret_dropped: those that
 * say something and are not carried, for people, or NULL; caller frees. One of OSM_FIELD_RESTRICTS that cannot be carried: USER error. */
int osm_carried_known (struct osm_cloud *cloud, const struct osm_tenant_type *type,
                       const json_t *extensions, const json_t *entry, json_t **ret,
                       char **ret_dropped, struct osm_error *err);

#endif
