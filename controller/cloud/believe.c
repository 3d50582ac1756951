/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cloud/believe.h"

#include <string.h>

#include "common/json.h"
#include "controller/cloud/catalog.h"

/* What a service calls its objects becomes part of paths, file names and marks: a UUID, a number, or (flavors) a short word. */
bool
osm_cloud_is_id (const char *s)
{
  size_t n = strlen (s);

  return n > 0 && n <= 255 && strcmp (s, ".") != 0 && strcmp (s, "..") != 0 &&
         strspn (s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.: ") == n;
}

static bool
is_id (const json_t *id)
{
  if (!id || json_is_null (id) || json_is_integer (id))
    return true;
  return json_is_string (id) && osm_cloud_is_id (json_string_value (id));
}

int
osm_cloud_check_object (struct osm_cloud *cloud, enum osm_service service, const char *path,
                        const json_t *object, struct osm_error *err)
{
  static const char *const keys[] = { "id", "volumeId", "serverId", "port_id" };
  const char *name = osm_json_str (object, "name");

  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
    if (!is_id (json_object_get (object, keys[i])))
      return osm_error_set (
          err, OSM_ERROR_REMOTE, 0,
          "cloud '%s': %s: the answer to %s has an object whose '%s' is no id%s%s",
          osm_cloud_name (cloud), osm_service_name (service), path, keys[i], name ? ": " : "",
          name ? name : "");
  return 0;
}

int
osm_cloud_check_path (struct osm_cloud *cloud, enum osm_service service, const char *path,
                      struct osm_error *err)
{
  size_t query = strcspn (path, "?");
  bool bad = false;

  for (const char *p = path; *p && !bad; p++)
    bad = (unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f || strchr ("\"\\<>#^`{|}()", *p);
  for (const char *p = path; !bad && p < path + query; p++) {
    size_t n = *p == '/' ? strcspn (p + 1, "/?") : 0;

    bad = *p == '/' && ((n == 1 && p[1] == '.') || (n == 2 && p[1] == '.' && p[2] == '.'));
  }
  return bad ? osm_error_set (err, OSM_ERROR_REMOTE, 0,
                              "cloud '%s': %s: an answer leads to the path '%s', which is none of "
                              "this API",
                              osm_cloud_name (cloud), osm_service_name (service), path)
             : 0;
}
