/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/export.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/tenant/conflict.h"
#include "controller/tenant/convert.h"
#include "controller/tenant/datafile.h"
#include "controller/tenant/diff.h"
#include "controller/tenant/fetch.h"
#include "controller/tenant/needs.h"

/* ---- pure ---- */

json_t *
osm_export_row (const struct osm_tenant_type *type, const char *name, const char *id,
                const char *result, const char *reason)
{
  json_t *row = osm_json_pack ("{s:s, s:s}", "type", type->name, "result", result);

  osm_json_set_str (row, "name", name);
  osm_json_set_str (row, "id", id);
  osm_json_set_str (row, "reason", reason);
  return row;
}

static bool
is_unavailable (const json_t *error)
{
  return json_is_true (json_object_get (error, "unavailable"));
}

void
osm_export_tell_refused (const struct osm_tenant_type *type, const json_t *error,
                         const json_t *files, json_t *rows)
{
  bool rights = osm_json_uint (error, "code") == 403;
  const char *message = osm_json_str (error, "message");

  if (!is_unavailable (error))
    json_array_append_new (
        rows, osm_export_row (type, NULL, NULL, rights ? "skipped" : "failed", message));
  else if (!files || json_array_size (json_object_get (files, type->name)) > 0)
    json_array_append_new (
        rows, osm_export_row (type, NULL, NULL, files ? "skipped" : "unavailable", message));
}

const char *
osm_export_filtered_by (const struct osm_tenant_type *type, const json_t *entry)
{
  const char *path = type->filter_by ? type->filter_by : "name";

  return json_string_value (osm_tenant_path (json_object_get (entry, "params"), path));
}

bool
osm_export_takes (const struct osm_tenant_type *type, const struct osm_filter *filter,
                  const json_t *entry)
{
  return osm_filter_takes (filter, osm_export_filtered_by (type, entry));
}

/* {ID: position} of an array of entries. New object. */
static json_t *
positions (const json_t *entries)
{
  json_t *index = json_object ();
  const json_t *entry;
  size_t i;

  json_array_foreach (entries, i, entry)
  {
    OSM_CLEANUP_FREE char *id = osm_tenant_entry_id (entry);

    json_object_set_new (index, id, json_integer ((json_int_t)i));
  }
  return index;
}

/* NULL: there is none of that id. */
static const json_t *
at (const json_t *entries, const json_t *index, const char *id)
{
  const json_t *position = json_object_get (index, id);

  return position ? json_array_get (entries, (size_t)json_integer_value (position)) : NULL;
}

static char *
conflict_reason (const json_t *conflicts)
{
  OSM_STRBUF (b);
  const json_t *conflict;
  size_t i;

  if (json_array_size (conflicts) == 0)
    return NULL;
  osm_strbuf_add (&b, "differs from the source, the file's value stays: ");
  json_array_foreach (conflicts, i, conflict)
      osm_strbuf_addf (&b, "%s%s", i > 0 ? ", " : "", osm_json_str (conflict, "field"));
  return osm_strbuf_take (&b);
}

struct merging {
  const struct osm_tenant_type *type;
  json_t *resources, *rows;
  const json_t *base;
  json_t *in_file, *in_base, *at_source; /* positions */
};

static void
merge_one (const struct merging *m, const json_t *entry)
{
  const struct osm_tenant_type *type = m->type;
  OSM_CLEANUP_FREE char *id = osm_tenant_entry_id (entry), *label = osm_tenant_label (type, entry),
                        *reason = NULL;
  OSM_CLEANUP_JSON json_t *conflicts = json_array (), *merged = NULL;
  const json_t *in_file = at (m->resources, m->in_file, id),
               *in_base = at (m->base, m->in_base, id);
  json_t *row;

  if (!in_file && in_base) {
    json_array_append_new (
        m->rows, osm_export_row (type, label, id, "skipped", "was taken out of the file by hand"));
    return;
  }
  if (!in_file) {
    json_array_append (m->resources, (json_t *)entry);
    json_array_append_new (m->rows, osm_export_row (type, label, id, "created", NULL));
    return;
  }
  merged = osm_tenant_merge (in_base, in_file, entry, conflicts);
  reason = conflict_reason (conflicts);
  row =
      osm_export_row (type, label, id, json_equal (merged, in_file) ? "equal" : "updated", reason);
  if (json_array_size (conflicts) > 0)
    json_object_set (row, "conflicts", conflicts);
  json_array_append_new (m->rows, row);
  json_array_set (m->resources, (size_t)json_integer_value (json_object_get (m->in_file, id)),
                  merged);
}

