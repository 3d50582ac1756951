/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/import.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/cloud/network.h"
#include "controller/tenant/bulk.h"
#include "controller/tenant/carried.h"
#include "controller/tenant/compare.h"
#include "controller/tenant/conflict.h"
#include "controller/tenant/convert.h"
#include "controller/tenant/datafile.h"
#include "controller/tenant/exact.h"
#include "controller/tenant/export.h"
#include "controller/tenant/fetch.h"
#include "controller/tenant/mapping.h"
#include "controller/tenant/needs.h"
#include "controller/tenant/order.h"
#include "controller/tenant/rename.h"
#include "controller/tenant/spelling.h"

struct import {
  struct osm_cloud *cloud;
  const struct osm_import_options *options;
  struct osm_inventory *inventory;
  struct osm_change change;
  const struct osm_tenant_type *const *types; /* of the options, or more */
  const struct osm_tenant_type **more;        /* ours */
  struct osm_filters *filters;
  struct osm_tenant_mapping *mapping;
  json_t *files;     /* {TYPE: entries}; types without a file are not in it */
  json_t *conflicts; /* {TYPE: marks that export has left in the file} */
  json_t *refused, *rows;
  json_t *extensions; /* of Neutron; NULL if it does not tell */
  size_t nr_pretended;
};

/* ---- files, and what the cloud has ---- */

static int
load (struct import *im, const struct osm_tenant_type *type, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/%s", im->options->data_dir, type->file);
  OSM_CLEANUP_DATAFILE struct osm_datafile *file = NULL;
  json_t *entries;

  if (!osm_file_exists (path))
    return 0;
  if (osm_datafile_open (path, type, &file, err) == -1)
    return -1;
  entries = json_incref (osm_datafile_resources (file));
  json_object_set (im->conflicts, type->name, (json_t *)osm_datafile_conflicts (file));
  osm_rename_projects (type, im->options->project, entries);
  if (!osm_cloud_is_administrator (im->cloud))
    osm_carried_without_rights (type, entries);
  json_object_set_new (im->files, type->name, entries);
  return 0;
}

/* Those of which there is a file. Caller frees. */
static const struct osm_tenant_type **
present (const struct import *im)
{
  const struct osm_tenant_type **types;
  size_t nr = 0;

  while (im->types[nr])
    nr++;
  types = osm_calloc (nr + 1, sizeof *types);
  nr = 0;
  for (size_t i = 0; im->types[i]; i++)
    if (json_object_get (im->files, im->types[i]->name))
      types[nr++] = im->types[i];
  return types;
}

/* Not told: then whatever the files have is asked for. */
static int
ask_for_extensions (struct import *im, const struct osm_tenant_type *const *types,
                    struct osm_error *err)
{
  bool network = false;
  OSM_ERROR (why);

  for (size_t i = 0; types[i]; i++)
    network = network || types[i]->service == OSM_NETWORK;
  if (!network || osm_network_extensions (im->cloud, &im->extensions, &why) == 0 ||
      why.class != OSM_ERROR_INTERRUPTED)
    return 0;
  osm_error_move (err, &why);
  return -1;
}

static bool
is_named (const struct import *im, const struct osm_tenant_type *type)
{
  for (size_t i = 0; im->options->types[i]; i++)
    if (im->options->types[i] == type)
      return true;
  return false;
}

static void
choose (struct import *im)
{
  OSM_CLEANUP_JSON json_t *needs =
      im->more
          ? osm_tenant_needs (im->files, im->options->types, im->options->filter, im->options->with)
          : NULL;
  const struct osm_tenant_type *rules = osm_tenant_type_find ("security_group_rules");

  im->filters = osm_filters_new (im->options->types, im->options->filter, needs);
  if (json_object_get (im->files, rules->name) &&
      (is_named (im, rules) || json_object_get (needs, rules->name)))
    im->change.rules = osm_filters_of (im->filters, rules);
  /* Of what nothing is needed nothing is asked. */
  for (size_t i = 0; im->more && im->more[i]; i++) {
    if (!is_named (im, im->more[i]) && !json_object_get (needs, im->more[i]->name))
      json_object_del (im->files, im->more[i]->name);
  }
}

