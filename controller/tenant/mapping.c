/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/mapping.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/tenant/convert.h"
#include "controller/tenant/fetch.h"

struct osm_tenant_mapping {
  struct osm_store *store;
  char *source, *destination;
  json_t *types; /* {TYPE: {SOURCE_ID: row}} */
};

static void
put (json_t *types, const char *type, const char *source_id, json_t *row)
{
  json_t *of_type = json_object_get (types, type);

  if (!of_type) {
    of_type = json_object ();
    json_object_set_new (types, type, of_type);
  }
  json_object_set (of_type, source_id, row);
}

int
osm_tenant_mapping_load (struct osm_store *store, const char *source, const char *destination,
                         struct osm_tenant_mapping **ret, struct osm_error *err)
{
  OSM_CLEANUP_MAPPING struct osm_tenant_mapping *mapping = osm_calloc (1, sizeof *mapping);
  OSM_CLEANUP_JSON json_t *rows = NULL;
  json_t *row;
  size_t i;

  mapping->types = json_object ();
  if (store && source) {
    mapping->store = store;
    mapping->source = osm_strdup (source);
    mapping->destination = osm_strdup (destination);
    if (osm_store_mapping_list (store, source, destination, &rows, err) == -1)
      return -1;
  }
  json_array_foreach (rows, i, row)
      put (mapping->types, osm_json_str (row, "type"), osm_json_str (row, "source_id"), row);
  *ret = osm_take (mapping);
  return 0;
}

void
osm_tenant_mapping_free (struct osm_tenant_mapping *mapping)
{
  if (!mapping)
    return;
  free (mapping->source);
  free (mapping->destination);
  json_decref (mapping->types);
  free (mapping);
}

json_t *
osm_tenant_mapping_of (const struct osm_tenant_mapping *mapping, const char *type)
{
  return json_object_get (mapping->types, type);
}

int
osm_tenant_mapping_note (struct osm_tenant_mapping *mapping, const char *type,
                         const char *source_id, const char *destination_id, const char *name,
                         const char *origin, bool changed, struct osm_error *err)
{
  const struct osm_mapping m = { .source_cloud = mapping->source,
                                 .destination_cloud = mapping->destination,
                                 .type = type,
                                 .source_id = source_id,
                                 .destination_id = destination_id,
                                 .name = name,
                                 .origin = origin };
  const json_t *known = json_object_get (json_object_get (mapping->types, type), source_id);
  const char *kept = origin;
  OSM_CLEANUP_JSON json_t *row = NULL;

  if (!mapping->store ||
      (!changed && osm_str_equal (osm_json_str (known, "destination_id"), destination_id) &&
       osm_str_equal (osm_json_str (known, "name"), name) &&
       (osm_str_equal (osm_json_str (known, "origin"), origin) ||
        osm_str_equal (origin, "adopted"))))
    return 0;
  if (osm_str_equal (origin, "adopted") && osm_json_str (known, "origin") &&
      osm_str_equal (osm_json_str (known, "destination_id"), destination_id))
    kept = osm_json_str (known, "origin");
  row = osm_json_pack ("{s:s, s:s, s:s?}", "destination_id", destination_id, "origin", kept, "name",
                       name);
  put (mapping->types, type, source_id, row);
  return osm_store_mapping_note (mapping->store, &m, err);
}

/* {ID at the source: NAME} */
static json_t *
names_of (const json_t *entries)
{
  json_t *names = json_object ();
  const json_t *entry;
  size_t i;

  json_array_foreach (entries, i, entry)
  {
    OSM_CLEANUP_FREE char *id = osm_tenant_entry_id (entry);
    json_t *name = json_object_get (json_object_get (entry, "params"), "name");

    if (json_is_string (name))
      json_object_set (names, id, name);
  }
  return names;
}

static bool
is_registered (const json_t *row)
{
  return osm_str_equal (osm_json_str (row, "origin"), "registered");
}

