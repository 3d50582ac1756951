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

/* Where each value stands: under "auth" of the cloud or beside it, and its variable. Of two names for one value the later wins. */
static const struct {
  const char *key, *variable;
  size_t offset;
  bool in_auth;
} keys[] = {
#define AUTH(k, v)                                   \
  {                                                  \
#k, v, offsetof(struct osm_credentials, k), true \
  }
#define OLD(k, v, f)                                 \
  {                                                  \
#k, v, offsetof(struct osm_credentials, f), true \
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
  OLD (tenant_name, "OS_TENANT_NAME", project_name),
  OLD (tenant_id, "OS_TENANT_ID", project_id),
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

static json_t *
find_value (const json_t *cloud, size_t i)
{
  json_t *found = NULL;

  if (keys[i].in_auth)
    found = json_object_get (json_object_get (cloud, "auth"), keys[i].key);
  return found ? found : json_object_get (cloud, keys[i].key);
}

/* true, false, and what YAML 1.1 took for these. */
static int
fill_verify (struct osm_credentials *c, const struct osm_yaml *doc, const json_t *cloud,
             const char *key, bool verify_if, struct osm_error *err)
{
  const json_t *value = json_object_get (cloud, key);
  bool on = json_is_true (value);
  OSM_ERROR (why);

  if (!value || json_is_null (value))
    return 0;
  if (!json_is_boolean (value) &&
      (!json_is_string (value) || osm_parse_bool (json_string_value (value), key, &on, &why) == -1))
    return osm_yaml_key_error (doc, cloud, key, err, "cloud '%s': '%s' must be true or false",
                               c->name, key);
  c->verify = on == verify_if;
  return 0;
}

#define LONGEST_TIMEOUT_S 3600

/* Seconds, whole or not, as openstacksdk has it. */
static int
fill_timeout (struct osm_credentials *c, const struct osm_yaml *doc, const json_t *cloud,
              struct osm_error *err)
{
  const json_t *value = json_object_get (cloud, "api_timeout");
  const char *text = json_string_value (value);
  char *end = NULL;
  double seconds = text ? strtod (text, &end) : json_number_value (value);

  if (!value || json_is_null (value))
    return 0;
  if ((text && (end == text || *end)) || !(seconds > 0 && seconds <= LONGEST_TIMEOUT_S))
    return osm_yaml_key_error (doc, cloud, "api_timeout", err,
                               "cloud '%s': 'api_timeout' must be a number of seconds up to %d",
                               c->name, LONGEST_TIMEOUT_S);
  c->silence_s = seconds < 1 ? 1 : (unsigned)(seconds + 0.5);
  return 0;
}

/* The first of the list is the one to use: "name" or {"name": "name", ...}. */
static void
fill_region (struct osm_credentials *c, const json_t *cloud)
{
  const json_t *first = json_array_get (json_object_get (cloud, "regions"), 0);
  const char *name =
      json_is_string (first) ? json_string_value (first) : osm_json_str (first, "name");

  if (!c->region_name && name)
    c->region_name = osm_strdup (name);
}

/* What the mapping of one cloud says; a second call (secure.yaml) replaces what it says again. */
static int
fill_from_yaml (struct osm_credentials *c, const struct osm_yaml *doc, const json_t *cloud,
                struct osm_error *err)
{
  static const char suffix[] = "_endpoint_override";
  const char *key;
  json_t *value;

  for (size_t i = 0; i < NR_KEYS; i++) {
    const json_t *found = find_value (cloud, i);
    char *text;

    if (!found || json_is_null (found))
      continue;
    text = scalar_text (found);
    if (!text) {
      const json_t *auth = json_object_get (cloud, "auth");
      bool in_auth = keys[i].in_auth && json_object_get (auth, keys[i].key);

      return osm_yaml_key_error (doc, in_auth ? auth : cloud, keys[i].key, err,
                                 "cloud '%s': '%s' must be a string (quote it)", c->name,
                                 keys[i].key);
    }
    osm_secret_free (*slot (c, i));
    *slot (c, i) = text;
  }
  json_object_foreach ((json_t *)cloud, key, value)
  {
    if (osm_str_ends_with (key, suffix) && json_is_string (value)) {
      OSM_CLEANUP_FREE char *service = osm_strndup (key, strlen (key) - strlen (suffix));

      json_object_set (c->overrides, service, value);
    }
  }
  fill_region (c, cloud);
  return fill_verify (c, doc, cloud, "insecure", false, err) == -1 ||
                 fill_verify (c, doc, cloud, "verify", true, err) == -1 ||
                 fill_timeout (c, doc, cloud, err) == -1
             ? -1
             : 0;
}

static int
load_from_files (struct osm_credentials *c, struct osm_error *err)
{
  OSM_CLEANUP_YAML struct osm_yaml *doc = NULL, *secure_doc = NULL;
  OSM_CLEANUP_FREE char *path = NULL, *secure_path = NULL;
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
  if (json_object_get (found, "profile") && !json_object_get (found, "auth")) {
    osm_yaml_key_error (doc, found, "profile", err, "cloud '%s': profiles are not supported",
                        c->name);
    return osm_error_hint (err, "write auth_url and the rest of the profile into the file");
  }
  if (fill_from_yaml (c, doc, found, err) == -1)
    return -1;
  found = json_object_get (secure, c->name);
  return found ? fill_from_yaml (c, secure_doc, found, err) : 0;
}

static int
load_from_environment (struct osm_credentials *c, struct osm_error *err)
{
  const char *insecure_text = getenv ("OS_INSECURE");

  for (size_t i = 0; i < NR_KEYS; i++) {
    const char *value = getenv (keys[i].variable);

    if (value && *value)
      osm_str_set (slot (c, i), value);
  }
  if (insecure_text && *insecure_text) {
    bool insecure;

    if (osm_parse_bool (insecure_text, "OS_INSECURE", &insecure, err) == -1)
      return -1;
    c->verify = !insecure;
  }
  return 0;
}

/* ---- what follows from what was given ---- */

static void
default_to (char **slot, const char *value)
{
  if (!*slot)
    *slot = osm_strdup (value);
}

/* One domain for the project means the user's as well, unless that has its own; it is no scope then. */
static void
spread_domain (struct osm_credentials *c)
{
  if (!c->project_name && !c->project_id)
    return;
  if (!c->user_domain_id && !c->user_domain_name) {
    default_to (&c->user_domain_id, c->domain_id);
    default_to (&c->user_domain_name, c->domain_name);
  }
  if (!c->project_domain_id && !c->project_domain_name) {
    default_to (&c->project_domain_id, c->domain_id);
    default_to (&c->project_domain_name, c->domain_name);
  }
  free (osm_take (c->domain_id));
  free (osm_take (c->domain_name));
}

/* "~/ca.pem" */
static void
expand_home (char **path)
{
  const char *home = getenv ("HOME");

  if (home && *path && osm_str_starts_with (*path, "~/")) {
    char *expanded = osm_asprintf ("%s%s", home, *path + 1);

    free (*path);
    *path = expanded;
  }
}

static int
complete_auth_type (struct osm_credentials *c, struct osm_error *err)
{
  static const char *const known[][2] = { { "password", "password" },
                                          { "v3password", "password" },
                                          { "v2password", "v2password" },
                                          { "token", "token" },
                                          { "v3token", "token" },
                                          { "v3applicationcredential", "v3applicationcredential" },
                                          { "application_credential", "v3applicationcredential" } };
  bool application = c->application_credential_id || c->application_credential_name;

  if (!c->auth_type)
    c->auth_type = osm_strdup (application                ? "v3applicationcredential"
                               : c->token && !c->password ? "token"
                                                          : "password");
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (strcasecmp (c->auth_type, known[i][0]) == 0) {
      osm_str_set (&c->auth_type, known[i][1]);
      return 0;
    }
  osm_error_set (err, OSM_ERROR_USER, 0, "cloud '%s': auth_type '%s' is not supported", c->name,
                 c->auth_type);
  return osm_error_hint (err, "use password, token, v3applicationcredential or v2password");
}

static int
lacks (const struct osm_credentials *c, const char *key, struct osm_error *err)
{
  osm_error_set (err, OSM_ERROR_USER, 0, "cloud '%s' has no %s", c->name, key);
  return osm_error_hint (err, "%s belongs under 'auth' in clouds.yaml or secure.yaml", key);
}

static int
check (const struct osm_credentials *c, struct osm_error *err)
{
  const char *type = c->auth_type;

  if (!osm_str_starts_with (c->auth_url, "http://") &&
      !osm_str_starts_with (c->auth_url, "https://"))
    return osm_error_set (err, OSM_ERROR_USER, 0,
                          "cloud '%s': auth_url '%s' does not start with http:// or https://",
                          c->name, c->auth_url);
  if (strcmp (c->interface, "public") != 0 && strcmp (c->interface, "internal") != 0 &&
      strcmp (c->interface, "admin") != 0)
    return osm_error_set (err, OSM_ERROR_USER, 0,
                          "cloud '%s': interface '%s' is none of public, internal, admin", c->name,
                          c->interface);
  if (c->system_scope && strcmp (c->system_scope, "all") != 0)
    return osm_error_set (err, OSM_ERROR_USER, 0,
                          "cloud '%s': system_scope is '%s'; only 'all' exists", c->name,
                          c->system_scope);
  if (strcmp (type, "token") == 0)
    return c->token ? 0 : lacks (c, "token", err);
  if (strcmp (type, "v3applicationcredential") == 0) {
    if (!c->application_credential_secret)
      return lacks (c, "application_credential_secret", err);
    if (!c->application_credential_id && !c->application_credential_name)
      return lacks (c, "application_credential_id", err);
    /* A name is unique only among those of its user. */
    return c->application_credential_id || c->username || c->user_id ? 0
                                                                     : lacks (c, "username", err);
  }
  if (!c->username && !c->user_id)
    return lacks (c, "username", err);
  return c->password ? 0 : lacks (c, "password", err);
}

static int
complete (struct osm_credentials *c, struct osm_error *err)
{
  if (!c->auth_url) {
    osm_error_set (err, OSM_ERROR_USER, 0, "cloud '%s' has no auth_url", c->name);
    return osm_error_hint (err, "it belongs under 'auth' in clouds.yaml, or into OS_AUTH_URL");
  }
  default_to (&c->interface, "public");
  if (osm_str_ends_with (c->interface, "URL"))
    c->interface[strlen (c->interface) - 3] = '\0';
  if (c->region_name && !*c->region_name)
    free (osm_take (c->region_name));
  spread_domain (c);
  expand_home (&c->ca_file);
  expand_home (&c->certificate);
  expand_home (&c->key);
  return complete_auth_type (c, err) == -1 ? -1 : check (c, err);
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
