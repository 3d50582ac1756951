/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A carrier: OpenSSH's client, kept running, with one remote forward: a port of the server's loopback leads to an address that this
 * side reaches. What passes is another SSH connection, so that a carrier sees no data and proves nothing to anybody.
 *
 *   struct osm_carrier_options options = { .address = "192.0.2.7", .user = "osm-carrier", .private_key_path = k, .host_keys = keys,
 *                                          .listen_port = 20480, .to_address = "127.0.0.1", .to_port = 22, .known_hosts_path = f };
 *   osm_carrier_new (&options, &carrier, err);      starts it, in a thread that starts it again whenever it ends
 *   osm_carrier_status (carrier, &status);          how it is; osm_error_done (&status.error)
 *   osm_carrier_free (carrier);                     ends it */

#ifndef OSM_NBD_SSHCARRIER_H
#define OSM_NBD_SSHCARRIER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "nbd/sshconn.h"

struct osm_carrier_options {
  const char *address; /* of the server */
  uint16_t port;       /* 0: 22 */
  const char *user;
  const char *private_key_path;
  char *const *host_keys; /* accepted public key lines, NULL-terminated, at least one */
  enum osm_ssh_cipher cipher;
  uint16_t listen_port;   /* at the server's 127.0.0.1 */
  const char *to_address; /* where it leads, from here */
  uint16_t to_port;
  const char
      *known_hosts_path; /* a file for the host keys, which is written and removed at the end */
};

struct osm_carrier_status {
  bool running;  /* the client's process is there, which says nothing about the connection */
  uint64_t ends; /* how often it ended */
  struct osm_error error; /* of its last end; USER: a host key or our key was refused */
};

struct osm_carrier;
int osm_carrier_new (const struct osm_carrier_options *options, struct osm_carrier **ret,
                     struct osm_error *err);
void osm_carrier_status (struct osm_carrier *carrier, struct osm_carrier_status *ret);
/* NULL is allowed. */
void osm_carrier_free (struct osm_carrier *carrier);

/* For tests: the client's command line (USER error: an address or a file name that it would misunderstand), and the error that its last
 * words mean. Caller frees argv. (pure) */
int osm_carrier_argv (const struct osm_carrier_options *options, char ***ret,
                      struct osm_error *err);
int osm_carrier_error (const char *address, const char *said, const char *status,
                       struct osm_error *err);

static inline void
osm_cleanup_carrier (struct osm_carrier **c)
{
  osm_carrier_free (*c);
}
#define OSM_CLEANUP_CARRIER __attribute__ ((cleanup (osm_cleanup_carrier)))

#endif
