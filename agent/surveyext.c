/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <ext2fs/ext2fs.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/survey.h"
#include "common/cleanup.h"

/* NULL if the bitmaps on the disk say what is in use, with no journal to be replayed before. */
static const char *
check (ext2_filsys fs, uint64_t size_bytes)
{
  struct ext2_super_block *sb = fs->super;

  if (ext2fs_blocks_count (sb) > size_bytes / fs->blocksize)
    return "it is larger than its place";
  if (sb->s_state & EXT2_ERROR_FS)
    return "it is marked as having errors";
  if (ext2fs_has_feature_journal_needs_recovery (sb) || !(sb->s_state & EXT2_VALID_FS))
    return "it was not unmounted";
  if (sb->s_last_orphan != 0 || ext2fs_has_feature_orphan_present (sb))
    return "it has deleted files that were open";
  return NULL;
}

static const char *
list (ext2_filsys fs, struct osm_freemap *map)
{
  blk64_t at = fs->super->s_first_data_block, last = ext2fs_blocks_count (fs->super) - 1, from, to;
  uint64_t clusters = 0, expected = 0;

  for (dgrp_t group = 0; group < fs->group_desc_count; group++)
    expected += ext2fs_bg_free_blocks_count (fs, group);
  while (at <= last && ext2fs_find_first_zero_block_bitmap2 (fs->block_map, at, last, &from) == 0) {
    if (ext2fs_find_first_set_block_bitmap2 (fs->block_map, from, last, &to) != 0)
      to = last + 1;
    if (from < at || to <= from)
      return "its bitmaps make no sense";
    if (!osm_freemap_add_pages (map, from * fs->blocksize, to * fs->blocksize))
      return "its free space is in too many pieces";
    clusters += EXT2FS_NUM_B2C (fs, to) - EXT2FS_B2C (fs, from);
    at = to;
  }
  return clusters == expected ? NULL : "its bitmaps and its counters differ";
}

const char *
osm_survey_ext (int fd, uint64_t offset, uint64_t size_bytes, struct osm_freemap *map)
{
  char name[16], options[48];
  OSM_CLEANUP_FD int own = dup (fd);
  ext2_filsys fs = NULL;
  const char *why;

  if (own == -1)
    return "it cannot be read";
  snprintf (name, sizeof name, "%d", own);
  snprintf (options, sizeof options, "offset=%" PRIu64, offset);
  if (ext2fs_open2 (name, options, EXT2_FLAG_64BITS | EXT2_FLAG_SKIP_MMP, 0, 0, unixfd_io_manager,
                    &fs) != 0)
    return "its superblock cannot be read";
  (void)osm_take_fd (&own); /* closed with it */
  why = check (fs, size_bytes);
  if (!why && ext2fs_read_block_bitmap (fs) != 0)
    why = "its bitmaps cannot be read";
  if (!why)
    why = list (fs, map);
  ext2fs_free (fs);
  return why;
}
