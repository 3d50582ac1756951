/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/diff.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"

static bool
is_ref (const json_t *value)
{
  return json_is_object (value) && json_object_get (value, "name") &&
         json_object_get (value, "project_name") && json_object_get (value, "domain_name");
}

/* A project or domain that one of them does not tell is no difference. */
static bool
same_or_unsaid (const json_t *a, const json_t *b, const char *key)
{
  a = json_object_get (a, key);
  b = json_object_get (b, key);
  return !json_is_string (a) || !json_is_string (b) || json_equal (a, b);
}

static bool
same (const json_t *a, const json_t *b)
{
  const char *key;
  json_t *value;
  size_t i;

  if (is_ref (a) && is_ref (b))
    return json_equal (json_object_get (a, "name"), json_object_get (b, "name")) &&
           same_or_unsaid (a, b, "project_name") && same_or_unsaid (a, b, "domain_name");
  if (json_is_number (a) && json_is_number (b))
    return json_number_value (a) >= json_number_value (b) &&
           json_number_value (a) <= json_number_value (b);
  if (json_is_array (a) && json_is_array (b)) {
    if (json_array_size (a) != json_array_size (b))
      return false;
    json_array_foreach (a, i, value) if (!same (value, json_array_get (b, i))) return false;
    return true;
  }
  if (json_is_object (a) && json_is_object (b)) {
    if (json_object_size (a) != json_object_size (b))
      return false;
    json_object_foreach ((json_t *)a, key,
                         value) if (!same (value, json_object_get (b, key))) return false;
    return true;
  }
  return json_equal (a, b);
}

/* Some clouds leave out what is empty. */
static bool
is_nothing (const json_t *value)
{
  return !value || json_is_null (value) ||
         (json_is_array (value) && json_array_size (value) == 0) ||
         (json_is_object (value) && json_object_size (value) == 0);
}

/* Each of a has one in b. What names a project or domain and what does not stand in different places, however they are sorted. */
static bool
same_in_any_order (const json_t *a, const json_t *b)
{
  OSM_CLEANUP_JSON json_t *left = json_copy ((json_t *)b);
  const json_t *x;
  size_t i, j;

  if (json_array_size (a) != json_array_size (b))
    return false;
  json_array_foreach (a, i, x)
  {
    for (j = 0; j < json_array_size (left); j++)
      if (same (x, json_array_get (left, j)))
        break;
    if (j == json_array_size (left))
      return false;
    json_array_remove (left, j);
  }
  return true;
}

static bool
same_value (const struct osm_field *f, const json_t *a, const json_t *b)
{
  OSM_CLEANUP_JSON json_t *x = NULL, *y = NULL;

  if ((json_is_array (a) || json_is_object (a)) && is_nothing (a) && is_nothing (b))
    return true;
  if ((f->flags & OSM_FIELD_UNORDERED) && json_is_array (a) && json_is_array (b))
    return same_in_any_order (a, b);
  if (f->kind != OSM_FIELD_SET || !json_is_array (a) || !json_is_array (b))
    return same (a, b);
  x = osm_tenant_sorted (a, f->sort_by);
  y = osm_tenant_sorted (b, f->sort_by);
  return same (x, y);
}

/* The cloud does not have what it takes: then it cannot differ. strict: unless that says something. */
static bool
is_unknown_there (const struct osm_field *f, const json_t *wanted, const json_t *is, bool strict)
{
  const char *text = json_string_value (wanted);

  if (strict && !is_nothing (wanted) && !json_is_false (wanted) && !(text && !*text))
    return false;
  return (f->extension || f->since) && !(f->flags & OSM_FIELD_NULLABLE) &&
         (!is || json_is_null (is));
}

/* Hashes of two kinds say nothing of each other. */
static bool
is_comparable (const struct osm_tenant_type *type, const struct osm_field *f, const json_t *wanted,
               const json_t *is)
{
  const struct osm_field *with = f->with ? osm_tenant_field (type, f->with) : NULL;

  return !with || is_nothing (osm_tenant_value (is, with)) ||
         same (osm_tenant_value (wanted, with), osm_tenant_value (is, with));
}

