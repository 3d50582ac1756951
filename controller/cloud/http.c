/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cloud/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/harden.h"
#include "common/parse.h"
#include "common/strbuf.h"

#define CONNECT_TIMEOUT_S 10
#define SILENCE_TIMEOUT_S 120
/* As a whole, also when a byte comes now and then. */
#define TOTAL_TIMEOUT_S 600
#define IDLE_HANDLES 16
#define MAX_HEADERS (128 * 1024)

struct osm_http_pool {
  pthread_mutex_t lock;
  CURL *idle[IDLE_HANDLES];
  size_t nr_idle;
  atomic_uint_fast64_t requests;
  struct osm_http_tls tls;
  char *ca_file, *certificate, *key;
};

/* The token is in one of them. */
static void
cleanup_slist (struct curl_slist **l)
{
  for (struct curl_slist *i = *l; i; i = i->next)
    explicit_bzero (i->data, strlen (i->data));
  curl_slist_free_all (*l);
}
#define CLEANUP_SLIST __attribute__ ((cleanup (cleanup_slist)))

static void
init_curl (void)
{
  /* Small bodies are copied into libcurl's buffers, and passwords are in them. */
  if (curl_global_init_mem (CURL_GLOBAL_DEFAULT, malloc, osm_wipe_and_free, osm_wipe_and_realloc,
                            strdup, calloc) != 0)
    osm_oom ();
}

struct osm_http_pool *
osm_http_pool_new (const struct osm_http_tls *tls)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  struct osm_http_pool *pool = osm_calloc (1, sizeof *pool);

  pthread_once (&once, init_curl);
  pthread_mutex_init (&pool->lock, NULL);
  pool->tls.verify = tls->verify;
  pool->tls.silence_s = tls->silence_s ? tls->silence_s : SILENCE_TIMEOUT_S;
  pool->ca_file = osm_strdup (tls->ca_file);
  pool->certificate = osm_strdup (tls->certificate);
  pool->key = osm_strdup (tls->key);
  return pool;
}

void
osm_http_pool_free (struct osm_http_pool *pool)
{
  if (!pool)
    return;
  for (size_t i = 0; i < pool->nr_idle; i++)
    curl_easy_cleanup (pool->idle[i]);
  pthread_mutex_destroy (&pool->lock);
  free (pool->ca_file);
  free (pool->certificate);
  free (pool->key);
  free (pool);
}

uint64_t
osm_http_requests (const struct osm_http_pool *pool)
{
  return atomic_load (&pool->requests);
}

void
osm_http_answer_done (struct osm_http_answer *a)
{
  osm_secret_free (a->body);
  free (a->request_id);
  osm_secret_free (a->subject_token);
  free (a->location);
  *a = (struct osm_http_answer){ 0 };
}

static CURL *
take_handle (struct osm_http_pool *pool)
{
  CURL *c = NULL;

  pthread_mutex_lock (&pool->lock);
  if (pool->nr_idle > 0)
    c = pool->idle[--pool->nr_idle];
  pthread_mutex_unlock (&pool->lock);
  if (!c)
    c = curl_easy_init ();
  if (!c)
    osm_oom ();
  curl_easy_reset (c);
  return c;
}

static void
give_handle (struct osm_http_pool *pool, CURL *c)
{
  pthread_mutex_lock (&pool->lock);
  if (pool->nr_idle < IDLE_HANDLES) {
    pool->idle[pool->nr_idle++] = c;
    c = NULL;
  }
  pthread_mutex_unlock (&pool->lock);
  if (c)
    curl_easy_cleanup (c);
}

struct reception {
  CURL *curl;
  const struct osm_http_request *request;
  struct osm_http_answer *answer;
  struct osm_strbuf body;
  size_t header_bytes;
  struct osm_error why; /* of the caller's functions */
};

/* Does the caller take the bytes itself? */
static bool
is_streamed (const struct reception *r)
{
  long status = 0;

  curl_easy_getinfo (r->curl, CURLINFO_RESPONSE_CODE, &status);
  r->answer->status = (int)status;
  return r->request->write && status >= 200 && status < 300;
}

static size_t
on_body (char *data, size_t size, size_t n, void *arg)
{
  struct reception *r = arg;

  if (is_streamed (r))
    return r->request->write (r->request->data, r->answer, data, size * n, &r->why) == 0 ? size * n
                                                                                         : 0;
  if (r->body.len + size * n > OSM_HTTP_MAX_BODY)
    return 0;
  osm_strbuf_add_mem (&r->body, data, size * n);
  return size * n;
}

