/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/import.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "controller/cmd/commands.h"
#include "controller/cmd/tenant.h"

const struct osm_option osm_options_import[] = {
  { "dry-run", 'n', NULL, "only tell what would be done" },
  { "update", 0, NULL, "change objects that are there already and differ from the files" },
  { "filter", 0, "PATTERN", "only objects of this name: NAME, GLOB or /REGEX/; may be repeated" },
  { "data-dir", 0, "DIR", "folder of the files (osm-data)" },
  { NULL, 0, NULL, NULL },
};

int
osm_cmd_import (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_FILTER struct osm_filter *filter = NULL;
  OSM_CLEANUP_FREE const struct osm_tenant_type **types = NULL;
  OSM_CLEANUP_JSON json_t *report = NULL;
  struct osm_import_options options = { .data_dir = osm_cmd_data_dir (args),
                                        .dry_run = osm_args_has (args, "dry-run"),
                                        .update = osm_args_has (args, "update") };

  if (osm_cmd_types (args, &types, err) == -1 || osm_cmd_filter (args, &filter, err) == -1)
    return OSM_EXIT_USAGE;
  if (osm_session_open (args, OSM_WANT_DESTINATION, &session, err) == -1)
    return OSM_EXIT_FAILED;
  options.types = types;
  options.filter = filter;
  options.hosts = session->config->host[OSM_DESTINATION].name;
  if (osm_tenant_import (session->cloud[OSM_DESTINATION], &options, &report, err) == -1)
    return OSM_EXIT_FAILED;
  osm_cmd_print_results (session, report);
  return osm_cmd_results_status (report, "imported", true, err);
}
