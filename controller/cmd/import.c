/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/import.h"

#include <signal.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "controller/cmd/commands.h"
#include "controller/cmd/tenant.h"

const struct osm_option osm_options_import[] = {
  { "dry-run", 'n', NULL, "only tell what would be done" },
  { "update", 0, NULL, "change objects that are there already and differ from the files" },
  { "exact", 0, NULL, "delete rules that are in no file, of groups that are in one" },
  { "accept-conflicts", 0, NULL, "also what export has marked: the files' values are meant" },
  { "with-dependencies", 0, NULL,
    "also what these need: networks of subnets, groups of rules ..." },
  { "image-blobs", 0, "DIR",
    "take the data of images from files of OS Migrate, not from the source" },
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

int
osm_cmd_import (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_FILTER struct osm_filter *filter = NULL;
  OSM_CLEANUP_FREE const struct osm_tenant_type **types = NULL;
  OSM_CLEANUP_JSON json_t *report = NULL;
  struct osm_import_options options = { .data_dir = osm_cmd_data_dir (args),
                                        .dry_run = osm_args_has (args, "dry-run"),
                                        .exact = osm_args_has (args, "exact"),
                                        .accept_conflicts = osm_args_has (args, "accept-conflicts"),
                                        .with_dependencies =
                                            osm_args_has (args, "with-dependencies"),
                                        .update = osm_args_has (args, "update") };
  struct osm_image_source images = { .open = open_source,
                                     .progress = show_progress,
                                     .blobs = osm_args_get (args, "image-blobs") };

  if (osm_cmd_types (args, &types, err) == -1 || osm_cmd_filter (args, &filter, err) == -1)
    return OSM_EXIT_USAGE;
  if (osm_session_open (args, OSM_WANT_DESTINATION | OSM_WANT_STORE, &session, err) == -1)
    return OSM_EXIT_FAILED;
  /* A connection that breaks in the middle of an upload is an error to handle. */
  signal (SIGPIPE, SIG_IGN);
  images.data = session;
  options.images = &images;
  options.store = session->store;
  options.source = session->config->cloud[OSM_SOURCE];
  options.types = types;
  options.filter = filter;
  options.hosts = session->config->host[OSM_DESTINATION].name;
  if (osm_tenant_import (session->cloud[OSM_DESTINATION], &options, &report, err) == -1)
    return OSM_EXIT_FAILED;
  osm_cmd_print_results (session, report);
  return osm_cmd_results_status (report, "imported", true, err);
}
