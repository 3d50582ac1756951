/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/sparse.h"

#include "controller/migration/devices.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/log.h"
#include "common/parse.h"
#include "common/quote.h"
#include "common/strbuf.h"

#define AGENT_TIMEOUT_MS 60000
/* A smaller volume is copied before the appliance has booted. */
#define SIZE_MIN_BYTES (UINT64_C (1) << 30)

char *
osm_sparse_id (const struct osm_migration *m, size_t index)
{
  return osm_asprintf ("%s-sparse-%zu", m->row->id, index);
}

static bool
job_is (const json_t *job, const char *state)
{
  return osm_str_equal (osm_json_str (job, "state"), state);
}

static json_int_t
free_bytes (const json_t *job)
{
  return json_integer_value (json_object_get (job, "free_bytes"));
}

static bool
source_can (const struct osm_migration *m)
{
  size_t i;
  const json_t *one;

  json_array_foreach (json_object_get (osm_link_hello (m->host[OSM_SOURCE]->link), "features"), i,
                      one) if (osm_str_equal (json_string_value (one), "sparse")) return true;
  return false;
}

/* Once and for all: a digest that was made without a map cannot be compared with a copy that used one. */
static int
is_wanted (struct osm_migration *m, const json_t *volume, bool *ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *key = osm_asprintf ("sparse:%s", osm_json_str (volume, "id"));
  OSM_CLEANUP_JSON json_t *fact = NULL;

  if (osm_store_fact_get (m->context.store, m->row->id, key, &fact, err) == -1)
    return -1;
  if (!fact) {
    fact = osm_json_pack ("{s:b}", "wanted",
                          osm_volume_bytes (volume) >= SIZE_MIN_BYTES && source_can (m) &&
                              strcmp (m->context.config->sparse, "off") != 0);
    if (osm_store_fact_set (m->context.store, m->row->id, key, fact, err) == -1)
      return -1;
  }
  *ret = json_is_true (json_object_get (fact, "wanted"));
  return 0;
}

int
osm_sparse_start (struct osm_migration *m, const json_t *volume, size_t index, json_t **ret,
                  struct osm_error *err)
{
  OSM_CLEANUP_FREE char *id = osm_sparse_id (m, index), *volume_id = NULL;
  OSM_ERROR (refused);
  bool wanted;

  if (is_wanted (m, volume, &wanted, err) == -1)
    return -1;
  if (!wanted)
    return 0;
  if (osm_source_exported_id (m, volume, &volume_id, err) == -1)
    return -1;
  /* Without the map the copy takes longer, that is all. */
  if (osm_migration_agent (m, OSM_SOURCE, "sparse.start",
                           osm_json_pack ("{s:s, s:s, s:I}", "id", id, "volume_id", volume_id,
                                          "size_bytes", (json_int_t)osm_devices_bytes (m, volume)),
                           AGENT_TIMEOUT_MS, ret, &refused) == -1) {
    osm_debug ("sparse.start: %s", refused.message);
    *ret = osm_json_pack ("{s:s}", "state", "cancelled");
  }
  return 0;
}

bool
osm_sparse_pending (const json_t *job, const json_t *copy)
{
  /* One that failed may have written its map before. */
  return job && !job_is (copy, "done") && !(job_is (job, "done") && free_bytes (job) == 0);
}

static char *
text_of (const json_t *object, const char *key)
{
  const char *text = osm_json_str (object, key);

  return osm_quote_terminal (text ? text : "?");
}

void
osm_sparse_tell (struct osm_migration *m, const json_t *volume, json_t *job)
{
  const char *label = osm_volume_label (volume), *why;
  size_t i;
  json_t *one;

  if (!job || json_object_get (job, "told") || job_is (job, "running"))
    return;
  json_object_set_new (job, "told", json_true ());
  why = osm_json_str (json_object_get (job, "error"), "message");
  if (why) {
    OSM_CLEANUP_FREE char *text = osm_quote_terminal (why),
                          *line = osm_asprintf ("warning: volume '%s': its free space is copied "
                                                "too: %s",
                                                label, text);

    osm_ui_event (m->context.ui,
                  osm_json_pack ("{s:s, s:s, s:s}", "event", "sparse-failed", "volume_id",
                                 osm_json_str (volume, "id"), "message", why),
                  line);
    return;
  }
  json_array_foreach (json_object_get (job, "found"), i, one)
  {
    OSM_CLEANUP_FREE char *device = text_of (one, "device"), *type = text_of (one, "type"),
                          *left = osm_quote_terminal (osm_json_str (one, "left")), *where = NULL,
                          *line = NULL;
    json_t *event = json_is_object (one) ? json_copy (one) : json_object ();
    char size[OSM_HUMAN_LEN], unused[OSM_HUMAN_LEN];

    osm_human_size ((uint64_t)json_integer_value (json_object_get (one, "size_bytes")), size);
    osm_human_size ((uint64_t)free_bytes (one), unused);
    where =
        osm_str_equal (device, "whole volume") ? osm_strdup ("") : osm_asprintf (", %s", device);
    line = left
               ? osm_asprintf ("warning: volume '%s'%s (%s, %s) is copied whole: %s", label, where,
                               type, size, left)
               : osm_asprintf ("volume '%s'%s (%s, %s): %s free", label, where, type, size, unused);
    json_object_set_new (event, "event", json_string ("sparse"));
    json_object_set (event, "volume_id", json_object_get (volume, "id"));
    osm_ui_event (m->context.ui, event, line);
  }
}

int
osm_sparse_decide (struct osm_migration *m, const json_t *volume, size_t index, json_t **job,
                   const json_t *copy, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *id = osm_sparse_id (m, index),
                        *key = osm_asprintf ("free:%s", osm_json_str (volume, "id"));
  OSM_CLEANUP_JSON json_t *fact = NULL;

  if (job_is (*job, "running")) {
    OSM_ERROR (ignored);
    json_t *answer = NULL;

    if (osm_migration_agent (m, OSM_SOURCE, "job.cancel", osm_json_pack ("{s:s}", "id", id),
                             AGENT_TIMEOUT_MS, &answer, &ignored) == -1)
      osm_debug ("cancel %s: %s", id, ignored.message);
    if (answer) {
      json_decref (*job);
      *job = answer;
    }
  }
  fact = osm_json_pack ("{s:I}", "free_bytes", free_bytes (copy));
  return osm_store_fact_set (m->context.store, m->row->id, key, fact, err);
}

int
osm_sparse_add_free (struct osm_migration *m, const json_t *volume, size_t index, json_t *params,
                     struct osm_error *err)
{
  OSM_CLEANUP_FREE char *id = osm_sparse_id (m, index),
                        *key = osm_asprintf ("free:%s", osm_json_str (volume, "id"));
  OSM_CLEANUP_JSON json_t *fact = NULL;

  if (osm_store_fact_get (m->context.store, m->row->id, key, &fact, err) == -1)
    return -1;
  if (free_bytes (fact) > 0)
    osm_json_set_str (params, "free", id);
  return 0;
}
