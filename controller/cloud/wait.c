/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cloud/wait.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/parse.h"
#include "common/strbuf.h"

#define FIRST_POLL_MS 250
#define SLOWEST_POLL_MS 5000

/* What counts as progress: any change of these. */
static char *
fingerprint (const json_t *object)
{
  static const char *const keys[] = { "status", "OS-EXT-STS:task_state", "OS-EXT-STS:vm_state",
                                      "progress", "migration_status" };
  OSM_STRBUF (b);

  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    OSM_CLEANUP_FREE char *text = NULL;
    json_t *value = json_object_get (object, keys[i]);

    if (value)
      text = json_dumps (value, JSON_ENCODE_ANY | JSON_COMPACT);
    osm_strbuf_addf (&b, "%s|", text ? text : "");
  }
  return osm_strbuf_take (&b);
}

enum osm_wait
osm_wait_gone (struct osm_cloud *cloud, const json_t *object, void *data, struct osm_error *err)
{
  (void)cloud;
  (void)data;
  (void)err;
  return object && !osm_str_equal (osm_json_str (object, "status"), "DELETED") ? OSM_WAIT_MORE
                                                                               : OSM_WAIT_DONE;
}

int
osm_cloud_wait (struct osm_cloud *cloud, const struct osm_waiting *w, json_t **ret,
                struct osm_error *err)
{
  OSM_CLEANUP_FREE char *last = NULL;
  bool failed = false;
  uint64_t since = osm_now_ms (), delay = FIRST_POLL_MS;

  for (;;) {
    OSM_CLEANUP_JSON json_t *object = NULL;
    OSM_CLEANUP_FREE char *now = NULL;
    enum osm_wait verdict;

    if (osm_cloud_get (cloud, w->service, w->path, w->key, &object, err) == -1) {
      if (!osm_error_not_found (err))
        return -1;
      osm_error_clear (err);
    }
    verdict = w->judge (cloud, object, w->data, err);
    /* What would end a migration is looked at twice: an API server's replica may be behind. */
    if (verdict == OSM_WAIT_FAILED && failed)
      return -1;
    failed = verdict == OSM_WAIT_FAILED;
    if (failed) {
      osm_debug ("%s; looking again", err->message);
      osm_error_clear (err);
    }
    if (verdict == OSM_WAIT_DONE) {
      if (ret)
        *ret = osm_take (object);
      return 0;
    }
    now = fingerprint (object);
    if (!osm_str_equal (now, last)) {
      osm_str_set (&last, now);
      since = osm_now_ms ();
      delay = FIRST_POLL_MS;
    }
    else if (osm_now_ms () - since > w->timeout_ms) {
      char age[OSM_HUMAN_LEN];
      const char *status = osm_json_str (object, "status");

      return osm_error_set (err, OSM_ERROR_RETRY, 0,
                            "cloud '%s': %s is still %s after %s without a change, expected %s",
                            osm_cloud_name (cloud), w->what, status ? status : "there",
                            osm_human_duration (osm_now_ms () - since, age), w->wanted);
    }
    if (osm_wait_ms (delay, err) == -1)
      return -1;
    delay = delay * 13 / 10 > SLOWEST_POLL_MS ? SLOWEST_POLL_MS : delay * 13 / 10;
  }
}
