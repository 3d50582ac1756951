/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cloud/clouds.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/strbuf.h"
#include "common/yaml.h"

/* Where each value stands: under "auth" of the cloud or beside it, and its variable. */
static const struct {
  const char *key, *variable;
  size_t offset;
  bool in_auth;
} keys[] = {
#define AUTH(k, v)                                   \
  {                                                  \
#k, v, offsetof(struct osm_credentials, k), true \
  }
#define TOP(k, v, f)                                  \
  {                                                   \
    k, v, offsetof (struct osm_credentials, f), false \
  }
  AUTH (auth_url, "OS_AUTH_URL"),
  AUTH (username, "OS_USERNAME"),
  AUTH (user_id, "OS_USER_ID"),
  AUTH (user_domain_name, "OS_USER_DOMAIN_NAME"),
  AUTH (user_domain_id, "OS_USER_DOMAIN_ID"),
  AUTH (password, "OS_PASSWORD"),
  AUTH (token, "OS_TOKEN"),
  AUTH (project_name, "OS_PROJECT_NAME"),
  AUTH (project_id, "OS_PROJECT_ID"),
  AUTH (project_domain_name, "OS_PROJECT_DOMAIN_NAME"),
  AUTH (project_domain_id, "OS_PROJECT_DOMAIN_ID"),
  AUTH (domain_name, "OS_DOMAIN_NAME"),
  AUTH (domain_id, "OS_DOMAIN_ID"),
  AUTH (system_scope, "OS_SYSTEM_SCOPE"),
  AUTH (application_credential_id, "OS_APPLICATION_CREDENTIAL_ID"),
  AUTH (application_credential_name, "OS_APPLICATION_CREDENTIAL_NAME"),
  AUTH (application_credential_secret, "OS_APPLICATION_CREDENTIAL_SECRET"),
  TOP ("auth_type", "OS_AUTH_TYPE", auth_type),
  TOP ("region_name", "OS_REGION_NAME", region_name),
  TOP ("interface", "OS_INTERFACE", interface),
  TOP ("endpoint_type", "OS_ENDPOINT_TYPE", interface),
  TOP ("cacert", "OS_CACERT", ca_file),
  TOP ("cert", "OS_CERT", certificate),
  TOP ("key", "OS_KEY", key),
};
#define NR_KEYS (sizeof keys / sizeof keys[0])

static char **
slot (struct osm_credentials *c, size_t i)
{
  return (char **)((char *)c + keys[i].offset);
}

void
osm_credentials_free (struct osm_credentials *c)
{
  if (!c)
    return;
  osm_secret_free (c->password);
  osm_secret_free (c->token);
  osm_secret_free (c->application_credential_secret);
  c->password = c->token = c->application_credential_secret = NULL;
  for (size_t i = 0; i < NR_KEYS; i++)
    free (osm_take (*slot (c, i)));
  free (c->name);
  json_decref (c->overrides);
  free (c);
}

/* ---- files ---- */

/* The file that is read, by the rules of openstacksdk: the variable, here, the user's, the system's. Caller frees; NULL: none. */
static char *
find_file (const char *variable, const char *name)
{
  const char *given = getenv (variable), *xdg = getenv ("XDG_CONFIG_HOME"), *home = getenv ("HOME");
  OSM_CLEANUP_FREE char *user = NULL, *site = NULL;

  if (given && *given)
    return osm_strdup (given);
  if (osm_file_exists (name))
    return osm_strdup (name);
  if (xdg && *xdg)
    user = osm_asprintf ("%s/openstack/%s", xdg, name);
  else if (home && *home)
    user = osm_asprintf ("%s/.config/openstack/%s", home, name);
  if (user && osm_file_exists (user))
    return osm_take (user);
  site = osm_asprintf ("%s/openstack/%s", OSM_SYSCONFDIR, name);
  if (osm_file_exists (site))
    return osm_take (site);
  free (osm_take (site));
  site = osm_asprintf ("/etc/openstack/%s", name);
  return osm_file_exists (site) ? osm_take (site) : NULL;
}

