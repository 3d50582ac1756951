/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/marks.h"

#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"
#include "controller/config.h"
#include "controller/hosts/home.h"

#define MARK_PAIR "osm.pair"
#define ROLE_HOST "conversion-host"
#define ID_LEN 8

/* ---- marks as text ---- */

json_t *
osm_port_marks (const json_t *port)
{
  static const char *const keys[] = { OSM_MARK_MIGRATION, OSM_MARK_ROLE };
  json_t *marks = json_object (), *tag;
  const char *description = osm_json_str (port, "description");
  size_t i;

  if (description && osm_str_starts_with (description, OSM_MARK_MIGRATION "=")) {
    const char *id = description + strlen (OSM_MARK_MIGRATION "="),
               *role = strstr (id, " " OSM_MARK_ROLE "=");
    OSM_CLEANUP_FREE char *text = osm_strndup (id, strcspn (id, " "));

    osm_json_set_str (marks, OSM_MARK_MIGRATION, text);
    if (role)
      osm_json_set_str (marks, OSM_MARK_ROLE, role + strlen (" " OSM_MARK_ROLE "="));
  }
  json_array_foreach (json_object_get (port, "tags"), i, tag)
  {
    const char *text = json_string_value (tag);

    for (size_t k = 0; text && k < 2; k++)
      if (osm_str_starts_with (text, keys[k]) && text[strlen (keys[k])] == '=')
        osm_json_set_str (marks, keys[k], text + strlen (keys[k]) + 1);
  }
  return marks;
}

char *
osm_was_text (const char *status)
{
  char host[65] = "";

  gethostname (host, sizeof host - 1);
  return osm_asprintf ("%s:%s", status ? status : "", host);
}

char *
osm_source_text (const char *server_id, const char *status)
{
  return osm_asprintf ("%s:%s", server_id, status ? status : "");
}

/* Before or after the colon. Caller frees; NULL if there is nothing. */
static char *
part (const char *text, unsigned number)
{
  const char *colon = text ? strchr (text, ':') : NULL;

  if (!text || (number == 1 && (!colon || !colon[1])))
    return NULL;
  return number == 1 ? osm_strdup (colon + 1) : osm_strndup (text, strcspn (text, ":"));
}

/* The id in a role, or NULL. Borrowed. */
static const char *
role_id (const json_t *object, const char *role)
{
  const char *text = osm_json_str (json_object_get (object, "marks"), OSM_MARK_ROLE);
  size_t len = strlen (role);

  return text && strncmp (text, role, len) == 0 && text[len] == ':' && text[len + 1]
             ? text + len + 1
             : NULL;
}

static const char *
mark (const json_t *object, const char *key)
{
  return osm_json_str (json_object_get (object, "marks"), key);
}

static bool
is_side (const json_t *object, const char *side, const char *kind)
{
  return osm_str_equal (osm_json_str (object, "side"), side) &&
         osm_str_equal (osm_json_str (object, "kind"), kind);
}

static bool
is_migration_id (const char *text)
{
  return text && strlen (text) == ID_LEN && strspn (text, "0123456789abcdef") == ID_LEN;
}

/* ---- objects ---- */

static const char *
what_is (const json_t *object)
{
  if (is_side (object, "source", "server"))
    return "the source server";
  if (mark (object, OSM_MARK_HOME))
    return "data volume of the source server, away from it";
  if (role_id (object, OSM_ROLE_SNAPSHOT))
    return "temporary snapshot of a source volume";
  if (role_id (object, OSM_ROLE_CLONE))
    return "temporary copy of a source volume";
  if (role_id (object, OSM_ROLE_VOLUME))
    return "copy of a volume";
  if (role_id (object, OSM_ROLE_PORT))
    return "port of the new server";
  if (role_id (object, OSM_ROLE_FLOATING_IP))
    return "floating IP of the new server";
  if (role_id (object, OSM_ROLE_IMAGE))
    return "temporary image of the source server";
  if (osm_str_equal (mark (object, OSM_MARK_ROLE), OSM_ROLE_SERVER))
    return "the new server";
  if (is_side (object, "source", "volume"))
    return "the source volume";
  return "unknown";
}

