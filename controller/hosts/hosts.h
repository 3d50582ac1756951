/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Conversion hosts: deploy, find, check, link, delete.  A conversion host and all that was made for it carry the mark
 * osm.role=conversion-host, osm.pair=<name> (server metadata; tags for network objects), so that they are found without
 * the local database. */

#ifndef OSM_CONTROLLER_HOSTS_H
#define OSM_CONTROLLER_HOSTS_H

#include "controller/cloud/cloud.h"
#include "controller/config.h"
#include "controller/link/link.h"
#include "controller/store/store.h"

/* A deployed conversion host, as found in its cloud. */
struct osm_host {
  enum osm_side side;
  char *server_id, *name, *status;
  char *address;      /* where the migrator reaches its SSH */
  char *peer_address; /* where the peer reaches it (the same, unless configured) */
  char **
      seen_as; /* the addresses that its connections come from, as others see them; NULL: not known */
  char **host_keys; /* pinned OpenSSH lines */
  char *disk_bus;   /* "virtio", "scsi" ... from the image's hw_disk_bus */
  uint64_t max_attachments;
  char *measured_cipher; /* of the destination: what was faster at deploy time, or NULL */
  struct osm_link *link; /* open, or NULL */
};

/* What the commands work with; clouds are borrowed. */
struct osm_hosts_context {
  struct osm_config *config;
  struct osm_cloud *cloud[2];
  struct osm_store *store;
  /* Progress in words, "source: server osm-conversion created"; may be called from two threads. */
  void (*report) (void *data, enum osm_side side, const char *text);
  void *report_data;
  /* Pin whatever host key answers first, where a cloud does not show console logs: only if the operator says so. */
  bool accept_new_host_keys;
};

/* Both sides, in parallel, idempotent. *ret_changed: anything was made. */
int osm_hosts_deploy (struct osm_hosts_context *context, bool *ret_changed, struct osm_error *err);
/* Find the deployed host of a side and open its link. Not deployed: USER error with the hint to deploy. */
int osm_host_open (struct osm_hosts_context *context, enum osm_side side, struct osm_host **ret,
                   struct osm_error *err);
void osm_host_free (struct osm_host *host);
/* "aes-gcm", "chacha20", or NULL: nobody knows. *ret_why (not to be freed, may be NULL): in words. */
const char *osm_hosts_cipher (const struct osm_host *source, const struct osm_host *destination,
                              const char **ret_why);
struct osm_path; /* controller/hosts/path.h */
/* Round trip and throughput over the very path of the data, with a synthetic export of `bytes`: link.test's answer with the cipher. A
 * carrier that is not open yet is waited for. If the greetings do not tell which cipher is better, both are measured and the answer is kept
 * with the destination host. *ret: new reference. */
int osm_hosts_choose_cipher (struct osm_hosts_context *context, struct osm_path *path,
                             uint64_t bytes, json_t **ret, struct osm_error *err);
/* {"source": {...}, "destination": {...}, "link": {"path":..., "rtt_us":..., "bytes_per_second":..., "cipher":..., "tried":...}}; works with what is there: what
 * is wrong is an "error" in its place. */
int osm_hosts_check (struct osm_hosts_context *context, json_t **ret, struct osm_error *err);
/* The same without "link": quicker, and nothing is changed for the sake of a path. */
int osm_hosts_look (struct osm_hosts_context *context, json_t **ret, struct osm_error *err);
/* Refuses while volumes are attached or a migration uses them, unless force: then volumes are detached, and go back to the servers whose
 * they are. */
int osm_hosts_delete (struct osm_hosts_context *context, bool force, bool *ret_changed,
                      struct osm_error *err);
/* Ids of the volumes that a host holds, without the disk it boots from. New array. */
int osm_host_volumes (struct osm_cloud *cloud, const char *server_id, json_t **ret,
                      struct osm_error *err);
/* By its mark; a server that is gone is none. */
int osm_is_conversion_host (struct osm_cloud *cloud, const char *server_id, bool *ret,
                            struct osm_error *err);
/* The user-data that deploy would give to the server of that side. Caller frees. */
int osm_hosts_render_user_data (const struct osm_config *config, enum osm_side side,
                                const char *controller_public_key, char **ret,
                                struct osm_error *err);

static inline void
osm_cleanup_host (struct osm_host **h)
{
  osm_host_free (*h);
}
#define OSM_CLEANUP_HOST __attribute__ ((cleanup (osm_cleanup_host)))

#endif
