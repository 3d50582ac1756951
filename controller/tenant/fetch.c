/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/fetch.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/parallel.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/tenant/convert.h"

/* So many ids go into one request: some proxies cut long addresses off. */
#define IDS_AT_ONCE 40
/* An object refers to another, that to its project, that to its domain. */
#define MAX_ROUNDS 8

char *
osm_fetch_path (const struct osm_tenant_type *type, const char *project_id)
{
  const char *place = strstr (type->list_path, "%s"), *query = strchr (type->list_path, '?');

  if (!place)
    return osm_strdup (type->list_path);
  if (!project_id)
    return osm_strndup (type->list_path, (size_t)(query - type->list_path));
  return osm_asprintf ("%.*s%s%s", (int)(place - type->list_path), type->list_path, project_id,
                       place + strlen ("%s"));
}

struct osm_inventory *
osm_fetch_inventory (const struct osm_cloud *cloud, const struct osm_tenant_project *project)
{
  bool one = project && project->id;
  struct osm_inventory *inventory = osm_inventory_new (
      one ? project->id : osm_cloud_project_id (cloud), osm_cloud_user_id (cloud));

  osm_inventory_set_project (inventory, one ? project : NULL);
  if (one)
    osm_inventory_add (inventory, osm_tenant_type_find ("projects"), project->pretended, false);
  return inventory;
}

/* ---- lists ---- */

struct listing {
  struct osm_cloud *cloud;
  const struct osm_tenant_type *type;
  struct osm_inventory *inventory;
  json_t *list;
  bool unavailable;
  struct osm_error why;
};

/* {ITEM_KEY: object} to object. */
static void
unwrap (json_t *list, const char *item_key)
{
  size_t i;
  json_t *item;

  json_array_foreach (list, i, item)
  {
    json_t *inner = json_object_get (item, item_key);

    if (inner)
      json_array_set (list, i, inner);
  }
}

static int
list_one (void *data, struct osm_error *err)
{
  struct listing *l = data;
  const struct osm_listing listing = { l->cloud, l->inventory };
  OSM_CLEANUP_FREE char *path = NULL;
  int r;

  if (l->type->list)
    r = l->type->list (&listing, &l->list, &l->why);
  else {
    path = osm_fetch_path (l->type, osm_inventory_project (l->inventory));
    r = osm_cloud_list (l->cloud, l->type->service, path, l->type->list_key, &l->list, &l->why);
  }
  if (r == -1 && l->why.class == OSM_ERROR_INTERRUPTED) {
    osm_error_move (err, &l->why);
    return -1;
  }
  if (r == -1 && l->type->optional && l->why.code == 404) {
    osm_error_clear (&l->why);
    l->list = json_array ();
    l->unavailable = true;
    return 0;
  }
  if (r == 0 && l->type->item_key)
    unwrap (l->list, l->type->item_key);
  return 0;
}

static json_t *
unavailable (const struct listing *l)
{
  OSM_CLEANUP_FREE char *message =
      osm_asprintf ("not available: cloud '%s' does not know this kind of object (%s)",
                    osm_cloud_name (l->cloud), l->type->noun);

  return osm_json_pack ("{s:b, s:s}", "unavailable", 1, "message", message);
}

/* Those with a list function of their own come after the others: they look at their lists. */
static int
list_some (struct osm_cloud *cloud, const struct osm_tenant_type *const *types, bool special,
           struct osm_inventory *inventory, json_t *refused, struct osm_error *err)
{
  size_t nr = 0, n = 0;
  struct listing *listings;
  struct osm_task *tasks;
  int r;

  while (types[nr])
    nr++;
  listings = osm_calloc (nr + 1, sizeof *listings);
  tasks = osm_calloc (nr + 1, sizeof *tasks);
  for (size_t i = 0; i < nr; i++) {
    if ((types[i]->list != NULL) != special)
      continue;
    listings[n] = (struct listing){ .cloud = cloud, .type = types[i], .inventory = inventory };
    tasks[n] = (struct osm_task){ list_one, &listings[n] };
    n++;
  }
  r = osm_parallel (tasks, n, err);
  for (size_t i = 0; i < n; i++) {
    if (r == 0 && listings[i].list)
      osm_inventory_add (inventory, listings[i].type, listings[i].list, true);
    else if (r == 0)
      json_object_set_new (refused, listings[i].type->name, osm_error_to_json (&listings[i].why));
    if (listings[i].unavailable)
      json_object_set_new (refused, listings[i].type->name, unavailable (&listings[i]));
    json_decref (listings[i].list);
    osm_error_done (&listings[i].why);
  }
  free (listings);
  free (tasks);
  return r;
}

/* Interfaces are those of our routers. */
static int
list_routers (struct osm_cloud *cloud, const struct osm_tenant_type *const *types,
              struct osm_inventory *inventory, json_t *refused, struct osm_error *err)
{
  const struct osm_tenant_type *const routers[] = { osm_tenant_type_find ("routers"), NULL };
  bool interfaces = false, listed = false;

