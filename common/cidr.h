/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Ranges of addresses, which clouds and people spell in several ways. */

#ifndef OSM_COMMON_CIDR_H
#define OSM_COMMON_CIDR_H

#include <stdbool.h>

/* "10.0.0.9/24", "10.0.0.9", "fd00:0::1/64" -> "10.0.0.0/24", "10.0.0.9/32", "fd00::/64". NULL: it is neither. Caller frees. */
char *osm_cidr_canonical (const char *text);
/* False for nonsense. */
bool osm_cidr_contains (const char *cidr, const char *address);

#endif
