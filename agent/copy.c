/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "agent/endpoint.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "common/parse.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "nbd/copy.h"

#define PROGRESS_MS 1000

const struct osm_option osm_copy_command_options[] = {
  { "port", 'p', "PORT", "of the other machine's sshd" },
  { "identity", 'i', "FILE", "private key, instead of the SSH agent's and those of ~/.ssh" },
  { "known-hosts", 0, "FILE", "instead of ~/.ssh/known_hosts" },
  { "remote-agent", 0, "COMMAND", "osm-agent of the other machine: a path, or 'sudo osm-agent'" },
  { "connections", 0, "NUMBER", "SSH connections (1 to 16)" },
  { "requests", 0, "NUMBER", "in flight on each connection (1 to 128)" },
  { "compress", 0, "auto|on|off", "compress what crosses the network (auto)" },
  { "resume", 0, "FILE", "keep there what is finished; carry on from it" },
  { "no-sparse", 0, NULL, "do not look for free space; copy all that is not zero" },
  { "no-verify", 0, NULL, "do not compare digests of both sides afterwards" },
  { "progress", 0, NULL, "show it also if stderr is no terminal" },
  { "output", 'o', "text|json", "form of the result on stdout" },
  { NULL, 0, NULL, NULL },
};

struct by_hand {
  struct osm_endpoint from, to;
  struct osm_reach_options reach_options;
  struct osm_copy_options options;
  struct osm_compression *compression;
  const char *resume; /* file of the bitmap, or NULL */
  bool verify, show_progress, json;

  int fd; /* of the destination */
  bool created;

  struct osm_copy_progress progress;
  _Atomic uint64_t verified_bytes; /* at the destination */
  atomic_bool verifying;
  uint64_t copy_ms, verify_ms;
  uint64_t free_bytes; /* of the source */
  char sha256[65];     /* empty: not verified */
};

static atomic_bool cancelled;

static void
on_signal (int signal_number)
{
  (void)signal_number;
  atomic_store (&cancelled, true);
}

/* A second Ctrl-C ends at once, whatever is under way. */
static void
catch_signals (void)
{
  static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
  const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND };
  const struct sigaction ignore = { .sa_handler = SIG_IGN };

  for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
    sigaction (signals[i], &action, NULL);
  sigaction (SIGPIPE, &ignore, NULL);
}

/* ---- command line ---- */

static int
number (const struct osm_args *args, const char *option, uint64_t max, uint64_t *ret,
        struct osm_error *err)
{
  const char *text = osm_args_get (args, option);

  *ret = 0;
  return text ? osm_parse_uint (text, option, 1, max, ret, err) : 0;
}

static int
read_args (const struct osm_args *args, struct by_hand *c, struct osm_error *err)
{
  const char *const *operands;
  uint64_t port, connections, requests;
  enum osm_compression_mode mode;

  osm_args_operands (args, &operands);
  if (number (args, "port", 65535, &port, err) == -1 ||
      number (args, "connections", OSM_COPY_CONNECTIONS_MAX, &connections, err) == -1 ||
      number (args, "requests", OSM_COPY_REQUESTS_MAX, &requests, err) == -1 ||
      osm_compression_parse (osm_args_get (args, "compress"), &mode, err) == -1 ||
      osm_endpoint_parse (operands[0], &c->from, err) == -1 ||
      osm_endpoint_parse (operands[1], &c->to, err) == -1)
    return -1;
  if (c->to.host) {
    osm_error_set (err, OSM_ERROR_USER, EINVAL,
                   "%s is on another machine: copies are made to this one only", operands[1]);
    return osm_error_hint (err, "run the copy on %s, from this machine: osm-agent copy HERE:%s %s",
                           c->to.host, c->from.host ? "..." : c->from.path, c->to.path);
  }
  c->compression = osm_compression_new (mode);
  c->reach_options = (struct osm_reach_options){ .port = (uint16_t)port,
                                                 .identity = osm_args_get (args, "identity"),
                                                 .known_hosts = osm_args_get (args, "known-hosts"),
                                                 .program = osm_args_get (args, "remote-agent"),
                                                 .search = !osm_args_has (args, "no-sparse"),
                                                 .compression = c->compression };
  c->options.connections = (unsigned)connections;
  c->options.requests = (unsigned)requests;
  c->resume = osm_args_get (args, "resume");
  c->verify = !osm_args_has (args, "no-verify");
  c->show_progress = osm_args_has (args, "progress") || isatty (STDERR_FILENO);
  c->json = osm_str_equal (osm_args_get (args, "output"), "json");
  return 0;
}

