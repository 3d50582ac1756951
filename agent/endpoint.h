/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The source of a copy by hand: a path of this machine, or of another one through SSH.
 *
 *   struct osm_endpoint e = { 0 };
 *   osm_endpoint_parse ("root@192.0.2.7:/dev/vdb", &e, err);
 *   osm_reach_open (&e, &options, &reach, err);         known_hosts, key, first connection
 *   osm_reach_size (reach);
 *   struct osm_source source = osm_reach_source (reach);       for osm_copy_run
 *   osm_reach_digest (reach, &digest_options, &manifest, err);
 *
 * At the other end runs agent/stdio.h, here too if the path is one of this machine. */

#ifndef OSM_AGENT_ENDPOINT_H
#define OSM_AGENT_ENDPOINT_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "nbd/digest.h"
#include "nbd/source.h"

struct osm_endpoint {
  char *user; /* NULL: not given */
  char *host; /* NULL: this machine */
  char *path;
};
/* "PATH" or "[USER@]HOST:PATH", as scp has it: a colon after a slash belongs to the path, IPv6
 * addresses stand in brackets. (pure) */
int osm_endpoint_parse (const char *text, struct osm_endpoint *ret, struct osm_error *err);
void osm_endpoint_done (struct osm_endpoint *e);

/* All NULL or 0: as ssh without options would do it. */
struct osm_reach_options {
  uint16_t port;
  const char *identity;    /* private key; NULL: the SSH agent's, then the files of ~/.ssh */
  const char *known_hosts; /* NULL: ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts */
  const char *program;     /* command line of osm-agent there; NULL: osm-agent */
  bool search;             /* what no file system uses reads as zero */
  struct osm_compression *compression; /* of connections to another machine; outlives the reach */
};

struct osm_reach;
/* Keeps the options' and the endpoint's strings. Errors: USER unknown host, no key accepted, the
 * path cannot be read; RETRY cannot connect; REMOTE no osm-agent there. */
int osm_reach_open (const struct osm_endpoint *e, const struct osm_reach_options *options,
                    struct osm_reach **ret, struct osm_error *err);
void osm_reach_free (struct osm_reach *r);
uint64_t osm_reach_size (const struct osm_reach *r);
bool osm_reach_in_use (const struct osm_reach *r); /* mounted, part of LVM or RAID */
/* What the search found (agent/stdio.h): {"free_bytes", "found", "error"}; NULL without it. Valid as long as the reach. */
const json_t *osm_reach_survey (const struct osm_reach *r);
struct osm_source osm_reach_source (struct osm_reach *r);
/* Computed where the path is. Only chunk_bytes, drop_cache and cancel of the options count. */
int osm_reach_digest (struct osm_reach *r, const struct osm_digest_options *options,
                      struct osm_manifest *ret, struct osm_error *err);

static inline void
osm_cleanup_reach (struct osm_reach **r)
{
  osm_reach_free (*r);
}
#define OSM_CLEANUP_REACH __attribute__ ((cleanup (osm_cleanup_reach)))

#endif
