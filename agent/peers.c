/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/peers.h"

#include <errno.h>
#include <string.h>

#include "agent/export.h"
#include "agent/paths.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/strbuf.h"
#include "nbd/sshkey.h"

#define PEERS_MAX 64
#define FILE_MAX (1024 * 1024)

int
osm_peer_key (char **ret_line, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_path_peer_key ();

  return osm_sshkey_ensure (path, OSM_PEER_USER, ret_line, err);
}

static char *
peers_path (void)
{
  return osm_asprintf ("%s/peers.json", osm_path_state ());
}

static int
load (json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = peers_path (), *text = NULL;
  size_t len;

  if (!osm_file_exists (path)) {
    *ret = json_object ();
    return 0;
  }
  if (osm_file_read (path, FILE_MAX, &text, &len, err) == -1 ||
      osm_json_parse (text, len, path, ret, err) == -1)
    return -1;
  if (!json_is_object (*ret)) {
    json_decref (osm_take (*ret));
    return osm_error_set (err, OSM_ERROR_USER, 0, "%s is damaged", path);
  }
  return 0;
}

static int
save (const json_t *peers, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = peers_path (), *text = osm_json_dump (peers);

  return osm_file_write (path, text, strlen (text), 0600, err);
}

/* Addresses, networks and patterns only: nothing that could end the quotes or the line. */
static bool
from_is_safe (const char *from)
{
  return strlen (from) > 0 && strlen (from) < 1024 &&
         strspn (from, "0123456789abcdefABCDEF:./,*") == strlen (from);
}

/* 0: this peer opens none. */
static uint16_t
port_of (const json_t *peer)
{
  uint64_t port = osm_json_uint (peer, "port");

  return port >= OSM_CARRIER_PORT_FIRST && port < OSM_CARRIER_PORT_FIRST + PEERS_MAX
             ? (uint16_t)port
             : 0;
}

static bool
port_is_taken (const json_t *peers, uint16_t port)
{
  const char *id;
  json_t *peer;

  json_object_foreach ((json_t *)peers, id, peer)
  {
    if (port_of (peer) == port)
      return true;
  }
  return false;
}

/* The one that it has, or a free one: there are as many as peers. */
static uint16_t
choose_port (const json_t *peers, const char *id)
{
  uint16_t port = port_of (json_object_get (peers, id));

  if (port)
    return port;
  for (port = OSM_CARRIER_PORT_FIRST; port_is_taken (peers, port);)
    port++;
  return port;
}

int
osm_peer_authorize (const char *id, const char *public_key, const char *from, uint16_t *ret_port,
                    struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *peers = NULL, *entry = NULL;
  OSM_CLEANUP_FREE char *key = NULL;

  if (osm_sshkey_normalize (public_key, &key, err) == -1)
    return osm_error_wrap (err, "peer %s", id);
  if (from && !from_is_safe (from))
    return osm_error_set (err, OSM_ERROR_USER, EINVAL,
                          "peer %s: 'from' must be a list of addresses", id);
  if (load (&peers, err) == -1)
    return -1;
  entry = osm_json_pack ("{s:s}", "public_key", key);
  osm_json_set_str (entry, "from", from);
  if (json_object_size (peers) >= PEERS_MAX && !json_object_get (peers, id))
    return osm_error_set (err, OSM_ERROR_USER, 0, "there are %d peers already", PEERS_MAX);
  if (ret_port) {
    *ret_port = choose_port (peers, id);
    json_object_set_new (entry, "port", json_integer (*ret_port));
  }
  if (json_equal (json_object_get (peers, id), entry))
    return 0;
  json_object_set (peers, id, entry);
  return save (peers, err);
}

int
osm_peer_revoke (const char *id, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *peers = NULL;

  if (load (&peers, err) == -1)
    return -1;
  return json_object_del (peers, id) == 0 ? save (peers, err) : 0;
}

int
osm_peer_list (json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *peers = NULL;
  const char *id;
  json_t *peer;

  if (load (&peers, err) == -1)
    return -1;
  *ret = json_array ();
  json_object_foreach (peers, id, peer)
  {
    json_t *one = json_copy (peer);

    osm_json_set_str (one, "id", id);
    json_array_append_new (*ret, one);
  }
  return 0;
}

static int
controller_keys (struct osm_strbuf *out, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/controller_keys", osm_path_config ()),
                        *text = NULL;
  OSM_CLEANUP_STRV char **lines = NULL;
  size_t len;

  if (!osm_file_exists (path))
    return 0;
  if (osm_file_read (path, FILE_MAX, &text, &len, err) == -1)
    return -1;
  lines = osm_strv_split (text, '\n');
  for (size_t i = 0; lines[i]; i++) {
    OSM_CLEANUP_FREE char *key = NULL;
    OSM_ERROR (ignored);

    /* A line that is not one plain key (blank, comment, options) opens nothing. */
    if (osm_sshkey_normalize (lines[i], &key, &ignored) == 0)
      osm_strbuf_addf (out, "restrict,command=\"%s/osm-agent gateway\" %s\n", OSM_BINDIR, key);
  }
  return 0;
}

