/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cmd/projects.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/tenant/export.h"
#include "controller/tenant/projects.h"

int
osm_cmd_projects_filter (const struct osm_args *args, struct osm_filter **ret,
                         struct osm_error *err)
{
  OSM_CLEANUP_STRV char **patterns = NULL;
  const char *pattern;

  for (size_t i = 0; (pattern = osm_args_nth (args, "projects", i)); i++)
    osm_strv_append (&patterns, strcmp (pattern, "all") == 0 ? "*" : pattern);
  *ret = NULL;
  if (!patterns || osm_filter_new (patterns, ret, err) == 0)
    return 0;
  return osm_error_wrap (err, "--projects");
}

/* ---- what is where ---- */

/* Those that belong to projects, or those that do not; for import only those of which there is a file. Caller frees. */
static const struct osm_tenant_type **
some_types (const struct osm_cmd_projects *p, bool of_project, const char *data_dir)
{
  const struct osm_tenant_type **types;
  size_t nr = 0;

  while (p->types[nr])
    nr++;
  types = osm_calloc (nr + 1, sizeof *types);
  nr = 0;
  for (size_t i = 0; p->types[i]; i++) {
    OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/%s", data_dir, p->types[i]->file);

    if (osm_tenant_type_is_of_project (p->types[i]) == of_project &&
        (p->side == OSM_SOURCE || osm_file_exists (path)))
      types[nr++] = p->types[i];
  }
  return types;
}

struct context {
  const struct osm_cmd_projects *p;
  json_t *projects;  /* of the cloud; may be NULL before they are asked for */
  json_t *mapped;    /* rows of the journal */
  json_t *known;     /* osm_projects_known */
  json_t *pretended; /* of a dry run */
  json_t *rows, *files, *done, *counts;
  size_t nr_runs;
  const char *id, *label; /* of the project whose turn it is */
};

/* ---- names of projects at the destination ---- */

static void
rename_project (void *data, char **domain, char **name)
{
  const struct context *c = data;
  const struct osm_config *config = c->p->session->config;
  OSM_CLEANUP_FREE char *label = osm_asprintf ("%s/%s", *domain ? *domain : "", *name),
                        *said = osm_config_map (config, "projects", label, NULL);
  const json_t *known;

  if (!said)
    said = osm_config_map (config, "projects", *name, NULL);
  if (said) {
    osm_projects_apply (said, domain, name);
    return;
  }
  known = osm_projects_mapped (c->projects, c->mapped, c->known, *domain, *name);
  if (known) {
    osm_str_set (domain, osm_json_str (known, "domain_name"));
    osm_str_set (name, osm_json_str (known, "name"));
  }
}

/* The project of this cloud that is meant. Borrowed. */
static int
find_here (const struct context *c, const json_t *project, const json_t **ret,
           struct osm_error *err)
{
  OSM_CLEANUP_FREE char *domain = osm_strdup (osm_json_str (project, "domain_name")),
                        *name = osm_strdup (osm_json_str (project, "name"));
  size_t i;
  const json_t *done;

  if (c->p->side == OSM_SOURCE) {
    *ret = project;
    return 0;
  }
  rename_project ((void *)c, &domain, &name);
  if (osm_projects_find (c->projects, domain, name, ret, err) == -1)
    return -1;
  /* The objects of both that have one name would become one. */
  json_array_foreach (c->done, i, done)
  {
    if (osm_str_equal (osm_json_str (done, "id"), osm_json_str (*ret, "id")))
      return osm_error_set (err, OSM_ERROR_USER, 0, "%s is the destination of %s, too",
                            osm_json_str (*ret, "label"), osm_json_str (done, "project"));
  }
  return 0;
}

/* ---- one after the other ---- */

static int
open_project (void *data, struct osm_cloud **ret, struct osm_error *err)
{
  const struct context *c = data;

  return osm_grants_open (c->p->grants, c->id, c->label, ret, err);
}

static void
count (struct context *c, const char *result, uint64_t nr)
{
  json_object_set_new (c->counts, result,
                       json_integer ((json_int_t)(osm_json_uint (c->counts, result) + nr)));
}

