/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/carrier.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "agent/child.h"
#include "agent/paths.h"
#include "agent/peers.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "common/parse.h"
#include "common/run.h"
#include "common/strbuf.h"
#include "nbd/sshcarrier.h"
#include "nbd/sshkey.h"

#define FILE_MAX (1024 * 1024)
#define RESTART_MS 1000
#define LOOK_MS 100
#define TEXT_MAX 255
#define HOST_KEYS_MAX 32
#define SSH_PORT 22 /* of this host's own sshd */

struct carrier {
  char *id;
  json_t *params;
  json_t *state; /* the worker's last word, or NULL */
  struct osm_child child;
  uint64_t restart_at_ms; /* when the child is to be started again; 0: it runs */
};

struct osm_carriers {
  struct carrier v[OSM_CARRIERS_MAX];
  size_t nr;
};

static char *
carriers_path (void)
{
  return osm_asprintf ("%s/carriers.json", osm_path_state ());
}

static int
save (const struct osm_carriers *carriers, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = carriers_path (), *text = NULL;
  OSM_CLEANUP_JSON json_t *list = json_array ();

  for (size_t i = 0; i < carriers->nr; i++)
    json_array_append (list, carriers->v[i].params);
  text = osm_json_dump (list);
  return osm_file_write (path, text, strlen (text), 0600, err);
}

/* ---- what is asked ---- */

static int
check_port (const json_t *value, bool mandatory, const char *what, struct osm_error *err)
{
  if (!value && !mandatory)
    return 0;
  if (!json_is_integer (value) || json_integer_value (value) < 1 ||
      json_integer_value (value) > UINT16_MAX)
    return osm_error_set (err, OSM_ERROR_USER, EINVAL,
                          "parameter '%s' must be a number from 1 to 65535", what);
  return 0;
}

/* *ret: what is known of it only, so that nothing else is kept or compared. */
static int
check_target (const json_t *params, json_t **ret, struct osm_error *err)
{
  const json_t *given = json_object_get (params, "target"),
               *host_keys = json_object_get (given, "host_keys");
  const char *address = osm_json_str (given, "address"), *user = osm_json_str (given, "user"),
             *cipher = osm_json_str (given, "cipher");
  enum osm_ssh_cipher ignored;
  size_t i;
  json_t *key;

  if (!address || strlen (address) > TEXT_MAX || (user && strlen (user) > TEXT_MAX))
    return osm_error_set (err, OSM_ERROR_USER, EINVAL, "parameter 'target': 'address' is missing");
  if (osm_ssh_cipher_parse (cipher, &ignored, err) == -1 ||
      check_port (json_object_get (given, "port"), false, "target.port", err) == -1)
    return -1;
  if (!json_is_array (host_keys) || json_array_size (host_keys) == 0 ||
      json_array_size (host_keys) > HOST_KEYS_MAX)
    return osm_error_set (err, OSM_ERROR_USER, EINVAL,
                          "parameter 'target': 'host_keys' must be a list of 1 to %d public keys",
                          HOST_KEYS_MAX);
  json_array_foreach (host_keys, i, key)
  {
    OSM_CLEANUP_FREE char *line = NULL;

    if (!json_is_string (key))
      return osm_error_set (err, OSM_ERROR_USER, EINVAL,
                            "parameter 'target': a host key is no public key");
    if (osm_sshkey_normalize (json_string_value (key), &line, err) == -1)
      return osm_error_wrap (err, "parameter 'target'");
  }
  *ret = osm_json_pack ("{s:s, s:s, s:O}", "address", address, "user",
                        user ? user : OSM_CARRIER_USER, "host_keys", host_keys);
  if (json_object_get (given, "port"))
    json_object_set (*ret, "port", json_object_get (given, "port"));
  osm_json_set_str (*ret, "cipher", cipher);
  return 0;
}

static int
check_params (const json_t *params, json_t **ret, struct osm_error *err)
{
  const char *id = osm_json_str (params, "id");
  json_t *target = NULL;

  if (!id || !osm_is_safe_name (id))
    return osm_error_set (err, OSM_ERROR_USER, EINVAL, "parameter 'id' is not an identifier");
  if (check_port (json_object_get (params, "listen_port"), true, "listen_port", err) == -1 ||
      check_target (params, &target, err) == -1)
    return -1;
  *ret = osm_json_pack ("{s:s, s:O, s:o}", "id", id, "listen_port",
                        json_object_get (params, "listen_port"), "target", target);
  return 0;
}

/* ---- one carrier ---- */

static char *
known_hosts_path (const struct carrier *c)
{
  return osm_asprintf ("%s/carriers/%s", osm_path_state (), c->id);
}

