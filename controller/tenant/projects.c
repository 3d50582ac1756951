/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/projects.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/tenant/convert.h"

#define FOLDER "projects"

/* ---- pure ---- */

static json_t *
project (const char *id, const char *domain, const char *name)
{
  OSM_CLEANUP_FREE char *label = osm_asprintf ("%s/%s", domain, name);
  json_t *p =
      osm_json_pack ("{s:s, s:s, s:s}", "label", label, "domain_name", domain, "name", name);

  osm_json_set_str (p, "id", id);
  return p;
}

json_t *
osm_projects_chosen (const json_t *projects, const struct osm_filter *filter)
{
  json_t *chosen = json_array (), *p;
  size_t i;

  json_array_foreach (projects, i, p)
  {
    if (osm_filter_takes (filter, osm_json_str (p, "name")) ||
        osm_filter_takes (filter, osm_json_str (p, "label")))
      json_array_append (chosen, p);
  }
  return chosen;
}

/* "." and ".." are no names for folders. */
static char *
quote (const char *name)
{
  char *quoted = osm_quote_url (name);
  char *longer;

  if (*quoted != '.')
    return quoted;
  longer = osm_asprintf ("%%2E%s", quoted + 1);
  free (quoted);
  return longer;
}

char *
osm_projects_folder (const char *data_dir, const char *domain, const char *name)
{
  OSM_CLEANUP_FREE char *d = quote (domain), *n = quote (name);

  return osm_asprintf ("%s/" FOLDER "/%s/%s", data_dir, d, n);
}

static int
hex_digit (char c)
{
  return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

char *
osm_projects_unquote (const char *folder)
{
  OSM_STRBUF (b);

  if (*folder == '.' || *folder == '\0')
    return NULL;
  for (const char *p = folder; *p; p++) {
    char c = *p;

    if (c == '%') {
      int high = hex_digit (p[1]), low = high == -1 ? -1 : hex_digit (p[2]);

      if (low == -1 || high + low == 0)
        return NULL;
      c = (char)(high * 16 + low);
      p += 2;
    }
    osm_strbuf_add_mem (&b, &c, 1);
  }
  return osm_strbuf_take (&b);
}

int
osm_projects_find (const json_t *projects, const char *domain, const char *name, const json_t **ret,
                   struct osm_error *err)
{
  OSM_STRBUF (found);
  const json_t *p, *one = NULL;
  size_t i, n = 0;

  json_array_foreach (projects, i, p)
  {
    if (!osm_str_equal (osm_json_str (p, "name"), name) ||
        (domain && !osm_str_equal (osm_json_str (p, "domain_name"), domain)))
      continue;
    one = p;
    osm_strbuf_addf (&found, "%s%s", n++ > 0 ? ", " : "", osm_json_str (p, "label"));
  }
  if (n == 0) {
    osm_error_set (err, OSM_ERROR_USER, 404, "there is no project '%s%s%s'", domain ? domain : "",
                   domain ? "/" : "", name);
    return osm_error_hint (err, "import projects first, or say in osm.yaml which one it is: map: "
                                "{ projects: { OLD: NEW } }");
  }
  if (n > 1)
    return osm_error_set (err, OSM_ERROR_USER, 0, "there are several projects '%s': %s", name,
                          osm_strbuf_str (&found));
  *ret = one;
  return 0;
}

void
osm_projects_apply (const char *said, char **domain, char **name)
{
  const char *slash = strchr (said, '/');

  if (slash && slash > said && slash[1]) {
    OSM_CLEANUP_FREE char *d = osm_strndup (said, (size_t)(slash - said));

    osm_str_set (domain, d);
    osm_str_set (name, slash + 1);
  }
  else
    osm_str_set (name, said);
}

/* ---- of a cloud ---- */

int
osm_projects_list (struct osm_cloud *cloud, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *projects = NULL, *domains = NULL, *names = json_object (),
                          *list = json_array ();
  const json_t *p, *d;
  size_t i;

  if (!osm_cloud_is_administrator (cloud)) {
    osm_error_set (err, OSM_ERROR_USER, 403,
                   "cloud '%s': only administrators see other projects, and this user is none",
                   osm_cloud_name (cloud));
    return osm_error_hint (err, "without --projects it is the user's own project");
  }
  if (osm_cloud_list (cloud, OSM_IDENTITY, "/projects", "projects", &projects, err) == -1 ||
      osm_cloud_list (cloud, OSM_IDENTITY, "/domains", "domains", &domains, err) == -1)
    return -1;
  json_array_foreach (domains, i, d) if (osm_json_str (d, "id"))
      json_object_set (names, osm_json_str (d, "id"), json_object_get (d, "name"));
  json_array_foreach (projects, i, p)
  {
    const char *domain = osm_json_str (p, "domain_id"), *name = osm_json_str (p, "name"),
               *id = osm_json_str (p, "id"),
               *domain_name = domain ? osm_json_str (names, domain) : NULL;

    if (id && name && domain && !json_is_true (json_object_get (p, "is_domain")))
      json_array_append_new (list, project (id, domain_name ? domain_name : domain, name));
  }
  *ret = osm_tenant_sorted (list, "label");
  return 0;
}

/* ---- of a folder ---- */

/* Names of the folders in a folder; none if that is not there. */
static int
folders (const char *path, char ***ret, struct osm_error *err)
{
  DIR *d = opendir (path);
  const struct dirent *e;

  if (!d)
    return errno == ENOENT ? 0 : osm_error_set_errno (err, errno, "%s", path);
  while ((e = readdir (d)) != NULL)
    if (*e->d_name != '.')
      osm_strv_append (ret, e->d_name);
  closedir (d);
  return 0;
}

int
osm_projects_exported (const char *data_dir, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *top = osm_asprintf ("%s/" FOLDER, data_dir);
  OSM_CLEANUP_STRV char **domains = NULL;
  OSM_CLEANUP_JSON json_t *list = json_array ();

  if (folders (top, &domains, err) == -1)
    return -1;
  for (size_t i = 0; domains && domains[i]; i++) {
    OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/%s", top, domains[i]),
                          *domain = osm_projects_unquote (domains[i]);
    OSM_CLEANUP_STRV char **names = NULL;

    if (!domain || folders (path, &names, err) == -1)
      return domain ? -1
                    : osm_error_set (err, OSM_ERROR_USER, 0, "%s is no folder of a domain", path);
    for (size_t n = 0; names && names[n]; n++) {
      OSM_CLEANUP_FREE char *name = osm_projects_unquote (names[n]);

      if (!name)
        return osm_error_set (err, OSM_ERROR_USER, 0, "%s/%s is no folder of a project", path,
                              names[n]);
      json_array_append_new (list, project (NULL, domain, name));
    }
  }
  *ret = osm_tenant_sorted (list, "label");
  return 0;
}