static json_t *
compare (const struct osm_tenant_type *type, const json_t *wanted, const json_t *is, bool strict)
{
  json_t *differences = json_array ();

  for (const struct osm_field *f = type->fields; f->name; f++) {
    const json_t *a = osm_tenant_value (wanted, f), *b = osm_tenant_value (is, f);

    if ((f->flags & OSM_FIELD_INFO) || !a || is_unknown_there (f, a, b, strict) ||
        (json_is_null (a) && (!(f->flags & OSM_FIELD_NULLABLE) || !b)) || same_value (f, a, b) ||
        !is_comparable (type, f, wanted, is))
      continue;
    json_array_append_new (differences,
                           osm_json_pack ("{s:s, s:O, s:O?, s:b}", "field", f->name, "wanted", a,
                                          "is", b, "fixed", (f->flags & OSM_FIELD_FIXED) != 0));
  }
  return differences;
}

json_t *
osm_tenant_diff (const struct osm_tenant_type *type, const json_t *wanted, const json_t *is)
{
  return compare (type, wanted, is, false);
}

json_t *
osm_tenant_diff_strict (const struct osm_tenant_type *type, const json_t *wanted, const json_t *is)
{
  return compare (type, wanted, is, true);
}

/* Whose it is at this cloud is not part of what it is: references are by name there. Users and projects, which have no project, are
 * told apart by domain. */
static json_t *
plain (const json_t *value)
{
  const json_t *item;
  json_t *copy, *member;
  const char *key;
  size_t i;

  if (is_ref (value))
    return osm_json_pack ("[O, O?]", json_object_get (value, "name"),
                          json_is_null (json_object_get (value, "project_name"))
                              ? json_object_get (value, "domain_name")
                              : NULL);
  if (json_is_object (value)) {
    copy = json_object ();
    json_object_foreach ((json_t *)value, key, member)
        json_object_set_new (copy, key, plain (member));
    return copy;
  }
  if (!json_is_array (value))
    return value ? json_incref ((json_t *)value) : json_null ();
  copy = json_array ();
  json_array_foreach (value, i, item) json_array_append_new (copy, plain (item));
  return copy;
}

char *
osm_tenant_identity (const struct osm_tenant_type *type, const json_t *entry)
{
  OSM_CLEANUP_JSON json_t *all = json_array ();
  char *text;

  for (size_t i = 0; type->match[i]; i++) {
    const struct osm_field *f = osm_tenant_field (type, type->match[i]);

    json_array_append_new (all, plain (osm_tenant_value (entry, f)));
  }
  text = json_dumps (all, JSON_COMPACT | JSON_SORT_KEYS);
  if (!text)
    osm_oom ();
  return text;
}

/* ---- three ways ---- */

static bool
equal (const json_t *a, const json_t *b)
{
  return a == b || (a && b && json_equal (a, b));
}

/* NULL: it is not there. Borrowed. */
static const json_t *
choose (const char *key, bool known, const json_t *base, const json_t *file, const json_t *source,
        json_t *conflicts)
{
  if (equal (file, source))
    return file;
  if (known && equal (file, base))
    return source;
  if (known && equal (source, base))
    return file;
  json_array_append_new (
      conflicts, osm_json_pack ("{s:s, s:O?, s:O?}", "field", key, "file", file, "source", source));
  return file;
}

static json_t *
merge_section (bool known, const json_t *base, const json_t *file, const json_t *source,
               json_t *conflicts)
{
  json_t *merged = json_object (), *value;
  OSM_CLEANUP_JSON json_t *keys = json_object ();
  const char *key;

  json_object_update (keys, (json_t *)(source ? source : merged));
  json_object_update (keys, (json_t *)(file ? file : merged));
  json_object_foreach (keys, key, value)
  {
    const json_t *in_file = json_object_get (file, key), *in_source = json_object_get (source, key),
                 *chosen;

    /* What an older osm did not write yet is no edit, and what the operator has added none that could collide. */
    if (!in_file && !json_object_get (base, key))
      chosen = in_source;
    else if (!in_source && !json_object_get (base, key))
      chosen = in_file;
    else
      chosen = choose (key, known, json_object_get (base, key), in_file, in_source, conflicts);
    if (chosen)
      json_object_set (merged, key, (json_t *)chosen);
  }
  return merged;
}

json_t *
osm_tenant_merge (const json_t *base, const json_t *file, const json_t *source, json_t *conflicts)
{
  static const char *const sections[] = { "params", "_osm_params", "_migration_params" };
  json_t *merged = json_copy ((json_t *)source);

  for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
    const json_t *b = json_object_get (base, sections[i]), *f = json_object_get (file, sections[i]),
                 *s = json_object_get (source, sections[i]);

    if (f || s)
      json_object_set_new (merged, sections[i], merge_section (base != NULL, b, f, s, conflicts));
  }
  return merged;
}
