/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The control channel to the agent of one conversion host: SSH, HELLO, requests (docs/PROTOCOL.md).
 *
 *   OSM_CLEANUP_LINK struct osm_link *link = NULL;
 *   osm_link_open (&target, &link, err);      host key pinned, versions checked
 *   osm_link_call (link, "device.find", params, &result, err);   params are stolen
 *
 * One request at a time per link (a mutex keeps threads apart); open several links for more. A lost connection is a RETRY error;
 * osm_link_call reconnects by itself, once or as long as osm_link_set_patience says, and asks again (all requests are idempotent by
 * their ids). */

#ifndef OSM_CONTROLLER_LINK_H
#define OSM_CONTROLLER_LINK_H

#include <jansson.h>
#include <stdint.h>

#include "common/error.h"

struct osm_link_target {
  const char *name; /* for messages: "source conversion host osm-src" */
  const char *address;
  uint16_t port;
  const char *user;             /* "osm" */
  const char *private_key_path; /* OpenSSH format */
  char *const *host_keys;       /* accepted OpenSSH public key lines, NULL-terminated */
  uint64_t connect_timeout_ms;
};

struct osm_link;
int osm_link_open (const struct osm_link_target *target, struct osm_link **ret,
                   struct osm_error *err);
/* The same, again and again while the host boots: nobody listens, the key is not known yet, the service is not ready. */
int osm_link_open_wait (const struct osm_link_target *target, uint64_t timeout_ms,
                        struct osm_link **ret, struct osm_error *err);
void osm_link_free (struct osm_link *link);
/* From now on a call whose connection is lost tries to connect again for so long: the host may be rebooting. Ctrl-C ends that. At
 * first 0: once, at once. */
void osm_link_set_patience (struct osm_link *link, uint64_t reconnect_ms);
/* The agent's "hello" object, borrowed. */
const json_t *osm_link_hello (const struct osm_link *link);
int osm_link_call (struct osm_link *link, const char *method, json_t *params, json_t **ret,
                   struct osm_error *err);
/* The same with a time limit for the answer (default 60 s; device.find and job.wait need theirs plus some). */
int osm_link_call_timeout (struct osm_link *link, const char *method, json_t *params,
                           uint64_t timeout_ms, json_t **ret, struct osm_error *err);

static inline void
osm_cleanup_link (struct osm_link **l)
{
  osm_link_free (*l);
}
#define OSM_CLEANUP_LINK __attribute__ ((cleanup (osm_cleanup_link)))

#endif
