/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/carrier.h"
#include "agent/device.h"
#include "agent/job.h"
#include "agent/paths.h"
#include "agent/sparse.h"
#include "agent/survey.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/frame.h"
#include "common/json.h"
#include "common/ranges.h"
#include "common/strbuf.h"
#include "nbd/copy.h"
#include "nbd/digest.h"
#include "nbd/linktest.h"
#include "nbd/server.h"
#include "nbd/source.h"
#include "nbd/volume.h"
#include "nbd/zstd.h"
#include "nbd/zstdserver.h"

#define REPORT_MS 250
#define LISTEN_FD 3 /* of export and compress */

static atomic_bool cancelled;

static void
on_terminate (int signal_number)
{
  (void)signal_number;
  atomic_store (&cancelled, true);
}

static int
write_frame (const json_t *frame, struct osm_error *err)
{
  struct osm_frame_fds fds = { -1, STDOUT_FILENO };
  struct osm_frame_io io = osm_frame_io_fds (&fds);

  return osm_frame_write (&io, frame, err);
}

/* ---- a thread that reports the counters and hears what the service has to say ---- */

struct reporter {
  const struct osm_copy_progress *copy; /* or NULL */
  const struct osm_compression *compression;
  const _Atomic uint64_t *digest;    /* or NULL */
  struct osm_bad_blocks *bad_blocks; /* or NULL */
  struct osm_throttle *throttle;     /* of the copy */
  _Atomic unsigned *connections;     /* of the copy */
  struct osm_frame_parser parser;
  int stdin_fd; /* -1: nothing more to hear */
  int stop_fd;
  pthread_t thread;
};

static void
set_number (json_t *progress, const char *key, uint64_t n)
{
  json_object_set_new (progress, key, json_integer ((json_int_t)n));
}

/* Nothing is said of no bad blocks. */
static void
add_bad_blocks (json_t *object, struct osm_bad_blocks *bad_blocks)
{
  OSM_CLEANUP_JSON json_t *list = bad_blocks ? osm_bad_blocks_to_json (bad_blocks) : NULL;

  if (json_array_size (list) > 0)
    json_object_set (object, "bad_blocks", list);
}

static void
report_once (const struct reporter *r)
{
  json_t *progress = json_object ();
  OSM_CLEANUP_JSON json_t *frame = osm_json_pack ("{s:o}", "progress", progress);
  OSM_ERROR (ignored);

  if (r->copy) {
    set_number (progress, "done_bytes", atomic_load (&r->copy->done_bytes));
    set_number (progress, "sent_bytes", atomic_load (&r->copy->sent_bytes));
    set_number (progress, "zero_bytes", atomic_load (&r->copy->zero_bytes));
    set_number (progress, "free_bytes", atomic_load (&r->copy->free_bytes));
    set_number (progress, "wire_bytes", osm_compression_wire_bytes (r->compression));
    set_number (progress, "found_bytes", atomic_load (&r->copy->found_bytes));
    set_number (progress, "left_bytes", atomic_load (&r->copy->left_bytes));
    set_number (progress, "unknown_bytes", atomic_load (&r->copy->unknown_bytes));
    set_number (progress, "connections", atomic_load (&r->copy->connections));
    if (atomic_load (&r->copy->cipher_known))
      osm_json_set_str (progress, "cipher", r->copy->cipher);
  }
  else
    set_number (progress, "done_bytes", atomic_load (r->digest));
  add_bad_blocks (progress, r->bad_blocks);
  /* If the service is gone, so are we in a moment. */
  (void)write_frame (frame, &ignored);
}

static void
obey (struct reporter *r, const json_t *limit)
{
  if (r->throttle)
    osm_throttle_set (r->throttle, osm_json_uint (limit, "bytes_per_second"));
  if (r->connections && osm_json_uint (limit, "connections") > 0)
    atomic_store (r->connections, (unsigned)osm_json_uint (limit, "connections"));
}

/* What it says that is not understood is no reason to end. */
static void
hear (struct reporter *r)
{
  char buf[4096];
  ssize_t n = read (r->stdin_fd, buf, sizeof buf);
  OSM_ERROR (ignored);

  if (n == -1 && (errno == EINTR || errno == EAGAIN))
    return;
  if (n <= 0 || osm_frame_parser_feed (&r->parser, buf, (size_t)n, &ignored) == -1) {
    r->stdin_fd = -1;
    return;
  }
  for (;;) {
    OSM_CLEANUP_JSON json_t *frame = NULL;

    if (osm_frame_parser_take (&r->parser, &frame, &ignored) == -1) {
      r->stdin_fd = -1;
      return;
    }
    if (!frame)
      return;
    if (json_object_get (frame, "limit"))
      obey (r, json_object_get (frame, "limit"));
  }
}

