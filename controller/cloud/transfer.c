/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cloud/transfer.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "controller/cloud/crash.h"
#include "controller/cloud/request.h"
#include "controller/cloud/session.h"

/* That often in a row without a single byte. */
#define MAX_ATTEMPTS 6

struct download {
  int (*take) (void *data, const void *bytes, size_t len, struct osm_error *err);
  void *data;
  uint64_t done;
  uint64_t at; /* of the next byte of this answer; UINT64_MAX: none has come */
};

static int
on_bytes (void *data, const struct osm_http_answer *answer, const void *bytes, size_t len,
          struct osm_error *err)
{
  struct download *d = data;
  size_t known;

  if (d->at == UINT64_MAX)
    d->at = answer->status == 206 ? answer->range_start : 0;
  if (d->at > d->done)
    return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                          "the answer begins at byte %llu, and %llu was asked for",
                          (unsigned long long)d->at, (unsigned long long)d->done);
  known = d->done - d->at < len ? (size_t)(d->done - d->at) : len;
  d->at += len;
  if (known == len)
    return 0;
  if (d->take (d->data, (const char *)bytes + known, len - known, err) == -1)
    return -1;
  d->done += len - known;
  return 0;
}

static int
perform (struct osm_cloud *cloud, enum osm_service service, const struct osm_request *request,
         struct osm_http_request *http, uint64_t refused, struct osm_http_answer *a,
         uint64_t *ret_generation, enum osm_http_loss *ret_loss, struct osm_error *err)
{
  const struct osm_endpoint *e;
  OSM_CLEANUP_FREE char *url = NULL;
  char *token = NULL;
  uint64_t started = osm_now_ms ();
  int r;

  if (osm_session_endpoint (cloud, service, &e, err) == -1 ||
      osm_session_token (cloud, refused, &token, ret_generation, err) == -1) {
    *ret_loss = OSM_HTTP_HOPELESS;
    return -1;
  }
  url = osm_asprintf ("%s%s", e->base, request->path);
  http->url = url;
  http->token = token;
  osm_cloud_crash_point (cloud, request, OSM_CRASH_BEFORE);
  osm_cloud_crash_point (cloud, request, OSM_CRASH_DURING);
  r = osm_http_perform (cloud->pool, http, a, ret_loss, err);
  osm_cloud_crash_point (cloud, request, OSM_CRASH_AFTER);
  osm_secret_free (token);
  http->token = NULL;
  osm_debug ("%s image %s %s: %d, %llu ms", osm_cloud_name (cloud), request->method, request->path,
             a->status, (unsigned long long)(osm_now_ms () - started));
  return r;
}

int
osm_cloud_download (struct osm_cloud *cloud, enum osm_service service, const char *path,
                    int (*take) (void *, const void *, size_t, struct osm_error *), void *data,
                    uint64_t *ret_bytes, struct osm_error *err)
{
  const struct osm_request request = { .method = "GET", .path = path };
  struct download d = { .take = take, .data = data };
  uint64_t refused = 0, generation = 0;
  unsigned attempt = 0;
  bool renewed = false;

  for (;;) {
    OSM_HTTP_ANSWER (a);
    OSM_ERROR (why);
    OSM_CLEANUP_FREE char *range = osm_asprintf ("Range: bytes=%llu-", (unsigned long long)d.done);
    char *headers[] = { range, NULL };
    struct osm_http_request http = {
      .method = "GET", .headers = d.done > 0 ? headers : NULL, .write = on_bytes, .data = &d
    };
    enum osm_http_loss loss = OSM_HTTP_UNKNOWN;
    uint64_t before = d.done, delay = 0;
    enum osm_retry what;
    int r;

    d.at = UINT64_MAX;
    r = perform (cloud, service, &request, &http, refused, &a, &generation, &loss, &why);
    if (r == 0 && a.status >= 200 && a.status < 300) {
      *ret_bytes = d.done;
      return 0;
    }
    if (why.class == OSM_ERROR_INTERRUPTED || (r == -1 && loss == OSM_HTTP_HOPELESS)) {
      osm_error_move (err, &why);
      return osm_error_wrap (err, "cloud '%s': GET %s", osm_cloud_name (cloud), path);
    }
    attempt = d.done > before ? 0 : attempt + 1;
    what = osm_request_retry ("GET", r == -1 ? 0 : a.status, loss, a.retry_after_s, attempt,
                              renewed, &delay);
    if (what == OSM_RETRY_NO || attempt >= MAX_ATTEMPTS) {
      osm_error_move (err, &why);
      return osm_request_failed (cloud, service, &request, r == -1 ? NULL : &a, loss, err);
    }
    if (what == OSM_RETRY_TOKEN) {
      refused = generation;
      renewed = true;
    }
    else if (osm_wait_ms (osm_request_jitter (delay), err) == -1)
      return -1;
  }
}

int
osm_cloud_upload (struct osm_cloud *cloud, enum osm_service service, const char *path,
                  const struct osm_upload *upload, struct osm_error *err)
{
  const struct osm_request request = { .method = "PUT", .path = path };
  struct osm_http_request http = { .method = "PUT",
                                   .content_type = "Content-Type: application/octet-stream",
                                   .read = upload->give,
                                   .read_size = upload->size_bytes,
                                   .data = upload->data };
  enum osm_http_loss loss = OSM_HTTP_UNKNOWN;
  uint64_t generation;
  OSM_HTTP_ANSWER (a);
  OSM_ERROR (why);
  int r = perform (cloud, service, &request, &http, 0, &a, &generation, &loss, &why);

  if (r == 0 && a.status >= 200 && a.status < 300)
    return 0;
  osm_error_move (err, &why);
  if (r == -1 && loss == OSM_HTTP_HOPELESS)
    return osm_error_wrap (err, "cloud '%s': PUT %s", osm_cloud_name (cloud), path);
  return osm_request_failed (cloud, service, &request, r == -1 ? NULL : &a, loss, err);
}
