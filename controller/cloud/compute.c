/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cloud/compute.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/cloud/volume.h"
#include "controller/cloud/wait.h"

const struct osm_collection osm_servers = { OSM_COMPUTE, "server",  "/servers/detail",
                                            "/servers",  "servers", "server",
                                            false };
const struct osm_collection osm_flavors = { OSM_COMPUTE, "flavor",  "/flavors/detail",
                                            "/flavors",  "flavors", "flavor",
                                            false };
const struct osm_collection osm_keypairs = { OSM_COMPUTE,    "key pair", "/os-keypairs",
                                             "/os-keypairs", "keypairs", "keypair",
                                             false };

static char *
server_path (const char *id, const char *suffix)
{
  return osm_asprintf ("/servers/%s%s", id, suffix);
}

int
osm_server_get (struct osm_cloud *cloud, const char *id, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = server_path (id, "");

  return osm_cloud_get (cloud, OSM_COMPUTE, path, "server", ret, err);
}

int
osm_server_list_marked (struct osm_cloud *cloud, const char *key, const char *value, json_t **ret,
                        struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *all = NULL;
  size_t i;
  json_t *server;

  if (osm_cloud_list (cloud, OSM_COMPUTE, "/servers/detail", "servers", &all, err) == -1)
    return -1;
  *ret = json_array ();
  json_array_foreach (all, i, server)
  {
    const char *mark = osm_json_str (json_object_get (server, "metadata"), key);

    if (mark && (!value || strcmp (mark, value) == 0))
      json_array_append (*ret, server);
  }
  return 0;
}

int
osm_server_create (struct osm_cloud *cloud, const json_t *body, char **ret_id,
                   struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *server = NULL;

  if (osm_cloud_post (cloud, OSM_COMPUTE, "/servers", body, "server", &server, err) == -1)
    return -1;
  if (!osm_json_str (server, "id"))
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "cloud '%s': the new server has no id",
                          osm_cloud_name (cloud));
  *ret_id = osm_strdup (osm_json_str (server, "id"));
  return 0;
}

struct server_wait {
  const char *status, *id;
};

static enum osm_wait
judge_server (struct osm_cloud *cloud, const json_t *server, void *data, struct osm_error *err)
{
  const struct server_wait *w = data;
  const char *status = osm_json_str (server, "status"), *fault;

  if (!server) {
    osm_error_set (err, OSM_ERROR_REMOTE, 404, "cloud '%s': server %s is gone",
                   osm_cloud_name (cloud), w->id);
    return OSM_WAIT_FAILED;
  }
  if (osm_str_equal (status, "ERROR") && strcmp (w->status, "ERROR") != 0) {
    fault = osm_json_str (json_object_get (server, "fault"), "message");
    osm_error_set (err, OSM_ERROR_REMOTE, 0, "cloud '%s': server %s is in state ERROR%s%s",
                   osm_cloud_name (cloud), w->id, fault ? ": " : "", fault ? fault : "");
    return OSM_WAIT_FAILED;
  }
  return osm_str_equal (status, w->status) && !osm_json_str (server, "OS-EXT-STS:task_state")
             ? OSM_WAIT_DONE
             : OSM_WAIT_MORE;
}

int
osm_server_wait (struct osm_cloud *cloud, const char *id, const char *status, uint64_t timeout_ms,
                 json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = server_path (id, ""), *what = osm_asprintf ("server %s", id);
  struct server_wait w = { status, id };
  const struct osm_waiting waiting = { .service = OSM_COMPUTE,
                                       .path = path,
                                       .key = "server",
                                       .what = what,
                                       .wanted = status,
                                       .timeout_ms = timeout_ms,
                                       .judge = judge_server,
                                       .data = &w };

  return osm_cloud_wait (cloud, &waiting, ret, err);
}

int
osm_server_action (struct osm_cloud *cloud, const char *id, const json_t *action,
                   struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = server_path (id, "/action");

  return osm_cloud_post (cloud, OSM_COMPUTE, path, action, NULL, NULL, err);
}

static int
simple_action (struct osm_cloud *cloud, const char *id, const char *name, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *action = osm_json_pack ("{s:n}", name);

  return osm_server_action (cloud, id, action, err);
}

int
osm_server_stop (struct osm_cloud *cloud, const char *id, struct osm_error *err)
{
  return simple_action (cloud, id, "os-stop", err);
}

int
osm_server_start (struct osm_cloud *cloud, const char *id, struct osm_error *err)
{
  return simple_action (cloud, id, "os-start", err);
}

int
osm_server_lock (struct osm_cloud *cloud, const char *id, const char *reason, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *action =
      osm_cloud_has_microversion (cloud, OSM_COMPUTE, "2.73")
          ? osm_json_pack ("{s:{s:s}}", "lock", "locked_reason", reason)
          : osm_json_pack ("{s:n}", "lock");

  return osm_server_action (cloud, id, action, err);
}

