/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/paths.h"

#include <stdlib.h>

#include "common/strbuf.h"

static const char *
root (const char *variable, const char *standard)
{
  const char *given = getenv (variable);

  return given && *given ? given : standard;
}

const char *
osm_path_state (void)
{
  return root ("OSM_AGENT_STATE", "/var/lib/osm");
}

const char *
osm_path_runtime (void)
{
  return root ("OSM_AGENT_RUNTIME", "/run/osm");
}

const char *
osm_path_peer_runtime (void)
{
  return root ("OSM_AGENT_PEER_RUNTIME", "/run/osm-peer");
}

const char *
osm_path_config (void)
{
  return root ("OSM_AGENT_CONFIG", "/etc/osm");
}

const char *
osm_path_dev (void)
{
  return root ("OSM_AGENT_DEV", "/dev");
}

const char *
osm_path_sys (void)
{
  return root ("OSM_AGENT_SYS", "/sys");
}

const char *
osm_path_program (void)
{
  return root ("OSM_AGENT_PROGRAM", "/proc/self/exe");
}

char *
osm_path_job (const char *id, const char *suffix)
{
  return osm_asprintf ("%s/jobs/%s%s", osm_path_state (), id, suffix);
}

char *
osm_path_control_socket (void)
{
  return osm_asprintf ("%s/control.sock", osm_path_runtime ());
}

char *
osm_path_peer_key (void)
{
  return osm_asprintf ("%s/peer_key", osm_path_state ());
}
