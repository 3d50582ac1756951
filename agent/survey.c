/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/survey.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "agent/child.h"
#include "agent/confine.h"
#include "agent/sparse.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/json.h"
#include "common/strbuf.h"

#define VOLUME_FD 3 /* of the worker */
#define TOTAL_MS 10000
#define POLL_MS 100
#define HEADER_BYTES 65536 /* of swap space, on every page size */
#define PARTITIONS_MAX 256
#define NUMBERS_PER_FRAME 16384
#define SECTOR 512 /* of libblkid's offsets */

void
osm_survey_done (struct osm_survey *s)
{
  osm_freemap_done (&s->map);
  json_decref (s->found);
  memset (s, 0, sizeof *s);
}

uint64_t
osm_survey_hash (const struct osm_freemap *map)
{
  return XXH3_64bits_withSeed (map->v, map->nr * sizeof *map->v, map->size_bytes);
}

/* ---- in the worker: what is where ---- */

struct entry {
  char name[32];
  uint64_t offset, size_bytes;
  bool container; /* an extended partition: others are inside of it */
};

struct look {
  int fd;
  uint64_t size_bytes;
  struct entry v[PARTITIONS_MAX];
  size_t nr;
  json_t *found;
  uint64_t rest_bytes;
};

static int
read_part (void *data, void *buf, size_t len, uint64_t offset)
{
  const void *const *both = data;
  const struct look *l = both[0];
  const struct entry *e = both[1];
  OSM_ERROR (ignored);

  return osm_pread_full (l->fd, buf, len, e->offset + offset, &ignored);
}

/* The type of what is there, "" if there is nothing known; NULL if it may be one thing or another, or cannot be read. */
static char *
type_of (const struct look *l, const struct entry *e)
{
  blkid_probe probe = blkid_new_probe ();
  const char *type = NULL;
  char *ret = NULL;
  int r;

  if (!probe)
    osm_oom ();
  if (blkid_probe_set_device (probe, l->fd, (blkid_loff_t)e->offset, (blkid_loff_t)e->size_bytes) ==
          0 &&
      blkid_probe_enable_superblocks (probe, 1) == 0 &&
      blkid_probe_set_superblocks_flags (probe, BLKID_SUBLKS_TYPE) == 0) {
    r = blkid_do_safeprobe (probe);
    if (r == 1)
      ret = osm_strdup ("");
    else if (r == 0 && blkid_probe_lookup_value (probe, "TYPE", &type, NULL) == 0)
      ret = osm_strdup (type);
  }
  blkid_free_probe (probe);
  return ret;
}

static json_t *
note (struct look *l, const struct entry *e, const char *type)
{
  json_t *one =
      osm_json_pack ("{s:s, s:s, s:I, s:I}", "device", e->name, "type", type, "size_bytes",
                     (json_int_t)e->size_bytes, "free_bytes", (json_int_t)0);

  json_array_append_new (l->found, one);
  return one;
}

static void
leave (struct look *l, json_t *one, const char *why, bool rest)
{
  osm_json_set_str (one, "left", why);
  if (rest) {
    json_object_set_new (one, "rest", json_true ());
    l->rest_bytes += (uint64_t)json_integer_value (json_object_get (one, "size_bytes"));
  }
}

static bool
is_one_of (const char *type, const char *const *list)
{
  for (; *list; list++)
    if (strcmp (type, *list) == 0)
      return true;
  return false;
}

/* Free space of the entry, in offsets of the volume, behind what is in the map already. */
static int
take (struct look *l, const struct entry *e, struct osm_freemap *map, struct osm_error *err)
{
  static const char *const exts[] = { "ext2", "ext3", "ext4", NULL },
                           *const others[] = { "LVM2_member", "btrfs", "ntfs", "vfat", NULL },
                           *const encrypted[] = { "crypto_LUKS", "BitLocker", NULL };
  OSM_CLEANUP_FREE char *type = type_of (l, e);
  OSM_FREEMAP (own);
  const char *why = NULL;
  json_t *one;

  osm_freemap_init (&own, e->size_bytes);
  one = note (l, e, type && *type ? type : "unknown");
  if (!type || !*type)
    leave (l, one, "its content is not known", false);
  else if (is_one_of (type, exts))
    why = osm_survey_ext (l->fd, e->offset, e->size_bytes, &own);
  else if (strcmp (type, "xfs") == 0) {
    const void *both[] = { l, e };
    const struct osm_survey_part part = { .read = read_part,
                                          .data = both,
                                          .size_bytes = e->size_bytes };

    why = osm_survey_xfs (&part, &own);
  }
  else if (strcmp (type, "swap") == 0)
    (void)osm_freemap_add_pages (&own, HEADER_BYTES, e->size_bytes);
  else if (is_one_of (type, others))
    why = "its free space takes libguestfs to tell";
  else
    leave (l, one,
           is_one_of (type, encrypted) ? "it is encrypted"
                                       : "free space of this type cannot be told",
           false);
  if (why) {
    leave (l, one, why, true);
    return 0;
  }
  json_object_set_new (one, "free_bytes", json_integer ((json_int_t)own.free_bytes));
  for (size_t i = 0; i < own.nr; i++)
    if (osm_freemap_add (map, e->offset + own.v[i].offset, own.v[i].length, err) == -1)
      return -1;
  return 0;
}

