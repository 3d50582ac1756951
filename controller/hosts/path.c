/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/hosts/path.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/cidr.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "controller/cloud/network.h"
#include "controller/hosts/internal.h"
#include "nbd/sshcarrier.h"
#include "nbd/sshkey.h"

#define SSH_PORT 22

static const char *const names[OSM_PATH_KINDS] = { "direct", "reverse", "relay" };

const char *
osm_path_name (enum osm_path_kind kind)
{
  return names[kind];
}

const char *
osm_path_text (enum osm_path_kind kind)
{
  static const char *const texts[OSM_PATH_KINDS] = {
    "the destination connects to the source",
    "the source connects to the destination",
    "both through this machine",
  };

  return texts[kind];
}

int
osm_path_check (const char *policy, struct osm_error *err)
{
  if (strcmp (policy, "auto") == 0)
    return 0;
  for (size_t i = 0; i < OSM_PATH_KINDS; i++)
    if (strcmp (policy, names[i]) == 0)
      return 0;
  return osm_error_set (err, OSM_ERROR_USER, 0,
                        "path must be auto, direct, reverse or relay, not '%s'", policy);
}

size_t
osm_path_order (const char *policy, const char *remembered, enum osm_path_kind ret[OSM_PATH_KINDS])
{
  size_t n = 0;

  for (size_t i = 0; i < OSM_PATH_KINDS; i++)
    if (osm_str_equal (policy, names[i])) {
      ret[0] = (enum osm_path_kind)i;
      return 1;
    }
  for (size_t i = 0; i < OSM_PATH_KINDS; i++)
    if (osm_str_equal (remembered, names[i]))
      ret[n++] = (enum osm_path_kind)i;
  for (size_t i = 0; i < OSM_PATH_KINDS; i++)
    if (!osm_str_equal (remembered, names[i]))
      ret[n++] = (enum osm_path_kind)i;
  return n;
}

/* ---- who may come from where ---- */

/* For sshd's from=; NULL: from anywhere. */
static char *
from_text (char *const *addresses)
{
  OSM_CLEANUP_STRV char **canonical = NULL;

  for (size_t i = 0; addresses && addresses[i]; i++) {
    OSM_CLEANUP_FREE char *cidr = osm_cidr_canonical (addresses[i]);

    if (cidr)
      osm_strv_append (&canonical, cidr);
  }
  return canonical ? osm_strv_join (canonical, ",") : NULL;
}

/* As the other side sees it. Without what the deployment has found out: the address that we know. */
static char *
host_from (const struct osm_host *host)
{
  char *const known[] = { host->peer_address, NULL };

  return from_text (host->seen_as ? host->seen_as : known);
}

/* Where the operator looks after the security group, nobody knows how this machine is seen. */
static int
migrator_from (const struct osm_hosts_context *context, const struct osm_host *host, char **ret,
               struct osm_error *err)
{
  const struct osm_host_config *config = &context->config->host[host->side];
  OSM_CLEANUP_STRV char **addresses = NULL;

  *ret = NULL;
  if (config->security_group)
    return 0;
  if (osm_host_migrator_addresses (config, host->address, &addresses, err) == -1)
    return -1;
  *ret = from_text (addresses);
  return 0;
}

int
osm_path_let_in (struct osm_hosts_context *context, const struct osm_host *source, bool open,
                 bool *ret_changed, struct osm_error *err)
{
  const struct osm_host_config *config = &context->config->host[OSM_DESTINATION];
  struct osm_cloud *cloud = context->cloud[OSM_DESTINATION];
  OSM_CLEANUP_JSON json_t *groups = NULL;
  char *const known[] = { source->peer_address, NULL };
  char *const *from = source->seen_as ? source->seen_as : known;
  size_t i;
  json_t *group;

  if (config->security_group)
    return 0;
  if (osm_host_marked (cloud, config, &osm_security_groups, &groups, err) == -1)
    return -1;
  json_array_foreach (groups, i, group)
  {
    const char *id = osm_json_str (group, "id");

    if ((open ? osm_host_rules_open (cloud, id, from, ret_changed, err)
              : osm_host_rules_close (cloud, id, from, ret_changed, err)) == -1)
      return osm_error_wrap (err, "security group of the destination conversion host");
  }
  return 0;
}

/* ---- opening ---- */

