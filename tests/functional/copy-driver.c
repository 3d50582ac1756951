/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Drives the copy engine for the functional tests.
 *
 *   copy-driver [-c CONNECTIONS] [-r REQUESTS] [-B REQUEST_BYTES] [-b BITMAP] [-t RECONNECT_MS] \
 *               [-x CANCEL_AT_BYTES] [-z] [-Z (zeros for what cannot be read)] [-f] \
 *               [-S ADDRESS,PORT,USER,KEY,HOST_KEYS_FILE[,CIPHER]] SOCKET SIZE DESTINATION
 *   copy-driver [-S ...] -l BYTES SOCKET                     link test
 *   copy-driver -d CHUNK [-F FREE_MAP] SIZE PATH              digest
 *   copy-driver -W OFFSET+LENGTH[,...] SIZE PATH             write a free-space map
 *   copy-driver -k PATH                                      make a key
 *   copy-driver -T LISTEN SOCKET                             compressed twin of SOCKET at LISTEN, for ever
 *   copy-driver [-F FREE_MAP] [-R READS] -N SOCKET SIZE PATH|-  NBD server of a file (or of synthetic data), for ever
 *
 * -C auto|on|off: compression, off without it.
 *
 * Prints one line of JSON; progress lines "done N" on stderr when -p is given. Status as class of the error:
 * 0 done, 1 user, 2 retry, 3 remote, 4 bug, 5 interrupted. */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "common/parse.h"
#include "common/strbuf.h"
#include "nbd/copy.h"
#include "nbd/digest.h"
#include "nbd/linktest.h"
#include "nbd/server.h"
#include "nbd/sshkey.h"
#include "nbd/volume.h"
#include "nbd/zstd.h"
#include "nbd/zstdserver.h"

struct driver {
  unsigned connections, requests, request_bytes;
  const char *bitmap_path;
  uint64_t reconnect_ms, cancel_at;
  bool zero, free, bad_zero, show_progress;
  json_t *result; /* borrowed */
  struct osm_tunnel_source tunnel;
  struct osm_compression *compression;
  char **ssh; /* parts of -S */
  char **host_keys;
  struct osm_copy_progress progress;
  atomic_bool cancel, ended;
};

static void *
watch (void *data)
{
  struct driver *d = data;

  while (!atomic_load (&d->ended)) {
    struct timespec ts = { .tv_nsec = 5000000 };
    uint64_t done = atomic_load (&d->progress.done_bytes);

    if (d->show_progress)
      fprintf (stderr, "done %" PRIu64 " connections %u sent %" PRIu64 "\n", done,
               atomic_load (&d->progress.connections), atomic_load (&d->progress.sent_bytes));
    if (d->cancel_at && done >= d->cancel_at)
      atomic_store (&d->cancel, true);
    nanosleep (&ts, NULL);
  }
  return NULL;
}

static int
parse_ssh (struct driver *d, const char *text, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *keys = NULL;
  struct osm_ssh_target *t = &d->tunnel.target;
  uint64_t port;

  d->ssh = osm_strv_split (text, ',');
  if (osm_strv_len (d->ssh) < 5)
    return osm_error_set (err, OSM_ERROR_USER, 0, "-S has too few parts");
  if (osm_parse_uint (d->ssh[1], "port", 1, 65535, &port, err) == -1 ||
      osm_file_read (d->ssh[4], 65536, &keys, NULL, err) == -1)
    return -1;
  while (osm_str_ends_with (keys, "\n"))
    keys[strlen (keys) - 1] = '\0';
  d->host_keys = osm_strv_split (keys, '\n');
  t->address = d->ssh[0];
  t->port = (uint16_t)port;
  t->user = d->ssh[2];
  t->private_key_path = d->ssh[3];
  t->host_keys = d->host_keys;
  if (d->ssh[5] && strcmp (d->ssh[5], "chacha20") == 0)
    t->cipher = OSM_SSH_CIPHER_CHACHA20;
  return 0;
}

static struct osm_source
source_of (struct driver *d, const char *socket_path)
{
  if (!d->ssh)
    return osm_source_unix (socket_path);
  d->tunnel.socket_path = socket_path;
  d->tunnel.compression = d->compression;
  return osm_source_tunnel (&d->tunnel);
}

static int
copy (struct driver *d, const char *socket_path, const char *size, const char *path,
      struct osm_error *err)
{
  OSM_CLEANUP_BITMAP struct osm_bitmap *bitmap = NULL;
  OSM_CLEANUP_BAD_BLOCKS struct osm_bad_blocks *bad_blocks = NULL;
  OSM_CLEANUP_FD int fd = -1;
  struct osm_source source = source_of (d, socket_path);
  struct osm_copy_options options = { .connections = d->connections,
                                      .requests = d->requests,
                                      .request_bytes = d->request_bytes,
                                      .reconnect_ms = d->reconnect_ms,
                                      .destination_is_zero = d->zero,
                                      .free_map = d->free,
                                      .discard = strcmp (path, "-") == 0,
                                      .bitmap_path = d->bitmap_path,
                                      .cancel = &d->cancel,
                                      .progress = &d->progress };
  pthread_t watcher;
  int r;