/* Somebody has to look at them first: the source has something else now than what was decided about. */
static int
refuse_conflicts (const struct import *im, struct osm_error *err)
{
  OSM_STRBUF (found);

  for (size_t i = 0; im->types[i] && !im->options->accept_conflicts; i++) {
    const struct osm_tenant_type *type = im->types[i];
    OSM_CLEANUP_FREE char *text = osm_conflicts_text (type, json_object_get (im->files, type->name),
                                                      json_object_get (im->conflicts, type->name),
                                                      osm_filters_of (im->filters, type));

    if (text)
      osm_strbuf_addf (&found, "%s%s: %s", found.len > 0 ? "; " : "", type->file, text);
  }
  if (found.len == 0)
    return 0;
  osm_error_set (err, OSM_ERROR_USER, 0, "conflicts between file and source are not resolved: %s",
                 osm_strbuf_str (&found));
  return osm_error_hint (err, "above these keys stands what the source has now: choose the value "
                              "and delete that line; or --accept-conflicts imports the file's");
}

static int
prepare (struct import *im, struct osm_error *err)
{
  OSM_CLEANUP_FREE const struct osm_tenant_type **types = NULL;

  for (size_t i = 0; im->types[i]; i++)
    if (load (im, im->types[i], err) == -1)
      return -1;
  if (json_object_size (im->files) == 0) {
    osm_error_set (err, OSM_ERROR_USER, 0, "there are no files of these types in %s",
                   im->options->data_dir);
    return osm_error_hint (err, "name their folder with --data-dir, or make them with export");
  }
  choose (im);
  if (refuse_conflicts (im, err) == -1)
    return -1;
  if (osm_tenant_mapping_load (im->options->store, im->options->source, osm_cloud_name (im->cloud),
                               &im->mapping, err) == -1)
    return -1;
  osm_tenant_mapping_alias (im->mapping, im->files, im->inventory);
  types = present (im);
  if (ask_for_extensions (im, types, err) == -1)
    return -1;
  return osm_fetch_lists (im->cloud, types, im->inventory, im->refused, err);
}

/* ---- one object ---- */

static void
result (json_t *row, const char *word, const char *reason)
{
  json_object_set_new (row, "result", json_string (word));
  json_object_del (row, "reason");
  osm_json_set_str (row, "reason", reason);
}

/* From now on the name means it, also where something else is called so; if it is not more than the name that says which one it is. */
static void
alias (struct import *im, const struct osm_tenant_type *type, const json_t *row, const char *id)
{
  const char *name = osm_json_str (osm_tenant_path (row, "entry.params"), "name");
  OSM_CLEANUP_FREE char *source_id = osm_tenant_entry_id (json_object_get (row, "entry"));
  const json_t *known =
      json_object_get (osm_tenant_mapping_of (im->mapping, type->name), source_id ? source_id : "");

  if (name && id && !type->id && strcmp (type->match[0], "name") == 0 && !type->match[1])
    osm_inventory_alias (im->inventory, type->name, name, id,
                         osm_str_equal (osm_json_str (known, "origin"), "registered"));
}

/* What others refer to is there from now on. In a dry run it only will be. */
static void
remember (struct import *im, const struct osm_tenant_type *type, json_t *row, json_t *object)
{
  OSM_CLEANUP_JSON json_t *list = json_array ();

  json_array_append (list, object);
  osm_inventory_add (im->inventory, type, list, true);
  alias (im, type, row, osm_json_str (object, "id"));
  if (!im->options->dry_run && !osm_tenant_path (row, "id"))
    json_object_set (row, "id", json_object_get (object, "id"));
}

/* How it was found, or that it was made, for the next time. */
static int
record (struct import *im, const struct osm_tenant_type *type, const json_t *row,
        const char *origin, struct osm_error *err)
{
  const json_t *entry = json_object_get (row, "entry");
  OSM_CLEANUP_FREE char *source_id = osm_tenant_entry_id (entry);
  const char *id = osm_json_str (row, "id"), *name = osm_json_str (entry, OSM_NAME_AT_SOURCE);

  alias (im, type, row, id);
  /* What has no id is what it is by its content. */
  if (im->options->dry_run || type->id || type->by_content || !id || !source_id || !*source_id)
    return 0;
  if (!name)
    name = osm_json_str (json_object_get (entry, "params"), "name");
  return osm_tenant_mapping_note (im->mapping, type->name, source_id, id, name, origin,
                                  osm_str_equal (osm_json_str (row, "result"), "updated"), err);
}

