/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What both programs do before anything else, so that a secret stays in the process that needs it.
 *
 *   int main (int argc, char **argv)
 *   {
 *     osm_harden ();
 *     ... */

#ifndef OSM_COMMON_HARDEN_H
#define OSM_COMMON_HARDEN_H

#include <stddef.h>

/* Descriptors 0 to 2 are there (a closed one would become the next socket or file, and receive what is printed), files are
 * made with mode 0600, JSON values are overwritten when they are freed, and there are no core dumps (common/coredump.h). Once, before there are threads. */
void osm_harden (void);
/* free and realloc that leave nothing behind, for libraries that let their allocator be chosen (libcurl, jansson). Plain free may be
 * used on what they return. */
void osm_wipe_and_free (void *p);
void *osm_wipe_and_realloc (void *p, size_t size);

#endif