static void *
report (void *data)
{
  struct reporter *r = data;
  uint64_t next_ms = osm_now_ms () + REPORT_MS;

  for (;;) {
    struct pollfd fds[2] = { { .fd = r->stop_fd, .events = POLLIN },
                             { .fd = r->stdin_fd, .events = POLLIN } };
    uint64_t now = osm_now_ms ();

    if (now >= next_ms) {
      report_once (r);
      next_ms = now + REPORT_MS;
    }
    if (poll (fds, 2, (int)(next_ms - now)) == -1)
      continue; /* EINTR */
    if (fds[0].revents)
      return NULL;
    if (fds[1].revents)
      hear (r);
  }
}

static int
reporter_start (struct reporter *r, struct osm_error *err)
{
  int e;

  r->stdin_fd = STDIN_FILENO;
  r->stop_fd = eventfd (0, EFD_CLOEXEC);
  if (r->stop_fd == -1)
    return osm_error_set_errno (err, errno, "eventfd");
  e = pthread_create (&r->thread, NULL, report, r);
  if (e == 0)
    return 0;
  close (r->stop_fd);
  return osm_error_set_errno (err, e, "start the thread that reports progress");
}

static void
reporter_stop (struct reporter *r)
{
  uint64_t one = 1;

  while (write (r->stop_fd, &one, sizeof one) == -1 && errno == EINTR)
    ;
  pthread_join (r->thread, NULL);
  close (r->stop_fd);
  osm_frame_parser_done (&r->parser);
  report_once (r);
}

/* ---- what a specification says ---- */

/* Owns the vector of host keys. */
struct source_spec {
  struct osm_tunnel_source tunnel;
  char **host_keys;
};

static int
read_source (const json_t *specification, struct source_spec *ret, struct osm_error *err)
{
  const json_t *source = json_object_get (specification, "source");
  enum osm_ssh_cipher cipher;
  size_t i;
  json_t *key;

  if (osm_ssh_cipher_parse (osm_json_str (source, "cipher"), &cipher, err) == -1)
    return -1;
  json_array_foreach (json_object_get (source, "host_keys"), i, key) if (json_is_string (key))
      osm_strv_append (&ret->host_keys, json_string_value (key));
  if (!osm_json_str (source, "address") || !osm_json_str (source, "socket") || !ret->host_keys)
    return osm_error_set (err, OSM_ERROR_USER, EINVAL,
                          "'source' needs address, socket and host_keys");
  ret->tunnel = (struct osm_tunnel_source){
    .target = { .address = osm_json_str (source, "address"),
                .port = (uint16_t)osm_json_uint (source, "port"),
                .user = osm_json_str (source, "user") ? osm_json_str (source, "user") : "osm-peer",
                .private_key_path = osm_json_str (specification, "key"),
                .host_keys = ret->host_keys,
                .cipher = cipher },
    .socket_path = osm_json_str (source, "socket"),
  };
  return 0;
}

/* ---- copy ---- */

/* A bitmap that is missing or does not fit means: from the start. */
static int
load_bitmap (const char *path, uint64_t size, struct osm_bitmap **ret, struct osm_error *err)
{
  OSM_ERROR (ignored);

  if (osm_file_exists (path) && osm_bitmap_load (path, size, ret, &ignored) == 0)
    return 0;
  return osm_bitmap_new (size, 0, ret, err);
}

/* Where the operator wants zeros for what cannot be read; else NULL. */
static int
open_bad_blocks (const json_t *specification, struct osm_bad_blocks **ret, struct osm_error *err)
{
  *ret = NULL;
  if (!osm_str_equal (osm_json_str (specification, "bad_blocks"), "zero"))
    return 0;
  return osm_bad_blocks_new (osm_json_str (specification, "bad_blocks_file"),
                             osm_json_uint (specification, "size_bytes"), ret, err);
}

/* *ret is empty when there is nothing to repair. */
static int
read_repair (const json_t *specification, struct osm_ranges *ret, struct osm_error *err)
{
  const json_t *list = json_object_get (specification, "repair");

  return list ? osm_ranges_from_json (list, osm_json_uint (specification, "size_bytes"),
                                      OSM_REPAIR_RANGES_MAX, ret, err)
              : 0;
}