  for (size_t i = 0; types[i]; i++) {
    interfaces = interfaces || strcmp (types[i]->name, "router_interfaces") == 0;
    listed = listed || types[i] == routers[0];
  }
  return interfaces && !listed ? list_some (cloud, routers, false, inventory, refused, err) : 0;
}

/* Then the cloud has nothing of it, and need not be asked. */
static bool
is_pretended (const struct osm_tenant_project *project)
{
  const json_t *p;
  size_t i;

  json_array_foreach (project ? project->pretended : NULL, i, p)
  {
    if (osm_str_equal (osm_json_str (p, "id"), project->id))
      return true;
  }
  return false;
}

int
osm_fetch_lists (struct osm_cloud *cloud, const struct osm_tenant_type *const *types,
                 struct osm_inventory *inventory, json_t *refused, struct osm_error *err)
{
  if (is_pretended (osm_inventory_of_project (inventory)))
    return 0;
  if (list_some (cloud, types, false, inventory, refused, err) == -1 ||
      list_routers (cloud, types, inventory, refused, err) == -1 ||
      list_some (cloud, types, true, inventory, refused, err) == -1)
    return -1;
  /* Without the routers there is nothing to ask for them by. */
  if (json_object_get (refused, "routers"))
    json_object_set (refused, "router_interfaces", json_object_get (refused, "routers"));
  return 0;
}

/* ---- what they refer to ---- */

struct asking {
  struct osm_cloud *cloud;
  const struct osm_tenant_type *type;
  const char *id;
  json_t *object; /* NULL: there is none for us */
  bool hidden;
};

static int
ask_one (void *data, struct osm_error *err)
{
  struct asking *a = data;
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (a->id);
  OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/%s", a->type->member_path, quoted);
  OSM_ERROR (why);

  if (osm_cloud_get (a->cloud, a->type->service, path, a->type->member_key, &a->object, &why) == 0)
    return 0;
  a->hidden = why.code == 403;
  if (a->hidden || why.code == 404)
    return 0;
  osm_error_move (err, &why);
  return -1;
}

static int
resolve_one_by_one (struct osm_cloud *cloud, const struct osm_tenant_type *type, json_t *ids,
                    struct osm_inventory *inventory, struct osm_error *err)
{
  struct asking *askings = osm_calloc (json_object_size (ids) + 1, sizeof *askings);
  struct osm_task *tasks = osm_calloc (json_object_size (ids) + 1, sizeof *tasks);
  const char *id;
  json_t *ignored;
  size_t n = 0;
  int r;

  json_object_foreach (ids, id, ignored)
  {
    askings[n] = (struct asking){ .cloud = cloud, .type = type, .id = id };
    tasks[n] = (struct osm_task){ ask_one, &askings[n] };
    n++;
  }
  r = osm_parallel (tasks, n, err);
  for (size_t i = 0; i < n; i++) {
    OSM_CLEANUP_JSON json_t *list = json_array ();

    if (askings[i].object)
      json_array_append_new (list, askings[i].object);
    osm_inventory_add (inventory, type, list, false);
    if (!askings[i].object && r == 0)
      osm_inventory_add_none (inventory, type->name, askings[i].id, askings[i].hidden);
  }
  free (askings);
  free (tasks);
  return r;
}

static int
ask_for_ids (struct osm_cloud *cloud, const struct osm_tenant_type *type, const char *ids,
             struct osm_inventory *inventory, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("%s?%s", type->member_path, ids);
  OSM_CLEANUP_JSON json_t *list = NULL;

  if (osm_cloud_list (cloud, type->service, path, type->list_key, &list, err) == -1)
    return -1;
  osm_inventory_add (inventory, type, list, false);
  return 0;
}

static int
resolve_by_list (struct osm_cloud *cloud, const struct osm_tenant_type *type, json_t *ids,
                 struct osm_inventory *inventory, struct osm_error *err)
{
  OSM_STRBUF (query);
  const char *id;
  json_t *ignored;
  size_t n = 0;

  json_object_foreach (ids, id, ignored)
  {
    OSM_CLEANUP_FREE char *quoted = osm_quote_url (id);

    osm_strbuf_addf (&query, "%sid=%s", query.len > 0 ? "&" : "", quoted);
    if (++n % IDS_AT_ONCE > 0 && n < json_object_size (ids))
      continue;
    if (ask_for_ids (cloud, type, osm_strbuf_str (&query), inventory, err) == -1)
      return -1;
    osm_strbuf_clear (&query);
  }
  json_object_foreach (ids, id, ignored) if (!osm_inventory_get (inventory, type->name, id))
      osm_inventory_add_none (inventory, type->name, id, false);
  return 0;
}

static int
resolve (struct osm_cloud *cloud, struct osm_inventory *inventory, const json_t *missing,
         struct osm_error *err)
{
  const char *name;
  json_t *ids;

  json_object_foreach ((json_t *)missing, name, ids)
  {
    const struct osm_tenant_type *type = osm_tenant_type_find (name);
    int r = type->list_by_id ? resolve_by_list (cloud, type, ids, inventory, err)
                             : resolve_one_by_one (cloud, type, ids, inventory, err);

    if (r == -1)
      return osm_error_wrap (err, "%s", type->name);
  }
  return 0;
}

