/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cmd/preflight.h"

#include <stdio.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/cmd/hosts.h"
#include "controller/cmd/migrate.h"
#include "controller/migration/findings.h"
#include "controller/migration/preflight.h"

/* ---- finding out ---- */

static int
note_migrated (struct osm_session *session, json_t *plan, struct osm_error *err)
{
  const json_t *source = json_object_get (plan, "source");
  const char *id = osm_json_str (source, "id"), *name = osm_json_str (source, "name");
  OSM_CLEANUP_FREE char *there = NULL;

  if (osm_store_mapping_get (session->store, osm_cloud_name (session->cloud[OSM_SOURCE]),
                             osm_cloud_name (session->cloud[OSM_DESTINATION]), "server", id, &there,
                             err) == -1)
    return -1;
  if (there)
    osm_plan_finding (plan, "migrated-before", "info", name, NULL,
                      "server '%s' was migrated before: migrate-server does nothing while server "
                      "%s is in cloud '%s'",
                      name, there, osm_cloud_name (session->cloud[OSM_DESTINATION]));
  return 0;
}

int
osm_preflight_plan (struct osm_session *session, const struct osm_args *args, const char *server,
                    char *const *accepted, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *plan = NULL;
  const struct osm_plan_input input = osm_cmd_plan_input (args, session, server);

  if (osm_plan_server (&input, &plan, err) == -1 || note_migrated (session, plan, err) == -1)
    return -1;
  osm_findings_accept (plan, accepted);
  *ret = osm_take (plan);
  return 0;
}

json_t *
osm_preflight_report (const json_t *plan)
{
  const json_t *findings = json_object_get (plan, "findings"), *finding;
  size_t i, blockers = osm_plan_count_findings (plan, "blocker"), warnings = 0;

  json_array_foreach (findings, i, finding)
  {
    if (osm_str_equal (osm_json_str (finding, "severity"), "warning") &&
        !json_is_true (json_object_get (finding, "accepted")))
      warnings++;
  }
  return osm_json_pack (
      "{s:O?, s:I, s:I, s:O?, s:O, s:I, s:I, s:I}", "server", json_object_get (plan, "source"),
      "volumes", (json_int_t)json_array_size (json_object_get (plan, "volumes")), "bytes",
      (json_int_t)osm_plan_bytes (plan), "needs", json_object_get (plan, "needs"), "findings",
      findings, "blockers", (json_int_t)blockers, "warnings", (json_int_t)warnings, "must_accept",
      (json_int_t)osm_findings_unaccepted (plan));
}

int
osm_preflight_look (struct osm_session *session, const struct osm_args *args, json_t *findings,
                    size_t nr_volumes, char *const *accepted, json_t **ret, struct osm_error *err)
{
  struct osm_hosts_context context = osm_cmd_hosts_context (session);

  if ((osm_args_has (args, "measure") ? osm_hosts_check (&context, ret, err)
                                      : osm_hosts_look (&context, ret, err)) == -1)
    return -1;
  osm_preflight_hosts (findings, *ret, nr_volumes);
  osm_findings_accept (findings, accepted);
  return 0;
}

uint64_t
osm_preflight_duration (const json_t *look, uint64_t bytes)
{
  return osm_preflight_copy_ms (bytes,
                                osm_json_uint (json_object_get (look, "link"), "bytes_per_second"));
}

void
osm_preflight_estimate (json_t *report, const json_t *look)
{
  double seconds = (double)osm_preflight_duration (look, osm_json_uint (report, "bytes")) / 1000.0;
  const char *status = osm_json_str (json_object_get (report, "server"), "status");

  if (seconds <= 0.0)
    return;
  json_object_set_new (report, "copy_seconds", json_real (seconds));
  if (status)
    json_object_set_new (report, "downtime_seconds",
                         json_real (osm_str_equal (status, "ACTIVE") ? seconds : 0.0));
}

int
osm_preflight_status (const struct osm_args *args, size_t blockers, size_t warnings)
{
  return blockers > 0 || (warnings > 0 && osm_args_has (args, "strict")) ? OSM_EXIT_BLOCKED
                                                                         : OSM_EXIT_OK;
}

/* ---- for people ---- */

/* A remedy stands in a row of its own. */
static void
add_row (json_t *rows, const char *owner, const char *severity, const char *id, const char *object,
         const char *text)
{
  json_t *row = json_array ();

  if (owner)
    json_array_append_new (row, json_string (owner));
  json_array_append_new (row, json_string (severity));
  json_array_append_new (row, json_string (id));
  json_array_append_new (row, json_string (object));
  json_array_append_new (row, json_string (text));
  json_array_append_new (rows, row);
}

void
osm_preflight_add_rows (json_t *rows, const char *owner, const json_t *findings)
{
  size_t i;
  const json_t *finding;

  json_array_foreach (findings, i, finding)
  {
    const char *severity = osm_json_str (finding, "severity"), *id = osm_json_str (finding, "id"),
               *object = osm_json_str (finding, "object"), *text = osm_json_str (finding, "text"),
               *remedy = osm_json_str (finding, "remedy");
    bool accepted = json_is_true (json_object_get (finding, "accepted"));

    add_row (rows, owner, accepted ? "accepted" : severity, id, object, text);
    if (remedy && !accepted) {
      OSM_CLEANUP_FREE char *arrow = osm_asprintf ("-> %s", remedy);

      add_row (rows, owner ? "" : NULL, "", "", "", arrow);
    }
  }
}

void
osm_preflight_print_findings (bool with_owner, const json_t *rows)
{
  static const char *const columns[] = { "SERVER", "SEVERITY", "FINDING", "OBJECT", "WHAT", NULL };

  if (json_array_size (rows) == 0)
    return;
  printf ("\n");
  osm_ui_table (with_owner ? columns : columns + 1, rows);
}

void
osm_preflight_print_hosts (const json_t *look, uint64_t bytes)
{
  uint64_t rate = osm_json_uint (json_object_get (look, "link"), "bytes_per_second");
  char text[OSM_HUMAN_LEN], duration[OSM_HUMAN_LEN];

  for (enum osm_side side = OSM_SOURCE; side <= OSM_DESTINATION; side++) {
    const json_t *host = json_object_get (look, osm_side_name (side));
    OSM_CLEANUP_FREE char *bus = osm_quote_terminal (osm_json_str (host, "disk_bus"));

    if (!json_object_get (host, "error") && json_object_get (host, "free_slots"))
      printf ("%s conversion host: %llu slots free, disk bus %s\n", osm_side_name (side),
              (unsigned long long)osm_json_uint (host, "free_slots"), bus ? bus : "unknown");
  }
  if (rate > 0)
    printf ("at %s/s a copy of all of it takes %s; what is empty takes less\n",
            osm_human_size (rate, text),
            osm_human_duration (osm_preflight_duration (look, bytes), duration));
}

void
osm_preflight_print_count (size_t blockers, size_t warnings)
{
  printf ("\n%zu blocker%s, %zu warning%s\n", blockers, blockers == 1 ? "" : "s", warnings,
          warnings == 1 ? "" : "s");
}