static json_t *
pretend (struct import *im, const struct osm_tenant_type *type, const json_t *body)
{
  json_t *object = json_deep_copy (body);
  OSM_CLEANUP_FREE char *id = osm_asprintf ("new-%zu", ++im->nr_pretended);

  json_object_set_new (object, "id", json_string (id));
  if (type->owner && osm_inventory_project (im->inventory))
    json_object_set_new (object, type->owner, json_string (osm_inventory_project (im->inventory)));
  return object;
}

static int
set_separate (struct import *im, const struct osm_tenant_type *type, const json_t *row, bool late,
              struct osm_error *err)
{
  const json_t *entry = json_object_get (row, "entry"), *is = json_object_get (row, "is");
  const char *id = osm_json_str (row, "id");

  for (const struct osm_field *f = type->fields; type->set && id && f->name; f++) {
    const json_t *wanted = osm_tenant_value (entry, f), *now = osm_tenant_value (is, f);

    if (!(f->flags & OSM_FIELD_SEPARATE) || (f->flags & OSM_FIELD_INFO) || !wanted ||
        json_is_null (wanted) || late != ((f->flags & OSM_FIELD_LATE) != 0) ||
        (now ? json_equal (now, wanted)
             : json_array_size (wanted) + json_object_size (wanted) == 0))
      continue;
    if (type->set (&im->change, type, id, f, wanted, now, err) == -1)
      return osm_error_wrap (err, "%s", f->name);
  }
  return 0;
}

static int
post (struct import *im, const struct osm_tenant_type *type, const json_t *entry,
      const json_t *body, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *wrapped = NULL;

  if (type->create)
    return type->create (&im->change, entry, body, ret, err);
  wrapped = type->member_key ? osm_json_pack ("{s:O}", type->member_key, body)
                             : json_incref ((json_t *)body);
  return osm_cloud_post (im->cloud, type->service, type->member_path, wrapped, type->member_key,
                         ret, err);
}

static int
make (struct import *im, const struct osm_tenant_type *type, json_t *row, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *entry = NULL, *body = NULL, *object = NULL;
  OSM_CLEANUP_FREE char *dropped = NULL;

  if (type->never_made) {
    result (row, "skipped", type->never_made);
    return 0;
  }
  if (osm_carried_known (im->cloud, type, im->extensions, json_object_get (row, "entry"), &entry,
                         &dropped, err) == -1 ||
      osm_fetch_body (im->cloud, type, im->inventory, entry, NULL, &body, err) == -1)
    return -1;
  if (im->options->dry_run)
    object = pretend (im, type, body);
  else if (json_object_get (row, "made"))
    object = json_incref (json_object_get (row, "made"));
  else if (post (im, type, entry, body, &object, err) == -1) {
    /* A rule that the cloud takes for the same as another one. A quota that is used up is a 409 of class USER. */
    if (err->code != 409 || err->class == OSM_ERROR_USER || type->create ||
        osm_tenant_field (type, "name"))
      return -1;
    osm_error_clear (err);
    result (row, "equal", "the cloud has the same one already");
    json_object_set_new (row, "same", json_true ());
    return 0;
  }
  remember (im, type, row, object);
  result (row, "created", dropped);
  if (record (im, type, row, "created", err) == -1)
    return -1;
  return im->options->dry_run ? 0 : set_separate (im, type, row, false, err);
}

/* Names of the fields that differ; only those that can be changed by one request with the others. */
static json_t *
changed_fields (const struct osm_tenant_type *type, const json_t *differences)
{
  json_t *names = json_array ();
  const json_t *d;
  size_t i;

  json_array_foreach (differences, i, d)
  {
    const struct osm_field *f = osm_tenant_field (type, osm_json_str (d, "field"));

    if (!(f->flags & (OSM_FIELD_SEPARATE | OSM_FIELD_FIXED)))
      json_array_append (names, json_object_get (d, "field"));
  }
  return names;
}

