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
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/cloud/session.h"

#define MAX_ATTEMPTS 6
#define MAX_PAGES 10000
/* err->code of a POST whose fate is unknown; no HTTP status is negative. */
#define OUTCOME_UNKNOWN (-1)

bool
osm_error_outcome_unknown (const struct osm_error *err)
{
  return err->class == OSM_ERROR_RETRY && err->code == OUTCOME_UNKNOWN;
}

enum osm_retry
osm_request_retry (const char *method, int status, enum osm_http_loss loss, double retry_after_s,
                   unsigned attempt, bool token_renewed, uint64_t *ret_delay_ms)
{
  /* RFC 9110, 9.2.2. A POST may have made something. */
  bool idempotent = strcmp (method, "POST") != 0 && strcmp (method, "PATCH") != 0;
  uint64_t delay = 250u << (attempt < 7 ? attempt : 7);

  if (status == 401)
    return token_renewed ? OSM_RETRY_NO : OSM_RETRY_TOKEN;
  if (attempt + 1 >= MAX_ATTEMPTS)
    return OSM_RETRY_NO;
  if (retry_after_s >= 0)
    delay = retry_after_s > 60 ? 60000 : (uint64_t)(retry_after_s * 1000);
  *ret_delay_ms = delay;
  if (status == 0) {
    if (loss == OSM_HTTP_NOT_SENT)
      return OSM_RETRY_WAIT;
    return loss == OSM_HTTP_UNKNOWN && idempotent ? OSM_RETRY_WAIT : OSM_RETRY_NO;
  }
  /* The service says that it did not take the request. */
  if (status == 429 || status == 503 || (status == 413 && retry_after_s >= 0))
    return OSM_RETRY_WAIT;
  if (status == 500 || status == 502 || status == 504)
    return idempotent ? OSM_RETRY_WAIT : OSM_RETRY_NO;
  return OSM_RETRY_NO;
}

/* ---- errors ---- */

char *
osm_request_error_message (const char *body, size_t len)
{
  OSM_CLEANUP_JSON json_t *json = NULL;
  OSM_ERROR (ignored);
  const char *key, *text = NULL;
  json_t *value;

  if (len == 0)
    return NULL;
  if (osm_json_parse (body, len, "error", &json, &ignored) == 0 && json_is_object (json)) {
    /* {"badRequest": {"message": ...}}, {"error": {...}}, {"NeutronError": {"message": ...}} or "..." */
    json_object_foreach (json, key, value)
    {
      if (json_is_object (value) && osm_json_str (value, "message"))
        text = osm_json_str (value, "message");
      else if (json_is_string (value) && (!text || strcmp (key, "message") == 0))
        text = json_string_value (value);
    }
    return text ? osm_strndup (text, strnlen (text, 1000)) : NULL;
  }
  /* Glance and proxies answer in HTML: the title says it. */
  text = strstr (body, "<title>");
  if (text) {
    const char *end = strstr (text, "</title>");

    text += strlen ("<title>");
    if (end && end > text && end - text < 300)
      return osm_strndup (text, (size_t)(end - text));
  }
  if (*body != '<' && *body != '{')
    return osm_strndup (body, strcspn (body, "\r\n") < 300 ? strcspn (body, "\r\n") : 300);
  return NULL;
}

static int
answer_error (struct osm_cloud *cloud, enum osm_service service, const struct osm_request *request,
              const struct osm_http_answer *a, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *message = osm_request_error_message (a->body, a->len);
  enum osm_error_class class = OSM_ERROR_REMOTE;

  if (a->status == 429 || a->status >= 500)
    class = OSM_ERROR_RETRY;
  else if (a->status == 401 || a->status == 403 || a->status == 413)
    class = OSM_ERROR_USER;
  osm_error_set (err, class, a->status, "cloud '%s': %s: %s %s: HTTP %d%s%s%s%s%s",
                 osm_cloud_name (cloud), osm_service_name (service), request->method, request->path,
                 a->status, message ? ": " : "", message ? message : "", a->request_id ? " (" : "",
                 a->request_id ? a->request_id : "", a->request_id ? ")" : "");
  if (message && (a->status == 403 || a->status == 413) &&
      (strstr (message, "uota") || strstr (message, "exceed")))
    osm_error_hint (err, "a quota of cloud '%s' is used up: free something or ask for more",
                    osm_cloud_name (cloud));
  else if (a->status == 403)
    osm_error_hint (err, "the credentials of cloud '%s' have no right to do this",
                    osm_cloud_name (cloud));
  return -1;
}

