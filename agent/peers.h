/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Keys: this agent's own pair for reaching its peer, the peers that may reach its exports, and what sshd is told about both (sshd's
 * AuthorizedKeysCommand runs `osm-agent authorized-keys USER`). */

#ifndef OSM_AGENT_PEERS_H
#define OSM_AGENT_PEERS_H

#include <jansson.h>

#include "common/error.h"

#define OSM_PEER_USER "osm-peer"
#define OSM_CONTROL_USER "osm"

/* The public key; the pair is made at the first call. Caller frees. */
int osm_peer_key (char **ret_line, struct osm_error *err);
/* from: address list for sshd's from= option, or NULL. */
int osm_peer_authorize (const char *id, const char *public_key, const char *from,
                        struct osm_error *err);
int osm_peer_revoke (const char *id, struct osm_error *err);
/* [{"id","public_key","from"}]. New array. */
int osm_peer_list (json_t **ret, struct osm_error *err);
/* Lines for sshd; caller frees; "" for any other user. */
int osm_authorized_keys (const char *user, char **ret, struct osm_error *err);

#endif
