/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/datafile.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "common/suggest.h"
#include "common/yaml.h"
#include "common/yamlcomment.h"
#include "common/yamlwrite.h"
#include "controller/tenant/conflict.h"
#include "controller/tenant/convert.h"
#include "controller/tenant/diff.h"

#define MAX_TEXT (16 * 1024 * 1024)

struct osm_datafile {
  struct osm_yaml *doc;
  char *name;
  json_t *comments, *conflicts;
  json_t *resources; /* borrowed from doc */
  const char *version;
};

/* ---- reading ---- */

static int
take_root (struct osm_datafile *file, const char *name, struct osm_error *err)
{
  json_t *root = osm_yaml_root (file->doc);

  if (json_is_null (root)) {
    osm_error_set (err, OSM_ERROR_USER, 0, "%s: the file is empty", name);
    return osm_error_hint (err, "remove it, or export again");
  }
  if (!json_is_object (root))
    return osm_yaml_error (file->doc, root, err, "not a mapping with the key 'resources'");
  file->resources = json_object_get (root, "resources");
  if (!json_is_array (file->resources))
    return osm_yaml_key_error (file->doc, root, "resources", err,
                               "the key 'resources' is missing or not a list");
  file->version = osm_json_str (root, "os_migrate_version");
  return 0;
}

int
osm_datafile_parse (const char *text, size_t len, const char *name, struct osm_datafile **ret,
                    struct osm_error *err)
{
  OSM_CLEANUP_DATAFILE struct osm_datafile *file = osm_calloc (1, sizeof *file);

  file->name = osm_strdup (name);
  if (osm_yaml_parse (text, len, name, &file->doc, err) == -1 ||
      take_root (file, name, err) == -1 ||
      osm_yaml_comments (text, len, name, &file->comments, err) == -1)
    return -1;
  file->conflicts = osm_conflicts_take (file->comments);
  *ret = osm_take (file);
  return 0;
}

int
osm_datafile_load (const char *path, struct osm_datafile **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *text = NULL;
  size_t len;

  return osm_file_read (path, MAX_TEXT, &text, &len, err) == -1
             ? -1
             : osm_datafile_parse (text, len, path, ret, err);
}

void
osm_datafile_free (struct osm_datafile *file)
{
  if (!file)
    return;
  osm_yaml_free (file->doc);
  free (file->name);
  json_decref (file->comments);
  json_decref (file->conflicts);
  free (file);
}

json_t *
osm_datafile_resources (const struct osm_datafile *file)
{
  return file->resources;
}

const json_t *
osm_datafile_comments (const struct osm_datafile *file)
{
  return file->comments;
}

const json_t *
osm_datafile_conflicts (const struct osm_datafile *file)
{
  return file->conflicts;
}

const char *
osm_datafile_version (const struct osm_datafile *file)
{
  return file->version ? file->version : "";
}

/* ---- what is wrong ---- */

struct check {
  const struct osm_datafile *file;
  const struct osm_tenant_type *type;
  json_t *problems;
  size_t errors;
  bool other_version; /* what it lacks or has more is no mistake of the operator */
};

static void
add_problem (struct check *c, bool is_error, const struct osm_error *why)
{
  c->errors += is_error;
  json_array_append_new (c->problems,
                         osm_json_pack ("{s:s, s:s, s:s?}", "severity", is_error ? "error" : "note",
                                        "message", why->message, "hint", why->hint));
}

static const char *
kind_name (const struct osm_field *f)
{
  static const char *const names[] = {
    [OSM_FIELD_TEXT] = "text",       [OSM_FIELD_INTEGER] = "a whole number",
    [OSM_FIELD_REAL] = "a number",   [OSM_FIELD_BOOL] = "true or false",
    [OSM_FIELD_LIST] = "a list",     [OSM_FIELD_SET] = "a list",
    [OSM_FIELD_OBJECT] = "a mapping"
  };

  return f->kind <= OSM_FIELD_OBJECT ? names[f->kind] : "a reference";
}

