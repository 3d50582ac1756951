/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/exact.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/tenant/convert.h"
#include "controller/tenant/datafile.h"

int
osm_exact_groups (const char *data_dir, const json_t *mapped, json_t **ret, struct osm_error *err)
{
  const struct osm_tenant_type *groups = osm_tenant_type_find ("security_groups");
  OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/%s", data_dir, groups->file);
  OSM_CLEANUP_JSON json_t *entries = NULL;
  const json_t *entry;
  size_t i;

  if (osm_file_exists (path) && osm_datafile_read (path, groups, &entries, err) == -1)
    return -1;
  *ret = json_object ();
  json_array_foreach (entries, i, entry)
  {
    OSM_CLEANUP_FREE char *id = osm_tenant_entry_id (entry);
    const char *name = osm_json_str (json_object_get (entry, "params"), "name");

    if (name &&
        !osm_str_equal (osm_json_str (json_object_get (mapped, id), "origin"), "registered"))
      json_object_set_new (*ret, name, json_true ());
  }
  return 0;
}

json_t *
osm_exact_take (json_t *rows)
{
  json_t *extra = json_array ();

  for (size_t i = json_array_size (rows); i-- > 0;) {
    json_t *row = json_array_get (rows, i);

    if (!osm_str_equal (osm_json_str (row, "result"), "extra"))
      continue;
    json_array_insert (extra, 0, row);
    json_array_remove (rows, i);
  }
  return extra;
}