static int
load_clouds (const char *variable, const char *name, char **ret_path, struct osm_yaml **ret,
             json_t **ret_clouds, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = find_file (variable, name);
  OSM_CLEANUP_YAML struct osm_yaml *doc = NULL;
  json_t *clouds;

  *ret_clouds = NULL;
  if (!path)
    return 0;
  if (osm_yaml_load (path, &doc, err) == -1)
    return -1;
  clouds = json_object_get (osm_yaml_root (doc), "clouds");
  if (!json_is_object (clouds))
    return osm_yaml_error (doc, osm_yaml_root (doc), err, "there is no mapping 'clouds'");
  *ret_clouds = clouds;
  *ret = osm_take (doc);
  *ret_path = osm_take (path);
  return 0;
}

static void
merge (json_t *into, const json_t *from)
{
  const char *key;
  json_t *value;

  json_object_foreach ((json_t *)from, key, value)
  {
    json_t *old = json_object_get (into, key);

    if (json_is_object (old) && json_is_object (value))
      merge (old, value);
    else
      json_object_set (into, key, value);
  }
}

static char *
names_of (const json_t *clouds)
{
  OSM_STRBUF (b);
  const char *key;
  json_t *value;

  json_object_foreach ((json_t *)clouds, key, value)
      osm_strbuf_addf (&b, "%s%s", b.len ? ", " : "", key);
  return osm_strbuf_take (&b);
}

/* Text of a scalar; numbers are what unquoted passwords and project ids may look like. */
static char *
scalar_text (const json_t *value)
{
  if (json_is_string (value))
    return osm_strdup (json_string_value (value));
  if (json_is_integer (value))
    return osm_asprintf ("%" JSON_INTEGER_FORMAT, json_integer_value (value));
  return NULL;
}

static int
fill_from_yaml (struct osm_credentials *c, const struct osm_yaml *doc, const json_t *cloud,
                struct osm_error *err)
{
  static const char suffix[] = "_endpoint_override";
  const json_t *auth = json_object_get (cloud, "auth"), *verify = json_object_get (cloud, "verify");
  const char *key;
  json_t *value;

  for (size_t i = 0; i < NR_KEYS; i++) {
    json_t *found = json_object_get (auth, keys[i].key);
    char *text;

    if (!found || !keys[i].in_auth)
      found = json_object_get (cloud, keys[i].key);
    if (!found || json_is_null (found))
      continue;
    text = scalar_text (found);
    if (!text) {
      /* "cert" may be a pair in requests; and a password must be quoted if YAML would read it as something else. */
      return osm_yaml_error (doc, found, err, "cloud '%s': '%s' must be a string (quote it)",
                             c->name, keys[i].key);
    }
    free (*slot (c, i));
    *slot (c, i) = text;
  }
  json_object_foreach ((json_t *)cloud, key, value)
  {
    if (osm_str_ends_with (key, suffix) && json_is_string (value)) {
      OSM_CLEANUP_FREE char *service = osm_strndup (key, strlen (key) - strlen (suffix));

      json_object_set (c->overrides, service, value);
    }
  }
  if (verify && !json_is_boolean (verify) && !json_is_null (verify))
    return osm_yaml_error (doc, verify, err, "cloud '%s': 'verify' must be true or false", c->name);
  if (json_is_false (verify))
    c->verify = false;
  return 0;
}