/* What osm makes at a destination. In a cloud that is also somebody's source, or the same for both, the mark tells which it is. */
static bool
is_destinations (const json_t *marks)
{
  const char *role = osm_json_str (marks, OSM_MARK_ROLE);

  return role && (osm_str_starts_with (role, OSM_ROLE_VOLUME ":") ||
                  osm_str_starts_with (role, OSM_ROLE_PORT ":") ||
                  osm_str_starts_with (role, OSM_ROLE_FLOATING_IP ":") ||
                  strcmp (role, OSM_ROLE_SERVER) == 0);
}

static bool
has_tags (const char *kind)
{
  return strcmp (kind, "port") == 0 || strcmp (kind, "floating IP") == 0;
}

/* NULL: it has no mark of a migration in this direction. */
static json_t *
new_object (const char *side, const char *cloud, const char *kind, const json_t *raw)
{
  OSM_CLEANUP_JSON json_t *marks = NULL, *object = NULL, *holders = json_array ();
  const json_t *metadata = json_object_get (raw, "metadata");
  const char *key;
  json_t *value;
  size_t i;

  if (has_tags (kind))
    marks = osm_port_marks (raw);
  else {
    marks = json_object ();
    json_object_foreach ((json_t *)metadata, key,
                         value) if (osm_str_starts_with (key, "osm.") && json_is_string (value))
        json_object_set (marks, key, value);
  }
  if (json_object_size (marks) == 0 || json_object_get (marks, MARK_PAIR) ||
      !osm_json_str (raw, "id") ||
      is_destinations (marks) != (strcmp (side, osm_side_name (OSM_DESTINATION)) == 0))
    return NULL;
  json_array_foreach (json_object_get (raw, "attachments"), i, value)
  {
    if (osm_json_str (value, "server_id"))
      json_array_append (holders, json_object_get (value, "server_id"));
  }
  object = osm_json_pack ("{s:s, s:s?, s:s, s:s, s:s?, s:s?, s:O, s:O}", "side", side, "cloud",
                          cloud, "kind", kind, "id", osm_json_str (raw, "id"), "name",
                          osm_json_str (raw, "name"), "status", osm_json_str (raw, "status"),
                          "marks", marks, "held_by", holders);
  osm_json_set_str (object, "what", what_is (object));
  return osm_take (object);
}

static json_t *
all_objects (const struct osm_marks_input *in)
{
  json_t *objects = json_array ();

  for (int side = 0; side < 2; side++) {
    const struct {
      const char *kind;
      const json_t *list;
    } lists[] = { { "server", in->servers[side] },           { "volume", in->volumes[side] },
                  { "snapshot", in->snapshots[side] },       { "port", in->ports[side] },
                  { "floating IP", in->floating_ips[side] }, { "image", in->images[side] } };

    for (size_t k = 0; k < sizeof lists / sizeof lists[0]; k++) {
      size_t i;
      const json_t *raw;

      json_array_foreach (lists[k].list, i, raw)
      {
        json_t *object =
            new_object (osm_side_name ((enum osm_side)side), in->cloud[side], lists[k].kind, raw);

        if (object)
          json_array_append_new (objects, object);
      }
    }
  }
  return objects;
}

/* ---- orphans ---- */

/* Nothing that is the tenant's own is deleted: its marks come off. */
static char *
command_for (const json_t *object, bool keep)
{
  const char *cloud = osm_json_str (object, "cloud"), *kind = osm_json_str (object, "kind"),
             *id = osm_json_str (object, "id"),
             *holder = json_string_value (json_array_get (json_object_get (object, "held_by"), 0));
  const char *prefix = strcmp (kind, "snapshot") == 0      ? "volume snapshot"
                       : strcmp (kind, "floating IP") == 0 ? "floating ip"
                                                           : kind,
             *key;
  json_t *value;
  OSM_STRBUF (b);

  osm_strbuf_addf (&b, "openstack --os-cloud %s %s ", cloud, prefix);
  if (!keep && mark (object, OSM_MARK_ROLE)) {
    if (holder && strcmp (kind, "volume") == 0)
      osm_strbuf_addf (&b,
                       "delete %s   # after: openstack --os-cloud %s server remove volume %s %s",
                       id, cloud, holder, id);
    else
      osm_strbuf_addf (&b, "delete %s", id);
    return osm_strbuf_take (&b);
  }
  osm_strbuf_add (&b, "unset");
  json_object_foreach (json_object_get (object, "marks"), key, value)
  {
    if (has_tags (kind))
      osm_strbuf_addf (&b, " --tag %s=%s", key, json_string_value (value));
    else
      osm_strbuf_addf (&b, " --property %s", key);
  }
  osm_strbuf_addf (&b, " %s", id);
  return osm_strbuf_take (&b);
}

