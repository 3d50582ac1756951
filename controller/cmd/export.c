/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/export.h"

#include "common/cleanup.h"
#include "controller/cmd/commands.h"
#include "controller/cmd/projects.h"
#include "controller/cmd/tenant.h"

const struct osm_option osm_options_export[] = {
  { "with-dependencies", 0, NULL,
    "also what these need: networks of subnets, groups of rules ..." },
  { "with-members", 0, NULL,
    "also what these contain: subnets and ports of networks, rules of groups ..." },
  { "projects", 0, "PATTERN",
    "of these projects, for administrators: [DOMAIN/]NAME, GLOB, /REGEX/ or all; may be repeated" },
  { "filter", 0, "PATTERN", "only objects of this name: NAME, GLOB or /REGEX/; may be repeated" },
  { "data-dir", 0, "DIR", "folder of the files (osm-data)" },
  { NULL, 0, NULL, NULL },
};

struct work {
  struct osm_cloud *cloud;
  struct osm_export_options options;
};

static int
export_some (void *data, const struct osm_tenant_type *const *types, const char *data_dir,
             const struct osm_tenant_project *project, json_t **ret_report, struct osm_error *err)
{
  const struct work *w = data;
  struct osm_export_options options = w->options;

  options.types = types;
  options.data_dir = data_dir;
  options.project = project;
  return osm_tenant_export (w->cloud, &options, ret_report, err);
}

int
osm_cmd_export (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_FILTER struct osm_filter *filter = NULL, *projects = NULL;
  OSM_CLEANUP_FREE const struct osm_tenant_type **types = NULL;
  OSM_CLEANUP_JSON json_t *report = NULL;
  struct work w = { .options = { .with = osm_cmd_with (args) } };
  struct osm_cmd_projects many = {
    .side = OSM_SOURCE, .data_dir = osm_cmd_data_dir (args), .run = export_some, .data = &w
  };
  int r;

  if (osm_cmd_types (args, &types, err) == -1 || osm_cmd_filter (args, &filter, err) == -1 ||
      osm_cmd_projects_filter (args, &projects, err) == -1)
    return OSM_EXIT_USAGE;
  if (osm_session_open (args, OSM_WANT_SOURCE, &session, err) == -1)
    return OSM_EXIT_FAILED;
  w.cloud = session->cloud[OSM_SOURCE];
  w.options.filter = filter;
  w.options.hosts = session->config->host[OSM_SOURCE].name;
  many.session = session;
  many.types = types;
  many.filter = projects;
  r = projects ? osm_cmd_projects_run (&many, &report, err)
               : export_some (&w, types, many.data_dir, NULL, &report, err);
  if (r == -1)
    return OSM_EXIT_FAILED;
  osm_cmd_print_results (session, report);
  return osm_cmd_results_status (report, "exported", false, err);
}
