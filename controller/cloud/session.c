/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cloud/session.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/strbuf.h"

/* Renewed so long before its end (a quarter of its life, if that is less), so that no request is overtaken. */
#define TOKEN_MARGIN_MS 60000

/* https://docs.openstack.org/api-ref/: the microversions that this code was written for (Zed), and each service's
 * types in catalogues old and new (https://service-types.openstack.org). */
static const struct {
  const char *name, *types[4], *version_path, *microversion, *header_name;
} services[OSM_NR_SERVICES] = {
  [OSM_IDENTITY] = { "identity", { "identity" }, "/v3", NULL, NULL },
  [OSM_COMPUTE] = { "compute", { "compute" }, "/v2.1", "2.93", "compute" },
  [OSM_VOLUME] = { "volume", { "block-storage", "volumev3", "volume" }, "/v3", "3.70", "volume" },
  [OSM_NETWORK] = { "network", { "network" }, "/v2.0", NULL, NULL },
  [OSM_IMAGE] = { "image", { "image" }, "/v2", NULL, NULL },
};

const char *
osm_service_name (enum osm_service service)
{
  return services[service].name;
}

/* ---- identity ---- */

static json_t *
domain (const char *id, const char *name)
{
  return id ? osm_json_pack ("{s:s}", "id", id)
            : osm_json_pack ("{s:s}", "name", name ? name : "Default");
}

static json_t *
user_of (const struct osm_credentials *c)
{
  return c->user_id ? osm_json_pack ("{s:s}", "id", c->user_id)
                    : osm_json_pack ("{s:s?, s:o}", "name", c->username, "domain",
                                     domain (c->user_domain_id, c->user_domain_name));
}

static json_t *
scope_of (const struct osm_credentials *c)
{
  if (c->project_id)
    return osm_json_pack ("{s:{s:s}}", "project", "id", c->project_id);
  if (c->project_name)
    return osm_json_pack ("{s:{s:s, s:o}}", "project", "name", c->project_name, "domain",
                          domain (c->project_domain_id, c->project_domain_name));
  if (c->system_scope)
    return osm_json_pack ("{s:{s:b}}", "system", "all", 1);
  if (c->domain_id || c->domain_name)
    return osm_json_pack ("{s:o}", "domain", domain (c->domain_id, c->domain_name));
  return NULL;
}

json_t *
osm_session_auth_body (const struct osm_credentials *c)
{
  json_t *identity = json_object (), *scope = NULL, *auth;

  if (strcmp (c->auth_type, "v3applicationcredential") == 0) {
    json_t *credential = osm_json_pack ("{s:s?}", "secret", c->application_credential_secret);

    if (c->application_credential_id)
      osm_json_set_str (credential, "id", c->application_credential_id);
    else {
      osm_json_set_str (credential, "name", c->application_credential_name);
      json_object_set_new (credential, "user", user_of (c));
    }
    json_object_set_new (identity, "methods", osm_json_pack ("[s]", "application_credential"));
    json_object_set_new (identity, "application_credential", credential);
  }
  else if (strcmp (c->auth_type, "token") == 0) {
    json_object_set_new (identity, "methods", osm_json_pack ("[s]", "token"));
    json_object_set_new (identity, "token", osm_json_pack ("{s:s?}", "id", c->token));
    scope = scope_of (c);
  }
  else {
    json_t *user = user_of (c);

    osm_json_set_str (user, "password", c->password);
    json_object_set_new (identity, "methods", osm_json_pack ("[s]", "password"));
    json_object_set_new (identity, "password", osm_json_pack ("{s:o}", "user", user));
    scope = scope_of (c);
  }
  auth = osm_json_pack ("{s:o}", "identity", identity);
  if (scope)
    json_object_set_new (auth, "scope", scope);
  return osm_json_pack ("{s:o}", "auth", auth);
}

static char *
identity_url (const struct osm_credentials *c)
{
  size_t n = strlen (c->auth_url);

  while (n && c->auth_url[n - 1] == '/')
    n--;
  return n > 3 && strncmp (c->auth_url + n - 3, "/v3", 3) == 0
             ? osm_strndup (c->auth_url, n)
             : osm_asprintf ("%.*s/v3", (int)n, c->auth_url);
}

