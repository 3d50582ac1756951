/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/verdict.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/strbuf.h"
#include "controller/tenant/convert.h"
#include "controller/tenant/diff.h"
#include "controller/tenant/spelling.h"

void
osm_cleanup_set (json_t *row, const char *result, const char *reason)
{
  json_object_set_new (row, "result", json_string (result));
  json_object_del (row, "reason");
  osm_json_set_str (row, "reason", reason);
}

/* ---- one object ---- */

/* NULL: osm made it. */
static const char *
not_osms (const struct osm_cleanup_facts *f)
{
  const char *origin = osm_json_str (f->mapping, "origin");

  if (osm_str_equal (origin, "registered"))
    return "was registered: osm did not make what it is at the destination";
  if (!osm_str_equal (origin, "created"))
    return "was found at the destination by its name: osm did not make it there";
  if (!f->type->cleanable)
    return "is of a kind that is not deleted by osm: not all that may need it can be seen";
  return NULL;
}

static char *
held (const struct osm_cleanup_facts *f)
{
  int64_t age = f->now_ms - (int64_t)osm_json_uint (f->mapping, "updated_ms");
  char is[OSM_HUMAN_LEN], hold[OSM_HUMAN_LEN];

  if (age >= f->hold_ms)
    return NULL;
  return osm_asprintf ("was imported only %s ago (--older-than %s)",
                       osm_human_duration (age > 0 ? (uint64_t)age : 0, is),
                       osm_human_duration ((uint64_t)f->hold_ms, hold));
}

static bool
is_default_group (const struct osm_cleanup_facts *f)
{
  return osm_str_equal (f->type->name, "security_groups") &&
         osm_str_equal (osm_json_str (f->object, "name"), "default");
}

/* What is on a network serves whoever is there. NULL: that is the tenant alone. */
static const char *
not_alone_on_network (const struct osm_cleanup_facts *f)
{
  if (!osm_str_equal (f->type->name, "subnets") &&
      !osm_str_equal (f->type->name, "router_interfaces"))
    return NULL;
  if (!f->network)
    return "is on a network that is not this project's: who uses it there is not seen";
  if (json_is_true (json_object_get (f->network, "router:external")))
    return "is on an external network";
  if (json_is_true (json_object_get (f->network, "shared")))
    return "is on a network that is shared with other projects";
  return NULL;
}

/* NULL: it belongs to the tenant alone. */
static const char *
not_alone (const struct osm_cleanup_facts *f)
{
  if (!f->own)
    return "belongs to another project, is in use, or is osm's own";
  if (is_default_group (f))
    return "is the default security group, which every project has";
  if (json_is_true (json_object_get (f->object, "router:external")))
    return "is an external network";
  if (json_is_true (json_object_get (f->object, "shared")))
    return "is shared with other projects";
  return not_alone_on_network (f);
}

/* It was looked at under this name when it was imported. */
static char *
renamed (const struct osm_cleanup_facts *f)
{
  const char *then = osm_json_str (f->mapping, "name"),
             *now = osm_json_str (json_object_get (f->entry, "params"), "name");

  if (!then || osm_str_equal (then, now))
    return NULL;
  return osm_asprintf ("has another name than when it was imported: '%s', then '%s'",
                       now ? now : "", then);
}

static char *
listed (const char *intro, const json_t *names, const char *key)
{
  OSM_STRBUF (b);
  const json_t *name;
  size_t i;

  osm_strbuf_add (&b, intro);
  json_array_foreach (names, i, name) osm_strbuf_addf (
      &b, "%s%s", i > 0 ? ", " : "", key ? osm_json_str (name, key) : json_string_value (name));
  return osm_strbuf_take (&b);
}

