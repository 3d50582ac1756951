/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <stdio.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"
#include "controller/cmd/commands.h"
#include "controller/cmd/migrate.h"
#include "controller/cmd/preflight.h"
#include "controller/migration/findings.h"
#include "controller/migration/preflight.h"
#include "controller/migration/quota.h"

const struct osm_option osm_options_check_servers[] = {
  { "all", 'a', NULL, "all servers of the source's project" },
  { "strict", 0, NULL, "warnings count as blockers, unless they are accepted" },
  { "accept", 0, "ID", "accept warnings of this id; may be repeated" },
  { "measure", 0, NULL, "measure the link of the conversion hosts" },
  { "floating-ip", 0, "auto|keep|existing|new|skip", "floating IPs of the new servers" },
  { "boot-disk", 0, "copy|image", "root disk of a server that booted from an image" },
  { "local-disks", 0, "refuse|drop", "ephemeral and swap disks, which are not copied" },
  { NULL, 0, NULL, NULL },
};

struct check {
  struct osm_session *session;
  const struct osm_args *args;
  char **accepted;
  json_t *plans, *reports; /* of those that could be looked at, and of all */
  size_t failed, volumes;  /* volumes: of the server that has the most */
  uint64_t bytes;
};

/* Ids of all servers but those that osm made for itself. */
static int
all_servers (struct osm_cloud *cloud, char ***ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *servers = NULL;
  size_t i;
  const json_t *server;

  if (osm_cloud_list (cloud, OSM_COMPUTE, "/servers/detail", "servers", &servers, err) == -1)
    return -1;
  json_array_foreach (servers, i, server)
  {
    if (osm_json_str (server, "id") &&
        !osm_json_str (json_object_get (server, "metadata"), "osm.pair"))
      osm_strv_append (ret, osm_json_str (server, "id"));
  }
  return 0;
}

/* By another name, or with --all? */
static bool
was_checked (const struct check *c, const json_t *plan)
{
  const char *id = osm_json_str (json_object_get (plan, "source"), "id");
  size_t i;
  const json_t *other;

  json_array_foreach (c->plans, i, other)
  {
    if (osm_str_equal (osm_json_str (json_object_get (other, "source"), "id"), id))
      return true;
  }
  return false;
}

/* One that cannot be looked at does not keep the others from being checked. */
static int
check_one (struct check *c, const char *server, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *plan = NULL;
  json_t *report;
  OSM_ERROR (why);

  if (osm_preflight_plan (c->session, c->args, server, c->accepted, &plan, &why) == -1) {
    if (why.class == OSM_ERROR_INTERRUPTED) {
      osm_error_move (err, &why);
      return -1;
    }
    report = osm_json_pack ("{s:{s:s}, s:o}", "server", "name", server, "error",
                            osm_error_to_json (&why));
    c->failed++;
  }
  else if (was_checked (c, plan)) {
    json_array_append (c->plans, plan); /* for the remark about it */
    return 0;
  }
  else {
    size_t volumes = json_array_size (json_object_get (plan, "volumes"));

    report = osm_preflight_report (plan);
    json_array_append (c->plans, plan);
    c->bytes += osm_plan_bytes (plan);
    if (volumes > c->volumes)
      c->volumes = volumes;
  }
  json_array_append_new (c->reports, report);
  return 0;
}

static int
check_all (struct check *c, struct osm_error *err)
{
  OSM_CLEANUP_STRV char **names = NULL;
  const char *const *operands;
  size_t nr = osm_args_operands (c->args, &operands);

  for (size_t i = 0; i < nr; i++)
    osm_strv_append (&names, operands[i]);
  if (osm_args_has (c->args, "all") &&
      all_servers (c->session->cloud[OSM_SOURCE], &names, err) == -1)
    return -1;
  for (size_t i = 0; names && names[i]; i++)
    if (check_one (c, names[i], err) == -1)
      return -1;
  return 0;
}

static int
ask_together (struct check *c, json_t **ret, struct osm_error *err)
{
  struct osm_cloud *const *cloud = c->session->cloud;
  OSM_CLEANUP_JSON json_t *source = NULL, *destination = NULL;
  const char *const names[] = { osm_cloud_name (cloud[OSM_SOURCE]),
                                osm_cloud_name (cloud[OSM_DESTINATION]) };

  if (osm_quota_fetch (cloud[OSM_SOURCE], true, &source, err) == -1 ||
      osm_quota_fetch (cloud[OSM_DESTINATION], false, &destination, err) == -1)
    return -1;
  osm_quota_claim (destination, c->session->claims);
  {
    const json_t *const quota[] = { source, destination };

    *ret = osm_preflight_together (c->plans, quota, names);
  }
  json_object_set (*ret, "destination_quota", destination);
  osm_findings_accept (*ret, c->accepted);
  return 0;
}

/* ---- for people ---- */

static void
print_servers (const json_t *reports)
{
  static const char *const columns[] = { "SERVER",   "STATUS",   "VOLUMES",  "SIZE",
                                         "DOWNTIME", "BLOCKERS", "WARNINGS", NULL };
  OSM_CLEANUP_JSON json_t *rows = json_array ();
  size_t i;
  const json_t *report;

  json_array_foreach (reports, i, report)
  {
    const json_t *server = json_object_get (report, "server");
    const json_t *downtime = json_object_get (report, "downtime_seconds");
    char size[OSM_HUMAN_LEN], off[OSM_HUMAN_LEN];

    if (json_object_get (report, "error"))
      json_array_append_new (rows, osm_json_pack ("[s?, s, n, n, n, n, n]",
                                                  osm_json_str (server, "name"), "not checked"));
    else
      json_array_append_new (
          rows,
          osm_json_pack (
              "[s?, s?, O?, s, s?, O?, O?]", osm_json_str (server, "name"),
              osm_json_str (server, "status"), json_object_get (report, "volumes"),
              osm_human_size (osm_json_uint (report, "bytes"), size),
              downtime ? osm_human_duration ((uint64_t)(json_number_value (downtime) * 1000.0), off)
                       : NULL,
              json_object_get (report, "blockers"), json_object_get (report, "warnings")));
  }
  osm_ui_table (columns, rows);
}

