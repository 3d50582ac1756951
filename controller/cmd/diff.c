/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/import.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "controller/cmd/commands.h"
#include "controller/cmd/tenant.h"

const struct osm_option osm_options_diff[] = {
  { "filter", 0, "PATTERN", "only objects of this name: NAME, GLOB or /REGEX/; may be repeated" },
  { "data-dir", 0, "DIR", "folder of the files (osm-data)" },
  { NULL, 0, NULL, NULL },
};

/* Anything but equal. */
static bool
differs (const json_t *report)
{
  const json_t *counts = json_object_get (report, "counts");

  return osm_json_uint (counts, "missing") + osm_json_uint (counts, "differs") +
             osm_json_uint (counts, "extra") >
         0;
}

int
osm_cmd_diff (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_FILTER struct osm_filter *filter = NULL;
  OSM_CLEANUP_FREE const struct osm_tenant_type **types = NULL;
  OSM_CLEANUP_JSON json_t *report = NULL;
  struct osm_import_options options = { .data_dir = osm_cmd_data_dir (args),
                                        .accept_conflicts = true };

  if (osm_cmd_types (args, &types, err) == -1 || osm_cmd_filter (args, &filter, err) == -1)
    return OSM_EXIT_USAGE;
  if (osm_session_open (args, OSM_WANT_DESTINATION | OSM_WANT_STORE, &session, err) == -1)
    return OSM_EXIT_FAILED;
  options.store = session->store;
  options.source = session->config->cloud[OSM_SOURCE];
  options.types = types;
  options.filter = filter;
  options.hosts = session->config->host[OSM_DESTINATION].name;
  if (osm_tenant_diff_cloud (session->cloud[OSM_DESTINATION], &options, &report, err) == -1)
    return OSM_EXIT_FAILED;
  osm_cmd_print_results (session, report);
  if (osm_cmd_results_status (report, "compared", false, err) != OSM_EXIT_OK)
    return OSM_EXIT_FAILED;
  return differs (report) ? OSM_EXIT_PARTIAL : OSM_EXIT_OK;
}
