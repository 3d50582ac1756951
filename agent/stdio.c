/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/command.h"
#include "common/file.h"
#include "common/frame.h"
#include "common/json.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "nbd/digest.h"
#include "nbd/server.h"
#include "nbd/zstd.h"
#include "nbd/zstdserver.h"

#define SOCKET_BYTES (2 << 20) /* between us and sshd; the kernel may give less */
#define PIPE_BYTES (1 << 20)   /* the same, where sshd uses pipes */
#define CHUNKS_PER_FRAME 16384

static int
read_request (json_t **ret, struct osm_error *err)
{
  struct osm_frame_fds fds = { STDIN_FILENO, -1 };
  struct osm_frame_io io = osm_frame_io_fds (&fds);

  if (osm_frame_read (&io, ret, err) == -1)
    return -1;
  if (json_integer_value (json_object_get (*ret, "protocol")) != OSM_STDIO_PROTOCOL ||
      !osm_json_str (*ret, "path"))
    return osm_error_set (err, OSM_ERROR_USER, EINVAL,
                          "the request is not one of protocol %d: another version of osm-agent?",
                          OSM_STDIO_PROTOCOL);
  return 0;
}

/* Takes the reference. */
static int
reply (json_t *object, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *frame = object;
  struct osm_frame_fds fds = { -1, STDOUT_FILENO };
  struct osm_frame_io io = osm_frame_io_fds (&fds);

  return osm_frame_write (&io, frame, err);
}

static int
refuse (const struct osm_error *why, struct osm_error *err)
{
  (void)reply (osm_json_pack ("{s:o}", "error", osm_error_to_json (why)), err);
  return OSM_EXIT_FAILED;
}

static int
open_source (const char *path, uint64_t *ret_size, bool *ret_in_use, struct osm_error *err)
{
  OSM_CLEANUP_FD int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  struct stat st;
  off_t end;

  if (fd == -1)
    return osm_error_set_errno (err, errno, "cannot open %s", path);
  if (fstat (fd, &st) == -1)
    return osm_error_set_errno (err, errno, "%s", path);
  if (!S_ISBLK (st.st_mode) && !S_ISREG (st.st_mode))
    return osm_error_set (err, OSM_ERROR_USER, 0, "%s is neither a block device nor a file", path);
  end = lseek (fd, 0, SEEK_END);
  if (end == -1)
    return osm_error_set_errno (err, errno, "cannot find the size of %s", path);
  *ret_size = (uint64_t)end;
  *ret_in_use = false;
  if (S_ISBLK (st.st_mode)) {
    OSM_CLEANUP_FD int alone = open (path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NOCTTY);

    *ret_in_use = alone == -1 && errno == EBUSY;
  }
  return osm_take_fd (&fd);
}

void
osm_stdio_hash (const struct osm_survey *survey, char ret[OSM_SURVEY_HASH_LEN])
{
  snprintf (ret, OSM_SURVEY_HASH_LEN, "%016" PRIx64, osm_survey_hash (&survey->map));
}

int
osm_stdio_survey (bool search, const char *expected, int fd, uint64_t size_bytes,
                  struct osm_survey *ret, struct osm_error *why, struct osm_error *err)
{
  char hash[OSM_SURVEY_HASH_LEN];

  if (!search || osm_survey_run (fd, size_bytes, NULL, ret, why) == -1)
    osm_freemap_init (&ret->map, size_bytes);
  osm_stdio_hash (ret, hash);
  if (search && expected && strcmp (hash, expected) != 0)
    return osm_error_set (err, OSM_ERROR_USER, 0,
                          "its free space is another one than before: it is being written to");
  return 0;
}

static int
survey_request (const json_t *request, int fd, uint64_t size, struct osm_survey *ret,
                json_t *answer, struct osm_error *err)
{
  const char *expected = osm_json_str (request, "map");
  bool search = json_is_true (json_object_get (request, "search"));
  char hash[OSM_SURVEY_HASH_LEN];
  json_t *told;
  OSM_ERROR (why);

  if (osm_stdio_survey (search, expected, fd, size, ret, &why, err) == -1)
    return -1;
  if (!search || expected || !answer)
    return 0;
  osm_stdio_hash (ret, hash);
  told = osm_json_pack ("{s:s, s:I}", "map", hash, "free_bytes", (json_int_t)ret->map.free_bytes);
  if (ret->found)
    json_object_set (told, "found", ret->found);
  osm_json_set_str (told, "error", osm_error_is_set (&why) ? why.message : NULL);
  json_object_set_new (answer, "survey", told);
  return 0;
}

/* Nobody has to remove it. *ret is -1 if nothing is free. */
static int
write_map (const struct osm_freemap *map, int *ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE void *data = NULL;
  OSM_CLEANUP_FD int fd = -1;
  size_t len;

  *ret = -1;
  if (map->free_bytes == 0)
    return 0;
  data = osm_freemap_encode (map, &len);
  fd = memfd_create ("free", MFD_CLOEXEC);
  if (fd == -1)
    return osm_error_set_errno (err, errno, "free-space map");
  if (osm_write_full (fd, data, len, err) == -1)
    return -1;
  *ret = osm_take_fd (&fd);
  return 0;
}

static void
enlarge_stdout (void)
{
  int n = SOCKET_BYTES;

  if (setsockopt (STDOUT_FILENO, SOL_SOCKET, SO_SNDBUF, &n, sizeof n) == -1)
    (void)fcntl (STDOUT_FILENO, F_SETPIPE_SZ, PIPE_BYTES);
}

struct inner {
  struct osm_volume *volume;
  int fd;
  struct osm_error err;
};