static int
load_from_files (struct osm_credentials *c, struct osm_error *err)
{
  OSM_CLEANUP_YAML struct osm_yaml *doc = NULL, *secure_doc = NULL;
  OSM_CLEANUP_FREE char *path = NULL, *secure_path = NULL;
  OSM_CLEANUP_JSON json_t *cloud = NULL;
  json_t *clouds, *secure, *found;

  if (load_clouds ("OS_CLIENT_CONFIG_FILE", "clouds.yaml", &path, &doc, &clouds, err) == -1 ||
      load_clouds ("OS_CLIENT_SECURE_FILE", "secure.yaml", &secure_path, &secure_doc, &secure,
                   err) == -1)
    return -1;
  if (!clouds) {
    osm_error_set (err, OSM_ERROR_USER, 0, "cloud '%s': there is no clouds.yaml", c->name);
    return osm_error_hint (err, "write one (./clouds.yaml, ~/.config/openstack/clouds.yaml or "
                                "/etc/openstack/clouds.yaml), or name it in OS_CLIENT_CONFIG_FILE");
  }
  found = json_object_get (clouds, c->name);
  if (!json_is_object (found)) {
    OSM_CLEANUP_FREE char *known = names_of (clouds);

    osm_error_set (err, OSM_ERROR_USER, 0, "there is no cloud '%s' in %s", c->name, path);
    return osm_error_hint (err, "it has: %s", known);
  }
  if (json_is_object (json_object_get (secure, c->name))) {
    cloud = json_deep_copy (found);
    merge (cloud, json_object_get (secure, c->name));
  }
  else
    cloud = json_incref (found);
  return fill_from_yaml (c, doc, cloud, err);
}

static int
load_from_environment (struct osm_credentials *c, struct osm_error *err)
{
  const char *verify = getenv ("OS_INSECURE");

  for (size_t i = 0; i < NR_KEYS; i++) {
    const char *value = getenv (keys[i].variable);

    if (value && *value)
      osm_str_set (slot (c, i), value);
  }
  if (!c->project_name && getenv ("OS_TENANT_NAME"))
    osm_str_set (&c->project_name, getenv ("OS_TENANT_NAME"));
  if (verify && *verify) {
    bool insecure;

    if (osm_parse_bool (verify, "OS_INSECURE", &insecure, err) == -1)
      return -1;
    c->verify = !insecure;
  }
  return 0;
}

static int
complete (struct osm_credentials *c, struct osm_error *err)
{
  bool application = c->application_credential_id || c->application_credential_name;

  if (!c->auth_url) {
    osm_error_set (err, OSM_ERROR_USER, 0, "cloud '%s' has no auth_url", c->name);
    return osm_error_hint (err, "it belongs under 'auth' in clouds.yaml, or into OS_AUTH_URL");
  }
  if (!c->interface)
    c->interface = osm_strdup ("public");
  if (osm_str_ends_with (c->interface, "URL"))
    c->interface[strlen (c->interface) - 3] = '\0';
  if (!c->auth_type)
    c->auth_type = osm_strdup (application ? "v3applicationcredential"
                               : c->token  ? "token"
                                           : "password");
  if (strcasecmp (c->auth_type, "v3password") == 0)
    osm_str_set (&c->auth_type, "password");
  if (strcasecmp (c->auth_type, "v3token") == 0)
    osm_str_set (&c->auth_type, "token");
  if (strcmp (c->auth_type, "password") != 0 && strcmp (c->auth_type, "token") != 0 &&
      strcmp (c->auth_type, "v3applicationcredential") != 0) {
    osm_error_set (err, OSM_ERROR_USER, 0, "cloud '%s': auth_type '%s' is not supported", c->name,
                   c->auth_type);
    return osm_error_hint (err, "use password, token or v3applicationcredential");
  }
  if (strcmp (c->auth_type, "password") == 0 && (!c->password || !(c->username || c->user_id)))
    return osm_error_set (err, OSM_ERROR_USER, 0, "cloud '%s' has no %s", c->name,
                          c->password ? "username" : "password");
  if (application && !c->application_credential_secret)
    return osm_error_set (err, OSM_ERROR_USER, 0, "cloud '%s' has no application_credential_secret",
                          c->name);
  return 0;
}

int
osm_credentials_load (const char *name, struct osm_credentials **ret, struct osm_error *err)
{
  OSM_CLEANUP_CREDENTIALS struct osm_credentials *c = osm_calloc (1, sizeof *c);

  c->name = osm_strdup (name ? name : "envvars");
  c->verify = true;
  c->overrides = json_object ();
  if ((strcmp (c->name, "envvars") == 0 ? load_from_environment (c, err)
                                        : load_from_files (c, err)) == -1 ||
      complete (c, err) == -1)
    return -1;
  *ret = osm_take (c);
  return 0;
}
