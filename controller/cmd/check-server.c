/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <stdio.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/quote.h"
#include "controller/cmd/commands.h"
#include "controller/cmd/migrate.h"
#include "controller/cmd/preflight.h"

const struct osm_option osm_options_check_server[] = {
  { "strict", 0, NULL, "warnings count as blockers, unless they are accepted" },
  { "accept", 0, "ID", "accept warnings of this id; may be repeated" },
  { "measure", 0, NULL, "measure the link of the conversion hosts" },
  { "boot-volume", 0, "ID", "the volume it boots from, if osm cannot tell" },
  { "user-data", 0, "FILE", "user data of the new server" },
  { "floating-ip", 0, "auto|keep|existing|new|skip", "floating IP of the new server" },
  { "boot-disk", 0, "copy|image", "root disk of a server that booted from an image" },
  { "local-disks", 0, "refuse|drop", "ephemeral and swap disks, which are not copied" },
  { "availability-zone", 0, "ZONE", "availability zone of the new server" },
  { NULL, 0, NULL, NULL },
};

static void
print (const struct osm_session *session, const json_t *report, const json_t *look)
{
  const json_t *server = json_object_get (report, "server");
  OSM_CLEANUP_JSON json_t *rows = json_array ();
  OSM_CLEANUP_FREE char *name = osm_quote_terminal (osm_json_str (server, "name"));
  uint64_t bytes = osm_json_uint (report, "bytes"), volumes = osm_json_uint (report, "volumes");
  double downtime = json_number_value (json_object_get (report, "downtime_seconds"));
  char size[OSM_HUMAN_LEN];

  printf ("server '%s' (%s), %s, from cloud '%s' to cloud '%s': %llu volume%s, %s to compare\n",
          name, osm_json_str (server, "id"), osm_json_str (server, "status"),
          osm_cloud_name (session->cloud[OSM_SOURCE]),
          osm_cloud_name (session->cloud[OSM_DESTINATION]), (unsigned long long)volumes,
          volumes == 1 ? "" : "s", osm_human_size (bytes, size));
  osm_preflight_print_hosts (look, bytes);
  if (downtime > 0.0)
    printf ("the server is off for as long: %s at most\n",
            osm_human_duration ((uint64_t)(downtime * 1000.0), size));
  osm_preflight_add_rows (rows, NULL, json_object_get (report, "findings"));
  osm_preflight_print_findings (false, rows);
  osm_preflight_print_count (osm_json_uint (report, "blockers"),
                             osm_json_uint (report, "warnings"));
}

int
osm_cmd_check_server (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_STRV char **accepted = NULL;
  OSM_CLEANUP_JSON json_t *plan = NULL, *look = NULL, *report = NULL;
  const char *const *operands;

  osm_args_operands (args, &operands);
  if (osm_cmd_accepted (args, &accepted, err) == -1)
    return OSM_EXIT_USAGE;
  if (osm_session_open (args, OSM_WANT_CLOUDS | OSM_WANT_STORE, &session, err) == -1 ||
      osm_cmd_load_claims (session, err) == -1 ||
      osm_preflight_plan (session, args, operands[0], accepted, &plan, err) == -1 ||
      osm_preflight_look (session, args, plan, json_array_size (json_object_get (plan, "volumes")),
                          accepted, &look, err) == -1)
    return OSM_EXIT_FAILED;
  report = osm_preflight_report (plan);
  json_object_set (report, "conversion_hosts", look);
  osm_preflight_estimate (report, look);
  if (osm_ui_get_mode (session->ui) == OSM_UI_JSON)
    osm_ui_json (report);
  else
    print (session, report, look);
  return osm_preflight_status (
      args, osm_json_uint (report, "blockers") + osm_json_uint (report, "must_accept"),
      osm_json_uint (report, "warnings"));
}