static void
add_orphan (json_t *orphans, const json_t *object, const char *why, bool keep)
{
  OSM_CLEANUP_FREE char *command = command_for (object, keep);
  json_t *orphan = json_copy ((json_t *)object);

  osm_json_set_str (orphan, "why", why);
  osm_json_set_str (orphan, "command", command);
  json_array_append_new (orphans, orphan);
}

static const json_t *
first_with_role (const json_t *objects, const char *side, const char *role)
{
  size_t i;
  const json_t *object;

  json_array_foreach (objects, i, object)
  {
    if (osm_str_equal (osm_json_str (object, "side"), side) &&
        osm_str_equal (mark (object, OSM_MARK_ROLE), role))
      return object;
  }
  return NULL;
}

json_t *
osm_marks_orphans (const json_t *migration, const char *why)
{
  const json_t *objects = json_object_get (migration, "objects"), *object;
  json_t *orphans = json_array ();
  /* A server that was made stays, with what it consists of: it may be the only one that is left. */
  bool keep = first_with_role (objects, "destination", OSM_ROLE_SERVER) != NULL;
  size_t i;

  json_array_foreach (objects, i, object) add_orphan (
      orphans, object, why, keep && osm_str_equal (osm_json_str (object, "side"), "destination"));
  return orphans;
}

/* ---- plan ---- */

static void
add_volume (json_t *volumes, const char *id, const json_t *raw, const char *access,
            const char *device, bool delete_on_termination)
{
  const char *name = osm_json_str (raw, "name");
  json_t *volume;

  if (osm_json_find (volumes, "id", id))
    return;
  volume = osm_json_pack (
      "{s:s, s:s, s:I, s:b, s:b, s:s, s:b, s:{}, s:{}}", "id", id, "name", name ? name : "",
      "size_gb", json_integer_value (json_object_get (raw, "size")), "boot",
      strcmp (access, "snapshot") == 0 || strcmp (access, "image") == 0, "bootable",
      osm_str_equal (osm_json_str (raw, "bootable"), "true"), "access", access,
      "delete_on_termination", delete_on_termination, "metadata", "image_metadata");
  osm_json_set_str (volume, "device", device);
  json_array_append_new (volumes, volume);
}

/* Those that were cloned or taken away, and whatever else has a copy: osm leaves these where they are ("copied"). */
static json_t *
plan_volumes (const struct osm_marks_input *in, const json_t *objects, const char *direct)
{
  OSM_CLEANUP_JSON json_t *volumes = json_array ();
  const json_t *raw = in->volumes[OSM_SOURCE], *object;
  size_t i;

  if (direct)
    add_volume (volumes, direct, osm_json_find (raw, "id", direct), "direct", NULL, false);
  json_array_foreach (objects, i, object)
  {
    const char *from = role_id (object, OSM_ROLE_SNAPSHOT),
               *image = role_id (object, OSM_ROLE_IMAGE);
    OSM_CLEANUP_JSON json_t *home = osm_home_parse (mark (object, OSM_MARK_HOME));

    if (!from)
      from = role_id (object, OSM_ROLE_CLONE);
    /* The root disk of a server that booted from an image goes by the id of the server. */
    if (!image && osm_json_find (in->servers[OSM_SOURCE], "id", from))
      image = from;
    if (image)
      add_volume (volumes, image, NULL, "image", NULL, true);
    else if (from)
      add_volume (volumes, from, osm_json_find (raw, "id", from), "snapshot", NULL, false);
    else if (home && is_side (object, "source", "volume"))
      add_volume (volumes, osm_json_str (object, "id"),
                  osm_json_find (raw, "id", osm_json_str (object, "id")), "detach",
                  osm_json_str (home, "device"),
                  json_is_true (json_object_get (home, "delete_on_termination")));
  }
  json_array_foreach (objects, i, object)
  {
    const char *from = role_id (object, OSM_ROLE_VOLUME);

    if (from)
      add_volume (volumes, from, osm_json_find (raw, "id", from), "copied", NULL, false);
  }
  return osm_sorted_by_device (volumes);
}