static int
by_offset (const void *a, const void *b)
{
  const struct entry *x = a, *y = b;

  return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void
list_partitions (struct look *l)
{
  blkid_probe probe = blkid_new_probe ();
  blkid_partlist list;

  if (!probe)
    osm_oom ();
  if (blkid_probe_set_device (probe, l->fd, 0, (blkid_loff_t)l->size_bytes) == 0 &&
      blkid_probe_enable_superblocks (probe, 0) == 0 &&
      blkid_probe_enable_partitions (probe, 1) == 0 &&
      (list = blkid_probe_get_partitions (probe)) != NULL)
    for (int i = 0; i < blkid_partlist_numof_partitions (list) && l->nr < PARTITIONS_MAX; i++) {
      blkid_partition p = blkid_partlist_get_partition (list, i);
      blkid_loff_t start = blkid_partition_get_start (p), size = blkid_partition_get_size (p);
      struct entry *e = &l->v[l->nr];

      if (start < 0 || size <= 0 || (uint64_t)start >= UINT64_MAX / SECTOR / 2 ||
          (uint64_t)size >= UINT64_MAX / SECTOR / 2)
        continue;
      *e = (struct entry){ .offset = (uint64_t)start * SECTOR,
                           .size_bytes = (uint64_t)size * SECTOR,
                           .container = blkid_partition_is_extended (p) };
      snprintf (e->name, sizeof e->name, "partition %d", blkid_partition_get_partno (p));
      l->nr++;
    }
  blkid_free_probe (probe);
  qsort (l->v, l->nr, sizeof l->v[0], by_offset);
}

/* Does another one say something of the same place, or does it end beyond the volume? Of such a table nothing is
 * believed. */
static bool
in_order (const struct look *l)
{
  uint64_t end = 0;

  for (size_t i = 0; i < l->nr; i++) {
    const struct entry *e = &l->v[i];

    if (e->offset > l->size_bytes || e->size_bytes > l->size_bytes - e->offset)
      return false;
    if (e->container)
      continue;
    if (e->offset < end)
      return false;
    end = e->offset + e->size_bytes;
  }
  return true;
}

static int
take_all (struct look *l, struct osm_freemap *map, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *places = json_array ();
  OSM_FREEMAP (used);
  OSM_FREEMAP (gaps);

  if (!in_order (l)) {
    for (size_t i = 0; i < l->nr; i++)
      leave (l, note (l, &l->v[i], "partition"), "partitions overlap, or end beyond the volume",
             false);
    return 0;
  }
  osm_freemap_init (&used, l->size_bytes);
  osm_freemap_init (&gaps, l->size_bytes);
  for (size_t i = 0; i < l->nr; i++) {
    const struct entry *e = &l->v[i];

    json_array_append_new (
        places, osm_json_pack ("[I, I]", (json_int_t)e->offset, (json_int_t)e->size_bytes));
    if (!e->container && take (l, e, &used, err) == -1)
      return -1;
  }
  if (osm_sparse_gaps (places, &gaps, err) == -1 ||
      osm_freemap_union (map, &used, &gaps, err) == -1)
    return -1;
  osm_freemap_limit (map, OSM_FREEMAP_MAX);
  return 0;
}

static int
look_at_all (struct look *l, struct osm_freemap *map, struct osm_error *err)
{
  const struct entry whole = { .name = "whole volume", .size_bytes = l->size_bytes };
  OSM_CLEANUP_FREE char *type = type_of (l, &whole);

  /* One that has a type needs no partition table, though what is there may look like one. */
  if (type && !*type)
    list_partitions (l);
  return l->nr == 0 ? take (l, &whole, map, err) : take_all (l, map, err);
}

static int
tell_map (const struct osm_freemap *map, int (*tell) (const json_t *frame, struct osm_error *err),
          struct osm_error *err)
{
  for (size_t i = 0; i < map->nr;) {
    json_t *list = json_array ();
    OSM_CLEANUP_JSON json_t *frame = osm_json_pack ("{s:o}", "free", list);

    for (size_t n = 0; n < NUMBERS_PER_FRAME && i < map->nr; n++, i++) {
      json_array_append_new (list, json_integer ((json_int_t)map->v[i].offset));
      json_array_append_new (list, json_integer ((json_int_t)map->v[i].length));
    }
    if (tell (frame, err) == -1)
      return -1;
  }
  return 0;
}

int
osm_survey_worker (const json_t *specification,
                   int (*tell) (const json_t *frame, struct osm_error *err), json_t **ret,
                   struct osm_error *err)
{
  OSM_CLEANUP_FREE struct look *l = osm_calloc (1, sizeof *l);
  OSM_CLEANUP_JSON json_t *found = json_array ();
  OSM_FREEMAP (map);

  l->fd = VOLUME_FD;
  l->size_bytes = osm_json_uint (specification, "size_bytes");
  l->found = found;
  osm_freemap_init (&map, l->size_bytes);
  if (osm_confine (err) == -1 || look_at_all (l, &map, err) == -1 ||
      tell_map (&map, tell, err) == -1)
    return -1;
  *ret = osm_json_pack ("{s:O, s:I}", "found", found, "rest_bytes", (json_int_t)l->rest_bytes);
  return 0;
}

/* ---- outside ---- */

static int
add_ranges (const json_t *list, struct osm_freemap *map, struct osm_error *err)
{
  size_t n = json_array_size (list);

  for (size_t i = 0; i + 1 < n; i += 2) {
    json_int_t offset = json_integer_value (json_array_get (list, i)),
               length = json_integer_value (json_array_get (list, i + 1));

    if (offset < 0 || length < 0 || map->nr >= OSM_FREEMAP_MAX)
      return osm_error_set (err, OSM_ERROR_BUG, 0, "ranges of free space make no sense");
    if (osm_freemap_add (map, (uint64_t)offset, (uint64_t)length, err) == -1)
      return -1;
  }
  return 0;
}

/* What the worker says is checked: it has read what a tenant wrote. */
static int
attend (struct osm_child *child, const atomic_bool *cancel, struct osm_survey *ret,
        struct osm_error *err)
{
  uint64_t end_ms = osm_now_ms () + TOTAL_MS;

  for (;;) {
    OSM_CLEANUP_JSON json_t *frame = NULL;
    struct pollfd pfd = { .fd = child->out, .events = POLLIN };
    const json_t *result;

    if (cancel && atomic_load (cancel))
      return osm_error_set (err, OSM_ERROR_INTERRUPTED, 0, "cancelled");
    if (osm_now_ms () >= end_ms)
      return osm_error_set (err, OSM_ERROR_USER, ETIMEDOUT, "it took longer than %d s",
                            TOTAL_MS / 1000);
    if (osm_child_read (child, &frame, err) == -1)
      return -1;
    result = json_object_get (frame, "result");
    if (result) {
      ret->found = json_is_array (json_object_get (result, "found"))
                       ? json_incref (json_object_get (result, "found"))
                       : json_array ();
      ret->rest_bytes = osm_json_uint (result, "rest_bytes");
      return 0;
    }
    if (json_object_get (frame, "error"))
      return osm_error_from_json (json_object_get (frame, "error"), err);
    if (frame && add_ranges (json_object_get (frame, "free"), &ret->map, err) == -1)
      return -1;
    if (!frame && child->out == -1)
      return osm_error_set (err, OSM_ERROR_USER, 0, "the process that looked for it died");
    if (!frame)
      (void)poll (&pfd, 1, POLL_MS);
  }
}

int
osm_survey_run (int fd, uint64_t size_bytes, const atomic_bool *cancel, struct osm_survey *ret,
                struct osm_error *err)
{
  struct osm_child child = OSM_CHILD_NONE;
  OSM_CLEANUP_JSON json_t *spec = osm_json_pack ("{s:I}", "size_bytes", (json_int_t)size_bytes);
  int r;

  osm_survey_done (ret);
  osm_freemap_init (&ret->map, size_bytes);
  if (osm_child_start (&child, "survey", spec, fd, err) == -1)
    return -1;
  r = attend (&child, cancel, ret, err);
  osm_child_kill (&child);
  if (r == -1) {
    osm_survey_done (ret);
    return osm_error_wrap (err, "free space");
  }
  return 0;
}
