/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Keys of SSH as OpenSSH writes them: made, parsed, compared, named.  Depends on common/ and libssh
 * only.
 *
 *   OSM_CLEANUP_FREE char *line = NULL;
 *   osm_sshkey_ensure (path, "osm-peer", &line, err);      "ssh-ed25519 AAAA... osm-peer"
 *   osm_sshkey_fingerprint (line, &text, err);             "SHA256:..."  */

#ifndef OSM_NBD_SSHKEY_H
#define OSM_NBD_SSHKEY_H

#include <stdbool.h>

#include "common/error.h"

#define OSM_SSHKEY_LINE_MAX 16384 /* characters of one public key line */

/* A new ed25519 pair; the private key goes to a new file of mode 0600 (an existing one is replaced
 * atomically) in OpenSSH's format, without passphrase. Caller frees the public line. */
int osm_sshkey_generate (const char *private_key_path, const char *comment, char **ret_line,
                         struct osm_error *err);
/* Public line of a private key file. */
int osm_sshkey_public (const char *private_key_path, const char *comment, char **ret_line,
                       struct osm_error *err);
/* osm_sshkey_public if the file is there, else osm_sshkey_generate. */
int osm_sshkey_ensure (const char *private_key_path, const char *comment, char **ret_line,
                       struct osm_error *err);

/* "TYPE BASE64 [COMMENT]": the line must be one plain public key (no options, no line break). The
 * results may be NULL if not wanted; base64 is canonical. Caller frees. */
int osm_sshkey_parse (const char *line, char **ret_type, char **ret_base64, struct osm_error *err);
/* "TYPE BASE64" without comment. */
int osm_sshkey_normalize (const char *line, char **ret_line, struct osm_error *err);
/* Same public key? Comments do not matter; a line that is no key equals nothing. */
bool osm_sshkey_equal (const char *a, const char *b);
/* As ssh-keygen -l prints it: "SHA256:...". Caller frees. */
int osm_sshkey_fingerprint (const char *line, char **ret, struct osm_error *err);

#endif
