/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <endian.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agent/survey.h"
#include "common/cleanup.h"
#include "common/strbuf.h"

/* XFS keeps free space in a B+tree of each allocation group, sorted by block number. It says the truth if the log has
 * nothing to be replayed, which is so if its last record is that of an unmount. Offsets and the way the end of the log
 * is found are those of the kernel: fs/xfs/libxfs/xfs_format.h, xfs_log_format.h, fs/xfs/xfs_log_recover.c
 * (xlog_find_head, xlog_check_unmount_rec). Everything is big-endian but checksums. */

#define SECTOR 512 /* of the log: a "basic block" */
#define SUPERBLOCK_MIN 264
#define SUPERBLOCK_CRC 224
#define AGF_CRC 216
#define AGF_MIN 224
#define BTREE_HEADER_V4 16
#define BTREE_HEADER_V5 56
#define BTREE_CRC 52
#define BTREE_LEVELS_MAX 12
#define NO_BLOCK UINT32_MAX
/* Features that say nothing of free space, and not that the file system is broken (NEEDSREPAIR, 0x10): file types,
 * sparse inodes, second UUID, big timestamps, large extent counters, exchanged ranges, parent pointers. */
#define INCOMPAT_KNOWN 0xefu
#define RO_COMPAT_KNOWN 0x0fu
#define LOG_HEADER_MAGIC 0xfeedbabeu
#define LOG_HEADER_CYCLE_BYTES 32768
#define LOG_BUFFERS_BLOCKS 4096 /* eight of 256 KiB may be written in any order */
#define LOG_RECORD_MAX 1024 /* blocks; an unmount's is padded to a stripe unit of 256 KiB at most */
#define UNMOUNT_TRANSACTION 0x20

struct xfs {
  const struct osm_survey_part *part;
  uint32_t block, sector, ag_blocks, ag_count;
  uint64_t blocks;
  uint64_t log_offset, log_blocks; /* in SECTORs */
  bool v5;
};

