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
    const json_t *known = json_object_get (mapped, id);
    json_t *to = json_object_get (known, "destination_id");

    if (name && !osm_str_equal (osm_json_str (known, "origin"), "registered"))
      json_object_set (*ret, name, to ? to : json_true ());
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

/* {NAME: true} of the groups that may lack a rule of the file, or have it under another spelling, in which it looks like one that is in
 * no file. */
static json_t *
uncertain_groups (const json_t *rows)
{
  json_t *groups = json_object ();
  const json_t *row;
  size_t i;

  json_array_foreach (rows, i, row)
  {
    const json_t *name = osm_tenant_path (row, "entry.params.security_group_ref.name");

    if (json_is_string (name) && (osm_str_equal (osm_json_str (row, "result"), "failed") ||
                                  json_is_true (json_object_get (row, "same"))))
      json_object_set_new (groups, json_string_value (name), json_true ());
  }
  return groups;
}

/* The id of the group that the file means by its entry. New reference; NULL: none, or several. */
static json_t *
meant_group (const json_t *group, const json_t *ref, const struct osm_inventory *inventory,
             struct osm_error *err)
{
  json_t *id = NULL;

  if (json_is_string (group))
    return json_incref ((json_t *)group);
  return osm_inventory_id (inventory, "security_groups", ref, &id, err) == 0 ? id : NULL;
}

json_t *
osm_exact_choose (const json_t *groups, const json_t *rows, const json_t *extra,
                  const struct osm_inventory *inventory)
{
  OSM_CLEANUP_JSON json_t *uncertain = uncertain_groups (rows);
  json_t *chosen = json_array (), *row;
  size_t i;

  json_array_foreach (extra, i, row)
  {
    const json_t *ref = osm_tenant_path (row, "is.params.security_group_ref");
    const char *name = osm_json_str (ref, "name");
    const json_t *group = name ? json_object_get (groups, name) : NULL;
    OSM_CLEANUP_JSON json_t *id = NULL;
    OSM_CLEANUP_FREE char *reason = NULL;
    OSM_ERROR (why);

    if (!group)
      continue;
    id = meant_group (group, ref, inventory, &why);
    if (id && !json_equal (id, osm_tenant_path (row, "is._info.security_group_id")))
      continue;
    if (!id)
      reason = osm_asprintf ("is in no file, and not deleted: %s", why.message);
    else if (json_object_get (uncertain, name))
      reason = osm_strdup ("is in no file, and not deleted: another rule of the group could not be "
                           "made, or is there already in another spelling");
    if (reason)
      json_object_set_new (row, "result", json_string ("skipped"));
    osm_json_set_str (row, "reason", reason);
    json_array_append (chosen, row);
  }
  return chosen;
}
