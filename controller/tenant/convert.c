/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/convert.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/strbuf.h"

/* ---- values ---- */

struct sortable {
  json_t *value;
  char *key;
};

static char *
sort_key (const json_t *value, const char *sort_by)
{
  const char *first = sort_by ? osm_json_str (value, sort_by) : NULL;
  char *text, *key;

  if (json_is_string (value))
    return osm_strdup (json_string_value (value));
  text = json_dumps (value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
  if (!text)
    osm_oom ();
  key = osm_asprintf ("%s\1%s", first ? first : "", text);
  free (text);
  return key;
}

static int
compare (const void *a, const void *b)
{
  return strcmp (((const struct sortable *)a)->key, ((const struct sortable *)b)->key);
}

json_t *
osm_tenant_sorted (const json_t *list, const char *sort_by)
{
  size_t i, n = json_array_size (list);
  struct sortable *items = osm_calloc (n + 1, sizeof *items);
  json_t *sorted = json_array (), *value;

  json_array_foreach (list, i, value) items[i] =
      (struct sortable){ value, sort_key (value, sort_by) };
  qsort (items, n, sizeof *items, compare);
  for (i = 0; i < n; i++) {
    json_array_append (sorted, items[i].value);
    free (items[i].key);
  }
  free (items);
  return sorted;
}

/* Numbers and truth values that the API has as text; text that is neither stays. */
static json_t *
from_text (const struct osm_field *f, json_t *value)
{
  const char *text = json_string_value (value);
  OSM_ERROR (ignored);
  uint64_t number;
  bool yes;

  if (f->kind == OSM_FIELD_BOOL && osm_parse_bool (text, f->name, &yes, &ignored) == 0)
    return json_boolean (yes);
  if (f->kind == OSM_FIELD_BOOL && strcmp (text, "True") == 0)
    return json_true ();
  if (f->kind == OSM_FIELD_BOOL && strcmp (text, "False") == 0)
    return json_false ();
  if (f->kind == OSM_FIELD_INTEGER &&
      osm_parse_uint (text, f->name, 0, INT64_MAX, &number, &ignored) == 0)
    return json_integer ((json_int_t)number);
  if (f->kind == OSM_FIELD_REAL && *text) {
    char *end;
    double real = strtod (text, &end);
    json_t *result = *end == '\0' ? json_real (real) : NULL;

    if (result)
      return result;
  }
  return json_incref (value);
}

static json_t *
to_text (const json_t *value)
{
  OSM_CLEANUP_FREE char *text = NULL;

  if (json_is_string (value) || json_is_null (value))
    return json_incref ((json_t *)value);
  text = json_dumps (value, JSON_ENCODE_ANY | JSON_REAL_PRECISION (6));
  return json_string (text);
}

/* As it stands in the file. New reference. */
static json_t *
normal (const struct osm_field *f, json_t *value)
{
  if (json_is_string (value) && (f->flags & OSM_FIELD_AS_TEXT))
    return from_text (f, value);
  if (f->kind == OSM_FIELD_SET && json_is_array (value))
    return osm_tenant_sorted (value, f->sort_by);
  return json_incref (value);
}

/* ---- to the file ---- */

static const char *
api_name (const struct osm_field *f)
{
  return f->api ? f->api : f->name;
}

static int
get_value (const struct osm_field *f, const struct osm_inventory *inventory, const json_t *object,
           json_t **ret, struct osm_error *err)
{
  json_t *value;

  *ret = NULL;
  if (f->to_file)
    return f->to_file (inventory, object, ret, err);
  value = osm_tenant_path (object, api_name (f));
  if (value && f->kind == OSM_FIELD_REF && !(f->flags & OSM_FIELD_INFO))
    return osm_inventory_ref (inventory, f->refers, value, ret, err);
  *ret = value ? normal (f, value) : NULL;
  return 0;
}

int
osm_tenant_to_file (const struct osm_tenant_type *type, const struct osm_inventory *inventory,
                    const json_t *object, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *entry = osm_json_pack (
      "{s:{}, s:{}, s:{}, s:s}", "_info", "_migration_params", "params", "type", type->yaml_type);
  const struct osm_tenant_project *project = osm_inventory_of_project (inventory);
  bool portable = project && project->portable;

  for (const struct osm_field *f = type->fields; f->name; f++) {
    const char *section = osm_field_section (f);
    json_t *value = NULL;

    if (!(portable && (f->flags & OSM_FIELD_CLOUD)) &&
        get_value (f, inventory, object, &value, err) == -1)
      return osm_error_wrap (err, "%s", f->name);
    /* Some clouds know this not at all: then nothing is said of it. */
    if (!value && (f->flags & OSM_FIELD_BEYOND))
      continue;
    if (!json_object_get (entry, section))
      json_object_set_new (entry, section, json_object ());
    json_object_set_new (json_object_get (entry, section), f->name, value ? value : json_null ());
  }
  *ret = osm_take (entry);
  return 0;
}

/* ---- to the API ---- */

json_t *
osm_tenant_value (const json_t *entry, const struct osm_field *field)
{
  return json_object_get (json_object_get (entry, osm_field_section (field)), field->name);
}

static bool
is_empty (const json_t *value)
{
  return (json_is_array (value) && json_array_size (value) == 0) ||
         (json_is_object (value) && json_object_size (value) == 0) ||
         (json_is_string (value) && *json_string_value (value) == '\0');
}

static bool
is_changed (const struct osm_tenant_type *type, const struct osm_field *f, const json_t *changed)
{
  const json_t *name;
  size_t i;

  json_array_foreach (changed, i, name)
  {
    const struct osm_field *other = osm_tenant_field (type, json_string_value (name));

    if (other == f || (other && f->group && osm_str_equal (f->group, other->group)))
      return true;
  }
  return false;
}

static bool
is_sent (const struct osm_tenant_type *type, const struct osm_field *f, const json_t *value,
         const json_t *changed)
{
  if (!value || (f->flags & (OSM_FIELD_INFO | OSM_FIELD_SEPARATE)))
    return false;
  if (json_is_null (value) && !(f->flags & OSM_FIELD_NULLABLE))
    return false;
  if (changed)
    return !(f->flags & OSM_FIELD_FIXED) && is_changed (type, f, changed);
  return !(f->flags & OSM_FIELD_NO_EMPTY) || !is_empty (value);
}

static int
put_value (const struct osm_field *f, const struct osm_inventory *inventory, json_t *value,
           json_t *body, struct osm_error *err)
{
  json_t *id = NULL;

  if (f->to_api)
    return f->to_api (inventory, value, body, err);
  if (f->kind == OSM_FIELD_REF) {
    if (osm_inventory_id (inventory, f->refers, value, &id, err) == -1)
      return -1;
    json_object_set_new (body, api_name (f), id);
  }
  else if (f->flags & OSM_FIELD_AS_TEXT)
    json_object_set_new (body, api_name (f), to_text (value));
  else
    json_object_set (body, api_name (f), value);
  return 0;
}

int
osm_tenant_to_api (const struct osm_tenant_type *type, const struct osm_inventory *inventory,
                   const json_t *entry, const json_t *changed, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *body = json_object ();

  for (const struct osm_field *f = type->fields; f->name; f++) {
    json_t *value = osm_tenant_value (entry, f);

    if (is_sent (type, f, value, changed) && put_value (f, inventory, value, body, err) == -1)
      return osm_error_wrap (err, "%s", f->name);
  }
  *ret = osm_take (body);
  return 0;
}

/* ---- for people ---- */

static void
add_word (struct osm_strbuf *b, const json_t *value)
{
  const json_t *part;
  size_t i;

  if (json_is_object (value))
    value = json_object_get (value, json_object_get (value, "name") ? "name" : "ip_address");
  if (json_is_string (value))
    osm_strbuf_addf (b, "%s%s", b->len > 0 ? " " : "", json_string_value (value));
  else if (json_is_integer (value))
    osm_strbuf_addf (b, "%s%lld", b->len > 0 ? " " : "", (long long)json_integer_value (value));
  else if (json_is_array (value))
    json_array_foreach (value, i, part) add_word (b, part);
}

char *
osm_tenant_label (const struct osm_tenant_type *type, const json_t *entry)
{
  const char *name = osm_json_str (json_object_get (entry, "params"), "name");
  OSM_STRBUF (b);

  if (name && *name)
    return osm_strdup (name);
  for (size_t i = 0; type->match[i]; i++)
    add_word (&b, osm_tenant_value (entry, osm_tenant_field (type, type->match[i])));
  if (b.len == 0)
    add_word (&b, osm_tenant_path (entry, "_info.id"));
  return osm_strbuf_take (&b);
}

char *
osm_tenant_entry_id (const json_t *entry)
{
  static const char *const keys[] = { "id", "user_id", "project_id", "role_id" };
  const json_t *info = json_object_get (entry, "_info");
  const char *id = osm_json_str (info, "id"),
             *user = osm_json_str (json_object_get (json_object_get (entry, "params"), "user_ref"),
                                   "name");
  OSM_STRBUF (b);

  /* Key pairs of two users may have one name, which is their id. */
  if (id)
    return user ? osm_asprintf ("%s/%s", user, id) : osm_strdup (id);
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    const char *part = osm_json_str (info, keys[i]);

    if (part)
      osm_strbuf_addf (&b, "%s/", part);
  }
  return osm_strbuf_take (&b);
}