static size_t
on_read (char *buffer, size_t size, size_t n, void *arg)
{
  struct reception *r = arg;
  size_t len = 0;

  return r->request->read (r->request->data, buffer, size * n, &len, &r->why) == 0
             ? len
             : CURL_READFUNC_ABORT;
}

/* Value of header `name` in the line, trimmed, or NULL. Caller frees. */
static char *
header_value (const char *line, size_t len, const char *name)
{
  size_t n = strlen (name);

  if (len <= n || strncasecmp (line, name, n) != 0 || line[n] != ':')
    return NULL;
  line += n + 1;
  len -= n + 1;
  while (len && (*line == ' ' || *line == '\t'))
    line++, len--;
  while (len && (line[len - 1] == '\r' || line[len - 1] == '\n' || line[len - 1] == ' '))
    len--;
  return osm_strndup (line, len);
}

static void
take_header (char **slot, char *value)
{
  if (value) {
    free (*slot);
    *slot = value;
  }
}

/* "bytes 1000-1999/5000" */
static uint64_t
start_of_range (const char *value)
{
  OSM_CLEANUP_FREE char *number = NULL;
  OSM_ERROR (ignored);
  uint64_t start;

  if (!osm_str_starts_with (value, "bytes "))
    return UINT64_MAX;
  value += strlen ("bytes ");
  number = osm_strndup (value, strspn (value, "0123456789"));
  return osm_parse_uint (number, "Content-Range", 0, INT64_MAX, &start, &ignored) == 0 ? start
                                                                                       : UINT64_MAX;
}

static size_t
on_header (char *data, size_t size, size_t n, void *arg)
{
  struct reception *r = arg;
  size_t len = size * n;
  OSM_CLEANUP_FREE char *retry_after = header_value (data, len, "Retry-After"),
                        *range = header_value (data, len, "Content-Range");

  r->header_bytes += len;
  if (r->header_bytes > MAX_HEADERS)
    return 0;
  take_header (&r->answer->request_id, header_value (data, len, "x-openstack-request-id"));
  if (!r->answer->request_id)
    take_header (&r->answer->request_id, header_value (data, len, "x-compute-request-id"));
  take_header (&r->answer->subject_token, header_value (data, len, "X-Subject-Token"));
  if (range)
    r->answer->range_start = start_of_range (range);
  if (retry_after) {
    char *end;
    double seconds = strtod (retry_after, &end);

    if (end != retry_after && *end == '\0' && seconds >= 0 && seconds < 86400)
      r->answer->retry_after_s = seconds;
    else {
      time_t when = curl_getdate (retry_after, NULL); /* RFC 9110: a date is allowed too */

      if (when != -1)
        r->answer->retry_after_s = when > time (NULL) ? (double)(when - time (NULL)) : 0;
    }
  }
  return len;
}

/* Ctrl-C must not wait for a silent service. */
static int
on_progress (void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
  OSM_ERROR (ignored);

  (void)arg;
  (void)a;
  (void)b;
  (void)c;
  (void)d;
  return osm_interrupt_check (&ignored) == -1;
}

static enum osm_http_loss
loss_of (CURL *c, CURLcode code)
{
  long sent_bytes = 0;

  switch (code) {
  case CURLE_URL_MALFORMAT:
  case CURLE_UNSUPPORTED_PROTOCOL:
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_CACERT_BADFILE:
    return OSM_HTTP_HOPELESS;
  case CURLE_WRITE_ERROR:
    return OSM_HTTP_TOO_LARGE;
  default:
    curl_easy_getinfo (c, CURLINFO_REQUEST_SIZE, &sent_bytes);
    return sent_bytes == 0 ? OSM_HTTP_NOT_SENT : OSM_HTTP_UNKNOWN;
  }
}

static bool
is_safe_to_repeat (const char *method)
{
  return strcmp (method, "POST") != 0 && strcmp (method, "PATCH") != 0;
}

static int
loss_error (CURLcode code, enum osm_http_loss loss, const char *message, struct osm_error *err)
{
  if (code == CURLE_ABORTED_BY_CALLBACK)
    return osm_interrupt_check (err) == -1
               ? -1
               : osm_error_set (err, OSM_ERROR_INTERRUPTED, 0, "interrupted");
  if (loss == OSM_HTTP_TOO_LARGE)
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "the answer is larger than %d MiB",
                          OSM_HTTP_MAX_BODY >> 20);
  osm_error_set (err, loss == OSM_HTTP_HOPELESS ? OSM_ERROR_USER : OSM_ERROR_RETRY, 0, "%s",
                 *message ? message : curl_easy_strerror (code));
  if (code == CURLE_PEER_FAILED_VERIFICATION)
    osm_error_hint (err, "name the file of the cloud's CA as 'cacert' in clouds.yaml");
  return -1;
}

