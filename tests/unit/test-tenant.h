/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Handmade answers of the APIs, for the tests of controller/tenant. */

#ifndef OSM_TESTS_UNIT_TEST_TENANT_H
#define OSM_TESTS_UNIT_TEST_TENANT_H

#include "tests/unit/test-json.h"

#include <jansson.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "controller/tenant/inventory.h"
#include "controller/tenant/types.h"

static inline void
add (struct osm_inventory *inventory, const struct osm_tenant_type *type, const char *list,
     bool own)
{
  OSM_CLEANUP_JSON json_t *objects = parse (list);

  osm_inventory_add (inventory, type, objects, own);
}

#endif
