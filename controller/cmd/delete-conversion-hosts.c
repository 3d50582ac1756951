/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/json.h"
#include "controller/cmd/commands.h"
#include "controller/cmd/hosts.h"

const struct osm_option osm_options_delete_conversion_hosts[] = {
  { "force", 0, NULL, "detach volumes, give them back, and delete although in use" },
  { NULL, 0, NULL, NULL },
};

int
osm_cmd_delete_conversion_hosts (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  struct osm_hosts_context context;
  bool changed;

  if (osm_session_open (args, OSM_WANT_CLOUDS | OSM_WANT_STORE, &session, err) == -1)
    return OSM_EXIT_FAILED;
  context = osm_cmd_hosts_context (session);
  if (osm_hosts_delete (&context, osm_args_has (args, "force"), &changed, err) == -1)
    return OSM_EXIT_FAILED;
  osm_ui_event (session->ui, osm_json_pack ("{s:s, s:b}", "event", "result", "changed", changed),
                changed ? "the conversion hosts are gone" : "nothing to delete");
  return changed ? OSM_EXIT_OK : OSM_EXIT_NOTHING;
}
