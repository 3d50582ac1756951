/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/sparse.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"

#ifndef HAVE_LIBGUESTFS

char *
osm_sparse_version (void)
{
  return NULL;
}

int
osm_sparse_appliance (const json_t *specification, void (*launched) (void), json_t **ret,
                      struct osm_error *err)
{
  (void)specification;
  (void)launched;
  (void)ret;
  return osm_error_set (err, OSM_ERROR_USER, ENOSYS, "this osm-agent was built without libguestfs");
}

#else

#include <dlfcn.h>
#include <glob.h>
#include <guestfs.h>
#include <unistd.h>

#define MEMORY_MIB 768
#define EXTENT_MIN_BYTES 65536 /* a cluster of the overlay: less is not recorded there */
#define HEADER_BYTES 65536     /* of swap space, on every page size */
#define FREE_LV "osm_free_space"
#define DISK "/dev/sda"

/* libguestfs is loaded when it is needed: it brings half a hundred libraries, and conversion hosts work
 * without it. */
/* clang-format off */
#define FUNCTIONS(X) \
  X (add_drive_opts) X (blkdiscard) X (blockdev_getsize64) X (close) X (create) \
  X (free_lvm_lv_list) X (free_lvm_vg_list) X (free_partition_list) X (free_statvfs) \
  X (free_version) X (fstrim_argv) X (last_error) X (launch) X (lvcreate_free) X (lvs) \
  X (lvs_full) X (lvuuid) X (mount_options) X (mount_vfs) X (part_list) X (pread_device) \
  X (pwrite_device) X (rm) X (set_backend) X (set_backend_setting) X (set_cachedir) \
  X (set_error_handler) X (set_memsize) X (set_smp) X (set_tmpdir) X (shutdown) X (statvfs) \
  X (touch) X (tune2fs_l) X (umount_all) X (version) X (vfs_type) X (vgs_full)
/* clang-format on */

static struct {
#define X(name) \
  __typeof__ (guestfs_##name) *name; /* NOLINT(bugprone-macro-parentheses): it is declared */
  FUNCTIONS (X)
#undef X
} lib;

static int
load_library (struct osm_error *err)
{
  static const struct {
    const char *name;
    void **where;
  } functions[] = {
#define X(name) { "guestfs_" #name, (void **)(void *)&lib.name },
    FUNCTIONS (X)
#undef X
  };
  void *handle = dlopen ("libguestfs.so.0", RTLD_NOW | RTLD_LOCAL);

  if (!handle)
    return osm_error_set (err, OSM_ERROR_USER, ENOSYS,
                          "libguestfs is not installed in this conversion host");
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    *functions[i].where = dlsym (handle, functions[i].name);
    if (!*functions[i].where)
      return osm_error_set (err, OSM_ERROR_USER, ENOSYS, "libguestfs has no %s", functions[i].name);
  }
  return 0;
}

struct appliance {
  guestfs_h *g;
  uint64_t size_bytes;
  json_t *found;      /* what was there, and what became of it */
  json_t *partitions; /* [[start, length], ...] */
};

/* ---- telling ---- */

static json_t *
note (struct appliance *a, const char *device, const char *type, uint64_t size)
{
  json_t *one = osm_json_pack ("{s:s, s:s, s:I}", "device", device, "type", type, "size_bytes",
                               (json_int_t)size);

  json_array_append_new (a->found, one);
  return one;
}

static void
leave (json_t *one, const char *why)
{
  osm_json_set_str (one, "left", why);
}

