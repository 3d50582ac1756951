/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cloud/session.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "controller/cloud/identity.h"
#include "controller/cloud/request.h"

/* Renewed so long before its end (a quarter of its life, if that is less), so that no request is overtaken. */
#define TOKEN_MARGIN_MS 60000
/* An operator who has misspelt the address should not wait as long as a migration may. */
#define MAX_ATTEMPTS 4
#define MAX_REDIRECTS 3
#define MAX_DETOURS 2
/* Credentials that were refused are not tried again at once by every other thread: Keystone locks accounts. */
#define REFUSAL_STANDS_MS 10000
/* https://docs.openstack.org/cinder/latest/contributor/api_microversion_history.html#id63 */
#define NO_PROJECT_IN_URL "3.67"

/* One request with retries; -1 when no answer came. All of them may be repeated: a token too many harms nobody. */
static int
exchange (struct osm_cloud *cloud, const struct osm_http_request *request,
          struct osm_http_answer *answer, struct osm_error *err)
{
  for (unsigned attempt = 0;; attempt++) {
    enum osm_http_loss loss = OSM_HTTP_UNKNOWN;
    uint64_t delay = 0;
    OSM_ERROR (why);
    int r;

    osm_http_answer_done (answer);
    r = osm_http_perform (cloud->pool, request, answer, &loss, &why);
    osm_debug ("%s identity or versions %s %s: %d", cloud->credentials->name, request->method,
               request->url, r == -1 ? 0 : answer->status);
    if (why.class == OSM_ERROR_INTERRUPTED || attempt + 1 >= MAX_ATTEMPTS ||
        osm_request_retry ("GET", r == -1 ? 0 : answer->status, loss, answer->retry_after_s,
                           attempt, true, &delay) != OSM_RETRY_WAIT) {
      osm_error_move (err, &why);
      return r;
    }
    if (osm_wait_ms (osm_request_jitter (delay), err) == -1)
      return -1;
  }
}

/* The same; an answer that should be JSON and is not was garbled on its way, and is asked for again. */
static int
exchange_json (struct osm_cloud *cloud, const struct osm_http_request *request,
               struct osm_http_answer *answer, struct osm_error *err)
{
  for (unsigned attempt = 0;; attempt++) {
    OSM_CLEANUP_JSON json_t *json = NULL;
    OSM_ERROR (why);

    if (exchange (cloud, request, answer, err) == -1)
      return -1;
    if (answer->status < 200 || answer->status > 300 || answer->len == 0 || *answer->body == '<' ||
        attempt + 1 >= MAX_ATTEMPTS ||
        osm_json_parse (answer->body, answer->len, "the answer", &json, &why) == 0)
      return 0;
    osm_debug ("%s %s: %s", cloud->credentials->name, request->url, why.message);
    if (osm_wait_ms (osm_request_jitter (250u << attempt), err) == -1)
      return -1;
  }
}

/* ---- token ---- */

static void
take_grant (struct osm_cloud *cloud, struct osm_grant *g)
{
  uint64_t margin =
      g->lifetime_ms / 4 < TOKEN_MARGIN_MS ? g->lifetime_ms / 4 : (uint64_t)TOKEN_MARGIN_MS;

  osm_secret_free (cloud->token);
  cloud->token = osm_take (g->token);
  cloud->token_generation++;
  cloud->token_renew_ms = osm_now_ms () + g->lifetime_ms - margin;
  json_decref (cloud->catalog);
  cloud->catalog = osm_take (g->catalog);
  if (!cloud->project_id)
    cloud->project_id = osm_take (g->project_id);
  if (!cloud->project_name)
    cloud->project_name = osm_take (g->project_name);
  if (!cloud->user_id)
    cloud->user_id = osm_take (g->user_id);
  cloud->administrator = g->administrator;
}

