/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/hosts/internal.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"

#define TEMPLATE "conversion-host.yaml"
#define TEMPLATE_MAX (64 * 1024)

/* What the agent's packages are on Debian, for images that do not have it. */
static const char *const upload_packages[] = { "libssh-4",    "libjansson4", "libxxhash0",
                                               "libsystemd0", "libssl3",     "libzstd1",
                                               "procps",      NULL };

/* The image may have been built with another prefix than this program. */
static const char run_agent_setup[] =
    "for d in /usr/libexec /usr/local/libexec; do "
    "[ ! -x $d/osm/agent-setup ] || exec $d/osm/agent-setup; done; "
    "echo 'this image has no osm agent' >&2; exit 1";

static int
load_template (char **ret, struct osm_error *err)
{
  const char *given = getenv ("OSM_DATADIR");
  OSM_CLEANUP_FREE char *path =
      osm_asprintf ("%s/cloud-init/%s", given && *given ? given : OSM_DATADIR, TEMPLATE);
  size_t len;

  if (osm_file_read (path, TEMPLATE_MAX, ret, &len, err) == -1)
    return osm_error_wrap (err, "template of the user data");
  return 0;
}

/* A JSON value is a YAML value; an empty list is not wanted. */
static char *
yaml_list (const json_t *list)
{
  return json_array_size (list) > 0 ? osm_json_dump (list) : NULL;
}

struct facts {
  const struct osm_host_config *config;
  const char *public_key;
  bool upload;
};

static char *
packages (const struct facts *f)
{
  OSM_CLEANUP_JSON json_t *list = json_array ();

  for (size_t i = 0; f->upload && upload_packages[i]; i++)
    json_array_append_new (list, json_string (upload_packages[i]));
  return yaml_list (list);
}

static char *
package_update (const struct facts *f)
{
  return osm_strdup (f->upload ? "true" : "false");
}

/* The controller brings the agent as that user, also when the operator's own key pair is for the rest. */
static char *
login_keys (const struct facts *f)
{
  OSM_CLEANUP_FREE char *key = osm_quote_yaml (f->public_key);

  return f->upload ? osm_asprintf ("[%s]", key) : NULL;
}

static char *
controller_keys (const struct facts *f)
{
  OSM_CLEANUP_FREE char *line = osm_asprintf ("%s\n", f->public_key);

  return osm_quote_yaml (line);
}

/* With agent_install: upload the controller runs it after it has brought the agent. */
static char *
commands (const struct facts *f)
{
  OSM_CLEANUP_JSON json_t *list = json_array ();

  if (!f->upload)
    json_array_append_new (list, osm_json_pack ("[s, s, s]", "sh", "-c", run_agent_setup));
  return yaml_list (list);
}

static const struct placeholder {
  const char *name;
  char *(*value) (const struct facts *facts); /* NULL: the line is left out */
} placeholders[] = {
  { "PACKAGES", packages },     { "PACKAGE_UPDATE", package_update },
  { "LOGIN_KEYS", login_keys }, { "CONTROLLER_KEYS", controller_keys },
  { "COMMANDS", commands },
};

static const struct placeholder *
find_placeholder (const char *name, size_t len)
{
  for (size_t i = 0; i < sizeof placeholders / sizeof placeholders[0]; i++)
    if (strlen (placeholders[i].name) == len && strncmp (placeholders[i].name, name, len) == 0)
      return &placeholders[i];
  return NULL;
}

/* One line of the template, at most one placeholder in it. */
static int
render_line (const char *line, const struct facts *facts, struct osm_strbuf *out,
             struct osm_error *err)
{
  OSM_CLEANUP_FREE char *value = NULL;
  const struct placeholder *placeholder;
  const char *p;
  size_t len = 0;

  for (p = strchr (line, '@'); p; p = strchr (p + 1, '@')) {
    len = strspn (p + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
    if (len > 0 && p[1 + len] == '@')
      break;
  }
  if (!p) {
    osm_strbuf_addf (out, "%s\n", line);
    return 0;
  }
  placeholder = find_placeholder (p + 1, len);
  if (!placeholder)
    return osm_error_set (err, OSM_ERROR_USER, 0, "%s has an unknown placeholder '%.*s'", TEMPLATE,
                          (int)len, p + 1);
  value = placeholder->value (facts);
  if (value)
    osm_strbuf_addf (out, "%.*s%s%s\n", (int)(p - line), line, value, p + len + 2);
  return 0;
}

int
osm_hosts_render_user_data (const struct osm_config *config, enum osm_side side,
                            const char *controller_public_key, char **ret, struct osm_error *err)
{
  const struct osm_host_config *host = &config->host[side];
  const struct facts facts = { host, controller_public_key,
                               osm_str_equal (host->agent_install, "upload") };
  OSM_CLEANUP_FREE char *template = NULL;
  OSM_CLEANUP_STRV char **lines = NULL;
  OSM_STRBUF (out);

  if (load_template (&template, err) == -1)
    return -1;
  lines = osm_strv_split (template, '\n');
  for (size_t i = 0; lines[i]; i++) {
    /* What follows the last line break is no line. */
    if (!lines[i + 1] && !*lines[i])
      break;
    if (render_line (lines[i], &facts, &out, err) == -1)
      return -1;
  }
  *ret = osm_strbuf_take (&out);
  return 0;
}
