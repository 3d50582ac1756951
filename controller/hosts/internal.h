/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Shared by the files of controller/hosts/. */

#ifndef OSM_CONTROLLER_HOSTS_INTERNAL_H
#define OSM_CONTROLLER_HOSTS_INTERNAL_H

#include "controller/hosts/hosts.h"

#define OSM_MARK_ROLE "osm.role"
#define OSM_MARK_PAIR "osm.pair"
#define OSM_MARK_SIDE "osm.side"
#define OSM_MARK_KEY "osm.key" /* fingerprint of the controller's key that the server lets in */
#define OSM_ROLE_HOST "conversion-host"

/* "osm.role=conversion-host osm.pair=NAME": the description of every network object that osm makes for a conversion host. Set in the
 * request that creates it, so that nothing is ever there without it. Caller frees. */
char *osm_host_mark (const struct osm_host_config *config);
/* Our own objects of that kind, by mark. New array. */
int osm_host_marked (struct osm_cloud *cloud, const struct osm_host_config *config,
                     const struct osm_collection *collection, json_t **ret, struct osm_error *err);
/* All servers with the mark. New array. */
int osm_host_list_servers (struct osm_cloud *cloud, const struct osm_host_config *config,
                           json_t **ret, struct osm_error *err);
/* The server, by mark; *ret NULL if there is none, USER error if there are several. */
int osm_host_find_server (struct osm_cloud *cloud, const struct osm_host_config *config,
                          json_t **ret, struct osm_error *err);
/* The deployed server of a side, by mark; none: USER error, code 404. */
int osm_host_find (struct osm_hosts_context *context, enum osm_side side, json_t **ret,
                   struct osm_error *err);
/* Is it the disk that the server boots from, which goes with it? attachments: all of the server's. (pure) */
bool osm_host_is_boot_volume (const json_t *server, const json_t *attachments,
                              const json_t *attachment);
/* The host of that server with its link open. new: it may still be booting, and its agent may have to be brought there. */
int osm_host_open_server (struct osm_hosts_context *context, enum osm_side side,
                          const json_t *server, bool new, struct osm_host **ret,
                          struct osm_error *err);
/* USER error if the server lets in another controller's key (mark osm.key) than ours. */
int osm_host_check_key (const char *cloud_name, const json_t *server, const char *public_key,
                        struct osm_error *err);
/* Where its SSH answers: floating IP, else the first fixed IP. Caller frees; NULL if it has none yet. */
int osm_host_find_address (struct osm_cloud *cloud, const char *server_id, char **ret,
                           struct osm_error *err);
/* Path of the controller's private key, made if it is not there, and its public line. Caller frees both. */
int osm_host_controller_key (const struct osm_config *config, char **ret_path, char **ret_public,
                             struct osm_error *err);
/* What the store knows the hosts of that cloud by: two projects of one cloud are two. Caller frees. */
char *osm_host_store_key (const struct osm_cloud *cloud);
/* The cipher that two greetings' cpu.aes tell; see osm_hosts_cipher. */
const char *osm_cipher_of (const json_t *source_aes, const json_t *destination_aes,
                           const char **ret_why);
/* Fills measured_cipher and seen_as. */
int osm_host_load_known (struct osm_hosts_context *context, struct osm_host *host,
                         struct osm_error *err);
/* What the journal keeps of a host beside its keys: forgotten with the server. *ret: new reference or NULL. value is stolen. */
int osm_host_recall (struct osm_hosts_context *context, enum osm_side side, const char *key,
                     json_t **ret, struct osm_error *err);
int osm_host_remember (struct osm_hosts_context *context, enum osm_side side, const char *key,
                       json_t *value, struct osm_error *err);
/* Name of the key pair in Nova: it has a digest of the key in it, so that it can be recognised. Caller frees. */
char *osm_host_key_pair_name (const struct osm_host_config *config, const char *public_key);
/* Local address of the route to `address`: what its security group sees, unless there is NAT. Caller frees. */
int osm_host_own_address (const char *address, char **ret, struct osm_error *err);

/* lock.c: for all of a deployment or a deletion. Held by another process: USER error. The last one was cut off: waits some seconds
 * until what it had asked the clouds for can be seen. */
int osm_hosts_lock (struct osm_hosts_context *context, int *ret_fd, struct osm_error *err);
/* err: how it ended. */
void osm_hosts_unlock (int fd, const struct osm_error *err);

/* pair.c: the destination's key is let in at the source, and it is found out which path works. seen_as: addresses that each side's
 * connections come from. *ret_text: for people, about the destination; caller frees. */
int osm_hosts_pair (struct osm_hosts_context *context, struct osm_host *source,
                    struct osm_host *destination, char *const *source_seen_as,
                    char *const *destination_seen_as, bool *ret_changed, char **ret_text,
                    struct osm_error *err);

/* hostkeys.c: lines between BEGIN and END SSH HOST KEY KEYS that are plain public keys. NULL-terminated; NULL: block not there or not
 * complete. Caller frees. */
char **osm_host_keys_parse (const char *console);
/* From the store, or from the console log until the time is over; written to the store. address: for accept_new_host_keys. */
int osm_host_keys (struct osm_hosts_context *context, enum osm_side side, const char *server_id,
                   const char *address, uint64_t timeout_ms, char ***ret, struct osm_error *err);

/* agent.c: open the link of a host that may still be booting; brings the agent there if the configuration says so. */
int osm_host_wait_agent (struct osm_hosts_context *context, struct osm_host *host,
                         const struct osm_link_target *target, uint64_t timeout_ms,
                         struct osm_error *err);

/* rules.c: security group rules. wanted: NULL-terminated CIDRs that may reach TCP 22. *ret_missing: CIDRs to add; *ret_extra: ids of ingress
 * rules to remove. (pure) */
void osm_host_rules_compare (const json_t *rules, char *const *wanted, char ***ret_missing,
                             char ***ret_extra);
/* Only what is missing is added, or only these are removed. */
int osm_host_rules_open (struct osm_cloud *cloud, const char *group_id, char *const *from,
                         bool *ret_changed, struct osm_error *err);
int osm_host_rules_close (struct osm_cloud *cloud, const char *group_id, char *const *from,
                          bool *ret_changed, struct osm_error *err);
/* Addresses and CIDRs that this machine comes from (allow_ssh_from), towards that address. A vector; caller frees. */
int osm_host_migrator_addresses (const struct osm_host_config *config, const char *address,
                                 char ***ret, struct osm_error *err);
int osm_host_rules_converge (struct osm_cloud *cloud, const char *group_id, char *const *wanted,
                             bool *ret_changed, struct osm_error *err);

#endif
