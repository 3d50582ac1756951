/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/hosts/internal.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"
#include "controller/link/remote.h"
#include "nbd/sshkey.h"

/* cloud-init's cc_keys_to_console prints the public host keys between these lines.
 * https://cloudinit.readthedocs.io/en/latest/reference/modules.html#keys-to-console */
#define BEGIN "-----BEGIN SSH HOST KEY KEYS-----"
#define END "-----END SSH HOST KEY KEYS-----"
#define KEYS_MAX 16

char **
osm_host_keys_parse (const char *console)
{
  const char *begin = NULL, *at = console, *end;
  OSM_CLEANUP_FREE char *block = NULL;
  OSM_CLEANUP_STRV char **lines = NULL;
  char **keys = NULL;

  /* The last complete block: of the last boot that printed one. */
  while ((at = strstr (at, BEGIN))) {
    at += strlen (BEGIN);
    if (strstr (at, END))
      begin = at;
  }
  if (!begin)
    return NULL;
  end = strstr (begin, END);
  block = osm_strndup (begin, (size_t)(end - begin));
  lines = osm_strv_split (block, '\n');
  for (size_t i = 0; lines[i] && osm_strv_len (keys) < KEYS_MAX; i++) {
    OSM_CLEANUP_FREE char *key = NULL;
    OSM_ERROR (ignored);

    lines[i][strcspn (lines[i], "\r")] = '\0';
    /* Other output may have come between. */
    if (osm_sshkey_normalize (lines[i], &key, &ignored) == 0)
      osm_strv_append (&keys, key);
  }
  return keys;
}

static char **
from_store (const json_t *stored, const char *server_id)
{
  char **keys = NULL;
  size_t i;
  json_t *key;

  if (!osm_str_equal (osm_json_str (stored, "server_id"), server_id))
    return NULL;
  json_array_foreach (json_object_get (stored, "host_keys"), i, key) if (json_is_string (key))
      osm_strv_append (&keys, json_string_value (key));
  return keys;
}

static int
to_store (struct osm_hosts_context *context, enum osm_side side, const char *server_id,
          char *const *keys, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *cloud = osm_host_store_key (context->cloud[side]);
  json_t *list = json_array ();
  OSM_CLEANUP_JSON json_t *value =
      osm_json_pack ("{s:s, s:o}", "server_id", server_id, "host_keys", list);

  for (size_t i = 0; keys[i]; i++)
    json_array_append_new (list, json_string (keys[i]));
  return osm_store_host_set (context->store, cloud, context->config->host[side].name, value, err);
}

/* Nova answers 409 for a moment until a new server has a console. */
static int
ask_console (struct osm_hosts_context *context, enum osm_side side, const char *server_id,
             char ***ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *console = NULL;
  OSM_ERROR (why);

  if (osm_server_console (context->cloud[side], server_id, 0, &console, &why) == -1) {
    if (why.code == 409)
      return 0;
    osm_error_move (err, &why);
    osm_error_wrap (err, "read the SSH host keys of the %s conversion host", osm_side_name (side));
    return osm_error_hint (err, "where a cloud does not show console logs, --host-key-policy "
                                "accept-new trusts whatever answers first");
  }
  *ret = osm_host_keys_parse (console);
  return 0;
}

static int
accept_new (struct osm_hosts_context *context, enum osm_side side, const char *address,
            uint64_t timeout_ms, char ***ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *fingerprint = NULL, *text = NULL;

  if (osm_remote_host_keys (address, 22, timeout_ms, ret, err) == -1 ||
      osm_sshkey_fingerprint ((*ret)[0], &fingerprint, err) == -1)
    return -1;
  text = osm_asprintf ("host key %s of %s accepted without proof, as asked", fingerprint, address);
  if (context->report)
    context->report (context->report_data, side, text);
  return 0;
}

int
osm_host_keys (struct osm_hosts_context *context, enum osm_side side, const char *server_id,
               const char *address, uint64_t timeout_ms, char ***ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *cloud = osm_host_store_key (context->cloud[side]);
  OSM_CLEANUP_JSON json_t *stored = NULL;
  uint64_t started = osm_now_ms ();

  if (osm_store_host_get (context->store, cloud, context->config->host[side].name, &stored, err) ==
      -1)
    return -1;
  *ret = from_store (stored, server_id);
  if (*ret)
    return 0;
  if (context->accept_new_host_keys)
    return accept_new (context, side, address, timeout_ms, ret, err) == -1
               ? -1
               : to_store (context, side, server_id, *ret, err);
  for (;;) {
    if (ask_console (context, side, server_id, ret, err) == -1)
      return -1;
    if (*ret)
      return to_store (context, side, server_id, *ret, err);
    if (osm_now_ms () - started > timeout_ms) {
      osm_error_set (
          err, OSM_ERROR_RETRY, 0,
          "%s conversion host: its console log shows no SSH host keys, so that it cannot "
          "be told from another machine",
          osm_side_name (side));
      return osm_error_hint (err,
                             "does the image run cloud-init, and does the cloud serve console "
                             "logs (openstack console log show %s)?",
                             server_id);
    }
    /* Soon at first; a console log is long, and a slow boot need not be asked twice a second. */
    if (osm_wait_ms (osm_now_ms () - started < 60000 ? 500 : 2000, err) == -1)
      return -1;
  }
}
