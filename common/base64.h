/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Base64 (RFC 4648) as Nova wants user data. */

#ifndef OSM_COMMON_BASE64_H
#define OSM_COMMON_BASE64_H

#include <stddef.h>

/* Without line breaks. Caller frees. */
char *osm_base64_encode (const void *data, size_t len);

#endif
