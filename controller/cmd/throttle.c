/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <errno.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/strbuf.h"
#include "controller/cmd/commands.h"
#include "controller/cmd/hosts.h"
#include "controller/cmd/migrate.h"
#include "controller/migration/limits.h"

const struct osm_option osm_options_throttle[] = {
  { NULL, 0, NULL, NULL },
};

static char *
rate_text (uint64_t rate)
{
  char size[OSM_HUMAN_LEN];

  return rate > 0 ? osm_asprintf ("%s/s", osm_human_size (rate, size)) : osm_strdup ("no limit");
}

static int
call (struct osm_session *session, enum osm_side side, const char *method, json_t *params,
      json_t **ret, struct osm_error *err)
{
  struct osm_hosts_context context = osm_cmd_hosts_context (session);
  OSM_CLEANUP_HOST struct osm_host *host = NULL;

  if (osm_host_open (&context, side, &host, err) == -1) {
    json_decref (params);
    return -1;
  }
  if (osm_link_call (host->link, method, params, ret, err) == -1)
    return osm_error_wrap (err, "%s conversion host", osm_side_name (side));
  return 0;
}

/* All copies of each conversion host. params: {} only asks. */
static int
throttle_hosts (struct osm_session *session, const json_t *params, struct osm_error *err)
{
  for (enum osm_side side = OSM_SOURCE; side <= OSM_DESTINATION; side++) {
    OSM_CLEANUP_JSON json_t *answer = NULL;
    OSM_CLEANUP_FREE char *rate = NULL, *text = NULL;
    json_int_t n;

    if (call (session, side, "host.limit", json_copy ((json_t *)params), &answer, err) == -1)
      return -1;
    n = json_integer_value (json_object_get (answer, "bytes_per_second"));
    rate = rate_text ((uint64_t)n);
    text = osm_asprintf ("%s conversion host: %s", osm_side_name (side), rate);
    osm_ui_event (session->ui,
                  osm_json_pack ("{s:s, s:s, s:I}", "event", "limit", "side", osm_side_name (side),
                                 "bytes_per_second", n),
                  text);
  }
  return 0;
}

/* Nobody copies for it now: the journal is enough. */
static bool
may_wait (const struct osm_error *err)
{
  return err->code == ENOENT;
}

static int
throttle_migration (struct osm_session *session, const char *id, bool set, enum osm_limit_mode mode,
                    uint64_t rate, struct osm_error *err)
{
  struct osm_migration_row *row = NULL;
  OSM_CLEANUP_FREE char *name = NULL, *rate_name = NULL, *text = NULL;
  enum osm_migration_state state;
  bool manual, running;

  if (osm_store_migration_get (session->store, id, &row, err) == -1)
    return -1;
  name = osm_strdup (row->id);
  if (osm_migration_state_parse (row->state, &state, err) == -1) {
    osm_migration_row_free (row);
    return -1;
  }
  osm_migration_row_free (row);
  running = state == OSM_STATE_RUNNING;
  if (set && osm_migration_state_is_final (state))
    return osm_error_set (err, OSM_ERROR_USER, 0, "migration %s is %s: there is nothing to limit",
                          name, osm_migration_state_name (state));
  if ((set && osm_limit_set (session->store, name, mode, rate, err) == -1) ||
      osm_limit_now (session->store, session->config, name, &rate, &manual, err) == -1)
    return -1;
  if (set && running) {
    json_t *params =
        osm_json_pack ("{s:s, s:I}", "group", name, "bytes_per_second", (json_int_t)rate);
    OSM_CLEANUP_JSON json_t *answer = NULL;

    if (call (session, OSM_DESTINATION, "copy.limit", params, &answer, err) == -1) {
      if (!may_wait (err))
        return osm_error_wrap (err, "the limit is in the journal");
      osm_error_clear (err);
    }
  }
  rate_name = rate_text (rate);
  text = osm_asprintf ("migration %s: %s%s", name, rate_name,
                       manual ? "" : " (by the configuration, at this time)");
  osm_ui_event (session->ui,
                osm_json_pack ("{s:s, s:s, s:I, s:b}", "event", "limit", "id", name,
                               "bytes_per_second", (json_int_t)rate, "manual", manual),
                text);
  return 0;
}

int
osm_cmd_throttle (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_JSON json_t *params = json_object ();
  const char *const *operands;
  size_t n = osm_args_operands (args, &operands);
  bool set = !osm_str_equal (operands[0], "show");
  enum osm_limit_mode mode = OSM_LIMIT_RATE;
  uint64_t rate = 0;

  if (set && osm_limit_parse (operands[0], &mode, &rate, err) == -1)
    return OSM_EXIT_USAGE;
  if (n == 1 && mode == OSM_LIMIT_AUTO) {
    osm_error_set (err, OSM_ERROR_USER, 0, "'auto' is for a migration: name it");
    osm_error_hint (err, "'osm-controller throttle unlimited' takes the limit off the hosts");
    return OSM_EXIT_USAGE;
  }
  if (osm_session_open (args, OSM_WANT_CLOUDS | OSM_WANT_STORE, &session, err) == -1)
    return OSM_EXIT_FAILED;
  if (set)
    json_object_set_new (params, "bytes_per_second", json_integer ((json_int_t)rate));
  return (n == 2 ? throttle_migration (session, operands[1], set, mode, rate, err)
                 : throttle_hosts (session, params, err)) == -1
             ? OSM_EXIT_FAILED
             : OSM_EXIT_OK;
}
