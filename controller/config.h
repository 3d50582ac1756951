/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* osm.yaml: what the operator decides.  Looked for at --config, $OSM_CONFIG, $XDG_CONFIG_HOME/osm/osm.yaml,
 * /etc/osm/osm.yaml; none is fine, every key has a default.  Unknown keys are errors with file, line, column.
 *
 *   source: { cloud: src }
 *   destination: { cloud: dst }
 *   state_dir: ~/.local/state/osm    # default: $XDG_STATE_HOME/osm, ~/.local/state/osm; of root: /var/lib/osm-controller
 *   on_hangup: continue              # or stop: when the terminal is closed
 *   allow_same_project: false        # source and destination may be the same project of one cloud
 *   floating_ip: auto                # auto, keep, existing, new, skip: of new servers
 *   boot_disk: copy                  # copy, image: of servers that booted from an image
 *   copy: { reconnect_seconds: 120, compression: auto, sparse: auto, path: auto }   # see osm.yaml(5)
 *   limits: { rate: 50M, windows: [{ days: mon-fri, from: "08:00", to: "18:00", rate: 10M }] }
 *   conversion_hosts:
 *     name: osm-conversion            # prefix of everything osm makes for them
 *     image: osm-conversion-host      # each of these may be repeated under source: / destination:
 *     flavor: osm.conversion
 *     ...
 *     source: { ... }
 *     destination: { ... }
 *   map: { flavors: {old: new}, networks: {}, subnets: {}, volume_types: {}, availability_zones: {},
 *          key_pairs: {}, images: {}, security_groups: {}, server_groups: {}, qos_policies: {}, projects: {} }
 */

#ifndef OSM_CONTROLLER_CONFIG_H
#define OSM_CONTROLLER_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/schedule.h"

enum osm_side { OSM_SOURCE, OSM_DESTINATION };
static inline const char *
osm_side_name (enum osm_side side)
{
  return side == OSM_SOURCE ? "source" : "destination";
}

/* One conversion host, defaults and the side's own values merged. */
struct osm_host_config {
  char *name; /* "osm-conversion": the server's name and the prefix of its network objects */
  char *image, *flavor;    /* name or id */
  char *availability_zone; /* or NULL */
  char *network, *subnet, *router, *security_group,
      *key_pair;          /* existing ones to use; NULL: osm makes its own */
  char *external_network; /* for router and floating IP; NULL: the only external one */
  char *subnet_cidr;      /* of the network that osm makes */
  char **dns_servers;
  char *floating_ip; /* "new" (default), "none", or an existing address */
  char **
      allow_ssh_from; /* further CIDRs that may reach SSH; "auto" (default) = the migrator's own address */
  bool boot_from_volume;
  uint64_t boot_volume_gb;
  char *volume_type;        /* of that boot volume */
  char *agent_install;      /* "image" (default) or "upload" */
  char *agent_login;        /* upload: the image's login user ("debian") */
  uint64_t max_attachments; /* volumes that a server can hold beside its boot disk (default 25) */
};

struct osm_config {
  char *path;      /* file it came from, or NULL */
  char *state_dir; /* absolute */
  char *cloud[2];  /* by enum osm_side; NULL: not configured */
  bool allow_same_project;
  char *on_hangup;   /* "continue" (default) or "stop" */
  char *sparse;      /* copy.sparse: "auto" (default) or "off" */
  char *floating_ip; /* "auto" (default), "keep", "existing", "new", "skip" */
  char *boot_disk;   /* "copy" (default), "image" */
  uint64_t
      reconnect_seconds; /* copy.reconnect_seconds: how long a lost connection is tried again */
  char *compression;     /* copy.compression: "auto" (default), "on", "off" */
  char *link_path;       /* copy.path: "auto" (default), "direct", "reverse", "relay" */
  struct osm_host_config host[2];
  struct osm_schedule limits;
  json_t *map; /* {"flavors": {...}, ...}: always an object of objects */
};

/* "FILE:LINE:COLUMN: key: what is wrong", class USER. */
int osm_config_load (const char *path /* or NULL */, struct osm_config **ret,
                     struct osm_error *err);
void osm_config_free (struct osm_config *config);
/* What the configuration says to take for the source's object of that name and id (either may be NULL): the entry of its name, else of its
 * id, else the first pattern ("old-*": "new-*") that fits the name. NULL: it says nothing. Caller frees. */
char *osm_config_map (const struct osm_config *config, const char *kind, const char *name,
                      const char *id);

static inline void
osm_cleanup_config (struct osm_config **c)
{
  osm_config_free (*c);
}
#define OSM_CLEANUP_CONFIG __attribute__ ((cleanup (osm_cleanup_config)))

#endif