/* What is to be repaired is copied again: it is not finished any more, also if this run is cut off. */
static int
forget_ranges (const struct osm_ranges *ranges, struct osm_bitmap *bitmap, const char *bitmap_path,
               struct osm_bad_blocks *bad_blocks, struct osm_error *err)
{
  if (ranges->nr == 0)
    return 0;
  for (size_t i = 0; i < ranges->nr; i++) {
    osm_bitmap_clear (bitmap, ranges->v[i].offset, ranges->v[i].length);
    if (bad_blocks)
      osm_bad_blocks_remove (bad_blocks, ranges->v[i].offset, ranges->v[i].length);
  }
  return osm_bitmap_save (bitmap, bitmap_path, err);
}

static int
run_copy (const json_t *specification, json_t **ret, struct osm_error *err)
{
  struct source_spec spec = { .host_keys = NULL };
  struct osm_source source;
  struct osm_copy_progress progress = { 0 };
  OSM_CLEANUP_COMPRESSION struct osm_compression *compression = NULL;
  enum osm_compression_mode mode;
  OSM_CLEANUP_BITMAP struct osm_bitmap *bitmap = NULL;
  OSM_CLEANUP_BAD_BLOCKS struct osm_bad_blocks *bad_blocks = NULL;
  OSM_RANGES (repair);
  OSM_CLEANUP_FD int fd = -1;
  const json_t *limit = json_object_get (specification, "limit");
  struct osm_throttle throttle = OSM_THROTTLE_INIT (osm_json_uint (limit, "bytes_per_second"));
  _Atomic unsigned connections = OSM_COPY_CONNECTIONS_MAX;
  struct reporter reporter = { .copy = &progress,
                               .throttle = &throttle,
                               .connections = &connections };
  const char *bitmap_path = osm_json_str (specification, "bitmap");
  struct osm_copy_options options = {
    .size_bytes = osm_json_uint (specification, "size_bytes"),
    .connections = (unsigned)osm_json_uint (specification, "connections"),
    .requests = (unsigned)osm_json_uint (specification, "requests"),
    .reconnect_ms = osm_json_uint (specification, "reconnect_seconds") * 1000,
    .memory_bytes = osm_json_uint (specification, "memory_bytes"),
    .throttle = &throttle,
    .connections_now = &connections,
    .bitmap_path = bitmap_path,
    .cancel = &cancelled,
    .progress = &progress
  };
  int r;

  obey (&reporter, limit);
  if (osm_compression_parse (osm_json_str (specification, "compression"), &mode, err) == -1 ||
      read_source (specification, &spec, err) == -1) {
    osm_strv_free (spec.host_keys);
    return -1;
  }
  compression = osm_compression_new (mode);
  spec.tunnel.compression = compression;
  reporter.compression = compression;
  source = osm_source_tunnel (&spec.tunnel);
  fd = osm_device_open (osm_json_str (specification, "volume_id"),
                        osm_json_str (specification, "device"), osm_device_size_of (specification),
                        true, err);
  if (fd == -1 || load_bitmap (bitmap_path, options.size_bytes, &bitmap, err) == -1 ||
      open_bad_blocks (specification, &bad_blocks, err) == -1 ||
      read_repair (specification, &repair, err) == -1 ||
      forget_ranges (&repair, bitmap, bitmap_path, bad_blocks, err) == -1 ||
      (reporter.bad_blocks = bad_blocks,
       atomic_store (&progress.done_bytes, osm_bitmap_done_bytes (bitmap)),
       reporter_start (&reporter, err)) == -1) {
    osm_strv_free (spec.host_keys);
    return -1;
  }
  options.bitmap = bitmap;
  options.bad_blocks = bad_blocks;
  options.free_map = json_is_true (json_object_get (specification, "free_map"));
  r = osm_copy_run (&source, fd, &options, err);
  reporter_stop (&reporter);
  osm_strv_free (spec.host_keys);
  if (r == 0) {
    *ret = json_object ();
    if (options.free_map)
      json_object_set_new (*ret, "free_bytes",
                           json_integer ((json_int_t)atomic_load (&progress.free_bytes)));
    add_bad_blocks (*ret, bad_blocks);
  }
  return r;
}

/* ---- digest ---- */

/* The digests that are to be repeated in part. Without them (false) all of it is digested. */
static bool
load_previous (const json_t *specification, const struct osm_digest_options *options,
               struct osm_manifest *ret)
{
  OSM_ERROR (ignored);
  uint64_t size = osm_json_uint (specification, "size_bytes"),
           chunk = options->chunk_bytes ? options->chunk_bytes : OSM_DIGEST_CHUNK_DEFAULT,
           chunks = size / chunk + (size % chunk != 0);
  char *data = NULL;
  size_t len = 0;

