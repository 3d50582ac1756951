/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/cleanup.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/tenant/carried.h"
#include "controller/tenant/conflict.h"
#include "controller/tenant/convert.h"
#include "controller/tenant/datafile.h"
#include "controller/tenant/export.h"
#include "controller/tenant/fetch.h"
#include "controller/tenant/mapping.h"
#include "controller/tenant/uses.h"
#include "controller/tenant/verdict.h"

struct cleaning {
  struct osm_cloud *cloud, *other; /* source, destination */
  const struct osm_cleanup_options *options;
  struct osm_inventory *here, *there;
  struct osm_tenant_mapping *mapping;
  const struct osm_tenant_type **types; /* all that are cleaned up, and the rules of groups */
  json_t *known;                        /* rows of the mapping */
  json_t *entries;   /* {TYPE: {ID: entry}} of the source, as an export of now would write them */
  json_t *files;     /* {TYPE: [entry]}, the same without those that cannot be read */
  json_t *conflicts; /* {TYPE: {ID: conflicts of this export}} */
  json_t *is;        /* {TYPE: {ID: entry}} of the destination */
  json_t *uses, *rows;
  bool deleting; /* from now on the cloud is changed */
};

/* ---- what the source has ---- */

static const struct osm_tenant_type **
all_cleanable (void)
{
  size_t n = 0;
  const struct osm_tenant_type **types;

  while (osm_tenant_types[n])
    n++;
  types = osm_calloc (n + 1, sizeof *types);
  n = 0;
  for (size_t i = 0; osm_tenant_types[i]; i++)
    if (osm_tenant_types[i]->cleanable ||
        osm_str_equal (osm_tenant_types[i]->name, "security_group_rules"))
      types[n++] = osm_tenant_types[i];
  return types;
}

/* Nothing is deleted where not everything is seen that may use it. */
static int
fetch_lists (struct osm_cloud *cloud, const struct cleaning *c, struct osm_inventory *inventory,
             struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *refused = json_object ();
  const char *type;
  json_t *why;

  if (osm_fetch_lists (cloud, c->types, inventory, refused, err) == -1)
    return -1;
  json_object_foreach (refused, type, why)
  {
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "%s of cloud '%s': %s", type,
                          osm_cloud_name (cloud), osm_json_str (why, "message"));
  }
  return 0;
}

static int
read_file (const char *folder, const struct osm_tenant_type *type, struct osm_datafile **ret,
           struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/%s", folder, type->file);

  *ret = NULL;
  return osm_file_exists (path) ? osm_datafile_open (path, type, ret, err) : 0;
}

/* {ID: conflicts}: those that an export of now would find, and those that are still marked. New object. */
static json_t *
all_conflicts (const struct osm_tenant_type *type, const struct osm_datafile *file,
               const json_t *merged, const json_t *entries, const struct osm_filter *filter,
               json_t *rows)
{
  OSM_CLEANUP_JSON json_t *marks = osm_conflicts_now (
      type, merged, entries, filter, file ? osm_datafile_conflicts (file) : NULL, rows);
  json_t *conflicts = json_object ();
  const json_t *row;
  size_t i;

  json_array_foreach (rows, i, row)
  {
    if (json_object_get (row, "conflicts"))
      json_object_set (conflicts, osm_json_str (row, "id"), json_object_get (row, "conflicts"));
  }
  return conflicts;
}

/* What the operator has edited in the files is as it should be at the destination. */
static int
expect (struct cleaning *c, const struct osm_tenant_type *type, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *base_dir = osm_asprintf ("%s/" OSM_EXPORT_BASE, c->options->data_dir);
  OSM_CLEANUP_DATAFILE struct osm_datafile *file = NULL, *base = NULL;
  OSM_CLEANUP_FILTER struct osm_filter *filter = NULL;
  OSM_CLEANUP_JSON json_t *entries = NULL, *merged = NULL, *rows = json_array (),
                          *list = json_array ();
  const char *id;
  json_t *entry;
  size_t i;

  if (osm_fetch_entries (c->cloud, type, c->here, &entries, err) == -1 ||
      read_file (c->options->data_dir, type, &file, err) == -1 ||
      (file && read_file (base_dir, type, &base, err) == -1) ||
      osm_filter_new (NULL, &filter, err) == -1)
    return -1;
  merged = osm_export_merge (type, entries, file ? osm_datafile_resources (file) : NULL,
                             base ? osm_datafile_resources (base) : NULL, filter, rows);
  json_object_set_new (c->conflicts, type->name,
                       all_conflicts (type, file, merged, entries, filter, rows));
  json_array_foreach (merged, i, entry)
  {
    OSM_CLEANUP_FREE char *of_entry = osm_tenant_entry_id (entry);

    if (json_object_get (entries, of_entry))
      json_object_set (entries, of_entry, entry);
  }
  json_object_foreach (entries, id, entry)
  {
    if (!json_object_get (entry, "error"))
      json_array_append (list, entry);
  }
  if (!osm_cloud_is_administrator (c->other))
    osm_carried_without_rights (type, list);
  json_object_set (c->entries, type->name, entries);
  return 0;
}

