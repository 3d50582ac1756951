/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Are the copies what the sources are? Comparison of the agents' digests, repair of what differs, the manifests that are
 * kept, and what could not be read at the source.
 *
 *   struct osm_verify v = { .volume = volume, .index = i, .copy_id = ..., .digest_id = { ..., ... } };
 *   osm_verify_volume (m, &v, err);        both digests and the copy have ended
 *
 * The chunk digests of a verified volume are in STATE_DIR/manifests/MIGRATION/VOLUME: 16 bytes each, nothing else, so that
 * sha256sum of the file gives the sha256 of the manifest. Only for controller/migration/. */

#ifndef OSM_CONTROLLER_MIGRATION_VERIFY_H
#define OSM_CONTROLLER_MIGRATION_VERIFY_H

#include "controller/migration/internal.h"

/* Granularity of the digests: small enough to name what differs, large enough that 1 TiB has a manifest of 16 MiB. */
#define OSM_VERIFY_CHUNK_BYTES (1024 * 1024)

struct osm_verify {
  const json_t *volume;     /* of the plan */
  unsigned index;           /* of its progress bar */
  const char *copy_id;      /* at the destination; NULL: only compare, repair nothing */
  const char *digest_id[2]; /* by enum osm_side */
};

/* 0: the volumes are equal, if need be after what differed was copied once more; the manifest is kept, repair and unreadable places
 * are in the journal and were told. -1: they are not (class REMOTE, with the offsets), or it could not be found out. */
int osm_verify_volume (struct osm_migration *m, const struct osm_verify *v, struct osm_error *err);
/* Adds {"bad_blocks": "zero"} to the parameters of a job if the operator said so for this migration. */
int osm_verify_add_bad_blocks (struct osm_migration *m, json_t *params, struct osm_error *err);

#endif
