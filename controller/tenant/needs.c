/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/needs.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/tenant/convert.h"
#include "controller/tenant/export.h"
#include "controller/tenant/inventory.h"

static size_t
count_types (void)
{
  size_t n = 0;

  while (osm_tenant_types[n])
    n++;
  return n;
}

static bool
is_among (const struct osm_tenant_type *type, const struct osm_tenant_type *const *types)
{
  for (size_t i = 0; types[i]; i++)
    if (types[i] == type)
      return true;
  return false;
}

const struct osm_tenant_type **
osm_tenant_types_needed (const struct osm_tenant_type *const *types)
{
  const struct osm_tenant_type **all = osm_calloc (count_types () + 1, sizeof *all);
  bool administrator = false;
  size_t n = 0;

  for (size_t i = 0; types[i]; i++)
    administrator = administrator || types[i]->administrator;
  for (size_t i = 0; osm_tenant_types[i]; i++) {
    const struct osm_tenant_type *type = osm_tenant_types[i];

    if (type->file && (is_among (type, types) || !type->administrator ||
                       (administrator && type->service == OSM_IDENTITY)))
      all[n++] = type;
  }
  return all;
}

/* ---- references of an entry ---- */

/* Is it an object of a type in files, and none of somebody else? */
static bool
is_ours (const struct osm_tenant_type *type, const json_t *ref)
{
  const char *name = osm_json_str (ref, "name");

  return type && type->file && name && strcmp (name, OSM_REF_AUTH) != 0 &&
         (type->ref_style != OSM_REF_OWNED ||
          osm_str_equal (osm_json_str (ref, "project_name"), OSM_REF_AUTH));
}

static void
add (json_t *needs, const struct osm_tenant_type *type, const char *name)
{
  json_t *names = json_object_get (needs, type->name);

  if (!names) {
    names = json_object ();
    json_object_set_new (needs, type->name, names);
  }
  json_object_set_new (names, name, json_true ());
}

static void
add_name (json_t *needs, const struct osm_tenant_type *type, const json_t *ref)
{
  if (is_ours (type, ref))
    add (needs, type, osm_json_str (ref, "name"));
}

/* "security_group_ref": the type whose noun is "security group". */
static const struct osm_tenant_type *
type_of_key (const char *key)
{
  size_t len = strlen (key);

  if (len <= strlen ("_ref") || strcmp (key + len - strlen ("_ref"), "_ref") != 0)
    return NULL;
  for (size_t i = 0; osm_tenant_types[i]; i++) {
    const char *noun = osm_tenant_types[i]->noun;
    size_t n = 0;

    while (n < len && noun[n] && (noun[n] == key[n] || (noun[n] == ' ' && key[n] == '_')))
      n++;
    if (noun[n] == '\0' && n == len - strlen ("_ref"))
      return osm_tenant_types[i];
  }
  return NULL;
}

static void
add_inner (json_t *needs, const json_t *value)
{
  const char *key;
  json_t *member;
  size_t i;

  json_array_foreach (value, i, member) add_inner (needs, member);
  if (json_is_object (value))
    json_object_foreach ((json_t *)value, key, member)
    {
      add_name (needs, type_of_key (key), member);
      add_inner (needs, member);
    }
}

static void
add_needs (json_t *needs, const struct osm_tenant_type *type, const json_t *entry)
{
  for (const struct osm_field *f = type->fields; f->name; f++) {
    const json_t *value = osm_tenant_value (entry, f);

    if (f->flags & OSM_FIELD_INFO)
      continue;
    if (f->kind == OSM_FIELD_REF)
      add_name (needs, osm_tenant_type_find (f->refers), value);
    else if (f->kind == OSM_FIELD_REFS)
      add_inner (needs, value);
  }
}

/* ---- and of what is needed in turn ---- */

static size_t
count_names (const json_t *needs)
{
  const char *type;
  json_t *names;
  size_t n = 0;

  json_object_foreach ((json_t *)needs, type, names) n += json_object_size (names);
  return n;
}

