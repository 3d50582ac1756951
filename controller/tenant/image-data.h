/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The data of images: from cloud to cloud through this machine, in bounded memory, several at once, with hashes over what passes.
 *
 *   osm_image_data_copy (&source, destination, jobs, nr, err);      jobs[i].why says what became of each
 *
 * An image that osm makes has the property osm.import = id of the source's image, from its first request on. One that has it and no data yet
 * was left by an import that was interrupted, and gets its data from the next. */

#ifndef OSM_CONTROLLER_TENANT_IMAGE_DATA_H
#define OSM_CONTROLLER_TENANT_IMAGE_DATA_H

#include "controller/cloud/cloud.h"
#include "controller/tenant/type.h"

#define OSM_MARK_IMPORT "osm.import"

struct osm_image_job {
  const char *name;
  json_t
      *source; /* as the source's API shows it: id, size, os_hash_algo, os_hash_value, checksum */
  char *file;  /* the data, instead of the source cloud's; or NULL */
  const char *id;       /* at the destination: queued, and made by osm */
  bool protect;         /* when the data is there */
  struct osm_error why; /* none: its data is there, and right */
};

/* Fails only if it is interrupted. */
int osm_image_data_copy (const struct osm_change *change, struct osm_image_job *jobs, size_t nr,
                         struct osm_error *err);

/* Is it what the source has, and is it what has arrived? hashes: {ALGORITHM: hexadecimal} of the bytes that passed. No: REMOTE error. (pure) */
int osm_image_data_check (const json_t *source, const json_t *destination, const json_t *hashes,
                          uint64_t bytes, struct osm_error *err);

#endif