  if (osm_parse_uint (size, "size", 0, INT64_MAX, &options.size_bytes, err) == -1)
    return -1;
  if (!options.discard && (fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) == -1)
    return osm_error_set_errno (err, errno, "open %s", path);
  if (d->bitmap_path && osm_file_exists (d->bitmap_path) &&
      osm_bitmap_load (d->bitmap_path, options.size_bytes, &bitmap, err) == -1)
    return -1;
  if (d->bitmap_path && !bitmap && osm_bitmap_new (options.size_bytes, 0, &bitmap, err) == -1)
    return -1;
  options.bitmap = bitmap;
  if (d->bad_zero && osm_bad_blocks_new (NULL, options.size_bytes, &bad_blocks, err) == -1)
    return -1;
  options.bad_blocks = bad_blocks;
  errno = pthread_create (&watcher, NULL, watch, d);
  if (errno)
    return osm_error_set_errno (err, errno, "thread");
  r = osm_copy_run (&source, fd, &options, err);
  atomic_store (&d->ended, true);
  pthread_join (watcher, NULL);
  if (bad_blocks)
    json_object_set_new (d->result, "bad_blocks", osm_bad_blocks_to_json (bad_blocks));
  return r;
}

static int
write_map (const char *ranges, const char *size, const char *path, struct osm_error *err)
{
  OSM_CLEANUP_STRV char **list = osm_strv_split (ranges, ',');
  OSM_FREEMAP (map);
  uint64_t n, offset, length;

  if (osm_parse_uint (size, "size", 0, INT64_MAX, &n, err) == -1)
    return -1;
  osm_freemap_init (&map, n);
  for (char **r = list; *r; r++) {
    char *plus = strchr (*r, '+');

    if (!plus)
      return osm_error_set (err, OSM_ERROR_USER, 0, "-W: no '+'");
    *plus = '\0';
    if (osm_parse_uint (*r, "offset", 0, INT64_MAX, &offset, err) == -1 ||
        osm_parse_uint (plus + 1, "length", 0, INT64_MAX, &length, err) == -1 ||
        osm_freemap_add (&map, offset, length, err) == -1)
      return -1;
  }
  return osm_freemap_save (&map, path, err);
}

static int
listen_at (const char *path, struct osm_error *err)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  snprintf (address.sun_path, sizeof address.sun_path, "%s", path);
  if (fd == -1 || bind (fd, (struct sockaddr *)&address, sizeof address) == -1 ||
      listen (fd, 128) == -1)
    return osm_error_set_errno (err, errno, "listen at %s", path);
  return fd;
}

static int
serve_zstd (const char *path, const char *socket_path, struct osm_error *err)
{
  int fd = listen_at (path, err);

  return fd == -1 ? -1 : osm_zstd_serve (fd, socket_path, OSM_ZSTD_LEVEL, err);
}

static int
serve_nbd (const char *socket_path, const char *free_path, const char *reads_path, const char *size,
           const char *path, struct osm_error *err)
{
  struct osm_volume_options options = { .free_path = free_path, .reads_path = reads_path };
  struct osm_volume *volume;
  int fd;

  if (osm_parse_uint (size, "size", 0, INT64_MAX, &options.size_bytes, err) == -1)
    return -1;
  options.fd = strcmp (path, "-") == 0 ? -1 : open (path, O_RDONLY | O_CLOEXEC);
  if (options.fd == -1 && strcmp (path, "-") != 0)
    return osm_error_set_errno (err, errno, "cannot open %s", path);
  signal (SIGPIPE, SIG_IGN);
  if (osm_volume_new (&options, &volume, err) == -1 || (fd = listen_at (socket_path, err)) == -1)
    return -1;
  return osm_serve_socket (volume, fd, err);
}

