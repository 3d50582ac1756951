/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What osm writes on objects in the clouds so that a migration is known without the journal, and how migrations are read from it again.
 *
 *   source server        osm.migration=ID  osm.was=STATUS:CONTROLLER       from the claim to the end
 *   its data volumes     osm.migration=ID  osm.home=SERVER:DEVICE[:delete] while they are away
 *   a detached volume    osm.migration=ID                                  that is migrated alone, until its copy is verified
 *   whatever osm made    osm.migration=ID  osm.role=ROLE                   until cleanup
 *   destination server   also osm.source=SERVER:STATUS
 *
 *   found = osm_marks_group (&everything);
 */

#ifndef OSM_CONTROLLER_MIGRATION_MARKS_H
#define OSM_CONTROLLER_MIGRATION_MARKS_H

#include <jansson.h>
#include <stdbool.h>

#define OSM_MARK_MIGRATION "osm.migration"
#define OSM_MARK_ROLE "osm.role"
#define OSM_MARK_WAS "osm.was"
#define OSM_MARK_SOURCE "osm.source"
/* Of the new server: what was made for it and can carry no mark (belongings.h). */
#define OSM_MARK_MADE "osm.made"

/* What made objects are, in osm.role: "server", or with the id of the source's object, "volume:ID". */
#define OSM_ROLE_SNAPSHOT "snapshot"
#define OSM_ROLE_CLONE "temporary-volume"
#define OSM_ROLE_VOLUME "volume"
#define OSM_ROLE_PORT "port"
#define OSM_ROLE_SERVER "server"
#define OSM_ROLE_IMAGE "image"
#define OSM_ROLE_FLOATING_IP "floating-ip"

/* Ports and floating IPs have no metadata: their marks are tags, and before these are set the description. New object, {} if there are none. (pure) */
json_t *osm_port_marks (const json_t *port);

/* "ACTIVE:HOST" and "SERVER:ACTIVE". Caller frees. (pure) */
char *osm_was_text (const char *status);
char *osm_source_text (const char *server_id, const char *status);

/* All objects of the projects, as the APIs list them (arrays; by enum osm_side). */
struct osm_marks_input {
  const char *cloud[2];
  json_t *servers[2], *volumes[2], *snapshots[2], *ports[2], *floating_ips[2];
  json_t *images[2]; /* with their properties as "metadata" (cloud/image.h) */
};

/* {"migrations": [{"id", "kind": "server" | "volume" | null, "unfinished", "claimed_on": host or null, "why": null, or why it cannot be
 *                  rebuilt, "objects": [OBJECT], "plan": as plan.h, as far as rollback needs it}],
 *  "orphans": [OBJECT with "why", "command"],
 *  "hosts": [{"pair", "side", "cloud", "id", "name", "status"}]}
 * OBJECT: {"side", "cloud", "kind": "server" | "volume" | "snapshot" | "port" | "floating IP" | "image", "id", "name", "status", "what": in words, "marks": {}}.
 * Objects of a migration that cannot be rebuilt are orphans, too. New object. (pure) */
json_t *osm_marks_group (const struct osm_marks_input *input);
/* The objects of a migration as orphans: with the command that removes each. New array. (pure) */
json_t *osm_marks_orphans (const json_t *migration, const char *why);

#endif