/* In the file, and was at the source once. */
static void
tell_gone (const struct merging *m, const json_t *file, const struct osm_filter *filter)
{
  const json_t *entry;
  size_t i;

  json_array_foreach (file, i, entry)
  {
    OSM_CLEANUP_FREE char *id = osm_tenant_entry_id (entry),
                          *label = osm_tenant_label (m->type, entry);

    if (osm_export_takes (m->type, filter, entry) && !json_object_get (m->at_source, id) &&
        (!m->base || json_object_get (m->in_base, id)))
      json_array_append_new (
          m->rows, osm_export_row (m->type, label, id, "gone",
                                   "is not at the source any more; it stays in the file"));
  }
}

struct labelled {
  char *label;
  json_t *entry;
};

static int
compare (const void *a, const void *b)
{
  return strcmp (((const struct labelled *)a)->label, ((const struct labelled *)b)->label);
}

/* Those without an error, in the order of their names: clouds list them in none. New array. */
static json_t *
in_order (const struct osm_tenant_type *type, const json_t *entries)
{
  struct labelled *items = osm_calloc (json_object_size (entries) + 1, sizeof *items);
  json_t *list = json_array (), *entry;
  const char *id;
  size_t n = 0;

  json_object_foreach ((json_t *)entries, id, entry)
  {
    if (!json_object_get (entry, "error"))
      items[n++] = (struct labelled){ osm_tenant_label (type, entry), entry };
  }
  qsort (items, n, sizeof *items, compare);
  for (size_t i = 0; i < n; i++) {
    json_array_append (list, items[i].entry);
    free (items[i].label);
  }
  free (items);
  return list;
}

static void
tell_failed (const struct osm_tenant_type *type, const json_t *entries,
             const struct osm_filter *filter, json_t *rows)
{
  const char *id;
  json_t *entry;

  json_object_foreach ((json_t *)entries, id, entry)
  {
    const json_t *error = json_object_get (entry, "error");
    const char *name = osm_json_str (entry, "name");

    /* What has no name of its own cannot be told from the others by a filter. */
    if (error && (!name || type->filter_by || osm_filter_takes (filter, name)))
      json_array_append_new (rows, osm_export_row (type, name ? name : id, id, "failed",
                                                   osm_json_str (error, "message")));
  }
}

json_t *
osm_export_merge (const struct osm_tenant_type *type, const json_t *entries, const json_t *file,
                  const json_t *base, const struct osm_filter *filter, json_t *rows)
{
  OSM_CLEANUP_JSON json_t *sources = in_order (type, entries), *in_file = positions (file),
                          *in_base = positions (base), *at_source = positions (sources);
  const struct merging m = { .type = type,
                             .resources = file ? json_copy ((json_t *)file) : json_array (),
                             .rows = rows,
                             .base = base,
                             .in_file = in_file,
                             .in_base = in_base,
                             .at_source = at_source };
  const json_t *entry;
  size_t i;

  json_array_foreach (sources, i, entry)
  {
    if (osm_export_takes (type, filter, entry))
      merge_one (&m, entry);
  }
  tell_failed (type, entries, filter, rows);
  tell_gone (&m, file, filter);
  return m.resources;
}

json_t *
osm_export_base (const struct osm_tenant_type *type, const json_t *entries, const json_t *base,
                 const struct osm_filter *filter)
{
  OSM_CLEANUP_JSON json_t *sources = in_order (type, entries), *index = positions (base);
  json_t *list = base ? json_copy ((json_t *)base) : json_array (), *entry;
  size_t i;

  json_array_foreach (sources, i, entry)
  {
    OSM_CLEANUP_FREE char *id = osm_tenant_entry_id (entry);
    const json_t *position = json_object_get (index, id);

    if (!osm_export_takes (type, filter, entry))
      continue;
    if (position)
      json_array_set (list, (size_t)json_integer_value (position), entry);
    else
      json_array_append (list, entry);
  }
  return list;
}

/* ---- files ---- */

/* NULL if there is none. */
static int
load (const char *path, const struct osm_tenant_type *type, struct osm_datafile **ret,
      struct osm_error *err)
{
  *ret = NULL;
  return osm_file_exists (path) ? osm_datafile_open (path, type, ret, err) : 0;
}

/* That the file is in. */
static int
make_folder (const char *path, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *folder = osm_strndup (path, (size_t)(strrchr (path, '/') - path));

  return osm_mkdir_p (folder, 0700, err);
}