static int
ask_for_token (struct osm_cloud *cloud, struct osm_error *err)
{
  const struct osm_credentials *c = cloud->credentials;
  OSM_CLEANUP_FREE char *url = osm_identity_token_url (c);
  OSM_CLEANUP_JSON json_t *body = osm_identity_token_body (c);
  char *text = osm_json_dump (body);
  const struct osm_http_request request = { .method = "POST", .url = url, .body = text };
  OSM_HTTP_ANSWER (answer);
  OSM_GRANT (grant);
  int r = exchange_json (cloud, &request, &answer, err);

  osm_secret_free (text);
  if (r == -1)
    return osm_error_wrap (err, "cloud '%s': identity at %s", c->name, c->auth_url);
  if (osm_identity_read (c, &answer, &grant, err) == -1)
    return -1;
  take_grant (cloud, &grant);
  return 0;
}

static int
authenticate (struct osm_cloud *cloud, struct osm_error *err)
{
  struct osm_error *last = &cloud->renewal_failed;

  if (osm_error_is_set (last) && osm_now_ms () - cloud->renewal_failed_ms < REFUSAL_STANDS_MS) {
    osm_error_copy (err, last);
    return -1;
  }
  osm_error_clear (last);
  if (ask_for_token (cloud, err) == 0)
    return 0;
  if (err->class == OSM_ERROR_USER) {
    osm_error_copy (last, err);
    cloud->renewal_failed_ms = osm_now_ms ();
  }
  return -1;
}

int
osm_session_token (struct osm_cloud *cloud, uint64_t refused, char **ret_token,
                   uint64_t *ret_generation, struct osm_error *err)
{
  OSM_LOCKED (&cloud->lock);

  if ((!cloud->token || refused == cloud->token_generation ||
       osm_now_ms () > cloud->token_renew_ms) &&
      authenticate (cloud, err) == -1)
    return -1;
  *ret_token = osm_strdup (cloud->token);
  *ret_generation = cloud->token_generation;
  return 0;
}

/* ---- endpoints ---- */

/* The same scheme, host and port: who gets our token may get it again. */
static bool
same_origin (const char *a, const char *b)
{
  const char *host = strstr (a, "://");
  size_t n;

  if (!host)
    return false;
  n = (size_t)(host + 3 - a) + strcspn (host + 3, "/?#");
  return strncmp (a, b, n) == 0 && (b[n] == '\0' || strchr ("/?#", b[n]));
}

/* GET of the versioned root. A token that was revoked in the meantime is replaced once. */
static int
ask_versions (struct osm_cloud *cloud, const char *root, struct osm_http_answer *answer,
              struct osm_error *err)
{
  OSM_CLEANUP_FREE char *url = osm_strdup (root);
  bool renewed = false;
  unsigned detours = 0;

  for (unsigned redirects = 0;;) {
    const struct osm_http_request request = {
      .method = "GET", .url = url, .token = same_origin (root, url) ? cloud->token : NULL
    };

    if (exchange_json (cloud, &request, answer, err) == -1) {
      /* Redirected to where nobody answers: perhaps the service was only being maintained. */
      if (strcmp (url, root) == 0 || detours++ == MAX_DETOURS ||
          err->class == OSM_ERROR_INTERRUPTED)
        return -1;
      osm_debug ("%s: %s", url, err->message);
      osm_error_clear (err);
      osm_str_set (&url, root);
      continue;
    }
    if (answer->status == 401 && !renewed && request.token) {
      if (authenticate (cloud, err) == -1)
        return -1;
      renewed = true;
    }
    else if (answer->location && answer->status != 300 && redirects++ < MAX_REDIRECTS)
      osm_str_set (&url, answer->location);
    else
      return 0;
  }
}

static int
negotiate (struct osm_cloud *cloud, enum osm_service service, const char *base, char **ret,
           struct osm_error *err)
{
  OSM_CLEANUP_FREE char *root = osm_endpoint_root (base);
  OSM_CLEANUP_JSON json_t *body = NULL;
  const char *name = cloud->credentials->name, *known = osm_service_microversion (service), *max;
  const json_t *version;
  OSM_HTTP_ANSWER (a);

