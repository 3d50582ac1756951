/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What the service says of itself when somebody connects: docs/PROTOCOL.md, "Greeting". Asks the programs that it uses for their versions,
 * so once for each start. */

#ifndef OSM_AGENT_HELLO_H
#define OSM_AGENT_HELLO_H

#include <jansson.h>

#define OSM_PROTOCOL 1

/* {"hello": {...}}. New reference. */
json_t *osm_agent_hello (void);

#endif
