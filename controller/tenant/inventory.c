/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/inventory.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"

struct osm_inventory {
  char *project_id, *user_id, *hosts;
  const struct osm_tenant_project *project;
  json_t *objects; /* {TYPE: {ID: object; false: not there; true: not shown}} */
  json_t *own;     /* {TYPE: {ID: object}} */
  json_t *missing;
  json_t *missing_names, *asked_names;
  json_t *aliases;     /* {TYPE: {NAME: {"id", "registered"}}} */
  json_t *alias_names; /* {TYPE: {ID: {"name", "registered"}}} */
};

struct osm_inventory *
osm_inventory_new (const char *project_id, const char *user_id)
{
  struct osm_inventory *inventory = osm_calloc (1, sizeof *inventory);

  inventory->project_id = osm_strdup (project_id);
  inventory->user_id = osm_strdup (user_id);
  inventory->objects = json_object ();
  inventory->own = json_object ();
  inventory->missing = json_object ();
  inventory->missing_names = json_object ();
  inventory->asked_names = json_object ();
  inventory->aliases = json_object ();
  inventory->alias_names = json_object ();
  return inventory;
}

void
osm_inventory_free (struct osm_inventory *inventory)
{
  if (!inventory)
    return;
  free (inventory->project_id);
  free (inventory->user_id);
  free (inventory->hosts);
  json_decref (inventory->objects);
  json_decref (inventory->own);
  json_decref (inventory->missing);
  json_decref (inventory->missing_names);
  json_decref (inventory->asked_names);
  json_decref (inventory->aliases);
  json_decref (inventory->alias_names);
  free (inventory);
}

const char *
osm_inventory_project (const struct osm_inventory *inventory)
{
  return inventory->project_id;
}

const char *
osm_inventory_user (const struct osm_inventory *inventory)
{
  return inventory->user_id;
}

void
osm_inventory_set_project (struct osm_inventory *inventory,
                           const struct osm_tenant_project *project)
{
  inventory->project = project;
}

const struct osm_tenant_project *
osm_inventory_of_project (const struct osm_inventory *inventory)
{
  return inventory->project;
}

/* The member object of that name, made if it is not there. */
static json_t *
sub (json_t *object, const char *key)
{
  json_t *value = json_object_get (object, key);

  if (!value) {
    value = json_object ();
    json_object_set_new (object, key, value);
  }
  return value;
}

void
osm_inventory_set_hosts (struct osm_inventory *inventory, const char *name)
{
  osm_str_set (&inventory->hosts, name);
}

void
osm_inventory_alias (struct osm_inventory *inventory, const char *type_name, const char *name,
                     const char *id, bool registered)
{
  json_t *aliases = sub (inventory->aliases, type_name),
         *names = sub (inventory->alias_names, type_name);
  const char *before = osm_json_str (json_object_get (aliases, name), "id");

  if (before)
    json_object_del (names, before);
  json_object_del (aliases, name);
  if (!id)
    return;
  json_object_set_new (aliases, name,
                       osm_json_pack ("{s:s, s:b}", "id", id, "registered", registered));
  json_object_set_new (names, id,
                       osm_json_pack ("{s:s, s:b}", "name", name, "registered", registered));
}

/* "osm-conversion-" and eight characters of the fingerprint (hosts/find.c). */
static bool
is_hosts_key (const struct osm_inventory *inventory, const json_t *object)
{
  const char *name = osm_json_str (object, "name");
  size_t len = inventory->hosts ? strlen (inventory->hosts) : 0;

  return len > 0 && name && osm_json_str (object, "public_key") &&
         osm_str_starts_with (name, inventory->hosts) && name[len] == '-' &&
         strlen (name + len + 1) == 8 && name[len + 1 + strcspn (name + len + 1, "-_. @")] == '\0';
}

