/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* No core dump of this process; of what it starts only one without memory. Nobody but root may trace it or read its memory.
 *
 *   osm_no_core_dumps ();      once, at the start; a program that is executed calls it again */

#ifndef OSM_COMMON_COREDUMP_H
#define OSM_COMMON_COREDUMP_H

void osm_no_core_dumps (void);

#endif
