/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The chunk digests of verified volumes, as files in the state folder: STATE_DIR/manifests/MIGRATION/VOLUME holds 16 bytes for each
 * chunk and nothing else, so that `sha256sum` of it gives the sha256 of the manifest.
 *
 *   osm_chunks_save (state_dir, migration_id, volume_id, digests, chunks, err);
 *   osm_chunks_load (state_dir, migration_id, volume_id, chunks, &digests, err);
 */

#ifndef OSM_CONTROLLER_MIGRATION_MANIFEST_H
#define OSM_CONTROLLER_MIGRATION_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

#define OSM_CHUNK_DIGEST_LEN 16
#define OSM_CHUNKS_MAX (64u << 20)

/* False unless text is exactly that many digests in hexadecimal; ret has room for them. */
bool osm_chunks_parse_hex (const char *text, uint64_t chunks, unsigned char *ret);
/* ret has room for 33 characters. */
void osm_chunk_hex (const unsigned char *digest, char *ret);
int osm_chunks_save (const char *state_dir, const char *migration_id, const char *volume_id,
                     const unsigned char *digests, uint64_t chunks, struct osm_error *err);
/* USER error with ENOENT if there is none (a journal of an older version); another length is an error. Caller frees. */
int osm_chunks_load (const char *state_dir, const char *migration_id, const char *volume_id,
                     uint64_t chunks, unsigned char **ret, struct osm_error *err);
/* All of a migration; none is no error. */
int osm_chunks_forget (const char *state_dir, const char *migration_id, struct osm_error *err);

#endif
