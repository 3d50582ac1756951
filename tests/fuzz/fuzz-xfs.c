/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <string.h>

#include "agent/survey.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/xfs-image.h"

/* A file system of a tenant: a sound one, in which some bytes are others. Five bytes of input each: where (three), what
 * (two). */

static int
read_checked (void *data, void *buf, size_t len, uint64_t offset)
{
  ASSERT (offset <= XFS_IMAGE_BYTES && len <= XFS_IMAGE_BYTES - offset);
  return xfs_image_read (data, buf, len, offset);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static unsigned char image[XFS_IMAGE_BYTES];
  const struct osm_survey_part part = { .read = read_checked,
                                        .data = image,
                                        .size_bytes = XFS_IMAGE_BYTES };
  OSM_FREEMAP (map);
  const char *why;

  xfs_image_make (image);
  for (size_t i = 0; i + 5 <= size; i += 5) {
    size_t at =
        ((size_t)data[i] << 16 | (size_t)data[i + 1] << 8 | data[i + 2]) % (XFS_IMAGE_BYTES - 1);

    image[at] = data[i + 3];
    image[at + 1] = data[i + 4];
  }
  osm_freemap_init (&map, XFS_IMAGE_BYTES);
  why = osm_survey_xfs (&part, &map);
  ASSERT (size >= 5 || !why);
  return 0;
}
