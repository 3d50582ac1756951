/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A quick look for the space that no file system uses: partition tables, ext2/3/4 and XFS that were unmounted
 * in order, swap. Milliseconds, no virtual machine; what it does not know is left to libguestfs's appliance
 * (agent/sparse.h), or copied whole.
 *
 *   OSM_SURVEY (survey);
 *   osm_survey_run (fd, size_bytes, &cancelled, &survey, err);     starts a worker "survey", which is confined
 *   survey.map, survey.found, survey.rest_bytes
 *
 *   osm_survey_worker (specification, tell, &result, err);         that worker; descriptor 3 is the volume */

#ifndef OSM_AGENT_SURVEY_H
#define OSM_AGENT_SURVEY_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "nbd/freemap.h"

struct osm_survey {
  struct osm_freemap map;
  /* As osm_sparse_run has it: [{"device","type","size_bytes","free_bytes" or "left"}]; with "rest": true if the
   * appliance may know more. */
  json_t *found;
  uint64_t rest_bytes; /* of these together */
};
#define OSM_SURVEY(name) \
  __attribute__ ((cleanup (osm_survey_done))) struct osm_survey name = { .found = NULL }
void osm_survey_done (struct osm_survey *s);

/* Blocks, for 10 s at most. An error means that nothing is known: not that anything is wrong with the volume. */
int osm_survey_run (int fd, uint64_t size_bytes, const atomic_bool *cancel, struct osm_survey *ret,
                    struct osm_error *err);
int osm_survey_worker (const json_t *specification,
                       int (*tell) (const json_t *frame, struct osm_error *err), json_t **ret,
                       struct osm_error *err);
/* The same for the same map. */
uint64_t osm_survey_hash (const struct osm_freemap *map);

/* ---- file systems, in the worker ---- */

/* A part of a volume. */
struct osm_survey_part {
  /* 0, or -1 if it cannot be read. */
  int (*read) (void *data, void *buf, size_t len, uint64_t offset);
  void *data;
  uint64_t size_bytes;
};
/* Adds what is free, ascending, in offsets of the part. NULL, or why it cannot be told; then what is in the map
 * must not be used. */
const char *osm_survey_xfs (const struct osm_survey_part *part, struct osm_freemap *map);
/* The same, read by libext2fs. */
const char *osm_survey_ext (int fd, uint64_t offset, uint64_t size_bytes, struct osm_freemap *map);

#endif
