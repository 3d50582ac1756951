/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/parallel.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/tenant/convert.h"
#include "controller/tenant/inventory.h"
#include "controller/tenant/types.h"

/* Members of an object of ours, beside those of the API: what it has other requests for. */
#define ENCRYPTION "encryption"
#define ACCESS "access"

/* Without the rights they are not shown: that is not to have none. */
static int
specs_to_file (const struct osm_inventory *inventory, const json_t *type, json_t **ret,
               struct osm_error *err)
{
  json_t *specs = json_object_get (type, "extra_specs");

  (void)inventory;
  (void)err;
  *ret = json_is_object (specs) ? json_incref (specs) : json_null ();
  return 0;
}

/* {}: none. */
static int
encryption_to_file (const struct osm_inventory *inventory, const json_t *type, json_t **ret,
                    struct osm_error *err)
{
  static const char *const keys[] = { "provider", "cipher", "key_size", "control_location" };
  const json_t *encryption = json_object_get (type, ENCRYPTION);

  (void)inventory;
  (void)err;
  if (!encryption)
    return 0;
  *ret = json_object ();
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    json_t *value = json_object_get (encryption, keys[i]);

    if (value && !json_is_null (value))
      json_object_set (*ret, keys[i], value);
  }
  return 0;
}

/* Cinder still tells projects that were deleted long ago. */
static int
access_to_file (const struct osm_inventory *inventory, const json_t *type, json_t **ret,
                struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *list = json_array ();
  const json_t *access = json_object_get (type, ACCESS), *item;
  size_t i;

  if (!access)
    return 0;
  json_array_foreach (access, i, item)
  {
    json_t *ref = NULL;
    OSM_ERROR (why);

    if (osm_inventory_ref (inventory, "projects", json_object_get (item, "project_id"), &ref,
                           &why) == 0)
      json_array_append_new (list, osm_json_pack ("{s:o}", "project_ref", ref));
    else if (why.code != 404) {
      osm_error_move (err, &why);
      return -1;
    }
  }
  *ret = osm_tenant_sorted (list, NULL);
  return 0;
}

/* To ids, in a member that create and update take out again. */
static int
access_to_api (const struct osm_inventory *inventory, const json_t *value, json_t *body,
               struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *ids = json_array ();
  const json_t *item;
  size_t i;

  json_array_foreach (value, i, item)
  {
    json_t *id = NULL;

    if (osm_inventory_id (inventory, "projects", json_object_get (item, "project_ref"), &id, err) ==
        -1)
      return -1;
    if (!json_is_string (id)) {
      json_decref (id);
      return osm_error_set (err, OSM_ERROR_USER, 0, "entry %zu names no project", i + 1);
    }
    json_array_append_new (ids, id);
  }
  json_object_set (body, ACCESS, ids);
  return 0;
}

