/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Keys: this agent's own pair for reaching its peer, the peers that may reach its exports, and what sshd is told about both (sshd's
 * AuthorizedKeysCommand runs `osm-agent authorized-keys USER`). */

#ifndef OSM_AGENT_PEERS_H
#define OSM_AGENT_PEERS_H

#include <jansson.h>
#include <stdint.h>

#include "common/error.h"

#define OSM_PEER_USER "osm-peer"
#define OSM_CARRIER_USER "osm-carrier"
#define OSM_CONTROL_USER "osm"
/* Of the loopback, for carriers: one port for each peer that may open one. */
#define OSM_CARRIER_PORT_FIRST 20480

/* The public key; the pair is made at the first call. Caller frees. */
int osm_peer_key (char **ret_line, struct osm_error *err);
/* from: address list for sshd's from= option, or NULL. ret_port NULL: the peer may reach the exports. Else it may do nothing but open one
 * port of the loopback, which is chosen here and stays the same as long as the peer is authorized. */
int osm_peer_authorize (const char *id, const char *public_key, const char *from,
                        uint16_t *ret_port, struct osm_error *err);
int osm_peer_revoke (const char *id, struct osm_error *err);
/* [{"id","public_key","from","port"}]. New array. */
int osm_peer_list (json_t **ret, struct osm_error *err);
/* Lines for sshd; caller frees; "" for any other user. */
int osm_authorized_keys (const char *user, char **ret, struct osm_error *err);

#endif
