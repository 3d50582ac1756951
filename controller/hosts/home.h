/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Where a data volume belongs while it is away from its server, in the volume's own metadata: so that it can be given back also when
 * the journal is lost.
 *
 *   text = osm_home_text (server_id, "/dev/vdb", true);      mark OSM_MARK_HOME of the volume
 *   home = osm_home_parse (osm_json_str (metadata, OSM_MARK_HOME));
 */

#ifndef OSM_CONTROLLER_HOSTS_HOME_H
#define OSM_CONTROLLER_HOSTS_HOME_H

#include <jansson.h>
#include <stdbool.h>

/* "SERVER_ID:DEVICE", and ":delete" if the volume goes when its server goes. */
#define OSM_MARK_HOME "osm.home"

/* device may be NULL. Caller frees. (pure) */
char *osm_home_text (const char *server_id, const char *device, bool delete_on_termination);
/* {"server_id":..., "device": ... or null, "delete_on_termination":...}. New object; NULL: text is no such mark, or NULL. (pure) */
json_t *osm_home_parse (const char *text);

#endif