static void
print_needs (const json_t *together)
{
  static const char *const columns[] = { "DESTINATION'S QUOTA", "NEEDED", "USED", "LIMIT", NULL };
  const json_t *quota = json_object_get (together, "destination_quota");
  OSM_CLEANUP_JSON json_t *rows = json_array ();
  const char *key;
  json_t *n;

  json_object_foreach (json_object_get (json_object_get (together, "needs"), "destination"), key, n)
  {
    const json_t *limit = json_object_get (quota, key), *max = json_object_get (limit, "max");
    json_t *row =
        osm_json_pack ("[s, O, O?]", osm_quota_word (key), n, json_object_get (limit, "used"));

    if (max && json_integer_value (max) < 0)
      json_array_append_new (row, json_string ("none"));
    else
      json_array_append_new (row, max ? json_deep_copy (max) : json_null ());
    json_array_append_new (rows, row);
  }
  if (json_array_size (rows) == 0)
    return;
  printf ("\n");
  osm_ui_table (columns, rows);
}

static void
print (const struct check *c, const json_t *together, const json_t *look, size_t blockers,
       size_t warnings)
{
  OSM_CLEANUP_JSON json_t *rows = json_array ();
  size_t i;
  const json_t *report;

  print_servers (c->reports);
  print_needs (together);
  json_array_foreach (c->reports, i, report)
  {
    const char *name = osm_json_str (json_object_get (report, "server"), "name");

    osm_preflight_add_rows (rows, name ? name : "", json_object_get (report, "findings"));
  }
  osm_preflight_add_rows (rows, "(together)", json_object_get (together, "findings"));
  osm_preflight_print_findings (true, rows);
  printf ("\n");
  json_array_foreach (c->reports, i, report)
  {
    const json_t *error = json_object_get (report, "error");
    OSM_CLEANUP_FREE char *message = osm_quote_terminal (osm_json_str (error, "message"));

    if (error)
      printf ("not checked: %s\n", message);
  }
  osm_preflight_print_hosts (look, c->bytes);
  osm_preflight_print_count (blockers, warnings);
}

static void
count (const json_t *report, size_t *blockers, size_t *warnings, size_t *must_accept)
{
  *blockers += osm_json_uint (report, "blockers");
  *warnings += osm_json_uint (report, "warnings");
  *must_accept += osm_json_uint (report, "must_accept");
}

static int
run (struct check *c, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *together = NULL, *look = NULL, *sum = NULL, *document = NULL;
  size_t i, blockers = 0, warnings = 0, must_accept = 0;
  const json_t *report;

  if (osm_cmd_load_claims (c->session, err) == -1 || check_all (c, err) == -1 ||
      ask_together (c, &together, err) == -1 ||
      osm_preflight_look (c->session, c->args, together, c->volumes, c->accepted, &look, err) == -1)
    return OSM_EXIT_FAILED;
  json_array_foreach (c->reports, i, report) count (report, &blockers, &warnings, &must_accept);
  sum = osm_preflight_report (together);
  count (sum, &blockers, &warnings, &must_accept);
  json_object_set_new (together, "bytes", json_integer ((json_int_t)c->bytes));
  osm_preflight_estimate (together, look);
  for (i = 0; i < json_array_size (c->reports); i++)
    osm_preflight_estimate (json_array_get (c->reports, i), look);
  document = osm_json_pack ("{s:O, s:O, s:O, s:I, s:I}", "servers", c->reports, "together",
                            together, "conversion_hosts", look, "blockers", (json_int_t)blockers,
                            "warnings", (json_int_t)warnings);
  if (osm_ui_get_mode (c->session->ui) == OSM_UI_JSON)
    osm_ui_json (document);
  else
    print (c, together, look, blockers, warnings);
  if (c->failed > 0) {
    osm_error_set (err, OSM_ERROR_USER, 0, "%zu of %zu servers could not be checked", c->failed,
                   json_array_size (c->reports));
    return c->failed < json_array_size (c->reports) ? OSM_EXIT_PARTIAL : OSM_EXIT_FAILED;
  }
  return osm_preflight_status (c->args, blockers + must_accept, warnings);
}

int
osm_cmd_check_servers (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_STRV char **accepted = NULL;
  OSM_CLEANUP_JSON json_t *plans = json_array (), *reports = json_array ();
  const char *const *operands;
  struct check c = { .args = args, .plans = plans, .reports = reports };

  if (osm_args_operands (args, &operands) == 0 && !osm_args_has (args, "all")) {
    osm_error_set (err, OSM_ERROR_USER, 0, "no server is named");
    osm_error_hint (err, "name servers, or give --all");
    return OSM_EXIT_USAGE;
  }
  if (osm_cmd_accepted (args, &accepted, err) == -1)
    return OSM_EXIT_USAGE;
  if (osm_session_open (args, OSM_WANT_CLOUDS | OSM_WANT_STORE, &session, err) == -1)
    return OSM_EXIT_FAILED;
  c.session = session;
  c.accepted = accepted;
  return run (&c, err);
}