static int
authorize (struct osm_host *host, const char *id, const char *key, const char *from, bool listen,
           json_t **ret, struct osm_error *err)
{
  json_t *params = osm_json_pack ("{s:s, s:s, s:s?}", "id", id, "public_key", key, "from", from);

  if (listen)
    json_object_set_new (params, "listen", json_true ());
  return osm_link_call (host->link, "peer.authorize", params, ret, err);
}

static int
key_of (struct osm_host *host, char **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *answer = NULL;

  if (osm_link_call (host->link, "peer.key", json_object (), &answer, err) == -1)
    return -1;
  if (!osm_json_str (answer, "public_key"))
    return osm_error_set (err, OSM_ERROR_REMOTE, EPROTO, "an agent's answer has no key");
  *ret = osm_strdup (osm_json_str (answer, "public_key"));
  return 0;
}

/* The destination's own key logs in at the source, from where its connections now come from. */
static int
authorize_at_source (struct osm_path *path, const char *from, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *key = NULL;
  OSM_CLEANUP_JSON json_t *answer = NULL;

  if (key_of (path->destination, &key, err) == -1)
    return -1;
  return authorize (path->source, path->id, key, from, false, &answer, err);
}

/* The carrier's key opens one port at the destination. */
static int
authorize_at_destination (struct osm_path *path, const char *key, const char *from,
                          struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *answer = NULL;
  json_int_t port;

  if (authorize (path->destination, path->id, key, from, true, &answer, err) == -1)
    return -1;
  port = json_integer_value (json_object_get (answer, "port"));
  if (port < 1 || port > UINT16_MAX)
    return osm_error_set (err, OSM_ERROR_REMOTE, EPROTO,
                          "the destination's agent names no port for a carrier");
  path->port = (uint16_t)port;
  return 0;
}

/* Idempotent; one of other parameters is of a time when the destination had another address. */
static int
start_carrier (struct osm_path *path, struct osm_error *err)
{
  const struct osm_host *destination = path->destination;
  json_t *keys = json_array ();
  OSM_CLEANUP_JSON json_t *answer = NULL, *stopped = NULL,
                          *params = osm_json_pack (
                              "{s:s, s:i, s:{s:s, s:i, s:o, s:s?}}", "id", path->id, "listen_port",
                              (int)path->port, "target", "address", destination->peer_address,
                              "port", SSH_PORT, "host_keys", keys, "cipher",
                              osm_hosts_cipher (path->source, path->destination, NULL));
  OSM_ERROR (why);

  for (size_t i = 0; destination->host_keys && destination->host_keys[i]; i++)
    json_array_append_new (keys, json_string (destination->host_keys[i]));
  if (osm_link_call (path->source->link, "carrier.start", json_incref (params), &answer, &why) == 0)
    return 0;
  if (why.code != EEXIST) {
    osm_error_move (err, &why);
    return -1;
  }
  if (osm_link_call (path->source->link, "carrier.stop", osm_json_pack ("{s:s}", "id", path->id),
                     &stopped, err) == -1)
    return -1;
  return osm_link_call (path->source->link, "carrier.start", json_incref (params), &answer, err);
}

static int
open_reverse (struct osm_hosts_context *context, struct osm_path *path, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *key = NULL, *from = host_from (path->source);

  if (osm_path_let_in (context, path->source, true, &path->let_in, err) == -1 ||
      key_of (path->source, &key, err) == -1 ||
      authorize_at_destination (path, key, from, err) == -1 ||
      authorize_at_source (path, "127.0.0.1", err) == -1)
    return -1;
  return start_carrier (path, err);
}

/* A key of its own: the one that controls the agents opens nothing else. */
static int
open_relay (struct osm_hosts_context *context, struct osm_path *path, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *folder = osm_asprintf ("%s/keys", context->config->state_dir),
                        *key_path = osm_asprintf ("%s/relay", folder), *key = NULL,
                        *known =
                            osm_asprintf ("%s/relay-%s-%ld", folder, path->id, (long)getpid ()),
                        *at_source = NULL, *at_destination = NULL;
  const char *cipher = osm_hosts_cipher (path->source, path->destination, NULL);
  struct osm_carrier_options options = { .address = path->destination->address,
                                         .port = SSH_PORT,
                                         .user = "osm-carrier",
                                         .private_key_path = key_path,
                                         .host_keys = path->destination->host_keys,
                                         .to_address = path->source->address,
                                         .to_port = SSH_PORT,
                                         .known_hosts_path = known };

  if (osm_mkdir_p (folder, 0700, err) == -1 ||
      osm_sshkey_ensure (key_path, "osm-relay", &key, err) == -1 ||
      migrator_from (context, path->source, &at_source, err) == -1 ||
      migrator_from (context, path->destination, &at_destination, err) == -1 ||
      authorize_at_destination (path, key, at_destination, err) == -1 ||
      authorize_at_source (path, at_source, err) == -1 ||
      osm_ssh_cipher_parse (cipher, &options.cipher, err) == -1)
    return -1;
  options.listen_port = path->port;
  return osm_carrier_new (&options, &path->carrier, err);
}