static int
launch (struct carrier *c, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *spec = json_copy (c->params);
  OSM_CLEANUP_FREE char *key = osm_path_peer_key (), *known = known_hosts_path (c);

  osm_json_set_str (spec, "key", key);
  osm_json_set_str (spec, "known_hosts", known);
  if (osm_child_start (&c->child, "carrier", spec, -1, err) == -1)
    return osm_error_wrap (err, "carrier %s", c->id);
  osm_child_close_in (&c->child);
  c->restart_at_ms = 0;
  return 0;
}

static void
drop (struct carrier *c)
{
  OSM_CLEANUP_FREE char *known = known_hosts_path (c);

  if (c->child.pid > 0)
    osm_child_kill (&c->child);
  if (unlink (known) == -1 && errno != ENOENT)
    osm_warning ("%s: %s", known, strerror (errno));
  json_decref (c->params);
  json_decref (c->state);
  free (c->id);
}

static struct carrier *
lookup (struct osm_carriers *carriers, const char *id)
{
  for (size_t i = 0; i < carriers->nr; i++)
    if (strcmp (carriers->v[i].id, id) == 0)
      return &carriers->v[i];
  return NULL;
}

static void
hear (struct carrier *c)
{
  for (;;) {
    OSM_CLEANUP_JSON json_t *frame = NULL;
    json_t *state;
    OSM_ERROR (why);

    if (osm_child_read (&c->child, &frame, &why) == -1 || !frame)
      return;
    state = json_object_get (frame, "carrier");
    /* What it says before it ends: it could not even begin. */
    if (!state && json_object_get (frame, "error"))
      state = frame;
    if (!state)
      continue;
    json_decref (c->state);
    c->state = json_incref (state);
  }
}

static json_t *
describe (struct carrier *c)
{
  json_t *one, *error;

  hear (c);
  error = json_object_get (c->state, "error");
  one = osm_json_pack ("{s:s, s:s, s:O, s:I}", "id", c->id, "state",
                       c->child.pid > 0 && json_is_true (json_object_get (c->state, "running"))
                           ? "running"
                           : "restarting",
                       "listen_port", json_object_get (c->params, "listen_port"), "ends",
                       (json_int_t)osm_json_uint (c->state, "ends"));
  if (error)
    json_object_set (one, "error", error);
  return one;
}

/* ---- all of them ---- */

static void
add (struct osm_carriers *carriers, const json_t *params)
{
  carriers->v[carriers->nr++] = (struct carrier){ .id = osm_strdup (osm_json_str (params, "id")),
                                                  .params = json_deep_copy (params),
                                                  .child = OSM_CHILD_NONE };
}

int
osm_carrier_start (struct osm_carriers *carriers, const json_t *params, json_t **ret,
                   struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *known = NULL;
  struct carrier *c;

  if (check_params (params, &known, err) == -1)
    return -1;
  c = lookup (carriers, osm_json_str (known, "id"));
  if (c && !json_equal (c->params, known))
    return osm_error_set (err, OSM_ERROR_USER, EEXIST,
                          "carrier %s exists with other parameters: stop it first", c->id);
  if (!c) {
    if (carriers->nr == OSM_CARRIERS_MAX)
      return osm_error_set (err, OSM_ERROR_RETRY, EAGAIN, "there are %d carriers already",
                            OSM_CARRIERS_MAX);
    add (carriers, known);
    c = &carriers->v[carriers->nr - 1];
    if (launch (c, err) == -1 || save (carriers, err) == -1) {
      drop (&carriers->v[--carriers->nr]);
      return -1;
    }
    osm_info ("carrier %s to %s started", c->id,
              osm_json_str (json_object_get (c->params, "target"), "address"));
  }
  *ret = describe (c);
  return 0;
}

int
osm_carrier_stop (struct osm_carriers *carriers, const char *id, struct osm_error *err)
{
  struct carrier *c = lookup (carriers, id);

  if (!c)
    return 0;
  drop (c);
  *c = carriers->v[--carriers->nr];
  osm_info ("carrier %s stopped", id);
  return save (carriers, err);
}

json_t *
osm_carriers_list (struct osm_carriers *carriers)
{
  json_t *list = json_array ();

  for (size_t i = 0; i < carriers->nr; i++)
    json_array_append_new (list, describe (&carriers->v[i]));
  return list;
}

bool
osm_carriers_child_ended (struct osm_carriers *carriers, pid_t pid, int status)
{
  for (size_t i = 0; i < carriers->nr; i++) {
    struct carrier *c = &carriers->v[i];
    char text[128];

    if (c->child.pid != pid)
      continue;
    hear (c);
    osm_child_ended (&c->child);
    c->restart_at_ms = osm_now_ms () + RESTART_MS;
    osm_warning ("carrier %s: its worker %s", c->id,
                 osm_run_status_text (status, text, sizeof text));
    return true;
  }
  return false;
}

