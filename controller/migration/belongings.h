/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Key pairs and server groups that osm made: they can carry no mark, so the server that they were made for has one about them. All of it is
 * pure.
 *
 *   text = osm_belongings_text (true, false);                  into the new server's metadata: "key_pair"
 *   made = osm_belongings_of (server, groups);                 {"key_pair": {"name"}, "server_group": {"id","name","policy"}}
 */

#ifndef OSM_CONTROLLER_MIGRATION_BELONGINGS_H
#define OSM_CONTROLLER_MIGRATION_BELONGINGS_H

#include <jansson.h>
#include <stdbool.h>

#define OSM_BELONGING_KEY_PAIR "key_pair"
#define OSM_BELONGING_GROUP "server_group"

/* NULL: neither. Caller frees. */
char *osm_belongings_text (bool key_pair, bool server_group);
/* As its mark says. groups: all of its project, or NULL. New object. */
json_t *osm_belongings_of (const json_t *server, const json_t *groups);
/* Rows for the journal's objects, and what a rollback looks for in plan["server"]. */
void osm_belongings_restore (const json_t *made, const char *cloud, json_t *rows, json_t *plan);
/* Of a migration that was taken back, whose plan and objects [{"key","object_id","state","type"}] these are: what it made and is still there,
 * unused, as orphans (marks.h). Any list NULL: not known, so nothing is certain. */
void osm_belongings_add_orphans (const json_t *plan, const json_t *objects, const char *cloud,
                                 const json_t *servers, const json_t *key_pairs,
                                 const json_t *groups, json_t *orphans);

#endif