static int64_t
parse_expiry (const char *text)
{
  struct tm tm = { 0 };

  /* "2026-11-21T06:12:05.000000Z" */
  if (!text || !strptime (text, "%Y-%m-%dT%H:%M:%S", &tm))
    return osm_wall_ms () + 5 * 60 * 1000;
  return (int64_t)timegm (&tm) * 1000;
}

static int
refused (const struct osm_cloud *cloud, const struct osm_http_answer *a, struct osm_error *err)
{
  const struct osm_credentials *c = cloud->credentials;
  OSM_CLEANUP_JSON json_t *body = NULL;
  OSM_ERROR (ignored);
  const char *message = NULL;

  if (osm_json_parse (a->body, a->len, "answer", &body, &ignored) == 0)
    message = osm_json_str (json_object_get (body, "error"), "message");
  osm_error_set (err, a->status < 500 ? OSM_ERROR_USER : OSM_ERROR_RETRY, a->status,
                 "cloud '%s': identity at %s refused the credentials of %s: HTTP %d%s%s", c->name,
                 c->auth_url,
                 c->username                      ? c->username
                 : c->user_id                     ? c->user_id
                 : c->application_credential_name ? c->application_credential_name
                                                  : "the application credential or token",
                 a->status, message ? ": " : "", message ? message : "");
  if (a->status == 401)
    osm_error_hint (err, "check user, password, project and domains of cloud '%s' in clouds.yaml",
                    c->name);
  else if (a->status == 404)
    osm_error_hint (err, "auth_url should be that of Keystone's version 3: %s/v3", cloud->url);
  return -1;
}

static int
authenticate (struct osm_cloud *cloud, struct osm_error *err)
{
  const struct osm_credentials *c = cloud->credentials;
  OSM_CLEANUP_FREE char *base = identity_url (c), *url = osm_asprintf ("%s/auth/tokens", base);
  OSM_CLEANUP_JSON json_t *body = osm_session_auth_body (c), *answer = NULL;
  char *text = osm_json_dump (body);
  const struct osm_http_request request = { .method = "POST", .url = url, .body = text };
  const json_t *token;
  int64_t expires, margin;
  int r = -1;

  for (unsigned attempt = 0;; attempt++) {
    OSM_HTTP_ANSWER (a);
    OSM_ERROR (why);
    enum osm_http_loss loss = OSM_HTTP_UNKNOWN;

    if (osm_http_perform (cloud->pool, &request, &a, &loss, &why) == -1) {
      if (why.class != OSM_ERROR_RETRY || attempt == 3) {
        osm_error_move (err, &why);
        osm_error_wrap (err, "cloud '%s': identity at %s", c->name, c->auth_url);
        break;
      }
    }
    else if (a.status == 201 && a.subject_token) {
      if (osm_json_parse (a.body, a.len, "token", &answer, err) == -1) {
        osm_error_wrap (err, "cloud '%s': identity", c->name);
        break;
      }
      osm_secret_free (cloud->token);
      cloud->token = osm_take (a.subject_token);
      r = 0;
      break;
    }
    else if ((a.status != 429 && a.status < 500) || attempt == 3) {
      refused (cloud, &a, err);
      break;
    }
    if (osm_wait_ms (500u << attempt, err) == -1)
      break;
  }
  osm_secret_free (text);
  if (r == -1)
    return -1;

  token = json_object_get (answer, "token");
  cloud->token_generation++;
  expires = parse_expiry (osm_json_str (token, "expires_at"));
  margin = (expires - osm_wall_ms ()) / 4;
  cloud->token_renew_ms = expires - (margin < TOKEN_MARGIN_MS ? margin : TOKEN_MARGIN_MS);
  json_decref (cloud->catalog);
  cloud->catalog = json_incref (json_object_get (token, "catalog"));
  osm_str_set (&cloud->project_id, osm_json_str (json_object_get (token, "project"), "id"));
  osm_str_set (&cloud->user_id, osm_json_str (json_object_get (token, "user"), "id"));
  if (!json_is_array (cloud->catalog)) {
    osm_error_set (err, OSM_ERROR_USER, 0, "cloud '%s': the token has no catalogue", c->name);
    return osm_error_hint (err, "name a project (project_name or project_id) in clouds.yaml");
  }
  return 0;
}

