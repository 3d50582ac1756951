/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/spelling.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/tenant/diff.h"

char *
osm_tenant_spelling (const struct osm_tenant_type *type, const json_t *entry)
{
  return type->spelling ? type->spelling (type, entry) : osm_tenant_identity (type, entry);
}

/* Of the object in the cloud, as far as there is one, else of what the file wants. */
static void
note (const struct osm_tenant_type *type, const json_t *row, json_t *seen)
{
  const json_t *is = json_object_get (row, "is");
  OSM_CLEANUP_FREE char *spelling =
      osm_tenant_spelling (type, is ? is : json_object_get (row, "entry"));

  json_object_set_new (seen, spelling, json_true ());
}

static void
take_out (const struct osm_tenant_type *type, const char *spelling, json_t *extra)
{
  for (size_t i = json_array_size (extra); i-- > 0;) {
    OSM_CLEANUP_FREE char *other =
        osm_tenant_spelling (type, json_object_get (json_array_get (extra, i), "is"));

    if (osm_str_equal (spelling, other))
      json_array_remove (extra, i);
  }
}

void
osm_spelling_settle (const struct osm_tenant_type *type, json_t *rows, json_t *extra)
{
  OSM_CLEANUP_JSON json_t *seen = json_object ();
  json_t *row;
  size_t i;

  if (!type->spelling)
    return;
  json_array_foreach (extra, i, row) note (type, row, seen);
  json_array_foreach (rows, i, row)
  {
    if (json_object_get (row, "is"))
      note (type, row, seen);
  }
  json_array_foreach (rows, i, row)
  {
    OSM_CLEANUP_FREE char *spelling = NULL;

    if (!osm_str_equal (osm_json_str (row, "result"), "missing"))
      continue;
    spelling = osm_tenant_spelling (type, json_object_get (row, "entry"));
    if (!json_object_get (seen, spelling)) {
      json_object_set_new (seen, spelling, json_true ());
      continue;
    }
    json_object_set_new (row, "result", json_string ("equal"));
    json_object_set_new (row, "reason",
                         json_string ("the cloud has the same one, in another spelling"));
    take_out (type, spelling, extra);
  }
}
