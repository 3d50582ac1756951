/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/order.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/tenant/convert.h"

/* Does it refer to one of its own type that is not made yet? pending: {NAME: true}. */
static bool
waits (const struct osm_tenant_type *type, const json_t *row, const json_t *pending)
{
  const json_t *entry = json_object_get (row, "entry");

  for (const struct osm_field *f = type->fields; f->name; f++) {
    const char *name = osm_str_equal (f->refers, type->name) && !(f->flags & OSM_FIELD_INFO)
                           ? osm_json_str (osm_tenant_value (entry, f), "name")
                           : NULL;

    if (name && json_object_get (pending, name) &&
        !osm_str_equal (name, osm_json_str (row, "name")))
      return true;
  }
  return false;
}

json_t *
osm_tenant_take_ready (const struct osm_tenant_type *type, json_t *left)
{
  OSM_CLEANUP_JSON json_t *pending = json_object (), *later = json_array ();
  json_t *ready = json_array (), *row;
  size_t i;

  json_array_foreach (left, i, row)
  {
    if (osm_json_str (row, "name"))
      json_object_set_new (pending, osm_json_str (row, "name"), json_true ());
  }
  json_array_foreach (left, i, row)
      json_array_append (waits (type, row, pending) ? later : ready, row);
  json_array_clear (left);
  /* Those that wait for each other fail by themselves. */
  if (json_array_size (ready) == 0)
    json_array_extend (ready, later);
  else
    json_array_extend (left, later);
  return ready;
}
