/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/hosts/home.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"

#define DELETE "delete"

char *
osm_home_text (const char *server_id, const char *device, bool delete_on_termination)
{
  return osm_asprintf ("%s:%s%s", server_id, device ? device : "",
                       delete_on_termination ? ":" DELETE : "");
}

json_t *
osm_home_parse (const char *text)
{
  OSM_CLEANUP_STRV char **parts = text ? osm_strv_split (text, ':') : NULL;
  size_t n = osm_strv_len (parts);

  if (n < 2 || n > 3 || !*parts[0] || (n == 3 && !osm_str_equal (parts[2], DELETE)))
    return NULL;
  return osm_json_pack ("{s:s, s:s?, s:b}", "server_id", parts[0], "device",
                        *parts[1] ? parts[1] : NULL, "delete_on_termination", n == 3);
}
