/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What the commands about conversion hosts have in common. */

#ifndef OSM_CONTROLLER_CMD_HOSTS_H
#define OSM_CONTROLLER_CMD_HOSTS_H

#include "controller/cmd/common.h"
#include "controller/hosts/hosts.h"

/* Reports go to the session's ui. */
struct osm_hosts_context osm_cmd_hosts_context (struct osm_session *session);
void osm_cmd_report_host (void *data, enum osm_side side, const char *text);

#endif
