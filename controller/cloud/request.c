/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cloud/request.h"

#include <string.h>
#include <sys/random.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "controller/cloud/believe.h"
#include "controller/cloud/crash.h"
#include "controller/cloud/session.h"

/* A service that restarts behind its proxy is back within half a minute. */
#define MAX_ATTEMPTS 9
#define SLOWEST_RETRY_MS 8000
#define LONGEST_RETRY_AFTER_S 60
/* What mostly comes again: an internal error (500), a redirect to somebody's page of maintenance, an answer that is no JSON. */
#define MAX_ATTEMPTS_OF_BROKEN 4
/* Something else is being done to the object (409); most often it stays so. */
#define MAX_ATTEMPTS_OF_CONFLICT 3
/* A service that is silent each time: all attempts together, but at least two. */
#define LONGEST_SILENCE_MS (5 * 60 * 1000)
#define MAX_PAGES 10000
#define MAX_ITEMS 100000
#define MAX_MESSAGE 1000
/* err->code of a POST whose fate is unknown; no HTTP status is negative. */
#define OUTCOME_UNKNOWN (-1)

bool
osm_error_outcome_unknown (const struct osm_error *err)
{
  return err->class == OSM_ERROR_RETRY && err->code == OUTCOME_UNKNOWN;
}

/* RFC 9110, 9.2.2. A POST may have made something. */
static bool
is_idempotent (const char *method)
{
  return strcmp (method, "POST") != 0 && strcmp (method, "PATCH") != 0;
}

/* Could it go better the next time, and would sending it again do no harm? */
static bool
is_transient (const char *method, int status, enum osm_http_loss loss, double retry_after_s,
              unsigned attempt)
{
  switch (status) {
  case 0:
    return loss == OSM_HTTP_NOT_SENT || (loss == OSM_HTTP_UNKNOWN && is_idempotent (method));
  case 413:
    /* Rate limits of old, with a time; a quota that is used up (Cinder) has "Retry-After: 0". */
    return retry_after_s > 0;
  case 429:
  case 503:
    return true; /* the service says that it did not take the request */
  case 502:
  case 504:
    return is_idempotent (method);
  case 301:
  case 302:
  case 303:
  case 307:
  case 308:
  case 500:
    return is_idempotent (method) && attempt + 1 < MAX_ATTEMPTS_OF_BROKEN;
  case 409:
    return attempt + 1 < MAX_ATTEMPTS_OF_CONFLICT; /* refused, so that it was not done */
  default:
    return false;
  }
}

enum osm_retry
osm_request_retry (const char *method, int status, enum osm_http_loss loss, double retry_after_s,
                   unsigned attempt, bool token_renewed, uint64_t *ret_delay_ms)
{
  uint64_t delay = 250u << (attempt < 5 ? attempt : 5);

  if (status == 401)
    return token_renewed ? OSM_RETRY_NO : OSM_RETRY_TOKEN;
  if (attempt + 1 >= MAX_ATTEMPTS || !is_transient (method, status, loss, retry_after_s, attempt))
    return OSM_RETRY_NO;
  if (retry_after_s > LONGEST_RETRY_AFTER_S)
    delay = LONGEST_RETRY_AFTER_S * 1000;
  else if (retry_after_s > 0)
    delay = (uint64_t)(retry_after_s * 1000);
  *ret_delay_ms = delay;
  return OSM_RETRY_WAIT;
}

uint64_t
osm_request_jitter (uint64_t ms)
{
  unsigned char r = 128;

  if (getrandom (&r, 1, GRND_NONBLOCK) != 1)
    r = 128;
  return ms * (192u + r / 2) / 256;
}

/* ---- errors ---- */

/* "<br />", "</p>", "<!-- ... >"; not "<class 'oslo_messaging.exceptions.MessagingTimeout'>", which tells most. */
static bool
is_tag (const char *s, size_t len)
{
  char c = len > 1 ? s[1] : '\0';

  return (c == '/' || c == '!' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) &&
         !osm_str_starts_with (s, "<class ") && memchr (s, '>', len);
}