/* What osm has made for itself is no part of the tenant. */
static bool
is_osms (const struct osm_inventory *inventory, const json_t *object)
{
  const char *description = osm_json_str (object, "description");

  return (description && osm_str_starts_with (description, "osm.role=")) ||
         is_hosts_key (inventory, object);
}

void
osm_inventory_add (struct osm_inventory *inventory, const struct osm_tenant_type *type,
                   const json_t *list, bool own)
{
  json_t *objects = sub (inventory->objects, type->name), *ours = sub (inventory->own, type->name),
         *object;
  size_t i;

  json_array_foreach (list, i, object)
  {
    OSM_CLEANUP_FREE char *id =
        type->id ? type->id (object) : osm_strdup (osm_json_str (object, "id"));
    const char *owner = type->owner ? osm_json_str (object, type->owner) : NULL;

    if (!id)
      continue;
    json_object_set (objects, id, object);
    if (own && !is_osms (inventory, object) &&
        (!type->owner || !inventory->project_id || osm_str_equal (owner, inventory->project_id)) &&
        (!type->wanted || type->wanted (inventory, object)))
      json_object_set (ours, id, object);
  }
}

void
osm_inventory_add_none (struct osm_inventory *inventory, const char *type_name, const char *id,
                        bool hidden)
{
  json_object_set_new (sub (inventory->objects, type_name), id, json_boolean (hidden));
}

const json_t *
osm_inventory_own (const struct osm_inventory *inventory, const char *type_name)
{
  return sub (inventory->own, type_name);
}

const json_t *
osm_inventory_get (const struct osm_inventory *inventory, const char *type_name, const char *id)
{
  const json_t *object = json_object_get (json_object_get (inventory->objects, type_name), id);

  return json_is_object (object) ? object : NULL;
}

/* ---- ids to names ---- */

/* NULL: not known yet, and noted. */
static const json_t *
look_up (const struct osm_inventory *inventory, const char *type_name, const char *id)
{
  const json_t *object = json_object_get (json_object_get (inventory->objects, type_name), id);

  if (!object)
    json_object_set_new (sub (inventory->missing, type_name), id, json_true ());
  return object;
}

/* A name, or null where it is not known or not shown: then the object's own name has to do. */
static json_t *
name_of (const struct osm_inventory *inventory, const char *type_name, const char *id)
{
  const json_t *object = id ? look_up (inventory, type_name, id) : NULL;
  const char *name = osm_json_str (object, "name");

  return name ? json_string (name) : json_null ();
}

static bool
is_registered (const json_t *alias)
{
  return json_is_true (json_object_get (alias, "registered"));
}

/* Is it our project's, as far as that is known? */
static bool
is_of_project (const struct osm_inventory *inventory, const struct osm_tenant_type *type,
               const json_t *object)
{
  const char *owner = type->owner ? osm_json_str (object, type->owner) : NULL;

  return !owner || !inventory->project_id || osm_str_equal (owner, inventory->project_id);
}

/* The alias of the object, unless it is one of another project that was imported there under that name. Borrowed, or NULL. */
static const json_t *
alias_of (const struct osm_inventory *inventory, const struct osm_tenant_type *type,
          const json_t *object)
{
  const char *id = osm_json_str (object, "id");
  const json_t *alias =
      id ? json_object_get (json_object_get (inventory->alias_names, type->name), id) : NULL;

  return alias && (is_registered (alias) || is_of_project (inventory, type, object)) ? alias : NULL;
}

/* What references call it. */
static const char *
known_as (const struct osm_inventory *inventory, const struct osm_tenant_type *type,
          const json_t *object)
{
  const json_t *alias = alias_of (inventory, type, object);

  return alias ? osm_json_str (alias, "name") : osm_json_str (object, "name");
}