/* ---- entries ---- */

static json_t *
convert_all (const struct osm_tenant_type *type, const struct osm_inventory *inventory)
{
  json_t *entries = json_object (), *object;
  const char *id;

  json_object_foreach ((json_t *)osm_inventory_own (inventory, type->name), id, object)
  {
    json_t *entry = NULL;
    OSM_ERROR (why);

    if (osm_tenant_to_file (type, inventory, object, &entry, &why) == -1)
      entry = osm_json_pack ("{s:o, s:s?}", "error", osm_error_to_json (&why), "name",
                             osm_json_str (object, "name"));
    json_object_set_new (entries, id, entry);
  }
  return entries;
}

int
osm_fetch_entries (struct osm_cloud *cloud, const struct osm_tenant_type *type,
                   struct osm_inventory *inventory, json_t **ret, struct osm_error *err)
{
  for (unsigned round = 0; round < MAX_ROUNDS; round++) {
    OSM_CLEANUP_JSON json_t *entries = convert_all (type, inventory);
    OSM_CLEANUP_JSON json_t *missing = osm_inventory_missing (inventory);

    if (json_object_size (missing) == 0) {
      *ret = osm_take (entries);
      return 0;
    }
    if (resolve (cloud, inventory, missing, err) == -1)
      return -1;
  }
  return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                        "cloud '%s': the references of its %s have no end", osm_cloud_name (cloud),
                        type->name);
}

/* ---- by name ---- */

/* key: where the cloud has what the references say. */
static int
ask_by (struct osm_cloud *cloud, const struct osm_tenant_type *type, const char *key,
        const char *name, struct osm_inventory *inventory, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (name),
                        *path = osm_asprintf ("%s?%s=%s", type->member_path, key, quoted);
  OSM_CLEANUP_JSON json_t *list = NULL;
  json_t *object;
  size_t i;
  OSM_ERROR (why);

  if (osm_cloud_list (cloud, type->service, path, type->list_key, &list, &why) == -1) {
    if (why.code == 403 || why.code == 404)
      return 0;
    osm_error_move (err, &why);
    return -1;
  }
  json_array_foreach (list, i, object)
  {
    const char *own = osm_json_str (object, "name");

    if (strcmp (key, "name") != 0 && (!own || !*own))
      json_object_set_new (object, "name", json_string (name));
  }
  osm_inventory_add (inventory, type, list, false);
  return 0;
}

static bool
is_mac_address (const char *name)
{
  return strlen (name) == strlen ("00:11:22:33:44:55") &&
         name[strspn (name, ":0123456789abcdefABCDEF")] == '\0';
}

static int
ask_for_names (struct osm_cloud *cloud, const struct osm_tenant_type *type, json_t *names,
               struct osm_inventory *inventory, struct osm_error *err)
{
  const char *name;
  json_t *ignored;

  json_object_foreach (names, name, ignored)
  {
    if (ask_by (cloud, type, "name", name, inventory, err) == -1 ||
        (type->called_by_mac && is_mac_address (name) &&
         ask_by (cloud, type, "mac_address", name, inventory, err) == -1))
      return -1;
  }
  return 0;
}

/* Neutron and Glance let administrators say so. */
static void
say_whose (const struct osm_tenant_type *type, const struct osm_inventory *inventory, json_t *body)
{
  const struct osm_tenant_project *project = osm_inventory_of_project (inventory);
  const char *key = type->owner ? type->owner : type->service == OSM_NETWORK ? "project_id" : NULL;

  if (project && key && body)
    json_object_set_new (body, key, json_string (project->id));
}

int
osm_fetch_body (struct osm_cloud *cloud, const struct osm_tenant_type *type,
                struct osm_inventory *inventory, const json_t *entry, const json_t *changed,
                json_t **ret, struct osm_error *err)
{
  for (unsigned round = 0; round < 4 * MAX_ROUNDS; round++) {
    OSM_CLEANUP_JSON json_t *body = NULL, *names = NULL, *ids = NULL;
    const char *name;
    json_t *wanted;
    OSM_ERROR (why);
    int r = osm_tenant_to_api (type, inventory, entry, changed, &body, &why);

    names = osm_inventory_missing_names (inventory);
    ids = osm_inventory_missing (inventory);
    if (json_object_size (names) == 0 && json_object_size (ids) == 0) {
      osm_error_move (err, &why);
      if (!changed)
        say_whose (type, inventory, body);
      *ret = osm_take (body);
      return r;
    }
    json_object_foreach (names, name,
                         wanted) if (ask_for_names (cloud, osm_tenant_type_find (name), wanted,
                                                    inventory, err) == -1) return -1;
    if (resolve (cloud, inventory, ids, err) == -1)
      return -1;
  }
  return osm_error_set (err, OSM_ERROR_REMOTE, 0, "cloud '%s': the references have no end",
                        osm_cloud_name (cloud));
}