static char *
differences_text (const json_t *differences)
{
  OSM_STRBUF (b);
  const json_t *d;
  size_t i;

  osm_strbuf_add (&b, "differs at the destination: ");
  json_array_foreach (differences, i, d)
  {
    const json_t *is = json_object_get (d, "is");
    OSM_CLEANUP_FREE char *here = json_dumps (json_object_get (d, "wanted"),
                                              JSON_ENCODE_ANY | JSON_COMPACT),
                          *there = is && !json_is_null (is)
                                       ? json_dumps (is, JSON_ENCODE_ANY | JSON_COMPACT)
                                       : NULL;

    osm_strbuf_addf (&b, "%s%s: %s, there %s", i > 0 ? "; " : "", osm_json_str (d, "field"), here,
                     there ? there : "nothing");
  }
  return osm_strbuf_take (&b);
}

/* NULL: the copy is as it should be. */
static char *
different (const struct osm_cleanup_facts *f)
{
  OSM_CLEANUP_JSON json_t *differences = NULL;

  if (!f->copy)
    return osm_asprintf ("%s is not at the destination any more",
                         osm_json_str (f->mapping, "destination_id"));
  if (f->accept_differences)
    return NULL;
  if (json_array_size (f->conflicts) > 0)
    return listed ("differs from the file, which has conflicts that are not resolved: ",
                   f->conflicts, "field");
  if (!f->is || json_object_get (f->is, "error"))
    return osm_strdup ("cannot be compared: it is in use at the destination, or not to be read");
  differences = osm_tenant_diff_strict (f->type, f->entry, f->is);
  if (json_array_size (differences) > 0)
    return differences_text (differences);
  return json_array_size (f->lacks) > 0
             ? listed ("the destination lacks rules of it: ", f->lacks, NULL)
             : NULL;
}

void
osm_cleanup_verdict (const struct osm_cleanup_facts *f, json_t *row)
{
  const char *why = not_osms (f);
  OSM_CLEANUP_FREE char *reason = NULL;

  if (why) {
    osm_cleanup_set (row, "left", why);
    return;
  }
  if (f->hidden) {
    osm_cleanup_set (row, "left", "belongs to others: this user may not see it");
    return;
  }
  if (!f->object) {
    osm_cleanup_set (row, "gone", "is not at the source any more");
    return;
  }
  reason = held (f);
  if (!reason)
    why = not_alone (f);
  if (!reason && !why && (!f->entry || json_object_get (f->entry, "error")))
    why = "cannot be read";
  if (!reason && !why)
    reason = renamed (f);
  if (!reason && !why)
    reason = different (f);
  osm_cleanup_set (row, reason || why ? "left" : OSM_CLEANUP_PLANNED, reason ? reason : why);
}

/* {SPELLING: true} of the rules of that group. New object. */
static json_t *
spellings_of (const json_t *rules, const char *group_id)
{
  const struct osm_tenant_type *type = osm_tenant_type_find ("security_group_rules");
  json_t *known = json_object (), *entry;
  const char *id;

  json_object_foreach ((json_t *)rules, id, entry)
  {
    OSM_CLEANUP_FREE char *spelling = NULL;

    if (json_object_get (entry, "error") ||
        !osm_str_equal (osm_json_str (json_object_get (entry, "_info"), "security_group_id"),
                        group_id))
      continue;
    spelling = osm_tenant_spelling (type, entry);
    json_object_set_new (known, spelling, json_true ());
  }
  return known;
}

json_t *
osm_cleanup_lacking_rules (const json_t *group, const json_t *rules, const char *copy_id,
                           const json_t *there)
{
  const struct osm_tenant_type *type = osm_tenant_type_find ("security_group_rules");
  OSM_CLEANUP_JSON json_t *known = spellings_of (there, copy_id);
  const json_t *of_group = json_object_get (group, "security_group_rules"), *rule;
  json_t *lacking = json_array ();
  size_t i;

  if (!json_is_array (of_group))
    json_array_append_new (lacking, json_string ("those that it has are not told"));
  json_array_foreach (of_group, i, rule)
  {
    const char *id = osm_json_str (rule, "id");
    const json_t *entry = id ? json_object_get (rules, id) : NULL;
    OSM_CLEANUP_FREE char *spelling = NULL, *label = NULL;

    if (!entry || json_object_get (entry, "error")) {
      label = osm_asprintf ("%s, which cannot be read", id ? id : "one");
      json_array_append_new (lacking, json_string (label));
      continue;
    }
    spelling = osm_tenant_spelling (type, entry);
    label = osm_tenant_label (type, entry);
    if (!json_object_get (known, spelling))
      json_array_append_new (lacking, json_string (label));
  }
  return lacking;
}