int
osm_session_token (struct osm_cloud *cloud, uint64_t refused_generation, char **ret_token,
                   uint64_t *ret_generation, struct osm_error *err)
{
  OSM_LOCKED (&cloud->lock);

  /* One renewal for all threads that were refused with the same token. */
  if ((!cloud->token || refused_generation == cloud->token_generation ||
       osm_wall_ms () > cloud->token_renew_ms) &&
      authenticate (cloud, err) == -1)
    return -1;
  *ret_token = osm_strdup (cloud->token);
  *ret_generation = cloud->token_generation;
  return 0;
}

/* ---- catalogue and versions ---- */

const char *
osm_catalog_find (const json_t *catalog, enum osm_service service, const char *region,
                  const char *interface)
{
  size_t i, j;
  json_t *entry, *endpoint;

  for (size_t k = 0; k < 4 && services[service].types[k]; k++) {
    json_array_foreach (catalog, i, entry)
    {
      if (!osm_str_equal (osm_json_str (entry, "type"), services[service].types[k]))
        continue;
      json_array_foreach (json_object_get (entry, "endpoints"), j, endpoint)
      {
        const char *where = osm_json_str (endpoint, "region_id");

        if (!where)
          where = osm_json_str (endpoint, "region");
        if (osm_str_equal (osm_json_str (endpoint, "interface"), interface) &&
            (!region || osm_str_equal (where, region)) && osm_json_str (endpoint, "url"))
          return osm_json_str (endpoint, "url");
      }
    }
  }
  return NULL;
}

/* Does the last part of the path before `end` look like "v2.1"? */
static bool
has_version (const char *url)
{
  const char *slash = strrchr (url, '/');

  return slash && slash[1] == 'v' && slash[2] >= '1' && slash[2] <= '9';
}

char *
osm_endpoint_base (const char *url, enum osm_service service)
{
  size_t n = strlen (url);
  OSM_CLEANUP_FREE char *base = NULL;
  const char *version;

  while (n && url[n - 1] == '/')
    n--;
  base = osm_strndup (url, n);
  /* ".../v3/PROJECT" (Cinder) and ".../v2/PROJECT" (old Nova) have it in the middle. */
  version = strstr (base, "/v");
  while (version && !(version[2] >= '1' && version[2] <= '9'))
    version = strstr (version + 2, "/v");
  if (has_version (base) || version)
    return osm_take (base);
  return osm_asprintf ("%s%s", base, services[service].version_path);
}

static bool
split_microversion (const char *s, unsigned *major, unsigned *minor)
{
  char end;

  return s && sscanf (s, "%5u.%5u%c", major, minor, &end) == 2;
}

int
osm_microversion_compare (const char *a, const char *b)
{
  unsigned a1 = 0, a2 = 0, b1 = 0, b2 = 0;

  split_microversion (a, &a1, &a2);
  split_microversion (b, &b1, &b2);
  if (a1 != b1)
    return a1 < b1 ? -1 : 1;
  return a2 < b2 ? -1 : a2 > b2;
}

char *
osm_microversion_choose (const char *min, const char *max, const char *known)
{
  unsigned major, minor;

  if (!split_microversion (max, &major, &minor) || !split_microversion (min, &major, &minor))
    return NULL;
  if (osm_microversion_compare (max, known) <= 0)
    return osm_strdup (max);
  return osm_microversion_compare (min, known) <= 0 ? osm_strdup (known) : NULL;
}

/* GET of the versioned root without the project: {"version": {"min_version", "version"}} */
static char *
negotiate (struct osm_cloud *cloud, enum osm_service service, const char *base,
           struct osm_error *err)
{
  OSM_CLEANUP_FREE char *root = NULL, *chosen = NULL;
  const char *version = strstr (base, "/v"), *end, *max;
  OSM_CLEANUP_JSON json_t *body = NULL;
  const json_t *object;
  OSM_HTTP_ANSWER (a);
  enum osm_http_loss loss;
  struct osm_http_request request = { .method = "GET", .token = cloud->token };