/* OpenSSH 9.2 asks its rules for TCP about Unix sockets too: brackets make it take a path as the host, which is compared as a string. So
 * port forwarding is on, to the exports there are and to nothing else. */
static int
permitted_exports (struct osm_strbuf *out, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *exports = NULL;
  size_t i, n = 0;
  json_t *export;

  if (osm_exports_saved (&exports, err) == -1)
    return -1;
  json_array_foreach (exports, i, export)
  {
    const char *id = osm_json_str (export, "id");

    if (id && osm_is_safe_name (id)) {
      osm_strbuf_addf (out, ",permitopen=\"[/exports/%s]:*\"", id);
      osm_strbuf_addf (out, ",permitopen=\"[/exports/%s%s]:*\"", id, OSM_EXPORT_ZSTD_SUFFIX);
      n++;
    }
  }
  if (n == 0)
    osm_strbuf_add (out, ",permitopen=\"[/none]:*\"");
  return 0;
}

/* A peer that may log in as `user`? What is odd in the file opens nothing. */
static bool
take_peer (const char *id, const json_t *peer, bool listens, char **ret_key, const char **ret_from)
{
  const char *line = osm_json_str (peer, "public_key");
  OSM_ERROR (ignored);

  *ret_from = osm_json_str (peer, "from");
  return osm_is_safe_name (id) && (json_object_get (peer, "port") != NULL) == listens &&
         (!listens || port_of (peer)) && line && (!*ret_from || from_is_safe (*ret_from)) &&
         osm_sshkey_normalize (line, ret_key, &ignored) == 0;
}

/* sshd takes the first line with a key and an address that fit: so all ports of a key are in one. */
static void
add_ports (struct osm_strbuf *out, const json_t *peers, const char *key, const char *from)
{
  const char *id;
  json_t *peer;

  json_object_foreach ((json_t *)peers, id, peer)
  {
    OSM_CLEANUP_FREE char *its_key = NULL;
    const char *its_from;

    if (take_peer (id, peer, true, &its_key, &its_from) && strcmp (key, its_key) == 0 &&
        osm_str_equal (from, its_from))
      osm_strbuf_addf (out, ",permitlisten=\"127.0.0.1:%u\"", port_of (peer));
  }
}

/* A port of the loopback, and no way from here to anywhere. */
static int
carrier_keys (struct osm_strbuf *out, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *peers = NULL;
  const char *id;
  json_t *peer;

  if (load (&peers, err) == -1)
    return -1;
  json_object_foreach (peers, id, peer)
  {
    OSM_CLEANUP_FREE char *key = NULL;
    const char *from;

    if (!take_peer (id, peer, true, &key, &from))
      continue;
    osm_strbuf_add (out, "restrict,port-forwarding,permitopen=\"[/none]:*\"");
    add_ports (out, peers, key, from);
    if (from)
      osm_strbuf_addf (out, ",from=\"%s\"", from);
    osm_strbuf_addf (out, " %s %s\n", key, id);
  }
  return 0;
}

static int
peer_keys (struct osm_strbuf *out, struct osm_error *err)
{
  OSM_STRBUF (permitted);
  OSM_CLEANUP_JSON json_t *peers = NULL;
  const char *id;
  json_t *peer;

  if (load (&peers, err) == -1 || permitted_exports (&permitted, err) == -1)
    return -1;
  json_object_foreach (peers, id, peer)
  {
    OSM_CLEANUP_FREE char *key = NULL;
    const char *from;

    if (!take_peer (id, peer, false, &key, &from))
      continue;
    osm_strbuf_addf (out, "restrict,port-forwarding%s", osm_strbuf_str (&permitted));
    if (from)
      osm_strbuf_addf (out, ",from=\"%s\"", from);
    osm_strbuf_addf (out, " %s %s\n", key, id);
  }
  return 0;
}

int
osm_authorized_keys (const char *user, char **ret, struct osm_error *err)
{
  OSM_STRBUF (out);

  if (strcmp (user, OSM_CONTROL_USER) == 0 && controller_keys (&out, err) == -1)
    return -1;
  if (strcmp (user, OSM_PEER_USER) == 0 && peer_keys (&out, err) == -1)
    return -1;
  if (strcmp (user, OSM_CARRIER_USER) == 0 && carrier_keys (&out, err) == -1)
    return -1;
  *ret = osm_strbuf_take (&out);
  return 0;
}
