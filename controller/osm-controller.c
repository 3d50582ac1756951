/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <stdio.h>

#include "common/harden.h"
#include "controller/cmd/commands.h"
#include "controller/cmd/common.h"
#include "controller/cmd/tenant.h"

static const struct osm_option no_options[] = { { NULL, 0, NULL, NULL } };

static int
cmd_version (const struct osm_args *args, struct osm_error *err)
{
  (void)args;
  (void)err;
  printf ("osm-controller %s\n", PACKAGE_VERSION);
  return OSM_EXIT_OK;
}

static const struct osm_command commands[] = {
  { "deploy-conversion-hosts", "", 0, 0, osm_options_deploy_conversion_hosts,
    osm_cmd_deploy_conversion_hosts, "make the conversion hosts in both clouds", false },
  { "check-conversion-hosts", "", 0, 0, osm_options_check_conversion_hosts,
    osm_cmd_check_conversion_hosts, "status of the conversion hosts and of the link between them",
    false },
  { "delete-conversion-hosts", "", 0, 0, osm_options_delete_conversion_hosts,
    osm_cmd_delete_conversion_hosts, "delete what deploy-conversion-hosts made", false },
  { "migrate-server", "[SERVER...]", 0, -1, osm_options_migrate_server, osm_cmd_migrate_server,
    "move a server and its volumes", false },
  { "migrate-volume", "VOLUME", 1, 1, osm_options_migrate_volume, osm_cmd_migrate_volume,
    "move a volume that is attached to no server", false },
  { "plan", "SERVER...", 1, -1, osm_options_plan, osm_cmd_plan,
    "write a plan to edit, for migrate-server --plan", false },
  { "check-server", "SERVER", 1, 1, osm_options_check_server, osm_cmd_check_server,
    "can this server be moved, and what would be different?", false },
  { "check-servers", "[SERVER...]", 0, -1, osm_options_check_servers, osm_cmd_check_servers,
    "the same for several, and for all of them together", false },
  { "list", "", 0, 0, osm_options_list, osm_cmd_list, "list the migrations", false },
  { "show", "ID", 1, 1, osm_options_show, osm_cmd_show, "all about a migration", false },
  { "watch", "ID", 1, 1, osm_options_watch, osm_cmd_watch, "follow a migration until it ends",
    false },
  { "throttle", "RATE [MIGRATION]", 1, 2, osm_options_throttle, osm_cmd_throttle,
    "limit how fast a migration, or all, may copy", false },
  { "resume", "ID", 1, 1, osm_options_resume, osm_cmd_resume,
    "finish a migration that failed or was interrupted", false },
  { "verify", "ID", 1, 1, osm_options_verify, osm_cmd_verify,
    "compare source and copy once more while both are attached", false },
  { "rollback", "ID", 1, 1, osm_options_rollback, osm_cmd_rollback,
    "take a migration back: everything as it was before", false },
  { "cleanup", "ID", 1, 1, osm_options_cleanup, osm_cmd_cleanup,
    "accept a completed migration: remove osm's marks", false },
  { "prune", "", 0, 0, osm_options_prune, osm_cmd_prune, "forget migrations that ended long ago",
    false },
  { "recover", "[ID...]", 0, -1, osm_options_recover, osm_cmd_recover,
    "the journal is lost: rebuild it from the marks in both clouds", false },
  { "export", "TYPE...", 1, -1, osm_options_export, osm_cmd_export,
    "write what servers stand on (networks, groups, keys ...) into files", false },
  { "validate", "[TYPE...]", 0, -1, osm_options_validate, osm_cmd_validate,
    "are these files right?", false },
  { "diff", "[TYPE...]", 0, -1, osm_options_diff, osm_cmd_diff,
    "compare the files with the destination", false },
  { "import", "TYPE...", 1, -1, osm_options_import, osm_cmd_import,
    "make at the destination what the files say", false },
  { "register-external", "TYPE SOURCE DESTINATION", 3, 3, osm_options_register_external,
    osm_cmd_register_external, "say which object of the destination is one of the source", false },
  { "forget", "TYPE OBJECT", 2, 2, osm_options_forget, osm_cmd_forget,
    "forget which object of the destination it is", false },
  { "cleanup-source", "TYPE...", 1, -1, osm_options_cleanup_source, osm_cmd_cleanup_source,
    "delete at the source what import has made at the destination", false },
  { "revoke-grants", "", 0, 0, osm_options_revoke_grants, osm_cmd_revoke_grants,
    "take back the roles that an import which was cut off has given itself", false },
  { "completion", "", 0, 0, osm_options_completion, osm_cmd_completion,
    "print the completion for bash", false },
  { "version", "", 0, 0, no_options, cmd_version, "show the version", false },
  { NULL, NULL, 0, 0, NULL, NULL, NULL, false },
};

const struct osm_program osm_controller_program = {
  .name = "osm-controller",
  .version = PACKAGE_VERSION,
  .about = "Move servers and their volumes from one OpenStack cloud to another.",
  .commands = commands,
  .global_options = osm_session_options,
  .epilogue = "SERVER and VOLUME are names or ids, ID is the id of a migration or the beginning "
              "of one. The manual: man osm-controller, man osm.yaml.",
  .details = osm_cmd_types_help,
};

int
main (int argc, char **argv)
{
  osm_harden ();
  return osm_command_main (&osm_controller_program, argc, argv);
}
