/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/limits.h"

#include <errno.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/parse.h"
#include "common/strbuf.h"
#include "controller/migration/internal.h"

#define FACT "throttle" /* {"bytes_per_second": N}, or {} again by the configuration */
#define LOOK_MS 1000
#define AGENT_TIMEOUT_MS 60000

int
osm_limit_parse (const char *text, enum osm_limit_mode *ret, uint64_t *ret_rate,
                 struct osm_error *err)
{
  bool automatic = osm_str_equal (text, "auto");

  *ret_rate = 0;
  if (!automatic && osm_parse_rate (text, "rate", ret_rate, err) == -1)
    return -1;
  *ret = automatic ? OSM_LIMIT_AUTO : OSM_LIMIT_RATE;
  return 0;
}

int
osm_limit_set (struct osm_store *store, const char *id, enum osm_limit_mode mode, uint64_t rate,
               struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *fact = json_object ();
  OSM_CLEANUP_FREE char *text = NULL;
  char size[OSM_HUMAN_LEN];

  if (mode == OSM_LIMIT_RATE)
    json_object_set_new (fact, "bytes_per_second", json_integer ((json_int_t)rate));
  text = mode == OSM_LIMIT_AUTO ? osm_strdup ("limit: by the configuration")
         : rate > 0             ? osm_asprintf ("limit: %s/s", osm_human_size (rate, size))
                                : osm_strdup ("limit: none");
  if (osm_store_fact_set (store, id, FACT, fact, err) == -1)
    return -1;
  return osm_store_event_add (store, id, text, err);
}

int
osm_limit_now (struct osm_store *store, const struct osm_config *config, const char *id,
               uint64_t *ret_rate, bool *ret_manual, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *fact = NULL;
  const json_t *rate;

  if (osm_store_fact_get (store, id, FACT, &fact, err) == -1)
    return -1;
  rate = json_object_get (fact, "bytes_per_second");
  *ret_manual = json_is_integer (rate);
  *ret_rate = *ret_manual ? (uint64_t)json_integer_value (rate)
                          : osm_rate_at (&config->limits, time (NULL));
  return 0;
}

int
osm_limit_for_start (struct osm_migration *m, json_t *params, struct osm_error *err)
{
  uint64_t rate;
  bool manual;

  if (osm_limit_now (m->context.store, m->context.config, m->row->id, &rate, &manual, err) == -1)
    return -1;
  json_object_set_new (params, "group", json_string (m->row->id));
  json_object_set_new (params, "group_limit_bytes_per_second", json_integer ((json_int_t)rate));
  return 0;
}

static void
tell (struct osm_migration *m, uint64_t rate, bool manual)
{
  char size[OSM_HUMAN_LEN];
  OSM_CLEANUP_FREE char *text =
      rate > 0 ? osm_asprintf ("limit: %s/s%s", osm_human_size (rate, size),
                               manual ? "" : " (by the configuration, at this time)")
               : osm_strdup ("limit: none");

  osm_ui_event (m->context.ui,
                osm_json_pack ("{s:s, s:s, s:I, s:b}", "event", "limit", "id", m->row->id,
                               "bytes_per_second", (json_int_t)rate, "manual", manual),
                text);
}

void
osm_limit_apply (struct osm_migration *m)
{
  uint64_t now = osm_now_ms (), rate;
  bool manual;
  OSM_ERROR (why);

  if (m->limit_at_ms && now - m->limit_at_ms < LOOK_MS)
    return;
  m->limit_at_ms = now;
  if (osm_limit_now (m->context.store, m->context.config, m->row->id, &rate, &manual, &why) == -1) {
    osm_debug ("limit: %s", why.message);
    return;
  }
  if (m->limit_told == rate + 1)
    return;
  if (osm_migration_agent (
          m, OSM_DESTINATION, "copy.limit",
          osm_json_pack ("{s:s, s:I}", "group", m->row->id, "bytes_per_second", (json_int_t)rate),
          AGENT_TIMEOUT_MS, NULL, &why) == 0) {
    /* That there never was one goes without saying. */
    if (rate > 0 || m->limit_told > 0)
      tell (m, rate, manual);
    m->limit_told = rate + 1;
  }
  else if (rate > 0)
    osm_warning ("limit not set: %s", why.message);
}
