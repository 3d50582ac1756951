/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/cmd/commands.h"
#include "controller/cmd/common.h"
#include "controller/tenant/grants.h"

const struct osm_option osm_options_revoke_grants[] = {
  { NULL, 0, NULL, NULL },
};

static int
of_cloud (struct osm_session *session, const char *name, struct osm_error *err)
{
  OSM_CLEANUP_CLOUD struct osm_cloud *cloud = NULL;
  OSM_CLEANUP_GRANTS struct osm_grants *grants = NULL;

  if (osm_cloud_open (name, &cloud, err) == -1)
    return -1;
  grants = osm_grants_new (cloud, session->store, session->config->state_dir);
  return osm_grants_recover (grants, err);
}

static size_t
count (struct osm_session *session, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *rows = NULL;

  return osm_store_grant_list (session->store, NULL, &rows, err) == -1 ? 0 : json_array_size (rows);
}

int
osm_cmd_revoke_grants (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_JSON json_t *rows = NULL, *clouds = json_object ();
  OSM_CLEANUP_FREE char *text = NULL;
  const json_t *row;
  json_t *ignored;
  const char *name;
  size_t i, left;

  if (osm_session_open (args, OSM_WANT_STORE, &session, err) == -1 ||
      osm_store_grant_list (session->store, NULL, &rows, err) == -1)
    return OSM_EXIT_FAILED;
  json_array_foreach (rows, i, row)
      json_object_set_new (clouds, osm_json_str (row, "cloud"), json_true ());
  /* Each of them, also when one cannot be reached. */
  json_object_foreach (clouds, name, ignored)
  {
    OSM_ERROR (why);

    if (of_cloud (session, name, &why) == -1 && !osm_error_is_set (err))
      osm_error_move (err, &why);
  }
  if (osm_error_is_set (err))
    return OSM_EXIT_FAILED;
  left = count (session, err);
  if (osm_error_is_set (err))
    return OSM_EXIT_FAILED;
  if (left > 0) {
    osm_error_set (err, OSM_ERROR_USER, 0, "%zu roles are in use by another osm-controller", left);
    return OSM_EXIT_FAILED;
  }
  text = osm_asprintf (i == 0 ? "no roles to take back" : "%zu roles taken back", i);
  osm_ui_event (session->ui,
                osm_json_pack ("{s:s, s:b, s:I}", "event", "result", "changed", i > 0,
                               "roles_taken_back", (json_int_t)i),
                text);
  return i > 0 ? OSM_EXIT_OK : OSM_EXIT_NOTHING;
}