/* The first line of what the library says, as far as it is plain text: the file system's owner chose some of it. */
static void
leave_failed (struct appliance *a, json_t *one, const char *what)
{
  const char *text = lib.last_error (a->g);
  char line[160];
  size_t n = 0;

  for (; text && text[n] && text[n] != '\n' && n < sizeof line - 1; n++)
    line[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : '?';
  line[n] = '\0';
  {
    OSM_CLEANUP_FREE char *why = osm_asprintf ("%s: %s", what, line);

    leave (one, why);
  }
}

/* ---- file systems ---- */

static void
free_strings (char **v)
{
  for (size_t i = 0; v && v[i]; i++)
    free (v[i]);
  free (v);
}

/* NULL if free space can be told from what is written there, replayed. */
static const char *
check_ext (struct appliance *a, const char *device)
{
  char **v = lib.tune2fs_l (a->g, device);
  const char *why = v ? NULL : "its superblock cannot be read";
  bool clean = false, journal = false;

  for (size_t i = 0; v && v[i] && v[i + 1]; i += 2) {
    if (strcmp (v[i], "Filesystem state") == 0) {
      clean = strcmp (v[i + 1], "clean") == 0;
      if (strstr (v[i + 1], "error"))
        why = "it is marked as having errors";
    }
    if (strcmp (v[i], "Filesystem features") == 0)
      journal = strstr (v[i + 1], "has_journal") != NULL;
  }
  free_strings (v);
  if (!why && !journal && !clean)
    why = "it was not unmounted, and has no journal";
  return why;
}

static const char *
check_fat (struct appliance *a, const char *device)
{
  size_t len = 0;
  OSM_CLEANUP_FREE char *sector = lib.pread_device (a->g, device, 512, 0, &len);
  bool fat32;

  if (!sector || len != 512)
    return "its boot sector cannot be read";
  /* The root folder has a fixed number of entries everywhere but in FAT32; the dirty bit's place differs (Linux:
   * include/uapi/linux/msdos_fs.h, struct fat_boot_sector). */
  fat32 = sector[17] == 0 && sector[18] == 0;
  return sector[fat32 ? 0x41 : 0x25] & 3 ? "it was not unmounted" : NULL;
}

/* Read-only mounts replay journals too, but write as little as possible besides. */
static int
mount (struct appliance *a, const char *device, const char *type)
{
  if (strcmp (type, "ntfs") == 0) {
    /* By default ntfs-3g throws away the journal of one that is not clean. */
    if (lib.mount_vfs (a->g, "norecover", "ntfs-3g", device, "/") == -1)
      return -1;
    /* What it does not understand wholly it mounts read-only. */
    return lib.touch (a->g, "/osm-probe") == -1 || lib.rm (a->g, "/osm-probe") == -1 ? -1 : 0;
  }
  return lib.mount_options (a->g, strcmp (type, "xfs") == 0 ? "ro,nouuid" : "ro", device, "/");
}

static void
trim (struct appliance *a, const char *device, const char *type, json_t *one)
{
  /* ntfs-3g takes no minimum above its clusters. */
  const struct guestfs_fstrim_argv options = {
    .bitmask = strcmp (type, "ntfs") == 0 ? 0 : GUESTFS_FSTRIM_MINIMUMFREEEXTENT_BITMASK,
    .minimumfreeextent = EXTENT_MIN_BYTES,
  };
  const char *why = strncmp (type, "ext", 3) == 0 ? check_ext (a, device)
                    : strcmp (type, "vfat") == 0  ? check_fat (a, device)
                                                  : NULL;
  struct guestfs_statvfs *s;

  if (why) {
    leave (one, why);
    return;
  }
  if (mount (a, device, type) == -1)
    leave_failed (a, one, "it cannot be mounted");
  else if (lib.fstrim_argv (a->g, "/", &options) == -1)
    leave_failed (a, one, "its free space cannot be told");
  else if ((s = lib.statvfs (a->g, "/"))) {
    json_object_set_new (one, "free_bytes", json_integer ((json_int_t)s->bfree * s->bsize));
    lib.free_statvfs (s);
  }
  lib.umount_all (a->g);
}

/* All but the header, which has label and UUID. */
static void
discard_swap (struct appliance *a, const char *device, uint64_t size, json_t *one)
{
  size_t len = 0;
  OSM_CLEANUP_FREE char *header = lib.pread_device (a->g, device, HEADER_BYTES, 0, &len);

  if (!header)
    leave_failed (a, one, "it cannot be read");
  else if (lib.blkdiscard (a->g, device) == -1)
    leave_failed (a, one, "it cannot be discarded");
  else
    json_object_set_new (one, "free_bytes", json_integer ((json_int_t)(size - len)));
  /* What is written in the overlay is taken from the source. */
  if (header && lib.pwrite_device (a->g, device, header, len, 0) != (int)len)
    leave_failed (a, one, "its header cannot be kept");
}

/* *ret_lvm: it is a physical volume, whose logical volumes are there as devices of their own. */
static json_t *
take_device (struct appliance *a, const char *device, const char *name, uint64_t size,
             bool *ret_lvm)
{
  static const char *const trimmed[] = { "ext2", "ext3", "ext4", "xfs", "btrfs", "ntfs", "vfat" };
  OSM_CLEANUP_FREE char *type = lib.vfs_type (a->g, device);
  json_t *one;

  if (!type || !*type) {
    one = note (a, name, "unknown", size);
    leave (one, "its content is not known");
    return one;
  }
  one = note (a, name, type, size);
  for (size_t i = 0; i < sizeof trimmed / sizeof trimmed[0]; i++)
    if (strcmp (type, trimmed[i]) == 0) {
      trim (a, device, type, one);
      return one;
    }
  if (strcmp (type, "swap") == 0)
    discard_swap (a, device, size, one);
  else if (strcmp (type, "LVM2_member") == 0)
    *ret_lvm = true;
  else if (strcmp (type, "crypto_LUKS") == 0 || strcmp (type, "BitLocker") == 0)
    leave (one, "it is encrypted");
  else
    leave (one, "free space of this type cannot be told");
  return one;
}

/* ---- LVM ---- */

/* lvuuid has dashes, lvs_full has none. */
static bool
same_uuid (const char *dashed, const char plain[32])
{
  size_t n = 0;

  for (; *dashed; dashed++)
    if (*dashed != '-' && (n == 32 || plain[n++] != *dashed))
      return false;
  return n == 32;
}

static char
volume_type (struct appliance *a, const char *device, const struct guestfs_lvm_lv_list *all)
{
  OSM_CLEANUP_FREE char *uuid = lib.lvuuid (a->g, device);

  for (uint32_t i = 0; uuid && i < all->len; i++)
    if (same_uuid (uuid, all->val[i].lv_uuid))
      return all->val[i].lv_attr[0];
  return '?';
}

static void
take_logical_volumes (struct appliance *a)
{
  char **devices = lib.lvs (a->g);
  struct guestfs_lvm_lv_list *all = lib.lvs_full (a->g);

  for (size_t i = 0; devices && all && devices[i]; i++) {
    const char *name = strncmp (devices[i], "/dev/", 5) == 0 ? devices[i] + 5 : devices[i];
    int64_t size = lib.blockdev_getsize64 (a->g, devices[i]);
    bool ignored;

    /* A snapshot shares what its origin gives free; of pools and mirrors we know too little. */
    if (volume_type (a, devices[i], all) == '-')
      take_device (a, devices[i], name, size > 0 ? (uint64_t)size : 0, &ignored);
    else
      leave (note (a, name, "logical volume", size > 0 ? (uint64_t)size : 0),
             "it is not a plain logical volume");
  }
  free_strings (devices);
  if (all)
    lib.free_lvm_lv_list (all);
}

static void
take_unused_extents (struct appliance *a)
{
  struct guestfs_lvm_vg_list *all = lib.vgs_full (a->g);

  for (uint32_t i = 0; all && i < all->len; i++) {
    const struct guestfs_lvm_vg *vg = &all->val[i];
    OSM_CLEANUP_FREE char *name = osm_asprintf ("%s (unused extents)", vg->vg_name),
                          *device = osm_asprintf ("/dev/%s/" FREE_LV, vg->vg_name);
    json_t *one;

    if (vg->vg_free_count <= 0)
      continue;
    one = note (a, name, "LVM", vg->vg_free);
    /* wz--n-: the second letter resizeable, the fourth partial */
    if (strlen (vg->vg_attr) < 4 || vg->vg_attr[0] != 'w' || vg->vg_attr[3] == 'p')
      leave (one, "the volume group is not complete, or not writable");
    else if (lib.lvcreate_free (a->g, FREE_LV, vg->vg_name, 100) == -1 ||
             lib.blkdiscard (a->g, device) == -1)
      leave_failed (a, one, "it cannot be discarded");
    else
      json_object_set_new (one, "free_bytes", json_integer ((json_int_t)vg->vg_free));
  }
  if (all)
    lib.free_lvm_vg_list (all);
}

/* ---- the volume ---- */

static void
inspect (struct appliance *a)
{
  OSM_CLEANUP_FREE char *whole = lib.vfs_type (a->g, DISK);
  struct guestfs_partition_list *list = NULL;
  bool lvm = false;

  /* One that has a type needs no partition table, though what is there may look like one. */
  if (!whole || !*whole)
    list = lib.part_list (a->g, DISK);
  if (!list || list->len == 0)
    json_object_set_new (take_device (a, DISK, "whole volume", a->size_bytes, &lvm), "offset",
                         json_integer (0));
  for (uint32_t i = 0; list && i < list->len; i++) {
    const struct guestfs_partition *p = &list->val[i];
    OSM_CLEANUP_FREE char *device = osm_asprintf (DISK "%d", p->part_num),
                          *name = osm_asprintf ("partition %d", p->part_num);

    json_object_set_new (take_device (a, device, name, p->part_size, &lvm), "offset",
                         json_integer ((json_int_t)p->part_start));
    json_array_append_new (a->partitions, osm_json_pack ("[I, I]", (json_int_t)p->part_start,
                                                         (json_int_t)p->part_size));
  }
  if (list)
    lib.free_partition_list (list);
  if (lvm) {
    take_logical_volumes (a);
    take_unused_extents (a);
  }
}

static int
failed (struct appliance *a, const char *what, struct osm_error *err)
{
  const char *text = lib.last_error (a->g);

  return osm_error_set (err, OSM_ERROR_USER, 0, "%s: %s", what, text ? text : "no reason given");
}

static int
launch (struct appliance *a, const json_t *specification, struct osm_error *err)
{
  const char *accelerator = osm_json_str (specification, "accelerator");
  OSM_CLEANUP_FREE char *tmp = osm_asprintf ("%s/tmp", osm_json_str (specification, "folder"));

  lib.set_error_handler (a->g, NULL, NULL);
  if (lib.set_backend (a->g, "direct") == -1 ||
      lib.set_backend_setting (a->g, strcmp (accelerator, "kvm") == 0 ? "force_kvm" : "force_tcg",
                               "1") == -1 ||
      lib.set_memsize (a->g, MEMORY_MIB) == -1 || lib.set_smp (a->g, 1) == -1 ||
      lib.set_tmpdir (a->g, tmp) == -1 ||
      lib.set_cachedir (a->g, osm_json_str (specification, "cache")) == -1 ||
      lib.add_drive_opts (a->g, osm_json_str (specification, "overlay"),
                          GUESTFS_ADD_DRIVE_OPTS_FORMAT, "qcow2", GUESTFS_ADD_DRIVE_OPTS_DISCARD,
                          "enable", GUESTFS_ADD_DRIVE_OPTS_CACHEMODE, "unsafe", -1) == -1 ||
      lib.launch (a->g) == -1)
    return failed (a, "start libguestfs's appliance", err);
  return 0;
}

int
osm_sparse_appliance (const json_t *specification, void (*launched) (void), json_t **ret,
                      struct osm_error *err)
{
  struct appliance a = {
    .size_bytes = (uint64_t)json_integer_value (json_object_get (specification, "size_bytes")),
  };
  int r;

  /* So that who started us can kill qemu with us. */
  (void)setsid ();
  if (load_library (err) == -1)
    return -1;
  if (setenv ("XDG_RUNTIME_DIR", osm_json_str (specification, "sockets"), 1) == -1)
    return osm_error_set_errno (err, errno, "environment of libguestfs");
  a.g = lib.create ();
  if (!a.g)
    osm_oom ();
  a.found = json_array ();
  a.partitions = json_array ();
  r = launch (&a, specification, err);
  if (r == 0) {
    launched ();
    inspect (&a);
    /* Everything is in the overlay only when qemu has ended in order. */
    r = lib.shutdown (a.g) == -1 ? failed (&a, "stop libguestfs's appliance", err) : 0;
  }
  lib.close (a.g);
  if (r == 0)
    *ret = osm_json_pack ("{s:O, s:O}", "found", a.found, "partitions", a.partitions);
  json_decref (a.found);
  json_decref (a.partitions);
  return r;
}

/* supermin makes the appliance of a kernel that must be readable. */
static bool
has_kernel (void)
{
  glob_t found;
  bool readable = false;

  if (getenv ("SUPERMIN_KERNEL") || getenv ("LIBGUESTFS_PATH"))
    return true;
  if (glob ("/boot/vmlinu[xz]-*", 0, NULL, &found) != 0)
    return false;
  for (size_t i = 0; i < found.gl_pathc; i++)
    readable = readable || access (found.gl_pathv[i], R_OK) == 0;
  globfree (&found);
  return readable;
}

char *
osm_sparse_version (void)
{
  struct guestfs_version *v;
  guestfs_h *g;
  char *text = NULL;
  OSM_ERROR (ignored);

  if (!has_kernel () || load_library (&ignored) == -1)
    return NULL;
  g = lib.create ();
  if (!g)
    return NULL;
  v = lib.version (g);
  if (v)
    text = osm_asprintf ("%d.%d.%d", (int)v->major, (int)v->minor, (int)v->release);
  if (v)
    lib.free_version (v);
  lib.close (g);
  return text;
}

#endif