static int
export_type (struct osm_cloud *cloud, const struct osm_tenant_type *type,
             const struct osm_export_options *options, const struct osm_filter *filter,
             struct osm_inventory *inventory, json_t *rows, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/%s", options->data_dir, type->file),
                        *base_path = osm_asprintf ("%s/" OSM_EXPORT_BASE "/%s", options->data_dir,
                                                   type->file);
  OSM_CLEANUP_DATAFILE struct osm_datafile *file = NULL, *last = NULL;
  OSM_CLEANUP_JSON json_t *entries = NULL, *resources = NULL, *new_base = NULL, *marks = NULL;
  const json_t *in_file, *base, *old_marks;

  if (load (path, type, &file, err) == -1 || (file && load (base_path, type, &last, err) == -1) ||
      osm_fetch_entries (cloud, type, inventory, &entries, err) == -1)
    return -1;
  in_file = file ? osm_datafile_resources (file) : NULL;
  base = last ? osm_datafile_resources (last) : NULL;
  old_marks = file ? osm_datafile_conflicts (file) : NULL;
  resources = osm_export_merge (type, entries, in_file, base, filter, rows);
  marks = osm_conflicts_now (type, resources, entries, filter, old_marks, rows);
  new_base = osm_export_base (type, entries, base, filter);
  if (strchr (type->file, '/') &&
      (make_folder (path, err) == -1 || make_folder (base_path, err) == -1))
    return -1;
  /* A file in which nothing changes is not touched. The file first: a crash in between makes edits look unknown, and they stay. */
  if ((!file || !json_equal (in_file, resources) || !osm_conflicts_equal (old_marks, marks)) &&
      osm_datafile_save (path, resources, file ? osm_datafile_comments (file) : NULL, marks, err) ==
          -1)
    return -1;
  return base && json_equal (base, new_base)
             ? 0
             : osm_datafile_save (base_path, new_base, NULL, NULL, err);
}

static json_t *
count (const json_t *rows)
{
  static const char *const results[] = { "created", "updated", "equal", "skipped",
                                         "failed",  "gone",    NULL };
  json_t *counts = json_object ();
  const json_t *row;
  size_t i;

  for (i = 0; results[i]; i++)
    json_object_set_new (counts, results[i], json_integer (0));
  json_array_foreach (rows, i, row)
  {
    const char *result = osm_json_str (row, "result");

    json_object_set_new (counts, result,
                         json_integer ((json_int_t)osm_json_uint (counts, result) + 1));
  }
  return counts;
}

/* {TYPE: {NAME: true}} of what those that are exported refer to. */
static int
find_needs (struct osm_cloud *cloud, const struct osm_tenant_type *const *all,
            const struct osm_export_options *options, struct osm_inventory *inventory,
            const json_t *refused, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *entries = json_object ();

  for (size_t i = 0; all[i]; i++) {
    json_t *of_type = NULL;

    if (json_object_get (refused, all[i]->name))
      continue;
    if (osm_fetch_entries (cloud, all[i], inventory, &of_type, err) == -1)
      return -1;
    json_object_set_new (entries, all[i]->name, of_type);
  }
  *ret = osm_tenant_needs (entries, options->types, options->filter, options->with);
  return 0;
}

static bool
is_named (const struct osm_tenant_type *type, const struct osm_export_options *options)
{
  for (size_t i = 0; options->types[i]; i++)
    if (options->types[i] == type)
      return true;
  return false;
}

int
osm_tenant_export (struct osm_cloud *cloud, const struct osm_export_options *options,
                   json_t **ret_report, struct osm_error *err)
{
  OSM_CLEANUP_INVENTORY struct osm_inventory *inventory =
      osm_fetch_inventory (cloud, options->project);
  OSM_CLEANUP_FREE char *base_dir = osm_asprintf ("%s/" OSM_EXPORT_BASE, options->data_dir);
  OSM_CLEANUP_JSON json_t *rows = json_array (), *refused = json_object (), *files = json_array (),
                          *needs = NULL;
  OSM_CLEANUP_FILTERS struct osm_filters *filters = NULL;
  OSM_CLEANUP_FREE const struct osm_tenant_type **more =
      options->with ? osm_tenant_types_needed (options->types) : NULL;
  const struct osm_tenant_type *const *types = more ? more : options->types;

  osm_inventory_set_hosts (inventory, options->hosts);
  if (osm_mkdir_p (base_dir, 0700, err) == -1 ||
      osm_fetch_lists (cloud, types, inventory, refused, err) == -1 ||
      (more && find_needs (cloud, types, options, inventory, refused, &needs, err) == -1))
    return -1;
  filters = osm_filters_new (options->types, options->filter, needs);
  for (size_t i = 0; types[i]; i++) {
    const struct osm_tenant_type *type = types[i];
    const json_t *why = json_object_get (refused, type->name);
    OSM_ERROR (problem);

    if (!is_named (type, options) && !json_object_get (needs, type->name))
      continue;
    if (why)
      osm_export_tell_refused (type, why, NULL, rows);
    if (why && !is_unavailable (why))
      continue;
    if (export_type (cloud, type, options, osm_filters_of (filters, type), inventory, rows,
                     &problem) == 0)
      json_array_append_new (files, json_string (type->file));
    else if (problem.class == OSM_ERROR_INTERRUPTED) {
      osm_error_move (err, &problem);
      return -1;
    }
    else
      json_array_append_new (rows, osm_export_row (type, NULL, NULL, "failed", problem.message));
  }
  *ret_report = osm_json_pack ("{s:s, s:O, s:O, s:o}", "data_dir", options->data_dir, "files",
                               files, "objects", rows, "counts", count (rows));
  return 0;
}