/* ---- destination ---- */

static int
refuse_same (const struct by_hand *c, const struct stat *to, struct osm_error *err)
{
  struct stat from;

  if (c->from.host || stat (c->from.path, &from) == -1)
    return 0;
  if ((S_ISBLK (to->st_mode) && S_ISBLK (from.st_mode) && to->st_rdev == from.st_rdev) ||
      (S_ISREG (to->st_mode) && to->st_dev == from.st_dev && to->st_ino == from.st_ino))
    return osm_error_set (err, OSM_ERROR_USER, EINVAL, "%s and %s are the same", c->from.path,
                          c->to.path);
  return 0;
}

static int
create_destination (struct by_hand *c, struct osm_error *err)
{
  if (c->resume && osm_file_exists (c->resume)) {
    osm_error_set (err, OSM_ERROR_USER, ENOENT, "there is no %s, but %s says that parts are copied",
                   c->to.path, c->resume);
    return osm_error_hint (err, "remove %s to copy from the start", c->resume);
  }
  c->fd = open (c->to.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (c->fd == -1)
    return osm_error_set_errno (err, errno, "cannot create %s", c->to.path);
  c->created = true;
  c->options.destination_is_zero = true;
  return 0;
}

static int
open_destination (struct by_hand *c, struct osm_error *err)
{
  const char *path = c->to.path;
  struct stat st;

  if (stat (path, &st) == -1) {
    if (errno != ENOENT)
      return osm_error_set_errno (err, errno, "%s", path);
    if (create_destination (c, err) == -1)
      return -1;
  }
  else if (S_ISBLK (st.st_mode)) {
    c->fd = open (path, O_RDWR | O_EXCL | O_CLOEXEC | O_NOCTTY);
    if (c->fd == -1 && errno == EBUSY)
      return osm_error_set (err, OSM_ERROR_USER, EBUSY,
                            "%s is in use (mounted, or part of LVM or RAID): nothing was written",
                            path);
  }
  else if (S_ISREG (st.st_mode)) {
    c->fd = open (path, O_RDWR | O_CLOEXEC | O_NOCTTY);
  }
  else
    return osm_error_set (err, OSM_ERROR_USER, EINVAL, "%s is neither a block device nor a file",
                          path);
  if (c->fd == -1)
    return osm_error_set_errno (err, errno, "cannot open %s", path);
  if (fstat (c->fd, &st) == -1)
    return osm_error_set_errno (err, errno, "%s", path);
  if (refuse_same (c, &st, err) == -1)
    return -1;
  if (S_ISREG (st.st_mode) && flock (c->fd, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK)
    return osm_error_set (err, OSM_ERROR_USER, EBUSY, "%s is in use: another copy writes to it",
                          path);
  if (S_ISBLK (st.st_mode)) {
    off_t end = lseek (c->fd, 0, SEEK_END);

    if (end == -1)
      return osm_error_set_errno (err, errno, "size of %s", path);
    if ((uint64_t)end < c->options.size_bytes)
      return osm_error_set (err, OSM_ERROR_USER, ENOSPC,
                            "%s has %" PRIu64 " bytes, the source %s has %" PRIu64, path,
                            (uint64_t)end, c->from.path, c->options.size_bytes);
  }
  return 0;
}

/* ---- progress ---- */

struct reporter {
  struct by_hand *copy;
  bool terminal, stop;
  uint64_t last_ms, last_done, rate; /* bytes per second, smoothed */
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t wake;
};

static void
report_once (struct reporter *r)
{
  struct by_hand *c = r->copy;
  bool verifying = atomic_load (&c->verifying);
  uint64_t size = c->options.size_bytes;
  uint64_t done =
      verifying ? atomic_load (&c->verified_bytes) : atomic_load (&c->progress.done_bytes);
  uint64_t now = osm_now_ms ();
  char a[OSM_HUMAN_LEN], b[OSM_HUMAN_LEN], s[OSM_HUMAN_LEN], v[OSM_HUMAN_LEN], t[OSM_HUMAN_LEN];
  uint64_t rate;

  if (done < r->last_done) { /* the next phase */
    r->last_done = 0;
    r->rate = 0;
  }
  rate = now > r->last_ms ? (done - r->last_done) * 1000 / (now - r->last_ms) : 0;
  r->rate = r->rate ? (r->rate * 3 + rate) / 4 : rate;
  r->last_ms = now;
  r->last_done = done;
  fprintf (stderr, "%s%s %s of %s (%u%%), %s sent, %s/s, %s left%s", r->terminal ? "\r" : "",
           verifying ? "verified" : "copied", osm_human_size (done, a), osm_human_size (size, b),
           size ? (unsigned)(done * 100.0 / (double)size) : 100,
           osm_human_size (atomic_load (&c->progress.sent_bytes), s), osm_human_size (r->rate, v),
           r->rate ? osm_human_duration ((size - done) * 1000 / r->rate, t) : "?",
           r->terminal ? "\033[K" : "\n");
  fflush (stderr);
}

static void *
report (void *data)
{
  struct reporter *r = data;

  pthread_mutex_lock (&r->lock);
  while (!r->stop) {
    struct timespec until;

    clock_gettime (CLOCK_MONOTONIC, &until);
    until.tv_sec += PROGRESS_MS / 1000;
    if (pthread_cond_timedwait (&r->wake, &r->lock, &until) == ETIMEDOUT)
      report_once (r);
  }
  pthread_mutex_unlock (&r->lock);
  return NULL;
}

static int
reporter_start (struct reporter *r, struct osm_error *err)
{
  pthread_condattr_t attributes;
  int e;

  if (!r->copy->show_progress)
    return 0;
  r->terminal = isatty (STDERR_FILENO);
  r->last_ms = osm_now_ms ();
  r->last_done = atomic_load (&r->copy->progress.done_bytes);
  pthread_mutex_init (&r->lock, NULL);
  pthread_condattr_init (&attributes);
  pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
  pthread_cond_init (&r->wake, &attributes);
  pthread_condattr_destroy (&attributes);
  e = pthread_create (&r->thread, NULL, report, r);
  return e ? osm_error_set_errno (err, e, "start the thread that shows progress") : 0;
}

static void
reporter_stop (struct reporter *r)
{
  if (!r->copy->show_progress)
    return;
  pthread_mutex_lock (&r->lock);
  r->stop = true;
  pthread_cond_signal (&r->wake);
  pthread_mutex_unlock (&r->lock);
  pthread_join (r->thread, NULL);
  if (r->terminal)
    fputs ("\r\033[K", stderr);
}

/* ---- copy and verify ---- */

struct far_digest {
  struct osm_reach *reach;
  struct osm_digest_options options;
  struct osm_manifest manifest;
  struct osm_error error;
};

static void *
run_far_digest (void *data)
{
  struct far_digest *d = data;

  (void)osm_reach_digest (d->reach, &d->options, &d->manifest, &d->error);
  return NULL;
}

/* Each side reads its own disk, both at the same time. */
static int
verify (struct by_hand *c, struct osm_reach *reach, struct osm_error *err)
{
  struct far_digest far = { .reach = reach, .options = { .cancel = &cancelled } };
  const struct osm_digest_options options = {
    .drop_cache = true, .larger = true, .cancel = &cancelled, .done_bytes = &c->verified_bytes
  };
  OSM_MANIFEST (here);
  uint64_t started = osm_now_ms (), offset;
  pthread_t thread;
  int r;

  atomic_store (&c->verifying, true);
  errno = pthread_create (&thread, NULL, run_far_digest, &far);
  if (errno)
    return osm_error_set_errno (err, errno, "start a thread");
  r = osm_digest_run (c->to.path, c->options.size_bytes, &options, &here, err);
  pthread_join (thread, NULL);
  c->verify_ms = osm_now_ms () - started;
  if (r == 0 && osm_error_is_set (&far.error)) {
    osm_error_move (err, &far.error);
    r = -1;
  }
  if (r == 0 && strcmp (here.sha256, far.manifest.sha256) != 0) {
    r = osm_error_set (err, OSM_ERROR_REMOTE, 0, "the copy is not the same as %s", c->from.path);
    if (osm_manifest_differ (&here, &far.manifest, &offset))
      osm_error_wrap (err, "verify: first difference within %" PRIu64 " bytes from offset %" PRIu64,
                      here.chunk_bytes, offset);
    osm_error_hint (err, "was %s written to in the meantime?", c->from.path);
    /* What it says cannot be believed any more. */
    if (c->resume)
      unlink (c->resume);
  }
  if (r == 0)
    memcpy (c->sha256, here.sha256, sizeof c->sha256);
  osm_manifest_done (&far.manifest);
  osm_error_done (&far.error);
  return r;
}

static int
copy (struct by_hand *c, struct osm_reach *reach, struct osm_error *err)
{
  OSM_CLEANUP_BITMAP struct osm_bitmap *bitmap = NULL;
  struct osm_source source = osm_reach_source (reach);
  struct reporter reporter = { .copy = c };
  uint64_t started = osm_now_ms ();
  int r;

  if (c->resume) {
    r = osm_file_exists (c->resume)
            ? osm_bitmap_load (c->resume, c->options.size_bytes, &bitmap, err)
            : osm_bitmap_new (c->options.size_bytes, 0, &bitmap, err);
    if (r == -1)
      return osm_error_hint (err, "remove %s to copy from the start", c->resume);
    c->options.bitmap = bitmap;
    c->options.bitmap_path = c->resume;
  }
  /* What an earlier run copied may have been done without the map. */
  c->options.free_map = c->free_bytes > 0 && c->resume && osm_bitmap_done_bytes (bitmap) > 0;
  c->options.cancel = &cancelled;
  c->options.progress = &c->progress;
  if (reporter_start (&reporter, err) == -1)
    return -1;
  r = osm_copy_run (&source, c->fd, &c->options, err);
  c->copy_ms = osm_now_ms () - started;
  if (r == 0 && c->verify)
    r = verify (c, reach, err);
  reporter_stop (&reporter);
  return r;
}

static void
summary (const struct by_hand *c)
{
  const struct osm_copy_progress *p = &c->progress;
  uint64_t sent = atomic_load (&p->sent_bytes), zero = atomic_load (&p->zero_bytes);
  const char *cipher = atomic_load (&p->cipher_known) && *p->cipher ? p->cipher : NULL;
  char size_text[OSM_HUMAN_LEN], sent_text[OSM_HUMAN_LEN], time_text[OSM_HUMAN_LEN];

  if (c->json) {
    OSM_CLEANUP_JSON json_t *result = osm_json_pack (
        "{s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:b, s:i}", "bytes", (json_int_t)c->options.size_bytes,
        "sent_bytes", (json_int_t)sent, "zero_bytes", (json_int_t)zero, "free_bytes",
        (json_int_t)c->free_bytes, "seconds", (double)(c->copy_ms + c->verify_ms) / 1000.0,
        "copy_seconds", (double)c->copy_ms / 1000.0, "verify_seconds",
        (double)c->verify_ms / 1000.0, "verified", *c->sha256 != '\0', "reconnects",
        (int)atomic_load (&p->reconnects));
    OSM_CLEANUP_FREE char *text = NULL;

    if (c->from.host)
      json_object_set_new (result, "wire_bytes",
                           json_integer ((json_int_t)osm_compression_wire_bytes (c->compression)));
    osm_json_set_str (result, "cipher", cipher);
    osm_json_set_str (result, "sha256", *c->sha256 ? c->sha256 : NULL);
    text = osm_json_dump (result);
    puts (text);
    return;
  }
  printf ("copied %s in %s: %s sent", osm_human_size (c->options.size_bytes, size_text),
          osm_human_duration (c->copy_ms, time_text), osm_human_size (sent, sent_text));
  printf (", %s zero", osm_human_size (zero, size_text));
  if (c->free_bytes > 0)
    printf (" (%s in no file)", osm_human_size (c->free_bytes, size_text));
  printf ("%s%s\n", cipher ? ", " : "", cipher ? cipher : "");
  if (*c->sha256)
    printf ("verified in %s: SHA-256 of the manifest %s\n",
            osm_human_duration (c->verify_ms, time_text), c->sha256);
}

/* What is copied whole though something may be free in it. */
static void
tell_survey (struct by_hand *c, const json_t *survey)
{
  const char *error = osm_json_str (survey, "error");
  size_t i;
  json_t *one;

  c->free_bytes = osm_json_uint (survey, "free_bytes");
  if (error) {
    OSM_CLEANUP_FREE char *text = osm_quote_terminal (error);

    osm_warning ("%s is copied whole: %s", c->from.path, text);
  }
  json_array_foreach (json_object_get (survey, "found"), i, one)
  {
    OSM_CLEANUP_FREE char *device = osm_quote_terminal (osm_json_str (one, "device")),
                          *type = osm_quote_terminal (osm_json_str (one, "type")),
                          *left = osm_quote_terminal (osm_json_str (one, "left"));

    if (left && osm_str_equal (type, "unknown"))
      osm_info ("%s, %s is copied whole: %s", c->from.path, device, left);
    else if (left)
      osm_warning ("%s, %s (%s) is copied whole: %s", c->from.path, device, type, left);
  }
}

static int
run (struct by_hand *c, struct osm_error *err)
{
  OSM_CLEANUP_REACH struct osm_reach *reach = NULL;
  int r = -1;

  catch_signals ();
  if (osm_reach_open (&c->from, &c->reach_options, &reach, err) == -1)
    return -1;
  c->options.size_bytes = osm_reach_size (reach);
  if (osm_reach_in_use (reach))
    osm_warning ("%s is in use: what is written to it now may be copied or not", c->from.path);
  tell_survey (c, osm_reach_survey (reach));
  if (open_destination (c, err) == 0)
    r = copy (c, reach, err);
  if (r == -1) {
    if (atomic_load (&cancelled) && err->class != OSM_ERROR_INTERRUPTED) {
      osm_error_clear (err);
      osm_error_set (err, OSM_ERROR_INTERRUPTED, 0, "interrupted");
    }
    /* Nobody shall take it for a whole copy. */
    if (c->created && !c->resume)
      unlink (c->to.path);
    else if (c->resume && err->class == OSM_ERROR_INTERRUPTED)
      osm_error_hint (err, "the same command carries on from %s", c->resume);
    return -1;
  }
  if (c->resume)
    unlink (c->resume);
  return 0;
}

int
osm_copy_command (const struct osm_args *args, struct osm_error *err)
{
  struct by_hand c = { .fd = -1 };
  int status = OSM_EXIT_USAGE;

  if (read_args (args, &c, err) == 0) {
    status = run (&c, err) == -1 ? OSM_EXIT_FAILED : OSM_EXIT_OK;
    if (status == OSM_EXIT_OK)
      summary (&c);
  }
  osm_compression_free (c.compression);
  osm_cleanup_fd (&c.fd);
  osm_endpoint_done (&c.from);
  osm_endpoint_done (&c.to);
  return status;
}
