/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cloud/identity.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/cloud/believe.h"
#include "controller/cloud/catalog.h"
#include "controller/cloud/request.h"

/* Of a token whose answer does not say how long it lives. */
#define UNKNOWN_LIFETIME_MS (5 * 60 * 1000)

void
osm_grant_done (struct osm_grant *g)
{
  osm_secret_free (g->token);
  free (g->project_id);
  free (g->project_name);
  free (g->user_id);
  json_decref (g->catalog);
  *g = (struct osm_grant){ 0 };
}

static bool
is_v2 (const struct osm_credentials *c)
{
  return strcmp (c->auth_type, "v2password") == 0;
}

char *
osm_identity_base (const struct osm_credentials *c)
{
  return osm_endpoint_base (c->auth_url, OSM_IDENTITY);
}

char *
osm_identity_token_url (const struct osm_credentials *c)
{
  OSM_CLEANUP_FREE char *base = osm_identity_base (c);

  if (is_v2 (c))
    return osm_asprintf ("%.*s/v2.0/tokens", (int)(strlen (base) - strlen ("/v3")), base);
  return osm_asprintf ("%s/auth/tokens", base);
}

/* ---- what is asked ---- */

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

static json_t *
v2_body (const struct osm_credentials *c)
{
  json_t *user = json_object (), *auth = osm_json_pack ("{s:o}", "passwordCredentials", user);

  osm_json_set_str (user, "username", c->username);
  osm_json_set_str (user, "userId", c->username ? NULL : c->user_id);
  osm_json_set_str (user, "password", c->password);
  osm_json_set_str (auth, "tenantName", c->project_id ? NULL : c->project_name);
  osm_json_set_str (auth, "tenantId", c->project_id);
  return osm_json_pack ("{s:o}", "auth", auth);
}

json_t *
osm_identity_token_body (const struct osm_credentials *c)
{
  const char *method = "password";
  json_t *proof, *scope = NULL, *identity, *auth;

  if (is_v2 (c))
    return v2_body (c);
  if (strcmp (c->auth_type, "v3applicationcredential") == 0) {
    /* Its scope is part of it. */
    method = "application_credential";
    proof = osm_json_pack ("{s:s?}", "secret", c->application_credential_secret);
    if (c->application_credential_id)
      osm_json_set_str (proof, "id", c->application_credential_id);
    else {
      osm_json_set_str (proof, "name", c->application_credential_name);
      json_object_set_new (proof, "user", user_of (c));
    }
  }
  else if (strcmp (c->auth_type, "token") == 0) {
    method = "token";
    proof = osm_json_pack ("{s:s?}", "id", c->token);
    scope = scope_of (c);
  }
  else {
    json_t *user = user_of (c);

    osm_json_set_str (user, "password", c->password);
    proof = osm_json_pack ("{s:o}", "user", user);
    scope = scope_of (c);
  }
  identity = osm_json_pack ("{s:[s], s:o}", "methods", method, method, proof);
  auth = osm_json_pack ("{s:o}", "identity", identity);
  if (scope)
    json_object_set_new (auth, "scope", scope);
  return osm_json_pack ("{s:o}", "auth", auth);
}

/* ---- what is answered ---- */

/* "2026-11-21T06:12:05.000000Z"; -1 if it is not such a time. */
static int64_t
parse_time (const char *text)
{
  struct tm tm = { 0 };

  return text && strptime (text, "%Y-%m-%dT%H:%M:%S", &tm) ? (int64_t)timegm (&tm) * 1000 : -1;
}

/* The two times are of one clock: ours may be wrong. */
static uint64_t
lifetime_ms (const char *issued, const char *expires)
{
  int64_t from = parse_time (issued), to = parse_time (expires);

  return from != -1 && to > from ? (uint64_t)(to - from) : UNKNOWN_LIFETIME_MS;
}

static const char *
who (const struct osm_credentials *c)
{
  return c->username                      ? c->username
         : c->user_id                     ? c->user_id
         : c->application_credential_name ? c->application_credential_name
         : c->application_credential_id   ? c->application_credential_id
                                          : "the token";
}

static int
refusal (const struct osm_credentials *c, const struct osm_http_answer *a, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *message = osm_request_error_message (a->body, a->len);
  const char *colon = message ? ": " : "", *text = message ? message : "";

  if (a->status >= 500 || a->status == 429)
    return osm_error_set (err, OSM_ERROR_RETRY, a->status,
                          "cloud '%s': identity at %s gives no token: HTTP %d%s%s", c->name,
                          c->auth_url, a->status, colon, text);
  if (a->location) {
    osm_error_set (err, OSM_ERROR_USER, a->status, "cloud '%s': %s has moved to %s", c->name,
                   c->auth_url, a->location);
    return osm_error_hint (err, "correct auth_url of cloud '%s'", c->name);
  }
  if (a->status == 404 || a->status == 405 || a->status < 400) {
    osm_error_set (err, OSM_ERROR_USER, a->status,
                   "cloud '%s': there is no identity service at %s: HTTP %d%s%s", c->name,
                   c->auth_url, a->status, colon, text);
    return osm_error_hint (err, "auth_url must be that of Keystone, such as https://HOST:5000/v3");
  }
  osm_error_set (err, OSM_ERROR_USER, a->status,
                 "cloud '%s': identity at %s refuses the credentials of %s: HTTP %d%s%s", c->name,
                 c->auth_url, who (c), a->status, colon, text);
  if (strcmp (c->auth_type, "token") == 0)
    return osm_error_hint (err, "the token of cloud '%s' has expired or is not of this cloud",
                           c->name);
  return osm_error_hint (err, "check user, password, project and domains of cloud '%s'", c->name);
}

