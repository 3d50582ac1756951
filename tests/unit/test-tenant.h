/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Handmade answers of the APIs, for the tests of controller/tenant. */

#ifndef OSM_TESTS_UNIT_TEST_TENANT_H
#define OSM_TESTS_UNIT_TEST_TENANT_H

#include "tests/unit/test.h"

#include <jansson.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "controller/tenant/inventory.h"
#include "controller/tenant/types.h"

/* JSON with ' for ". */
static inline json_t *
parse (const char *text)
{
  OSM_CLEANUP_FREE char *copy = strdup (text);
  json_error_t error;
  json_t *value;

  for (char *p = copy; *p; p++)
    if (*p == '\'')
      *p = '"';
  value = json_loads (copy, JSON_DECODE_ANY, &error);
  if (!value)
    fail_msg ("%s: %s", error.text, text);
  return value;
}

static inline void
assert_json (const json_t *value, const char *wanted)
{
  OSM_CLEANUP_JSON json_t *w = parse (wanted);

  if (!value || !json_equal (value, w)) {
    OSM_CLEANUP_FREE char *text = value ? json_dumps (value, JSON_ENCODE_ANY) : NULL;

    fail_msg ("%s\nis not\n%s", text ? text : "(nothing)", wanted);
  }
}

static inline void
add (struct osm_inventory *inventory, const struct osm_tenant_type *type, const char *list,
     bool own)
{
  OSM_CLEANUP_JSON json_t *objects = parse (list);

  osm_inventory_add (inventory, type, objects, own);
}

#endif
