/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cloud/compute.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/cloud/wait.h"

const struct osm_collection osm_servers = { .service = OSM_COMPUTE,
                                            .what = "server",
                                            .list_path = "/servers/detail",
                                            .member_path = "/servers",
                                            .list_key = "servers",
                                            .member_key = "server" };
const struct osm_collection osm_flavors = { .service = OSM_COMPUTE,
                                            .what = "flavor",
                                            .list_path = "/flavors/detail",
                                            .member_path = "/flavors",
                                            .list_key = "flavors",
                                            .member_key = "flavor",
                                            .free_ids = true };
const struct osm_collection osm_keypairs = { .service = OSM_COMPUTE,
                                             .what = "key pair",
                                             .list_path = "/os-keypairs",
                                             .member_path = "/os-keypairs",
                                             .list_key = "keypairs",
                                             .member_key = "keypair",
                                             .free_ids = true };

const struct osm_collection osm_server_groups = { .service = OSM_COMPUTE,
                                                  .what = "server group",
                                                  .list_path = "/os-server-groups",
                                                  .member_path = "/os-server-groups",
                                                  .list_key = "server_groups",
                                                  .member_key = "server_group" };

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

static enum osm_wait
judge_settled (struct osm_cloud *cloud, const json_t *server, void *data, struct osm_error *err)
{
  const char *id = data;

  if (server)
    return osm_json_str (server, "OS-EXT-STS:task_state") ? OSM_WAIT_MORE : OSM_WAIT_DONE;
  osm_error_set (err, OSM_ERROR_REMOTE, 404, "cloud '%s': server %s is gone",
                 osm_cloud_name (cloud), id);
  return OSM_WAIT_FAILED;
}

int
osm_server_settle (struct osm_cloud *cloud, const char *id, uint64_t timeout_ms, json_t **ret,
                   struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = server_path (id, ""), *what = osm_asprintf ("server %s", id);
  const struct osm_waiting waiting = { .service = OSM_COMPUTE,
                                       .path = path,
                                       .key = "server",
                                       .what = what,
                                       .wanted = "the end of its task",
                                       .timeout_ms = timeout_ms,
                                       .judge = judge_settled,
                                       .data = (void *)id };

  return osm_cloud_wait (cloud, &waiting, ret, err);
}

int
osm_server_action (struct osm_cloud *cloud, const char *id, const json_t *action,
                   struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = server_path (id, "/action");

  return osm_cloud_post (cloud, OSM_COMPUTE, path, action, NULL, NULL, err);
}

/* An action that does no more when done twice. */
static int
repeatable_action (struct osm_cloud *cloud, const char *id, const json_t *action,
                   struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = server_path (id, "/action");

  return osm_cloud_action (cloud, OSM_COMPUTE, path, action, NULL, NULL, err);
}

/* Power actions are refused (409) where they have nothing to do, also when that is because the same request came twice. */
static int
power_action (struct osm_cloud *cloud, const char *id, const char *name, const char *status,
              const char *task, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *action = osm_json_pack ("{s:n}", name), *server = NULL;
  OSM_ERROR (ignored);
  OSM_ERROR (why);

  if (repeatable_action (cloud, id, action, &why) == 0)
    return 0;
  if (why.code == 409 && osm_server_get (cloud, id, &server, &ignored) == 0) {
    const char *running = osm_json_str (server, "OS-EXT-STS:task_state");

    if (osm_str_equal (running, task) ||
        (!running && osm_str_equal (osm_json_str (server, "status"), status)))
      return 0;
  }
  osm_error_move (err, &why);
  return -1;
}

int
osm_server_create_image (struct osm_cloud *cloud, const char *id, const char *name,
                         const json_t *marks, char **ret_image_id, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = server_path (id, "/action");
  OSM_CLEANUP_JSON json_t *action = osm_json_pack ("{s:{s:s, s:O}}", "createImage", "name", name,
                                                   "metadata", marks),
                          *answer = NULL;

  /* Before 2.45 only a header names the image. */
  if (!osm_cloud_has_microversion (cloud, OSM_COMPUTE, "2.45"))
    return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                          "cloud '%s': its Nova is too old (microversion 2.45 is needed) to make "
                          "images of servers",
                          osm_cloud_name (cloud));
  if (osm_cloud_post (cloud, OSM_COMPUTE, path, action, NULL, &answer, err) == -1)
    return -1;
  if (!osm_json_str (answer, "image_id"))
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "cloud '%s': the answer names no image",
                          osm_cloud_name (cloud));
  *ret_image_id = osm_strdup (osm_json_str (answer, "image_id"));
  return 0;
}

int
osm_server_stop (struct osm_cloud *cloud, const char *id, struct osm_error *err)
{
  return power_action (cloud, id, "os-stop", "SHUTOFF", "powering-off", err);
}

int
osm_server_start (struct osm_cloud *cloud, const char *id, struct osm_error *err)
{
  return power_action (cloud, id, "os-start", "ACTIVE", "powering-on", err);
}

int
osm_server_lock (struct osm_cloud *cloud, const char *id, const char *reason, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *action =
      osm_cloud_has_microversion (cloud, OSM_COMPUTE, "2.73")
          ? osm_json_pack ("{s:{s:s}}", "lock", "locked_reason", reason)
          : osm_json_pack ("{s:n}", "lock");

  return repeatable_action (cloud, id, action, err);
}

