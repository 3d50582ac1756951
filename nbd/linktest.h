/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* How fast is a source: round trips of the smallest request, then throughput into nowhere.
 *
 *   struct osm_link_test_result r;
 *   osm_link_test (&source, 256 << 20, 10000, NULL, &r, err);     reads a synthetic export */

#ifndef OSM_NBD_LINKTEST_H
#define OSM_NBD_LINKTEST_H

#include <stdatomic.h>
#include <stdint.h>

#include "common/error.h"
#include "nbd/copy.h"
#include "nbd/source.h"

struct osm_link_test_result {
  uint64_t rtt_us; /* median */
  uint64_t bytes;  /* received */
  uint64_t bytes_per_second;
  char cipher[OSM_COPY_CIPHER_LEN]; /* "" if there is none */
};

/* Ends after `bytes` (all of the export if it is smaller) or limit_ms, whichever is first. */
int osm_link_test (const struct osm_source *source, uint64_t bytes, uint64_t limit_ms,
                   const atomic_bool *cancel, struct osm_link_test_result *ret,
                   struct osm_error *err);

#endif
