/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/sparse.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "agent/child.h"
#include "agent/device.h"
#include "agent/listen.h"
#include "agent/paths.h"
#include "agent/survey.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "common/run.h"
#include "common/strbuf.h"
#include "nbd/reads.h"

#define KVM_SECONDS 60
#define TOTAL_SECONDS 1800
#define DISK_BYTES (UINT64_C (1) << 30)      /* appliance and overlay */
#define MEMORY_BYTES (UINT64_C (1000) << 20) /* appliance, qemu's own, us */
#define POLL_MS 200
#define GAP_MIN_BYTES (UINT64_C (1) << 20)
#define TAIL_BYTES (UINT64_C (1) << 20)
#define LINE_MAX_BYTES 4096
#define NICE 10
#define APPLIANCE_BYTES (UINT64_C (1) << 30) /* less is not worth its start */

/* ---- pure parts ---- */

int
osm_sparse_read_map (FILE *f, struct osm_freemap *map, struct osm_error *err)
{
  char line[LINE_MAX_BYTES];

  /* One object a line; all of it as one array would take much memory. */
  while (fgets (line, sizeof line, f)) {
    OSM_CLEANUP_JSON json_t *j = NULL;
    char *p = strchr (line, '{'), *end = strrchr (line, '}');
    uint64_t start, length;

    if (!p || !end)
      continue;
    if (osm_json_parse (p, (size_t)(end - p) + 1, "qemu-img map", &j, err) == -1)
      return -1;
    if (!json_is_boolean (json_object_get (j, "present")))
      return osm_error_set (err, OSM_ERROR_USER, 0,
                            "qemu-img is too old: it does not tell which clusters are present");
    if (!json_is_true (json_object_get (j, "present")) ||
        !json_is_true (json_object_get (j, "zero")) ||
        !json_is_false (json_object_get (j, "data")) || osm_json_uint (j, "depth") != 0)
      continue;
    start = osm_json_uint (j, "start");
    length = osm_json_uint (j, "length");
    /* The overlay is made of whole sectors. */
    if (start < map->size_bytes && length > map->size_bytes - start)
      length = map->size_bytes - start;
    if (osm_freemap_add (map, start, length, err) == -1)
      return osm_error_wrap (err, "qemu-img map");
  }
  return ferror (f) ? osm_error_set_errno (err, errno, "qemu-img map") : 0;
}

static int
by_start (const void *a, const void *b)
{
  const struct osm_free_range *x = a, *y = b;

  return x->offset < y->offset ? -1 : x->offset > y->offset;
}

int
osm_sparse_gaps (const json_t *partitions, struct osm_freemap *map, struct osm_error *err)
{
  size_t n = json_array_size (partitions);
  OSM_CLEANUP_FREE struct osm_free_range *v = osm_calloc (n ? n : 1, sizeof *v);
  uint64_t end;
  size_t i;
  json_t *one;

  if (n == 0)
    return 0;
  json_array_foreach (partitions, i, one)
  {
    json_int_t start = json_integer_value (json_array_get (one, 0)),
               length = json_integer_value (json_array_get (one, 1));

    if (start < 0 || length < 0 || (uint64_t)start > map->size_bytes ||
        (uint64_t)length > map->size_bytes - (uint64_t)start)
      return osm_error_set (err, OSM_ERROR_USER, 0, "a partition ends beyond the volume");
    v[i] = (struct osm_free_range){ .offset = (uint64_t)start, .length = (uint64_t)length };
  }
  qsort (v, n, sizeof *v, by_start);
  end = v[0].offset + v[0].length;
  for (i = 1; i <= n; i++) {
    uint64_t next = i < n                          ? v[i].offset
                    : map->size_bytes > TAIL_BYTES ? map->size_bytes - TAIL_BYTES
                                                   : 0;

    if (next > end && next - end >= GAP_MIN_BYTES &&
        osm_freemap_add (map, end, next - end, err) == -1)
      return -1;
    if (i < n && v[i].offset + v[i].length > end)
      end = v[i].offset + v[i].length;
  }
  return 0;
}

/* ---- the job ---- */

