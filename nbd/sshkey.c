/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/sshkey.h"

#include <libssh/libssh.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/strbuf.h"

static void
cleanup_key (ssh_key *k)
{
  ssh_key_free (*k);
}
#define CLEANUP_KEY __attribute__ ((cleanup (cleanup_key)))

static void
cleanup_ssh_string (char **s)
{
  if (*s)
    ssh_string_free_char (*s);
}
#define CLEANUP_SSH_STRING __attribute__ ((cleanup (cleanup_ssh_string)))

static int
public_line (ssh_key key, const char *comment, char **ret_line, struct osm_error *err)
{
  CLEANUP_SSH_STRING char *base64 = NULL;
  bool has_comment = comment && *comment;

  if (ssh_pki_export_pubkey_base64 (key, &base64) != SSH_OK)
    return osm_error_set (err, OSM_ERROR_BUG, 0, "cannot write the public half of an SSH key");
  *ret_line = osm_asprintf ("%s %s%s%s", ssh_key_type_to_char (ssh_key_type (key)), base64,
                            has_comment ? " " : "", has_comment ? comment : "");
  return 0;
}

static int
import_private (const char *path, ssh_key *ret, struct osm_error *err)
{
  int r = ssh_pki_import_privkey_file (path, NULL, NULL, NULL, ret);

  if (r == SSH_OK)
    return 0;
  if (r == SSH_EOF)
    return osm_error_set (err, OSM_ERROR_USER, 0,
                          "SSH private key %s is not there or not permitted to be read", path);
  return osm_error_set (err, OSM_ERROR_USER, 0,
                        "%s is no SSH private key, or one with a passphrase", path);
}

int
osm_sshkey_generate (const char *private_key_path, const char *comment, char **ret_line,
                     struct osm_error *err)
{
  CLEANUP_KEY ssh_key key = NULL;
  OSM_CLEANUP_FREE char *line = NULL;
  char *pem = NULL;
  int r;

  if (comment && strpbrk (comment, "\r\n"))
    return osm_error_set (err, OSM_ERROR_BUG, 0, "line break in the comment of an SSH key");
  if (ssh_pki_generate (SSH_KEYTYPE_ED25519, 0, &key) != SSH_OK)
    return osm_error_set (err, OSM_ERROR_BUG, 0, "cannot generate an ed25519 key");
  if (public_line (key, comment, &line, err) == -1)
    return -1;
  /* For ed25519, libssh's PEM export is OpenSSH's own format (with or without OpenSSL). */
  if (ssh_pki_export_privkey_base64 (key, NULL, NULL, NULL, &pem) != SSH_OK)
    return osm_error_set (err, OSM_ERROR_BUG, 0, "cannot write an ed25519 private key");
  r = osm_file_write (private_key_path, pem, strlen (pem), 0600, err);
  explicit_bzero (pem, strlen (pem));
  ssh_string_free_char (pem);
  if (r == -1)
    return -1;
  *ret_line = osm_take (line);
  return 0;
}

int
osm_sshkey_public (const char *private_key_path, const char *comment, char **ret_line,
                   struct osm_error *err)
{
  CLEANUP_KEY ssh_key key = NULL;

  if (import_private (private_key_path, &key, err) == -1)
    return -1;
  return public_line (key, comment, ret_line, err);
}

int
osm_sshkey_ensure (const char *private_key_path, const char *comment, char **ret_line,
                   struct osm_error *err)
{
  if (osm_file_exists (private_key_path))
    return osm_sshkey_public (private_key_path, comment, ret_line, err);
  return osm_sshkey_generate (private_key_path, comment, ret_line, err);
}

/* Plain keys that may sign today; certificates and DSA are not among them. */
static bool
type_accepted (enum ssh_keytypes_e type)
{
  switch (type) {
  case SSH_KEYTYPE_ED25519:
  case SSH_KEYTYPE_ECDSA_P256:
  case SSH_KEYTYPE_ECDSA_P384:
  case SSH_KEYTYPE_ECDSA_P521:
  case SSH_KEYTYPE_RSA:
    return true;
  default:
    return false;
  }
}