static json_t *
plan_ports (const json_t *objects)
{
  json_t *ports = json_array ();
  const json_t *object;
  size_t i;

  json_array_foreach (objects, i, object)
  {
    const char *id = role_id (object, OSM_ROLE_PORT);

    if (id)
      json_array_append_new (ports, osm_json_pack ("{s:s, s:{}, s:s, s:s}", "id", id, "create",
                                                   "network_name", "", "addresses", ""));
  }
  return ports;
}

static json_t *
plan_floating_ips (const json_t *objects)
{
  json_t *ips = json_array ();
  const json_t *object;
  size_t i;

  json_array_foreach (objects, i, object)
  {
    const char *id = role_id (object, OSM_ROLE_FLOATING_IP);

    if (id)
      json_array_append_new (ips,
                             osm_json_pack ("{s:s, s:{}, s:s}", "id", id, "create", "address", ""));
  }
  return ips;
}

/* ---- migrations ---- */

static bool
is_host (const json_t *server)
{
  return osm_str_equal (osm_json_str (json_object_get (server, "metadata"), OSM_MARK_ROLE),
                        ROLE_HOST);
}

/* Is it free, or held by a conversion host only? */
static bool
is_free (const json_t *volume, const json_t *servers)
{
  size_t i;
  const json_t *attachment;

  json_array_foreach (json_object_get (volume, "attachments"), i, attachment)
  {
    const json_t *holder = osm_json_find (servers, "id", osm_json_str (attachment, "server_id"));

    if (holder && !is_host (holder))
      return false;
  }
  return true;
}

static bool
any_on (const json_t *objects, const char *side)
{
  size_t i;
  const json_t *object;

  json_array_foreach (objects, i, object)
  {
    if (osm_str_equal (osm_json_str (object, "side"), side))
      return true;
  }
  return false;
}

static void
set_plan (json_t *migration, const struct osm_marks_input *in, const char *kind,
          const json_t *source, const char *was, const char *direct)
{
  const json_t *objects = json_object_get (migration, "objects");
  const char *name = osm_json_str (source, "name");

  osm_json_set_str (migration, "kind", kind);
  json_object_set_new (
      migration, "plan",
      osm_json_pack (
          "{s:i, s:s, s:s, s:{s:s?, s:s, s:s, s:s}, s:{s:s}, s:o, s:o, s:o, s:[]}", "version", 1,
          "kind", kind, "compression", "auto", "source", "cloud", in->cloud[OSM_SOURCE], "id",
          osm_json_str (source, "id"), "name", name ? name : "", "status", was ? was : "UNKNOWN",
          "server", "name", name ? name : "", "volumes", plan_volumes (in, objects, direct),
          "ports", plan_ports (objects), "floating_ips", plan_floating_ips (objects), "findings"));
}

static const char *
judge_server (json_t *migration, const struct osm_marks_input *in, const json_t *claimed,
              const json_t *made)
{
  OSM_CLEANUP_FREE char *id = NULL, *was = NULL;
  const json_t *objects = json_object_get (migration, "objects"), *source;

  if (claimed) {
    OSM_CLEANUP_FREE char *host = part (mark (claimed, OSM_MARK_WAS), 1);

    id = osm_strdup (osm_json_str (claimed, "id"));
    was = part (mark (claimed, OSM_MARK_WAS), 0);
    osm_json_set_str (migration, "claimed_on", host);
  }
  else {
    id = part (mark (made, OSM_MARK_SOURCE), 0);
    was = part (mark (made, OSM_MARK_SOURCE), 1);
  }
  source = osm_json_find (in->servers[OSM_SOURCE], "id", id);
  if (!source)
    return "its source server is not there any more";
  json_object_set_new (migration, "unfinished", json_boolean (any_on (objects, "source") || !made));
  set_plan (migration, in, "server", source, was && *was ? was : NULL, NULL);
  return NULL;
}

