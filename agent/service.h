/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The service: one thread, one poll loop over the control socket, its connections, the workers and signals.
 *
 *   osm_service_run (err);      until SIGTERM
 */

#ifndef OSM_AGENT_SERVICE_H
#define OSM_AGENT_SERVICE_H

#include <jansson.h>

#include "common/error.h"

int osm_service_run (struct osm_error *err);

#endif