/* Of types that are none of ours: as the API has them. */
static int
list_others (const struct cleaning *c, json_t *found, struct osm_error *err)
{
  static const struct {
    const char *name;
    enum osm_service service;
    const char *path, *key;
    bool optional;
  } lists[] = {
    { "ports", OSM_NETWORK, "/ports", "ports", false },
    { "subnets", OSM_NETWORK, "/subnets", "subnets", false },
    { "security_group_rules", OSM_NETWORK, "/security-group-rules", "security_group_rules", false },
    { "floating_ips", OSM_NETWORK, "/floatingips", "floatingips", true },
    { "rbac_policies", OSM_NETWORK, "/rbac-policies", "rbac_policies", true },
    { "servers", OSM_COMPUTE, "/servers/detail", "servers", false },
  };

  for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
    json_t *list = NULL;
    OSM_ERROR (why);

    if (osm_cloud_list (c->cloud, lists[i].service, lists[i].path, lists[i].key, &list, &why) == 0)
      json_object_set_new (found, lists[i].name, list);
    else if (!lists[i].optional || why.code != 404) {
      osm_error_move (err, &why);
      return -1;
    }
  }
  return 0;
}

static int
find_uses (struct cleaning *c, struct osm_error *err)
{
  /* Subnets of others on our networks go with these, too: list_others has them. */
  static const char *const own[] = { "routers", "server_groups", NULL };
  OSM_CLEANUP_JSON json_t *found = json_object ();

  if (list_others (c, found, err) == -1)
    return -1;
  for (size_t i = 0; own[i]; i++) {
    json_t *list = json_array (), *object;
    const char *id;

    json_object_foreach ((json_t *)osm_inventory_own (c->here, own[i]), id, object)
        json_array_append (list, object);
    json_object_set_new (found, own[i], list);
  }
  c->uses = osm_tenant_uses (found);
  return 0;
}

/* ---- what the destination has ---- */

/* {TYPE: array of entries} */
static json_t *
as_files (const struct cleaning *c)
{
  json_t *files = json_object (), *entries, *entry;
  const char *type, *id;

  json_object_foreach (c->entries, type, entries)
  {
    json_t *list = json_array ();

    json_object_foreach (entries, id, entry)
    {
      if (!json_object_get (entry, "error"))
        json_array_append (list, entry);
    }
    json_object_set_new (files, type, list);
  }
  return files;
}

/* Also what is not in the lists: each is asked for by its id. */
static int
compare_with (struct cleaning *c, struct osm_error *err)
{
  const json_t *known;
  size_t i;

  c->files = as_files (c);
  osm_tenant_mapping_alias (c->mapping, c->files, c->there);
  if (fetch_lists (c->other, c, c->there, err) == -1)
    return -1;
  json_array_foreach (c->known, i, known)
  {
    const struct osm_tenant_type *type = osm_tenant_type_find (osm_json_str (known, "type"));
    OSM_CLEANUP_JSON json_t *ref = NULL;
    OSM_ERROR (ignored);

    if (type && type->cleanable)
      osm_inventory_ref (c->there, type->name, json_object_get (known, "destination_id"), &ref,
                         &ignored);
  }
  for (i = 0; c->types[i]; i++) {
    json_t *entries = NULL;

    if (osm_fetch_entries (c->other, c->types[i], c->there, &entries, err) == -1)
      return -1;
    json_object_set_new (c->is, c->types[i]->name, entries);
  }
  return 0;
}

/* ---- verdicts ---- */