static int
change (struct import *im, const struct osm_tenant_type *type, json_t *row, struct osm_error *err)
{
  const json_t *differences = json_object_get (row, "differences"),
               *entry = json_object_get (row, "entry"), *is = json_object_get (row, "is");
  const char *id = osm_json_str (row, "id");
  OSM_CLEANUP_FREE char *fixed = osm_tenant_differences_text (differences, 1),
                        *free_ones = osm_tenant_differences_text (differences, 0), *path = NULL,
                        *quoted = NULL, *reason = NULL;
  OSM_CLEANUP_JSON json_t *names = changed_fields (type, differences), *body = NULL,
                          *wrapped = NULL;

  if (!im->options->update) {
    reason = osm_asprintf ("is there and differs (--update changes it): %s",
                           osm_json_str (row, "reason"));
    result (row, "skipped", reason);
    return 0;
  }
  if (fixed || (type->never_made && !type->update)) {
    reason = osm_asprintf ("cannot be changed: %s", fixed ? fixed : free_ones);
    result (row, "skipped", reason);
    return 0;
  }
  if (osm_fetch_body (im->cloud, type, im->inventory, entry, names, &body, err) == -1)
    return -1;
  result (row, "updated", free_ones);
  if (im->options->dry_run)
    return 0;
  quoted = osm_quote_url (id);
  path = osm_asprintf ("%s/%s", type->member_path, quoted);
  wrapped = osm_json_pack ("{s:O}", type->update ? "" : type->member_key, body);
  if (json_object_size (body) > 0 &&
      (type->update ? type->update (&im->change, id, body, entry, is, err)
                    : (type->patch ? osm_cloud_patch : osm_cloud_put) (
                          im->cloud, type->service, path, wrapped, NULL, NULL, err)) == -1)
    return -1;
  return set_separate (im, type, row, false, err);
}

static void
failed (json_t *row, const struct osm_error *why)
{
  const struct osm_tenant_type *type = osm_tenant_type_find (osm_json_str (row, "type"));
  OSM_CLEANUP_FREE char *reason =
      why->hint ? osm_asprintf ("%s (%s)", why->message, why->hint) : osm_strdup (why->message);

  /* What only administrators may do is nothing that went wrong. */
  result (row,
          why->code == 403 && type && (type->administrator || type->privileged) ? "skipped"
                                                                                : "failed",
          reason);
}

/* ---- all of them ---- */

/* It may be anybody's: then it is asked for by its id. */
static void
note_registered (struct import *im, const struct osm_tenant_type *type, const json_t *to)
{
  OSM_CLEANUP_JSON json_t *ref = NULL;
  OSM_ERROR (ignored);

  if (type->member_path && osm_str_equal (osm_json_str (to, "origin"), "registered"))
    osm_inventory_ref (im->inventory, type->name, json_object_get (to, "destination_id"), &ref,
                       &ignored);
}

static int
compare_type (struct import *im, const struct osm_tenant_type *type, bool with_extra, json_t **ret,
              struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *cloud = NULL;
  json_t *mapped = osm_tenant_mapping_of (im->mapping, type->name), *to;
  const char *source_id;

  json_object_foreach (mapped, source_id, to) note_registered (im, type, to);
  if (osm_fetch_entries (im->cloud, type, im->inventory, &cloud, err) == -1)
    return -1;
  json_object_foreach (mapped, source_id, to)
      json_object_set_new (to, "elsewhere",
                           json_boolean (osm_inventory_get (im->inventory, type->name,
                                                            osm_json_str (to, "destination_id"))));
  *ret = osm_tenant_compare (type, json_object_get (im->files, type->name), cloud, mapped,
                             osm_filters_of (im->filters, type), with_extra);
  return 0;
}

static int
import_row (struct import *im, const struct osm_tenant_type *type, json_t *row,
            struct osm_error *err)
{
  const char *word = osm_json_str (row, "result"), *id = osm_json_str (row, "id");
  OSM_ERROR (why);
  int r = 0, unfinished = 0;