/* https://docs.openstack.org/api-ref/block-storage/v3/#volume-types-types */
static const struct osm_field fields[] = {
  OSM_FIELD ("description", OSM_FIELD_TEXT),
  OSM_FIELD ("extra_specs", OSM_FIELD_OBJECT, .flags = OSM_FIELD_SEPARATE,
             .to_file = specs_to_file),
  OSM_FIELD ("is_public", OSM_FIELD_BOOL, .flags = OSM_FIELD_FIXED,
             .api = "os-volume-type-access:is_public"),
  OSM_FIELD ("name", OSM_FIELD_TEXT),
  OSM_FIELD ("access_refs", OSM_FIELD_REFS, .flags = OSM_FIELD_BEYOND | OSM_FIELD_UNORDERED,
             .to_file = access_to_file, .to_api = access_to_api),
  OSM_FIELD ("encryption", OSM_FIELD_OBJECT, .flags = OSM_FIELD_BEYOND,
             .to_file = encryption_to_file),
  OSM_FIELD ("qos_specs_ref", OSM_FIELD_REF, .flags = OSM_FIELD_BEYOND, .api = "qos_specs_id",
             .refers = "volume_qos_specs"),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("qos_specs_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELDS_END,
};

/* ---- list ---- */

struct detail {
  struct osm_cloud *cloud;
  json_t *type;
};

/* No list has them. Who may not see them has entries without them. */
static int
add_member (const struct detail *d, const char *path, const char *key, const char *member,
            struct osm_error *err)
{
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (osm_json_str (d->type, "id")),
                        *full = osm_asprintf ("/types/%s/%s", quoted, path);
  json_t *value = NULL;
  OSM_ERROR (why);

  if (osm_cloud_get (d->cloud, OSM_VOLUME, full, key, &value, &why) == 0) {
    json_object_set_new (d->type, member, value);
    return 0;
  }
  if (why.code == 403 || why.code == 404)
    return 0;
  osm_error_move (err, &why);
  return -1;
}

static int
ask_details (void *data, struct osm_error *err)
{
  const struct detail *d = data;

  if (add_member (d, "encryption", NULL, ENCRYPTION, err) == -1)
    return -1;
  /* Of a public one there is no such list. */
  return json_is_false (json_object_get (d->type, "os-volume-type-access:is_public"))
             ? add_member (d, "os-volume-type-access", "volume_type_access", ACCESS, err)
             : 0;
}

static int
list (const struct osm_listing *l, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *types = NULL;
  OSM_CLEANUP_FREE struct detail *details = NULL;
  OSM_CLEANUP_FREE struct osm_task *tasks = NULL;
  json_t *type;
  size_t i, n;

  if (osm_cloud_list (l->cloud, OSM_VOLUME, "/types?is_public=None", "volume_types", &types, err) ==
      -1)
    return -1;
  n = osm_cloud_is_administrator (l->cloud) ? json_array_size (types) : 0;
  details = osm_calloc (n + 1, sizeof *details);
  tasks = osm_calloc (n + 1, sizeof *tasks);
  json_array_foreach (types, i, type)
  {
    if (i >= n || !osm_json_str (type, "id"))
      break;
    details[i] = (struct detail){ l->cloud, type };
    tasks[i] = (struct osm_task){ ask_details, &details[i] };
  }
  if (osm_parallel (tasks, i, err) == -1)
    return -1;
  *ret = osm_take (types);
  return 0;
}

/* ---- changes ---- */

/* Those that differ, and those that are too many. */
static int
set (const struct osm_change *change, const struct osm_tenant_type *type, const char *id,
     const struct osm_field *field, const json_t *value, const json_t *is, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (id);
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/types/%s/extra_specs", quoted);
  OSM_CLEANUP_JSON json_t *body = osm_json_pack ("{s:O}", "extra_specs", value);
  const char *key;
  json_t *ignored;

  (void)type;
  (void)field;
  if (json_object_size (value) > 0 &&
      osm_cloud_action (change->cloud, OSM_VOLUME, path, body, NULL, NULL, err) == -1)
    return -1;
  json_object_foreach ((json_t *)is, key, ignored)
  {
    OSM_CLEANUP_FREE char *word = osm_quote_url (key);
    OSM_CLEANUP_FREE char *member = osm_asprintf ("%s/%s", path, word);

    if (!json_object_get (value, key) &&
        osm_cloud_delete (change->cloud, OSM_VOLUME, member, err) == -1)
      return -1;
  }
  return 0;
}

json_t *
osm_encryption_changes (const json_t *now, const json_t *wanted)
{
  static const char *const clearable[] = { "cipher", "key_size" };
  json_t *values = json_copy ((json_t *)wanted);

  for (size_t i = 0; i < sizeof clearable / sizeof clearable[0]; i++) {
    const json_t *is = json_object_get (now, clearable[i]);

    if (is && !json_is_null (is) && !json_object_get (wanted, clearable[i]))
      json_object_set_new (values, clearable[i], json_null ());
  }
  return values;
}

/* Cinder refuses it while volumes of the type exist. */
static int
set_encryption (struct osm_cloud *cloud, const char *path, const json_t *wanted,
                struct osm_error *err)
{
  OSM_CLEANUP_FREE char *all = osm_asprintf ("%s/encryption", path), *one = NULL;
  OSM_CLEANUP_JSON json_t *now = NULL, *body = NULL;
  const char *id;

  if (osm_cloud_get (cloud, OSM_VOLUME, all, NULL, &now, err) == -1)
    return -1;
  id = osm_json_str (now, "encryption_id");
  one = osm_asprintf ("%s/%s", all, id ? id : "");
  if (json_object_size (wanted) == 0)
    return id ? osm_cloud_delete (cloud, OSM_VOLUME, one, err) : 0;
  if (!json_object_get (wanted, "provider") || !json_object_get (wanted, "control_location"))
    return osm_error_set (err, OSM_ERROR_USER, 0, "needs provider and control_location");
  body = osm_json_pack ("{s:o}", "encryption", osm_encryption_changes (now, wanted));
  return id ? osm_cloud_put (cloud, OSM_VOLUME, one, body, NULL, NULL, err)
            : osm_cloud_post (cloud, OSM_VOLUME, all, body, NULL, NULL, err);
}

/* A type has one at most. Cinder does both by GET. */
static int
set_qos (struct osm_cloud *cloud, const char *id, const char *wanted, const char *now,
         struct osm_error *err)
{
  const char *const specs[] = { now, wanted }, *const words[] = { "disassociate", "associate" };

  for (size_t i = 0; i < 2 && !osm_str_equal (now, wanted); i++) {
    OSM_CLEANUP_FREE char *path = NULL;

    if (!specs[i])
      continue;
    path = osm_asprintf ("/qos-specs/%s/%s?vol_type_id=%s", specs[i], words[i], id);
    if (osm_cloud_get (cloud, OSM_VOLUME, path, NULL, NULL, err) == -1)
      return -1;
  }
  return 0;
}

static bool
has_project (const json_t *access, const char *project)
{
  const json_t *item;
  size_t i;

  json_array_foreach (access, i, item)
  {
    if (osm_str_equal (json_is_string (item) ? json_string_value (item)
                                             : osm_json_str (item, "project_id"),
                       project))
      return true;
  }
  return false;
}

static int
change_access (struct osm_cloud *cloud, const char *path, const char *how, const char *project,
               struct osm_error *err)
{
  OSM_CLEANUP_FREE char *action = osm_asprintf ("%s/action", path);
  OSM_CLEANUP_JSON json_t *body = osm_json_pack ("{s:{s:s}}", how, "project", project);

  return osm_cloud_post (cloud, OSM_VOLUME, action, body, NULL, NULL, err);
}

static int
set_access (struct osm_cloud *cloud, const char *path, const json_t *wanted, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *all = osm_asprintf ("%s/os-volume-type-access", path);
  OSM_CLEANUP_JSON json_t *now = NULL;
  const json_t *item;
  size_t i;

  if (osm_cloud_get (cloud, OSM_VOLUME, all, "volume_type_access", &now, err) == -1)
    return -1;
  json_array_foreach (wanted, i, item)
  {
    const char *project = json_string_value (item);

    if (!has_project (now, project) &&
        change_access (cloud, path, "addProjectAccess", project, err) == -1)
      return -1;
  }
  json_array_foreach (now, i, item)
  {
    const char *project = osm_json_str (item, "project_id");

    if (!project)
      return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                            "cloud '%s': an entry of %s has no project_id", osm_cloud_name (cloud),
                            all);
    if (!has_project (wanted, project) &&
        change_access (cloud, path, "removeProjectAccess", project, err) == -1)
      return -1;
  }
  return 0;
}

