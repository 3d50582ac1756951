/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/copy.h"
#include "agent/gateway.h"
#include "agent/peers.h"
#include "agent/service.h"
#include "agent/stdio.h"
#include "agent/worker.h"
#include "common/cleanup.h"
#include "common/command.h"
#include "common/harden.h"
#include "common/log.h"

static int
cmd_service (const struct osm_args *args, struct osm_error *err)
{
  (void)args;
  if (!osm_log_enabled (OSM_LOG_INFO))
    osm_log_set_level (OSM_LOG_INFO);
  return osm_service_run (err) == -1 ? OSM_EXIT_FAILED : OSM_EXIT_OK;
}

static int
cmd_gateway (const struct osm_args *args, struct osm_error *err)
{
  (void)args;
  return osm_gateway_run (err) == -1 ? OSM_EXIT_FAILED : OSM_EXIT_OK;
}

static int
cmd_worker (const struct osm_args *args, struct osm_error *err)
{
  const char *const *operands;

  osm_args_operands (args, &operands);
  return osm_worker_main (operands[0], err);
}

static int
cmd_authorized_keys (const struct osm_args *args, struct osm_error *err)
{
  const char *const *operands;
  OSM_CLEANUP_FREE char *lines = NULL;

  osm_args_operands (args, &operands);
  if (osm_authorized_keys (operands[0], &lines, err) == -1)
    return OSM_EXIT_FAILED;
  fputs (lines, stdout);
  return OSM_EXIT_OK;
}

static int
cmd_nbd_stdio (const struct osm_args *args, struct osm_error *err)
{
  (void)args;
  return osm_stdio_nbd (err);
}

static int
cmd_digest_stdio (const struct osm_args *args, struct osm_error *err)
{
  (void)args;
  return osm_stdio_digest (err);
}

static const struct osm_option no_options[] = { { NULL, 0, NULL, NULL } };

static const struct osm_command commands[] = {
  { "service", NULL, 0, 0, no_options, cmd_service, "run the service of a conversion host", false },
  { "gateway", NULL, 0, 0, no_options, cmd_gateway, "join stdin and stdout to the service", false },
  { "authorized-keys", "USER", 1, 1, no_options, cmd_authorized_keys,
    "print the keys that may log in as USER, for sshd", false },
  { "copy", "SOURCE DESTINATION", 2, 2, osm_copy_command_options, osm_copy_command,
    "copy a device or file of this or another machine to one of this machine", false },
  { OSM_STDIO_NBD, NULL, 0, 0, no_options, cmd_nbd_stdio, "serve a copy's source", true },
  { OSM_STDIO_DIGEST, NULL, 0, 0, no_options, cmd_digest_stdio, "digest a copy's source", true },
  { "worker", "KIND", 1, 1, no_options, cmd_worker, "do one job of the service", true },
  { NULL, NULL, 0, 0, NULL, NULL, NULL, false },
};

static const struct osm_program program = {
  .name = "osm-agent",
  .version = PACKAGE_VERSION,
  .about = "exports and copies volumes inside a conversion host",
  .commands = commands,
};

int
main (int argc, char **argv)
{
  osm_harden ();
  osm_log_init ("osm-agent", OSM_LOG_WARNING);
  return osm_command_main (&program, argc, argv);
}
