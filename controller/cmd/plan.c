/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "common/yaml.h"
#include "controller/cmd/commands.h"
#include "controller/cmd/migrate.h"
#include "controller/migration/planfile.h"

const struct osm_option osm_options_plan[] = {
  { "output-file", 0, "FILE", "write the plan there; the file must not be there yet" },
  { "boot-volume", 0, "ID", "the volume it boots from, if osm cannot tell" },
  { "user-data", 0, "FILE", "user data of the new servers" },
  { "floating-ip", 0, "auto|keep|existing|new|skip", "floating IPs of the new servers" },
  { "availability-zone", 0, "ZONE", "availability zone of the new servers" },
  { "power", 0, "keep|on|off", "power state of the new servers (keep: as it was)" },
  { "boot-disk", 0, "copy|image", "root disk of a server that booted from an image" },
  { "local-disks", 0, "refuse|drop", "ephemeral and swap disks, which are not copied" },
  { "compress", 0, "auto|on|off", "compress the data on its way" },
  { NULL, 0, NULL, NULL },
};

static bool
is_planned (const json_t *plans, const json_t *plan)
{
  const char *id = osm_json_str (json_object_get (plan, "source"), "id");
  const json_t *other;
  size_t i;

  json_array_foreach (plans, i, other)
  {
    if (osm_str_equal (osm_json_str (json_object_get (other, "source"), "id"), id))
      return true;
  }
  return false;
}

static int
plan_all (const struct osm_args *args, const struct osm_session *session, json_t *plans,
          struct osm_error *err)
{
  const char *const *operands;
  size_t nr = osm_args_operands (args, &operands);

  for (size_t i = 0; i < nr; i++) {
    const struct osm_plan_input input = osm_cmd_plan_input (args, session, operands[i]);
    OSM_CLEANUP_JSON json_t *plan = NULL;

    if (osm_plan_server (&input, &plan, err) == -1)
      return -1;
    if (!is_planned (plans, plan))
      json_array_append (plans, plan);
  }
  return 0;
}

/* Its findings are in the text; of a file they are also said. */
static int
write_file (struct osm_session *session, const char *path, const char *text, const json_t *plans,
            size_t blockers, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *line = NULL;
  size_t i, nr = json_array_size (plans);
  const json_t *plan;

  if (osm_file_write (path, text, strlen (text), 0600, err) == -1)
    return -1;
  json_array_foreach (plans, i, plan) osm_cmd_show_findings (session, plan);
  line = osm_asprintf ("%s: a plan of %zu server%s with %zu blocker%s; edit it, then: "
                       "osm-controller migrate-server --plan %s",
                       path, nr, nr == 1 ? "" : "s", blockers, blockers == 1 ? "" : "s", path);
  osm_ui_event (session->ui,
                osm_json_pack ("{s:s, s:s, s:I, s:I}", "event", "plan", "file", path, "servers",
                               (json_int_t)nr, "blockers", (json_int_t)blockers),
                line);
  return 0;
}

/* JSON is YAML: what is printed there can be a plan file, too. */
static int
print (const struct osm_session *session, const char *text, struct osm_error *err)
{
  OSM_CLEANUP_YAML struct osm_yaml *doc = NULL;

  if (osm_ui_get_mode (session->ui) != OSM_UI_JSON) {
    fputs (text, stdout);
    return 0;
  }
  if (osm_yaml_parse (text, strlen (text), "plan", &doc, err) == -1)
    return -1;
  osm_ui_json (osm_yaml_root (doc));
  return 0;
}

int
osm_cmd_plan (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_JSON json_t *plans = json_array ();
  OSM_CLEANUP_FREE char *text = NULL;
  const char *path = osm_args_get (args, "output-file");
  const char *const *operands;
  size_t i, blockers = 0;
  const json_t *plan;

  if (osm_args_operands (args, &operands) > 1 && osm_args_has (args, "boot-volume")) {
    osm_error_set (err, OSM_ERROR_USER, 0, "--boot-volume is for one server");
    osm_error_hint (err, "say it in the plan: boot: true");
    return OSM_EXIT_USAGE;
  }
  if (path && osm_file_exists (path)) {
    osm_error_set (err, OSM_ERROR_USER, EEXIST, "%s is there already", path);
    osm_error_hint (err, "somebody may have edited it: delete it, or name another file");
    return OSM_EXIT_FAILED;
  }
  if (osm_session_open (args, OSM_WANT_CLOUDS, &session, err) == -1 ||
      plan_all (args, session, plans, err) == -1)
    return OSM_EXIT_FAILED;
  json_array_foreach (plans, i, plan) blockers += osm_plan_count_findings (plan, "blocker");
  text = osm_planfile_text (plans, osm_cloud_name (session->cloud[OSM_SOURCE]),
                            osm_cloud_name (session->cloud[OSM_DESTINATION]));
  if ((path ? write_file (session, path, text, plans, blockers, err)
            : print (session, text, err)) == -1)
    return OSM_EXIT_FAILED;
  return blockers > 0 ? OSM_EXIT_BLOCKED : OSM_EXIT_OK;
}