/* One line of text: no tags, no line ends, no blanks beside blanks, at most MAX_MESSAGE bytes. Caller frees; NULL if nothing is left. */
static char *
plain_text (const char *s, size_t len)
{
  OSM_STRBUF (b);
  bool blank = false;

  for (size_t i = 0; i < len && s[i] && b.len < MAX_MESSAGE; i++) {
    unsigned char c = (unsigned char)s[i];

    if (c == '<' && is_tag (s + i, len - i)) {
      i = (size_t)((const char *)memchr (s + i, '>', len - i) - s);
      blank = true;
    }
    else if (c <= ' ' || c == 0x7f)
      blank = true;
    else {
      if (blank && b.len)
        osm_strbuf_add (&b, " ");
      blank = false;
      osm_strbuf_add_mem (&b, s + i, 1);
    }
  }
  return b.len ? osm_strbuf_take (&b) : NULL;
}

/* The first paragraph: Keystone has a whole schema after it. */
static char *
plain_string (const char *s)
{
  const char *end = s ? strstr (s, "\n\n") : NULL;

  return s ? plain_text (s, end && end > s ? (size_t)(end - s) : strlen (s)) : NULL;
}

/* The best of an object's members. */
static const char *
message_in (const json_t *object)
{
  static const char *const keys[] = { "message", "faultstring", "detail", "error_message",
                                      "title" };

  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    const char *text = osm_json_str (object, keys[i]);

    if (text && *text)
      return text;
  }
  return NULL;
}

static char *
message_of_json (const json_t *json)
{
  const char *key;
  const json_t *value;

  /* Glance, Neutron's own errors, Pecan: {"message": ..., "code": ..., "title": ...} */
  if (message_in (json))
    return plain_string (message_in (json));
  /* Placement and newer APIs: {"errors": [{"status": 400, "detail": ...}]} */
  value = json_object_get (json, "errors");
  if (message_in (json_array_get (value, 0)))
    return plain_string (message_in (json_array_get (value, 0)));
  /* {"badRequest": {"message": ...}}, {"error": {...}}, {"NeutronError": {"message": ...}} or {"...": "text"} */
  json_object_foreach ((json_t *)json, key, value)
  {
    if (json_is_object (value) && message_in (value))
      return plain_string (message_in (value));
    if (json_is_string (value))
      return plain_string (json_string_value (value));
  }
  return NULL;
}

/* A page of a proxy or of a service that does not look at Accept: what it shows, without its title if it has more. */
static char *
message_of_page (const char *page)
{
  const char *title = strcasestr (page, "<title>"),
             *end = title ? strcasestr (title, "</title>") : NULL,
             *body = strcasestr (page, "<body");
  char *text = NULL;

  if (body && strchr (body, '>'))
    text = plain_text (strchr (body, '>') + 1, strlen (strchr (body, '>') + 1));
  if (text && strlen (text) <= 300)
    return text;
  if (title && end) {
    free (text);
    return plain_text (title + strlen ("<title>"), (size_t)(end - title) - strlen ("<title>"));
  }
  return text;
}

char *
osm_request_error_message (const char *body, size_t len)
{
  OSM_CLEANUP_JSON json_t *json = NULL;
  OSM_ERROR (ignored);

  if (len == 0)
    return NULL;
  if (osm_json_parse (body, len, "error", &json, &ignored) == 0)
    return json_is_object (json) ? message_of_json (json) : NULL;
  while (*body == ' ' || *body == '\r' || *body == '\n' || *body == '\t')
    body++;
  if (*body == '<')
    return message_of_page (body);
  return *body == '{' || *body == '[' ? NULL : plain_text (body, strnlen (body, 300));
}

/* Nova: 403 "Quota exceeded for cores", Cinder: 413 "VolumeLimitExceeded", Neutron: 409 of type OverQuota. */
static bool
is_quota (int status, const char *message)
{
  return status == 413 ||
         ((status == 403 || status == 409) && message &&
          (strcasestr (message, "quota") || strcasestr (message, "limit exceeded")));
}

/* Neutron's quotas are conflicts. */
static bool
is_used_up (const struct osm_http_answer *a)
{
  OSM_CLEANUP_FREE char *message = osm_request_error_message (a->body, a->len);

  return is_quota (a->status, message);
}

/* The service may have done it, but we do not know what. */
static void
mark_unknown (const struct osm_request *request, struct osm_error *err)
{
  if (!is_idempotent (request->method) && !request->repeatable) {
    err->class = OSM_ERROR_RETRY;
    err->code = OUTCOME_UNKNOWN;
  }
}

