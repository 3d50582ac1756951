/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/rename.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/tenant/inventory.h"
#include "controller/tenant/types.h"

/* Members `key` (the name) and "domain_name" of `object`, if the name is one of a project. */
static void
rename_in (const struct osm_tenant_project *project, json_t *object, const char *key)
{
  const char *name = osm_json_str (object, key), *domain = osm_json_str (object, "domain_name");
  OSM_CLEANUP_FREE char *new_name = osm_strdup (name), *new_domain = osm_strdup (domain);

  if (!name || strcmp (name, OSM_REF_AUTH) == 0 || strcmp (name, "*") == 0)
    return;
  project->rename (project->data, &new_domain, &new_name);
  json_object_set_new (object, key, json_string (new_name));
  if (new_domain)
    json_object_set_new (object, "domain_name", json_string (new_domain));
}

static bool
is_ref (const json_t *value)
{
  return json_object_get (value, "name") && json_object_get (value, "project_name") &&
         json_object_get (value, "domain_name");
}

/* "project_ref", "target_project_ref", "default_project_ref"; the parent of a project may be a domain, and is found by its name then. */
static bool
is_of_project (const char *key)
{
  return key && osm_str_ends_with (key, "project_ref");
}

static void
walk (const struct osm_tenant_project *project, const char *key, json_t *value)
{
  const char *inner;
  json_t *member;
  size_t i;

  if (is_ref (value)) {
    rename_in (project, value, is_of_project (key) ? "name" : "project_name");
    return;
  }
  json_array_foreach (value, i, member) walk (project, key, member);
  if (json_is_object (value))
    json_object_foreach (value, inner, member) walk (project, inner, member);
}

/* A project of the file itself. The journal has it under the name at the source. */
static void
rename_project (const struct osm_tenant_project *project, json_t *entry)
{
  json_t *params = json_object_get (entry, "params"), *ref = json_object_get (params, "domain_ref");
  OSM_CLEANUP_JSON json_t *both =
      osm_json_pack ("{s:O?, s:O?}", "name", json_object_get (params, "name"), "domain_name",
                     json_object_get (ref, "name"));

  if (json_is_string (json_object_get (params, "name")))
    json_object_set (entry, OSM_NAME_AT_SOURCE, json_object_get (params, "name"));
  rename_in (project, both, "name");
  if (json_is_string (json_object_get (both, "name")))
    json_object_set (params, "name", json_object_get (both, "name"));
  if (ref && json_is_string (json_object_get (both, "domain_name")))
    json_object_set (ref, "name", json_object_get (both, "domain_name"));
}

void
osm_rename_projects (const struct osm_tenant_type *type, const struct osm_tenant_project *project,
                     json_t *entries)
{
  json_t *entry;
  size_t i;

  if (!project || !project->rename)
    return;
  json_array_foreach (entries, i, entry)
  {
    json_t *params = json_object_get (entry, "params");

    if (type == &osm_type_project)
      rename_project (project, entry);
    walk (project, NULL, params);
    walk (project, NULL, json_object_get (entry, "_osm_params"));
  }
}