static int
run (struct context *c, const struct osm_tenant_type *const *types, const char *data_dir,
     const struct osm_tenant_project *project, const char *label, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *report = NULL;
  const json_t *file, *counts;
  json_t *row, *ignored;
  const char *result;
  size_t i;

  if (!types[0])
    return 0;
  c->nr_runs++;
  if (c->p->run (c->p->data, types, data_dir, project, &report, err) == -1)
    return -1;
  json_array_foreach (json_object_get (report, "objects"), i, row)
  {
    osm_json_set_str (row, "project", label);
    json_array_append (c->rows, row);
  }
  counts = json_object_get (report, "counts");
  json_object_foreach ((json_t *)counts, result, ignored)
      count (c, result, osm_json_uint (counts, result));
  json_array_foreach (json_object_get (report, "files"), i, file)
  {
    OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/%s", data_dir, json_string_value (file));

    json_array_append_new (c->files, json_string (path + strlen (c->p->data_dir) + 1));
  }
  return 0;
}

static int
run_project (struct context *c, const json_t *project, struct osm_error *err)
{
  const char *label = osm_json_str (project, "label");
  OSM_CLEANUP_FREE char *data_dir = osm_projects_folder (
      c->p->data_dir, osm_json_str (project, "domain_name"), osm_json_str (project, "name"));
  OSM_CLEANUP_FREE const struct osm_tenant_type **types = some_types (c->p, true, data_dir);
  const struct osm_tenant_project view = { .portable = c->p->side == OSM_SOURCE,
                                           .open = c->p->grants ? open_project : NULL,
                                           .rename =
                                               c->p->side == OSM_SOURCE ? NULL : rename_project,
                                           .pretended = c->pretended,
                                           .data = c };
  struct osm_tenant_project one = view;
  const json_t *here = NULL;

  if (!types[0])
    return 0;
  /* Its folder would be the one of its domain. */
  if (!*osm_json_str (project, "name") || !*osm_json_str (project, "domain_name"))
    return osm_error_set (err, OSM_ERROR_USER, 0,
                          "a project, or its domain, has no name that a folder could have");
  if (find_here (c, project, &here, err) == -1)
    return -1;
  c->id = one.id = osm_json_str (here, "id");
  c->label = osm_json_str (here, "label");
  json_array_append_new (c->done, osm_json_pack ("{s:s, s:s, s:s}", "project", label, "id", c->id,
                                                 "destination", c->label));
  if (run (c, types, data_dir, &one, label, err) == -1)
    return -1;
  return c->p->side == OSM_SOURCE ? osm_projects_note_id (data_dir, c->id, err) : 0;
}

/* ---- projects that would be made ---- */

/* Does the report say so? Only the name is in it. */
static bool
would_be_made (const struct context *c, const char *name)
{
  const json_t *row;
  size_t i;

  json_array_foreach (c->rows, i, row)
  {
    if (osm_str_equal (osm_json_str (row, "type"), "projects") &&
        osm_str_equal (osm_json_str (row, "result"), "created") &&
        osm_str_equal (osm_json_str (row, "name"), name))
      return true;
  }
  return false;
}

/* As the cloud has it of the others of that domain. NULL: none has been seen. */
static json_t *
domain_id (const struct context *c, const char *domain)
{
  const json_t *p;
  size_t i;

  json_array_foreach (c->projects, i, p)
  {
    if (osm_str_equal (osm_json_str (p, "domain_name"), domain))
      return json_object_get (p, "domain_id");
  }
  return NULL;
}

static void
pretend_projects (struct context *c)
{
  const char *source_id;
  json_t *known;

  c->pretended = json_array ();
  json_object_foreach (c->known, source_id, known)
  {
    OSM_CLEANUP_FREE char *domain = osm_strdup (osm_json_str (known, "domain_name")),
                          *name = osm_strdup (osm_json_str (known, "name")), *label = NULL,
                          *id =
                              osm_asprintf ("new-project-%zu", json_array_size (c->pretended) + 1);
    json_t *project, *of = NULL;
    const json_t *there;
    OSM_ERROR (why);

    rename_project (c, &domain, &name);
    if (!would_be_made (c, name) ||
        osm_projects_find (c->projects, domain, name, &there, &why) == 0 || why.code != 404)
      continue;
    label = osm_asprintf ("%s/%s", domain, name);
    of = domain_id (c, domain);
    project = osm_json_pack ("{s:s, s:s, s:s, s:s, s:O?}", "id", id, "label", label, "domain_name",
                             domain, "name", name, "domain_id", of);
    json_array_append (c->projects, project);
    json_array_append_new (c->pretended, project);
  }
}

/* ---- all of them ---- */