static bool
is_chosen (const struct cleaning *c, const struct osm_tenant_type *type, const json_t *known,
           const json_t *entry)
{
  bool named = false;

  /* An entry that the operator has written by hand has any id, or none. */
  if (type && type->cleanable && !osm_is_uuid (osm_json_str (known, "source_id")))
    return false;
  for (size_t i = 0; type && c->options->types[i]; i++)
    named = named || c->options->types[i] == type;
  if (!named || json_object_get (known, "source_deleted_ms"))
    return false;
  return entry && !json_object_get (entry, "error")
             ? osm_export_takes (type, c->options->filter, entry)
             : osm_filter_takes (c->options->filter, osm_json_str (known, "name"));
}

/* *ret: borrowed; NULL: there is none, or it is not shown to this user. The lists have only what is the tenant's. */
static int
look_for (const struct cleaning *c, const struct osm_tenant_type *type, const char *id,
          const json_t **ret, bool *ret_hidden, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (id),
                        *path = osm_asprintf ("%s/%s", type->member_path, quoted);
  OSM_CLEANUP_JSON json_t *object = NULL, *list = json_array ();
  OSM_ERROR (why);

  *ret = osm_inventory_get (c->here, type->name, id);
  if (*ret || !type->cleanable)
    return 0;
  if (osm_cloud_get (c->cloud, type->service, path, type->member_key, &object, &why) == 0) {
    json_array_append (list, object);
    osm_inventory_add (c->here, type, list, false);
    *ret = osm_inventory_get (c->here, type->name, id);
    return 0;
  }
  *ret_hidden = why.code == 403;
  if (*ret_hidden || why.code == 404)
    return 0;
  osm_error_move (err, &why);
  return -1;
}

static json_t *
of (const json_t *by_type, const struct osm_tenant_type *type, const char *id)
{
  return json_object_get (json_object_get (by_type, type->name), id);
}

static int
judge (struct cleaning *c, const json_t *known, struct osm_error *err)
{
  const struct osm_tenant_type *type = osm_tenant_type_find (osm_json_str (known, "type"));
  const char *id = osm_json_str (known, "source_id"), *to = osm_json_str (known, "destination_id"),
             *name = osm_json_str (known, "name"), *network;
  const json_t *entry = type ? of (c->entries, type, id) : NULL;
  struct osm_cleanup_facts facts = { .type = type,
                                     .mapping = known,
                                     .entry = entry,
                                     .now_ms = osm_wall_ms (),
                                     .hold_ms = (int64_t)c->options->hold_ms,
                                     .accept_differences = c->options->accept_differences };
  OSM_CLEANUP_FREE char *label = NULL;
  OSM_CLEANUP_JSON json_t *lacks = NULL, *row = NULL;

  if (!is_chosen (c, type, known, entry))
    return 0;
  if (look_for (c, type, id, &facts.object, &facts.hidden, err) == -1)
    return -1;
  facts.own = json_object_get (osm_inventory_own (c->here, type->name), id) != NULL;
  network = osm_json_str (facts.object, "network_id");
  if (network)
    facts.network = json_object_get (osm_inventory_own (c->here, "networks"), network);
  facts.conflicts = of (c->conflicts, type, id);
  facts.copy = osm_inventory_get (c->there, type->name, to);
  facts.is = of (c->is, type, to);
  if (osm_str_equal (type->name, "security_groups")) {
    lacks = osm_cleanup_lacking_rules (facts.object,
                                       json_object_get (c->entries, "security_group_rules"), to,
                                       json_object_get (c->is, "security_group_rules"));
    facts.lacks = lacks;
  }
  label = entry && !json_object_get (entry, "error") ? osm_tenant_label (type, entry) : NULL;
  row = osm_export_row (type, label ? label : name && *name ? name : id, id, "", NULL);
  json_object_set_new (row, "destination_id", json_string (to));
  osm_cleanup_verdict (&facts, row);
  json_array_append (c->rows, row);
  return 0;
}

/* In the order in which things are made. */
static int
judge_all (struct cleaning *c, struct osm_error *err)
{
  const json_t *known;
  size_t k;

  for (size_t i = 0; osm_tenant_types[i]; i++)
    json_array_foreach (c->known, k, known)
    {
      if (osm_str_equal (osm_json_str (known, "type"), osm_tenant_types[i]->name) &&
          judge (c, known, err) == -1)
        return -1;
    }
  return 0;
}

/* ---- deleting ---- */