int
osm_server_unlock (struct osm_cloud *cloud, const char *id, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *action = osm_json_pack ("{s:n}", "unlock");

  return repeatable_action (cloud, id, action, err);
}

/* A cloud with reclaim_instance_interval keeps what is deleted, with its ports and volumes, until it is told again. */
static enum osm_wait
judge_deleted (struct osm_cloud *cloud, const json_t *server, void *data, struct osm_error *err)
{
  bool *forced = data;
  const char *id = osm_json_str (server, "id");

  if (!id || *forced || !osm_str_equal (osm_json_str (server, "status"), "SOFT_DELETED"))
    return osm_wait_gone (cloud, server, NULL, err);
  else {
    OSM_CLEANUP_JSON json_t *action = osm_json_pack ("{s:n}", "forceDelete");

    *forced = true;
    if (repeatable_action (cloud, id, action, err) == -1 && !osm_error_not_found (err))
      return OSM_WAIT_FAILED;
    osm_error_clear (err);
    return OSM_WAIT_MORE;
  }
}

int
osm_server_delete (struct osm_cloud *cloud, const char *id, uint64_t timeout_ms,
                   struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = server_path (id, ""), *what = osm_asprintf ("server %s", id);
  bool forced = false;
  const struct osm_waiting waiting = { .service = OSM_COMPUTE,
                                       .path = path,
                                       .key = "server",
                                       .what = what,
                                       .wanted = "it to be gone",
                                       .timeout_ms = timeout_ms,
                                       .judge = judge_deleted,
                                       .data = &forced };

  if (osm_cloud_delete (cloud, OSM_COMPUTE, path, err) == -1)
    return -1;
  return osm_cloud_wait (cloud, &waiting, NULL, err);
}

int
osm_server_set_metadata (struct osm_cloud *cloud, const char *id, const char *key,
                         const char *value, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (key),
                        *path = osm_asprintf ("/servers/%s/metadata/%s", id, quoted);
  OSM_CLEANUP_JSON json_t *body = osm_json_pack ("{s:{s:s}}", "meta", key, value);

  return osm_cloud_put (cloud, OSM_COMPUTE, path, body, NULL, NULL, err);
}

int
osm_server_add_metadata (struct osm_cloud *cloud, const char *id, const json_t *metadata,
                         struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/servers/%s/metadata", id);
  OSM_CLEANUP_JSON json_t *body = osm_json_pack ("{s:O}", "metadata", metadata);

  return osm_cloud_action (cloud, OSM_COMPUTE, path, body, NULL, NULL, err);
}

int
osm_server_delete_metadata (struct osm_cloud *cloud, const char *id, const char *key,
                            struct osm_error *err)
{
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (key),
                        *path = osm_asprintf ("/servers/%s/metadata/%s", id, quoted);

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
  if (osm_cloud_action (cloud, OSM_COMPUTE, path, body, "output", &output, err) == -1)
    return -1;
  *ret = osm_strdup (json_is_string (output) ? json_string_value (output) : "");
  return 0;
}

int
osm_server_interfaces (struct osm_cloud *cloud, const char *id, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = server_path (id, "/os-interface");

  return osm_cloud_list (cloud, OSM_COMPUTE, path, "interfaceAttachments", ret, err);
}

/* ---- key pairs, limits ---- */

/* Key pairs are looked up by name; the same key under that name is what a repeated request finds. */
static bool
has_key_pair (struct osm_cloud *cloud, const char *name, const char *public_key)
{
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (name),
                        *path = osm_asprintf ("/os-keypairs/%s", quoted);
  OSM_CLEANUP_JSON json_t *found = NULL;
  OSM_ERROR (ignored);

  return osm_cloud_get (cloud, OSM_COMPUTE, path, "keypair", &found, &ignored) == 0 &&
         osm_str_equal (osm_json_str (found, "public_key"), public_key);
}

int
osm_keypair_create (struct osm_cloud *cloud, const char *name, const char *public_key,
                    const char *type, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *body =
      osm_json_pack ("{s:{s:s, s:s}}", "keypair", "name", name, "public_key", public_key);
  OSM_ERROR (why);

  if (type && strcmp (type, "ssh") != 0)
    osm_json_set_str (json_object_get (body, "keypair"), "type", type);
  if (osm_cloud_action (cloud, OSM_COMPUTE, "/os-keypairs", body, NULL, NULL, &why) == 0 ||
      (why.code == 409 && has_key_pair (cloud, name, public_key)))
    return 0;
  osm_error_move (err, &why);
  return -1;
}

const char *
osm_server_group_policy (const json_t *group)
{
  const char *policy = osm_json_str (group, "policy");

  /* Before 2.64 a list, which has always had one member. */
  return policy ? policy
                : json_string_value (json_array_get (json_object_get (group, "policies"), 0));
}

int
osm_server_set_tags (struct osm_cloud *cloud, const char *id, const json_t *tags,
                     struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = server_path (id, "/tags");
  OSM_CLEANUP_JSON json_t *body = osm_json_pack ("{s:O}", "tags", tags);

  return osm_cloud_put (cloud, OSM_COMPUTE, path, body, NULL, NULL, err);
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
