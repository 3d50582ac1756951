/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cmd/commands.h"

#include <stdio.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/parse.h"
#include "common/strbuf.h"
#include "controller/cmd/common.h"
#include "controller/migration/manifest.h"

#define DAY_MS (INT64_C (86400) * 1000)
#define DEFAULT_DAYS 90

const struct osm_option osm_options_prune[] = {
  { "older-than", 0, "DAYS", "those that have not changed for so many days (default: 90)" },
  { "dry-run", 0, NULL, "only say what would be forgotten" },
  { NULL, 0, NULL, NULL },
};

static void
report (const struct osm_session *session, char *const *ids, bool dry_run)
{
  size_t nr = osm_strv_len (ids);

  if (osm_ui_get_mode (session->ui) == OSM_UI_JSON) {
    OSM_CLEANUP_JSON json_t *event =
        osm_json_pack ("{s:s, s:b, s:[]}", "event", "result", "changed", !dry_run && nr > 0, "ids");

    for (size_t i = 0; i < nr; i++)
      json_array_append_new (json_object_get (event, "ids"), json_string (ids[i]));
    osm_ui_json (event);
  }
  else if (nr == 0) {
    printf ("nothing to forget\n");
  }
  else {
    printf ("%zu migration%s %s\n", nr, nr == 1 ? "" : "s",
            dry_run ? "would be forgotten" : "forgotten");
  }
}

int
osm_cmd_prune (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_STRV char **ids = NULL;
  const char *text = osm_args_get (args, "older-than");
  bool dry_run = osm_args_has (args, "dry-run");
  uint64_t days = DEFAULT_DAYS;
  int64_t before;
  OSM_ERROR (ignored);

  if (text && osm_parse_uint (text, "--older-than", 0, 100000, &days, err) == -1)
    return OSM_EXIT_USAGE;
  if (osm_session_open (args, OSM_WANT_STORE, &session, err) == -1)
    return OSM_EXIT_FAILED;
  before = osm_wall_ms () - (int64_t)days * DAY_MS;
  if (osm_store_prunable (session->store, before, &ids, err) == -1)
    return OSM_EXIT_FAILED;
  if (!ids || dry_run) {
    report (session, ids, true);
    return ids ? OSM_EXIT_OK : OSM_EXIT_NOTHING;
  }
  /* The journal last: what is in it can be pruned again. */
  for (size_t i = 0; ids[i]; i++)
    if (osm_chunks_forget (session->config->state_dir, ids[i], err) == -1)
      return OSM_EXIT_FAILED;
  if (osm_store_prune (session->store, before, err) == -1)
    return OSM_EXIT_FAILED;
  if (osm_store_shrink (session->store, &ignored) == -1)
    osm_info ("the journal keeps its size for later use: %s", ignored.message);
  report (session, ids, false);
  return OSM_EXIT_OK;
}