  if (id && type->unfinished)
    unfinished = type->unfinished (im->inventory, id, json_object_get (row, "entry"), &why);
  if (unfinished == -1)
    r = -1;
  else if (unfinished == 1) {
    result (row, "created", "taken up again after an import that was interrupted");
    r = record (im, type, row, "created", &why);
  }
  else if (strcmp (word, "missing") == 0)
    r = make (im, type, row, &why);
  else if (strcmp (word, "differs") == 0)
    r = change (im, type, row, &why);
  if (r == 0 && !osm_str_equal (osm_json_str (row, "result"), "created"))
    r = record (im, type, row, "adopted", &why);
  if (r == -1 && why.class == OSM_ERROR_INTERRUPTED) {
    osm_error_move (err, &why);
    return -1;
  }
  if (r == -1)
    failed (row, &why);
  return 0;
}

/* In the order of the file, but for those that wait for others. */
static int
import_rows (struct import *im, const struct osm_tenant_type *type, const json_t *rows,
             struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *left = json_copy ((json_t *)rows);

  while (json_array_size (left) > 0) {
    OSM_CLEANUP_JSON json_t *ready = osm_tenant_take_ready (type, left);
    json_t *row;
    size_t i;

    if (!im->options->dry_run &&
        osm_bulk_make (im->cloud, type, im->inventory, im->extensions, ready, err) == -1)
      return -1;
    json_array_foreach (ready, i, row)
    {
      if (import_row (im, type, row, err) == -1)
        return -1;
    }
  }
  return 0;
}

/* ---- what is in no file ---- */

/* uncertain: of a dry run in which rules would be made. */
static int
delete_row (struct import *im, const struct osm_tenant_type *type, json_t *row, bool uncertain,
            struct osm_error *err)
{
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (osm_json_str (row, "id")),
                        *path = osm_asprintf ("%s/%s", type->member_path, quoted);
  OSM_ERROR (why);

  result (row, "deleted",
          uncertain
              ? "is in no file; stays if the cloud takes a rule that is to be made for one that "
                "it has"
              : "is in no file");
  if (im->options->dry_run || osm_cloud_delete (im->cloud, type->service, path, &why) == 0)
    return 0;
  if (why.class == OSM_ERROR_INTERRUPTED) {
    osm_error_move (err, &why);
    return -1;
  }
  failed (row, &why);
  return 0;
}

/* After what is missing was made: nothing that is allowed before and after is cut off in between. */
static int
delete_extra (struct import *im, const struct osm_tenant_type *type, const json_t *rows,
              const json_t *extra, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *groups = NULL, *chosen = NULL;
  bool uncertain = false;
  json_t *row;
  size_t i;

  if (json_array_size (extra) == 0)
    return 0;
  json_array_foreach (rows, i, row) uncertain =
      uncertain ||
      (im->options->dry_run && osm_str_equal (osm_json_str (row, "result"), "created"));
  if (osm_exact_groups (im->options->data_dir,
                        osm_tenant_mapping_of (im->mapping, "security_groups"), &groups, err) == -1)
    return -1;
  chosen = osm_exact_choose (groups, rows, extra, im->inventory);
  json_array_extend (im->rows, chosen);
  json_array_foreach (chosen, i, row)
  {
    if (osm_str_equal (osm_json_str (row, "result"), "extra") &&
        delete_row (im, type, row, uncertain, err) == -1)
      return -1;
  }
  return 0;
}

static int
import_type (struct import *im, const struct osm_tenant_type *type, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *rows = NULL, *extra = NULL;

  bool exact = im->options->exact && type->removable;

  if (compare_type (im, type, exact || type->spelling, &rows, err) == -1)
    return -1;
  extra = osm_exact_take (rows);
  osm_spelling_settle (type, rows, extra);
  json_array_extend (im->rows, rows);
  if (import_rows (im, type, rows, err) == -1 ||
      (exact && delete_extra (im, type, rows, extra, err) == -1))
    return -1;
  return type->finish && !im->options->dry_run ? type->finish (&im->change, rows, err) : 0;
}

/* Routes, when the interfaces are there that they lead through. */
static void
set_late (struct import *im)
{
  json_t *row;
  size_t i;

  json_array_foreach (im->rows, i, row)
  {
    const char *word = osm_json_str (row, "result");
    OSM_ERROR (why);

    if ((osm_str_equal (word, "created") || osm_str_equal (word, "updated")) &&
        set_separate (im, osm_tenant_type_find (osm_json_str (row, "type")), row, true, &why) == -1)
      failed (row, &why);
  }
}