int
osm_http_perform (struct osm_http_pool *pool, const struct osm_http_request *request,
                  struct osm_http_answer *ret, enum osm_http_loss *ret_loss, struct osm_error *err)
{
  CLEANUP_SLIST struct curl_slist *headers = NULL;
  CURL *c = take_handle (pool);
  struct reception reception = { .curl = c, .request = request, .answer = ret };
  char message[CURL_ERROR_SIZE] = "";
  CURLcode code;
  char *location = NULL;
  long status = 0;

  atomic_fetch_add (&pool->requests, 1);
  ret->retry_after_s = -1;
  ret->range_start = UINT64_MAX;
  headers = curl_slist_append (headers, "Accept: application/json");
  headers = curl_slist_append (headers, "Expect:");
  if (request->token) {
    char *line = osm_asprintf ("X-Auth-Token: %s", request->token);

    headers = curl_slist_append (headers, line);
    osm_secret_free (line);
  }
  for (size_t i = 0; request->headers && request->headers[i]; i++)
    headers = curl_slist_append (headers, request->headers[i]);
  if (request->body || request->read)
    headers = curl_slist_append (headers, request->content_type ? request->content_type
                                                                : "Content-Type: application/json");

  curl_easy_setopt (c, CURLOPT_URL, request->url);
  curl_easy_setopt (c, CURLOPT_CUSTOMREQUEST, request->method);
  curl_easy_setopt (c, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt (c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt (c, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt (c, CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION);
  curl_easy_setopt (c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
  curl_easy_setopt (c, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt (c, CURLOPT_LOW_SPEED_TIME, (long)pool->tls.silence_s);
  curl_easy_setopt (c, CURLOPT_TIMEOUT,
                    request->read || request->write ? 0L : (long)TOTAL_TIMEOUT_S);
  curl_easy_setopt (c, CURLOPT_ERRORBUFFER, message);
  curl_easy_setopt (c, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt (c, CURLOPT_WRITEDATA, &reception);
  curl_easy_setopt (c, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt (c, CURLOPT_HEADERDATA, &reception);
  curl_easy_setopt (c, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt (c, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt (c, CURLOPT_HTTPHEADER, headers);
  /* On a kept connection that ends without an answer libcurl sends the request once more by itself. */
  curl_easy_setopt (c, CURLOPT_FRESH_CONNECT, is_safe_to_repeat (request->method) ? 0L : 1L);
  if (request->read) {
    curl_easy_setopt (c, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt (c, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt (c, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt (c, CURLOPT_READDATA, &reception);
    curl_easy_setopt (c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->read_size);
    curl_easy_setopt (c, CURLOPT_UPLOAD_BUFFERSIZE, 512L * 1024);
  }
  else if (request->body) {
    curl_easy_setopt (c, CURLOPT_POSTFIELDS, request->body);
    curl_easy_setopt (c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen (request->body));
  }
  else if (strcmp (request->method, "POST") == 0 || strcmp (request->method, "PUT") == 0) {
    curl_easy_setopt (c, CURLOPT_POSTFIELDS, "");
    curl_easy_setopt (c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
  }
  if (!pool->tls.verify) {
    curl_easy_setopt (c, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt (c, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (pool->ca_file)
    curl_easy_setopt (c, CURLOPT_CAINFO, pool->ca_file);
  if (pool->certificate)
    curl_easy_setopt (c, CURLOPT_SSLCERT, pool->certificate);
  if (pool->key)
    curl_easy_setopt (c, CURLOPT_SSLKEY, pool->key);

  code = curl_easy_perform (c);
  curl_easy_getinfo (c, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo (c, CURLINFO_REDIRECT_URL, &location);
  ret->status = (int)status;
  ret->location = osm_strdup (location);
  ret->len = reception.body.len;
  ret->body = osm_strbuf_take (&reception.body);
  *ret_loss = code == CURLE_OK ? OSM_HTTP_UNKNOWN : loss_of (c, code);
  /* It must not hold on to the list of headers. */
  curl_easy_reset (c);
  give_handle (pool, c);
  if (osm_error_is_set (&reception.why)) {
    *ret_loss = OSM_HTTP_HOPELESS;
    osm_error_move (err, &reception.why);
    return -1;
  }
  return code == CURLE_OK ? 0 : loss_error (code, *ret_loss, message, err);
}
