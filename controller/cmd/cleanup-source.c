/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/cleanup.h"

#include <stdio.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/strbuf.h"
#include "controller/cmd/commands.h"
#include "controller/cmd/tenant.h"

#define DEFAULT_HOLD "7d"
#define MAX_HOLD_MS (UINT64_C (100000) * 86400000)

const struct osm_option osm_options_cleanup_source[] = {
  { "yes", 'y', NULL, "really delete; without it, it is only told what would be" },
  { "older-than", 0, "DURATION", "only what was imported so long ago (" DEFAULT_HOLD ")" },
  { "accept-differences", 0, NULL, "also what is not the same at the destination" },
  { "filter", 0, "PATTERN", "only objects of this name: NAME, GLOB or /REGEX/; may be repeated" },
  { "data-dir", 0, "DIR", "folder of the files (osm-data)" },
  { NULL, 0, NULL, NULL },
};

static int
hold (const struct osm_args *args, uint64_t *ret_ms, struct osm_error *err)
{
  const char *text = osm_args_get (args, "older-than");

  if (osm_parse_duration (text ? text : DEFAULT_HOLD, "--older-than", ret_ms, err) == -1)
    return -1;
  return *ret_ms <= MAX_HOLD_MS
             ? 0
             : osm_error_set (err, OSM_ERROR_USER, 0, "--older-than: at most 100000 days");
}

/* Ids of the migrations from or to that cloud that somebody has still to finish or to take back; NULL: there are none. Caller frees. */
static int
unfinished (const struct osm_session *session, char **ret, struct osm_error *err)
{
  const char *cloud = osm_cloud_name (session->cloud[OSM_SOURCE]);
  struct osm_migration_row **rows = NULL;
  OSM_STRBUF (ids);
  size_t nr = 0, more;

  /* All that are not finished, and none of the others. */
  if (osm_store_migration_recent (session->store, 0, &rows, &nr, &more, err) == -1)
    return -1;
  for (size_t i = 0; i < nr; i++) {
    if (osm_str_equal (rows[i]->source_cloud, cloud) ||
        osm_str_equal (rows[i]->destination_cloud, cloud))
      osm_strbuf_addf (&ids, "%s%s (%s, %s)", ids.len > 0 ? ", " : "", rows[i]->id,
                       rows[i]->object_name, rows[i]->state);
    osm_migration_row_free (rows[i]);
  }
  free (rows);
  *ret = ids.len > 0 ? osm_strbuf_take (&ids) : NULL;
  return 0;
}

static void
refuse (const char *what, const char *ids, struct osm_error *err)
{
  osm_error_set (err, OSM_ERROR_USER, 0,
                 "nothing %s deleted: migrations from or to this cloud are not finished: %s", what,
                 ids);
  osm_error_hint (err, "resume them or roll them back, then give the command again");
}

struct asking {
  const struct osm_session *session;
  bool refused;
};

/* Somebody may have started one since. */
static int
may_delete (void *data, struct osm_error *err)
{
  struct asking *asking = data;
  OSM_CLEANUP_FREE char *ids = NULL;

  if (unfinished (asking->session, &ids, err) == -1)
    return -1;
  if (!ids)
    return 0;
  asking->refused = true;
  refuse ("more is", ids, err);
  return -1;
}

int
osm_cmd_cleanup_source (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_FILTER struct osm_filter *filter = NULL;
  OSM_CLEANUP_FREE const struct osm_tenant_type **types = NULL;
  OSM_CLEANUP_FREE char *ids = NULL;
  OSM_CLEANUP_JSON json_t *report = NULL;
  struct osm_cleanup_options options = { .data_dir = osm_cmd_data_dir (args),
                                         .accept_differences =
                                             osm_args_has (args, "accept-differences"),
                                         .really = osm_args_has (args, "yes") };
  struct asking asking = { NULL, false };
  int r;

  if (osm_cmd_types (args, &types, err) == -1 || osm_cmd_filter (args, &filter, err) == -1 ||
      hold (args, &options.hold_ms, err) == -1)
    return OSM_EXIT_USAGE;
  if (osm_session_open (args, OSM_WANT_CLOUDS | OSM_WANT_STORE, &session, err) == -1 ||
      unfinished (session, &ids, err) == -1)
    return OSM_EXIT_FAILED;
  if (ids && options.really) {
    refuse ("is", ids, err);
    return OSM_EXIT_BLOCKED;
  }
  options.types = types;
  options.filter = filter;
  options.hosts[0] = session->config->host[OSM_SOURCE].name;
  options.hosts[1] = session->config->host[OSM_DESTINATION].name;
  options.store = session->store;
  options.may_delete = may_delete;
  options.data = &asking;
  asking.session = session;
  r = osm_tenant_cleanup (session->cloud[OSM_SOURCE], session->cloud[OSM_DESTINATION], &options,
                          &report, err);
  /* What was deleted is told also if that was not all. */
  if (report) {
    osm_json_set_str (report, "refused", ids);
    osm_cmd_print_results (session, report);
    fflush (stdout);
  }
  if (r == -1)
    return asking.refused ? OSM_EXIT_BLOCKED : OSM_EXIT_FAILED;
  if (json_array_size (json_object_get (report, "objects")) == 0) {
    fprintf (stderr, "nothing is left to do\n");
    return OSM_EXIT_NOTHING;
  }
  if (!options.really) {
    fprintf (stderr, "nothing was deleted: --yes deletes\n");
    if (ids)
      fprintf (stderr, "--yes is refused as long as migrations are not finished: %s\n", ids);
    return OSM_EXIT_OK;
  }
  return osm_cmd_results_status (report, "deleted", false, err);
}