/* [{"type", "endpoints": [{"region", "publicURL", "internalURL", "adminURL"}]}] in the form of version 3. */
static json_t *
catalog_of_v2 (const json_t *old)
{
  static const char *const interfaces[] = { "public", "internal", "admin" };
  json_t *catalog = json_array ();
  const json_t *entry, *endpoint;
  size_t i, j;

  json_array_foreach (old, i, entry)
  {
    json_t *endpoints = json_array ();

    json_array_foreach (json_object_get (entry, "endpoints"), j, endpoint)
    {
      for (size_t k = 0; k < sizeof interfaces / sizeof interfaces[0]; k++) {
        OSM_CLEANUP_FREE char *key = osm_asprintf ("%sURL", interfaces[k]);

        json_array_append_new (endpoints,
                               osm_json_pack ("{s:s, s:s?, s:s?}", "interface", interfaces[k],
                                              "region", osm_json_str (endpoint, "region"), "url",
                                              osm_json_str (endpoint, key)));
      }
    }
    json_array_append_new (catalog,
                           osm_json_pack ("{s:s?, s:o}", "type", osm_json_str (entry, "type"),
                                          "endpoints", endpoints));
  }
  return catalog;
}

/* Keystone's own name for those who may do everything. */
static bool
has_admin_role (const json_t *roles)
{
  const json_t *role;
  size_t i;

  json_array_foreach (roles, i, role)
  {
    const char *name = osm_json_str (role, "name");

    if (name && strcasecmp (name, "admin") == 0)
      return true;
  }
  return false;
}

static void
read_v2 (const json_t *answer, struct osm_grant *g)
{
  const json_t *access = json_object_get (answer, "access"),
               *token = json_object_get (access, "token"),
               *services = json_object_get (access, "serviceCatalog");

  g->token = osm_strdup (osm_json_str (token, "id"));
  g->lifetime_ms = lifetime_ms (osm_json_str (token, "issued_at"), osm_json_str (token, "expires"));
  g->project_id = osm_strdup (osm_json_str (json_object_get (token, "tenant"), "id"));
  g->project_name = osm_strdup (osm_json_str (json_object_get (token, "tenant"), "name"));
  g->user_id = osm_strdup (osm_json_str (json_object_get (access, "user"), "id"));
  g->administrator = has_admin_role (json_object_get (json_object_get (access, "user"), "roles"));
  g->catalog = json_array_size (services) > 0 ? catalog_of_v2 (services) : NULL;
}

static void
read_v3 (const json_t *answer, const char *subject_token, struct osm_grant *g)
{
  const json_t *token = json_object_get (answer, "token");
  json_t *catalog = json_object_get (token, "catalog");

  g->token = osm_strdup (subject_token);
  g->lifetime_ms =
      lifetime_ms (osm_json_str (token, "issued_at"), osm_json_str (token, "expires_at"));
  g->project_id = osm_strdup (osm_json_str (json_object_get (token, "project"), "id"));
  g->project_name = osm_strdup (osm_json_str (json_object_get (token, "project"), "name"));
  g->user_id = osm_strdup (osm_json_str (json_object_get (token, "user"), "id"));
  g->administrator = has_admin_role (json_object_get (token, "roles"));
  g->catalog = json_is_array (catalog) ? json_incref (catalog) : NULL;
}

int
osm_identity_read (const struct osm_credentials *c, const struct osm_http_answer *a,
                   struct osm_grant *ret, struct osm_error *err)
{
  OSM_GRANT (g);
  OSM_CLEANUP_JSON json_t *answer = NULL;
  OSM_ERROR (why);

  if (a->status < 200 || a->status > 299)
    return refusal (c, a, err);
  if (osm_json_parse (a->body, a->len, "the answer", &answer, &why) == 0) {
    if (is_v2 (c))
      read_v2 (answer, &g);
    else
      read_v3 (answer, a->subject_token, &g);
  }
  if (!g.token) {
    osm_error_set (err, OSM_ERROR_USER, a->status,
                   "cloud '%s': what answers at %s is not Keystone: no token in its answer%s%s",
                   c->name, c->auth_url, why.message ? ": " : "", why.message ? why.message : "");
    return osm_error_hint (err, "auth_url must be that of Keystone, such as https://HOST:5000/v3");
  }
  /* Both become part of paths. */
  if ((g.project_id && !osm_cloud_is_id (g.project_id)) ||
      (g.user_id && !osm_cloud_is_id (g.user_id)))
    return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                          "cloud '%s': the answer of Keystone has a %s whose id is none", c->name,
                          g.project_id && !osm_cloud_is_id (g.project_id) ? "project" : "user");
  if (!g.catalog) {
    osm_error_set (err, OSM_ERROR_USER, 0, "cloud '%s': the token has no catalogue", c->name);
    return osm_error_hint (err, "name a project (project_name or project_id) of cloud '%s'",
                           c->name);
  }
  *ret = g;
  g = (struct osm_grant){ 0 };
  return 0;
}
