/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/belongings.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"
#include "controller/migration/marks.h"

char *
osm_belongings_text (bool key_pair, bool server_group)
{
  return key_pair || server_group ? osm_asprintf ("%s%s%s", key_pair ? OSM_BELONGING_KEY_PAIR : "",
                                                  key_pair && server_group ? "," : "",
                                                  server_group ? OSM_BELONGING_GROUP : "")
                                  : NULL;
}

static const json_t *
group_of (const json_t *groups, const char *server_id)
{
  size_t i, k;
  const json_t *group, *member;

  json_array_foreach (groups, i, group)
  {
    json_array_foreach (json_object_get (group, "members"), k, member)
    {
      if (server_id && osm_str_equal (json_string_value (member), server_id))
        return group;
    }
  }
  return NULL;
}

json_t *
osm_belongings_of (const json_t *server, const json_t *groups)
{
  const char *text = osm_json_str (json_object_get (server, "metadata"), OSM_MARK_MADE),
             *key = osm_json_str (server, "key_name");
  OSM_CLEANUP_STRV char **made = osm_strv_split (text ? text : "", ',');
  const json_t *group = group_of (groups, osm_json_str (server, "id"));
  json_t *found = json_object ();

  if (made && osm_strv_contains (made, OSM_BELONGING_KEY_PAIR) && key)
    json_object_set_new (found, OSM_BELONGING_KEY_PAIR, osm_json_pack ("{s:s}", "name", key));
  if (made && osm_strv_contains (made, OSM_BELONGING_GROUP) && group)
    json_object_set_new (found, OSM_BELONGING_GROUP,
                         osm_json_pack ("{s:s?, s:s?, s:s?}", "id", osm_json_str (group, "id"),
                                        "name", osm_json_str (group, "name"), "policy",
                                        osm_server_group_policy (group)));
  return found;
}

/* The cloud's word for what it is called by: a key pair's name is its id. */
static const char *
id_of (const json_t *belonging)
{
  const char *id = osm_json_str (belonging, "id");

  return id ? id : osm_json_str (belonging, "name");
}

void
osm_belongings_restore (const json_t *made, const char *cloud, json_t *rows, json_t *plan)
{
  json_t *server = json_object_get (plan, "server"), *belonging;
  const char *key;

  if (json_object_size (made) == 0)
    return;
  if (!server) {
    server = json_object ();
    json_object_set_new (plan, "server", server);
  }
  json_object_foreach ((json_t *)made, key, belonging)
  {
    json_object_set (server, key, belonging);
    json_array_append_new (
        rows, osm_json_pack ("{s:s, s:s, s:s, s:s}", "key", key, "cloud", cloud, "type",
                             strcmp (key, OSM_BELONGING_GROUP) == 0 ? "server group" : "key pair",
                             "object_id", id_of (belonging)));
  }
}

/* ---- orphans ---- */

static bool
is_key_used (const json_t *servers, const char *name)
{
  size_t i;
  const json_t *server;

  json_array_foreach (servers, i, server)
  {
    /* Nova lists one that was deleted for a moment longer. */
    if (osm_str_equal (osm_json_str (server, "key_name"), name) &&
        !osm_str_equal (osm_json_str (server, "status"), "DELETED"))
      return true;
  }
  return false;
}

/* Nova wraps each of them. */
static bool
has_key (const json_t *key_pairs, const char *name, const char *fingerprint)
{
  size_t i;
  const json_t *one;

  json_array_foreach (key_pairs, i, one)
  {
    const json_t *key = json_object_get (one, "keypair") ? json_object_get (one, "keypair") : one;

    if (osm_str_equal (osm_json_str (key, "name"), name))
      return fingerprint && osm_str_equal (osm_json_str (key, "fingerprint"), fingerprint);
  }
  return false;
}

static void
add_orphan (json_t *orphans, const char *cloud, const char *kind, const char *id, const char *name)
{
  OSM_CLEANUP_FREE char *quoted = osm_quote_shell (id);
  OSM_CLEANUP_FREE char *command =
      osm_asprintf ("openstack --os-cloud %s %s delete %s", cloud,
                    strcmp (kind, "key pair") == 0 ? "keypair" : kind, quoted);

  json_array_append_new (
      orphans,
      osm_json_pack ("{s:s, s:s, s:s, s:s, s:s?, s:n, s:s, s:{}, s:s, s:s}", "side", "destination",
                     "cloud", cloud, "kind", kind, "id", id, "name", name, "status", "what",
                     "made for the new server", "marks", "why",
                     "its migration was rolled back while a server used it, and none does now",
                     "command", command));
}

void
osm_belongings_add_orphans (const json_t *plan, const json_t *objects, const char *cloud,
                            const json_t *servers, const json_t *key_pairs, const json_t *groups,
                            json_t *orphans)
{
  const json_t *server = json_object_get (plan, "server"),
               *planned = json_object_get (server, OSM_BELONGING_KEY_PAIR),
               *key = osm_json_find (objects, "key", OSM_BELONGING_KEY_PAIR),
               *group = osm_json_find (objects, "key", OSM_BELONGING_GROUP);
  const char *name = osm_json_str (key, "object_id"), *id = osm_json_str (group, "object_id");

  if (osm_str_equal (osm_json_str (key, "state"), "created") && name && servers &&
      has_key (key_pairs, name, osm_json_str (planned, "fingerprint")) &&
      !is_key_used (servers, name))
    add_orphan (orphans, cloud, "key pair", name, name);
  if (osm_str_equal (osm_json_str (group, "state"), "created") && id) {
    const json_t *there = osm_json_find (groups, "id", id);

    if (there && json_array_size (json_object_get (there, "members")) == 0)
      add_orphan (orphans, cloud, "server group", id, osm_json_str (there, "name"));
  }
}
