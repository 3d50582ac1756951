/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A conversion host before it has an agent: one command by SSH, and the host key that it shows.
 *
 *   osm_remote_run (&target, "sudo -n tar -x -C /", fd, 600000, err);     what fd holds is its standard input
 *
 * The target is that of link.h, with the login user of the image. */

#ifndef OSM_CONTROLLER_REMOTE_H
#define OSM_CONTROLLER_REMOTE_H

#include "controller/link/link.h"

/* The command is a constant, or quoted by osm_quote_shell. input_fd: read to its end, -1: none. A status that is not 0 is a
 * REMOTE error with the last lines of what it said. */
int osm_remote_run (const struct osm_link_target *target, const char *command, int input_fd,
                    uint64_t timeout_ms, struct osm_error *err);
/* The key that answers at that address, whoever it may be: for the operator's explicit wish only. Waits until somebody listens. A
 * vector of one line; caller frees. */
int osm_remote_host_keys (const char *address, uint16_t port, uint64_t timeout_ms, char ***ret,
                          struct osm_error *err);

#endif