static int
answer_error (struct osm_cloud *cloud, enum osm_service service, const struct osm_request *request,
              const struct osm_http_answer *a, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *message = osm_request_error_message (a->body, a->len);
  bool quota = is_quota (a->status, message);
  enum osm_error_class class = OSM_ERROR_REMOTE;

  if (a->status == 429 || a->status >= 500)
    class = OSM_ERROR_RETRY;
  else if (a->status == 401 || a->status == 403 || quota)
    class = OSM_ERROR_USER;
  osm_error_set (err, class, a->status, "cloud '%s': %s: %s %s: HTTP %d%s%s%s%s%s%s%s",
                 osm_cloud_name (cloud), osm_service_name (service), request->method, request->path,
                 a->status, a->location ? " to " : "", a->location ? a->location : "",
                 message ? ": " : "", message ? message : "", a->request_id ? " (" : "",
                 a->request_id ? a->request_id : "", a->request_id ? ")" : "");
  if (quota)
    osm_error_hint (err, "a quota of cloud '%s' is used up: free something or ask for more",
                    osm_cloud_name (cloud));
  else if (a->status == 403)
    osm_error_hint (err, "the credentials of cloud '%s' have no right to do this",
                    osm_cloud_name (cloud));
  else if (a->location)
    osm_error_hint (err,
                    "the cloud's catalogue names an address of service '%s' that has moved, or it "
                    "is being maintained",
                    osm_service_name (service));
  else if (a->status == 401)
    osm_error_hint (
        err,
        "a token that is minutes old at most was refused: check project and region of cloud '%s'",
        osm_cloud_name (cloud));
  /* A proxy has given up waiting, or a service broke in the middle of it. 503 is what a service says that did not begin. */
  if ((a->status >= 500 && a->status != 503) || a->location)
    mark_unknown (request, err);
  return -1;
}

static int
loss_error (struct osm_cloud *cloud, enum osm_service service, const struct osm_request *request,
            enum osm_http_loss loss, struct osm_error *err)
{
  if (loss == OSM_HTTP_UNKNOWN || loss == OSM_HTTP_TOO_LARGE)
    mark_unknown (request, err);
  return osm_error_wrap (err, "cloud '%s': %s: %s %s", osm_cloud_name (cloud),
                         osm_service_name (service), request->method, request->path);
}

int
osm_request_failed (struct osm_cloud *cloud, enum osm_service service,
                    const struct osm_request *request, const struct osm_http_answer *a,
                    enum osm_http_loss loss, struct osm_error *err)
{
  return a ? answer_error (cloud, service, request, a, err)
           : loss_error (cloud, service, request, loss, err);
}

static int
read_answer (struct osm_cloud *cloud, enum osm_service service, const struct osm_request *request,
             const struct osm_http_answer *a, json_t **ret, struct osm_error *err)
{
  *ret = NULL;
  if (a->len == 0 || osm_json_parse (a->body, a->len, "the answer", ret, err) == 0)
    return 0;
  err->class = OSM_ERROR_REMOTE;
  mark_unknown (request, err);
  return osm_error_wrap (err, "cloud '%s': %s: %s %s: HTTP %d%s%s%s", osm_cloud_name (cloud),
                         osm_service_name (service), request->method, request->path, a->status,
                         a->request_id ? " (" : "", a->request_id ? a->request_id : "",
                         a->request_id ? ")" : "");
}

/* ---- one request, with retries ---- */

/* Glance's updates are JSON patches. */
static const char *
content_type_of (enum osm_service service, const struct osm_request *request)
{
  return service == OSM_IMAGE && strcmp (request->method, "PATCH") == 0
             ? "Content-Type: application/openstack-images-v2.1-json-patch"
             : NULL;
}

/* Microversion headers go to services that have them. */
static char **
headers_for (enum osm_service service, const struct osm_endpoint *e)
{
  char **headers = NULL;

  if (*e->microversion) {
    OSM_CLEANUP_FREE char *line =
        osm_asprintf ("OpenStack-API-Version: %s %s", osm_service_name (service), e->microversion);

    osm_strv_append (&headers, line);
    /* Nova before Newton (2.27) knows only this one. */
    if (service == OSM_COMPUTE) {
      OSM_CLEANUP_FREE char *old =
          osm_asprintf ("X-OpenStack-Nova-API-Version: %s", e->microversion);

      osm_strv_append (&headers, old);
    }
  }
  return headers;
}