struct run {
  const json_t *specification;
  const atomic_bool *cancel;
  uint64_t size_bytes, start_ms, end_ms;
  char *folder;  /* overlay, tmp, reads */
  char *sockets; /* short paths */
  char *overlay, *reads, *socket;
  struct osm_child export, appliance;
  struct osm_survey survey;
};

static int
stopped (const struct run *r, struct osm_error *err)
{
  if (atomic_load (r->cancel))
    return osm_error_set (err, OSM_ERROR_INTERRUPTED, 0, "cancelled");
  if (osm_now_ms () >= r->end_ms)
    return osm_error_set (err, OSM_ERROR_USER, ETIMEDOUT,
                          "the search for free space took too long");
  return 0;
}

static void
remove_tree (const char *path)
{
  char *const argv[] = { (char *)"rm", (char *)"-rf", (char *)"--", (char *)path, NULL };
  OSM_ERROR (ignored);

  if (osm_run_capture (argv, 4096, NULL, &ignored) == -1)
    osm_debug ("%s", ignored.message);
}

/* One appliance at a time: each takes memory and a processor. */
static int
take_turn (const struct run *r, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/sparse.lock", osm_path_state ());
  OSM_CLEANUP_FD int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

  if (fd == -1)
    return osm_error_set_errno (err, errno, "%s", path);
  while (flock (fd, LOCK_EX | LOCK_NB) == -1) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      return osm_error_set_errno (err, errno, "%s", path);
    if (stopped (r, err) == -1)
      return -1;
    (void)poll (NULL, 0, POLL_MS);
  }
  return osm_take_fd (&fd);
}

static int
check_resources (const struct run *r, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *text = NULL;
  const char *p;
  struct statvfs s;
  size_t len;

  if (statvfs (r->folder, &s) == 0 && (uint64_t)s.f_bavail * s.f_frsize < DISK_BYTES)
    return osm_error_set (err, OSM_ERROR_USER, ENOSPC,
                          "less than 1 GiB of disk is left in the conversion host for the search "
                          "for free space");
  if (osm_file_read ("/proc/meminfo", 65536, &text, &len, err) == -1)
    return -1;
  p = strstr (text, "MemAvailable:");
  if (p && strtoull (p + strlen ("MemAvailable:"), NULL, 10) * 1024 < MEMORY_BYTES)
    return osm_error_set (err, OSM_ERROR_USER, ENOMEM,
                          "less than 1 GB of memory is free in the conversion host for the search "
                          "for free space");
  return 0;
}

/* The volume, read-only, for qemu alone; what is read of it is noted. */
static int
start_export (struct run *r, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *spec = json_object ();
  OSM_CLEANUP_FD int fd = osm_listen_at (r->socket, 0600, err);

  if (fd == -1)
    return -1;
  osm_json_set_str (spec, "volume_id", osm_json_str (r->specification, "volume_id"));
  osm_json_set_str (spec, "device", osm_json_str (r->specification, "device"));
  json_object_set (spec, "size_bytes", json_object_get (r->specification, "size_bytes"));
  osm_json_set_str (spec, "reads_file", r->reads);
  return osm_child_start (&r->export, "export", spec, fd, err);
}

static int
make_overlay (struct run *r, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *backing = osm_asprintf ("nbd+unix:///?socket=%s", r->socket);
  char *const argv[] = { (char *)"qemu-img", (char *)"create", (char *)"-q", (char *)"-f",
                         (char *)"qcow2",    (char *)"-b",     backing,      (char *)"-F",
                         (char *)"raw",      (char *)"--",     r->overlay,   NULL };

  return osm_run_capture (argv, 65536, NULL, err);
}

static void
kill_appliance (struct run *r)
{
  if (r->appliance.pid > 0)
    kill (-r->appliance.pid, SIGKILL); /* qemu is in its session; see osm_sparse_appliance */
  osm_child_kill (&r->appliance);
}

