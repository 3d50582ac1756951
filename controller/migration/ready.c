/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/internal.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "controller/cloud/volume.h"

#define MAX_TRIES 2

static int
get (struct osm_migration *m, const struct osm_making *making, const char *id, json_t **ret,
     struct osm_error *err)
{
  struct osm_cloud *cloud = m->context.cloud[making->side];

  return making->kind == OSM_MADE_SNAPSHOT ? osm_snapshot_get (cloud, id, ret, err)
                                           : osm_volume_get (cloud, id, ret, err);
}

/* On its way to a server, or there: it was available before. */
static bool
is_past_available (const json_t *object)
{
  static const char *const states[] = { "reserved", "attaching", "in-use", "detaching" };
  const char *status = osm_json_str (object, "status");

  for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
    if (osm_str_equal (status, states[i]))
      return true;
  }
  return false;
}

static int
wait_for (struct osm_migration *m, const struct osm_making *making, const char *id,
          uint64_t timeout_ms, struct osm_error *err)
{
  struct osm_cloud *cloud = m->context.cloud[making->side];
  OSM_CLEANUP_JSON json_t *now = NULL;

  if (making->kind == OSM_MADE_SNAPSHOT)
    return osm_snapshot_wait (cloud, id, "available", timeout_ms, NULL, err);
  if (get (m, making, id, &now, err) == -1)
    return -1;
  return is_past_available (now) ? 0
                                 : osm_volume_wait (cloud, id, "available", timeout_ms, NULL, err);
}

/* Did Cinder not manage to make it? */
static bool
is_broken (struct osm_migration *m, const struct osm_making *making, const char *id)
{
  OSM_CLEANUP_JSON json_t *now = NULL;
  OSM_ERROR (ignored);

  return get (m, making, id, &now, &ignored) == 0 &&
         osm_str_equal (osm_json_str (now, "status"), "error");
}

int
osm_make_ready (struct osm_migration *m, const struct osm_making *making, uint64_t timeout_ms,
                char **ret_id, struct osm_error *err)
{
  for (unsigned tries = 1;; tries++) {
    OSM_CLEANUP_FREE char *id = NULL;
    OSM_ERROR (why);

    if (osm_make (m, making, &id, err) == -1)
      return -1;
    if (wait_for (m, making, id, timeout_ms, &why) == 0) {
      *ret_id = osm_take (id);
      return 0;
    }
    if (tries == MAX_TRIES || why.class != OSM_ERROR_REMOTE || !is_broken (m, making, id)) {
      osm_error_move (err, &why);
      return -1;
    }
    osm_warning ("%s; made anew", why.message);
    if (osm_unmake (m, making->side, making->kind, making->role, err) == -1)
      return -1;
  }
}