struct choice {
  const struct osm_tenant_type *type;
  const struct osm_tenant_type *const *types; /* that the filter is for */
  const struct osm_filter *filter;
  unsigned what;
  json_t *needs;
};

/* name: as filters look at it, or NULL. */
static bool
is_taken (const struct choice *c, const struct osm_tenant_type *type, const char *name)
{
  return (is_among (type, c->types) && osm_filter_takes (c->filter, name)) ||
         (name && json_object_get (json_object_get (c->needs, type->name), name));
}

static bool
is_part_of_taken (const struct choice *c, const json_t *entry)
{
  const struct osm_field *f =
      c->type->part_of ? osm_tenant_field (c->type, c->type->part_of) : NULL;
  const json_t *ref = f ? osm_tenant_value (entry, f) : NULL;
  const struct osm_tenant_type *whole = f ? osm_tenant_type_find (f->refers) : NULL;

  return is_ours (whole, ref) && is_taken (c, whole, osm_json_str (ref, "name"));
}

static void
look_at (const struct choice *c, const json_t *entry)
{
  const char *name = osm_export_filtered_by (c->type, entry);

  if (json_object_get (entry, "error"))
    return;
  if ((c->what & OSM_NEEDS_MEMBERS) && name && !is_taken (c, c->type, name) &&
      is_part_of_taken (c, entry))
    add (c->needs, c->type, name);
  if ((c->what & OSM_NEEDS_DEPENDENCIES) && is_taken (c, c->type, name))
    add_needs (c->needs, c->type, entry);
}

static void
look_at_all (const struct choice *c, const json_t *entries)
{
  const char *id;
  json_t *entry;
  size_t i;

  json_array_foreach (entries, i, entry) look_at (c, entry);
  if (json_is_object (entries))
    json_object_foreach ((json_t *)entries, id, entry) look_at (c, entry);
}

json_t *
osm_tenant_needs (const json_t *entries, const struct osm_tenant_type *const *types,
                  const struct osm_filter *filter, unsigned what)
{
  json_t *needs = json_object ();
  size_t before;

  do {
    before = count_names (needs);
    for (size_t i = 0; osm_tenant_types[i]; i++) {
      const struct choice c = {
        .type = osm_tenant_types[i], .types = types, .filter = filter, .what = what, .needs = needs
      };

      look_at_all (&c, json_object_get (entries, c.type->name));
    }
  } while (count_names (needs) > before);
  return needs;
}

/* ---- filters ---- */

struct osm_filters {
  const struct osm_tenant_type *const *types;
  const struct osm_filter *filter;
  struct osm_filter **of; /* in the order of osm_tenant_types; NULL: there are no needs */
};

struct osm_filters *
osm_filters_new (const struct osm_tenant_type *const *types, const struct osm_filter *filter,
                 const json_t *needs)
{
  struct osm_filters *filters = osm_calloc (1, sizeof *filters);

  filters->types = types;
  filters->filter = filter;
  if (!needs)
    return filters;
  filters->of = osm_calloc (count_types () + 1, sizeof *filters->of);
  for (size_t i = 0; osm_tenant_types[i]; i++)
    filters->of[i] = osm_filter_with_names (is_among (osm_tenant_types[i], types) ? filter : NULL,
                                            json_object_get (needs, osm_tenant_types[i]->name));
  return filters;
}

void
osm_filters_free (struct osm_filters *filters)
{
  if (!filters)
    return;
  for (size_t i = 0; filters->of && osm_tenant_types[i]; i++)
    osm_filter_free (filters->of[i]);
  free (filters->of);
  free (filters);
}

const struct osm_filter *
osm_filters_of (const struct osm_filters *filters, const struct osm_tenant_type *type)
{
  for (size_t i = 0; filters->of && osm_tenant_types[i]; i++)
    if (osm_tenant_types[i] == type)
      return filters->of[i];
  return filters->filter;
}
