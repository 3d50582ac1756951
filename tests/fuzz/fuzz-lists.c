/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/ranges.h"
#include "common/strbuf.h"
#include "controller/migration/manifest.h"
#include "nbd/digest.h"
#include "tests/fuzz/fuzz.h"

/* Lists that the peers send as text: digests in hexadecimal, ranges in JSON. */

static void
try_hex (const char *text, size_t len)
{
  uint64_t chunks = len / (2 * OSM_CHUNK_DIGEST_LEN);
  OSM_CLEANUP_FREE unsigned char *digests = osm_calloc (chunks + 1, OSM_CHUNK_DIGEST_LEN);
  OSM_MANIFEST (m);
  OSM_ERROR (err);

  if (osm_chunks_parse_hex (text, chunks, digests)) {
    char back[2 * OSM_CHUNK_DIGEST_LEN + 1];

    for (uint64_t i = 0; i < chunks; i++) {
      osm_chunk_hex (digests + i * OSM_CHUNK_DIGEST_LEN, back);
      ASSERT (memcmp (back, text + i * (sizeof back - 1), sizeof back - 1) == 0);
    }
  }
  ASSERT (osm_manifest_init (&m, UINT64_C (65536) * 8, 65536, &err) == 0);
  ASSERT (osm_manifest_from_hex (&m, 3, text) <= 5);
}

static void
try_ranges (const char *text, size_t len)
{
  OSM_CLEANUP_JSON json_t *list = NULL, *back = NULL;
  OSM_CLEANUP_FREE char *words = NULL;
  OSM_RANGES (r);
  OSM_ERROR (err);

  if (osm_json_parse (text, len, "input", &list, &err) == -1 ||
      osm_ranges_from_json (list, UINT64_C (1) << 40, 64, &r, &err) == -1)
    return;
  ASSERT (r.nr <= 64);
  for (size_t i = 0; i < r.nr; i++) {
    ASSERT (r.v[i].length > 0 && r.v[i].offset + r.v[i].length <= UINT64_C (1) << 40);
    ASSERT (i == 0 || r.v[i].offset > r.v[i - 1].offset + r.v[i - 1].length);
  }
  words = osm_ranges_text (&r, 3);
  osm_ranges_coarsen (&r, 2);
  ASSERT (r.nr <= 2);
  back = osm_ranges_to_json (&r);
  ASSERT (json_array_size (back) == r.nr);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  OSM_CLEANUP_FREE char *text = osm_calloc (size + 1, 1);

  if (size > 0)
    memcpy (text, data, size);
  try_hex (text, strlen (text));
  try_ranges (text, size);
  return 0;
}
