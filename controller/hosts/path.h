/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* How the destination conversion host reaches the sshd of the source: itself, or by a port of its loopback that a carrier
 * (nbd/sshcarrier.h) has opened, from the source (reverse) or from this machine (relay). What passes is the same SSH connection.
 *
 *   osm_path_choose (&context, source, destination, &wish, &link, &path, err);      tests, and takes the first that works
 *   osm_path_source_json (path, "/exports/ID")                                      for copy.start
 *   osm_path_free (path);                                       what the agents keep for it stays, for the next process
 *   osm_path_forget (source, destination, id, err);             and that ends it
 */

#ifndef OSM_CONTROLLER_HOSTS_PATH_H
#define OSM_CONTROLLER_HOSTS_PATH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/hosts/hosts.h"

enum osm_path_kind { OSM_PATH_DIRECT, OSM_PATH_REVERSE, OSM_PATH_RELAY };
#define OSM_PATH_KINDS 3

struct osm_carrier;
struct osm_path {
  enum osm_path_kind kind;
  struct osm_host *source, *destination; /* borrowed */
  char *id;
  uint16_t port;               /* of the destination's loopback; 0: direct */
  struct osm_carrier *carrier; /* of a relay */
  bool let_in;                 /* the destination's security group was opened for the source */
};

struct osm_path_wish {
  const char *policy; /* "auto" or the name of a kind */
  const char *id;     /* safe name, unique between these two hosts: the same in the next process */
  uint64_t bytes;     /* of each test */
  bool look;          /* auto: from the beginning, also if it is known what worked the last time */
};

const char *osm_path_name (enum osm_path_kind kind);
/* "the source connects to the destination" */
const char *osm_path_text (enum osm_path_kind kind);
/* "auto" or the name of a kind: 0; else USER error. */
int osm_path_check (const char *policy, struct osm_error *err);
/* What is tried, in this order; returns how many. remembered: name of what worked the last time, or NULL. (pure) */
size_t osm_path_order (const char *policy, const char *remembered,
                       enum osm_path_kind ret[OSM_PATH_KINDS]);

/* Opens one, which may not be usable before some seconds, if at all. */
int osm_path_open (struct osm_hosts_context *context, struct osm_host *source,
                   struct osm_host *destination, enum osm_path_kind kind, const char *id,
                   struct osm_path **ret, struct osm_error *err);
void osm_path_free (struct osm_path *path);
/* Takes back what osm_path_open has left at the agents; a host that is NULL is left out. */
int osm_path_forget (struct osm_host *source, struct osm_host *destination, const char *id,
                     struct osm_error *err);
/* Why its carrier ended, if it did, and trying longer is in vain. */
bool osm_path_trouble (struct osm_path *path, struct osm_error *ret);
/* The "source" object of PROTOCOL.md. cipher: NULL: osm_hosts_cipher's. New reference. */
json_t *osm_path_source_json (const struct osm_path *path, const char *socket, const char *cipher);

/* Tests one after the other. *ret_link: link.test's answer with "path" and "tried": [{"path", "error"}]; also set when none works, then with
 * "error" too, and the result is -1. NULL if it is not wanted. What worked is remembered. */
int osm_path_choose (struct osm_hosts_context *context, struct osm_host *source,
                     struct osm_host *destination, const struct osm_path_wish *wish,
                     json_t **ret_link, struct osm_path **ret, struct osm_error *err);

/* By the configuration, or by what worked the last time: does the source connect to the destination? */
int osm_path_is_reverse (struct osm_hosts_context *context, bool *ret, struct osm_error *err);
/* SSH to the destination from the source, in the security group that osm made: open or closed. */
int osm_path_let_in (struct osm_hosts_context *context, const struct osm_host *source, bool open,
                     bool *ret_changed, struct osm_error *err);

static inline void
osm_cleanup_path (struct osm_path **p)
{
  osm_path_free (*p);
}
#define OSM_CLEANUP_PATH __attribute__ ((cleanup (osm_cleanup_path)))

#endif