int
osm_server_unlock (struct osm_cloud *cloud, const char *id, struct osm_error *err)
{
  return simple_action (cloud, id, "unlock", err);
}

int
osm_server_delete (struct osm_cloud *cloud, const char *id, uint64_t timeout_ms,
                   struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = server_path (id, ""), *what = osm_asprintf ("server %s", id);
  const struct osm_waiting waiting = { .service = OSM_COMPUTE,
                                       .path = path,
                                       .key = "server",
                                       .what = what,
                                       .wanted = "it to be gone",
                                       .timeout_ms = timeout_ms,
                                       .judge = osm_wait_gone };

  if (osm_cloud_delete (cloud, OSM_COMPUTE, path, err) == -1)
    return -1;
  return osm_cloud_wait (cloud, &waiting, NULL, err);
}

int
osm_server_set_metadata (struct osm_cloud *cloud, const char *id, const char *key,
                         const char *value, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/servers/%s/metadata/%s", id, key);
  OSM_CLEANUP_JSON json_t *body = osm_json_pack ("{s:{s:s}}", "meta", key, value);

  return osm_cloud_put (cloud, OSM_COMPUTE, path, body, NULL, NULL, err);
}

int
osm_server_delete_metadata (struct osm_cloud *cloud, const char *id, const char *key,
                            struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/servers/%s/metadata/%s", id, key);

  return osm_cloud_delete (cloud, OSM_COMPUTE, path, err);
}

int
osm_server_console (struct osm_cloud *cloud, const char *id, unsigned lines, char **ret,
                    struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = server_path (id, "/action");
  OSM_CLEANUP_JSON json_t *body = osm_json_pack ("{s:{}}", "os-getConsoleOutput"), *output = NULL;

  if (lines)
    json_object_set_new (json_object_get (body, "os-getConsoleOutput"), "length",
                         json_integer ((json_int_t)lines));
  if (osm_cloud_post (cloud, OSM_COMPUTE, path, body, "output", &output, err) == -1)
    return -1;
  *ret = osm_strdup (json_is_string (output) ? json_string_value (output) : "");
  return 0;
}

/* ---- volumes of a server ---- */

int
osm_server_attachments (struct osm_cloud *cloud, const char *id, json_t **ret,
                        struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = server_path (id, "/os-volume_attachments");
  OSM_CLEANUP_JSON json_t *all = NULL;
  size_t i;
  json_t *a;

  if (osm_cloud_list (cloud, OSM_COMPUTE, path, "volumeAttachments", &all, err) == -1)
    return -1;
  *ret = json_array ();
  json_array_foreach (all, i, a)
  {
    json_t *one = osm_json_pack ("{s:s?, s:s?, s:b}", "volume_id", osm_json_str (a, "volumeId"),
                                 "device", osm_json_str (a, "device"), "delete_on_termination",
                                 json_is_true (json_object_get (a, "delete_on_termination")));

    osm_json_set_str (one, "tag", osm_json_str (a, "tag"));
    osm_json_set_str (one, "attachment_id", osm_json_str (a, "attachment_id"));
    json_array_append_new (*ret, one);
  }
  return 0;
}

struct attach_wait {
  const char *server_id, *volume_id;
  bool seen_change; /* left in-use (detach) or available (attach) since the request */
  bool refused;
};

static bool
held_by (const json_t *volume, const char *server_id)
{
  size_t i;
  json_t *a;

  json_array_foreach (json_object_get (volume, "attachments"), i,
                      a) if (osm_str_equal (osm_json_str (a, "server_id"), server_id)) return true;
  return false;
}

static enum osm_wait
judge_attach (struct osm_cloud *cloud, const json_t *volume, void *data, struct osm_error *err)
{
  struct attach_wait *w = data;
  const char *status = osm_json_str (volume, "status");

  if (volume && osm_str_equal (status, "in-use") && held_by (volume, w->server_id))
    return OSM_WAIT_DONE;
  if (volume && (osm_str_equal (status, "attaching") || osm_str_equal (status, "reserved")))
    w->seen_change = true;
  if (!volume || osm_str_starts_with (status ? status : "", "error") ||
      (w->seen_change && osm_str_equal (status, "available"))) {
    osm_error_set (err, OSM_ERROR_RETRY, 0,
                   "cloud '%s': volume %s could not be attached to server %s: it is %s",
                   osm_cloud_name (cloud), w->volume_id, w->server_id,
                   volume ? status : "not there any more");
    return OSM_WAIT_FAILED;
  }
  return OSM_WAIT_MORE;
}

