/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Digests of what is on a device: XXH3-128 of each chunk, SHA-256 over them (docs/PROTOCOL.md).
 *
 *   struct osm_digest_options options = { .chunk_bytes = 4 << 20, .drop_cache = true };
 *   OSM_MANIFEST (m);
 *   osm_digest_run ("/dev/vdb", size_bytes, &options, &m, err);
 *   osm_manifest_hex (&m, first, count)  */

#ifndef OSM_NBD_DIGEST_H
#define OSM_NBD_DIGEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/ranges.h"
#include "nbd/badblocks.h"
#include "nbd/freemap.h"

#define OSM_DIGEST_LEN 16
#define OSM_DIGEST_CHUNK_MIN 4096
#define OSM_DIGEST_CHUNK_MAX (1u << 30)
#define OSM_DIGEST_CHUNK_DEFAULT (4u << 20)
#define OSM_DIGEST_CHUNKS_MAX (16u << 20) /* in one manifest */

struct osm_manifest {
  uint64_t size_bytes, chunk_bytes, nr_chunks;
  unsigned char *digests; /* nr_chunks * OSM_DIGEST_LEN, canonical big-endian form */
  char sha256[65];        /* lower-case hexadecimal */
};
#define OSM_MANIFEST(name) \
  __attribute__ ((cleanup (osm_manifest_done))) struct osm_manifest name = { 0 }
void osm_manifest_done (struct osm_manifest *m);
/* Concatenated hexadecimal of `count` chunks (fewer at the end). Caller frees. */
char *osm_manifest_hex (const struct osm_manifest *m, uint64_t first, uint64_t count);
/* An empty one to be filled: chunk_bytes a power of two, 0 for the default. */
int osm_manifest_init (struct osm_manifest *m, uint64_t size_bytes, uint64_t chunk_bytes,
                       struct osm_error *err);
/* The reverse of osm_manifest_hex: how many chunks were in it, -1 if it does not fit there. */
int osm_manifest_from_hex (struct osm_manifest *m, uint64_t first, const char *hex);
/* Offset of the first chunk that differs; false if none does. Both of the same size and chunks. */
bool osm_manifest_differ (const struct osm_manifest *a, const struct osm_manifest *b,
                          uint64_t *ret_offset);

struct osm_digest_options {
  uint64_t chunk_bytes; /* a power of two; 0: default */
  bool larger;          /* the device may have more than size_bytes, which are left out */
  bool drop_cache;      /* fsync, throw the page cache away, read past it: what is on the disk */
  const struct osm_freemap *free; /* what it names counts as zeros. May be NULL */
  /* Not NULL: what cannot be read counts as zeros and is added here. */
  struct osm_bad_blocks *bad_blocks;
  /* Not NULL: only the chunks that these touch are read, the others are as in `previous`, a manifest
   * of the same size and chunks. */
  const struct osm_ranges *ranges;
  const struct osm_manifest *previous;
  const atomic_bool *cancel;    /* may be NULL; true ends the run with class INTERRUPTED */
  _Atomic uint64_t *done_bytes; /* may be NULL; readable at any time */
  /* After each chunk, from the calling thread; may be NULL. */
  void (*progress) (void *data, uint64_t done_bytes);
  void *progress_data;
};

/* Opens path read-only; a size other than size_bytes is a USER error. */
int osm_digest_run (const char *path, uint64_t size_bytes, const struct osm_digest_options *options,
                    struct osm_manifest *ret, struct osm_error *err);

#endif
