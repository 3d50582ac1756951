/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* One authenticated SSH connection by libssh: host key pinned, one private key (or, if none is
 * named, those of the user's SSH agent), no configuration files, no known_hosts.  Used by the tunnel and by the controller's link.
 *
 *   struct osm_ssh_target target = { .address = "192.0.2.7", .user = "osm-peer", .private_key_path
 * = p, .host_keys = keys }; OSM_CLEANUP_SSH ssh_session session = NULL; osm_ssh_connect (&target,
 * &session, err);
 *
 * Errors: RETRY cannot connect or connection lost; USER host key mismatch (with both fingerprints),
 * key refused (code EACCES), target incomplete; REMOTE the server speaks nothing that we accept. */

#ifndef OSM_NBD_SSHCONN_H
#define OSM_NBD_SSHCONN_H

#include <libssh/libssh.h>
#include <stdint.h>

#include "common/error.h"

enum osm_ssh_cipher {
  OSM_SSH_CIPHER_AUTO,    /* AES-GCM where the CPU has AES instructions, else ChaCha20 */
  OSM_SSH_CIPHER_AES_GCM, /* aes128-gcm@openssh.com */
  OSM_SSH_CIPHER_CHACHA20,
};

struct osm_ssh_target {
  const char *address;
  uint16_t port; /* 0: 22 */
  const char *user;
  const char *private_key_path; /* NULL: the keys of the SSH agent (SSH_AUTH_SOCK) */
  char *const *host_keys; /* accepted OpenSSH public key lines, NULL-terminated, at least one */
  uint64_t connect_timeout_ms; /* for all of connect, key exchange, authentication; 0: 20 s */
  enum osm_ssh_cipher cipher;
};

int osm_ssh_connect (const struct osm_ssh_target *target, ssh_session *ret, struct osm_error *err);
/* Disconnects; NULL is allowed. */
void osm_ssh_free (ssh_session session);
/* RETRY error from the session's last error: "WHAT: libssh's sentence". Returns -1. */
int osm_ssh_error (ssh_session session, const char *what, struct osm_error *err);
/* Has this CPU AES instructions? (HELLO's cpu.aes) -1: not known of this architecture. */
int osm_cpu_has_aes (void);
/* "aes-gcm" or "chacha20"; NULL: AUTO. USER error for anything else. */
int osm_ssh_cipher_parse (const char *text, enum osm_ssh_cipher *ret, struct osm_error *err);

static inline void
osm_cleanup_ssh (ssh_session *s)
{
  osm_ssh_free (*s);
}
#define OSM_CLEANUP_SSH __attribute__ ((cleanup (osm_cleanup_ssh)))

#endif
