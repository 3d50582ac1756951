/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cloud/volume.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/cloud/wait.h"

const struct osm_collection osm_volumes = { .service = OSM_VOLUME,
                                            .what = "volume",
                                            .list_path = "/volumes/detail",
                                            .member_path = "/volumes",
                                            .list_key = "volumes",
                                            .member_key = "volume",
                                            .name_filter = true };
const struct osm_collection osm_snapshots = { .service = OSM_VOLUME,
                                              .what = "snapshot",
                                              .list_path = "/snapshots/detail",
                                              .member_path = "/snapshots",
                                              .list_key = "snapshots",
                                              .member_key = "snapshot",
                                              .name_filter = true };
const struct osm_collection osm_volume_types = { .service = OSM_VOLUME,
                                                 .what = "volume type",
                                                 .list_path = "/types",
                                                 .member_path = "/types",
                                                 .list_key = "volume_types",
                                                 .member_key = "volume_type" };

static char *
member (const char *collection, const char *id, const char *suffix)
{
  return osm_asprintf ("/%s/%s%s", collection, id, suffix);
}

int
osm_volume_get (struct osm_cloud *cloud, const char *id, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = member ("volumes", id, "");

  return osm_cloud_get (cloud, OSM_VOLUME, path, "volume", ret, err);
}

int
osm_snapshot_get (struct osm_cloud *cloud, const char *id, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = member ("snapshots", id, "");

  return osm_cloud_get (cloud, OSM_VOLUME, path, "snapshot", ret, err);
}

static int
list_marked (struct osm_cloud *cloud, const char *collection, const char *key, const char *value,
             json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/%s/detail", collection);
  OSM_CLEANUP_JSON json_t *all = NULL;
  size_t i;
  json_t *object;

  /* Filtered here: filters on metadata differ between releases and may be switched off. */
  if (osm_cloud_list (cloud, OSM_VOLUME, path, collection, &all, err) == -1)
    return -1;
  *ret = json_array ();
  json_array_foreach (all, i, object)
  {
    const char *mark = osm_json_str (json_object_get (object, "metadata"), key);

    if (mark && (!value || strcmp (mark, value) == 0))
      json_array_append (*ret, object);
  }
  return 0;
}

int
osm_volume_list_marked (struct osm_cloud *cloud, const char *key, const char *value, json_t **ret,
                        struct osm_error *err)
{
  return list_marked (cloud, "volumes", key, value, ret, err);
}

int
osm_snapshot_list_marked (struct osm_cloud *cloud, const char *key, const char *value, json_t **ret,
                          struct osm_error *err)
{
  return list_marked (cloud, "snapshots", key, value, ret, err);
}

static int
create (struct osm_cloud *cloud, const char *path, const char *key, const json_t *spec,
        char **ret_id, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *body = osm_json_pack ("{s:O}", key, spec), *object = NULL;

  if (osm_cloud_post (cloud, OSM_VOLUME, path, body, key, &object, err) == -1)
    return -1;
  if (!osm_json_str (object, "id"))
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "cloud '%s': the new %s has no id",
                          osm_cloud_name (cloud), key);
  *ret_id = osm_strdup (osm_json_str (object, "id"));
  return 0;
}

int
osm_volume_create (struct osm_cloud *cloud, const json_t *spec, char **ret_id,
                   struct osm_error *err)
{
  return create (cloud, "/volumes", "volume", spec, ret_id, err);
}

int
osm_snapshot_create (struct osm_cloud *cloud, const json_t *spec, char **ret_id,
                     struct osm_error *err)
{
  return create (cloud, "/snapshots", "snapshot", spec, ret_id, err);
}

struct status_wait {
  const char *what, *id, *status;
};

/* Cinder tells users why in its messages (filtered by resource since 3.5). Caller frees; NULL if it says nothing. */
static char *
reason (struct osm_cloud *cloud, const char *id)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/messages?resource_uuid=%s", id);
  OSM_CLEANUP_JSON json_t *messages = NULL;
  OSM_ERROR (ignored);
  size_t i;
  json_t *message;

  if (!osm_cloud_has_microversion (cloud, OSM_VOLUME, "3.5") ||
      osm_cloud_list (cloud, OSM_VOLUME, path, "messages", &messages, &ignored) == -1)
    return NULL;
  /* The newest comes first. */
  json_array_foreach (messages, i, message)
  {
    if (osm_str_equal (osm_json_str (message, "resource_uuid"), id))
      return osm_strdup (osm_json_str (message, "user_message"));
  }
  return NULL;
}

