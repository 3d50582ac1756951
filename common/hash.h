/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Hashes by the names that Python's hashlib has for them, as Glance tells them: "sha512", "sha3_256", "blake2b", "md5".
 *
 *   OSM_CLEANUP_HASH struct osm_hash *hash = osm_hash_new ("sha512");       NULL: not known here
 *   osm_hash_add (hash, data, len);
 *   osm_hash_text (hash)                                                     "cf83e1...", hexadecimal */

#ifndef OSM_COMMON_HASH_H
#define OSM_COMMON_HASH_H

#include <stddef.h>

struct osm_hash;
struct osm_hash *osm_hash_new (const char *name /* or NULL */);
void osm_hash_free (struct osm_hash *hash);
/* hash may be NULL: nothing is done. */
void osm_hash_add (struct osm_hash *hash, const void *data, size_t len);
/* Ends it: only osm_hash_free may follow. Caller frees; NULL if hash is. */
char *osm_hash_text (struct osm_hash *hash);

static inline void
osm_cleanup_hash (struct osm_hash **h)
{
  osm_hash_free (*h);
}
#define OSM_CLEANUP_HASH __attribute__ ((cleanup (osm_cleanup_hash)))

#endif
