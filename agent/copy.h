/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* `osm-agent copy SOURCE DESTINATION`: a copy by hand, on any two machines. */

#ifndef OSM_AGENT_COPY_H
#define OSM_AGENT_COPY_H

#include "common/command.h"

extern const struct osm_option osm_copy_command_options[];
/* A command's function: returns its status. */
int osm_copy_command (const struct osm_args *args, struct osm_error *err);

#endif