static enum osm_wait
judge_status (struct osm_cloud *cloud, const json_t *object, void *data, struct osm_error *err)
{
  const struct status_wait *w = data;
  const char *status = osm_json_str (object, "status");

  if (!object) {
    osm_error_set (err, OSM_ERROR_REMOTE, 404, "cloud '%s': %s %s is gone", osm_cloud_name (cloud),
                   w->what, w->id);
    return OSM_WAIT_FAILED;
  }
  if (osm_str_equal (status, w->status))
    return OSM_WAIT_DONE;
  if (status && osm_str_starts_with (status, "error")) {
    OSM_CLEANUP_FREE char *why = reason (cloud, w->id);

    osm_error_set (err, OSM_ERROR_REMOTE, 0, "cloud '%s': %s %s is in state '%s'%s%s",
                   osm_cloud_name (cloud), w->what, w->id, status, why ? ": " : "", why ? why : "");
    return OSM_WAIT_FAILED;
  }
  return OSM_WAIT_MORE;
}

static int
wait_status (struct osm_cloud *cloud, const char *collection, const char *key, const char *id,
             const char *status, uint64_t timeout_ms, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = member (collection, id, ""),
                        *what = osm_asprintf ("%s %s", key, id);
  struct status_wait w = { key, id, status };
  const struct osm_waiting waiting = { .service = OSM_VOLUME,
                                       .path = path,
                                       .key = key,
                                       .what = what,
                                       .wanted = status,
                                       .timeout_ms = timeout_ms,
                                       .judge = judge_status,
                                       .data = &w };

  return osm_cloud_wait (cloud, &waiting, ret, err);
}

int
osm_volume_wait (struct osm_cloud *cloud, const char *id, const char *status, uint64_t timeout_ms,
                 json_t **ret, struct osm_error *err)
{
  return wait_status (cloud, "volumes", "volume", id, status, timeout_ms, ret, err);
}

int
osm_snapshot_wait (struct osm_cloud *cloud, const char *id, const char *status, uint64_t timeout_ms,
                   json_t **ret, struct osm_error *err)
{
  return wait_status (cloud, "snapshots", "snapshot", id, status, timeout_ms, ret, err);
}

#define MAX_DELETE_TRIES 3
#define DELETE_AGAIN_MS 2000

/* What passes by itself. */
static enum osm_wait
judge_settled (struct osm_cloud *cloud, const json_t *object, void *data, struct osm_error *err)
{
  static const char *const passing[] = { "creating",  "downloading", "reserved",  "attaching",
                                         "detaching", "extending",   "uploading", "retyping" };
  const char *status = osm_json_str (object, "status");

  (void)cloud;
  (void)data;
  (void)err;
  for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++)
    if (osm_str_equal (status, passing[i]))
      return OSM_WAIT_MORE;
  return OSM_WAIT_DONE;
}

static int
settle (struct osm_cloud *cloud, const char *collection, const char *key, const char *id,
        uint64_t timeout_ms, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = member (collection, id, ""),
                        *what = osm_asprintf ("%s %s", key, id);
  const struct osm_waiting waiting = { .service = OSM_VOLUME,
                                       .path = path,
                                       .key = key,
                                       .what = what,
                                       .wanted = "the end of it",
                                       .timeout_ms = timeout_ms,
                                       .judge = judge_settled };

  return osm_cloud_wait (cloud, &waiting, ret, err);
}

int
osm_volume_settle (struct osm_cloud *cloud, const char *id, uint64_t timeout_ms, json_t **ret,
                   struct osm_error *err)
{
  return settle (cloud, "volumes", "volume", id, timeout_ms, ret, err);
}

struct deletion {
  const char *what, *id;
  bool under_way; /* seen "deleting" */
};

/* A backend that is not ready for it (a clone in the making, a lock) has Cinder put the old status back. */
static enum osm_wait
judge_deletion (struct osm_cloud *cloud, const json_t *object, void *data, struct osm_error *err)
{
  struct deletion *d = data;
  const char *status = osm_json_str (object, "status");
  OSM_CLEANUP_FREE char *why = NULL;

  if (!object || osm_str_equal (status, "deleted"))
    return OSM_WAIT_DONE;
  if (osm_str_equal (status, "deleting"))
    d->under_way = true;
  if (!osm_str_equal (status, "error_deleting") &&
      !(d->under_way && !osm_str_equal (status, "deleting")))
    return OSM_WAIT_MORE;
  why = reason (cloud, d->id);
  osm_error_set (err, osm_str_equal (status, "error_deleting") ? OSM_ERROR_REMOTE : OSM_ERROR_RETRY,
                 0, "cloud '%s': %s %s could not be deleted: it is in state '%s'%s%s",
                 osm_cloud_name (cloud), d->what, d->id, status, why ? ": " : "", why ? why : "");
  return OSM_WAIT_FAILED;
}

/* Cinder refuses (400) what it is deleting, and what it cannot delete now. */
enum refusal { DELETED_BY_OTHERS, DELETABLE_AGAIN, REFUSED };

