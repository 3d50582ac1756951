/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Stands in for the conversion hosts until they are here, so that the rest of the program links. */

#include <config.h>

#include "controller/cmd/commands.h"
#include "controller/hosts/hosts.h"

static int
unfinished (struct osm_error *err)
{
  return osm_error_set (err, OSM_ERROR_USER, 0, "this build has no conversion hosts");
}

int
osm_host_open (struct osm_hosts_context *context, enum osm_side side, struct osm_host **ret,
               struct osm_error *err)
{
  (void)context;
  (void)side;
  (void)ret;
  return unfinished (err);
}

void
osm_host_free (struct osm_host *host)
{
  (void)host;
}

json_t *
osm_host_source_json (const struct osm_host *source_host, const char *socket)
{
  (void)source_host;
  (void)socket;
  return json_object ();
}

int
osm_link_call_timeout (struct osm_link *link, const char *method, json_t *params,
                       uint64_t timeout_ms, json_t **ret, struct osm_error *err)
{
  (void)link;
  (void)method;
  (void)timeout_ms;
  (void)ret;
  json_decref (params);
  return unfinished (err);
}

#define UNFINISHED(name)                                                      \
  const struct osm_option osm_options_##name[] = { { NULL, 0, NULL, NULL } }; \
  int osm_cmd_##name (const struct osm_args *args, struct osm_error *err)     \
  {                                                                           \
    (void)args;                                                               \
    return unfinished (err);                                                  \
  }                                                                           \
  _Static_assert(1, "")

UNFINISHED (deploy_conversion_hosts);
UNFINISHED (check_conversion_hosts);
UNFINISHED (delete_conversion_hosts);