/* Until the appliance's worker has ended, said something unexpected, or taken too long. */
static int
attend (struct run *r, uint64_t launch_ms, json_t **ret, struct osm_error *err)
{
  uint64_t launch_end = osm_now_ms () + launch_ms;
  bool launched = false;

  for (;;) {
    OSM_CLEANUP_JSON json_t *frame = NULL;
    struct pollfd pfd = { .fd = r->appliance.out, .events = POLLIN };

    if (stopped (r, err) == -1)
      return -1;
    if (!launched && osm_now_ms () >= launch_end)
      return osm_error_set (err, OSM_ERROR_RETRY, ETIMEDOUT,
                            "the appliance did not start in %" PRIu64 " s", launch_ms / 1000);
    if (osm_child_read (&r->appliance, &frame, err) == -1)
      return -1;
    if (json_object_get (frame, "progress"))
      launched = true;
    else if (json_object_get (frame, "result")) {
      *ret = json_incref (json_object_get (frame, "result"));
      return 0;
    }
    else if (json_object_get (frame, "error"))
      return osm_error_from_json (json_object_get (frame, "error"), err);
    else if (r->appliance.out == -1)
      return osm_error_set (err, OSM_ERROR_RETRY, 0, "the appliance's worker died");
    else
      (void)poll (&pfd, 1, POLL_MS);
  }
}

static int
run_appliance (struct run *r, const char *accelerator, uint64_t launch_ms, json_t **ret,
               struct osm_error *err)
{
  OSM_CLEANUP_FREE char *cache = osm_asprintf ("%s/appliance", osm_path_state ());
  OSM_CLEANUP_JSON json_t *spec =
      osm_json_pack ("{s:s, s:I, s:s, s:s, s:s, s:s}", "overlay", r->overlay, "size_bytes",
                     (json_int_t)r->size_bytes, "folder", r->folder, "sockets", r->sockets, "cache",
                     cache, "accelerator", accelerator);
  int result;

  if (osm_mkdir_p (cache, 0700, err) == -1 ||
      osm_child_start (&r->appliance, "appliance", spec, -1, err) == -1)
    return -1;
  result = attend (r, launch_ms, ret, err);
  kill_appliance (r);
  return result;
}

/* With KVM for as long as it may take to find out that it does not work, then without. */
static int
run_appliances (struct run *r, json_t **ret, const char **ret_accelerator, struct osm_error *err)
{
  const json_t *given = json_object_get (r->specification, "kvm_seconds");
  uint64_t kvm_ms =
      given ? osm_json_uint (r->specification, "kvm_seconds") * 1000 : KVM_SECONDS * 1000;
  OSM_ERROR (why);

  *ret_accelerator = "kvm";
  if (kvm_ms > 0 && access ("/dev/kvm", R_OK | W_OK) == 0) {
    if (run_appliance (r, "kvm", kvm_ms, ret, &why) == 0)
      return 0;
    osm_debug ("with KVM: %s", why.message);
    if (stopped (r, err) == -1 || make_overlay (r, err) == -1)
      return -1;
  }
  *ret_accelerator = "tcg";
  return run_appliance (r, "tcg", UINT64_MAX / 2, ret, err);
}

