/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What the operator wants to have at the destination: by the plan file, else by the mapping, else what it is called at the source. */

#include <config.h>

#include "controller/migration/plan-internal.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"

#define NEW_SIZE_MAX ((json_int_t)1 << 20) /* GiB */

const json_t *
osm_plan_wish (const struct osm_plan_input *input, const char *list, const char *id)
{
  const json_t *wishes = json_object_get (input->wishes, list), *wish;
  size_t i;

  json_array_foreach (wishes, i, wish)
  {
    if (id && osm_str_equal (osm_json_str (wish, "id"), id))
      return wish;
  }
  return NULL;
}

char *
osm_plan_wanted (const struct osm_plan_input *input, const json_t *wish, const char *key,
                 const char *map_kind, const char *name, const char *id, bool *ret_named)
{
  const json_t *value = json_object_get (wish, key);
  OSM_CLEANUP_FREE char *mapped = osm_config_map (input->config, map_kind, name, id);
  bool named = value || mapped;

  if (ret_named)
    *ret_named = named;
  if (value)
    return osm_strdup (json_string_value (value));
  if (mapped)
    return osm_take (mapped);
  return name && *name ? osm_strdup (name) : NULL;
}

/* ---- notes for the plan file ---- */

static json_t *
chosen_of (json_t *planned)
{
  json_t *chosen = json_object_get (planned, "chosen");

  if (!chosen) {
    chosen = json_object ();
    json_object_set_new (planned, "chosen", chosen);
  }
  return chosen;
}

json_t *
osm_plan_choice (const char *wanted, const char *id)
{
  json_t *choice = json_object ();

  osm_json_set_str (choice, "name", wanted);
  osm_json_set_str (choice, "id", id);
  return choice;
}

void
osm_plan_choose (json_t *planned, const char *key, const char *wanted, const char *id)
{
  json_object_set_new (chosen_of (planned), key,
                       wanted ? osm_plan_choice (wanted, id) : json_null ());
}

void
osm_plan_choose_also (json_t *planned, const char *key, json_t *choice)
{
  json_t *chosen = chosen_of (planned), *all = json_object_get (chosen, key);

  if (!all) {
    all = json_array ();
    json_object_set_new (chosen, key, all);
  }
  json_array_append_new (all, choice);
}

/* ---- ports and volumes ---- */

static bool
is_wished (const json_t *wished_ports, const char *port_id)
{
  const json_t *wish;
  size_t i;

  json_array_foreach (wished_ports, i, wish)
  {
    if (osm_str_equal (osm_json_str (wish, "id"), port_id))
      return true;
  }
  return false;
}

json_t *
osm_plan_wished_order (const json_t *interfaces, const json_t *wished_ports)
{
  json_t *ordered = json_array (), *interface;
  const json_t *wish;
  size_t i, k;

  json_array_foreach (wished_ports, i, wish)
  {
    json_array_foreach (interfaces, k, interface)
    {
      if (osm_str_equal (osm_json_str (interface, "port_id"), osm_json_str (wish, "id")))
        json_array_append (ordered, interface);
    }
  }
  json_array_foreach (interfaces, k, interface)
  {
    if (!is_wished (wished_ports, osm_json_str (interface, "port_id")))
      json_array_append (ordered, interface);
  }
  return ordered;
}

json_int_t
osm_plan_new_size (const json_t *planned)
{
  json_int_t size = json_integer_value (json_object_get (planned, "size_gb")),
             wanted = json_integer_value (json_object_get (planned, "new_size_gb"));

  return wanted > size && wanted <= NEW_SIZE_MAX ? wanted : size;
}

void
osm_plan_wished_volume (const json_t *wish, json_t *planned)
{
  json_t *with_server = json_object_get (wish, "delete_on_termination"),
         *was = json_object_get (planned, "delete_on_termination"),
         *size = json_object_get (wish, "new_size_gb");

  osm_json_set_str (planned, "name", osm_json_str (wish, "name"));
  /* The source's own goes back to it with the volume. */
  if (with_server && was && !json_equal (with_server, was)) {
    json_object_set (planned, "source_delete_on_termination", was);
    json_object_set (planned, "delete_on_termination", with_server);
  }
  /* A smaller one cannot be, nor one beyond all bounds: that it is not so is told by the comparison with the file. */
  if (json_integer_value (size) >= json_integer_value (json_object_get (planned, "size_gb")) &&
      json_integer_value (size) <= NEW_SIZE_MAX)
    json_object_set (planned, "new_size_gb", size);
}

/* ---- projects ---- */

void
osm_plan_check_projects (const struct osm_plan_input *input, json_t *plan)
{
  const struct osm_cloud *source = input->cloud[OSM_SOURCE],
                         *destination = input->cloud[OSM_DESTINATION];
  const char *name = osm_cloud_project_name (source), *is = osm_cloud_project_name (destination);
  OSM_CLEANUP_FREE char *wanted =
      osm_config_map (input->config, "projects", name, osm_cloud_project_id (source));

  if (!wanted || osm_str_equal (wanted, is) ||
      osm_str_equal (wanted, osm_cloud_project_id (destination)))
    return;
  osm_plan_finding (plan, "destination-project-differs", "blocker", is,
                    "name the destination cloud of that project with --destination-cloud, or "
                    "correct the configuration: map: { projects: { OLD: NEW } }",
                    "what is in project '%s' of cloud '%s' belongs into project '%s', by the "
                    "mapping; cloud '%s' is project '%s'",
                    name ? name : osm_cloud_project_id (source), osm_cloud_name (source), wanted,
                    osm_cloud_name (destination), is ? is : osm_cloud_project_id (destination));
}
