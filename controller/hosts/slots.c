/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/hosts/hosts.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"
#include "controller/hosts/internal.h"

int
osm_host_volumes (struct osm_cloud *cloud, const char *server_id, json_t **ret,
                  struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *server = NULL, *attachments = NULL;
  size_t i;
  json_t *attachment;

  if (osm_server_get (cloud, server_id, &server, err) == -1 ||
      osm_server_attachments (cloud, server_id, &attachments, err) == -1)
    return -1;
  *ret = json_array ();
  json_array_foreach (attachments, i, attachment)
  {
    if (!osm_host_is_boot_volume (server, attachments, attachment))
      json_array_append (*ret, json_object_get (attachment, "volume_id"));
  }
  return 0;
}

int
osm_is_conversion_host (struct osm_cloud *cloud, const char *server_id, bool *ret,
                        struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *server = NULL;

  *ret = false;
  if (osm_server_get (cloud, server_id, &server, err) == -1) {
    if (!osm_error_not_found (err))
      return -1;
    osm_error_clear (err);
    return 0;
  }
  *ret = osm_str_equal (osm_json_str (json_object_get (server, "metadata"), OSM_MARK_ROLE),
                        OSM_ROLE_HOST);
  return 0;
}
