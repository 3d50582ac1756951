/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/projects.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/tenant/convert.h"
#include "controller/tenant/datafile.h"
#include "controller/tenant/export.h"
#include "controller/tenant/types.h"

#define FOLDER "projects"
#define ID_FILE OSM_EXPORT_BASE "/project-id"
#define MAX_ID 255

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
  OSM_CLEANUP_JSON json_t *text = NULL;

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
  /* Not UTF-8: nobody's name. */
  text = json_string (osm_strbuf_str (&b));
  return text ? osm_strbuf_take (&b) : NULL;
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

/* The id at the source of the project that is called so in the files. NULL: not known, or several are. */
static const char *
id_of (const json_t *known, const char *domain, const char *name)
{
  const char *id, *found = NULL;
  json_t *p;
  size_t n = 0;

  json_object_foreach ((json_t *)known, id, p)
  {
    if (!osm_str_equal (osm_json_str (p, "name"), name) ||
        (domain && !osm_str_equal (osm_json_str (p, "domain_name"), domain)))
      continue;
    found = id;
    n++;
  }
  return n == 1 ? found : NULL;
}

static const json_t *
by_id (const json_t *projects, const char *id)
{
  const json_t *p;
  size_t i;

  json_array_foreach (projects, i, p)
  {
    if (id && osm_str_equal (osm_json_str (p, "id"), id))
      return p;
  }
  return NULL;
}

const json_t *
osm_projects_mapped (const json_t *projects, const json_t *rows, const json_t *known,
                     const char *domain, const char *name)
{
  const char *source_id = id_of (known, domain, name);
  const json_t *row, *p, *found = NULL;
  size_t i, n = 0;

  json_array_foreach (rows, i, row)
  {
    const char *of = osm_json_str (row, "source_id");

    if (!osm_str_equal (osm_json_str (row, "type"), "projects"))
      continue;
    p = by_id (projects, osm_json_str (row, "destination_id"));
    /* Without its id: by the name, unless the row is another one's. Only what was registered may be in another domain. */
    if (source_id
            ? !osm_str_equal (of, source_id)
            : !osm_str_equal (osm_json_str (row, "name"), name) ||
                  (of && json_object_get (known, of)) ||
                  (domain && p && !osm_str_equal (osm_json_str (row, "origin"), "registered") &&
                   !osm_str_equal (osm_json_str (p, "domain_name"), domain)))
      continue;
    found = p;
    n++;
  }
  return n == 1 ? found : NULL;
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

    json_t *one;

    if (!id || !name || !domain || json_is_true (json_object_get (p, "is_domain")))
      continue;
    one = project (id, domain_name ? domain_name : domain, name);
    json_object_set (one, "domain_id", json_object_get (p, "domain_id"));
    json_array_append_new (list, one);
  }
  *ret = osm_tenant_sorted (list, "label");
  return 0;
}

/* ---- of a folder ---- */

static bool
is_folder (const char *path, const char *name)
{
  OSM_CLEANUP_FREE char *full = osm_asprintf ("%s/%s", path, name);
  struct stat st;

  return stat (full, &st) == 0 && S_ISDIR (st.st_mode);
}

static int
no_folder (const char *path, const char *what, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *shown = osm_quote_terminal (path);

  osm_error_set (err, OSM_ERROR_USER, 0, "%s is no folder of a %s", shown, what);
  return osm_error_hint (err,
                         "osm names them by what they are called, with %%XX for bytes of UTF-8");
}

/* Names of the folders in a folder; none if that is not there. */
static int
folders (const char *path, char ***ret, struct osm_error *err)
{
  DIR *d = opendir (path);
  const struct dirent *e;

  if (!d)
    return errno == ENOENT ? 0 : osm_error_set_errno (err, errno, "%s", path);
  while ((e = readdir (d)) != NULL)
    if (*e->d_name != '.' && is_folder (path, e->d_name))
      osm_strv_append (ret, e->d_name);
  closedir (d);
  return 0;
}

/* With the id that the last export has noted, if one has. */
static json_t *
exported (const char *data_dir, const char *domain, const char *name)
{
  OSM_CLEANUP_FREE char *folder = osm_projects_folder (data_dir, domain, name),
                        *path = osm_asprintf ("%s/" ID_FILE, folder), *id = NULL;
  OSM_CLEANUP_JSON json_t *text = NULL;
  json_t *p = project (NULL, domain, name);
  size_t len = 0;
  OSM_ERROR (ignored);

  if (osm_file_read (path, MAX_ID, &id, &len, &ignored) == 0)
    text = json_stringn (id, len);
  if (text)
    json_object_set (p, "source_id", text);
  return p;
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
      return domain ? -1 : no_folder (path, "domain", err);
    for (size_t n = 0; names && names[n]; n++) {
      OSM_CLEANUP_FREE char *name = osm_projects_unquote (names[n]),
                            *full = osm_asprintf ("%s/%s", path, names[n]);

      if (!name)
        return no_folder (full, "project", err);
      json_array_append_new (list, exported (data_dir, domain, name));
    }
  }
  *ret = osm_tenant_sorted (list, "label");
  return 0;
}

/* ---- ids of the source ---- */

int
osm_projects_note_id (const char *folder, const char *id, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/" ID_FILE, folder);

  return osm_file_write (path, id, strlen (id), 0600, err);
}

static void
know (json_t *known, const char *id, const char *domain, const char *name)
{
  if (id && *id && domain && name)
    json_object_set_new (known, id,
                         osm_json_pack ("{s:s, s:s}", "domain_name", domain, "name", name));
}

json_t *
osm_projects_known (const char *data_dir, const json_t *exported)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/%s", data_dir, osm_type_project.file);
  OSM_CLEANUP_DATAFILE struct osm_datafile *file = NULL;
  json_t *known = json_object ();
  const json_t *p;
  size_t i;
  OSM_ERROR (ignored);

  json_array_foreach (exported, i, p)
      know (known, osm_json_str (p, "source_id"), osm_json_str (p, "domain_name"),
            osm_json_str (p, "name"));
  /* Whoever imports that file is told what is wrong with it. */
  if (!osm_file_exists (path) || osm_datafile_load (path, &file, &ignored) == -1)
    return known;
  json_array_foreach (osm_datafile_resources (file), i, p)
  {
    const json_t *params = json_object_get (p, "params");
    OSM_CLEANUP_FREE char *id = osm_tenant_entry_id (p);

    if (!json_object_get (known, id))
      know (known, id, osm_json_str (json_object_get (params, "domain_ref"), "name"),
            osm_json_str (params, "name"));
  }
  return known;
}