/* What the body has beside the type itself. */
static int
set_others (struct osm_cloud *cloud, const char *id, const json_t *body, const char *qos_now,
            struct osm_error *err)
{
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (id), *path = osm_asprintf ("/types/%s", quoted);
  const json_t *encryption = json_object_get (body, ENCRYPTION),
               *access = json_object_get (body, ACCESS);
  const char *qos = osm_json_str (body, "qos_specs_id");

  if (encryption && set_encryption (cloud, path, encryption, err) == -1)
    return osm_error_wrap (err, "encryption");
  if (qos && set_qos (cloud, quoted, qos, qos_now, err) == -1)
    return osm_error_wrap (err, "qos_specs_ref");
  if (access && set_access (cloud, path, access, err) == -1)
    return osm_error_wrap (err, "access_refs");
  return 0;
}

static json_t *
type_itself (const json_t *body)
{
  json_t *copy = json_copy ((json_t *)body);

  json_object_del (copy, ENCRYPTION);
  json_object_del (copy, ACCESS);
  json_object_del (copy, "qos_specs_id");
  return osm_json_pack ("{s:o}", "volume_type", copy);
}

/* Volumes of a type that should be encrypted must not be made in between: a type that cannot get all of it is not left. */
static int
create (const struct osm_change *change, const json_t *entry, const json_t *body, json_t **ret,
        struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *wrapped = type_itself (body), *type = NULL,
                          *others = json_copy ((json_t *)body);
  OSM_CLEANUP_FREE char *path = NULL;
  const char *id;
  OSM_ERROR (ignored);

  (void)entry;
  if (osm_cloud_post (change->cloud, OSM_VOLUME, "/types", wrapped, "volume_type", &type, err) ==
      -1)
    return -1;
  id = osm_json_str (type, "id");
  if (!id)
    return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                          "cloud '%s': it made a volume type, and did not tell its id",
                          osm_cloud_name (change->cloud));
  /* A new one has neither. */
  if (json_object_size (json_object_get (body, ENCRYPTION)) == 0)
    json_object_del (others, ENCRYPTION);
  if (json_array_size (json_object_get (body, ACCESS)) == 0)
    json_object_del (others, ACCESS);
  if (set_others (change->cloud, id, others, NULL, err) == -1) {
    path = osm_asprintf ("/types/%s", id);
    osm_interrupt_hold ();
    osm_cloud_delete (change->cloud, OSM_VOLUME, path, &ignored);
    osm_interrupt_release ();
    return -1;
  }
  *ret = osm_take (type);
  return 0;
}

static int
update (const struct osm_change *change, const char *id, const json_t *body, const json_t *entry,
        const json_t *is, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *wrapped = type_itself (body);
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (id), *path = osm_asprintf ("/types/%s", quoted);

  (void)entry;
  if (json_object_size (json_object_get (wrapped, "volume_type")) > 0 &&
      osm_cloud_put (change->cloud, OSM_VOLUME, path, wrapped, NULL, NULL, err) == -1)
    return -1;
  return set_others (change->cloud, id, body,
                     osm_json_str (json_object_get (is, "_info"), "qos_specs_id"), err);
}

static const char *const match[] = { "name", NULL };

const struct osm_tenant_type osm_type_volume_type = {
  .name = "volume_types",
  .noun = "volume type",
  .yaml_type = "osm.block_storage.VolumeType",
  .file = OSM_OWN_FILES "volume_types.yml",
  .administrator = true,
  .service = OSM_VOLUME,
  .list_path = "/types?is_public=None",
  .list_key = "volume_types",
  .member_path = "/types",
  .member_key = "volume_type",
  .ref_style = OSM_REF_GLOBAL,
  .match = match,
  .fields = fields,
  .list = list,
  .create = create,
  .update = update,
  .set = set,
};