static bool
is_of_kind (const struct osm_field *f, const json_t *value)
{
  switch (f->kind) {
  case OSM_FIELD_TEXT:
    /* openstacksdk makes truth values of some texts. */
    return json_is_string (value) || json_is_boolean (value);
  case OSM_FIELD_INTEGER:
    return json_is_integer (value);
  case OSM_FIELD_REAL:
    return json_is_number (value);
  case OSM_FIELD_BOOL:
    return json_is_boolean (value) || ((f->flags & OSM_FIELD_AS_TEXT) && json_is_string (value));
  case OSM_FIELD_LIST:
  case OSM_FIELD_SET:
    return json_is_array (value);
  case OSM_FIELD_OBJECT:
    return json_is_object (value);
  case OSM_FIELD_REF:
  case OSM_FIELD_REFS:
    break;
  }
  return true;
}

static void
check_ref (struct check *c, const json_t *params, const struct osm_field *f, const json_t *value)
{
  static const char *const keys[] = { "name", "project_name", "domain_name" };
  const json_t *doc_value = json_is_object (value) ? value : NULL;
  OSM_ERROR (why);

  if (!doc_value || !json_is_string (json_object_get (value, "name"))) {
    osm_yaml_key_error (c->file->doc, params, f->name, &why,
                        "%s: must be null, or a mapping with name, project_name and domain_name",
                        f->name);
    add_problem (c, true, &why);
    return;
  }
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    const json_t *member = json_object_get (value, keys[i]);
    OSM_ERROR (wrong);

    if (member && (json_is_null (member) || json_is_string (member)))
      continue;
    osm_yaml_key_error (c->file->doc, value, keys[i], &wrong,
                        member ? "%s.%s: must be text or null" : "%s.%s: is missing", f->name,
                        keys[i]);
    osm_error_hint (&wrong, "a name, null, or '%s' for what the user is logged in to",
                    OSM_REF_AUTH);
    add_problem (c, true, &wrong);
  }
}

/* Can an object of the type be without it? */
static bool
must_have_value (const struct check *c, const struct osm_field *f)
{
  if (strcmp (f->name, "name") == 0)
    return !c->type->nameless;
  for (size_t i = 0; c->type->match[i]; i++)
    if (strcmp (c->type->match[i], f->name) == 0)
      return !(f->flags & (OSM_FIELD_NULLABLE | OSM_FIELD_BEYOND));
  return false;
}

static void
check_value (struct check *c, const json_t *section, const struct osm_field *f)
{
  const json_t *value = json_object_get (section, f->name);
  OSM_ERROR (why);

  if (!value) {
    if (f->flags & OSM_FIELD_BEYOND)
      return;
    osm_yaml_key_error (c->file->doc, section, f->name, &why, "params.%s is missing", f->name);
    osm_error_hint (&why, "write '%s: null' to say nothing about it", f->name);
    add_problem (c, !c->other_version, &why);
  }
  else if (must_have_value (c, f) &&
           (json_is_null (value) ||
            (json_is_string (value) && *json_string_value (value) == '\0'))) {
    osm_yaml_key_error (c->file->doc, section, f->name, &why, "%s is empty", f->name);
    osm_error_hint (&why, "without it the %s cannot be found again", c->type->noun);
    add_problem (c, true, &why);
  }
  else if (json_is_null (value))
    return;
  else if (f->kind == OSM_FIELD_REF)
    check_ref (c, section, f, value);
  else if (!is_of_kind (f, value) ||
           (must_have_value (c, f) && f->kind == OSM_FIELD_TEXT && !json_is_string (value))) {
    osm_yaml_key_error (c->file->doc, section, f->name, &why, "%s: must be %s", f->name,
                        kind_name (f));
    if (f->kind == OSM_FIELD_TEXT)
      osm_error_hint (&why, "put it in quotes");
    add_problem (c, true, &why);
  }
}

static void
check_unknown (struct check *c, const json_t *section, const char *section_name)
{
  const char *key;
  json_t *value;

  json_object_foreach ((json_t *)section, key, value)
  {
    const struct osm_field *f = osm_tenant_field (c->type, key);
    struct osm_suggestion s = osm_suggestion_for (key);
    OSM_ERROR (why);

    if (f && strcmp (osm_field_section (f), section_name) == 0)
      continue;
    for (const struct osm_field *known = c->type->fields; known->name; known++)
      if (strcmp (osm_field_section (known), section_name) == 0)
        osm_suggestion_offer (&s, known->name);
    osm_yaml_key_error (c->file->doc, section, key, &why, "%s.%s: a %s has no such key",
                        section_name, key, c->type->noun);
    if (f)
      osm_error_hint (&why, "it belongs in %s", osm_field_section (f));
    else if (s.best)
      osm_error_hint (&why, "did you mean '%s'?", s.best);
    add_problem (c, !c->other_version, &why);
  }
}