static json_t *
owned_ref (const struct osm_inventory *inventory, const struct osm_tenant_type *type,
           const json_t *object)
{
  const char *name = known_as (inventory, type, object),
             *owner = type->owner ? osm_json_str (object, type->owner) : NULL;
  const json_t *project;

  if (!owner)
    return osm_json_pack ("{s:s?, s:n, s:n}", "name", name, "project_name", "domain_name");
  /* What was registered counts as ours, whoever owns it. */
  if (osm_str_equal (owner, inventory->project_id) ||
      is_registered (alias_of (inventory, type, object)))
    return osm_json_pack ("{s:s?, s:s, s:s}", "name", name, "project_name", OSM_REF_AUTH,
                          "domain_name", OSM_REF_AUTH);
  project = look_up (inventory, "projects", owner);
  return osm_json_pack ("{s:s?, s:o, s:o}", "name", name, "project_name",
                        name_of (inventory, "projects", owner), "domain_name",
                        name_of (inventory, "domains", osm_json_str (project, "domain_id")));
}

static json_t *
make_ref (const struct osm_inventory *inventory, const struct osm_tenant_type *type,
          const json_t *object)
{
  if (type->ref_style == OSM_REF_OWNED)
    return owned_ref (inventory, type, object);
  return osm_json_pack ("{s:s?, s:n, s:o}", "name", known_as (inventory, type, object),
                        "project_name", "domain_name",
                        type->ref_style == OSM_REF_GLOBAL
                            ? json_null ()
                            : name_of (inventory, "domains", osm_json_str (object, "domain_id")));
}

int
osm_inventory_ref (const struct osm_inventory *inventory, const char *type_name, const json_t *id,
                   json_t **ret, struct osm_error *err)
{
  const struct osm_tenant_type *type = osm_tenant_type_find (type_name);
  const char *text = json_string_value (id);
  const json_t *object;

  if (!text || !*text) {
    *ret = json_null ();
    return 0;
  }
  if (type->ref_style == OSM_REF_USER && osm_str_equal (text, inventory->user_id)) {
    *ret = osm_json_pack ("{s:s, s:n, s:s}", "name", OSM_REF_AUTH, "project_name", "domain_name",
                          OSM_REF_AUTH);
    return 0;
  }
  object = look_up (inventory, type_name, text);
  if (json_is_boolean (object))
    return osm_error_set (err, OSM_ERROR_USER, 404, "refers to the %s %s, which %s", type->noun,
                          text,
                          json_is_true (object) ? "this user may not see"
                                                : "is not there, or not shown to this user");
  *ret = object ? make_ref (inventory, type, object) : json_null ();
  return 0;
}

/* ---- names to ids ---- */

/* Is it what the reference says, as far as that says something? A name that the cloud does not show us contradicts nothing. */
static bool
is_said (const json_t *said, const json_t *is)
{
  return !json_is_string (said) || !json_is_string (is) || json_equal (said, is);
}

static bool
is_meant (const struct osm_inventory *inventory, const struct osm_tenant_type *type,
          const json_t *ref, const json_t *object)
{
  OSM_CLEANUP_JSON json_t *is = NULL;

  if (!osm_str_equal (osm_json_str (ref, "name"), osm_json_str (object, "name")))
    return false;
  is = make_ref (inventory, type, object);
  /* Ours are known to be ours, also where the names of other projects are not shown. */
  if (type->ref_style == OSM_REF_OWNED && type->owner && inventory->project_id &&
      osm_json_str (object, type->owner) &&
      osm_str_equal (osm_json_str (ref, "project_name"), OSM_REF_AUTH) &&
      !osm_str_equal (osm_json_str (is, "project_name"), OSM_REF_AUTH))
    return false;
  return is_said (json_object_get (ref, "project_name"), json_object_get (is, "project_name")) &&
         is_said (json_object_get (ref, "domain_name"), json_object_get (is, "domain_name"));
}

/* Does what is mapped to the name answer to the reference? Imports of other projects and domains have mapped the same names; what was
 * registered is what the operator says. */
