/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cmd/commands.h"
#include "controller/cmd/migrate.h"

const struct osm_option osm_options_verify[] = {
  { NULL, 0, NULL, NULL },
};

int
osm_cmd_verify (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_MIGRATION struct osm_migration *m = NULL;
  enum osm_migration_state state;

  if (osm_cmd_open_migration (args, &session, &m, &state, err) == -1 ||
      osm_migration_verify (m, err) == -1)
    return OSM_EXIT_FAILED;
  return OSM_EXIT_OK;
}
