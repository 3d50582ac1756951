/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cmd/commands.h"
#include "controller/cmd/migrate.h"

const struct osm_option osm_options_resume[] = {
  { "hold", 0, NULL, "stop before the new server is created" },
  { "bad-blocks", 0, "zero", "zeros for what cannot be read at the source; lists it" },
  { "path", 0, "auto|direct|reverse|relay", "who connects to whom for the copy" },
  { "limit", 0, "RATE", "copy at most so fast: 50M, 200Mbit, unlimited, auto" },
  { NULL, 0, NULL, NULL },
};

int
osm_cmd_resume (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_MIGRATION struct osm_migration *m = NULL;
  enum osm_migration_state state;

  if (osm_cmd_check_run_options (args, err) == -1)
    return OSM_EXIT_USAGE;
  if (osm_cmd_open_migration (args, &session, &m, &state, err) == -1)
    return OSM_EXIT_FAILED;
  if (osm_migration_state_is_final (state)) {
    osm_cmd_report (session, m);
    return OSM_EXIT_NOTHING;
  }
  if (osm_cmd_set_bad_blocks (args, m, err) == -1 ||
      osm_cmd_set_limit (args, session, m, err) == -1 || osm_cmd_set_path (args, m, err) == -1 ||
      osm_migration_run (m, osm_args_has (args, "hold"), err) == -1)
    return OSM_EXIT_FAILED;
  osm_cmd_report (session, m);
  return OSM_EXIT_OK;
}