/* ---- all of them ---- */

static bool
is_planned (const json_t *row)
{
  return osm_str_equal (osm_json_str (row, "result"), OSM_CLEANUP_PLANNED);
}

/* {TYPE: {ID: row}}. New object. */
static json_t *
index_of (json_t *rows)
{
  json_t *all = json_object (), *row;
  size_t i;

  json_array_foreach (rows, i, row)
  {
    const char *type = osm_json_str (row, "type"), *id = osm_json_str (row, "id");
    json_t *of_type = json_object_get (all, type);

    if (!of_type) {
      of_type = json_object ();
      json_object_set_new (all, type, of_type);
    }
    json_object_set (of_type, id, row);
  }
  return all;
}

static const json_t *
users_of (const json_t *uses, const json_t *row)
{
  return json_object_get (json_object_get (uses, osm_json_str (row, "type")),
                          osm_json_str (row, "id"));
}

/* Which users count. */
enum whose {
  OF_ALL_THAT_STAY,
  OF_OTHER_TYPES, /* also those that have their turn still, but for those of its own type */
  OF_ALL,         /* also those that have their turn still */
};

/* What uses it, for people; NULL: nothing. Borrowed. */
static const char *
user (const json_t *index, const json_t *uses, const json_t *row, enum whose whose)
{
  const json_t *by;
  size_t i;

  json_array_foreach (users_of (uses, row), i, by)
  {
    const char *type = osm_json_str (by, "type");
    const json_t *other =
        type ? json_object_get (json_object_get (index, type), osm_json_str (by, "id")) : NULL;
    const char *result = other ? osm_json_str (other, "result") : NULL;
    bool waits = osm_str_equal (result, OSM_CLEANUP_PLANNED);

    if (osm_str_equal (result, "deleted") || osm_str_equal (result, "gone") || other == row ||
        (waits && whose == OF_ALL_THAT_STAY) ||
        (waits && whose == OF_OTHER_TYPES && osm_str_equal (type, osm_json_str (row, "type"))))
      continue;
    return osm_json_str (by, "text");
  }
  return NULL;
}

char *
osm_cleanup_used_by (json_t *rows, const json_t *uses, const json_t *row)
{
  OSM_CLEANUP_JSON json_t *index = index_of (rows);
  const char *by = user (index, uses, row, OF_ALL_THAT_STAY);

  return by ? osm_asprintf ("is used by %s", by) : NULL;
}

void
osm_cleanup_leave_used (json_t *rows, const json_t *uses)
{
  OSM_CLEANUP_JSON json_t *index = index_of (rows);
  bool changed;
  json_t *row;
  size_t i;

  do {
    changed = false;
    json_array_foreach (rows, i, row)
    {
      const char *by = is_planned (row) ? user (index, uses, row, OF_ALL_THAT_STAY) : NULL;
      OSM_CLEANUP_FREE char *reason = by ? osm_asprintf ("is used by %s", by) : NULL;

      if (!reason)
        continue;
      osm_cleanup_set (row, "left", reason);
      changed = true;
    }
  } while (changed);
}

json_t *
osm_cleanup_next (json_t *rows, const json_t *uses)
{
  OSM_CLEANUP_JSON json_t *index = index_of (rows);

  /* Rows are in the order in which things are made. Two groups that let each other in have to go in some order. */
  for (enum whose whose = OF_ALL; whose >= OF_OTHER_TYPES; whose--)
    for (size_t i = json_array_size (rows); i-- > 0;) {
      json_t *row = json_array_get (rows, i);

      if (is_planned (row) && !user (index, uses, row, whose))
        return row;
    }
  return NULL;
}