  if (ask_versions (cloud, root, &a, err) == -1)
    return osm_error_wrap (err, "cloud '%s': %s at %s", name, osm_service_name (service), root);
  if (a.status == 429 || a.status >= 500)
    return osm_error_set (err, OSM_ERROR_RETRY, a.status, "cloud '%s': %s at %s: HTTP %d", name,
                          osm_service_name (service), root, a.status);
  if (a.status > 300) {
    /* Some proxies let nothing but the API itself through. It works without microversions. */
    osm_warning ("cloud '%s': %s at %s does not tell its versions: HTTP %d", name,
                 osm_service_name (service), root, a.status);
    *ret = osm_strdup ("");
    return 0;
  }
  if (osm_json_parse (a.body, a.len, "the answer", &body, err) == -1) {
    err->class = OSM_ERROR_REMOTE;
    return osm_error_wrap (err, "cloud '%s': %s at %s", name, osm_service_name (service), root);
  }
  version = osm_version_of (body);
  max = osm_json_str (version, "version");
  if (!max || !*max) {
    *ret = osm_strdup ("");
    return 0;
  }
  *ret = osm_microversion_choose (osm_json_str (version, "min_version"), max, known);
  return *ret
             ? 0
             : osm_error_set (err, OSM_ERROR_USER, 0,
                              "cloud '%s': %s speaks microversions %s to %s, this program up to %s",
                              name, osm_service_name (service),
                              osm_json_str (version, "min_version"), max, known);
}

static int
find_base (struct osm_cloud *cloud, enum osm_service service, char **ret, struct osm_error *err)
{
  const struct osm_credentials *c = cloud->credentials;
  const char *url = osm_catalog_override (c->overrides, service);

  if (!url && service == OSM_IDENTITY) {
    *ret = osm_identity_base (c);
    return 0;
  }
  if (!url)
    url = osm_catalog_find (cloud->catalog, service, c->region_name, c->interface);
  if (!url) {
    osm_error_set (err, OSM_ERROR_USER, 0,
                   "cloud '%s' has no %s endpoint of interface '%s'%s%s in its catalogue", c->name,
                   osm_service_name (service), c->interface, c->region_name ? " in region " : "",
                   c->region_name ? c->region_name : "");
    return osm_error_hint (err, "check region_name and interface of cloud '%s'", c->name);
  }
  if (!osm_str_starts_with (url, "http://") && !osm_str_starts_with (url, "https://"))
    return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                          "cloud '%s': the address of %s is '%s', not one of HTTP", c->name,
                          osm_service_name (service), url);
  *ret = osm_endpoint_base (url, service);
  return 0;
}

static int
make_endpoint (struct osm_cloud *cloud, enum osm_service service, struct osm_error *err)
{
  struct osm_endpoint *e;
  OSM_CLEANUP_FREE char *base = NULL, *microversion = NULL;

  if (find_base (cloud, service, &base, err) == -1)
    return -1;
  if (osm_service_microversion (service) &&
      negotiate (cloud, service, base, &microversion, err) == -1)
    return -1;
  if (service == OSM_VOLUME && cloud->project_id && osm_str_ends_with (base, "/v3") &&
      osm_microversion_compare (microversion, NO_PROJECT_IN_URL) < 0) {
    char *longer = osm_asprintf ("%s/%s", base, cloud->project_id);

    free (base);
    base = longer;
  }
  e = osm_calloc (1, sizeof *e);
  e->base = osm_take (base);
  e->microversion = microversion ? osm_take (microversion) : osm_strdup ("");
  osm_debug ("cloud '%s': %s at %s, microversion %s", cloud->credentials->name,
             osm_service_name (service), e->base, *e->microversion ? e->microversion : "none");
  cloud->endpoints[service] = e;
  return 0;
}

int
osm_session_endpoint (struct osm_cloud *cloud, enum osm_service service,
                      const struct osm_endpoint **ret, struct osm_error *err)
{
  OSM_LOCKED (&cloud->lock);

  if (!cloud->token && authenticate (cloud, err) == -1)
    return -1;
  if (!cloud->endpoints[service] && make_endpoint (cloud, service, err) == -1)
    return -1;
  *ret = cloud->endpoints[service];
  return 0;
}

/* ---- the cloud object ---- */