/* What it is called in the files, or was at the last import. NULL: it is not the turn of the row. */
static const char *
name_in_turn (const char *source_id, const json_t *row, const json_t *names, bool in_file)
{
  const char *now = osm_json_str (names, source_id);

  if ((now != NULL) != in_file || !osm_json_str (row, "destination_id"))
    return NULL;
  return now ? now : osm_json_str (row, "name");
}

/* Which of several of one name is meant (subnets of two networks, users of two domains, networks of two projects) the name does not
 * say: then it is nobody's alias, unless the operator has registered one. */
static void
alias_some (const char *type, const json_t *rows, const json_t *names, bool in_file,
            struct osm_inventory *inventory)
{
  OSM_CLEANUP_JSON json_t *seen = json_object ();
  const char *source_id, *name;
  json_t *row;

  for (int registered = 0; registered < 2; registered++)
    json_object_foreach ((json_t *)rows, source_id, row)
    {
      const char *id = osm_json_str (row, "destination_id"), *before;

      name = name_in_turn (source_id, row, names, in_file);
      if (!name || is_registered (row) != registered)
        continue;
      before = osm_json_str (seen, name);
      if (!registered && before && !osm_str_equal (before, id))
        id = NULL;
      osm_inventory_alias (inventory, type, name, id, registered);
      json_object_set_new (seen, name, json_string (id ? id : ""));
    }
}

static void
alias_type (const char *type, const json_t *rows, const json_t *entries,
            struct osm_inventory *inventory)
{
  OSM_CLEANUP_JSON json_t *names = names_of (entries);

  /* Those in the file come last, and so count more. What is in no file of a project may be another project's of the same name. */
  if (!osm_inventory_of_project (inventory))
    alias_some (type, rows, names, false, inventory);
  alias_some (type, rows, names, true, inventory);
}

void
osm_tenant_mapping_alias (const struct osm_tenant_mapping *mapping, const json_t *files,
                          struct osm_inventory *inventory)
{
  const char *type;
  json_t *rows;

  json_object_foreach (mapping->types, type, rows)
  {
    if (osm_tenant_type_find (type))
      alias_type (type, rows, json_object_get (files, type), inventory);
  }
}

int
osm_tenant_find (struct osm_cloud *cloud, const struct osm_tenant_type *type,
                 const char *name_or_id, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path =
      type->list_path ? osm_fetch_path (type, NULL) : osm_strdup (type->member_path);
  const struct osm_collection collection = { .service = type->service,
                                             .what = type->noun,
                                             .list_path = path,
                                             .member_path = type->member_path,
                                             .list_key = type->list_key,
                                             .member_key = type->member_key,
                                             .name_filter = type->service == OSM_NETWORK ||
                                                            type->service == OSM_IMAGE };

  if (!type->member_path || !type->list_key || !osm_tenant_field (type, "name"))
    return osm_error_set (err, OSM_ERROR_USER, 0, "a %s has no name or id to be registered by",
                          type->noun);
  return osm_cloud_find (cloud, &collection, name_or_id, ret, err);
}

int
osm_tenant_mapping_find (const json_t *rows, const char *type, const char *name_or_id,
                         const json_t **ret, struct osm_error *err)
{
  static const char *const keys[] = { "source_id", "destination_id", "name" };
  OSM_STRBUF (found);
  const json_t *row, *one = NULL;
  size_t i, n = 0;

  json_array_foreach (rows, i, row)
  {
    bool same = false;

    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
      same = same || osm_str_equal (osm_json_str (row, keys[k]), name_or_id);
    if (!same || !osm_str_equal (osm_json_str (row, "type"), type))
      continue;
    one = row;
    osm_strbuf_addf (&found, "%s%s", n++ > 0 ? ", " : "", osm_json_str (row, "source_id"));
  }
  if (n == 0) {
    osm_error_set (err, OSM_ERROR_USER, 404, "nothing is known of '%s' of %s", name_or_id, type);
    return osm_error_hint (err, "list --objects shows what is known");
  }
  if (n > 1)
    return osm_error_set (err, OSM_ERROR_USER, 0, "there are several '%s' of %s: %s", name_or_id,
                          type, osm_strbuf_str (&found));
  *ret = one;
  return 0;
}
