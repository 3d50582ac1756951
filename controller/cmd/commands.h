/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The subcommands of osm-controller, one file each: controller/cmd/X.c has
 *
 *   const struct osm_option osm_options_x[] = { ..., { NULL, 0, NULL, NULL } };
 *   int osm_cmd_x (const struct osm_args *args, struct osm_error *err);    returns an osm_exit
 */

#ifndef OSM_CONTROLLER_CMD_COMMANDS_H
#define OSM_CONTROLLER_CMD_COMMANDS_H

#include "common/command.h"

#define OSM_CMD(name)                                                      \
  int osm_cmd_##name (const struct osm_args *args, struct osm_error *err); \
  extern const struct osm_option osm_options_##name[]

OSM_CMD (deploy_conversion_hosts);
OSM_CMD (check_conversion_hosts);
OSM_CMD (delete_conversion_hosts);
OSM_CMD (migrate_server);
OSM_CMD (migrate_volume);
OSM_CMD (plan);
OSM_CMD (check_server);
OSM_CMD (check_servers);
OSM_CMD (list);
OSM_CMD (show);
OSM_CMD (watch);
OSM_CMD (throttle);
OSM_CMD (recover);
OSM_CMD (resume);
OSM_CMD (verify);
OSM_CMD (rollback);
OSM_CMD (cleanup);
OSM_CMD (prune);
OSM_CMD (export);
OSM_CMD (validate);
OSM_CMD (diff);
OSM_CMD (import);
OSM_CMD (register_external);
OSM_CMD (forget);
OSM_CMD (cleanup_source);
OSM_CMD (revoke_grants);
OSM_CMD (completion);

#undef OSM_CMD

/* The table of the program: controller/osm-controller.c. Completion is made from it. */
extern const struct osm_program osm_controller_program;

#endif
