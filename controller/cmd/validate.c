/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <stdio.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/cmd/commands.h"
#include "controller/cmd/tenant.h"
#include "controller/tenant/datafile.h"
#include "controller/tenant/projects.h"

const struct osm_option osm_options_validate[] = {
  { "data-dir", 0, "DIR", "folder of the files (osm-data)" },
  { NULL, 0, NULL, NULL },
};

struct validation {
  json_t *problems, *files;
  size_t errors;
};

static void
add_error (struct validation *v, const struct osm_error *why)
{
  v->errors++;
  json_array_append_new (v->problems, osm_json_pack ("{s:s, s:s, s:s?}", "severity", "error",
                                                     "message", why->message, "hint", why->hint));
}

/* folder: "" or "projects/DOMAIN/NAME/" */
static void
validate (struct validation *v, const struct osm_tenant_type *type, const char *data_dir,
          const char *folder)
{
  OSM_CLEANUP_FREE char *name = osm_asprintf ("%s%s", folder, type->file),
                        *path = osm_asprintf ("%s/%s", data_dir, name);
  OSM_CLEANUP_DATAFILE struct osm_datafile *file = NULL;
  OSM_ERROR (why);

  if (!osm_file_exists (path))
    return;
  json_array_append_new (v->files, json_string (name));
  if (osm_datafile_load (path, &file, &why) == -1)
    add_error (v, &why);
  else
    v->errors += osm_datafile_check (file, type, v->problems);
}

static void
print (const struct osm_session *session, const struct validation *v)
{
  size_t i, conflicts = 0, notes = 0;
  const json_t *problem;

  json_array_foreach (v->problems, i, problem)
  {
    conflicts += osm_str_equal (osm_json_str (problem, "severity"), "conflict");
    notes += osm_str_equal (osm_json_str (problem, "severity"), "note");
  }

  if (osm_ui_get_mode (session->ui) == OSM_UI_JSON) {
    OSM_CLEANUP_JSON json_t *document = osm_json_pack (
        "{s:O, s:O, s:I, s:I, s:I}", "files", v->files, "problems", v->problems, "errors",
        (json_int_t)v->errors, "conflicts", (json_int_t)conflicts, "notes", (json_int_t)notes);

    osm_ui_json (document);
    return;
  }
  json_array_foreach (v->problems, i, problem)
  {
    OSM_CLEANUP_FREE char *message = osm_quote_terminal (osm_json_str (problem, "message")),
                          *hint = osm_quote_terminal (osm_json_str (problem, "hint"));

    printf ("%s: %s\n", osm_json_str (problem, "severity"), message);
    if (hint)
      printf ("  %s\n", hint);
  }
  printf ("%zu files, %zu errors, %zu conflicts, %zu notes\n", json_array_size (v->files),
          v->errors, conflicts, notes);
}

/* Every type, those of administrators too, unless some are named. */
static bool
is_wanted (const struct osm_args *args, const struct osm_tenant_type **types,
           const struct osm_tenant_type *type)
{
  const char *const *operands;

  if (!type->file)
    return false;
  if (osm_args_operands (args, &operands) == 0)
    return true;
  for (size_t i = 0; types[i]; i++)
    if (types[i] == type)
      return true;
  return false;
}

static void
validate_all (struct validation *v, const struct osm_args *args,
              const struct osm_tenant_type **types, const char *data_dir, const char *folder)
{
  for (size_t i = 0; osm_tenant_types[i]; i++)
    if (is_wanted (args, types, osm_tenant_types[i]))
      validate (v, osm_tenant_types[i], data_dir, folder);
}

/* Those of export --projects. */
static int
validate_projects (struct validation *v, const struct osm_args *args,
                   const struct osm_tenant_type **types, const char *data_dir,
                   struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *projects = NULL;
  const json_t *p;
  size_t i;

  if (osm_projects_exported (data_dir, &projects, err) == -1)
    return -1;
  json_array_foreach (projects, i, p)
  {
    OSM_CLEANUP_FREE char *path = osm_projects_folder ("", osm_json_str (p, "domain_name"),
                                                       osm_json_str (p, "name")),
                          *folder = osm_asprintf ("%s/", path + 1);

    validate_all (v, args, types, data_dir, folder);
  }
  return 0;
}

int
osm_cmd_validate (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_FREE const struct osm_tenant_type **types = NULL;
  OSM_CLEANUP_JSON json_t *problems = json_array (), *files = json_array ();
  struct validation v = { .problems = problems, .files = files };
  const char *data_dir = osm_cmd_data_dir (args);

  if (osm_cmd_types (args, &types, err) == -1)
    return OSM_EXIT_USAGE;
  if (osm_session_open (args, 0, &session, err) == -1)
    return OSM_EXIT_FAILED;
  validate_all (&v, args, types, data_dir, "");
  if (validate_projects (&v, args, types, data_dir, err) == -1)
    return OSM_EXIT_FAILED;
  if (json_array_size (files) == 0) {
    osm_error_set (err, OSM_ERROR_USER, 0, "there are no files of these types in %s", data_dir);
    osm_error_hint (err, "name their folder with --data-dir, or make them with export");
    return OSM_EXIT_NOTHING;
  }
  print (session, &v);
  if (v.errors == 0)
    return OSM_EXIT_OK;
  osm_error_set (err, OSM_ERROR_USER, 0, "%zu mistakes in %s", v.errors, data_dir);
  return OSM_EXIT_FAILED;
}