static int
get_again (struct osm_cloud *cloud, const struct osm_tenant_type *type, const char *id,
           json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (id),
                        *path = osm_asprintf ("%s/%s", type->member_path, quoted);

  *ret = NULL;
  if (osm_cloud_get (cloud, type->service, path, type->member_key, ret, err) == 0)
    return 0;
  if (err->code != 404)
    return -1;
  osm_error_clear (err);
  return 0;
}

/* As far as it matters for whether it may go. What goes before it changes the rest. */
static bool
is_same (const struct cleaning *c, const struct osm_tenant_type *type, const json_t *now,
         const json_t *then)
{
  static const char *const keys[] = { "name", "project_id", "shared", "members",
                                      "router:external" };

  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    const json_t *x = json_object_get (now, keys[i]), *y = json_object_get (then, keys[i]);

    if ((x || y) && !(x && y && json_equal (x, y)))
      return false;
  }
  if (type->remove &&
      !osm_str_equal (osm_json_str (now, "device_id"), osm_json_str (then, "device_id")))
    return false;
  return !type->wanted || type->wanted (c->here, now);
}

/* What is on a network may go only as long as that is ours alone. */
static int
has_same_network (const struct cleaning *c, const json_t *object, bool *ret, struct osm_error *err)
{
  const struct osm_tenant_type *networks = osm_tenant_type_find ("networks");
  const char *id = osm_json_str (object, "network_id");
  OSM_CLEANUP_JSON json_t *network = NULL;

  *ret = true;
  if (!id)
    return 0;
  if (get_again (c->cloud, networks, id, &network, err) == -1)
    return -1;
  *ret = network && is_same (c, networks, network, osm_inventory_get (c->here, "networks", id));
  return 0;
}

/* Some time may have passed since the lists. *ret: the object as it is now; NULL: the row has a result. */
static int
look_again (const struct cleaning *c, const struct osm_tenant_type *type, json_t *row, json_t **ret,
            struct osm_error *err)
{
  const char *id = osm_json_str (row, "id");
  OSM_CLEANUP_JSON json_t *object = NULL, *copy = NULL;
  bool same_network;

  *ret = NULL;
  if (get_again (c->cloud, type, id, &object, err) == -1 ||
      has_same_network (c, object, &same_network, err) == -1 ||
      get_again (c->other, type, osm_json_str (row, "destination_id"), &copy, err) == -1)
    return -1;
  if (!object)
    osm_cleanup_set (row, "gone", "is not at the source any more");
  else if (!copy)
    osm_cleanup_set (row, "left", "is not at the destination any more");
  else if (!is_same (c, type, object, osm_inventory_get (c->here, type->name, id)))
    osm_cleanup_set (row, "left", "has been changed by somebody right now");
  else if (!same_network)
    osm_cleanup_set (row, "left", "is on a network that has been changed by somebody right now");
  else
    *ret = osm_take (object);
  return 0;
}

/* Neutron would not ask: whoever has come to its network since then. The row has a result if there is somebody. */
static int
is_in_use_now (const struct cleaning *c, const json_t *interface, json_t *row, bool *ret,
               struct osm_error *err)
{
  const char *network = osm_json_str (interface, "network_id");
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (network ? network : ""),
                        *path = osm_asprintf ("/ports?network_id=%s", quoted), *why = NULL;
  OSM_CLEANUP_JSON json_t *ports = NULL, *found = NULL, *uses = NULL;

  if (osm_cloud_list (c->cloud, OSM_NETWORK, path, "ports", &ports, err) == -1)
    return -1;
  found = osm_json_pack ("{s:O}", "ports", ports);
  uses = osm_tenant_uses (found);
  why = osm_cleanup_used_by (c->rows, uses, row);
  *ret = why != NULL;
  if (why)
    osm_cleanup_set (row, "left", why);
  return 0;
}

static int
delete_one (const struct cleaning *c, const struct osm_tenant_type *type, json_t *row,
            struct osm_error *err)
{
  const char *id = osm_json_str (row, "id");
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (id),
                        *path = osm_asprintf ("%s/%s", type->member_path, quoted);
  OSM_CLEANUP_JSON json_t *object = NULL;
  bool in_use = false;

  if (look_again (c, type, row, &object, err) == -1 ||
      (object && type->remove && is_in_use_now (c, object, row, &in_use, err) == -1))
    return -1;
  if (!object || in_use)
    return 0;
  if ((type->remove ? type->remove (c->cloud, object, err)
                    : osm_cloud_delete (c->cloud, type->service, path, err)) == -1)
    return -1;
  osm_cleanup_set (row, "deleted", NULL);
  return 0;
}