/* true: what is in it can be looked at. */
static bool
check_section (struct check *c, const json_t *entry, const char *name, bool mandatory)
{
  const json_t *section = json_object_get (entry, name);
  OSM_ERROR (why);

  if (json_is_object (section))
    return true;
  if (!section && !mandatory)
    return false;
  osm_yaml_key_error (c->file->doc, entry, name, &why,
                      section ? "%s: must be a mapping" : "the key '%s' is missing", name);
  add_problem (c, true, &why);
  return false;
}

static bool
check_type (struct check *c, const json_t *entry)
{
  const char *name = osm_json_str (entry, "type");
  const struct osm_tenant_type *other = osm_tenant_type_of_yaml (name);
  struct osm_suggestion s = osm_suggestion_for (name ? name : "");
  OSM_ERROR (why);

  if (osm_str_equal (name, c->type->yaml_type))
    return true;
  if (other) {
    osm_yaml_key_error (c->file->doc, entry, "type", &why, "a %s in the file of the %s",
                        other->noun, c->type->name);
    osm_error_hint (&why, "it belongs in %s", other->file);
  }
  else {
    osm_yaml_key_error (c->file->doc, entry, "type", &why,
                        name ? "unknown type '%s'" : "the key 'type' is missing%s",
                        name ? name : "");
    osm_suggestion_offer (&s, c->type->yaml_type);
    osm_error_hint (&why, "in this file it is %s", c->type->yaml_type);
  }
  add_problem (c, true, &why);
  return false;
}

static bool
check_entry (struct check *c, const json_t *entry)
{
  size_t before = c->errors;
  OSM_ERROR (why);

  if (!json_is_object (entry)) {
    osm_yaml_error (c->file->doc, entry, &why, "not a mapping with type and params");
    add_problem (c, true, &why);
    return false;
  }
  if (!check_type (c, entry))
    return false;
  for (const struct osm_field *f = c->type->fields; f->name; f++) {
    const json_t *section = json_object_get (entry, osm_field_section (f));

    if (!(f->flags & OSM_FIELD_INFO) && json_is_object (section))
      check_value (c, section, f);
  }
  if (check_section (c, entry, "params", true))
    check_unknown (c, json_object_get (entry, "params"), "params");
  if (check_section (c, entry, "_osm_params", false))
    check_unknown (c, json_object_get (entry, "_osm_params"), "_osm_params");
  check_section (c, entry, "_migration_params", false);
  if (check_section (c, entry, "_info", true) && osm_tenant_field (c->type, "name") &&
      !json_is_string (osm_tenant_path (entry, "_info.id"))) {
    osm_yaml_key_error (c->file->doc, json_object_get (entry, "_info"), "id", &why,
                        "_info.id is missing");
    osm_error_hint (&why, "any text that no other entry has will do for an object that no cloud "
                          "has yet");
    add_problem (c, true, &why);
  }
  return c->errors == before;
}

/* Two entries would become one object. Equal rules are harmless. */
static void
check_twice (struct check *c, const json_t *entry, json_t *seen)
{
  OSM_CLEANUP_FREE char *identity = osm_tenant_identity (c->type, entry),
                        *label = osm_tenant_label (c->type, entry);
  OSM_ERROR (why);

  if (!json_object_get (seen, identity)) {
    json_object_set_new (seen, identity, json_true ());
    return;
  }
  osm_yaml_error (c->file->doc, entry, &why, "the %s '%s' is in this file twice", c->type->noun,
                  label);
  osm_error_hint (&why, "rename or remove one of them: both would become the same object");
  add_problem (c, osm_tenant_field (c->type, "name") != NULL, &why);
}

/* Import remembers by it what became of the entry. */
static void
check_id (struct check *c, const json_t *entry, json_t *ids)
{
  OSM_CLEANUP_FREE char *id = osm_tenant_entry_id (entry);
  OSM_ERROR (why);

  if (!osm_tenant_field (c->type, "name"))
    return;
  if (!json_object_get (ids, id)) {
    json_object_set_new (ids, id, json_true ());
    return;
  }
  osm_yaml_key_error (c->file->doc, json_object_get (entry, "_info"), "id", &why,
                      "_info.id '%s' is that of another entry, too", id);
  osm_error_hint (&why, "for an object that no cloud has yet write any text that no other entry "
                        "has");
  add_problem (c, true, &why);
}