static int
import_line (const char *line, ssh_key *ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *type = NULL;
  OSM_CLEANUP_FREE char *base64 = NULL;
  CLEANUP_KEY ssh_key key = NULL;
  enum ssh_keytypes_e t;
  size_t type_len, base64_len;

  if (strnlen (line, OSM_SSHKEY_LINE_MAX + 1) > OSM_SSHKEY_LINE_MAX)
    return osm_error_set (err, OSM_ERROR_USER, 0, "SSH public key of more than %d characters",
                          OSM_SSHKEY_LINE_MAX);
  if (strpbrk (line, "\r\n"))
    return osm_error_set (err, OSM_ERROR_USER, 0, "SSH public key with a line break in it");
  type_len = strcspn (line, " \t");
  type = osm_strndup (line, type_len);
  line += type_len;
  line += strspn (line, " \t");
  base64_len = strcspn (line, " \t");
  base64 = osm_strndup (line, base64_len);

  t = ssh_key_type_from_name (type);
  if (!type_accepted (t))
    return osm_error_set (err, OSM_ERROR_USER, 0,
                          "'%.40s' is not the type of an SSH public key that is accepted", type);
  if (ssh_pki_import_pubkey_base64 (base64, t, &key) != SSH_OK || ssh_key_type (key) != t)
    return osm_error_set (err, OSM_ERROR_USER, 0, "SSH public key of type %s is damaged", type);
  *ret = osm_take (key);
  return 0;
}

int
osm_sshkey_parse (const char *line, char **ret_type, char **ret_base64, struct osm_error *err)
{
  CLEANUP_KEY ssh_key key = NULL;
  CLEANUP_SSH_STRING char *base64 = NULL;

  if (import_line (line, &key, err) == -1)
    return -1;
  if (ssh_pki_export_pubkey_base64 (key, &base64) != SSH_OK)
    return osm_error_set (err, OSM_ERROR_BUG, 0, "cannot write an SSH public key");
  if (ret_type)
    *ret_type = osm_strdup (ssh_key_type_to_char (ssh_key_type (key)));
  if (ret_base64)
    *ret_base64 = osm_strdup (base64);
  return 0;
}

int
osm_sshkey_normalize (const char *line, char **ret_line, struct osm_error *err)
{
  CLEANUP_KEY ssh_key key = NULL;

  if (import_line (line, &key, err) == -1)
    return -1;
  return public_line (key, NULL, ret_line, err);
}

bool
osm_sshkey_equal (const char *a, const char *b)
{
  OSM_ERROR (err);
  CLEANUP_KEY ssh_key ka = NULL;
  CLEANUP_KEY ssh_key kb = NULL;

  if (import_line (a, &ka, &err) == -1 || import_line (b, &kb, &err) == -1)
    return false;
  return ssh_key_cmp (ka, kb, SSH_KEY_CMP_PUBLIC) == 0;
}

int
osm_sshkey_fingerprint (const char *line, char **ret, struct osm_error *err)
{
  CLEANUP_KEY ssh_key key = NULL;
  CLEANUP_SSH_STRING char *text = NULL;
  unsigned char *hash = NULL;
  size_t len;

  if (import_line (line, &key, err) == -1)
    return -1;
  if (ssh_get_publickey_hash (key, SSH_PUBLICKEY_HASH_SHA256, &hash, &len) != 0)
    return osm_error_set (err, OSM_ERROR_BUG, 0, "cannot hash an SSH public key");
  text = ssh_get_fingerprint_hash (SSH_PUBLICKEY_HASH_SHA256, hash, len);
  ssh_clean_pubkey_hash (&hash);
  if (!text)
    osm_oom ();
  *ret = osm_strdup (text);
  return 0;
}
