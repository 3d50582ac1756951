/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/tenant/inventory.h"
#include "controller/tenant/types.h"

/* Lists say nothing of the owner: listed without one it is us, else the list function below has noted it. */
static const char *
owner_of (const struct osm_inventory *inventory, const json_t *key)
{
  const char *user = osm_json_str (key, "user_id");

  return user ? user : osm_inventory_user (inventory);
}

static int
owner_to_file (const struct osm_inventory *inventory, const json_t *key, json_t **ret,
               struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *id = json_string (owner_of (inventory, key));

  return osm_inventory_ref (inventory, "users", id, ret, err);
}

static int
owner_to_api (const struct osm_inventory *inventory, const json_t *value, json_t *body,
              struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *id = NULL;

  if (osm_inventory_id (inventory, "users", value, &id, err) == -1)
    return -1;
  /* Only administrators may name a user, even oneself. */
  if (!osm_str_equal (json_string_value (id), osm_inventory_user (inventory)))
    json_object_set (body, "user_id", id);
  return 0;
}

static int
owner_id (const struct osm_inventory *inventory, const json_t *key, json_t **ret,
          struct osm_error *err)
{
  (void)err;
  *ret = json_string (owner_of (inventory, key));
  return 0;
}

static int
type_to_file (const struct osm_inventory *inventory, const json_t *key, json_t **ret,
              struct osm_error *err)
{
  const char *type = osm_json_str (key, "type");

  (void)inventory;
  (void)err;
  *ret = json_string (type ? type : "ssh"); /* before 2.2 there was no other */
  return 0;
}

/* https://docs.openstack.org/api-ref/compute/#keypairs-keypairs. OS Migrate takes the name for the id, too. */
static const struct osm_field fields[] = {
  OSM_FIELD ("name", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED),
  OSM_FIELD ("public_key", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED),
  OSM_FIELD ("type", OSM_FIELD_TEXT, .flags = OSM_FIELD_FIXED, .since = "2.2",
             .to_file = type_to_file),
  OSM_FIELD ("user_ref", OSM_FIELD_REF, .flags = OSM_FIELD_FIXED, .refers = "users",
             .to_file = owner_to_file, .to_api = owner_to_api),
  OSM_FIELD ("created_at", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("fingerprint", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO, .api = "name"),
  OSM_FIELD ("is_deleted", OSM_FIELD_BOOL, .flags = OSM_FIELD_INFO, .api = "deleted"),
  OSM_FIELD ("user_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO, .to_file = owner_id),
  OSM_FIELDS_END,
};

static const char *const match[] = { "name", "user_ref", NULL };

/* "USER/NAME": users name their keys as they like. */
static char *
key_id (const json_t *key)
{
  const char *user = osm_json_str (key, "user_id"), *name = osm_json_str (key, "name");

  return osm_asprintf ("%s/%s", user ? user : "", name ? name : "");
}

const struct osm_tenant_type osm_type_keypair = {
  .name = "keypairs",
  .noun = "key pair",
  .yaml_type = "openstack.compute.Keypair",
  .file = "keypairs.yml",
  .service = OSM_COMPUTE,
  .list_path = "/os-keypairs",
  .list_key = "keypairs",
  .item_key = "keypair",
  .member_path = "/os-keypairs",
  .member_key = "keypair",
  .match = match,
  .fields = fields,
  .id = key_id,
};

/* ---- those of all users ---- */

/* Nova has no list of them: it is one request for each user. */
static int
list_of_users (const struct osm_listing *l, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *all = json_array (), *users = NULL;
  size_t i, j;
  const json_t *user;
  json_t *item;

  if (!osm_cloud_has_microversion (l->cloud, OSM_COMPUTE, "2.10"))
    return osm_error_set (err, OSM_ERROR_USER, 403,
                          "cloud '%s': key pairs of other users need compute 2.10",
                          osm_cloud_name (l->cloud));
  if (osm_cloud_list (l->cloud, OSM_IDENTITY, "/users", "users", &users, err) == -1)
    return -1;
  json_array_foreach (users, i, user)
  {
    OSM_CLEANUP_JSON json_t *keys = NULL;
    const char *id = osm_json_str (user, "id");
    OSM_CLEANUP_FREE char *quoted = osm_quote_url (id ? id : "");
    OSM_CLEANUP_FREE char *path = osm_asprintf ("/os-keypairs?user_id=%s", quoted);

    if (osm_cloud_list (l->cloud, OSM_COMPUTE, path, "keypairs", &keys, err) == -1)
      return -1;
    json_array_foreach (keys, j, item)
    {
      json_t *key = json_object_get (item, "keypair");

      json_object_set_new (key, "user_id", json_string (id));
      json_array_append (all, key);
    }
  }
  *ret = osm_take (all);
  return 0;
}

const struct osm_tenant_type osm_type_users_keypair = {
  .name = "users_keypairs",
  .noun = "user's key pair",
  .yaml_type = "openstack.compute.Keypair",
  .file = "users_keypairs.yml",
  .administrator = true,
  .service = OSM_COMPUTE,
  .list_key = "keypairs",
  .member_path = "/os-keypairs",
  .member_key = "keypair",
  .match = match,
  .fields = fields,
  .id = key_id,
  .list = list_of_users,
};
