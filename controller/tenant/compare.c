/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/compare.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/tenant/convert.h"
#include "controller/tenant/diff.h"
#include "controller/tenant/export.h"

char *
osm_tenant_differences_text (const json_t *differences, int fixed)
{
  OSM_STRBUF (b);
  const json_t *d;
  size_t i;

  json_array_foreach (differences, i, d)
  {
    OSM_CLEANUP_FREE char *wanted =
        json_dumps (json_object_get (d, "wanted"), JSON_ENCODE_ANY | JSON_COMPACT);
    const json_t *is = json_object_get (d, "is");
    OSM_CLEANUP_FREE char *now = is ? json_dumps (is, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

    if (fixed != -1 && json_is_true (json_object_get (d, "fixed")) != (fixed == 1))
      continue;
    osm_strbuf_addf (&b, "%s%s: %s in the file, %s in the cloud", b.len > 0 ? "; " : "",
                     osm_json_str (d, "field"), wanted, now ? now : "nothing");
  }
  return b.len > 0 ? osm_strbuf_take (&b) : NULL;
}

/* {IDENTITY: [ID, ...]} of the cloud's entries. */
static json_t *
by_identity (const struct osm_tenant_type *type, const json_t *cloud)
{
  json_t *found = json_object (), *entry;
  const char *id;

  json_object_foreach ((json_t *)cloud, id, entry)
  {
    OSM_CLEANUP_FREE char *identity = NULL;
    json_t *ids;

    if (json_object_get (entry, "error"))
      continue;
    identity = osm_tenant_identity (type, entry);
    ids = json_object_get (found, identity);
    if (!ids) {
      ids = json_array ();
      json_object_set_new (found, identity, ids);
    }
    json_array_append_new (ids, json_string (id));
  }
  return found;
}

static json_t *
row (const struct osm_tenant_type *type, const json_t *entry, const char *id, const char *result)
{
  OSM_CLEANUP_FREE char *label = osm_tenant_label (type, entry);

  return osm_export_row (type, label, id, result, NULL);
}

static json_t *
several (const struct osm_tenant_type *type, const json_t *entry, const json_t *ids)
{
  json_t *r = row (type, entry, NULL, "failed");
  OSM_STRBUF (b);
  const json_t *id;
  size_t i;

  osm_strbuf_add (&b, "the cloud has several of it: ");
  json_array_foreach (ids, i, id)
      osm_strbuf_addf (&b, "%s%s", i > 0 ? ", " : "", json_string_value (id));
  osm_strbuf_add (&b, "; register-external says which one is meant");
  json_object_set_new (r, "reason", json_string (osm_strbuf_str (&b)));
  return r;
}

/* {ID: true} of the cloud's objects that entries of the file are mapped to: no other entry means them by its name. */
static json_t *
taken_ids (const json_t *file, const json_t *mapped)
{
  json_t *taken = json_object ();
  const json_t *entry;
  size_t i;

  json_array_foreach (file, i, entry)
  {
    OSM_CLEANUP_FREE char *id = osm_tenant_entry_id (entry);
    const json_t *to = json_object_get (mapped, id);

    if (to)
      json_object_set_new (taken, osm_json_str (to, "destination_id"), json_true ());
  }
  return taken;
}

/* The ids that the entry may mean, best first. New array. */
static json_t *
candidates (const json_t *entry, const json_t *cloud, const json_t *by_name, const json_t *mapped,
            const json_t *taken)
{
  OSM_CLEANUP_FREE char *source_id = osm_tenant_entry_id (entry);
  const char *to = osm_json_str (json_object_get (mapped, source_id), "destination_id");
  json_t *ids = json_array (), *id;
  size_t i;

  if (to && json_object_get (cloud, to)) {
    json_array_append_new (ids, json_string (to));
    return ids;
  }
  json_array_foreach (by_name, i, id)
  {
    if (!json_object_get (taken, json_string_value (id)))
      json_array_append (ids, id);
  }
  return ids;
}

static json_t *
left_alone (const struct osm_tenant_type *type, const json_t *entry, const json_t *to,
            const char *why)
{
  json_t *r = row (type, entry, osm_json_str (to, "destination_id"), "equal");

  json_object_set_new (r, "reason", json_string (why));
  return r;
}

/* {NAME: entry} of the cloud's objects of which no entry could be made, but for those that other entries are mapped to. */
static json_t *
unreadable_by_name (const json_t *cloud, const json_t *taken)
{
  json_t *found = json_object (), *entry;
  const char *id;

  json_object_foreach ((json_t *)cloud, id, entry)
  {
    const char *name = osm_json_str (entry, "name");

    if (json_object_get (entry, "error") && name && !json_object_get (taken, id))
      json_object_set (found, name, entry);
  }
  return found;
}

/* A second one must not be made, and there is nothing to compare with. */
static json_t *
unreadable_row (const struct osm_tenant_type *type, const json_t *entry, const json_t *is)
{
  const char *why = osm_json_str (json_object_get (is, "error"), "message"),
             *name = osm_json_str (is, "name");
  OSM_CLEANUP_FREE char *reason =
      osm_asprintf ("the cloud has the %s '%s', which cannot be read: %s", type->noun,
                    name ? name : "", why ? why : "");
  json_t *r = row (type, entry, NULL, "failed");

  json_object_set_new (r, "reason", json_string (reason));
  return r;
}

static json_t *
compare_one (const struct osm_tenant_type *type, const json_t *entry, const json_t *cloud,
             const json_t *ids, const json_t *to, const json_t *unreadable)
{
  const char *name = osm_json_str (json_object_get (entry, "params"), "name");
  const char *id = json_string_value (json_array_get (ids, 0));
  const json_t *is = id ? json_object_get (cloud, id) : NULL;
  OSM_CLEANUP_JSON json_t *differences = NULL;
  OSM_CLEANUP_FREE char *text = NULL;
  json_t *r;

  if (osm_str_equal (osm_json_str (to, "origin"), "registered") &&
      (json_is_true (json_object_get (to, "elsewhere")) ||
       json_object_get (cloud, osm_json_str (to, "destination_id"))))
    return left_alone (type, entry, to, "registered: others take care of it");
  /* Of equal rules one is as good as another. */
  if (json_array_size (ids) > 1 && osm_tenant_field (type, "name"))
    return several (type, entry, ids);
  /* A port that a server has now is none of those that are exported. */
  if (!is && type->wanted && json_is_true (json_object_get (to, "elsewhere")))
    return left_alone (type, entry, to, "is there, and in use now: it is left alone");
  /* Where the name alone says which one it is. */
  if (!is && name && strcmp (type->match[0], "name") == 0 && !type->match[1])
    is = json_object_get (unreadable, name);
  if (json_object_get (is, "error"))
    return unreadable_row (type, entry, is);
  if (!is)
    return row (type, entry, NULL, "missing");
  differences = osm_tenant_diff (type, entry, is);
  r = row (type, entry, id, json_array_size (differences) > 0 ? "differs" : "equal");
  json_object_set (r, "differences", differences);
  json_object_set (r, "is", (json_t *)is);
  text = osm_tenant_differences_text (differences, -1);
  osm_json_set_str (r, "reason", text);
  return r;
}

json_t *
osm_tenant_compare (const struct osm_tenant_type *type, const json_t *file, const json_t *cloud,
                    const json_t *mapped, const struct osm_filter *filter, bool with_extra)
{
  /* What became of an entry before it was edited is not what it means now. */
  const json_t *known = type->by_content ? NULL : mapped;
  OSM_CLEANUP_JSON json_t *identities = by_identity (type, cloud), *seen = json_object (),
                          *taken = taken_ids (file, known),
                          *unreadable = unreadable_by_name (cloud, taken);
  json_t *rows = json_array (), *equals;
  const json_t *entry;
  const char *identity;
  size_t i;

  json_array_foreach (file, i, entry)
  {
    OSM_CLEANUP_FREE char *of_file = osm_tenant_identity (type, entry);
    OSM_CLEANUP_FREE char *source_id = osm_tenant_entry_id (entry);
    OSM_CLEANUP_JSON json_t *ids =
        candidates (entry, cloud, json_object_get (identities, of_file), known, taken);
    json_t *r;

    json_object_set_new (seen, of_file, json_true ());
    if (!osm_export_takes (type, filter, entry))
      continue;
    r = compare_one (type, entry, cloud, ids, json_object_get (known, source_id), unreadable);
    json_object_set (r, "entry", (json_t *)entry);
    json_array_append_new (rows, r);
  }
  json_object_foreach (identities, identity, equals)
  {
    const char *id = json_string_value (json_array_get (equals, 0));
    const json_t *is = json_object_get (cloud, id);

    if (with_extra && !json_object_get (seen, identity) && !json_object_get (taken, id) &&
        osm_export_takes (type, filter, is)) {
      json_t *r = row (type, is, id, "extra");

      json_object_set (r, "is", (json_t *)is);
      json_array_append_new (rows, r);
    }
  }
  return rows;
}
