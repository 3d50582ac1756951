/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* `osm-agent gateway`: sshd's forced command. Joins stdin and stdout to the service's socket, nothing else. */

#ifndef OSM_AGENT_GATEWAY_H
#define OSM_AGENT_GATEWAY_H

#include "common/error.h"

/* Waits up to 15 s for the service (the host may just have booted); without it, one error frame goes to stdout. */
int osm_gateway_run (struct osm_error *err);

#endif
