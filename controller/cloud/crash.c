/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cloud/crash.h"

#ifdef OSM_CRASH_POINTS

#include <string.h>

#include "common/cleanup.h"
#include "common/parse.h"
#include "common/strbuf.h"

/* Ids are others each time. */
static void
add_path (struct osm_strbuf *b, const char *path)
{
  while (*path) {
    size_t len = strcspn (path + 1, "/") + 1;
    OSM_CLEANUP_FREE char *element = osm_strndup (path + 1, len - 1);

    osm_strbuf_addf (b, "/%s", osm_is_uuid (element) ? "*" : element);
    path += len;
  }
}

void
osm_cloud_crash_point (const struct osm_cloud *cloud, const struct osm_request *request,
                       enum osm_crash when)
{
  const char *action = json_object_iter_key (json_object_iter ((json_t *)request->body));
  OSM_STRBUF (b);

  if (strcmp (request->method, "GET") == 0 || osm_str_equal (action, "os-getConsoleOutput"))
    return;
  osm_strbuf_addf (&b, "%s %s ", osm_cloud_name (cloud), request->method);
  add_path (&b, request->path);
  if (action && strcmp (request->method, "POST") == 0)
    osm_strbuf_addf (&b, " %s", action);
  osm_crash_point (when, osm_strbuf_str (&b));
}

#endif
