/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/image-data.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "common/bytepipe.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/hash.h"
#include "common/json.h"
#include "common/parallel.h"
#include "common/strbuf.h"
#include "controller/cloud/image.h"
#include "controller/cloud/transfer.h"
#include "controller/cloud/wait.h"

/* Images at once, and the buffer of each: what an import takes of memory. */
#define AT_ONCE 3
#define BUFFER_BYTES (4 * 1024 * 1024)
#define FILE_BYTES (256 * 1024)
/* Each begins with the first byte. */
#define MAX_ATTEMPTS 3
#define PROGRESS_MS 200
/* After a connection broke, until Glance has noticed. */
#define SETTLE_MS 60000

/* Of the source's algorithm and of those that a destination is likely to have. */
static const char *const usual[] = { "md5", "sha512" };
#define MAX_HASHES 3

struct copying {
  const struct osm_change *change;
  struct osm_image_job *job;
  unsigned index;
  struct osm_cloud *source;
  struct osm_bytepipe *pipe;
  struct osm_hash *hashes[MAX_HASHES];
  const char *algorithms[MAX_HASHES];
  uint64_t bytes, given, told_ms;
};

static void
tell (struct copying *c, const char *phase)
{
  const struct osm_image_source *images = c->change->images;

  if (images->progress)
    images->progress (images->data, c->index, c->job->name, phase,
                      osm_json_uint (c->job->source, "size"), c->bytes);
  c->told_ms = osm_now_ms ();
}

/* ---- right or wrong ---- */

/* 1: as it should be, 0: not known, -1: other data. */
static int
compare_hashes (const json_t *image, const json_t *hashes, const char *whose, struct osm_error *err)
{
  const char *algorithm = osm_json_str (image, "os_hash_algo"),
             *is = osm_json_str (image, "os_hash_value"),
             *found = algorithm ? osm_json_str (hashes, algorithm) : NULL;

  /* Before Rocky there was only this. */
  if (!is || !found) {
    algorithm = "md5";
    is = osm_json_str (image, "checksum");
    found = osm_json_str (hashes, algorithm);
  }
  if (!is || !found)
    return 0;
  if (strcasecmp (is, found) == 0)
    return 1;
  return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                        "the data is not what it was: the %s says %s %s, and what passed has %s",
                        whose, algorithm, is, found);
}

static int
compare_size (const json_t *image, uint64_t bytes, const char *whose, struct osm_error *err)
{
  const json_t *size = json_object_get (image, "size");

  if (!json_is_integer (size) || (uint64_t)json_integer_value (size) == bytes)
    return 0;
  return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                        "the data is not what it was: the %s says %lld bytes, and %llu passed",
                        whose, (long long)json_integer_value (size), (unsigned long long)bytes);
}

int
osm_image_data_check (const json_t *source, const json_t *destination, const json_t *hashes,
                      uint64_t bytes, struct osm_error *err)
{
  int r;

  if (compare_size (source, bytes, "source", err) == -1 ||
      compare_hashes (source, hashes, "source", err) == -1 ||
      compare_size (destination, bytes, "destination", err) == -1 ||
      (r = compare_hashes (destination, hashes, "destination", err)) == -1)
    return -1;
  return r == 1
             ? 0
             : osm_error_set (err, OSM_ERROR_REMOTE, 0,
                              "the destination tells no hash of the data that could be compared");
}

static void
begin_hashes (struct copying *c)
{
  const char *algorithm = osm_json_str (c->job->source, "os_hash_algo");
  size_t n = 0;

  for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
    c->algorithms[n++] = usual[i];
  if (algorithm && strcmp (algorithm, usual[0]) != 0 && strcmp (algorithm, usual[1]) != 0)
    c->algorithms[n++] = algorithm;
  for (size_t i = 0; i < n; i++)
    c->hashes[i] = osm_hash_new (c->algorithms[i]);
}

/* {ALGORITHM: hexadecimal}. New object. */
static json_t *
end_hashes (struct copying *c)
{
  json_t *found = json_object ();

  for (size_t i = 0; i < MAX_HASHES; i++) {
    OSM_CLEANUP_FREE char *text = osm_hash_text (c->hashes[i]);

    if (text)
      osm_json_set_str (found, c->algorithms[i], text);
  }
  return found;
}

/* ---- one way ---- */

