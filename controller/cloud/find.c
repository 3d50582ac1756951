/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cloud/cloud.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/cloud/catalog.h"

/* Asked for by itself before the list: not what may be part of the API's own paths ("detail"), and where ids are always
 * UUIDs, no names. */
static bool
may_be_id (const struct osm_collection *c, const char *s)
{
  size_t n = strlen (s), hexadecimal = strspn (s, "0123456789abcdefABCDEF-");

  if (osm_is_uuid (s) || (n == 32 && hexadecimal == n))
    return true;
  return c->free_ids && n > 0 && n <= 255 && strcmp (s, "detail") != 0 && strcmp (s, ".") != 0 &&
         strcmp (s, "..") != 0 && !strchr (s, '/');
}

/* Members of a collection with that name: a new array. */
static json_t *
named (const struct osm_collection *c, const json_t *items, const char *name)
{
  json_t *found = json_array ();
  const json_t *item;
  size_t i;

  json_array_foreach (items, i, item)
  {
    const json_t *object = item;

    if (c->member_key && json_object_size (item) == 1 && json_object_get (item, c->member_key))
      object = json_object_get (item, c->member_key); /* [{"keypair": {...}}] */
    if (osm_str_equal (osm_json_str (object, "name"), name))
      json_array_append (found, (json_t *)object);
  }
  return found;
}

/* An administrator sees those of all projects ("default" security groups): the one of our project is meant. */
static json_t *
choose_own (const struct osm_cloud *cloud, const json_t *found)
{
  json_t *own = NULL, *object;
  size_t i;

  json_array_foreach (found, i, object)
  {
    if (!osm_str_equal (osm_json_str (object, "project_id"), osm_cloud_project_id (cloud)))
      continue;
    if (own)
      return NULL;
    own = object;
  }
  return own;
}

static int
ambiguous (const struct osm_cloud *cloud, const struct osm_collection *c, const char *name,
           const json_t *found, struct osm_error *err)
{
  OSM_STRBUF (ids);
  const json_t *object;
  size_t i;

  json_array_foreach (found, i, object) if (i < 20) osm_strbuf_addf (
      &ids, "%s%s", i ? ", " : "", osm_json_str (object, "id") ? osm_json_str (object, "id") : "?");
  osm_error_set (err, OSM_ERROR_USER, 0, "cloud '%s' has %zu %ss named '%s'",
                 osm_cloud_name (cloud), json_array_size (found), c->what, name);
  return osm_error_hint (err, "name it by id: %s%s", osm_strbuf_str (&ids),
                         json_array_size (found) > 20 ? ", ..." : "");
}

int
osm_cloud_find (struct osm_cloud *cloud, const struct osm_collection *c, const char *name_or_id,
                json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *quoted = NULL, *path = NULL;
  OSM_CLEANUP_JSON json_t *items = NULL, *found = NULL;
  json_t *one;

  /* A member of an answer that is not there, or something else than text. */
  if (!name_or_id)
    return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                          "cloud '%s': %s: an answer should name a %s, and does not",
                          osm_cloud_name (cloud), osm_service_name (c->service), c->what);
  /* Many things have no name; a variable of a script that was not set must not choose one of them. */
  if (*name_or_id == '\0')
    return osm_error_set (err, OSM_ERROR_USER, 404, "cloud '%s': no name or id of a %s is given",
                          osm_cloud_name (cloud), c->what);
  quoted = osm_quote_url (name_or_id);
  if (may_be_id (c, name_or_id)) {
    OSM_ERROR (why);
    OSM_CLEANUP_FREE char *member = osm_asprintf ("%s/%s", c->member_path, quoted);

    if (osm_cloud_get (cloud, c->service, member, c->member_key, ret, &why) == 0)
      return 0;
    if (why.code != 404 && why.code != 400) {
      osm_error_move (err, &why);
      return -1;
    }
  }
  path = c->name_filter ? osm_asprintf ("%s%cname=%s", c->list_path,
                                        strchr (c->list_path, '?') ? '&' : '?', quoted)
                        : osm_strdup (c->list_path);
  if (osm_cloud_list (cloud, c->service, path, c->list_key, &items, err) == -1)
    return -1;
  found = named (c, items, name_or_id);
  if (json_array_size (found) == 0)
    return osm_error_set (err, OSM_ERROR_USER, 404, "cloud '%s' has no %s '%s'",
                          osm_cloud_name (cloud), c->what, name_or_id);
  one = json_array_size (found) == 1 ? json_array_get (found, 0) : choose_own (cloud, found);
  if (!one)
    return ambiguous (cloud, c, name_or_id, found, err);
  *ret = json_incref (one);
  return 0;
}