/* The operator has to look at them, and may import all the same. */
static void
check_conflicts (const struct check *c)
{
  const json_t *mark;
  size_t i;

  json_array_foreach (c->file->conflicts, i, mark)
  {
    const json_t *entry =
        json_array_get (c->file->resources, (size_t)osm_json_uint (mark, "entry"));
    OSM_CLEANUP_FREE char *label = entry ? osm_tenant_label (c->type, entry) : NULL,
                          *message = NULL;

    message = osm_asprintf ("%s:%llu:1: %s: %s: conflict, the source has now: %s", c->file->name,
                            (unsigned long long)osm_json_uint (mark, "line"), label ? label : "",
                            osm_json_str (mark, "field"), osm_json_str (mark, "value"));
    json_array_append_new (c->problems, osm_json_pack ("{s:s, s:s, s:s}", "severity", "conflict",
                                                       "message", message, "hint",
                                                       "choose the value, and delete this line"));
  }
}

size_t
osm_datafile_check (const struct osm_datafile *file, const struct osm_tenant_type *type,
                    json_t *problems)
{
  OSM_CLEANUP_JSON json_t *seen = json_object (), *ids = json_object ();
  struct check c = { .file = file, .type = type, .problems = problems };
  const json_t *entry;
  size_t i;

  c.other_version = !osm_str_equal (file->version, OSM_DATAFILE_VERSION);
  if (c.other_version) {
    OSM_ERROR (why);

    osm_yaml_key_error (file->doc, osm_yaml_root (file->doc), "os_migrate_version", &why,
                        "written by version '%s' of OS Migrate; read as one of version %s",
                        osm_datafile_version (file), OSM_DATAFILE_VERSION);
    add_problem (&c, false, &why);
  }
  json_array_foreach (file->resources, i, entry)
  {
    if (!check_entry (&c, entry))
      continue;
    check_twice (&c, entry, seen);
    check_id (&c, entry, ids);
  }
  check_conflicts (&c);
  return c.errors;
}

static const json_t *
first_error (const json_t *problems)
{
  const json_t *problem;
  size_t i;

  json_array_foreach (problems, i, problem)
  {
    if (osm_str_equal (osm_json_str (problem, "severity"), "error"))
      return problem;
  }
  return NULL;
}

int
osm_datafile_open (const char *path, const struct osm_tenant_type *type, struct osm_datafile **ret,
                   struct osm_error *err)
{
  OSM_CLEANUP_DATAFILE struct osm_datafile *file = NULL;
  OSM_CLEANUP_JSON json_t *problems = json_array ();

  if (osm_datafile_load (path, &file, err) == -1)
    return -1;
  if (osm_datafile_check (file, type, problems) > 0) {
    osm_error_set (err, OSM_ERROR_USER, 0, "%s", osm_json_str (first_error (problems), "message"));
    return osm_error_hint (err, "osm-controller validate lists all that is wrong with the files");
  }
  *ret = osm_take (file);
  return 0;
}

int
osm_datafile_read (const char *path, const struct osm_tenant_type *type, json_t **ret,
                   struct osm_error *err)
{
  OSM_CLEANUP_DATAFILE struct osm_datafile *file = NULL;

  if (osm_datafile_open (path, type, &file, err) == -1)
    return -1;
  *ret = json_incref (file->resources);
  return 0;
}

/* ---- writing ---- */

char *
osm_datafile_text (const json_t *resources, const json_t *comments, const json_t *conflicts)
{
  OSM_CLEANUP_JSON json_t *root = osm_json_pack ("{s:s, s:O}", "os_migrate_version",
                                                 OSM_DATAFILE_VERSION, "resources", resources),
                          *all = comments ? json_deep_copy (comments) : json_object (),
                          *there = NULL;

  osm_conflicts_put (all, resources, conflicts);
  there = osm_yaml_comments_on (all, root);
  return osm_yaml_dump_commented (root, there);
}

int
osm_datafile_save (const char *path, const json_t *resources, const json_t *comments,
                   const json_t *conflicts, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *text = osm_datafile_text (resources, comments, conflicts);

  return osm_file_write (path, text, strlen (text), 0600, err);
}