static int
take (void *data, const void *bytes, size_t len, struct osm_error *err)
{
  struct copying *c = data;

  for (size_t i = 0; i < MAX_HASHES; i++)
    osm_hash_add (c->hashes[i], bytes, len);
  if (osm_bytepipe_write (c->pipe, bytes, len, err) == -1)
    return -1;
  c->bytes += len;
  if (osm_now_ms () - c->told_ms >= PROGRESS_MS)
    tell (c, "copy");
  return 0;
}

static int
read_file (struct copying *c, struct osm_error *err)
{
  OSM_CLEANUP_FD int fd = open (c->job->file, O_RDONLY | O_CLOEXEC);
  OSM_CLEANUP_FREE char *buffer = osm_calloc (FILE_BYTES, 1);

  if (fd == -1)
    return osm_error_set_errno (err, errno, "%s", c->job->file);
  for (;;) {
    ssize_t n = read (fd, buffer, FILE_BYTES);

    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1)
      return osm_error_set_errno (err, errno, "%s", c->job->file);
    if (n == 0)
      return 0;
    if (take (c, buffer, (size_t)n, err) == -1)
      return -1;
  }
}

static int
run_source (void *data, struct osm_error *err)
{
  struct copying *c = data;
  const char *id = osm_json_str (c->job->source, "id");
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/images/%s/file", id);
  uint64_t bytes;
  OSM_ERROR (why);
  int r = c->job->file ? read_file (c, &why)
                       : osm_cloud_download (c->source, OSM_IMAGE, path, take, c, &bytes, &why);

  if (r == 0) {
    osm_bytepipe_end (c->pipe);
    return 0;
  }
  osm_bytepipe_break (c->pipe, &why);
  osm_error_move (err, &why);
  return -1;
}

static int
give (void *data, void *buffer, size_t size, size_t *ret_len, struct osm_error *err)
{
  struct copying *c = data;
  const json_t *all = json_object_get (c->job->source, "size");
  uint64_t left = json_is_integer (all) ? (uint64_t)json_integer_value (all) - c->given : size;

  /* What comes after that would be taken for the next request. */
  if (left < size)
    size = (size_t)left;
  *ret_len = 0;
  if (size == 0)
    return 0;
  if (osm_bytepipe_read (c->pipe, buffer, size, ret_len, err) == -1)
    return -1;
  c->given += *ret_len;
  /* The service would wait for the rest. */
  if (*ret_len == 0 && json_is_integer (all) && (uint64_t)json_integer_value (all) > c->given)
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "the source ended after %llu of %lld bytes",
                          (unsigned long long)c->given, (long long)json_integer_value (all));
  return 0;
}

/* No more is taken than was announced. */
static int
expect_end (struct copying *c, struct osm_error *err)
{
  char byte;
  size_t len;

  if (osm_bytepipe_read (c->pipe, &byte, 1, &len, err) == -1)
    return -1;
  return len == 0
             ? 0
             : osm_error_set (err, OSM_ERROR_REMOTE, 0, "the source has more bytes than it says");
}

static int
run_destination (void *data, struct osm_error *err)
{
  struct copying *c = data;
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/images/%s/file", c->job->id);
  const json_t *size = json_object_get (c->job->source, "size");
  const struct osm_upload upload = {
    .size_bytes = json_is_integer (size) ? json_integer_value (size) : -1, .give = give, .data = c
  };

  c->given = 0;
  if (osm_cloud_upload (c->change->cloud, OSM_IMAGE, path, &upload, err) == 0 &&
      expect_end (c, err) == 0)
    return 0;
  /* Whoever reads for it need not go on. */
  osm_bytepipe_break (c->pipe, err);
  return -1;
}

/* ---- until it is there ---- */

static enum osm_wait
judge_settled (struct osm_cloud *cloud, const json_t *image, void *data, struct osm_error *err)
{
  const char *status = osm_json_str (image, "status");

  if (!image) {
    osm_error_set (err, OSM_ERROR_REMOTE, 404, "cloud '%s': image %s is gone",
                   osm_cloud_name (cloud), (const char *)data);
    return OSM_WAIT_FAILED;
  }
  return osm_str_equal (status, "saving") ? OSM_WAIT_MORE : OSM_WAIT_DONE;
}

static int
wait_settled (const struct copying *c, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/images/%s", c->job->id),
                        *what = osm_asprintf ("image %s", c->job->id);
  const struct osm_waiting waiting = { .service = OSM_IMAGE,
                                       .path = path,
                                       .what = what,
                                       .wanted = "the end of an upload",
                                       .timeout_ms = SETTLE_MS,
                                       .judge = judge_settled,
                                       .data = (void *)c->job->id };

  return osm_cloud_wait (c->change->cloud, &waiting, ret, err);
}