static int
loss_error (struct osm_cloud *cloud, enum osm_service service, const struct osm_request *request,
            enum osm_http_loss loss, struct osm_error *err)
{
  if (err->class == OSM_ERROR_RETRY && loss == OSM_HTTP_UNKNOWN &&
      (strcmp (request->method, "POST") == 0 || strcmp (request->method, "PATCH") == 0))
    err->code = OUTCOME_UNKNOWN;
  return osm_error_wrap (err, "cloud '%s': %s: %s %s", osm_cloud_name (cloud),
                         osm_service_name (service), request->method, request->path);
}

/* ---- one request, with retries ---- */

static uint64_t
jitter (uint64_t ms)
{
  unsigned char r = 128;

  if (getrandom (&r, 1, GRND_NONBLOCK) != 1)
    r = 128;
  return ms * (192u + r / 2) / 256; /* 0.75 to 1.25 */
}

/* Glance's updates are JSON patches; microversion headers go to services that have them. */
static char **
headers_for (enum osm_service service, const struct osm_endpoint *e,
             const struct osm_request *request)
{
  char **headers = NULL;

  if (*e->microversion) {
    OSM_CLEANUP_FREE char *line =
        osm_asprintf ("OpenStack-API-Version: %s %s", osm_service_name (service), e->microversion);

    osm_strv_append (&headers, line);
  }
  if (service == OSM_IMAGE && strcmp (request->method, "PATCH") == 0)
    osm_strv_append (&headers, "Content-Type: application/openstack-images-v2.1-json-patch");
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
  uint64_t refused = 0;
  bool renewed = false;
  int r = -1;

  if (osm_session_endpoint (cloud, service, &e, err) == -1)
    return -1;
  url = strstr (request->path, "://") ? osm_strdup (request->path)
                                      : osm_asprintf ("%s%s", e->base, request->path);
  headers = headers_for (service, e, request);
  body = request->body ? osm_json_dump (request->body) : NULL;

  for (unsigned attempt = 0;; attempt++) {
    OSM_HTTP_ANSWER (a);
    OSM_ERROR (why);
    enum osm_http_loss loss = OSM_HTTP_UNKNOWN;
    enum osm_retry what;
    uint64_t delay = 0, generation, started = osm_now_ms ();
    char *token = NULL;
    struct osm_http_request http = {
      .method = request->method, .url = url, .body = body, .headers = headers
    };

    if (osm_interrupt_check (err) == -1 ||
        osm_session_token (cloud, refused, &token, &generation, err) == -1)
      break;
    http.token = token;
    if (osm_http_perform (cloud->pool, &http, &a, &loss, &why) == -1)
      a.status = 0;
    osm_secret_free (token);
    osm_debug ("%s %s %s %s: %d, %llu ms%s%s", osm_cloud_name (cloud), osm_service_name (service),
               request->method, request->path, a.status,
               (unsigned long long)(osm_now_ms () - started), a.request_id ? ", " : "",
               a.request_id ? a.request_id : "");
    if (a.status >= 200 && a.status < 300) {
      r = 0;
      if (ret) {
        *ret = NULL;
        if (a.len > 0 && osm_json_parse (a.body, a.len, request->path, ret, err) == -1)
          r = osm_error_wrap (err, "cloud '%s': %s: answer to %s", osm_cloud_name (cloud),
                              osm_service_name (service), request->method);
      }
      break;
    }
    if (why.class == OSM_ERROR_INTERRUPTED) {
      osm_error_move (err, &why);
      break;
    }
    what = osm_request_retry (request->method, a.status, loss, a.retry_after_s, attempt, renewed,
                              &delay);
    if (what == OSM_RETRY_NO) {
      if (a.status == 0) {
        osm_error_move (err, &why);
        loss_error (cloud, service, request, loss, err);
      }
      else
        answer_error (cloud, service, request, &a, err);
      break;
    }
    if (what == OSM_RETRY_TOKEN) {
      refused = generation;
      renewed = true;
      continue;
    }
    if (osm_wait_ms (jitter (delay), err) == -1)
      break;
  }
  free (body);
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

/* Services behind a proxy give links with addresses of their own: only path and query below the version are taken. */
static char *
page_path (const struct osm_endpoint *e, const char *href)
{
  const char *host = strstr (e->base, "://"), *base_path, *path = href, *found;

  host = host ? host + 3 : e->base;
  base_path = host + strcspn (host, "/");
  found = strstr (href, "://");
  if (found)
    path = found + 3 + strcspn (found + 3, "/");
  if (*base_path && osm_str_starts_with (path, base_path))
    return osm_strdup (path + strlen (base_path));
  return osm_strdup (path);
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
    const json_t *items;
    char *following = NULL;

    if (osm_request (cloud, service, &request, &answer, err) == -1 ||
        osm_session_endpoint (cloud, service, &e, err) == -1)
      return -1;
    items = json_object_get (answer, key);
    if (!json_is_array (items))
      return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                            "cloud '%s': %s: the answer to %s has no list '%s'",
                            osm_cloud_name (cloud), osm_service_name (service), next, key);
    json_array_extend (all, (json_t *)items);
    if (json_array_size (items) > 0 && next_page (answer, key))
      following = page_path (e, next_page (answer, key));
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

/* Some APIs know no GET by name (key pairs do, by name only), and many take any text as an id. */
static bool
may_be_id (const char *s)
{
  if (!*s || strlen (s) > 255)
    return false;
  for (; *s; s++)
    if (!strchr ("0123456789abcdefABCDEFghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ._-", *s))
      return false;
  return true;
}

int
osm_cloud_find (struct osm_cloud *cloud, const struct osm_collection *c, const char *name_or_id,
                json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (name_or_id), *path = NULL;
  OSM_CLEANUP_JSON json_t *items = NULL, *found = NULL;
  OSM_STRBUF (candidates);
  size_t i, n = 0;
  json_t *item;

  if (may_be_id (name_or_id)) {
    OSM_ERROR (why);
    OSM_CLEANUP_FREE char *member = osm_asprintf ("%s/%s", c->member_path, quoted);

    if (osm_cloud_get (cloud, c->service, member, c->member_key, ret, &why) == 0)
      return 0;
    if (why.code != 404 && why.code != 400) {
      osm_error_move (err, &why);
      return -1;
    }
  }
  path = c->name_filter ? osm_asprintf ("%s%cname=%s", c->list_path,
                                        strchr (c->list_path, '?') ? '&' : '?', quoted)
                        : osm_strdup (c->list_path);
  if (osm_cloud_list (cloud, c->service, path, c->list_key, &items, err) == -1)
    return -1;
  json_array_foreach (items, i, item)
  {
    const json_t *object = item;

    if (json_object_size (item) == 1 && c->member_key && json_object_get (item, c->member_key))
      object = json_object_get (item, c->member_key); /* [{"keypair": {...}}] */
    if (!osm_str_equal (osm_json_str (object, "name"), name_or_id))
      continue;
    if (n++ == 0)
      found = json_incref ((json_t *)object);
    osm_strbuf_addf (&candidates, "%s%s", n > 1 ? ", " : "",
                     osm_json_str (object, "id") ? osm_json_str (object, "id") : "?");
  }
  if (n == 0)
    return osm_error_set (err, OSM_ERROR_USER, 404, "cloud '%s' has no %s '%s'",
                          osm_cloud_name (cloud), c->what, name_or_id);
  if (n > 1) {
    osm_error_set (err, OSM_ERROR_USER, 0, "cloud '%s' has %zu %ss named '%s'",
                   osm_cloud_name (cloud), n, c->what, name_or_id);
    return osm_error_hint (err, "name it by id: %s", osm_strbuf_str (&candidates));
  }
  *ret = osm_take (found);
  return 0;
}