static const char *
judge_volume (json_t *migration, const struct osm_marks_input *in)
{
  const json_t *objects = json_object_get (migration, "objects"), *object, *source;
  const char *id = NULL;
  size_t i;

  json_array_foreach (objects, i, object)
  {
    if (is_side (object, "source", "volume") && !mark (object, OSM_MARK_ROLE) &&
        !mark (object, OSM_MARK_HOME))
      id = osm_json_str (object, "id");
  }
  /* Finished: only the copy has a mark. */
  if (!id && json_array_size (objects) == 1)
    id = role_id (json_array_get (objects, 0), OSM_ROLE_VOLUME);
  source = osm_json_find (in->volumes[OSM_SOURCE], "id", id);
  if (!source || !is_free (source, in->servers[OSM_SOURCE]))
    return "no mark tells what was migrated";
  json_object_set_new (migration, "unfinished", json_boolean (any_on (objects, "source")));
  set_plan (migration, in, "volume", source, osm_json_str (source, "status"), id);
  return NULL;
}

static void
judge (json_t *migration, const struct osm_marks_input *in)
{
  const json_t *objects = json_object_get (migration, "objects"), *object, *claimed = NULL, *made;
  const char *why;
  size_t i;

  json_array_foreach (objects, i, object)
  {
    if (is_side (object, "source", "server") && !mark (object, OSM_MARK_ROLE))
      claimed = object;
  }
  made = first_with_role (objects, "destination", OSM_ROLE_SERVER);
  why =
      claimed || made ? judge_server (migration, in, claimed, made) : judge_volume (migration, in);
  json_object_set_new (migration, "why", why ? json_string (why) : json_null ());
}

/* A crash came between the two marks of a volume that is taken away: the mark of its server tells. */
static const char *
migration_of (const json_t *object, const struct osm_marks_input *in)
{
  const char *id = mark (object, OSM_MARK_MIGRATION);
  OSM_CLEANUP_JSON json_t *home = NULL;

  if (id || !is_side (object, "source", "volume"))
    return id;
  home = osm_home_parse (mark (object, OSM_MARK_HOME));
  return osm_json_str (json_object_get (osm_json_find (in->servers[OSM_SOURCE], "id",
                                                       osm_json_str (home, "server_id")),
                                        "metadata"),
                       OSM_MARK_MIGRATION);
}

static json_t *
find_hosts (const struct osm_marks_input *in)
{
  json_t *hosts = json_array ();
  const json_t *server;
  size_t i;

  for (int side = 0; side < 2; side++)
    json_array_foreach (in->servers[side], i, server)
    {
      if (is_host (server))
        json_array_append_new (
            hosts,
            osm_json_pack ("{s:s?, s:s, s:s?, s:s?, s:s?, s:s?}", "pair",
                           osm_json_str (json_object_get (server, "metadata"), MARK_PAIR), "side",
                           osm_side_name ((enum osm_side)side), "cloud", in->cloud[side], "id",
                           osm_json_str (server, "id"), "name", osm_json_str (server, "name"),
                           "status", osm_json_str (server, "status")));
    }
  return hosts;
}

json_t *
osm_marks_group (const struct osm_marks_input *in)
{
  OSM_CLEANUP_JSON json_t *objects = all_objects (in);
  json_t *migrations = json_array (), *orphans = json_array (), *found;
  const json_t *object;
  json_t *migration;
  size_t i;

  json_array_foreach (objects, i, object)
  {
    const char *id = migration_of (object, in);

    if (!is_migration_id (id)) {
      add_orphan (orphans, object, "its marks belong to no migration", false);
      continue;
    }
    found = (json_t *)osm_json_find (migrations, "id", id);
    if (!found) {
      found = osm_json_pack ("{s:s, s:n, s:b, s:n, s:n, s:[]}", "id", id, "kind", "unfinished", 1,
                             "claimed_on", "why", "objects");
      json_array_append_new (migrations, found);
    }
    json_array_append (json_object_get (found, "objects"), (json_t *)object);
  }
  json_array_foreach (migrations, i, migration)
  {
    OSM_CLEANUP_JSON json_t *lost = NULL;

    judge (migration, in);
    if (!osm_json_str (migration, "why"))
      continue;
    lost = osm_marks_orphans (migration, osm_json_str (migration, "why"));
    json_array_extend (orphans, lost);
  }
  return osm_json_pack ("{s:o, s:o, s:o}", "migrations", migrations, "orphans", orphans, "hosts",
                        find_hosts (in));
}
