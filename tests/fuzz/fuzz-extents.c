/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <string.h>

#include "nbd/extents.h"
#include "tests/fuzz/fuzz.h"

/* Byte 0 and 1: offset of what follows in the volume; byte 2: size of a block. The extents have no gaps, alternate, and where they
 * say zero there are zeros, in whole blocks. */

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  OSM_EXTENTS (e);
  OSM_ERROR (err);
  uint64_t offset, at;
  size_t block;

  if (size < 3)
    return 0;
  offset = (uint64_t)data[0] << 8 | data[1];
  block = (size_t)1 << (data[2] % 8);
  data += 3;
  size -= 3;
  ASSERT (osm_extents_scan (&e, data, size, offset, block, &err) == 0);
  at = offset;
  for (size_t i = 0; i < e.nr; i++) {
    const struct osm_extent *x = &e.v[i];

    ASSERT (x->offset == at && x->length > 0 && x->length <= offset + size - at);
    ASSERT (i == 0 || x->zero != e.v[i - 1].zero);
    if (x->zero) {
      ASSERT (osm_is_zero (data + (at - offset), (size_t)x->length));
      for (size_t k = 0; k < x->length; k++)
        ASSERT (data[at - offset + k] == 0);
      ASSERT (x->offset % block == 0);
      ASSERT ((x->offset + x->length) % block == 0 || x->offset + x->length == offset + size);
    }
    at += x->length;
  }
  ASSERT (at == offset + size);
  ASSERT (size == 0 || osm_extents_end (&e) == at);
  return 0;
}