int
osm_server_attach (struct osm_cloud *cloud, const char *server_id, const char *volume_id,
                   const char *device, int delete_on_termination, uint64_t timeout_ms,
                   struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = server_path (server_id, "/os-volume_attachments"),
                        *volume_path = osm_asprintf ("/volumes/%s", volume_id),
                        *what = osm_asprintf ("volume %s", volume_id);
  struct attach_wait w = { .server_id = server_id, .volume_id = volume_id };
  const struct osm_waiting waiting = { .service = OSM_VOLUME,
                                       .path = volume_path,
                                       .key = "volume",
                                       .what = what,
                                       .wanted = "in-use",
                                       .timeout_ms = timeout_ms,
                                       .judge = judge_attach,
                                       .data = &w };
  json_t *attachment = osm_json_pack ("{s:s}", "volumeId", volume_id);
  OSM_CLEANUP_JSON json_t *body = osm_json_pack ("{s:o}", "volumeAttachment", attachment),
                          *volume = NULL;
  OSM_ERROR (why);

  if (osm_volume_get (cloud, volume_id, &volume, err) == -1)
    return -1;
  if (held_by (volume, server_id))
    return osm_cloud_wait (cloud, &waiting, NULL, err);
  osm_json_set_str (attachment, "device", device);
  if (delete_on_termination >= 0 && osm_cloud_has_microversion (cloud, OSM_COMPUTE, "2.79"))
    json_object_set_new (attachment, "delete_on_termination", json_boolean (delete_on_termination));
  if (osm_cloud_post (cloud, OSM_COMPUTE, path, body, NULL, NULL, &why) == -1 &&
      !osm_error_outcome_unknown (&why)) {
    osm_error_move (err, &why);
    return osm_error_wrap (err, "attach volume %s to server %s", volume_id, server_id);
  }
  return osm_cloud_wait (cloud, &waiting, NULL, err);
}

static enum osm_wait
judge_detach (struct osm_cloud *cloud, const json_t *volume, void *data, struct osm_error *err)
{
  struct attach_wait *w = data;
  const char *status = osm_json_str (volume, "status");

  if (!volume || (!held_by (volume, w->server_id) && !osm_str_equal (status, "detaching")))
    return OSM_WAIT_DONE;
  if (osm_str_equal (status, "detaching"))
    w->seen_change = true;
  if (osm_str_starts_with (status ? status : "", "error") ||
      (w->seen_change && osm_str_equal (status, "in-use"))) {
    osm_error_set (err, OSM_ERROR_RETRY, 0,
                   "cloud '%s': server %s does not let go of volume %s: it is %s again",
                   osm_cloud_name (cloud), w->server_id, w->volume_id, status);
    osm_error_hint (err, "something in the server still uses it (mounted, LVM, a process)");
    return OSM_WAIT_FAILED;
  }
  return OSM_WAIT_MORE;
}

int
osm_server_detach (struct osm_cloud *cloud, const char *server_id, const char *volume_id,
                   uint64_t timeout_ms, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path =
      osm_asprintf ("/servers/%s/os-volume_attachments/%s", server_id, volume_id);
  OSM_CLEANUP_FREE char *volume_path = osm_asprintf ("/volumes/%s", volume_id),
                        *what = osm_asprintf ("volume %s", volume_id);
  struct attach_wait w = { .server_id = server_id, .volume_id = volume_id };
  const struct osm_waiting waiting = { .service = OSM_VOLUME,
                                       .path = volume_path,
                                       .key = "volume",
                                       .what = what,
                                       .wanted = "available",
                                       .timeout_ms = timeout_ms,
                                       .judge = judge_detach,
                                       .data = &w };
  OSM_CLEANUP_JSON json_t *volume = NULL;

  if (osm_volume_get (cloud, volume_id, &volume, err) == -1)
    return -1;
  if (!held_by (volume, server_id) && !osm_str_equal (osm_json_str (volume, "status"), "detaching"))
    return 0;
  if (!osm_str_equal (osm_json_str (volume, "status"), "detaching")) {
    if (osm_cloud_delete (cloud, OSM_COMPUTE, path, err) == -1)
      return osm_error_wrap (err, "detach volume %s from server %s", volume_id, server_id);
  }
  return osm_cloud_wait (cloud, &waiting, NULL, err);
}

int
osm_server_interfaces (struct osm_cloud *cloud, const char *id, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = server_path (id, "/os-interface");

  return osm_cloud_list (cloud, OSM_COMPUTE, path, "interfaceAttachments", ret, err);
}

/* ---- key pairs, limits ---- */

int
osm_keypair_create (struct osm_cloud *cloud, const char *name, const char *public_key,
                    struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *body =
      osm_json_pack ("{s:{s:s, s:s}}", "keypair", "name", name, "public_key", public_key);

  return osm_cloud_post (cloud, OSM_COMPUTE, "/os-keypairs", body, NULL, NULL, err);
}

int
osm_compute_limits (struct osm_cloud *cloud, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *limits = NULL;

  if (osm_cloud_get (cloud, OSM_COMPUTE, "/limits", "limits", &limits, err) == -1)
    return -1;
  *ret = json_incref (json_object_get (limits, "absolute"));
  return *ret ? 0
              : osm_error_set (err, OSM_ERROR_REMOTE, 0, "cloud '%s': limits without 'absolute'",
                               osm_cloud_name (cloud));
}
