/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What every subcommand starts with: configuration, clouds, journal, output.
 *
 *   OSM_CLEANUP_SESSION struct osm_session *session = NULL;
 *   if (osm_session_open (args, OSM_WANT_CLOUDS | OSM_WANT_STORE, &session, err) == -1)
 *     return OSM_EXIT_FAILED;
 *
 * Options win over OSM_* variables (OSM_CONFIG, OSM_SOURCE_CLOUD, OSM_DESTINATION_CLOUD, OSM_STATE_DIR), these over the file. */

#ifndef OSM_CONTROLLER_CMD_COMMON_H
#define OSM_CONTROLLER_CMD_COMMON_H

#include "common/command.h"
#include "controller/cloud/cloud.h"
#include "controller/config.h"
#include "controller/store/store.h"
#include "controller/ui/ui.h"

enum osm_want {
  OSM_WANT_CLOUDS = 1, /* both, opened side by side */
  OSM_WANT_STORE = 2,  /* the journal, state_dir/osm.db */
  OSM_WANT_SOURCE = 4, /* that cloud only */
  OSM_WANT_DESTINATION = 8,
};

struct osm_session {
  struct osm_config *config;
  struct osm_cloud *cloud[2]; /* by enum osm_side; NULL unless wanted */
  struct osm_store *store;    /* NULL unless wanted */
  struct osm_ui *ui;
  uint64_t opened_ms; /* by osm_now_ms */
  json_t *claims;     /* by osm_cmd_load_claims (migrate.h), or NULL */
};

/* want: a set of enum osm_want. Configuration and ui are there always; Ctrl-C is noted from here on (common/clock.h). Refuses when
 * source and destination are the same project of the same cloud, unless the configuration has allow_same_project. */
int osm_session_open (const struct osm_args *args, unsigned want, struct osm_session **ret,
                      struct osm_error *err);
/* Another cloud, when it turns out to be needed. There already: nothing is done. */
int osm_session_open_cloud (struct osm_session *session, enum osm_side side, struct osm_error *err);
void osm_session_free (struct osm_session *session);

/* The global options, for the command table. */
extern const struct osm_option osm_session_options[];

static inline void
osm_cleanup_session (struct osm_session **s)
{
  osm_session_free (*s);
}
#define OSM_CLEANUP_SESSION __attribute__ ((cleanup (osm_cleanup_session)))

#endif
