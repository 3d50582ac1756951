/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Shared by the files of controller/hosts/. */

#ifndef OSM_CONTROLLER_HOSTS_INTERNAL_H
#define OSM_CONTROLLER_HOSTS_INTERNAL_H

#include "controller/hosts/hosts.h"

#define OSM_MARK_ROLE "osm.role"
#define OSM_MARK_PAIR "osm.pair"
#define OSM_ROLE_HOST "conversion-host"

/* "osm.role=conversion-host osm.pair=NAME": the description of every network object that osm makes for a conversion host. Set in the
 * request that creates it, so that nothing is ever there without it. Caller frees. */
char *osm_host_mark (const struct osm_host_config *config);
/* Our own objects of that kind, by mark. New array. */
int osm_host_marked (struct osm_cloud *cloud, const struct osm_host_config *config,
                     const struct osm_collection *collection, json_t **ret, struct osm_error *err);
/* The server, by mark; *ret NULL if there is none, USER error if there are several. */
int osm_host_find_server (struct osm_cloud *cloud, const struct osm_host_config *config,
                          json_t **ret, struct osm_error *err);
/* The host of that server, its link open within timeout_ms. */
int osm_host_open_server (struct osm_hosts_context *context, enum osm_side side,
                          const json_t *server, uint64_t timeout_ms, struct osm_host **ret,
                          struct osm_error *err);
/* Where its SSH answers: floating IP, else the first fixed IP. Caller frees; NULL if it has none yet. */
int osm_host_find_address (struct osm_cloud *cloud, const char *server_id, char **ret,
                           struct osm_error *err);
/* Path of the controller's private key, made if it is not there, and its public line. Caller frees both. */
int osm_host_controller_key (const struct osm_config *config, char **ret_path, char **ret_public,
                             struct osm_error *err);
/* Name of the key pair in Nova: it has a digest of the key in it, so that it can be recognised. Caller frees. */
char *osm_host_key_pair_name (const struct osm_host_config *config, const char *public_key);
/* Local address of the route to `address`: what its security group sees, unless there is NAT. Caller frees. */
int osm_host_own_address (const char *address, char **ret, struct osm_error *err);

/* hostkeys.c: lines between BEGIN and END SSH HOST KEY KEYS that are plain public keys. NULL-terminated; NULL: block not there or not
 * complete. Caller frees. */
char **osm_host_keys_parse (const char *console);
/* From the store, or from the console log until deadline; written to the store. */
int osm_host_keys (struct osm_hosts_context *context, enum osm_side side, const char *server_id,
                   uint64_t timeout_ms, char ***ret, struct osm_error *err);

/* rules.c: security group rules. wanted: NULL-terminated CIDRs that may reach TCP 22. *ret_missing: CIDRs to add; *ret_extra: ids of ingress
 * rules to remove. (pure) */
void osm_host_rules_compare (const json_t *rules, char *const *wanted, char ***ret_missing,
                             char ***ret_extra);
int osm_host_rules_converge (struct osm_cloud *cloud, const char *group_id, char *const *wanted,
                             bool *ret_changed, struct osm_error *err);

#endif