static int
run (struct driver *d, int argc, char **argv, json_t *result, struct osm_error *err)
{
  const char *link_bytes = NULL, *chunk = NULL, *key = NULL, *free_path = NULL, *ranges = NULL,
             *twin = NULL, *server = NULL, *reads = NULL;
  enum osm_compression_mode mode = OSM_COMPRESSION_OFF;
  uint64_t n;
  int o;

  while ((o = getopt (argc, argv, "b:B:c:C:d:fF:k:l:N:pr:R:S:t:T:vW:x:zZ")) != -1)
    switch (o) {
    case 'b':
      d->bitmap_path = optarg;
      break;
    case 'c':
      if (osm_parse_uint (optarg, "-c", 1, 16, &n, err) == -1)
        return -1;
      d->connections = (unsigned)n;
      break;
    case 'r':
      if (osm_parse_uint (optarg, "-r", 1, 128, &n, err) == -1)
        return -1;
      d->requests = (unsigned)n;
      break;
    case 'B':
      if (osm_parse_uint (optarg, "-B", 4096, 32 << 20, &n, err) == -1)
        return -1;
      d->request_bytes = (unsigned)n;
      break;
    case 'C':
      if (osm_compression_parse (optarg, &mode, err) == -1)
        return -1;
      break;
    case 'T':
      twin = optarg;
      break;
    case 'N':
      server = optarg;
      break;
    case 'R':
      reads = optarg;
      break;
    case 'd':
      chunk = optarg;
      break;
    case 'f':
      d->free = true;
      break;
    case 'F':
      free_path = optarg;
      break;
    case 'W':
      ranges = optarg;
      break;
    case 'k':
      key = optarg;
      break;
    case 'l':
      link_bytes = optarg;
      break;
    case 'p':
      d->show_progress = true;
      break;
    case 'S':
      if (parse_ssh (d, optarg, err) == -1)
        return -1;
      break;
    case 't':
      if (osm_parse_uint (optarg, "-t", 1, 1000000, &d->reconnect_ms, err) == -1)
        return -1;
      break;
    case 'v':
      osm_log_set_level (OSM_LOG_DEBUG);
      break;
    case 'x':
      if (osm_parse_uint (optarg, "-x", 1, INT64_MAX, &d->cancel_at, err) == -1)
        return -1;
      break;
    case 'z':
      d->zero = true;
      break;
    case 'Z':
      d->bad_zero = true;
      break;
    default:
      return osm_error_set (err, OSM_ERROR_USER, 0, "wrong option");
    }
  argc -= optind;
  argv += optind;
  d->compression = osm_compression_new (mode);

  if (twin && argc == 1)
    return serve_zstd (twin, argv[0], err);
  if (server && argc == 2)
    return serve_nbd (server, free_path, reads, argv[0], argv[1], err);
  if (key) {
    OSM_CLEANUP_FREE char *line = NULL;

    if (osm_sshkey_ensure (key, "copy-driver", &line, err) == -1)
      return -1;
    osm_json_set_str (result, "public_key", line);
    return 0;
  }
  if (chunk && argc == 2) {
    struct osm_digest_options options = { .drop_cache = true };
    OSM_MANIFEST (m);
    OSM_FREEMAP (map);

    if (osm_parse_uint (chunk, "-d", 0, INT64_MAX, &options.chunk_bytes, err) == -1 ||
        osm_parse_uint (argv[0], "size", 0, INT64_MAX, &n, err) == -1 ||
        (free_path && osm_freemap_load (free_path, n, &map, err) == -1))
      return -1;
    options.free = free_path ? &map : NULL;
    if (osm_digest_run (argv[1], n, &options, &m, err) == -1)
      return -1;
    osm_json_set_str (result, "sha256", m.sha256);
    return 0;
  }
  if (ranges && argc == 2)
    return write_map (ranges, argv[0], argv[1], err);
  if (link_bytes && argc == 1) {
    struct osm_source source = source_of (d, argv[0]);
    struct osm_link_test_result r;

    if (osm_parse_uint (link_bytes, "-l", 0, INT64_MAX, &n, err) == -1 ||
        osm_link_test (&source, n, 10000, NULL, &r, err) == -1)
      return -1;
    osm_json_set_str (result, "cipher", r.cipher);
    json_object_set_new (result, "rtt_us", json_integer ((json_int_t)r.rtt_us));
    json_object_set_new (result, "bytes", json_integer ((json_int_t)r.bytes));
    json_object_set_new (result, "bytes_per_second", json_integer ((json_int_t)r.bytes_per_second));
    return 0;
  }
  if (argc != 3)
    return osm_error_set (err, OSM_ERROR_USER, 0, "wrong operands");
  return copy (d, argv[0], argv[1], argv[2], err);
}

int
main (int argc, char **argv)
{
  static struct driver d;
  OSM_CLEANUP_JSON json_t *result = json_object ();
  OSM_CLEANUP_FREE char *text = NULL;
  OSM_ERROR (err);

  osm_log_init ("copy-driver", OSM_LOG_WARNING);
  d.result = result;
  if (run (&d, argc, argv, result, &err) == -1) {
    json_object_set_new (result, "error", osm_error_to_json (&err));
  }
  json_object_set_new (result, "done", json_integer ((json_int_t)d.progress.done_bytes));
  json_object_set_new (result, "sent", json_integer ((json_int_t)d.progress.sent_bytes));
  json_object_set_new (result, "zero", json_integer ((json_int_t)d.progress.zero_bytes));
  json_object_set_new (result, "free", json_integer ((json_int_t)d.progress.free_bytes));
  json_object_set_new (result, "reconnects", json_integer ((json_int_t)d.progress.reconnects));
  json_object_set_new (result, "wire",
                       json_integer ((json_int_t)osm_compression_wire_bytes (d.compression)));
  if (d.progress.cipher_known)
    osm_json_set_str (result, "cipher", d.progress.cipher);
  text = osm_json_dump (result);
  puts (text);
  osm_strv_free (d.ssh);
  osm_strv_free (d.host_keys);
  osm_compression_free (d.compression);
  return (int)err.class;
}