int
osm_request (struct osm_cloud *cloud, enum osm_service service, const struct osm_request *request,
             json_t **ret, struct osm_error *err)
{
  const struct osm_endpoint *e;
  OSM_CLEANUP_FREE char *url = NULL;
  OSM_CLEANUP_STRV char **headers = NULL;
  char *body = NULL;
  uint64_t refused = 0, first = osm_now_ms ();
  bool renewed = false;
  const char *method = request->repeatable ? "PUT" : request->method;
  int r = -1;

  if (osm_cloud_check_path (cloud, service, request->path, err) == -1 ||
      osm_session_endpoint (cloud, service, &e, err) == -1)
    return -1;
  url = osm_asprintf ("%s%s", e->base, request->path);
  headers = headers_for (service, e);
  body = request->body ? osm_json_dump (request->body) : NULL;

  for (unsigned attempt = 0;; attempt++) {
    OSM_HTTP_ANSWER (a);
    OSM_ERROR (why);
    enum osm_http_loss loss = OSM_HTTP_UNKNOWN;
    enum osm_retry what;
    uint64_t delay = 0, generation, started = osm_now_ms ();
    char *token = NULL;
    struct osm_http_request http = { .method = request->method,
                                     .url = url,
                                     .body = body,
                                     .content_type = content_type_of (service, request),
                                     .headers = headers };

    if (osm_interrupt_check (err) == -1 ||
        osm_session_token (cloud, refused, &token, &generation, err) == -1)
      break;
    http.token = token;
    osm_cloud_crash_point (cloud, request, OSM_CRASH_BEFORE);
    osm_cloud_crash_point (cloud, request, OSM_CRASH_DURING);
    if (osm_http_perform (cloud->pool, &http, &a, &loss, &why) == -1)
      a.status = 0;
    osm_cloud_crash_point (cloud, request, OSM_CRASH_AFTER);
    osm_secret_free (token);
    osm_debug ("%s %s %s %s: %d, %llu ms%s%s", osm_cloud_name (cloud), osm_service_name (service),
               request->method, request->path, a.status,
               (unsigned long long)(osm_now_ms () - started), a.request_id ? ", " : "",
               a.request_id ? a.request_id : "");
    if (a.status >= 200 && a.status < 300) {
      r = ret ? read_answer (cloud, service, request, &a, ret, err) : 0;
      if (r == 0 || !is_idempotent (method) || attempt + 1 >= MAX_ATTEMPTS_OF_BROKEN)
        break;
      osm_debug ("%s", err->message);
      osm_error_clear (err);
      r = -1;
      if (osm_wait_ms (osm_request_jitter (250u << attempt), err) == -1)
        break;
      continue;
    }
    if (why.class == OSM_ERROR_INTERRUPTED) {
      osm_error_move (err, &why);
      break;
    }
    what = osm_request_retry (method, a.status, loss, a.retry_after_s, attempt, renewed, &delay);
    if (a.status == 409 && is_used_up (&a))
      what = OSM_RETRY_NO;
    if (a.status == 0 && attempt > 0 && osm_now_ms () - first > LONGEST_SILENCE_MS)
      what = OSM_RETRY_NO;
    if (what == OSM_RETRY_NO) {
      osm_error_move (err, &why);
      osm_request_failed (cloud, service, request, a.status ? &a : NULL, loss, err);
      break;
    }
    if (what == OSM_RETRY_TOKEN) {
      refused = generation;
      renewed = true;
      continue;
    }
    if (osm_wait_ms (osm_request_jitter (delay), err) == -1)
      break;
  }
  osm_secret_free (body); /* user data may be in it */
  return r;
}

/* ---- what the services' files use ---- */

static int
pick (struct osm_cloud *cloud, enum osm_service service, const char *path, const char *key,
      json_t *answer, json_t **ret, struct osm_error *err)
{
  json_t *member = key ? json_object_get (answer, key) : answer;

  if (!member) {
    json_decref (answer);
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "cloud '%s': %s: the answer to %s has no '%s'",
                          osm_cloud_name (cloud), osm_service_name (service), path,
                          key ? key : "content");
  }
  if (osm_cloud_check_object (cloud, service, path, member, err) == -1) {
    json_decref (answer);
    return -1;
  }
  *ret = json_incref (member);
  json_decref (answer);
  return 0;
}

static int
send_and_pick (struct osm_cloud *cloud, enum osm_service service, const struct osm_request *request,
               const char *key, json_t **ret, struct osm_error *err)
{
  json_t *answer = NULL;

  if (osm_request (cloud, service, request, ret ? &answer : NULL, err) == -1)
    return -1;
  return ret ? pick (cloud, service, request->path, key, answer, ret, err) : 0;
}

