/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A small XFS (version 4, without checksums) made by hand: two allocation groups of 512 blocks of 512 bytes, the
 * log in the second one, its last record that of an unmount. Free: 140 blocks from 16 on in the first group;
 * 4 from 8 and 300 from 148 on in the second one, in two leaves. */

#ifndef OSM_TESTS_XFS_IMAGE_H
#define OSM_TESTS_XFS_IMAGE_H

#include <stdint.h>
#include <string.h>

#include "agent/survey.h"

#define XFS_IMAGE_BLOCK 512
#define XFS_IMAGE_AG (512 * XFS_IMAGE_BLOCK)
#define XFS_IMAGE_BYTES (2 * XFS_IMAGE_AG)
#define XFS_IMAGE_LOG (XFS_IMAGE_AG + 16 * XFS_IMAGE_BLOCK)
#define XFS_IMAGE_LOG_BLOCKS 128

static inline void
xfs_image_put (unsigned char *image, size_t at, uint64_t value, unsigned bytes)
{
  while (bytes-- > 0) {
    image[at + bytes] = (unsigned char)value;
    value >>= 8;
  }
}

static inline void
xfs_image_group (unsigned char *image, unsigned number, unsigned levels, unsigned free_blocks)
{
  size_t at = (size_t)number * XFS_IMAGE_AG + 512;

  memcpy (image + at, "XAGF", 4);
  xfs_image_put (image, at + 4, 1, 4);
  xfs_image_put (image, at + 8, number, 4);
  xfs_image_put (image, at + 12, 512, 4);
  xfs_image_put (image, at + 16, 4, 4);
  xfs_image_put (image, at + 28, levels, 4);
  xfs_image_put (image, at + 52, free_blocks, 4);
}

/* A block of a tree with one record; `next`: what a leaf points to, or a node's child. */
static inline void
xfs_image_tree (unsigned char *image, size_t at, unsigned level, unsigned start, unsigned count,
                uint32_t next)
{
  memcpy (image + at, "ABTB", 4);
  xfs_image_put (image, at + 4, level, 2);
  xfs_image_put (image, at + 6, 1, 2);
  xfs_image_put (image, at + 8, UINT32_MAX, 4);
  xfs_image_put (image, at + 12, level ? UINT32_MAX : next, 4);
  xfs_image_put (image, at + 16, start, 4);
  xfs_image_put (image, at + 20, count, 4);
  if (level)
    xfs_image_put (image, at + 16 + (XFS_IMAGE_BLOCK - 16) / 12 * 8, next, 4);
}

static inline void
xfs_image_make (unsigned char *image)
{
  memset (image, 0, XFS_IMAGE_BYTES);
  memcpy (image, "XFSB", 4);
  xfs_image_put (image, 4, XFS_IMAGE_BLOCK, 4);
  xfs_image_put (image, 8, 1024, 8);
  xfs_image_put (image, 48, 512 + 16, 8); /* the log: group 1, block 16 */
  xfs_image_put (image, 84, 512, 4);
  xfs_image_put (image, 88, 2, 4);
  xfs_image_put (image, 96, XFS_IMAGE_LOG_BLOCKS, 4);
  xfs_image_put (image, 100, 4, 2);
  xfs_image_put (image, 102, 512, 2);
  image[124] = 9;
  xfs_image_group (image, 0, 1, 140);
  xfs_image_tree (image, 4 * 512, 0, 16, 140, UINT32_MAX);
  xfs_image_group (image, 1, 2, 304);
  xfs_image_tree (image, XFS_IMAGE_AG + 4 * 512, 1, 8, 4, 5);
  xfs_image_tree (image, XFS_IMAGE_AG + 5 * 512, 0, 8, 4, 6);
  xfs_image_tree (image, XFS_IMAGE_AG + 6 * 512, 0, 148, 300, UINT32_MAX);
  /* The second round ends with the unmount's record in the blocks 8 and 9. */
  for (size_t i = 0; i < XFS_IMAGE_LOG_BLOCKS; i++)
    xfs_image_put (image, XFS_IMAGE_LOG + i * 512, i < 10 ? 2 : 1, 4);
  xfs_image_put (image, XFS_IMAGE_LOG + 8 * 512, 0xfeedbabe, 4);
  xfs_image_put (image, XFS_IMAGE_LOG + 8 * 512 + 4, 2, 4);
  xfs_image_put (image, XFS_IMAGE_LOG + 8 * 512 + 8, 2, 4);
  xfs_image_put (image, XFS_IMAGE_LOG + 8 * 512 + 12, 512, 4);
  xfs_image_put (image, XFS_IMAGE_LOG + 8 * 512 + 40, 1, 4);
  xfs_image_put (image, XFS_IMAGE_LOG + 8 * 512 + 320, 32768, 4);
  image[XFS_IMAGE_LOG + 9 * 512 + 9] = 0x20;
}

static inline int
xfs_image_read (void *data, void *buf, size_t len, uint64_t offset)
{
  memcpy (buf, (const unsigned char *)data + offset, len);
  return 0;
}

#endif