/* *ret_passed: all of it has passed; then err says that it is wrong, or nothing. */
static int
try_once (struct copying *c, bool *ret_passed, struct osm_error *err)
{
  OSM_CLEANUP_BYTEPIPE struct osm_bytepipe *pipe = osm_bytepipe_new (BUFFER_BYTES);
  OSM_CLEANUP_JSON json_t *before = NULL, *image = NULL, *hashes = NULL;
  const struct osm_task tasks[] = { { run_source, c }, { run_destination, c } };
  const char *status;
  OSM_ERROR (lost);
  int r;

  if (wait_settled (c, &before, err) == -1)
    return -1;
  status = osm_json_str (before, "status");
  if (!osm_str_equal (status, "queued"))
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "image %s is %s, and should wait for data",
                          c->job->id, status ? status : "in no state");
  c->pipe = pipe;
  c->bytes = 0;
  begin_hashes (c);
  r = osm_parallel (tasks, 2, &lost);
  hashes = end_hashes (c);
  for (size_t i = 0; i < MAX_HASHES; i++) {
    osm_hash_free (c->hashes[i]);
    c->hashes[i] = NULL;
  }
  c->pipe = NULL;
  if (r == -1 && lost.class == OSM_ERROR_INTERRUPTED) {
    osm_error_move (err, &lost);
    return -1;
  }
  if (wait_settled (c, &image, err) == -1)
    return -1;
  /* Only an answer may have been lost. But if it was refused, whatever data it has now comes from somebody else. */
  if (r == -1 && (lost.code == 409 || !osm_str_equal (osm_json_str (image, "status"), "active"))) {
    osm_error_move (err, &lost);
    return -1;
  }
  *ret_passed = true;
  return osm_image_data_check (c->job->source, image, hashes, c->bytes, err);
}

static int
protect (const struct copying *c, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/images/%s", c->job->id);
  OSM_CLEANUP_JSON json_t *patch =
      osm_json_pack ("[{s:s, s:s, s:b}]", "op", "replace", "path", "/protected", "value", 1);

  return osm_cloud_patch (c->change->cloud, OSM_IMAGE, path, patch, NULL, NULL, err);
}

static int
copy_one (struct copying *c, struct osm_error *err)
{
  bool passed = false;
  OSM_ERROR (ignored);

  for (unsigned attempt = 1;; attempt++) {
    tell (c, "copy");
    if (try_once (c, &passed, err) == 0)
      break;
    if (passed) {
      /* Wrong data under a right name is worse than none. It is ours, from its first request on. */
      if (osm_image_delete (c->change->cloud, c->job->id, SETTLE_MS, &ignored) == 0)
        osm_error_hint (err, "the image was deleted; import it again");
      return -1;
    }
    if ((err->class != OSM_ERROR_RETRY && err->code != 401) || attempt == MAX_ATTEMPTS)
      return -1;
    osm_error_clear (err);
  }
  tell (c, "done");
  return c->job->protect ? protect (c, err) : 0;
}

/* ---- several ---- */

struct line {
  const struct osm_change *change;
  struct osm_cloud *source;
  struct osm_image_job *jobs;
  size_t nr;
  atomic_size_t next;
};

static int
run_line (void *data, struct osm_error *err)
{
  struct line *line = data;
  size_t i;

  while ((i = atomic_fetch_add (&line->next, 1)) < line->nr) {
    struct copying c = {
      .change = line->change, .job = &line->jobs[i], .index = (unsigned)i, .source = line->source
    };

    if (osm_interrupt_check (err) == -1)
      return -1;
    if (copy_one (&c, &line->jobs[i].why) == -1 &&
        line->jobs[i].why.class == OSM_ERROR_INTERRUPTED) {
      osm_error_copy (err, &line->jobs[i].why);
      return -1;
    }
  }
  return 0;
}

int
osm_image_data_copy (const struct osm_change *change, struct osm_image_job *jobs, size_t nr,
                     struct osm_error *err)
{
  struct line line = { .change = change, .jobs = jobs, .nr = nr };
  struct osm_task tasks[AT_ONCE];

  for (size_t i = 0; i < nr; i++)
    if (!jobs[i].file && !line.source &&
        change->images->open (change->images->data, &line.source, err) == -1)
      return -1;
  for (size_t i = 0; i < AT_ONCE; i++)
    tasks[i] = (struct osm_task){ run_line, &line };
  return osm_parallel (tasks, nr < AT_ONCE ? nr : AT_ONCE, err);
}