int
osm_cloud_get (struct osm_cloud *cloud, enum osm_service service, const char *path, const char *key,
               json_t **ret, struct osm_error *err)
{
  const struct osm_request request = { .method = "GET", .path = path };

  return send_and_pick (cloud, service, &request, key, ret, err);
}

int
osm_cloud_post (struct osm_cloud *cloud, enum osm_service service, const char *path,
                const json_t *body, const char *key, json_t **ret, struct osm_error *err)
{
  const struct osm_request request = { .method = "POST", .path = path, .body = body };

  return send_and_pick (cloud, service, &request, key, ret, err);
}

int
osm_cloud_action (struct osm_cloud *cloud, enum osm_service service, const char *path,
                  const json_t *body, const char *key, json_t **ret, struct osm_error *err)
{
  const struct osm_request request = {
    .method = "POST", .path = path, .body = body, .repeatable = true
  };

  return send_and_pick (cloud, service, &request, key, ret, err);
}

int
osm_cloud_put (struct osm_cloud *cloud, enum osm_service service, const char *path,
               const json_t *body, const char *key, json_t **ret, struct osm_error *err)
{
  const struct osm_request request = { .method = "PUT", .path = path, .body = body };

  return send_and_pick (cloud, service, &request, key, ret, err);
}

int
osm_cloud_patch (struct osm_cloud *cloud, enum osm_service service, const char *path,
                 const json_t *body, const char *key, json_t **ret, struct osm_error *err)
{
  const struct osm_request request = { .method = "PATCH", .path = path, .body = body };

  return send_and_pick (cloud, service, &request, key, ret, err);
}

int
osm_cloud_delete (struct osm_cloud *cloud, enum osm_service service, const char *path,
                  struct osm_error *err)
{
  const struct osm_request request = { .method = "DELETE", .path = path };

  if (osm_request (cloud, service, &request, NULL, err) == 0)
    return 0;
  if (!osm_error_not_found (err))
    return -1;
  osm_error_clear (err);
  return 0;
}

/* The address of the next page: "<key>_links": [{"rel": "next", "href"}] (Nova, Cinder, Neutron), "next" (Glance, Keystone's
 * links.next). Borrowed. */
static const char *
next_page (const json_t *answer, const char *key)
{
  OSM_CLEANUP_FREE char *links_key = osm_asprintf ("%s_links", key);
  const json_t *links = json_object_get (answer, links_key);
  size_t i;
  json_t *link;

  json_array_foreach (links, i, link) if (osm_str_equal (osm_json_str (link, "rel"),
                                                         "next")) return osm_json_str (link,
                                                                                       "href");
  if (osm_json_str (answer, "next"))
    return osm_json_str (answer, "next");
  return osm_json_str (json_object_get (answer, "links"), "next");
}

int
osm_cloud_list (struct osm_cloud *cloud, enum osm_service service, const char *path,
                const char *key, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *all = json_array ();
  OSM_CLEANUP_FREE char *next = osm_strdup (path);
  const struct osm_endpoint *e;

  for (unsigned pages = 0; next; pages++) {
    OSM_CLEANUP_JSON json_t *answer = NULL;
    const struct osm_request request = { .method = "GET", .path = next };
    const json_t *items, *item;
    char *following = NULL;
    size_t i;

    if (osm_request (cloud, service, &request, &answer, err) == -1 ||
        osm_session_endpoint (cloud, service, &e, err) == -1)
      return -1;
    items = json_object_get (answer, key);
    if (!json_is_array (items))
      return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                            "cloud '%s': %s: the answer to %s has no list '%s'",
                            osm_cloud_name (cloud), osm_service_name (service), next, key);
    json_array_foreach (items, i, item) if (osm_cloud_check_object (cloud, service, next, item,
                                                                    err) == -1) return -1;
    json_array_extend (all, (json_t *)items);
    if (json_array_size (all) > MAX_ITEMS)
      return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                            "cloud '%s': %s: the list %s has more than %d entries",
                            osm_cloud_name (cloud), osm_service_name (service), path, MAX_ITEMS);
    if (json_array_size (items) > 0 && next_page (answer, key))
      following = osm_endpoint_link (e->base, next_page (answer, key));
    if (following && (pages == MAX_PAGES || strcmp (following, next) == 0)) {
      free (following);
      return osm_error_set (err, OSM_ERROR_REMOTE, 0, "cloud '%s': %s: the list %s has no end",
                            osm_cloud_name (cloud), osm_service_name (service), path);
    }
    free (next);
    next = following;
  }
  *ret = osm_take (all);
  return 0;
}