  while (version && !(version[2] >= '1' && version[2] <= '9'))
    version = strstr (version + 2, "/v");
  end = version ? strchr (version + 1, '/') : NULL;
  root = osm_asprintf ("%.*s/", (int)(end ? end - base : (ptrdiff_t)strlen (base)), base);
  request.url = root;
  for (unsigned attempt = 0;; attempt++) {
    OSM_ERROR (why);

    osm_http_answer_done (&a);
    if (osm_http_perform (cloud->pool, &request, &a, &loss, &why) == 0 && a.status < 500)
      break;
    if (attempt == 4) {
      if (!osm_error_is_set (&why))
        osm_error_set (&why, OSM_ERROR_RETRY, a.status, "HTTP %d", a.status);
      osm_error_move (err, &why);
      osm_error_wrap (err, "cloud '%s': %s at %s", cloud->credentials->name, services[service].name,
                      root);
      return NULL;
    }
    if (osm_wait_ms (500u << attempt, err) == -1)
      return NULL;
  }
  if (osm_json_parse (a.body, a.len, root, &body, err) == -1)
    return NULL;
  object = json_object_get (body, "version");
  if (!object) {
    size_t i;
    json_t *candidate;

    /* A list of versions: the one whose microversions go with the path. */
    json_array_foreach (json_object_get (body, "versions"), i,
                        candidate) if (osm_json_str (candidate, "version") &&
                                       *osm_json_str (candidate, "version")) object = candidate;
  }
  max = osm_json_str (object, "version");
  if (!max || !*max)
    return osm_strdup ("");
  chosen = osm_microversion_choose (osm_json_str (object, "min_version"), max,
                                    services[service].microversion);
  if (!chosen)
    osm_error_set (err, OSM_ERROR_USER, 0,
                   "cloud '%s': %s speaks microversions %s to %s only, this program up to %s",
                   cloud->credentials->name, services[service].name,
                   osm_json_str (object, "min_version"), max, services[service].microversion);
  return osm_take (chosen);
}

static int
make_endpoint (struct osm_cloud *cloud, enum osm_service service, struct osm_error *err)
{
  const struct osm_credentials *c = cloud->credentials;
  struct osm_endpoint *e;
  OSM_CLEANUP_FREE char *base = NULL, *microversion = NULL;
  const char *url = NULL;

  if (service == OSM_IDENTITY)
    base = identity_url (c);
  else {
    for (size_t k = 0; !url && k < 4 && services[service].types[k]; k++)
      url = osm_json_str (c->overrides, services[service].types[k]);
    if (!url)
      url = osm_catalog_find (cloud->catalog, service, c->region_name, c->interface);
    if (!url) {
      osm_error_set (err, OSM_ERROR_USER, 0,
                     "cloud '%s' has no %s endpoint of interface '%s'%s%s in its catalogue",
                     c->name, services[service].name, c->interface,
                     c->region_name ? " in region " : "", c->region_name ? c->region_name : "");
      return osm_error_hint (err, "check region_name and interface in clouds.yaml");
    }
    base = osm_endpoint_base (url, service);
  }
  if (services[service].microversion) {
    microversion = negotiate (cloud, service, base, err);
    if (!microversion)
      return -1;
  }
  e = osm_calloc (1, sizeof *e);
  e->base = osm_take (base);
  e->microversion = microversion ? osm_take (microversion) : osm_strdup ("");
  osm_debug ("cloud '%s': %s at %s, microversion %s", c->name, services[service].name, e->base,
             *e->microversion ? e->microversion : "none");
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

int
osm_cloud_open (const char *name, struct osm_cloud **ret, struct osm_error *err)
{
  OSM_CLEANUP_CLOUD struct osm_cloud *cloud = osm_calloc (1, sizeof *cloud);
  const struct osm_credentials *c;
  const char *host;

  pthread_mutex_init (&cloud->lock, NULL);
  if (osm_credentials_load (name, &cloud->credentials, err) == -1)
    return -1;
  c = cloud->credentials;
  cloud->pool = osm_http_pool_new (&(struct osm_http_tls){
      .verify = c->verify, .ca_file = c->ca_file, .certificate = c->certificate, .key = c->key });
  host = strstr (c->auth_url, "://");
  host = host ? host + 3 : c->auth_url;
  cloud->url = osm_strndup (c->auth_url, (size_t)(host - c->auth_url) + strcspn (host, "/"));
  if (authenticate (cloud, err) == -1)
    return -1;
  *ret = osm_take (cloud);
  return 0;
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
  json_decref (cloud->catalog);
  osm_secret_free (cloud->token);
  osm_http_pool_free (cloud->pool);
  osm_credentials_free (cloud->credentials);
  free (cloud->url);
  free (cloud->project_id);
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
osm_cloud_user_id (const struct osm_cloud *cloud)
{
  return cloud->user_id;
}

const char *
osm_cloud_url (const struct osm_cloud *cloud)
{
  return cloud->url;
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
