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
static const char *const upload_packages[] = { "nbdkit",      "libnbd0",    "libssh-4",
                                               "libjansson4", "libxxhash0", "libsystemd0",
                                               "libssl3",     "procps",     NULL };

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

/* A JSON value is a YAML value. */
static char *
yaml_line (const char *key, json_t *value)
{
  OSM_CLEANUP_FREE char *text = osm_json_dump (value);

  json_decref (value);
  return osm_asprintf ("%s: %s\n", key, text);
}

static char *
packages (bool upload)
{
  OSM_CLEANUP_FREE char *list = NULL;
  json_t *names = json_array ();

  for (size_t i = 0; upload_packages[i]; i++)
    json_array_append_new (names, json_string (upload_packages[i]));
  list = yaml_line ("packages", names);
  return upload ? osm_asprintf ("package_update: true\n%s", list) : osm_strdup ("");
}

/* With agent_install: upload the controller runs agent-setup after it has brought the agent. */
static char *
commands (bool upload)
{
  return upload ? osm_strdup ("")
                : yaml_line ("runcmd", osm_json_pack ("[[s, s, s]]", "sh", "-c", run_agent_setup));
}

static bool
is_name (const char *name, size_t len, const char *wanted)
{
  return strlen (wanted) == len && strncmp (name, wanted, len) == 0;
}

static int
value_of (const char *name, size_t len, const struct osm_host_config *config,
          const char *public_key, char **ret, struct osm_error *err)
{
  bool upload = osm_str_equal (config->agent_install, "upload");

  if (is_name (name, len, "PACKAGES"))
    *ret = packages (upload);
  else if (is_name (name, len, "COMMANDS"))
    *ret = commands (upload);
  else if (is_name (name, len, "CONTROLLER_KEYS")) {
    OSM_CLEANUP_FREE char *line = osm_asprintf ("%s\n", public_key);

    *ret = osm_quote_yaml (line);
  }
  else
    return osm_error_set (err, OSM_ERROR_USER, 0, "%s has an unknown placeholder '%.*s'", TEMPLATE,
                          (int)len, name);
  return 0;
}

int
osm_hosts_render_user_data (const struct osm_config *config, enum osm_side side,
                            const char *controller_public_key, char **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *template = NULL;
  OSM_STRBUF (out);
  const char *p;

  if (load_template (&template, err) == -1)
    return -1;
  for (p = template; *p;) {
    size_t len = *p == '@' ? strspn (p + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") : 0;

    if (len > 0 && p[1 + len] == '@') {
      OSM_CLEANUP_FREE char *value = NULL;

      if (value_of (p + 1, len, &config->host[side], controller_public_key, &value, err) == -1)
        return -1;
      osm_strbuf_add (&out, value);
      p += len + 2;
    }
    else
      osm_strbuf_add_mem (&out, p++, 1);
  }
  *ret = osm_strbuf_take (&out);
  return 0;
}
