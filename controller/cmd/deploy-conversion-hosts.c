/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "controller/cmd/commands.h"
#include "controller/cmd/common.h"
#include "controller/cmd/hosts.h"
#include "controller/hosts/internal.h"

const struct osm_option osm_options_deploy_conversion_hosts[] = {
  { "print-user-data", 0, "source|destination",
    "print what the server of that side would get, touch nothing" },
  { "host-key-policy", 0, "console|accept-new",
    "pin the SSH host keys of the console log (the default), or whichever answer first" },
  { NULL, 0, NULL, NULL },
};

void
osm_cmd_report_host (void *data, enum osm_side side, const char *text)
{
  osm_ui_step (data, "%s: %s", osm_side_name (side), text);
}

static int
print_user_data (const struct osm_args *args, const char *side_name, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_FREE char *path = NULL, *key = NULL, *text = NULL;
  enum osm_side side = strcmp (side_name, "source") == 0 ? OSM_SOURCE : OSM_DESTINATION;

  if (osm_session_open (args, 0, &session, err) == -1 ||
      osm_host_controller_key (session->config, &path, &key, err) == -1 ||
      osm_hosts_render_user_data (session->config, side, key, &text, err) == -1)
    return OSM_EXIT_FAILED;
  fputs (text, stdout);
  return OSM_EXIT_OK;
}

int
osm_cmd_deploy_conversion_hosts (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  const char *side = osm_args_get (args, "print-user-data");
  const char *policy = osm_args_get (args, "host-key-policy");
  struct osm_hosts_context context;
  bool changed;

  if (side)
    return print_user_data (args, side, err);
  if (osm_session_open (args, OSM_WANT_CLOUDS | OSM_WANT_STORE, &session, err) == -1)
    return OSM_EXIT_FAILED;
  context = osm_cmd_hosts_context (session);
  context.accept_new_host_keys = policy && strcmp (policy, "accept-new") == 0;
  if (osm_hosts_deploy (&context, &changed, err) == -1)
    return OSM_EXIT_FAILED;
  osm_ui_event (session->ui, osm_json_pack ("{s:s, s:b}", "event", "result", "changed", changed),
                changed ? "the conversion hosts are ready"
                        : "nothing changed: the conversion hosts are ready");
  return OSM_EXIT_OK;
}

struct osm_hosts_context
osm_cmd_hosts_context (struct osm_session *session)
{
  return (struct osm_hosts_context){ .config = session->config,
                                     .cloud = { session->cloud[0], session->cloud[1] },
                                     .store = session->store,
                                     .report = osm_cmd_report_host,
                                     .report_data = session->ui };
}
