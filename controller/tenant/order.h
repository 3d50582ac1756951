/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Objects that refer to others of their own type come after these: images after their kernels, projects after their parents. Pure. */

#ifndef OSM_CONTROLLER_TENANT_ORDER_H
#define OSM_CONTROLLER_TENANT_ORDER_H

#include "controller/tenant/type.h"

/* Of rows as osm_tenant_compare makes them those that wait for no other one among them, taken out of `left`, in its order. If all wait for
 * each other, all of them. New array. */
json_t *osm_tenant_take_ready (const struct osm_tenant_type *type, json_t *left);

#endif
