/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/bulk.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/tenant/carried.h"
#include "controller/tenant/fetch.h"

/* Neutron answers when all are made: a request must end before proxies lose patience. */
#define MOST_AT_ONCE 100

/* What else went wrong is told when it is tried one by one. */
static int
only_if_interrupted (struct osm_error *why, struct osm_error *err)
{
  if (why->class != OSM_ERROR_INTERRUPTED)
    return 0;
  osm_error_move (err, why);
  return -1;
}

/* Into {VALUE OF bulk_by: [{"row", "body"}]}. */
static int
sort_row (struct osm_cloud *cloud, const struct osm_tenant_type *type,
          struct osm_inventory *inventory, const json_t *extensions, json_t *row, json_t *groups,
          struct osm_error *err)
{
  OSM_CLEANUP_FREE char *dropped = NULL;
  OSM_CLEANUP_JSON json_t *entry = NULL, *body = NULL;
  OSM_ERROR (why);
  const char *by;
  json_t *group;

  if (!osm_str_equal (osm_json_str (row, "result"), "missing"))
    return 0;
  /* What is left out of it, or must not be, is told when it is made by itself. */
  if (osm_carried_known (cloud, type, extensions, json_object_get (row, "entry"), &entry, &dropped,
                         &why) == -1 ||
      dropped)
    return 0;
  if (osm_fetch_body (cloud, type, inventory, entry, NULL, &body, &why) == -1)
    return only_if_interrupted (&why, err);
  by = osm_json_str (body, type->bulk_by);
  if (!by)
    return 0;
  group = json_object_get (groups, by);
  if (!group) {
    group = json_array ();
    json_object_set_new (groups, by, group);
  }
  json_array_append_new (group, osm_json_pack ("{s:O, s:O}", "row", row, "body", body));
  return 0;
}

/* Those from `first` on. */
static int
make_some (struct osm_cloud *cloud, const struct osm_tenant_type *type, const json_t *group,
           size_t first, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *bodies = json_array (), *request = NULL, *made = NULL;
  OSM_ERROR (why);
  size_t n;

  for (n = 0; n < MOST_AT_ONCE && first + n < json_array_size (group); n++)
    json_array_append (bodies, json_object_get (json_array_get (group, first + n), "body"));
  if (n < 2)
    return 0;
  request = osm_json_pack ("{s:O}", type->list_key, bodies);
  if (osm_cloud_post (cloud, type->service, type->member_path, request, type->list_key, &made,
                      &why) == -1)
    return only_if_interrupted (&why, err);
  /* In the order of the request. */
  for (size_t i = 0; i < n && json_array_size (made) == n; i++)
    json_object_set (json_object_get (json_array_get (group, first + i), "row"), "made",
                     json_array_get (made, i));
  return 0;
}

int
osm_bulk_make (struct osm_cloud *cloud, const struct osm_tenant_type *type,
               struct osm_inventory *inventory, const json_t *extensions, const json_t *rows,
               struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *groups = json_object ();
  const char *by;
  json_t *row, *group;
  size_t i;

  if (!type->bulk_by)
    return 0;
  json_array_foreach (rows, i, row)
  {
    if (sort_row (cloud, type, inventory, extensions, row, groups, err) == -1)
      return -1;
  }
  json_object_foreach (groups, by, group) for (i = 0; i < json_array_size (group);
                                               i += MOST_AT_ONCE)
  {
    if (make_some (cloud, type, group, i, err) == -1)
      return -1;
  }
  return 0;
}