/* That something is not shown to this user does not mean that it is not there: only what osm has deleted is noted. */
static int
note (const struct cleaning *c, const json_t *row, struct osm_error *err)
{
  if (!osm_str_equal (osm_json_str (row, "result"), "deleted"))
    return 0;
  return osm_store_mapping_source_deleted (c->options->store, osm_cloud_name (c->cloud),
                                           osm_cloud_name (c->other), osm_json_str (row, "type"),
                                           osm_json_str (row, "id"), err);
}

static int
delete_all (struct cleaning *c, struct osm_error *err)
{
  json_t *row;

  while ((row = osm_cleanup_next (c->rows, c->uses))) {
    const struct osm_tenant_type *type = osm_tenant_type_find (osm_json_str (row, "type"));
    OSM_ERROR (why);

    if (c->options->may_delete && c->options->may_delete (c->options->data, err) == -1)
      return -1;
    if (delete_one (c, type, row, &why) == -1) {
      if (why.class == OSM_ERROR_INTERRUPTED) {
        osm_error_move (err, &why);
        return -1;
      }
      osm_cleanup_set (row, why.code == 409 ? "left" : "failed", why.message);
    }
    if (note (c, row, err) == -1)
      return -1;
    osm_cleanup_leave_used (c->rows, c->uses);
  }
  return 0;
}

/* ---- */

static json_t *
report (const struct cleaning *c)
{
  static const char *const words[] = { "deleted", OSM_CLEANUP_PLANNED, "left", "gone", "failed" };
  OSM_CLEANUP_JSON json_t *counts = json_object ();
  const json_t *row;
  size_t i;

  for (i = 0; i < sizeof words / sizeof words[0]; i++)
    json_object_set_new (counts, words[i], json_integer (0));
  json_array_foreach (c->rows, i, row)
  {
    const char *word = osm_json_str (row, "result");

    json_object_set_new (counts, word, json_integer ((json_int_t)osm_json_uint (counts, word) + 1));
  }
  return osm_json_pack ("{s:O, s:O, s:b}", "objects", c->rows, "counts", counts, "dry_run",
                        !c->options->really);
}

static int
clean_up (struct cleaning *c, struct osm_error *err)
{
  const char *source = osm_cloud_name (c->cloud), *destination = osm_cloud_name (c->other);

  if (osm_store_mapping_list (c->options->store, source, destination, &c->known, err) == -1 ||
      osm_tenant_mapping_load (c->options->store, source, destination, &c->mapping, err) == -1)
    return -1;
  if (json_array_size (c->known) == 0)
    return 0;
  if (fetch_lists (c->cloud, c, c->here, err) == -1)
    return -1;
  for (size_t i = 0; c->types[i]; i++)
    if (expect (c, c->types[i], err) == -1)
      return -1;
  if (compare_with (c, err) == -1 || judge_all (c, err) == -1 || find_uses (c, err) == -1)
    return -1;
  osm_cleanup_leave_used (c->rows, c->uses);
  c->deleting = c->options->really;
  return c->deleting ? delete_all (c, err) : 0;
}

int
osm_tenant_cleanup (struct osm_cloud *source, struct osm_cloud *destination,
                    const struct osm_cleanup_options *options, json_t **ret_report,
                    struct osm_error *err)
{
  struct cleaning c = {
    .cloud = source,
    .other = destination,
    .options = options,
    .here = osm_inventory_new (osm_cloud_project_id (source), osm_cloud_user_id (source)),
    .there =
        osm_inventory_new (osm_cloud_project_id (destination), osm_cloud_user_id (destination)),
    .types = all_cleanable (),
    .entries = json_object (),
    .conflicts = json_object (),
    .is = json_object (),
    .rows = json_array (),
  };
  int r;

  osm_inventory_set_hosts (c.here, options->hosts[0]);
  osm_inventory_set_hosts (c.there, options->hosts[1]);
  r = clean_up (&c, err);
  if (r == 0 || c.deleting)
    *ret_report = report (&c);
  osm_inventory_free (c.here);
  osm_inventory_free (c.there);
  osm_tenant_mapping_free (c.mapping);
  free (c.types);
  json_decref (c.known);
  json_decref (c.entries);
  json_decref (c.files);
  json_decref (c.conflicts);
  json_decref (c.is);
  json_decref (c.uses);
  json_decref (c.rows);
  return r;
}
