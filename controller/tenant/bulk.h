/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Many objects by one request, where an API takes them: hundreds of security group rules.
 *
 *   osm_bulk_make (cloud, type, inventory, extensions, rows, err);
 *   a row that has "made" now: the object as the API shows it; the others are to be made one by one */

#ifndef OSM_CONTROLLER_TENANT_BULK_H
#define OSM_CONTROLLER_TENANT_BULK_H

#include "controller/cloud/cloud.h"
#include "controller/tenant/inventory.h"
#include "controller/tenant/type.h"

/* Of the rows (as osm_tenant_compare has them) those that are missing; nothing if the type has no bulk_by. All or none of a request is
 * made. What was refused together may be right one by one, so that is no error. -1 only if the operator has interrupted it. */
int osm_bulk_make (struct osm_cloud *cloud, const struct osm_tenant_type *type,
                   struct osm_inventory *inventory, const json_t *extensions, const json_t *rows,
                   struct osm_error *err);

#endif
