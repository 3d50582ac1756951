/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cmd/commands.h"
#include "controller/cmd/migrate.h"

const struct osm_option osm_options_migrate_server[] = {
  { "plan", 0, "FILE", "do exactly what this file says; see the command plan" },
  { "dry-run", 'n', NULL, "print the plan and its findings, touch nothing" },
  { "hold", 0, NULL, "stop before the new server is created; resume goes on" },
  { "bad-blocks", 0, "zero", "zeros for what cannot be read at the source; lists it" },
  { "no-sparse", 0, NULL, "do not look for free space; copy all that is not zero" },
  { "path", 0, "auto|direct|reverse|relay", "who connects to whom for the copy" },
  { "limit", 0, "RATE", "copy at most so fast: 50M, 200Mbit, unlimited, auto" },
  { "boot-volume", 0, "ID", "the volume it boots from, if osm cannot tell" },
  { "user-data", 0, "FILE", "user data of the new server" },
  { "floating-ip", 0, "auto|keep|existing|new|skip", "floating IP of the new server" },
  { "availability-zone", 0, "ZONE", "availability zone of the new server" },
  { "power", 0, "keep|on|off", "power state of the new server (keep: as it was)" },
  { "boot-disk", 0, "copy|image", "root disk of a server that booted from an image" },
  { "local-disks", 0, "refuse|drop", "ephemeral and swap disks, which are not copied" },
  { "compress", 0, "auto|on|off", "compress the data on its way" },
  { "strict", 0, NULL, "warnings stop it, too, unless they are accepted" },
  { "accept", 0, "ID", "accept warnings of this id; may be repeated" },
  { NULL, 0, NULL, NULL },
};

int
osm_cmd_migrate_server (const struct osm_args *args, struct osm_error *err)
{
  const char *const *operands;
  size_t nr = osm_args_operands (args, &operands);

  if (osm_args_has (args, "plan"))
    return osm_cmd_migrate_planned (args, err);
  if (nr != 1) {
    osm_error_set (err, OSM_ERROR_USER, 0,
                   nr == 0 ? "no server is named" : "only one server can be named");
    osm_error_hint (err, nr == 0 ? "name one, or a plan of several with --plan FILE"
                                 : "several: osm-controller plan, then migrate-server --plan FILE");
    return OSM_EXIT_USAGE;
  }
  return osm_cmd_migrate (args, "server", osm_plan_server, err);
}
