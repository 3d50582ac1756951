/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A process that is about to parse what a tenant has written gives up everything but reading and writing the
 * descriptors it has.
 *
 *   fd = open (...);                      everything it will need
 *   osm_confine (err);                    for good: no file, no socket, no process, no device control from here on
 *
 * Limits of memory, of processor time and of what it writes to files come with it. */

#ifndef OSM_AGENT_CONFINE_H
#define OSM_AGENT_CONFINE_H

#include "common/error.h"

/* USER with code ENOSYS where the kernel or the architecture has no way to do it: then nothing may be parsed. */
int osm_confine (struct osm_error *err);

#endif