  if (chunks > OSM_DIGEST_CHUNKS_MAX ||
      osm_file_read (osm_json_str (specification, "digests"), chunks * OSM_DIGEST_LEN, &data, &len,
                     &ignored) == -1)
    return false;
  ret->digests = (unsigned char *)data;
  ret->size_bytes = size;
  ret->chunk_bytes = chunk;
  ret->nr_chunks = chunks;
  return len == chunks * OSM_DIGEST_LEN;
}

static int
run_digest (const json_t *specification, json_t **ret, struct osm_error *err)
{
  _Atomic uint64_t done = 0;
  struct reporter reporter = { .digest = &done };
  struct osm_digest_options options = {
    .chunk_bytes = osm_json_uint (specification, "chunk_bytes"),
    .drop_cache = json_is_true (json_object_get (specification, "drop_cache")),
    .larger = json_is_true (json_object_get (specification, "larger")),
    .cancel = &cancelled,
    .done_bytes = &done,
  };
  const char *volume_id = osm_json_str (specification, "volume_id"),
             *device = osm_json_str (specification, "device");
  uint64_t size = osm_json_uint (specification, "size_bytes");
  OSM_CLEANUP_FD int fd =
      osm_device_open (volume_id, device, osm_device_size_of (specification), false, err);
  OSM_MANIFEST (manifest);
  OSM_MANIFEST (previous);
  OSM_RANGES (repair);
  OSM_CLEANUP_BAD_BLOCKS struct osm_bad_blocks *bad_blocks = NULL;
  const char *free_file = osm_json_str (specification, "free_file");
  OSM_FREEMAP (map);
  int r;

  if (free_file && osm_freemap_load (free_file, size, &map, err) == -1)
    return osm_error_wrap (err, "free-space map");
  options.free = free_file ? &map : NULL;
  if (fd == -1 || read_repair (specification, &repair, err) == -1 ||
      open_bad_blocks (specification, &bad_blocks, err) == -1)
    return -1;
  options.bad_blocks = reporter.bad_blocks = bad_blocks;
  if (repair.nr > 0 && load_previous (specification, &options, &previous)) {
    options.ranges = &repair;
    options.previous = &previous;
  }
  if (reporter_start (&reporter, err) == -1)
    return -1;
  r = osm_digest_run (device, size, &options, &manifest, err);
  reporter_stop (&reporter);
  /* It opened the disk by its name: that must have meant the same disk all the time. */
  if (r == -1 || osm_device_check (fd, volume_id, err) == -1 ||
      osm_file_write (osm_json_str (specification, "digests"), manifest.digests,
                      manifest.nr_chunks * OSM_DIGEST_LEN, 0600, err) == -1)
    return -1;
  *ret = osm_json_pack ("{s:{s:I, s:I, s:s}}", "manifest", "chunk_bytes",
                        (json_int_t)manifest.chunk_bytes, "chunks", (json_int_t)manifest.nr_chunks,
                        "sha256", manifest.sha256);
  if (free_file)
    json_object_set_new (*ret, "free_bytes", json_integer ((json_int_t)map.free_bytes));
  add_bad_blocks (*ret, bad_blocks);
  return 0;
}

/* ---- link test ---- */

static int
run_link_test (const json_t *specification, json_t **ret, struct osm_error *err)
{
  struct source_spec spec = { .host_keys = NULL };
  struct osm_source source;
  struct osm_link_test_result result = { 0 };
  int r;

  if (read_source (specification, &spec, err) == -1) {
    osm_strv_free (spec.host_keys);
    return -1;
  }
  spec.tunnel.target.connect_timeout_ms = osm_json_uint (specification, "seconds") * 1000;
  source = osm_source_tunnel (&spec.tunnel);
  r = osm_link_test (&source, osm_json_uint (specification, "bytes"),
                     osm_json_uint (specification, "seconds") * 1000, &cancelled, &result, err);
  osm_strv_free (spec.host_keys);
  if (r == 0)
    *ret = osm_json_pack ("{s:I, s:I, s:I, s:s}", "rtt_us", (json_int_t)result.rtt_us, "bytes",
                          (json_int_t)result.bytes, "bytes_per_second",
                          (json_int_t)result.bytes_per_second, "cipher", result.cipher);
  return r;
}

/* ---- export: until it is killed ---- */