static uint16_t
be16 (const unsigned char *p)
{
  return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t
be32 (const unsigned char *p)
{
  return (uint32_t)be16 (p) << 16 | be16 (p + 2);
}

static uint64_t
be64 (const unsigned char *p)
{
  return (uint64_t)be32 (p) << 32 | be32 (p + 4);
}

/* CRC-32C, of the bytes with the four of the sum itself as zeros. */
static bool
sum_is_right (const unsigned char *p, size_t len, size_t at)
{
  uint32_t crc = UINT32_MAX, stored = (uint32_t)p[at] | (uint32_t)p[at + 1] << 8 |
                                      (uint32_t)p[at + 2] << 16 | (uint32_t)p[at + 3] << 24;

  for (size_t i = 0; i < len; i++) {
    crc ^= i >= at && i < at + 4 ? 0 : p[i];
    for (int bit = 0; bit < 8; bit++)
      crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
  }
  return stored == ~crc;
}

static bool
power_of_two (uint32_t n, uint32_t least, uint32_t most)
{
  return n >= least && n <= most && (n & (n - 1)) == 0;
}

static int
read_at (const struct xfs *x, void *buf, size_t len, uint64_t offset)
{
  if (offset > x->part->size_bytes || len > x->part->size_bytes - offset)
    return -1;
  return x->part->read (x->part->data, buf, len, offset);
}

/* ---- superblock ---- */

static const char *
read_superblock (struct xfs *x)
{
  OSM_CLEANUP_FREE unsigned char *sb = osm_calloc (1, 32768);
  uint64_t log_start, ag, block;
  uint32_t log_blocks;
  unsigned shift;

  if (read_at (x, sb, SECTOR, 0) == -1 || memcmp (sb, "XFSB", 4) != 0)
    return "its superblock cannot be read";
  x->block = be32 (sb + 4);
  x->blocks = be64 (sb + 8);
  log_start = be64 (sb + 48);
  x->ag_blocks = be32 (sb + 84);
  x->ag_count = be32 (sb + 88);
  log_blocks = be32 (sb + 96);
  x->sector = be16 (sb + 102);
  shift = sb[124];
  x->v5 = (be16 (sb + 100) & 0xf) == 5;
  if ((be16 (sb + 100) & 0xf) != 4 && !x->v5)
    return "its version is not known";
  if (!power_of_two (x->block, 512, 65536) || !power_of_two (x->sector, 512, 32768) ||
      x->sector > x->block || x->ag_blocks < 16 || x->ag_blocks > INT32_MAX || x->ag_count == 0 ||
      shift > 31 || (UINT32_C (1) << shift) < x->ag_blocks ||
      x->blocks <= (uint64_t)(x->ag_count - 1) * x->ag_blocks ||
      x->blocks > (uint64_t)x->ag_count * x->ag_blocks)
    return "its superblock makes no sense";
  if (x->blocks > x->part->size_bytes / x->block)
    return "it is larger than its place";
  if (x->v5 &&
      (read_at (x, sb, x->sector, 0) == -1 || !sum_is_right (sb, x->sector, SUPERBLOCK_CRC)))
    return "its superblock is damaged";
  if (x->v5 && ((be32 (sb + 216) & ~INCOMPAT_KNOWN) || (be32 (sb + 212) & ~RO_COMPAT_KNOWN)))
    return "it has features that are not known";
  if (sb[126] != 0)
    return "it is not complete";
  if (x->v5 && be32 (sb + 220) != 0)
    return "it was not unmounted";
  if (log_start == 0)
    return "its log is on another device";
  ag = log_start >> shift;
  block = log_start & ((UINT64_C (1) << shift) - 1);
  if (ag >= x->ag_count || block >= x->ag_blocks || log_blocks > x->ag_blocks - block ||
      ag * x->ag_blocks + block + log_blocks > x->blocks)
    return "its log is not in its place";
  x->log_offset = (ag * x->ag_blocks + block) * x->block;
  x->log_blocks = (uint64_t)log_blocks * (x->block / SECTOR);
  return x->log_blocks < 64 ? "its log is not in its place" : NULL;
}

/* ---- log ---- */

/* Each block of the log begins with the number of the round it was written in; that of a record's header comes second. */
static uint32_t
cycle_of (const unsigned char *block)
{
  return be32 (block) == LOG_HEADER_MAGIC ? be32 (block + 4) : be32 (block);
}

static int
read_log (const struct xfs *x, void *buf, uint64_t block, uint64_t count)
{
  if (block > x->log_blocks || count > x->log_blocks - block)
    return -1;
  return read_at (x, buf, (size_t)count * SECTOR, x->log_offset + block * SECTOR);
}

static bool
all_of_cycle (const struct xfs *x, uint64_t from, uint64_t to, uint32_t cycle)
{
  unsigned char buf[16 * SECTOR];

  for (; from < to; from += 16) {
    uint64_t n = to - from < 16 ? to - from : 16;

    if (read_log (x, buf, from, n) == -1)
      return false;
    for (uint64_t i = 0; i < n; i++)
      if (cycle_of (buf + i * SECTOR) != cycle)
        return false;
  }
  return true;
}

/* Where the next record would be written. False also if what is before it was not written in order. */
static bool
find_head (const struct xfs *x, uint64_t *ret)
{
  unsigned char buf[SECTOR];
  uint64_t low = 0, high = x->log_blocks - 1, before;
  uint32_t first, last;

  if (read_log (x, buf, low, 1) == -1)
    return false;
  first = cycle_of (buf);
  if (read_log (x, buf, high, 1) == -1)
    return false;
  last = cycle_of (buf);
  if (first == 0 || (last != first && last != first - 1))
    return false;
  if (last == first)
    high = x->log_blocks;
  else
    while (high - low > 1) {
      uint64_t middle = low + (high - low) / 2;

      if (read_log (x, buf, middle, 1) == -1)
        return false;
      if (cycle_of (buf) == last)
        high = middle;
      else
        low = middle;
    }
  before = high < LOG_BUFFERS_BLOCKS ? high : LOG_BUFFERS_BLOCKS;
  if (!all_of_cycle (x, high - before, high, first))
    return false;
  /* The rest is at the end, of the round before. */
  before = LOG_BUFFERS_BLOCKS - before;
  if (before > x->log_blocks - high)
    before = x->log_blocks - high;
  if (!all_of_cycle (x, x->log_blocks - before, x->log_blocks, last))
    return false;
  *ret = high % x->log_blocks;
  return true;
}

static bool
is_unmount (const struct xfs *x, const unsigned char *header, uint64_t at, uint64_t head)
{
  unsigned char data[SECTOR];
  uint32_t len = be32 (header + 12), size = be32 (header + 320);
  uint64_t header_blocks = 1;

  if ((be32 (header + 8) & 2) && size > LOG_HEADER_CYCLE_BYTES)
    header_blocks = (size + (uint64_t)LOG_HEADER_CYCLE_BYTES - 1) / LOG_HEADER_CYCLE_BYTES;
  if (be32 (header + 40) != 1 || len == 0 || len > LOG_RECORD_MAX * SECTOR || header_blocks > 64 ||
      (at + header_blocks + (len + SECTOR - 1) / SECTOR) % x->log_blocks != head)
    return false;
  return read_log (x, data, (at + header_blocks) % x->log_blocks, 1) == 0 &&
         (data[9] & UNMOUNT_TRANSACTION);
}

static bool
log_is_clean (const struct xfs *x)
{
  uint64_t head;

  if (!find_head (x, &head))
    return false;
  for (uint64_t back = 1; back <= LOG_RECORD_MAX + 64 && back < x->log_blocks; back++) {
    unsigned char block[SECTOR];
    uint64_t at = (head + x->log_blocks - back) % x->log_blocks;

    if (read_log (x, block, at, 1) == -1)
      return false;
    if (be32 (block) == LOG_HEADER_MAGIC)
      return is_unmount (x, block, at, head);
  }
  return false;
}

/* ---- allocation groups ---- */

struct group {
  uint64_t offset; /* of the part, bytes */
  uint32_t blocks, root, levels, free_blocks;
  uint32_t visited; /* blocks of the tree */
  unsigned char *block;
};

static int
read_group (const struct xfs *x, uint32_t number, struct group *g)
{
  unsigned char *agf = g->block;

  g->offset = (uint64_t)number * x->ag_blocks * x->block;
  g->blocks = number + 1 < x->ag_count ? x->ag_blocks
                                       : (uint32_t)(x->blocks - (uint64_t)number * x->ag_blocks);
  g->visited = 0;
  if (read_at (x, agf, x->sector, g->offset + x->sector) == -1 || memcmp (agf, "XAGF", 4) != 0 ||
      be32 (agf + 4) != 1 || be32 (agf + 8) != number || be32 (agf + 12) != g->blocks ||
      (x->v5 && !sum_is_right (agf, x->sector, AGF_CRC)))
    return -1;
  g->root = be32 (agf + 16);
  g->levels = be32 (agf + 28);
  g->free_blocks = be32 (agf + 52);
  return g->levels >= 1 && g->levels <= BTREE_LEVELS_MAX ? 0 : -1;
}

static size_t
tree_header (const struct xfs *x)
{
  return x->v5 ? BTREE_HEADER_V5 : BTREE_HEADER_V4;
}

/* A block of the tree, checked but for its records. */
static int
read_tree (const struct xfs *x, struct group *g, uint32_t number, uint32_t level)
{
  unsigned char *p = g->block;
  size_t entry = level ? 12 : 8;

  if (number >= g->blocks || ++g->visited > g->blocks ||
      read_at (x, p, x->block, g->offset + (uint64_t)number * x->block) == -1 ||
      memcmp (p, x->v5 ? "AB3B" : "ABTB", 4) != 0 || be16 (p + 4) != level ||
      be16 (p + 6) > (x->block - tree_header (x)) / entry ||
      (x->v5 && !sum_is_right (p, x->block, BTREE_CRC)))
    return -1;
  return 0;
}

static const char *
list_group (const struct xfs *x, struct group *g, struct osm_freemap *map)
{
  static const char *const damaged = "its lists of free space are damaged";
  uint32_t number = g->root, end = 0;
  uint64_t sum = 0;

  for (uint32_t level = g->levels - 1; level > 0; level--) {
    size_t most = (x->block - tree_header (x)) / 12;

    if (read_tree (x, g, number, level) == -1 || be16 (g->block + 6) == 0)
      return damaged;
    number = be32 (g->block + tree_header (x) + most * 8);
  }
  while (number != NO_BLOCK) {
    if (read_tree (x, g, number, 0) == -1)
      return damaged;
    for (uint32_t i = 0; i < be16 (g->block + 6); i++) {
      const unsigned char *record = g->block + tree_header (x) + (size_t)i * 8;
      uint32_t start = be32 (record), count = be32 (record + 4);

      /* Four sectors at the beginning are the group's headers. */
      if (start < end || count == 0 || start >= g->blocks || count > g->blocks - start ||
          (uint64_t)start * x->block < 4 * (uint64_t)x->sector)
        return damaged;
      end = start + count;
      sum += count;
      if (!osm_freemap_add_pages (map, g->offset + (uint64_t)start * x->block,
                                  g->offset + (uint64_t)end * x->block))
        return "its free space is in too many pieces";
    }
    number = be32 (g->block + 12);
  }
  return sum == g->free_blocks ? NULL : damaged;
}

const char *
osm_survey_xfs (const struct osm_survey_part *part, struct osm_freemap *map)
{
  struct xfs x = { .part = part };
  const char *why = read_superblock (&x);
  OSM_CLEANUP_FREE unsigned char *block = NULL;
  struct group g = { .block = NULL };

  if (why)
    return why;
  if (!log_is_clean (&x))
    return "it was not unmounted";
  g.block = block = osm_calloc (1, x.block);
  for (uint32_t i = 0; i < x.ag_count && !why; i++)
    why = read_group (&x, i, &g) == -1 ? "the header of an allocation group is damaged"
                                       : list_group (&x, &g, map);
  return why;
}
