/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cloud/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"

/* The microversions that this code was written for (Zed), and each service's types in catalogues old and new.
 * https://docs.openstack.org/nova/latest/reference/api-microversion-history.html
 * https://docs.openstack.org/cinder/latest/contributor/api_microversion_history.html */
static const struct {
  const char *name, *types[4], *version_path, *microversion;
} services[OSM_NR_SERVICES] = {
  [OSM_IDENTITY] = { "identity", { "identity" }, "/v3", NULL },
  [OSM_COMPUTE] = { "compute", { "compute" }, "/v2.1", "2.93" },
  [OSM_VOLUME] = { "volume", { "block-storage", "volumev3", "volume", "volumev2" }, "/v3", "3.70" },
  [OSM_NETWORK] = { "network", { "network" }, "/v2.0", NULL },
  [OSM_IMAGE] = { "image", { "image" }, "/v2", NULL },
};
#define NR_TYPES (sizeof services[0].types / sizeof services[0].types[0])

const char *
osm_service_name (enum osm_service service)
{
  return services[service].name;
}

const char *
osm_service_microversion (enum osm_service service)
{
  return services[service].microversion;
}

const char *
osm_catalog_find (const json_t *catalog, enum osm_service service, const char *region,
                  const char *interface)
{
  size_t i, j;
  const json_t *entry, *endpoint;

  for (size_t k = 0; k < NR_TYPES && services[service].types[k]; k++) {
    json_array_foreach (catalog, i, entry)
    {
      if (!osm_str_equal (osm_json_str (entry, "type"), services[service].types[k]))
        continue;
      json_array_foreach (json_object_get (entry, "endpoints"), j, endpoint)
      {
        const char *where = osm_json_str (endpoint, "region_id");

        if (!where)
          where = osm_json_str (endpoint, "region");
        if (osm_str_equal (osm_json_str (endpoint, "interface"), interface) &&
            (!region || osm_str_equal (where, region)) && osm_json_str (endpoint, "url"))
          return osm_json_str (endpoint, "url");
      }
    }
  }
  return NULL;
}

const char *
osm_catalog_override (const json_t *overrides, enum osm_service service)
{
  for (size_t k = 0; k < NR_TYPES && services[service].types[k]; k++) {
    OSM_CLEANUP_FREE char *type = osm_strdup (services[service].types[k]);

    for (char *p = type; *p; p++)
      if (*p == '-')
        *p = '_';
    if (osm_json_str (overrides, type))
      return osm_json_str (overrides, type);
  }
  return NULL;
}

/* ---- paths ---- */

/* Where the path starts: "/v3" of "http://h/v3" (or "/v3" itself). */
static const char *
path_of (const char *url)
{
  const char *host = strstr (url, "://");

  return host ? host + 3 + strcspn (host + 3, "/") : url;
}

/* The first part of the path that is a version ("v2", "v2.1"), at its slash; NULL if there is none. */
static const char *
find_version (const char *path, size_t *ret_len)
{
  static const char digits[] = "0123456789";

  for (const char *slash = strchr (path, '/'); slash; slash = strchr (slash + 1, '/')) {
    size_t n = 2;

    if (slash[1] != 'v' || strspn (slash + n, digits) == 0)
      continue;
    n += strspn (slash + n, digits);
    if (slash[n] == '.')
      n += 1 + strspn (slash + n + 1, digits);
    if (slash[n] == '\0' || slash[n] == '/' || slash[n] == '?') {
      *ret_len = n;
      return slash;
    }
  }
  return NULL;
}

char *
osm_endpoint_base (const char *url, enum osm_service service)
{
  OSM_CLEANUP_FREE char *base = NULL;
  const char *version;
  size_t n = strlen (url);

  while (n && url[n - 1] == '/')
    n--;
  base = osm_strndup (url, n);
  version = find_version (path_of (base), &n);
  if (!version)
    return osm_asprintf ("%s%s", base, services[service].version_path);
  return osm_asprintf ("%.*s%s%s", (int)(version - base), base, services[service].version_path,
                       version + n);
}

char *
osm_endpoint_root (const char *base)
{
  size_t n = 0;
  const char *version = find_version (path_of (base), &n);

  return version ? osm_asprintf ("%.*s/", (int)(version - base + (ptrdiff_t)n), base)
                 : osm_asprintf ("%s/", base);
}

char *
osm_endpoint_link (const char *base, const char *href)
{
  const char *base_path = path_of (base), *path = path_of (href), *version, *base_version;
  size_t len = strlen (base_path), n = 0, base_n = 0;

  if (len > 0 && strncmp (path, base_path, len) == 0 && (path[len] == '/' || path[len] == '?'))
    return osm_strdup (path + len);
  version = find_version (path, &n);
  base_version = find_version (base_path, &base_n);
  if (!version || !base_version)
    return osm_strdup (path);
  /* What follows the version in the base, a project id, is not below it. */
  base_version += base_n;
  version += n;
  len = strlen (base_version);
  return osm_strdup (strncmp (version, base_version, len) == 0 ? version + len : version);
}

/* ---- microversions ---- */

/* "2.93": two numbers of at most five digits. */
static bool
split_microversion (const char *s, unsigned *major, unsigned *minor)
{
  static const char digits[] = "0123456789";
  size_t n = s ? strspn (s, digits) : 0, m;

  if (n == 0 || n > 5 || s[n] != '.')
    return false;
  m = strspn (s + n + 1, digits);
  if (m == 0 || m > 5 || s[n + 1 + m] != '\0')
    return false;
  *major = (unsigned)strtoul (s, NULL, 10);
  *minor = (unsigned)strtoul (s + n + 1, NULL, 10);
  return true;
}

int
osm_microversion_compare (const char *a, const char *b)
{
  unsigned a1 = 0, a2 = 0, b1 = 0, b2 = 0;

  split_microversion (a, &a1, &a2);
  split_microversion (b, &b1, &b2);
  if (a1 != b1)
    return a1 < b1 ? -1 : 1;
  return a2 < b2 ? -1 : a2 > b2;
}

char *
osm_microversion_choose (const char *min, const char *max, const char *known)
{
  unsigned major, minor;

  if (!split_microversion (max, &major, &minor) || !split_microversion (min, &major, &minor))
    return NULL;
  if (osm_microversion_compare (max, known) <= 0)
    return osm_strdup (max);
  return osm_microversion_compare (min, known) <= 0 ? osm_strdup (known) : NULL;
}

const json_t *
osm_version_of (const json_t *answer)
{
  const json_t *version = json_object_get (answer, "version"), *candidate, *found = NULL;
  size_t i;

  if (version)
    return version;
  /* A list: the one with microversions. */
  json_array_foreach (json_object_get (answer, "versions"), i, candidate)
  {
    const char *max = osm_json_str (candidate, "version");

    if (max && *max)
      found = candidate;
  }
  return found;
}
