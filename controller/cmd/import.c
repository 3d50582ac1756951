/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/import.h"

#include <signal.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/log.h"
#include "controller/cmd/commands.h"
#include "controller/cmd/projects.h"
#include "controller/cmd/tenant.h"

const struct osm_option osm_options_import[] = {
  { "dry-run", 'n', NULL, "only tell what would be done" },
  { "update", 0, NULL, "change objects that are there already and differ from the files" },
  { "exact", 0, NULL, "delete rules that are in no file, of groups that are in one" },
  { "accept-conflicts", 0, NULL, "also what export has marked: the files' values are meant" },
  { "with-dependencies", 0, NULL,
    "also what these need: networks of subnets, groups of rules ..." },
  { "with-members", 0, NULL,
    "also what these contain: subnets and ports of networks, rules of groups ..." },
  { "image-blobs", 0, "DIR",
    "take the data of images from files of OS Migrate, not from the source" },
  { "projects", 0, "PATTERN",
    "of these projects, for administrators: [DOMAIN/]NAME, GLOB, /REGEX/ or all; may be repeated" },
  { "filter", 0, "PATTERN", "only objects of this name: NAME, GLOB or /REGEX/; may be repeated" },
  { "data-dir", 0, "DIR", "folder of the files (osm-data)" },
  { NULL, 0, NULL, NULL },
};

static int
open_source (void *data, struct osm_cloud **ret, struct osm_error *err)
{
  struct osm_session *session = data;

  if (osm_session_open_cloud (session, OSM_SOURCE, err) == -1)
    return -1;
  *ret = session->cloud[OSM_SOURCE];
  return 0;
}

static void
show_progress (void *data, unsigned index, const char *name, const char *phase, uint64_t size_bytes,
               uint64_t done_bytes)
{
  struct osm_session *session = data;
  const struct osm_ui_progress progress = { .name = name,
                                            .phase = phase,
                                            .size_bytes = size_bytes,
                                            .done_bytes = done_bytes,
                                            .sent_bytes = done_bytes };

  /* The result is one document there. */
  if (osm_ui_get_mode (session->ui) != OSM_UI_JSON)
    osm_ui_bar (session->ui, index, &progress);
}

struct work {
  struct osm_cloud *cloud;
  struct osm_import_options options;
};

static int
import_some (void *data, const struct osm_tenant_type *const *types, const char *data_dir,
             const struct osm_tenant_project *project, json_t **ret_report, struct osm_error *err)
{
  const struct work *w = data;
  struct osm_import_options options = w->options;

  options.types = types;
  options.data_dir = data_dir;
  options.project = project;
  return osm_tenant_import (w->cloud, &options, ret_report, err);
}

/* Roles that were given for it are taken back, whatever came out of it. */
static int
import_all (const struct osm_cmd_projects *many, struct work *w, json_t **ret_report,
            struct osm_error *err)
{
  OSM_ERROR (why);
  size_t revoked = 0;
  int r = many->filter ? osm_cmd_projects_run (many, ret_report, err)
                       : import_some (w, many->types, many->data_dir, NULL, ret_report, err);

  if (osm_grants_end (many->grants, &revoked, &why) == -1) {
    if (r == 0)
      osm_error_move (err, &why);
    else
      osm_warning ("%s", why.message);
    return -1;
  }
  if (r == 0 && revoked > 0)
    json_object_set_new (*ret_report, "roles_taken_back", json_integer ((json_int_t)revoked));
  if (r == 0 && many->filter)
    json_object_set_new (*ret_report, "dry_run", json_boolean (w->options.dry_run));
  return r;
}

int
osm_cmd_import (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_FILTER struct osm_filter *filter = NULL, *projects = NULL;
  OSM_CLEANUP_FREE const struct osm_tenant_type **types = NULL;
  OSM_CLEANUP_GRANTS struct osm_grants *grants = NULL;
  OSM_CLEANUP_JSON json_t *report = NULL;
  struct osm_image_source images = { .open = open_source,
                                     .progress = show_progress,
                                     .blobs = osm_args_get (args, "image-blobs") };
  struct work w = { .options = { .dry_run = osm_args_has (args, "dry-run"),
                                 .exact = osm_args_has (args, "exact"),
                                 .accept_conflicts = osm_args_has (args, "accept-conflicts"),
                                 .with = osm_cmd_with (args),
                                 .update = osm_args_has (args, "update"),
                                 .images = &images } };
  struct osm_cmd_projects many = {
    .side = OSM_DESTINATION, .data_dir = osm_cmd_data_dir (args), .run = import_some, .data = &w
  };
  OSM_ERROR (why);

  if (osm_cmd_types (args, &types, err) == -1 || osm_cmd_filter (args, &filter, err) == -1 ||
      osm_cmd_projects_filter (args, &projects, err) == -1)
    return OSM_EXIT_USAGE;
  if (osm_session_open (args, OSM_WANT_DESTINATION | OSM_WANT_STORE, &session, err) == -1)
    return OSM_EXIT_FAILED;
  /* A connection that breaks in the middle of an upload is an error to handle. */
  signal (SIGPIPE, SIG_IGN);
  w.cloud = session->cloud[OSM_DESTINATION];
  images.data = session;
  w.options.store = session->store;
  w.options.source = session->config->cloud[OSM_SOURCE];
  w.options.filter = filter;
  w.options.hosts = session->config->host[OSM_DESTINATION].name;
  grants = osm_grants_new (w.cloud, session->store, session->config->state_dir);
  if (osm_grants_recover (grants, &why) == -1)
    osm_warning ("%s", why.message);
  many.session = session;
  many.dry_run = w.options.dry_run;
  many.types = types;
  many.filter = projects;
  many.grants = grants;
  if (import_all (&many, &w, &report, err) == -1) {
    if (report)
      osm_cmd_print_results (session, report);
    return OSM_EXIT_FAILED;
  }
  osm_cmd_print_results (session, report);
  return osm_cmd_results_status (report, "imported", true, err);
}