static void *
serve_inner (void *data)
{
  struct inner *inner = data;

  if (osm_serve (inner->volume, inner->fd, inner->fd, &inner->err) == -1)
    osm_debug ("%s", inner->err.message);
  (void)shutdown (inner->fd, SHUT_RDWR);
  return NULL;
}

/* Between the server, which is a thread here, and the client. */
static int
serve_compressed (struct osm_volume *v, struct osm_error *err)
{
  OSM_CLEANUP_FD int ours = -1, theirs = -1;
  struct inner inner = { .volume = v };
  pthread_t thread;
  int pair[2], r;

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
    return osm_error_set_errno (err, errno, "socketpair");
  ours = pair[0];
  inner.fd = theirs = pair[1];
  errno = pthread_create (&thread, NULL, serve_inner, &inner);
  if (errno != 0)
    return osm_error_set_errno (err, errno, "start a thread");
  /* They are pipes where sshd was built so. */
  (void)fcntl (STDIN_FILENO, F_SETFL, fcntl (STDIN_FILENO, F_GETFL) | O_NONBLOCK);
  (void)fcntl (STDOUT_FILENO, F_SETFL, fcntl (STDOUT_FILENO, F_GETFL) | O_NONBLOCK);
  r = osm_zstd_join (STDIN_FILENO, STDOUT_FILENO, ours, OSM_ZSTD_LEVEL, err);
  (void)shutdown (ours, SHUT_RDWR);
  pthread_join (thread, NULL);
  osm_error_done (&inner.err);
  return r;
}

static int
serve (const json_t *request, struct osm_volume *v, struct osm_error *err)
{
  const struct sigaction ignore = { .sa_handler = SIG_IGN };

  sigaction (SIGPIPE, &ignore, NULL);
  if (json_is_true (json_object_get (request, "compress")))
    return serve_compressed (v, err);
  return osm_serve (v, STDIN_FILENO, STDOUT_FILENO, err);
}

int
osm_stdio_nbd (struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *request = NULL, *answer = json_object ();
  OSM_CLEANUP_FD int fd = -1, map_fd = -1;
  OSM_CLEANUP_FREE char *map_path = NULL;
  OSM_SURVEY (survey);
  struct osm_volume_options options = { 0 };
  struct osm_volume *v = NULL;
  bool in_use;
  int r;
  OSM_ERROR (why);

  if (read_request (&request, &why) == -1 ||
      (fd = open_source (osm_json_str (request, "path"), &options.size_bytes, &in_use, &why)) ==
          -1 ||
      survey_request (request, fd, options.size_bytes, &survey, answer, &why) == -1 ||
      write_map (&survey.map, &map_fd, &why) == -1)
    return refuse (&why, err);
  options.fd = fd;
  if (map_fd >= 0)
    options.free_path = map_path = osm_asprintf ("/proc/self/fd/%d", map_fd);
  if (osm_volume_new (&options, &v, &why) == -1)
    return refuse (&why, err);
  json_object_set_new (answer, "size_bytes", json_integer ((json_int_t)options.size_bytes));
  json_object_set_new (answer, "in_use", json_boolean (in_use));
  r = reply (osm_take (answer), err);
  if (r == 0) {
    enlarge_stdout ();
    r = serve (request, v, err);
  }
  osm_volume_free (v);
  return r == -1 ? OSM_EXIT_FAILED : OSM_EXIT_OK;
}

/* Nobody waits for a digest whose connection has gone. */
static void *
watch_stdin (void *data)
{
  atomic_bool *cancel = data;
  char c;

  while (read (STDIN_FILENO, &c, 1) == -1 && errno == EINTR)
    ;
  atomic_store (cancel, true);
  return NULL;
}

int
osm_stdio_digest (struct osm_error *err)
{
  static atomic_bool cancel; /* the watching thread is never joined */
  OSM_CLEANUP_JSON json_t *request = NULL;
  OSM_CLEANUP_FD int fd = -1;
  OSM_MANIFEST (m);
  OSM_SURVEY (survey);
  struct osm_digest_options options = { .cancel = &cancel, .free = &survey.map };
  pthread_t thread;
  uint64_t size;
  bool in_use;
  json_int_t chunk;
  OSM_ERROR (why);

  if (read_request (&request, &why) == -1 ||
      (fd = open_source (osm_json_str (request, "path"), &size, &in_use, &why)) == -1 ||
      survey_request (request, fd, size, &survey, NULL, &why) == -1)
    return refuse (&why, err);
  chunk = json_integer_value (json_object_get (request, "chunk_bytes"));
  options.chunk_bytes = chunk > 0 ? (uint64_t)chunk : 0;
  options.drop_cache = json_is_true (json_object_get (request, "drop_cache"));
  errno = pthread_create (&thread, NULL, watch_stdin, &cancel);
  if (errno == 0)
    pthread_detach (thread);
  if (osm_digest_run (osm_json_str (request, "path"), size, &options, &m, &why) == -1)
    return refuse (&why, err);
  for (uint64_t i = 0; i < m.nr_chunks; i += CHUNKS_PER_FRAME) {
    OSM_CLEANUP_FREE char *hex = osm_manifest_hex (&m, i, CHUNKS_PER_FRAME);

    if (reply (osm_json_pack ("{s:s}", "chunks", hex), err) == -1)
      return OSM_EXIT_FAILED;
  }
  return reply (osm_json_pack ("{s:s}", "sha256", m.sha256), err) == -1 ? OSM_EXIT_FAILED
                                                                        : OSM_EXIT_OK;
}