static int
open_with (struct osm_credentials **credentials, struct osm_cloud **ret, struct osm_error *err)
{
  OSM_CLEANUP_CLOUD struct osm_cloud *cloud = osm_calloc (1, sizeof *cloud);
  const struct osm_credentials *c;
  const char *host;

  pthread_mutex_init (&cloud->lock, NULL);
  c = cloud->credentials = osm_take (*credentials);
  cloud->pool = osm_http_pool_new (&(struct osm_http_tls){ .verify = c->verify,
                                                           .ca_file = c->ca_file,
                                                           .certificate = c->certificate,
                                                           .key = c->key,
                                                           .silence_s = c->silence_s });
  host = strstr (c->auth_url, "://");
  host = host ? host + 3 : c->auth_url;
  cloud->url = osm_strndup (c->auth_url, (size_t)(host - c->auth_url) + strcspn (host, "/"));
  if (authenticate (cloud, err) == -1)
    return -1;
  *ret = osm_take (cloud);
  return 0;
}

int
osm_cloud_open (const char *name, struct osm_cloud **ret, struct osm_error *err)
{
  OSM_CLEANUP_CREDENTIALS struct osm_credentials *c = NULL;

  return osm_credentials_load (name, &c, err) == -1 ? -1 : open_with (&c, ret, err);
}

int
osm_cloud_open_project (const struct osm_cloud *cloud, const char *project_id,
                        struct osm_cloud **ret, struct osm_error *err)
{
  OSM_CLEANUP_CREDENTIALS struct osm_credentials *c = NULL;

  if (osm_credentials_load (osm_cloud_name (cloud), &c, err) == -1)
    return -1;
  if (strcmp (c->auth_type, "v3applicationcredential") == 0) {
    osm_error_set (err, OSM_ERROR_USER, 0,
                   "cloud '%s': an application credential is of one project, and gives no token of "
                   "another one",
                   osm_cloud_name (cloud));
    return osm_error_hint (err, "use the user's password in clouds.yaml");
  }
  osm_str_set (&c->project_id, project_id);
  osm_str_set (&c->project_name, NULL);
  osm_str_set (&c->system_scope, NULL);
  osm_str_set (&c->domain_id, NULL);
  osm_str_set (&c->domain_name, NULL);
  return open_with (&c, ret, err);
}

void
osm_cloud_free (struct osm_cloud *cloud)
{
  if (!cloud)
    return;
  for (size_t i = 0; i < OSM_NR_SERVICES; i++) {
    if (cloud->endpoints[i]) {
      free (cloud->endpoints[i]->base);
      free (cloud->endpoints[i]->microversion);
      free (cloud->endpoints[i]);
    }
  }
  osm_error_done (&cloud->renewal_failed);
  json_decref (cloud->catalog);
  osm_secret_free (cloud->token);
  osm_http_pool_free (cloud->pool);
  osm_credentials_free (cloud->credentials);
  free (cloud->url);
  free (cloud->project_id);
  free (cloud->project_name);
  free (cloud->user_id);
  pthread_mutex_destroy (&cloud->lock);
  free (cloud);
}

const char *
osm_cloud_name (const struct osm_cloud *cloud)
{
  return cloud->credentials->name;
}

const char *
osm_cloud_project_id (const struct osm_cloud *cloud)
{
  return cloud->project_id;
}

const char *
osm_cloud_project_name (const struct osm_cloud *cloud)
{
  return cloud->project_name;
}

const char *
osm_cloud_user_id (const struct osm_cloud *cloud)
{
  return cloud->user_id;
}

bool
osm_cloud_is_administrator (const struct osm_cloud *cloud)
{
  return cloud->administrator;
}

const char *
osm_cloud_url (const struct osm_cloud *cloud)
{
  return cloud->url;
}

uint64_t
osm_cloud_requests (const struct osm_cloud *cloud)
{
  return osm_http_requests (cloud->pool);
}

const char *
osm_cloud_microversion (struct osm_cloud *cloud, enum osm_service service)
{
  const struct osm_endpoint *e;
  OSM_ERROR (ignored);

  return osm_session_endpoint (cloud, service, &e, &ignored) == 0 ? e->microversion : "";
}

bool
osm_cloud_has_microversion (struct osm_cloud *cloud, enum osm_service service, const char *version)
{
  return osm_microversion_compare (osm_cloud_microversion (cloud, service), version) >= 0;
}