void
osm_carriers_tick (struct osm_carriers *carriers)
{
  uint64_t now = osm_now_ms ();

  for (size_t i = 0; i < carriers->nr; i++) {
    struct carrier *c = &carriers->v[i];
    OSM_ERROR (why);

    if (c->child.out >= 0)
      hear (c);
    if (!c->restart_at_ms || now < c->restart_at_ms || launch (c, &why) == 0)
      continue;
    c->restart_at_ms = now + RESTART_MS;
    osm_warning ("%s", why.message);
  }
}

static int
load_list (json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = carriers_path (), *text = NULL;
  size_t len;

  if (!osm_file_exists (path)) {
    *ret = json_array ();
    return 0;
  }
  if (osm_file_read (path, FILE_MAX, &text, &len, err) == -1)
    return -1;
  return osm_json_parse (text, len, path, ret, err);
}

int
osm_carriers_load (struct osm_carriers **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *folder = osm_asprintf ("%s/carriers", osm_path_state ());
  OSM_CLEANUP_JSON json_t *list = NULL;
  struct osm_carriers *carriers;
  size_t i;
  json_t *params;

  if (osm_mkdir_p (folder, 0700, err) == -1 || load_list (&list, err) == -1)
    return -1;
  carriers = osm_calloc (1, sizeof *carriers);
  json_array_foreach (list, i, params)
  {
    OSM_CLEANUP_JSON json_t *known = NULL;
    OSM_ERROR (why);

    if (carriers->nr == OSM_CARRIERS_MAX)
      break;
    if (check_params (params, &known, &why) == -1) {
      osm_warning ("a carrier that was kept: %s", why.message);
      continue;
    }
    add (carriers, known);
    carriers->v[carriers->nr - 1].restart_at_ms = osm_now_ms (); /* by the next tick */
  }
  *ret = carriers;
  return 0;
}

void
osm_carriers_free (struct osm_carriers *carriers)
{
  if (!carriers)
    return;
  for (size_t i = 0; i < carriers->nr; i++)
    drop (&carriers->v[i]);
  free (carriers);
}

/* ---- the worker ---- */

static int
tell_status (const struct osm_carrier_status *status,
             int (*tell) (const json_t *frame, struct osm_error *err), struct osm_error *err)
{
  json_t *state =
      osm_json_pack ("{s:b, s:I}", "running", status->running, "ends", (json_int_t)status->ends);
  OSM_CLEANUP_JSON json_t *frame = osm_json_pack ("{s:o}", "carrier", state);

  if (osm_error_is_set (&status->error))
    json_object_set_new (state, "error", osm_error_to_json (&status->error));
  return tell (frame, err);
}

int
osm_carrier_work (const json_t *specification, const atomic_bool *cancel,
                  int (*tell) (const json_t *frame, struct osm_error *err), struct osm_error *err)
{
  const json_t *target = json_object_get (specification, "target");
  OSM_CLEANUP_STRV char **host_keys = NULL;
  OSM_CLEANUP_CARRIER struct osm_carrier *carrier = NULL;
  struct osm_carrier_options options = {
    .address = osm_json_str (target, "address"),
    .port = (uint16_t)osm_json_uint (target, "port"),
    .user = osm_json_str (target, "user"),
    .private_key_path = osm_json_str (specification, "key"),
    .listen_port = (uint16_t)osm_json_uint (specification, "listen_port"),
    .to_address = "127.0.0.1",
    .to_port = SSH_PORT,
    .known_hosts_path = osm_json_str (specification, "known_hosts"),
  };
  struct osm_carrier_status last = { .ends = UINT64_MAX };
  size_t i;
  json_t *key;

  json_array_foreach (json_object_get (target, "host_keys"), i, key) if (json_is_string (key))
      osm_strv_append (&host_keys, json_string_value (key));
  options.host_keys = host_keys;
  if (!options.private_key_path || !options.known_hosts_path)
    return osm_error_set (err, OSM_ERROR_USER, EINVAL, "a carrier needs 'key' and 'known_hosts'");
  if (osm_ssh_cipher_parse (osm_json_str (target, "cipher"), &options.cipher, err) == -1 ||
      osm_carrier_new (&options, &carrier, err) == -1)
    return -1;
  while (!atomic_load (cancel)) {
    struct osm_carrier_status now = { 0 };
    int r = 0;

    osm_carrier_status (carrier, &now);
    if (now.running != last.running || now.ends != last.ends)
      r = tell_status (&now, tell, err);
    last.running = now.running;
    last.ends = now.ends;
    osm_error_done (&now.error);
    if (r == -1)
      return -1;
    (void)poll (NULL, 0, LOOK_MS);
  }
  return osm_error_set (err, OSM_ERROR_INTERRUPTED, 0, "the carrier was told to end");
}