static enum refusal
judge_refusal (struct osm_cloud *cloud, const char *path, const char *key,
               const struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *object = NULL;
  const char *status;
  OSM_ERROR (why);

  if (err->code != 400)
    return REFUSED;
  if (osm_cloud_get (cloud, OSM_VOLUME, path, key, &object, &why) == -1)
    return osm_error_not_found (&why) ? DELETED_BY_OTHERS : REFUSED;
  status = osm_json_str (object, "status");
  if (osm_str_equal (status, "deleting"))
    return DELETED_BY_OTHERS;
  /* Whoever was deleting it was not allowed to by the backend; or it is refused for good, which asking again will tell. */
  return osm_str_equal (status, "available") || osm_str_equal (status, "error") ? DELETABLE_AGAIN
                                                                                : REFUSED;
}

static int
delete_and_wait (struct osm_cloud *cloud, const char *collection, const char *key, const char *id,
                 uint64_t timeout_ms, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = member (collection, id, ""),
                        *what = osm_asprintf ("%s %s", key, id);
  struct deletion d = { .what = key, .id = id };
  const struct osm_waiting waiting = { .service = OSM_VOLUME,
                                       .path = path,
                                       .key = key,
                                       .what = what,
                                       .wanted = "it to be gone",
                                       .timeout_ms = timeout_ms,
                                       .judge = judge_deletion,
                                       .data = &d };
  OSM_CLEANUP_JSON json_t *now = NULL;

  if (settle (cloud, collection, key, id, timeout_ms, &now, err) == -1)
    return -1;
  if (!now)
    return 0;
  for (unsigned tries = 1;; tries++) {
    enum refusal refusal = DELETED_BY_OTHERS;
    bool again;
    OSM_ERROR (why);

    if (osm_cloud_delete (cloud, OSM_VOLUME, path, &why) == -1)
      refusal = judge_refusal (cloud, path, key, &why);
    if (refusal == DELETED_BY_OTHERS) {
      osm_error_clear (&why);
      d.under_way = false;
      if (osm_cloud_wait (cloud, &waiting, NULL, &why) == 0)
        return 0;
      again = d.under_way && why.class == OSM_ERROR_RETRY; /* back in its old state */
    }
    else
      again = refusal == DELETABLE_AGAIN;
    if (!again || tries == MAX_DELETE_TRIES) {
      osm_error_move (err, &why);
      return -1;
    }
    if (osm_wait_ms (DELETE_AGAIN_MS, err) == -1)
      return -1;
  }
}

int
osm_volume_delete (struct osm_cloud *cloud, const char *id, uint64_t timeout_ms,
                   struct osm_error *err)
{
  return delete_and_wait (cloud, "volumes", "volume", id, timeout_ms, err);
}

int
osm_snapshot_delete (struct osm_cloud *cloud, const char *id, uint64_t timeout_ms,
                     struct osm_error *err)
{
  return delete_and_wait (cloud, "snapshots", "snapshot", id, timeout_ms, err);
}

int
osm_volume_update (struct osm_cloud *cloud, const char *id, const json_t *fields,
                   struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = member ("volumes", id, "");
  OSM_CLEANUP_JSON json_t *body = osm_json_pack ("{s:O}", "volume", fields);

  return osm_cloud_put (cloud, OSM_VOLUME, path, body, NULL, NULL, err);
}

int
osm_volume_set_metadata (struct osm_cloud *cloud, const char *id, const char *key,
                         const char *value, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (key),
                        *path = osm_asprintf ("/volumes/%s/metadata/%s", id, quoted);
  OSM_CLEANUP_JSON json_t *body = osm_json_pack ("{s:{s:s}}", "meta", key, value);

  return osm_cloud_put (cloud, OSM_VOLUME, path, body, NULL, NULL, err);
}

int
osm_volume_delete_metadata (struct osm_cloud *cloud, const char *id, const char *key,
                            struct osm_error *err)
{
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (key),
                        *path = osm_asprintf ("/volumes/%s/metadata/%s", id, quoted);

  return osm_cloud_delete (cloud, OSM_VOLUME, path, err);
}

static int
volume_action (struct osm_cloud *cloud, const char *id, const json_t *action, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = member ("volumes", id, "/action");

  return osm_cloud_action (cloud, OSM_VOLUME, path, action, NULL, NULL, err);
}

int
osm_volume_set_bootable (struct osm_cloud *cloud, const char *id, bool bootable,
                         struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *action =
      osm_json_pack ("{s:{s:b}}", "os-set_bootable", "bootable", bootable);

  return volume_action (cloud, id, action, err);
}

int
osm_volume_set_image_metadata (struct osm_cloud *cloud, const char *id, const json_t *metadata,
                               struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *action =
      osm_json_pack ("{s:{s:O}}", "os-set_image_metadata", "metadata", metadata);

  return volume_action (cloud, id, action, err);
}

int
osm_volume_limits (struct osm_cloud *cloud, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *limits = NULL;

  if (osm_cloud_get (cloud, OSM_VOLUME, "/limits", "limits", &limits, err) == -1)
    return -1;
  *ret = json_incref (json_object_get (limits, "absolute"));
  return *ret ? 0
              : osm_error_set (err, OSM_ERROR_REMOTE, 0, "cloud '%s': limits without 'absolute'",
                               osm_cloud_name (cloud));
}
