/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Functions that have no right use here.  Included by every file through config.h. */

#ifndef OSM_COMMON_BANNED_H
#define OSM_COMMON_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Some of them are macros somewhere. */
#undef alloca
#undef strncat
#undef sprintf
#undef strncpy
#undef vsprintf
#pragma GCC poison strcpy strcat sprintf vsprintf strtok gets atoi atol atoll
#pragma GCC poison alloca strncpy strncat system popen tmpnam mktemp

#endif