/* -1 if all ends here. */
static int
failed (struct context *c, const char *label, struct osm_error *why, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *reason = NULL;
  json_t *row;

  if (why->class == OSM_ERROR_INTERRUPTED) {
    osm_error_move (err, why);
    return -1;
  }
  reason =
      why->hint ? osm_asprintf ("%s (%s)", why->message, why->hint) : osm_strdup (why->message);
  row = osm_json_pack ("{s:s, s:s, s:s}", "type", label ? "projects" : "all", "result", "failed",
                       "reason", reason);
  osm_json_set_str (row, "name", label);
  osm_json_set_str (row, "project", label);
  json_array_append_new (c->rows, row);
  count (c, "failed", 1);
  return 0;
}

/* Before anything is changed. A folder of what belongs to no project has none of projects: then nothing can be meant. */
static int
choose (const struct context *c, const json_t *all, bool others, json_t **ret,
        struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *chosen = osm_projects_chosen (all, c->p->filter);

  if (json_array_size (chosen) == 0 && (json_array_size (all) > 0 || !others)) {
    osm_error_set (err, OSM_ERROR_USER, 0, "--projects: none of the %zu projects has such a name",
                   json_array_size (all));
    return osm_error_hint (err, "projects go by NAME or DOMAIN/NAME");
  }
  *ret = osm_take (chosen);
  return 0;
}

static int
run_all (struct context *c, struct osm_error *err)
{
  const struct osm_cmd_projects *p = c->p;
  struct osm_cloud *cloud = p->session->cloud[p->side];
  OSM_CLEANUP_FREE const struct osm_tenant_type **others = some_types (p, false, p->data_dir);
  const struct osm_tenant_project nobodys = { .rename =
                                                  p->side == OSM_SOURCE ? NULL : rename_project,
                                              .data = c };
  OSM_CLEANUP_JSON json_t *there = NULL, *chosen = NULL;
  const json_t *project;
  size_t i;
  OSM_ERROR (why);

  if (osm_projects_list (cloud, &c->projects, err) == -1 ||
      (p->side != OSM_SOURCE && osm_projects_exported (p->data_dir, &there, err) == -1) ||
      choose (c, there ? there : c->projects, others[0] != NULL, &chosen, err) == -1)
    return -1;
  c->known = p->side == OSM_SOURCE ? NULL : osm_projects_known (p->data_dir, there);
  if (run (c, others, p->data_dir, &nobodys, NULL, &why) == -1 && failed (c, NULL, &why, err) == -1)
    return -1;
  /* Perhaps some were just made. */
  if (p->side != OSM_SOURCE && others[0]) {
    json_decref (osm_take (c->projects));
    if (osm_projects_list (cloud, &c->projects, err) == -1)
      return -1;
    if (p->dry_run)
      pretend_projects (c);
  }
  json_array_foreach (chosen, i, project)
  {
    OSM_ERROR (reason);

    if (run_project (c, project, &reason) == -1 &&
        failed (c, osm_json_str (project, "label"), &reason, err) == -1)
      return -1;
  }
  if (c->nr_runs + json_array_size (c->rows) > 0)
    return 0;
  return osm_error_set (err, OSM_ERROR_USER, 0,
                        "there are no files of these types of the %zu projects",
                        json_array_size (chosen));
}

int
osm_cmd_projects_run (const struct osm_cmd_projects *projects, json_t **ret_report,
                      struct osm_error *err)
{
  const struct osm_session *session = projects->session;
  struct context c = { .p = projects,
                       .rows = json_array (),
                       .files = json_array (),
                       .done = json_array (),
                       .counts = json_object () };
  int r = 0;

  if (session->store)
    r = osm_store_mapping_list (session->store, session->config->cloud[OSM_SOURCE],
                                session->config->cloud[OSM_DESTINATION], &c.mapped, err);
  if (r == 0)
    r = run_all (&c, err);
  if (r == 0)
    *ret_report =
        osm_json_pack ("{s:s, s:O, s:O, s:O, s:O}", "data_dir", projects->data_dir, "files",
                       c.files, "projects", c.done, "objects", c.rows, "counts", c.counts);
  json_decref (c.projects);
  json_decref (c.mapped);
  json_decref (c.known);
  json_decref (c.pretended);
  json_decref (c.rows);
  json_decref (c.files);
  json_decref (c.done);
  json_decref (c.counts);
  return r;
}
