/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/import.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "controller/cmd/commands.h"
#include "controller/cmd/projects.h"
#include "controller/cmd/tenant.h"

const struct osm_option osm_options_diff[] = {
  { "projects", 0, "PATTERN",
    "of these projects, for administrators: [DOMAIN/]NAME, GLOB, /REGEX/ or all; may be repeated" },
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

struct work {
  struct osm_cloud *cloud;
  struct osm_import_options options;
};

static int
diff_some (void *data, const struct osm_tenant_type *const *types, const char *data_dir,
           const struct osm_tenant_project *project, json_t **ret_report, struct osm_error *err)
{
  const struct work *w = data;
  struct osm_import_options options = w->options;

  options.types = types;
  options.data_dir = data_dir;
  options.project = project;
  return osm_tenant_diff_cloud (w->cloud, &options, ret_report, err);
}

int
osm_cmd_diff (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_FILTER struct osm_filter *filter = NULL, *projects = NULL;
  OSM_CLEANUP_FREE const struct osm_tenant_type **types = NULL;
  OSM_CLEANUP_JSON json_t *report = NULL;
  struct work w = { .options = { .accept_conflicts = true } };
  struct osm_cmd_projects many = {
    .side = OSM_DESTINATION, .data_dir = osm_cmd_data_dir (args), .run = diff_some, .data = &w
  };
  int r;

  if (osm_cmd_types (args, &types, err) == -1 || osm_cmd_filter (args, &filter, err) == -1 ||
      osm_cmd_projects_filter (args, &projects, err) == -1)
    return OSM_EXIT_USAGE;
  if (osm_session_open (args, OSM_WANT_DESTINATION | OSM_WANT_STORE, &session, err) == -1)
    return OSM_EXIT_FAILED;
  w.cloud = session->cloud[OSM_DESTINATION];
  w.options.store = session->store;
  w.options.source = session->config->cloud[OSM_SOURCE];
  w.options.filter = filter;
  w.options.hosts = session->config->host[OSM_DESTINATION].name;
  many.session = session;
  many.types = types;
  many.filter = projects;
  r = projects ? osm_cmd_projects_run (&many, &report, err)
               : diff_some (&w, types, many.data_dir, NULL, &report, err);
  if (r == -1)
    return OSM_EXIT_FAILED;
  osm_cmd_print_results (session, report);
  if (osm_cmd_results_status (report, "compared", false, err) != OSM_EXIT_OK)
    return OSM_EXIT_FAILED;
  return differs (report) ? OSM_EXIT_PARTIAL : OSM_EXIT_OK;
}