int
osm_path_open (struct osm_hosts_context *context, struct osm_host *source,
               struct osm_host *destination, enum osm_path_kind kind, const char *id,
               struct osm_path **ret, struct osm_error *err)
{
  OSM_CLEANUP_PATH struct osm_path *path = osm_calloc (1, sizeof *path);
  int r = 0;

  path->kind = kind;
  path->source = source;
  path->destination = destination;
  path->id = osm_strdup (id);
  if (kind == OSM_PATH_REVERSE)
    r = open_reverse (context, path, err);
  if (kind == OSM_PATH_RELAY)
    r = open_relay (context, path, err);
  if (r == -1) {
    OSM_ERROR (ignored);

    bool closed;

    if (osm_path_forget (source, destination, id, &ignored) == -1)
      osm_debug ("path: %s", ignored.message);
    osm_error_clear (&ignored);
    if (path->let_in && osm_path_let_in (context, source, false, &closed, &ignored) == -1)
      osm_warning ("%s", ignored.message);
    return -1;
  }
  *ret = osm_take (path);
  return 0;
}

void
osm_path_free (struct osm_path *path)
{
  if (!path)
    return;
  osm_carrier_free (path->carrier);
  free (path->id);
  free (path);
}

static int
forget_at (struct osm_host *host, const char *method, const char *id, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *answer = NULL;

  return host ? osm_link_call (host->link, method, osm_json_pack ("{s:s}", "id", id), &answer, err)
              : 0;
}

int
osm_path_forget (struct osm_host *source, struct osm_host *destination, const char *id,
                 struct osm_error *err)
{
  if (forget_at (source, "carrier.stop", id, err) == -1 ||
      forget_at (source, "peer.revoke", id, err) == -1)
    return -1;
  return forget_at (destination, "peer.revoke", id, err);
}

/* ---- while it is open ---- */

/* The port is taken for a while when the carrier of before has vanished without a word. */
static bool
may_pass (const struct osm_error *why)
{
  return why->message && strstr (why->message, "remote port forwarding failed");
}

bool
osm_path_trouble (struct osm_path *path, struct osm_error *ret)
{
  struct osm_carrier_status status = { 0 };
  OSM_CLEANUP_JSON json_t *answer = NULL;
  OSM_ERROR (ignored);
  size_t i;
  json_t *one;

  if (path->kind == OSM_PATH_RELAY)
    osm_carrier_status (path->carrier, &status);
  if (path->kind == OSM_PATH_REVERSE &&
      osm_link_call (path->source->link, "carrier.list", json_object (), &answer, &ignored) == 0)
    json_array_foreach (json_object_get (answer, "carriers"), i, one)
    {
      if (osm_str_equal (osm_json_str (one, "id"), path->id) && json_object_get (one, "error"))
        osm_error_from_json (json_object_get (one, "error"), &status.error);
    }
  if (!osm_error_is_set (&status.error) || may_pass (&status.error)) {
    osm_error_done (&status.error);
    return false;
  }
  osm_error_move (ret, &status.error);
  return true;
}

json_t *
osm_path_source_json (const struct osm_path *path, const char *socket, const char *cipher)
{
  const struct osm_host *host = path->source;
  json_t *keys = json_array (), *source;

  for (size_t i = 0; host->host_keys && host->host_keys[i]; i++)
    json_array_append_new (keys, json_string (host->host_keys[i]));
  source = osm_json_pack ("{s:s, s:i, s:s, s:o, s:s?}", "address",
                          path->port ? "127.0.0.1" : host->peer_address, "port",
                          path->port ? (int)path->port : SSH_PORT, "user", "osm-peer", "host_keys",
                          keys, "socket", socket);
  osm_json_set_str (source, "cipher",
                    cipher ? cipher : osm_hosts_cipher (host, path->destination, NULL));
  return source;
}
