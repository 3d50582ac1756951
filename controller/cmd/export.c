/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/export.h"

#include "common/cleanup.h"
#include "controller/cmd/commands.h"
#include "controller/cmd/tenant.h"

const struct osm_option osm_options_export[] = {
  { "with-dependencies", 0, NULL,
    "also what these need: networks of subnets, groups of rules ..." },
  { "filter", 0, "PATTERN", "only objects of this name: NAME, GLOB or /REGEX/; may be repeated" },
  { "data-dir", 0, "DIR", "folder of the files (osm-data)" },
  { NULL, 0, NULL, NULL },
};

int
osm_cmd_export (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_FILTER struct osm_filter *filter = NULL;
  OSM_CLEANUP_FREE const struct osm_tenant_type **types = NULL;
  OSM_CLEANUP_JSON json_t *report = NULL;
  struct osm_export_options options = { .data_dir = osm_cmd_data_dir (args),
                                        .with_dependencies =
                                            osm_args_has (args, "with-dependencies") };

  if (osm_cmd_types (args, &types, err) == -1 || osm_cmd_filter (args, &filter, err) == -1)
    return OSM_EXIT_USAGE;
  if (osm_session_open (args, OSM_WANT_SOURCE, &session, err) == -1)
    return OSM_EXIT_FAILED;
  options.types = types;
  options.filter = filter;
  options.hosts = session->config->host[OSM_SOURCE].name;
  if (osm_tenant_export (session->cloud[OSM_SOURCE], &options, &report, err) == -1)
    return OSM_EXIT_FAILED;
  osm_cmd_print_results (session, report);
  return osm_cmd_results_status (report, "exported", false, err);
}
