/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cmd/commands.h"
#include "controller/cmd/migrate.h"

const struct osm_option osm_options_migrate_volume[] = {
  { "dry-run", 'n', NULL, "print the plan and its findings, touch nothing" },
  { "strict", 0, NULL, "warnings stop it, too, unless they are accepted" },
  { "accept", 0, "ID", "accept warnings of this id; may be repeated" },
  { "new-size", 0, "GIB", "size of the copy, if it is to be larger" },
  { "bad-blocks", 0, "zero", "zeros for what cannot be read at the source; lists it" },
  { "compress", 0, "auto|on|off", "compress the data on its way" },
  { "no-sparse", 0, NULL, "do not look for free space; copy all that is not zero" },
  { "path", 0, "auto|direct|reverse|relay", "who connects to whom for the copy" },
  { "limit", 0, "RATE", "copy at most so fast: 50M, 200Mbit, unlimited, auto" },
  { NULL, 0, NULL, NULL },
};

int
osm_cmd_migrate_volume (const struct osm_args *args, struct osm_error *err)
{
  return osm_cmd_migrate (args, "volume", osm_plan_volume, err);
}
