/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cmd/tenant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/tenant/needs.h"

const char *
osm_cmd_data_dir (const struct osm_args *args)
{
  const char *dir = osm_args_get (args, "data-dir");

  if (!dir)
    dir = getenv ("OSM_DATA_DIR");
  return dir && *dir ? dir : "osm-data";
}

int
osm_cmd_filter (const struct osm_args *args, struct osm_filter **ret, struct osm_error *err)
{
  OSM_CLEANUP_STRV char **patterns = NULL;
  const char *pattern;

  for (size_t i = 0; (pattern = osm_args_nth (args, "filter", i)); i++)
    osm_strv_append (&patterns, pattern);
  return osm_filter_new (patterns, ret, err);
}

unsigned
osm_cmd_with (const struct osm_args *args)
{
  return (osm_args_has (args, "with-dependencies") ? OSM_NEEDS_DEPENDENCIES : OSM_NEEDS_NOTHING) |
         (osm_args_has (args, "with-members") ? OSM_NEEDS_MEMBERS : OSM_NEEDS_NOTHING);
}

int
osm_cmd_types (const struct osm_args *args, const struct osm_tenant_type ***ret,
               struct osm_error *err)
{
  static const char *const all[] = { "all" };
  const char *const *operands;
  size_t nr = osm_args_operands (args, &operands);

  return osm_tenant_types_parse (nr > 0 ? operands : all, nr > 0 ? nr : 1, ret, err);
}

int
osm_cmd_one_type (const char *name, const struct osm_tenant_type **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE const struct osm_tenant_type **types = NULL;

  *ret = osm_tenant_type_find (name);
  if (*ret && (*ret)->file)
    return 0;
  return osm_tenant_types_parse (&name, 1, &types, err) == -1
             ? -1
             : osm_error_set (err, OSM_ERROR_USER, 0, "'%s' is not one type", name);
}

/* {"source": 12}: of the clouds that were asked. */
static json_t *
requests_sent (const struct osm_session *session)
{
  json_t *requests = json_object ();

  for (unsigned side = 0; side < 2; side++)
    if (session->cloud[side])
      json_object_set_new (requests, osm_side_name (side),
                           json_integer ((json_int_t)osm_cloud_requests (session->cloud[side])));
  return requests;
}

static void
add_types (struct osm_strbuf *b, bool administrator)
{
  const char *comma = "";

  for (size_t i = 0; osm_tenant_types[i]; i++)
    if (osm_tenant_types[i]->file && osm_tenant_types[i]->administrator == administrator) {
      osm_strbuf_addf (b, "%s%s", comma, osm_tenant_types[i]->name);
      comma = ", ";
    }
}

char *
osm_cmd_types_help (const struct osm_command *command)
{
  OSM_STRBUF (b);

  if (!strstr (command->operands, "TYPE"))
    return NULL;
  osm_strbuf_add (&b, strstr (command->operands, "TYPE...")
                          ? "TYPE is 'all', which is all that belongs to a tenant, or some of:\n"
                          : "TYPE is one of:\n");
  add_types (&b, false);
  osm_strbuf_add (&b, "\nFor administrators also, and never part of 'all':\n");
  add_types (&b, true);
  return osm_strbuf_take (&b);
}

void
osm_cmd_print_results (const struct osm_session *session, json_t *report)
{
  static const char *const columns[] = { "PROJECT", "TYPE", "NAME", "RESULT", "REASON", NULL };
  OSM_CLEANUP_JSON json_t *rows = json_array ();
  double seconds = (double)(osm_now_ms () - session->opened_ms) / 1000.0;
  bool many = json_object_get (report, "projects") != NULL;
  const json_t *object;
  json_t *requests = NULL, *n;
  const char *key;
  size_t i;
  OSM_STRBUF (counts);

  if (session->cloud[OSM_SOURCE] || session->cloud[OSM_DESTINATION]) {
    requests = requests_sent (session);
    json_object_set_new (report, "seconds", json_real (seconds));
    json_object_set_new (report, "requests", requests);
  }

  if (osm_ui_get_mode (session->ui) == OSM_UI_JSON) {
    osm_ui_json (report);
    return;
  }
  osm_ui_end_bars (session->ui);
  json_array_foreach (json_object_get (report, "objects"), i, object)
  {
    const char *reason = osm_json_str (object, "reason"), *name = osm_json_str (object, "name"),
               *project = osm_json_str (object, "project");
    json_t *row;

    if (osm_str_equal (osm_json_str (object, "result"), "equal") && !reason)
      continue;
    row = osm_json_pack ("[s?, s, s?, s]", osm_json_str (object, "type"), name ? name : "(all)",
                         osm_json_str (object, "result"), reason ? reason : "");
    if (many)
      json_array_insert_new (row, 0, json_string (project ? project : ""));
    json_array_append_new (rows, row);
  }
  if (json_array_size (rows) > 0)
    osm_ui_table (many ? columns : columns + 1, rows);
  json_object_foreach (json_object_get (report, "counts"), key, n) osm_strbuf_addf (
      &counts, "%s%lld %s", counts.len > 0 ? ", " : "", (long long)json_integer_value (n), key);
  if (requests)
    osm_strbuf_addf (&counts, "%s%.1f s", counts.len > 0 ? "; " : "", seconds);
  json_object_foreach (requests, key, n) osm_strbuf_addf (&counts, ", %lld requests to the %s",
                                                          (long long)json_integer_value (n), key);
  printf ("%s\n", osm_strbuf_str (&counts));
}

int
osm_cmd_results_status (const json_t *report, const char *what, bool all, struct osm_error *err)
{
  const json_t *object;
  size_t i, bad = 0, nr = json_array_size (json_object_get (report, "objects"));

  json_array_foreach (json_object_get (report, "objects"), i, object)
  {
    const char *result = osm_json_str (object, "result");

    bad += osm_str_equal (result, "failed") ||
           (osm_str_equal (result, "skipped") && (all || !osm_json_str (object, "name")));
  }
  if (bad == 0)
    return OSM_EXIT_OK;
  osm_error_set (err, OSM_ERROR_USER, 0, "%zu of %zu were not %s", bad, nr, what);
  return bad < nr ? OSM_EXIT_PARTIAL : OSM_EXIT_FAILED;
}