static bool
is_mapped (const struct osm_inventory *inventory, const struct osm_tenant_type *type,
           const json_t *ref, const json_t *alias, const json_t *object)
{
  const char *project = osm_json_str (ref, "project_name");
  OSM_CLEANUP_JSON json_t *is = NULL;

  if (project && !osm_str_equal (project, OSM_REF_AUTH))
    return false;
  if (is_registered (alias))
    return true;
  if (type->ref_style == OSM_REF_OWNED)
    /* No project: of another one whose name was not shown. */
    return !type->owner || (project && is_of_project (inventory, type, object));
  is = make_ref (inventory, type, object);
  return is_said (json_object_get (ref, "domain_name"), json_object_get (is, "domain_name"));
}

/* The object that was mapped to the name. NULL: none, or it is gone, or it is not known yet (noted then). Borrowed. */
static const char *
mapped_id (const struct osm_inventory *inventory, const struct osm_tenant_type *type,
           const json_t *ref)
{
  const json_t *alias = json_object_get (json_object_get (inventory->aliases, type->name),
                                         osm_json_str (ref, "name")),
               *object;
  const char *id = osm_json_str (alias, "id");

  if (!id)
    return NULL;
  object = look_up (inventory, type->name, id);
  return json_is_object (object) && is_mapped (inventory, type, ref, alias, object) ? id : NULL;
}

int
osm_inventory_id (const struct osm_inventory *inventory, const char *type_name, const json_t *ref,
                  json_t **ret, struct osm_error *err)
{
  const struct osm_tenant_type *type = osm_tenant_type_find (type_name);
  const json_t *objects = json_object_get (inventory->objects, type_name);
  const char *name = osm_json_str (ref, "name"), *project = osm_json_str (ref, "project_name"), *id,
             *found = NULL;
  OSM_STRBUF (candidates);
  json_t *object;
  size_t n = 0;

  if (!name) {
    *ret = json_null ();
    return 0;
  }
  if (type->ref_style == OSM_REF_USER && osm_str_equal (name, OSM_REF_AUTH)) {
    *ret = inventory->user_id ? json_string (inventory->user_id) : json_null ();
    return 0;
  }
  found = mapped_id (inventory, type, ref);
  if (found) {
    *ret = json_string (found);
    return 0;
  }
  json_object_foreach ((json_t *)objects, id, object)
  {
    if (!json_is_object (object) || !is_meant (inventory, type, ref, object))
      continue;
    found = id;
    osm_strbuf_addf (&candidates, "%s%s", n++ > 0 ? ", " : "", id);
  }
  /* Ours are known; those of others are when they were asked for by name. */
  if ((n == 0 || !osm_str_equal (project, OSM_REF_AUTH)) &&
      !json_object_get (json_object_get (inventory->asked_names, type_name), name))
    json_object_set_new (sub (inventory->missing_names, type_name), name, json_true ());
  if (n == 0)
    return osm_error_set (err, OSM_ERROR_USER, 404, "there is no %s '%s'%s%s", type->noun, name,
                          osm_str_equal (project, OSM_REF_AUTH) ? " in this project"
                          : project                             ? " in the project "
                                                                : "",
                          osm_str_equal (project, OSM_REF_AUTH) || !project ? "" : project);
  if (n > 1)
    return osm_error_set (err, OSM_ERROR_USER, 0, "there are several of the %s '%s': %s",
                          type->noun, name, osm_strbuf_str (&candidates));
  *ret = json_string (found);
  return 0;
}

json_t *
osm_inventory_missing (struct osm_inventory *inventory)
{
  json_t *missing = inventory->missing;

  inventory->missing = json_object ();
  return missing;
}

json_t *
osm_inventory_missing_names (struct osm_inventory *inventory)
{
  json_t *missing = inventory->missing_names, *names;
  const char *type_name;

  json_object_foreach (missing, type_name, names)
      json_object_update (sub (inventory->asked_names, type_name), names);
  inventory->missing_names = json_object ();
  return missing;
}
