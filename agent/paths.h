/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Where the agent keeps things. Tests move each root with a variable. */

#ifndef OSM_AGENT_PATHS_H
#define OSM_AGENT_PATHS_H

const char *osm_path_state (void);   /* /var/lib/osm, OSM_AGENT_STATE */
const char *osm_path_runtime (void); /* /run/osm, OSM_AGENT_RUNTIME */
const char *
osm_path_peer_runtime (void);       /* /run/osm-peer, OSM_AGENT_PEER_RUNTIME: the peer's chroot */
const char *osm_path_config (void); /* /etc/osm, OSM_AGENT_CONFIG */
const char *osm_path_dev (void);    /* /dev, OSM_AGENT_DEV */
const char *osm_path_sys (void);    /* /sys, OSM_AGENT_SYS */
const char *
osm_path_program (void); /* this very program, also when its file was replaced; OSM_AGENT_PROGRAM */
/* "<state>/jobs/ID.json" and the like; ids were checked by osm_is_safe_name. Caller frees. */
char *osm_path_job (const char *id, const char *suffix);
char *osm_path_control_socket (void);
char *osm_path_peer_key (void);

#endif