static int
run_export (const json_t *specification, json_t **ret, struct osm_error *err)
{
  const struct sigaction ignore = { .sa_handler = SIG_IGN };
  const char *device = osm_json_str (specification, "device");
  struct osm_volume_options options = { .fd = -1 };
  struct osm_volume *volume;

  (void)ret;
  if (device) {
    options.size_bytes = osm_json_uint (specification, "size_bytes");
    options.fd = osm_device_open (osm_json_str (specification, "volume_id"), device,
                                  osm_device_size_of (specification), false, err);
    if (options.fd == -1)
      return -1;
    options.free_path = osm_json_str (specification, "free_file");
    options.reads_path = osm_json_str (specification, "reads_file");
  }
  else
    options.size_bytes = osm_json_uint (specification, "test_bytes");
  sigaction (SIGPIPE, &ignore, NULL);
  /* Its threads never end: what they use stays. */
  if (osm_volume_new (&options, &volume, err) == -1)
    return -1;
  return osm_serve_socket (volume, LISTEN_FD, err);
}

/* ---- compress: until it is killed ---- */

static int
run_compress (const json_t *specification, json_t **ret, struct osm_error *err)
{
  const char *path = osm_json_str (specification, "socket");

  (void)ret;
  if (!path)
    return osm_error_set (err, OSM_ERROR_USER, EINVAL, "'socket' is missing");
  return osm_zstd_serve (LISTEN_FD, path, OSM_ZSTD_LEVEL, err);
}

/* ---- free space ---- */

static int
run_sparse (const json_t *specification, json_t **ret, struct osm_error *err)
{
  return osm_sparse_run (specification, &cancelled, ret, err);
}

/* ---- a carrier: until it is told to end ---- */

static int
run_carrier (const json_t *specification, json_t **ret, struct osm_error *err)
{
  (void)ret;
  return osm_carrier_work (specification, &cancelled, write_frame, err);
}

static void
launched (void)
{
  OSM_CLEANUP_JSON json_t *frame = osm_json_pack ("{s:{}}", "progress");
  OSM_ERROR (ignored);

  (void)write_frame (frame, &ignored);
}

static int
run_survey (const json_t *specification, json_t **ret, struct osm_error *err)
{
  return osm_survey_worker (specification, write_frame, ret, err);
}

static int
run_appliance (const json_t *specification, json_t **ret, struct osm_error *err)
{
  return osm_sparse_appliance (specification, launched, ret, err);
}

/* For the service's greeting. */
static int
say_sparse_version (void)
{
  OSM_CLEANUP_FREE char *version = osm_sparse_version ();

  if (version)
    puts (version);
  return version ? 0 : 1;
}

int
osm_worker_main (const char *kind, struct osm_error *err)
{
  static const struct {
    const char *kind;
    int (*run) (const json_t *specification, json_t **ret, struct osm_error *err);
  } kinds[] = { { "copy", run_copy },           { "digest", run_digest },
                { "link-test", run_link_test }, { "export", run_export },
                { "compress", run_compress },   { "sparse", run_sparse },
                { "appliance", run_appliance }, { "survey", run_survey },
                { "carrier", run_carrier } };
  struct osm_frame_fds fds = { STDIN_FILENO, -1 };
  struct osm_frame_io io = osm_frame_io_fds (&fds);
  OSM_CLEANUP_JSON json_t *specification = NULL, *result = NULL, *frame = NULL;
  const struct sigaction action = { .sa_handler = on_terminate };
  OSM_ERROR (why);

  if (strcmp (kind, "sparse-version") == 0)
    return say_sparse_version ();
  /* Exports, compression and the appliance have nothing to finish. */
  if (strcmp (kind, "export") != 0 && strcmp (kind, "compress") != 0 &&
      strcmp (kind, "appliance") != 0 && strcmp (kind, "survey") != 0)
    sigaction (SIGTERM, &action, NULL);
  if (osm_frame_read (&io, &specification, err) == -1)
    return 1;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    if (!specification || strcmp (kinds[i].kind, kind) != 0)
      continue;
    if (kinds[i].run (specification, &result, &why) == 0)
      frame = osm_json_pack ("{s:o}", "result", osm_take (result));
    else
      frame = osm_json_pack ("{s:o}", "error", osm_error_to_json (&why));
    return write_frame (frame, err) == -1 || osm_error_is_set (&why);
  }
  osm_error_set (err, OSM_ERROR_USER, EINVAL, "worker '%s': unknown, or without a specification",
                 kind);
  return 1;
}