static json_t *
report (const struct import *im, const char *const *words)
{
  OSM_CLEANUP_JSON json_t *counts = json_object ();
  json_t *row;
  size_t i;

  for (i = 0; words[i]; i++)
    json_object_set_new (counts, words[i], json_integer (0));
  json_array_foreach (im->rows, i, row)
  {
    const char *word = osm_json_str (row, "result");

    json_object_del (row, "entry");
    json_object_del (row, "is");
    json_object_del (row, "same");
    json_object_del (row, "made");
    json_object_set_new (counts, word, json_integer ((json_int_t)osm_json_uint (counts, word) + 1));
  }
  return osm_json_pack ("{s:s, s:O, s:O, s:b}", "data_dir", im->options->data_dir, "objects",
                        im->rows, "counts", counts, "dry_run", im->options->dry_run);
}

typedef int each_type (struct import *im, const struct osm_tenant_type *type,
                       struct osm_error *err);

static int
for_each_type (struct import *im, each_type *function, struct osm_error *err)
{
  OSM_CLEANUP_FREE const struct osm_tenant_type **types = NULL;

  if (prepare (im, err) == -1)
    return -1;
  types = present (im);
  for (size_t i = 0; types[i]; i++) {
    const json_t *refused = json_object_get (im->refused, types[i]->name);
    OSM_ERROR (why);

    if (refused)
      osm_export_tell_refused (types[i], refused, im->files, im->rows);
    else if (function (im, types[i], &why) == -1) {
      if (why.class == OSM_ERROR_INTERRUPTED) {
        osm_error_move (err, &why);
        return -1;
      }
      json_array_append_new (im->rows,
                             osm_export_row (types[i], NULL, NULL, "failed", why.message));
    }
  }
  return 0;
}

static void
begin (struct import *im, struct osm_cloud *cloud, const struct osm_import_options *options)
{
  *im = (struct import){ .cloud = cloud, .options = options };
  im->inventory = osm_fetch_inventory (cloud, options->project);
  osm_inventory_set_hosts (im->inventory, options->hosts);
  im->change =
      (struct osm_change){ .cloud = cloud, .inventory = im->inventory, .images = options->images };
  im->more = options->with ? osm_tenant_types_needed (options->types) : NULL;
  im->types = im->more ? im->more : options->types;
  im->files = json_object ();
  im->conflicts = json_object ();
  im->refused = json_object ();
  im->rows = json_array ();
}

static void
end (struct import *im)
{
  osm_inventory_free (im->inventory);
  osm_tenant_mapping_free (im->mapping);
  osm_filters_free (im->filters);
  free (im->more);
  json_decref (im->files);
  json_decref (im->conflicts);
  json_decref (im->refused);
  json_decref (im->rows);
  json_decref (im->extensions);
}

int
osm_tenant_import (struct osm_cloud *cloud, const struct osm_import_options *options,
                   json_t **ret_report, struct osm_error *err)
{
  static const char *const words[] = { "created", "updated", "equal", "skipped",
                                       "failed",  "deleted", NULL };
  struct import im;
  int r;

  begin (&im, cloud, options);
  r = for_each_type (&im, import_type, err);
  if (r == 0 && !options->dry_run)
    set_late (&im);
  if (r == 0)
    *ret_report = report (&im, words);
  end (&im);
  return r;
}

static int
diff_type (struct import *im, const struct osm_tenant_type *type, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *rows = NULL, *extra = NULL;

  if (compare_type (im, type, true, &rows, err) == -1)
    return -1;
  extra = osm_exact_take (rows);
  osm_spelling_settle (type, rows, extra);
  json_array_extend (im->rows, rows);
  json_array_extend (im->rows, extra);
  return 0;
}

int
osm_tenant_diff_cloud (struct osm_cloud *cloud, const struct osm_import_options *options,
                       json_t **ret_report, struct osm_error *err)
{
  static const char *const words[] = { "missing", "differs", "equal", "extra", "failed", NULL };
  struct import im;
  int r;

  begin (&im, cloud, options);
  r = for_each_type (&im, diff_type, err);
  if (r == 0)
    *ret_report = report (&im, words);
  end (&im);
  return r;
}
