/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/sshknown.h"

#include <fnmatch.h>
#include <libssh/libssh.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/strbuf.h"
#include "nbd/sshkey.h"

#define FILE_MAX ((size_t)16 << 20)
#define KEYS_MAX 64 /* of one host */
#define REVOKED "@revoked"

/* The key of a line that names the host, else NULL. Caller frees. */
static char *
key_of_line (const char *line, const char *name)
{
  struct ssh_knownhosts_entry *entry = NULL;
  char *base64 = NULL, *key = NULL;

  if (ssh_known_hosts_parse_line (name, line, &entry) != SSH_OK || !entry)
    return NULL;
  if (entry->publickey && ssh_pki_export_pubkey_base64 (entry->publickey, &base64) == SSH_OK) {
    key = osm_asprintf ("%s %s", ssh_key_type_to_char (ssh_key_type (entry->publickey)), base64);
    ssh_string_free_char (base64);
  }
  ssh_knownhosts_entry_free (entry);
  return key;
}

/* "*.example,!bad.example": libssh stops at the first pattern that matches. */
static bool
is_excluded (const char *line, const char *name)
{
  OSM_CLEANUP_FREE char *names = osm_strndup (line, strcspn (line, " \t"));
  OSM_CLEANUP_STRV char **patterns = osm_strv_split (names, ',');

  for (size_t i = 0; patterns[i]; i++)
    if (*patterns[i] == '!' && fnmatch (patterns[i] + 1, name, FNM_NOESCAPE) == 0)
      return true;
  return false;
}

static bool
has_key (char *const *keys, const char *key)
{
  for (size_t i = 0; keys && keys[i]; i++)
    if (osm_sshkey_equal (keys[i], key))
      return true;
  return false;
}

int
osm_known_host_keys (const char *path, const char *host, uint16_t port, char ***ret,
                     struct osm_error *err)
{
  OSM_CLEANUP_FREE char *text = NULL;
  OSM_CLEANUP_FREE char *name = NULL;
  OSM_CLEANUP_STRV char **lines = NULL, **good = NULL, **revoked = NULL;

  if (!osm_file_exists (path))
    return 0;
  if (osm_file_read (path, FILE_MAX, &text, NULL, err) == -1)
    return -1;
  name = port == 0 || port == 22 ? osm_strdup (host) : osm_asprintf ("[%s]:%u", host, port);
  lines = osm_strv_split (text, '\n');
  for (size_t i = 0; lines && lines[i]; i++) {
    const char *line = lines[i] + strspn (lines[i], " \t\r");
    bool is_revoked = osm_str_starts_with (line, REVOKED) && strchr (" \t", line[strlen (REVOKED)]);
    OSM_CLEANUP_FREE char *key = NULL;

    if (is_revoked)
      line += strlen (REVOKED) + strspn (line + strlen (REVOKED), " \t");
    if (strchr ("#@", *line) || is_excluded (line, name)) /* also an empty line */
      continue;
    key = key_of_line (line, name);
    if (key && is_revoked)
      osm_strv_append (&revoked, key);
    else if (key && osm_strv_len (good) < KEYS_MAX)
      osm_strv_append (&good, key);
  }
  for (size_t i = 0; good && good[i]; i++)
    if (!has_key (revoked, good[i]) && !has_key (*ret, good[i]))
      osm_strv_append (ret, good[i]);
  return 0;
}