static int
list_overlay (struct run *r, struct osm_freemap *map, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/map", r->folder);
  OSM_CLEANUP_JSON json_t *image =
      osm_json_pack ("{s:s, s:{s:s, s:s}, s:n}", "driver", "qcow2", "file", "driver", "file",
                     "filename", r->overlay, "backing");
  OSM_CLEANUP_FREE char *text = osm_json_dump (image), *name = osm_asprintf ("json:%s", text);
  char *argv[] = { (char *)"qemu-img", (char *)"map", (char *)"--output=json", name, NULL };
  struct osm_run_spec spec = { .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1 };
  OSM_CLEANUP_FILE FILE *f = NULL;
  OSM_CLEANUP_FD int fd = open (path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  int status;
  pid_t pid;

  if (fd == -1)
    return osm_error_set_errno (err, errno, "%s", path);
  spec.stdout_fd = fd;
  if (osm_run_start (&spec, &pid, err) == -1 || osm_run_wait (pid, &status, err) == -1)
    return -1;
  if (status != 0)
    return osm_error_set (err, OSM_ERROR_USER, 0, "qemu-img map failed");
  f = fopen (path, "re");
  if (!f)
    return osm_error_set_errno (err, errno, "%s", path);
  return osm_sparse_read_map (f, map, err);
}

/* What was discarded, and the gaps, without what had to be read to find that out. Whoever gets the volume mounts it as
 * it is, with its journal not replayed: to do so he needs what the appliance needed, though it may be free afterwards
 * (extent blocks of deleted files, a btrfs's old trees and log). */
static int
make_map (struct run *r, const json_t *answer, struct osm_freemap *ret, struct osm_error *err)
{
  OSM_FREEMAP (discarded);
  OSM_FREEMAP (gaps);
  OSM_CLEANUP_FREE char *bits = NULL;
  size_t len;

  osm_freemap_init (&discarded, r->size_bytes);
  osm_freemap_init (&gaps, r->size_bytes);
  osm_freemap_init (ret, r->size_bytes);
  if (list_overlay (r, &discarded, err) == -1 ||
      osm_sparse_gaps (json_object_get (answer, "partitions"), &gaps, err) == -1 ||
      osm_freemap_union (ret, &discarded, &gaps, err) == -1 ||
      osm_file_read (r->reads, osm_reads_len (r->size_bytes), &bits, &len, err) == -1)
    return -1;
  if (len != osm_reads_len (r->size_bytes))
    return osm_error_set (err, OSM_ERROR_BUG, 0, "%s has %zu bytes", r->reads, len);
  osm_freemap_subtract (ret, (const unsigned char *)bits, OSM_READS_GRANULE);
  osm_freemap_limit (ret, OSM_FREEMAP_MAX);
  return 0;
}

/* What is free in each partition; logical volumes have told it themselves. */
static void
count_free (json_t *found, const struct osm_freemap *map)
{
  size_t i;
  json_t *one;

  json_array_foreach (found, i, one) if (json_object_get (one, "offset"))
  {
    json_object_set_new (
        one, "free_bytes",
        json_integer ((json_int_t)osm_freemap_count (map, osm_json_uint (one, "offset"),
                                                     osm_json_uint (one, "size_bytes"))));
    json_object_del (one, "offset");
  }
}

/* The map is there for everybody from now on. */
static int
finish (struct run *r, const struct osm_freemap *map, json_t *found, json_t **ret,
        struct osm_error *err)
{
  if (map->free_bytes > 0 &&
      osm_freemap_save (map, osm_json_str (r->specification, "free_file"), err) == -1)
    return -1;
  *ret = osm_json_pack ("{s:I, s:O, s:I}", "free_bytes", (json_int_t)map->free_bytes, "found",
                        found, "milliseconds", (json_int_t)(osm_now_ms () - r->start_ms));
  return 0;
}

static int
search (struct run *r, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *tmp = osm_asprintf ("%s/tmp", r->folder);
  OSM_CLEANUP_JSON json_t *answer = NULL;
  OSM_FREEMAP (map);
  OSM_FREEMAP (both);
  const char *accelerator;

  if (osm_mkdir_p (tmp, 0700, err) == -1 || osm_mkdir_p (r->sockets, 0700, err) == -1 ||
      check_resources (r, err) == -1 || start_export (r, err) == -1 ||
      make_overlay (r, err) == -1 || run_appliances (r, &answer, &accelerator, err) == -1 ||
      make_map (r, answer, &map, err) == -1 || stopped (r, err) == -1)
    return -1;
  osm_freemap_init (&both, r->size_bytes);
  if (osm_freemap_union (&both, &map, &r->survey.map, err) == -1)
    return -1;
  osm_freemap_limit (&both, OSM_FREEMAP_MAX);
  count_free (json_object_get (answer, "found"), &both);
  if (finish (r, &both, json_object_get (answer, "found"), ret, err) == -1)
    return -1;
  osm_json_set_str (*ret, "accelerator", accelerator);
  return 0;
}

static int
search_alone (struct run *r, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FD int lock = take_turn (r, err);
  int result;

  if (lock == -1)
    return -1;
  remove_tree (r->folder); /* of a worker that was killed */
  result = search (r, ret, err);
  kill_appliance (r);
  osm_child_kill (&r->export);
  remove_tree (r->folder);
  remove_tree (r->sockets);
  return result;
}

/* ---- without the appliance ---- */

/* One that fails has found nothing: then all is left to the appliance. False if there is nothing for it. */
static bool
appliance_is_needed (struct run *r)
{
  const json_t *least = json_object_get (r->specification, "appliance_bytes");
  uint64_t least_bytes =
      least ? osm_json_uint (r->specification, "appliance_bytes") : APPLIANCE_BYTES;
  OSM_CLEANUP_FD int fd = -1;
  OSM_ERROR (why);

  fd = osm_device_open (osm_json_str (r->specification, "volume_id"),
                        osm_json_str (r->specification, "device"),
                        osm_device_size_of (r->specification), false, &why);
  if (fd != -1 && osm_survey_run (fd, r->size_bytes, r->cancel, &r->survey, &why) == 0)
    return r->survey.rest_bytes > 0 && r->survey.rest_bytes >= least_bytes;
  osm_debug ("%s", why.message);
  osm_freemap_init (&r->survey.map, r->size_bytes);
  return true;
}

/* failed: why the appliance could not tell more, or NULL. */
static int
finish_survey (struct run *r, const struct osm_error *failed, json_t **ret, struct osm_error *err)
{
  size_t i;
  json_t *one;

  json_array_foreach (r->survey.found, i, one) if (json_object_get (one, "rest"))
  {
    OSM_CLEANUP_FREE char *why =
        osm_asprintf ("%s%s%s", osm_json_str (one, "left"), failed ? ": " : ", and it is small",
                      failed ? failed->message : "");

    osm_json_set_str (one, "left", why);
    json_object_del (one, "rest");
  }
  return finish (r, &r->survey.map, r->survey.found, ret, err);
}

/* A map that was written is used: it stays as it is, whatever happens to the job. */
static bool
take_existing (const char *path, uint64_t size_bytes, json_t **ret)
{
  OSM_FREEMAP (map);
  OSM_ERROR (ignored);

  if (osm_freemap_load (path, size_bytes, &map, &ignored) == -1)
    return false;
  *ret = osm_json_pack ("{s:I, s:[]}", "free_bytes", (json_int_t)map.free_bytes, "found");
  return true;
}

int
osm_sparse_run (const json_t *specification, const atomic_bool *cancel, json_t **ret,
                struct osm_error *err)
{
  uint64_t seconds = osm_json_uint (specification, "seconds");
  struct run r = { .specification = specification,
                   .cancel = cancel,
                   .size_bytes = osm_json_uint (specification, "size_bytes"),
                   .start_ms = osm_now_ms (),
                   .end_ms = osm_now_ms () + (seconds ? seconds : TOTAL_SECONDS) * 1000,
                   .export = OSM_CHILD_NONE,
                   .appliance = OSM_CHILD_NONE };
  OSM_ERROR (why);
  int result;

  if (take_existing (osm_json_str (specification, "free_file"), r.size_bytes, ret))
    return 0;
  if (nice (NICE) == -1)
    osm_debug ("nice: %s", strerror (errno));
  r.folder = osm_asprintf ("%s/sparse", osm_path_state ());
  r.sockets = osm_asprintf ("%s/sparse", osm_path_runtime ());
  r.overlay = osm_asprintf ("%s/overlay.qcow2", r.folder);
  r.reads = osm_asprintf ("%s/reads", r.folder);
  r.socket = osm_asprintf ("%s/volume", r.sockets);
  if (!appliance_is_needed (&r))
    result = finish_survey (&r, NULL, ret, err);
  else if ((result = search_alone (&r, ret, &why)) == -1) {
    if (why.class != OSM_ERROR_INTERRUPTED && r.survey.map.free_bytes > 0)
      result = finish_survey (&r, &why, ret, err);
    else
      osm_error_move (err, &why);
  }
  osm_survey_done (&r.survey);
  free (r.folder);
  free (r.sockets);
  free (r.overlay);
  free (r.reads);
  free (r.socket);
  return result;
}
