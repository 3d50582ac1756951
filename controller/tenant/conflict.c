/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/conflict.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/strbuf.h"
#include "common/yamlcomment.h"
#include "controller/tenant/convert.h"
#include "controller/tenant/export.h"

#define BEGIN "# conflict: "
#define MIDDLE ": the source has now: "
#define RESOURCES "/resources/"

/* ---- in the file ---- */

/* NULL: it is a comment of the operator's. */
static json_t *
parse_mark (const char *path, const json_t *comment)
{
  const char *text = osm_json_str (comment, "text"), *middle = strstr (text, MIDDLE), *number;
  OSM_CLEANUP_FREE char *index = NULL, *field = NULL;
  uint64_t entry;
  OSM_ERROR (ignored);

  if (!osm_str_starts_with (text, BEGIN) || !middle || middle < text + strlen (BEGIN) ||
      !osm_str_starts_with (path, RESOURCES))
    return NULL;
  number = path + strlen (RESOURCES);
  index = osm_strndup (number, strcspn (number, "/"));
  if (osm_parse_uint (index, "index", 0, UINT32_MAX, &entry, &ignored) == -1)
    return NULL;
  field = osm_strndup (text + strlen (BEGIN), (size_t)(middle - text) - strlen (BEGIN));
  return osm_json_pack ("{s:I, s:s, s:s, s:O?}", "entry", (json_int_t)entry, "field", field,
                        "value", middle + strlen (MIDDLE), "line",
                        json_object_get (comment, "line"));
}

static int
by_entry (const void *a, const void *b)
{
  const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
  uint64_t i = osm_json_uint (x, "entry"), k = osm_json_uint (y, "entry");

  return i != k ? (i < k ? -1 : 1) : strcmp (osm_json_str (x, "field"), osm_json_str (y, "field"));
}

/* One for each field. marks: stolen. New array. */
static json_t *
sorted (json_t *marks)
{
  size_t n = json_array_size (marks), i;
  json_t **all = osm_calloc (n + 1, sizeof *all), *mark, *list = json_array ();

  json_array_foreach (marks, i, mark) all[i] = mark;
  qsort (all, n, sizeof *all, by_entry);
  for (i = 0; i < n; i++)
    if (i == 0 || by_entry (&all[i - 1], &all[i]) != 0)
      json_array_append (list, all[i]);
  free (all);
  json_decref (marks);
  return list;
}

json_t *
osm_conflicts_take (json_t *comments)
{
  json_t *marks = json_array (), *of_path;
  const char *path;

  json_object_foreach (comments, path, of_path)
  {
    json_t *before = json_object_get (of_path, "before");

    for (size_t i = json_array_size (before); i-- > 0;) {
      json_t *mark = parse_mark (path, json_array_get (before, i));

      if (!mark)
        continue;
      json_array_append_new (marks, mark);
      json_array_remove (before, i);
    }
  }
  return sorted (marks);
}

/* The section that has the field; NULL: none does. */
static const char *
section_of (const json_t *entry, const char *field)
{
  static const char *const sections[] = { "params", "_osm_params", "_migration_params" };

  for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
    if (json_object_get (json_object_get (entry, sections[i]), field))
      return sections[i];
  return NULL;
}

void
osm_conflicts_put (json_t *comments, const json_t *resources, const json_t *marks)
{
  const json_t *mark;
  size_t i;

  json_array_foreach (marks, i, mark)
  {
    size_t index = (size_t)osm_json_uint (mark, "entry");
    const char *field = osm_json_str (mark, "field"),
               *section = section_of (json_array_get (resources, index), field);
    OSM_CLEANUP_FREE char *entry = osm_yaml_path_item ("/resources", index);
    OSM_CLEANUP_FREE char *params = section ? osm_yaml_path (entry, section) : NULL;
    OSM_CLEANUP_FREE char *path = params ? osm_yaml_path (params, field) : NULL;
    OSM_CLEANUP_FREE char *text =
        osm_asprintf (BEGIN "%s" MIDDLE "%s", field, osm_json_str (mark, "value"));

    osm_yaml_comment_add (comments, path ? path : entry, text);
  }
}

/* ---- after an export ---- */

/* In one line, and of characters that YAML allows in a comment. */
static char *
one_line (const json_t *value)
{
  OSM_CLEANUP_FREE char *text =
      value
          ? json_dumps (value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII)
          : NULL;
  OSM_STRBUF (b);

  osm_strbuf_add (&b, text || !value ? "" : "?");
  for (const char *p = text ? text : value ? "" : "nothing"; *p; p++)
    osm_strbuf_add_mem (&b, *p == 0x7f ? "\\u007f" : p, *p == 0x7f ? 6 : 1);
  return osm_strbuf_take (&b);
}

static json_t *
find_row (const json_t *rows, const struct osm_tenant_type *type, const char *id)
{
  json_t *row;
  size_t i;

  json_array_foreach (rows, i, row)
  {
    if (osm_str_equal (osm_json_str (row, "type"), type->name) &&
        osm_str_equal (osm_json_str (row, "id"), id))
      return row;
  }
  return NULL;
}

