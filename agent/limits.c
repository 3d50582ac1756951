/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/limits.h"

#include <string.h>

#include "agent/paths.h"
#include "agent/share.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "common/strbuf.h"

#define FILE_MAX 4096
#define LOOK_MS 1000     /* over so long it is seen what a copy uses */
#define START_MS 3000    /* for connecting; before that it may want all */
#define IDLE_PERCENT 70  /* who uses less of its share leaves the rest to others */
#define DEMAND_MIN 65536 /* room in which it shows that it wants more again */

struct osm_limits {
  uint64_t host;
};

static char *
path_of_file (void)
{
  return osm_asprintf ("%s/limits.json", osm_path_state ());
}

int
osm_limits_load (struct osm_limits **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = path_of_file (), *text = NULL;
  OSM_CLEANUP_JSON json_t *file = NULL;
  struct osm_limits *limits;
  size_t len;

  /* A limit that cannot be read must not become no limit. */
  if (osm_file_exists (path) && (osm_file_read (path, FILE_MAX, &text, &len, err) == -1 ||
                                 osm_json_parse (text, len, path, &file, err) == -1)) {
    osm_error_hint (err, "remove it, and set the limit again: osm-controller throttle");
    return -1;
  }
  limits = osm_calloc (1, sizeof *limits);
  limits->host = osm_json_uint (file, "host_bytes_per_second");
  *ret = limits;
  return 0;
}

void
osm_limits_free (struct osm_limits *limits)
{
  free (limits);
}

uint64_t
osm_limits_host (const struct osm_limits *limits)
{
  return limits->host;
}

int
osm_limits_set_host (struct osm_limits *limits, uint64_t bytes_per_second, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = path_of_file (), *text = NULL;
  OSM_CLEANUP_JSON json_t *file =
      osm_json_pack ("{s:I}", "host_bytes_per_second", (json_int_t)bytes_per_second);

  text = osm_json_dump (file);
  if (osm_file_write (path, text, strlen (text), 0600, err) == -1)
    return -1;
  limits->host = bytes_per_second;
  return 0;
}

/* A copy that zeroes, or whose source is slow, does not use its share. */
static void
look_at_demand (const struct osm_limited *c, uint64_t now_ms)
{
  struct osm_limit *l = c->limit;
  uint64_t used, span;

  if (l->started_ms == 0) {
    l->started_ms = l->at_ms = now_ms;
    l->sent_bytes = c->sent_bytes;
    return;
  }
  span = now_ms - l->at_ms;
  if (span < LOOK_MS)
    return;
  used = c->sent_bytes > l->sent_bytes ? c->sent_bytes - l->sent_bytes : 0;
  used = (uint64_t)((double)used * 1000 / (double)span);
  l->sent_bytes = c->sent_bytes;
  l->at_ms = now_ms;
  if (now_ms - l->started_ms < START_MS || l->bytes_per_second == 0 ||
      used >= l->bytes_per_second / 100 * IDLE_PERCENT)
    l->demand = 0;
  else
    l->demand = 2 * used > DEMAND_MIN ? 2 * used : DEMAND_MIN;
}

json_t *
osm_limit_json (const struct osm_limit *limit)
{
  return osm_json_pack ("{s:I, s:i}", "bytes_per_second", (json_int_t)limit->bytes_per_second,
                        "connections", (int)limit->connections);
}

static void
tell (const struct osm_limited *c)
{
  struct osm_limit *l = c->limit;
  OSM_CLEANUP_JSON json_t *frame = NULL;
  OSM_ERROR (err);

  if (c->child->pid > 0) {
    if (l->told_bytes_per_second == l->bytes_per_second && l->told_connections == l->connections)
      return;
    frame = osm_json_pack ("{s:o}", "limit", osm_limit_json (l));
    if (osm_child_tell (c->child, frame, &err) == -1) {
      osm_debug ("limit of a worker: %s", err.message);
      return; /* the next time */
    }
  }
  l->told_bytes_per_second = l->bytes_per_second;
  l->told_connections = l->connections;
}

void
osm_limits_share (const struct osm_limits *limits, const struct osm_limited *copies, size_t n,
                  uint64_t now_ms)
{
  OSM_CLEANUP_FREE struct osm_share *shares = osm_calloc (n ? n : 1, sizeof *shares);

  for (size_t i = 0; i < n; i++) {
    const struct osm_limited *c = &copies[i];

    look_at_demand (c, now_ms);
    shares[i] = (struct osm_share){
      .group = osm_json_str (c->params, "group"),
      .limit = osm_json_uint (c->params, "limit_bytes_per_second"),
      .group_limit = osm_json_uint (c->params, "group_limit_bytes_per_second"),
      .demand = c->limit->demand ? c->limit->demand : UINT64_MAX,
    };
  }
  osm_share_rates (shares, n, limits->host);
  for (size_t i = 0; i < n; i++) {
    copies[i].limit->bytes_per_second = shares[i].rate;
    copies[i].limit->connections = osm_share_connections (n);
  }
  /* First those who get less, so that there is never more than the limit. */
  for (int more = 0; more < 2; more++)
    for (size_t i = 0; i < n; i++) {
      const struct osm_limit *l = copies[i].limit;
      bool gets_more = l->told_connections > 0 && l->told_bytes_per_second != 0 &&
                       (l->bytes_per_second == 0 || l->bytes_per_second > l->told_bytes_per_second);

      if (gets_more == (more == 1))
        tell (&copies[i]);
    }
}
