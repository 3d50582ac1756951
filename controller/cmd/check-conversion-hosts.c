/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/cmd/commands.h"
#include "controller/cmd/hosts.h"
#include "controller/hosts/path.h"

const struct osm_option osm_options_check_conversion_hosts[] = {
  { NULL, 0, NULL, NULL },
};

static void
print_problem (const char *what, const json_t *result)
{
  const json_t *error = json_object_get (result, "error");
  OSM_CLEANUP_FREE char *message = osm_quote_terminal (osm_json_str (error, "message")),
                        *hint = osm_quote_terminal (osm_json_str (error, "hint"));

  printf ("%s: %s%s%s\n", what, message, hint ? "\n  -> " : "", hint ? hint : "");
}

/* "libguestfs 1.48.6" */
static json_t *
tools_text (const json_t *agent)
{
  OSM_STRBUF (text);
  const char *name;
  json_t *version;

  json_object_foreach (json_object_get (agent, "tools"), name, version)
  {
    if (json_is_string (version))
      osm_strbuf_addf (&text, "%s%s %s", text.len ? ", " : "", name, json_string_value (version));
  }
  return json_string (osm_strbuf_str (&text));
}

/* What could not be found out is left out. */
static void
print_sides (const json_t *result)
{
  static const char *const columns[] = { "SIDE",    "CLOUD",      "SERVER", "STATUS",
                                         "ADDRESS", "AGENT",      "TOOLS",  "BUS",
                                         "VOLUMES", "FREE SLOTS", NULL };
  OSM_CLEANUP_JSON json_t *rows = json_array ();

  for (enum osm_side side = OSM_SOURCE; side <= OSM_DESTINATION; side++) {
    const json_t *s = json_object_get (result, osm_side_name (side));
    const json_t *agent = json_object_get (s, "agent");

    json_array_append_new (
        rows,
        osm_json_pack ("[s, O?, O?, O?, O?, O?, o, O?, O?, O?]", osm_side_name (side),
                       json_object_get (s, "cloud"), json_object_get (s, "name"),
                       json_object_get (s, "status"), json_object_get (s, "address"),
                       json_object_get (agent, "version"), tools_text (agent),
                       json_object_get (s, "disk_bus"), json_object_get (s, "attached_volumes"),
                       json_object_get (s, "free_slots")));
  }
  osm_ui_table (columns, rows);
  for (enum osm_side side = OSM_SOURCE; side <= OSM_DESTINATION; side++) {
    const json_t *s = json_object_get (result, osm_side_name (side));

    if (json_object_get (s, "error"))
      print_problem (osm_side_name (side), s);
  }
}

/* What was tried in vain before comes first. */
static void
print_link (const json_t *link)
{
  OSM_CLEANUP_FREE char *why = osm_quote_terminal (osm_json_str (link, "cipher_reason")),
                        *cipher = osm_quote_terminal (osm_json_str (link, "cipher"));
  const char *path = osm_json_str (link, "path");
  char rate[OSM_HUMAN_LEN];
  size_t i;
  const json_t *one;

  json_array_foreach (json_object_get (link, "tried"), i, one)
  {
    OSM_CLEANUP_FREE char *what = osm_asprintf ("path %s", osm_json_str (one, "path"));

    print_problem (what, one);
  }
  if (json_object_get (link, "error")) {
    print_problem ("link", link);
    return;
  }
  if (!path)
    return;
  printf ("link: destination reads from source at %s/s, round trip %.2f ms, %s%s%s%s\n",
          osm_human_size (osm_json_uint (link, "bytes_per_second"), rate),
          (double)osm_json_uint (link, "rtt_us") / 1000, cipher ? cipher : "cipher unknown",
          why ? " (" : "", why ? why : "", why ? ")" : "");
  for (size_t kind = 0; kind < OSM_PATH_KINDS; kind++)
    if (osm_str_equal (path, osm_path_name ((enum osm_path_kind)kind)))
      printf ("path: %s, %s\n", path, osm_path_text ((enum osm_path_kind)kind));
}

static bool
failed (const json_t *result)
{
  return json_object_get (json_object_get (result, "source"), "error") ||
         json_object_get (json_object_get (result, "destination"), "error") ||
         json_object_get (json_object_get (result, "link"), "error");
}

int
osm_cmd_check_conversion_hosts (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_JSON json_t *result = NULL;
  struct osm_hosts_context context;

  if (osm_session_open (args, OSM_WANT_CLOUDS | OSM_WANT_STORE, &session, err) == -1)
    return OSM_EXIT_FAILED;
  context = osm_cmd_hosts_context (session);
  if (osm_hosts_check (&context, &result, err) == -1)
    return OSM_EXIT_FAILED;
  if (osm_ui_get_mode (session->ui) == OSM_UI_JSON)
    osm_ui_json (result);
  else {
    print_sides (result);
    print_link (json_object_get (result, "link"));
  }
  return failed (result) ? OSM_EXIT_FAILED : OSM_EXIT_OK;
}