static bool
is_among (const json_t *conflicts, const char *field)
{
  const json_t *conflict;
  size_t i;

  json_array_foreach (conflicts, i, conflict)
  {
    if (osm_str_equal (osm_json_str (conflict, "field"), field))
      return true;
  }
  return false;
}

static json_t *
new_mark (size_t entry, const char *field, const json_t *source)
{
  OSM_CLEANUP_FREE char *value = one_line (source);

  return osm_json_pack ("{s:I, s:s, s:s}", "entry", (json_int_t)entry, "field", field, "value",
                        value);
}

/* Of the marks of before those of this entry that still hold: the file has another value than the source. */
static void
keep (const json_t *marks, size_t index, const json_t *entry, const json_t *source, json_t *row,
      json_t *now)
{
  OSM_CLEANUP_JSON json_t *conflicts = json_copy (json_object_get (row, "conflicts"));
  const json_t *mark;
  size_t i;
  OSM_STRBUF (fields);

  if (!conflicts)
    conflicts = json_array ();
  json_array_foreach (marks, i, mark)
  {
    const char *field = osm_json_str (mark, "field"), *section = section_of (entry, field);
    const json_t *in_file, *in_source;

    if (osm_json_uint (mark, "entry") != index || is_among (conflicts, field))
      continue;
    if (!section)
      section = section_of (source, field);
    in_file = section ? json_object_get (json_object_get (entry, section), field) : NULL;
    in_source = section ? json_object_get (json_object_get (source, section), field) : NULL;
    if (in_file == in_source || (in_file && in_source && json_equal (in_file, in_source)))
      continue;
    json_array_append_new (now, new_mark (index, field, in_source));
    json_array_append_new (conflicts, osm_json_pack ("{s:s, s:O?, s:O?}", "field", field, "file",
                                                     in_file, "source", in_source));
    osm_strbuf_addf (&fields, "%s%s", fields.len > 0 ? ", " : "", field);
  }
  if (!row || fields.len == 0)
    return;
  json_object_set (row, "conflicts", conflicts);
  if (!osm_json_str (row, "reason")) {
    OSM_CLEANUP_FREE char *reason = osm_asprintf (
        "still differs from the source, the file's value stays: %s", osm_strbuf_str (&fields));

    osm_json_set_str (row, "reason", reason);
  }
}

json_t *
osm_conflicts_now (const struct osm_tenant_type *type, const json_t *resources,
                   const json_t *entries, const struct osm_filter *filter, const json_t *marks,
                   json_t *rows)
{
  json_t *now = json_array (), *entry;
  const json_t *conflict, *mark;
  size_t index, i;

  json_array_foreach (resources, index, entry)
  {
    OSM_CLEANUP_FREE char *id = osm_tenant_entry_id (entry);
    const json_t *source = json_object_get (entries, id);

    /* Not looked at this time. */
    if (!source || json_object_get (source, "error") || !osm_export_takes (type, filter, source)) {
      json_array_foreach (marks, i, mark)
      {
        if (osm_json_uint (mark, "entry") == index)
          json_array_append (now, (json_t *)mark);
      }
      continue;
    }
    json_t *row = find_row (rows, type, id);

    json_array_foreach (json_object_get (row, "conflicts"), i, conflict)
        json_array_append_new (now, new_mark (index, osm_json_str (conflict, "field"),
                                              json_object_get (conflict, "source")));
    keep (marks, index, entry, source, row, now);
  }
  return sorted (now);
}

bool
osm_conflicts_equal (const json_t *a, const json_t *b)
{
  const json_t *mark;
  size_t i;

  if (json_array_size (a) != json_array_size (b))
    return false;
  json_array_foreach (a, i, mark)
  {
    const json_t *other = json_array_get (b, i);

    if (by_entry (&mark, &other) != 0 ||
        !osm_str_equal (osm_json_str (mark, "value"), osm_json_str (other, "value")))
      return false;
  }
  return true;
}

/* ---- for people ---- */

char *
osm_conflicts_text (const struct osm_tenant_type *type, const json_t *resources,
                    const json_t *marks, const struct osm_filter *filter)
{
  const json_t *mark, *last = NULL;
  OSM_STRBUF (b);
  size_t i;

  json_array_foreach (marks, i, mark)
  {
    const json_t *entry = json_array_get (resources, (size_t)osm_json_uint (mark, "entry"));
    OSM_CLEANUP_FREE char *label = NULL;

    if (!entry || (filter && !osm_export_takes (type, filter, entry)))
      continue;
    label = osm_tenant_label (type, entry);
    if (entry == last)
      osm_strbuf_addf (&b, ", %s", osm_json_str (mark, "field"));
    else
      osm_strbuf_addf (&b, "%s%s: %s", b.len > 0 ? "; " : "", label, osm_json_str (mark, "field"));
    last = entry;
  }
  return b.len > 0 ? osm_strbuf_take (&b) : NULL;
}
