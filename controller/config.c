/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/config-internal.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "common/suggest.h"
#include "common/yaml.h"

#define SYSTEM_FILE "/etc/osm/osm.yaml"
#define ROOT_STATE_DIR "/var/lib/osm-controller"

#define HOST(member) offsetof (struct osm_host_config, member)
static const struct osm_config_key host_keys[] = {
  { .name = "name", .kind = OSM_KEY_NAME, .offset = HOST (name), .fallback = "osm-conversion" },
  { .name = "image",
    .kind = OSM_KEY_STRING,
    .offset = HOST (image),
    .fallback = "osm-conversion-host" },
  { .name = "flavor",
    .kind = OSM_KEY_STRING,
    .offset = HOST (flavor),
    .fallback = "osm.conversion" },
  { .name = "availability_zone", .kind = OSM_KEY_STRING, .offset = HOST (availability_zone) },
  { .name = "network", .kind = OSM_KEY_STRING, .offset = HOST (network) },
  { .name = "subnet", .kind = OSM_KEY_STRING, .offset = HOST (subnet) },
  { .name = "router", .kind = OSM_KEY_STRING, .offset = HOST (router) },
  { .name = "security_group", .kind = OSM_KEY_STRING, .offset = HOST (security_group) },
  { .name = "key_pair", .kind = OSM_KEY_STRING, .offset = HOST (key_pair) },
  { .name = "external_network", .kind = OSM_KEY_STRING, .offset = HOST (external_network) },
  { .name = "subnet_cidr",
    .kind = OSM_KEY_CIDR,
    .offset = HOST (subnet_cidr),
    .fallback = "192.168.199.0/24" },
  { .name = "dns_servers", .kind = OSM_KEY_ADDRESSES, .offset = HOST (dns_servers) },
  { .name = "floating_ip",
    .kind = OSM_KEY_FLOATING_IP,
    .offset = HOST (floating_ip),
    .fallback = "new" },
  { .name = "allow_ssh_from",
    .kind = OSM_KEY_SSH_SOURCES,
    .offset = HOST (allow_ssh_from),
    .fallback = "auto" },
  { .name = "boot_from_volume",
    .kind = OSM_KEY_BOOL,
    .offset = HOST (boot_from_volume),
    .fallback = "false" },
  { .name = "boot_volume_gb",
    .kind = OSM_KEY_NUMBER,
    .offset = HOST (boot_volume_gb),
    .fallback = "10",
    .min = 1,
    .max = 10000 },
  { .name = "volume_type", .kind = OSM_KEY_STRING, .offset = HOST (volume_type) },
  { .name = "agent_install",
    .kind = OSM_KEY_CHOICE,
    .offset = HOST (agent_install),
    .fallback = "image",
    .choices = { "image", "upload" } },
  { .name = "agent_login",
    .kind = OSM_KEY_NAME,
    .offset = HOST (agent_login),
    .fallback = "debian" },
  { .name = "max_attachments",
    .kind = OSM_KEY_NUMBER,
    .offset = HOST (max_attachments),
    .fallback = "25",
    .min = 1,
    .max = 500 },
  { 0 },
};

#define TOP(member) offsetof (struct osm_config, member)
static const struct osm_config_key top_keys[] = {
  { .name = "state_dir", .kind = OSM_KEY_PATH, .offset = TOP (state_dir) },
  { .name = "allow_same_project",
    .kind = OSM_KEY_BOOL,
    .offset = TOP (allow_same_project),
    .fallback = "false" },
  { .name = "on_hangup",
    .kind = OSM_KEY_CHOICE,
    .offset = TOP (on_hangup),
    .fallback = "continue",
    .choices = { "continue", "stop" } },
  { .name = "floating_ip",
    .kind = OSM_KEY_CHOICE,
    .offset = TOP (floating_ip),
    .fallback = "auto",
    .choices = { "auto", "keep", "existing", "new", "skip" } },
  { .name = "boot_disk",
    .kind = OSM_KEY_CHOICE,
    .offset = TOP (boot_disk),
    .fallback = "copy",
    .choices = { "copy", "image" } },
  { 0 },
};
static const struct osm_config_key source_keys[] = {
  { .name = "cloud", .kind = OSM_KEY_STRING, .offset = TOP (cloud[OSM_SOURCE]) },
  { 0 },
};
static const struct osm_config_key destination_keys[] = {
  { .name = "cloud", .kind = OSM_KEY_STRING, .offset = TOP (cloud[OSM_DESTINATION]) },
  { 0 },
};

static const struct osm_config_key copy_keys[] = {
  { .name = "sparse",
    .kind = OSM_KEY_CHOICE,
    .offset = TOP (sparse),
    .fallback = "auto",
    .choices = { "auto", "off" } },
  { .name = "reconnect_seconds",
    .kind = OSM_KEY_NUMBER,
    .offset = TOP (reconnect_seconds),
    .fallback = "120",
    .min = 1,
    .max = 604800 },
  { .name = "compression",
    .kind = OSM_KEY_CHOICE,
    .offset = TOP (compression),
    .fallback = "auto",
    .choices = { "auto", "on", "off" } },
  { .name = "path",
    .kind = OSM_KEY_CHOICE,
    .offset = TOP (link_path),
    .fallback = "auto",
    .choices = { "auto", "direct", "reverse", "relay" } },
  { 0 },
};

/* Sections: members that are objects with keys of their own. */
static const char *const top_sections[] = { "source", "destination", "copy", "conversion_hosts",
                                            "limits", "map",         NULL };
static const char *const host_sections[] = { "source", "destination", NULL };
static const char *const no_sections[] = { NULL };
static const char *const map_kinds[] = {
  "availability_zones", "flavors",         "images",        "key_pairs", "networks",     "projects",
  "qos_policies",       "security_groups", "server_groups", "subnets",   "volume_types", NULL,
};

/* ---- sections ---- */

int
osm_config_unknown_key (const struct osm_config_section *section, const char *name,
                        const struct osm_config_key *keys, const char *const *sections,
                        struct osm_error *err)
{
  struct osm_suggestion s = osm_suggestion_for (name);

  osm_yaml_key_error (section->doc, section->object, name, err, "%s%s: unknown key",
                      section->prefix, name);
  for (size_t i = 0; keys && keys[i].name; i++)
    osm_suggestion_offer (&s, keys[i].name);
  for (size_t i = 0; sections[i]; i++)
    osm_suggestion_offer (&s, sections[i]);
  if (s.best)
    return osm_error_hint (err, "did you mean '%s'?", s.best);
  return osm_error_hint (err, "osm.yaml(5) describes all keys");
}

/* Known keys into target; members named in sections are somebody else's, others unknown. */
static int
read_keys (const struct osm_config_section *section, const struct osm_config_key *keys,
           const char *const *sections, void *target, struct osm_error *err)
{
  const char *name;
  json_t *value;

  json_object_foreach ((json_t *)section->object, name, value)
  {
    const struct osm_config_key *key = keys;

    while (key->name && strcmp (key->name, name) != 0)
      key++;
    if (key->name) {
      if (osm_config_set_value (section, key, value, target, err) == -1)
        return -1;
    }
    else if (!osm_strv_contains ((char *const *)(void *)sections, name))
      return osm_config_unknown_key (section, name, keys, sections, err);
  }
  return 0;
}

int
osm_config_get_section (const struct osm_config_section *parent, const char *name,
                        const json_t **ret, struct osm_error *err)
{
  const json_t *value = json_object_get (parent->object, name);

  if (!value || json_is_null (value))
    return 0;
  if (!json_is_object (value))
    return osm_yaml_key_error (parent->doc, parent->object, name, err,
                               "%s%s: must have keys of its own", parent->prefix, name);
  *ret = value;
  return 1;
}

static int
read_section (const struct osm_config_section *parent, const char *name, const char *prefix,
              const struct osm_config_key *keys, void *target, struct osm_error *err)
{
  struct osm_config_section section = { .doc = parent->doc, .prefix = prefix };
  int r = osm_config_get_section (parent, name, &section.object, err);

  return r == 1 ? read_keys (&section, keys, no_sections, target, err) : r;
}

/* First what holds for both sides, then each side's own. */
static int
read_hosts (const struct osm_config_section *top, struct osm_config *config, struct osm_error *err)
{
  struct osm_config_section hosts = { .doc = top->doc, .prefix = "conversion_hosts." };
  int r = osm_config_get_section (top, "conversion_hosts", &hosts.object, err);

  if (r != 1)
    return r;
  for (enum osm_side side = OSM_SOURCE; side <= OSM_DESTINATION; side++) {
    const char *prefix =
        side == OSM_SOURCE ? "conversion_hosts.source." : "conversion_hosts.destination.";

    if (read_keys (&hosts, host_keys, host_sections, &config->host[side], err) == -1 ||
        read_section (&hosts, osm_side_name (side), prefix, host_keys, &config->host[side], err) ==
            -1)
      return -1;
  }
  return 0;
}

static int
read_top (const struct osm_yaml *doc, struct osm_config *config, struct osm_error *err)
{
  struct osm_config_section top = { .doc = doc, .object = osm_yaml_root (doc), .prefix = "" };

  if (json_is_null (top.object)) /* an empty file */
    return 0;
  if (!json_is_object (top.object))
    return osm_yaml_error (doc, top.object, err, "must consist of keys and values");
  if (read_keys (&top, top_keys, top_sections, config, err) == -1 ||
      read_section (&top, "source", "source.", source_keys, config, err) == -1 ||
      read_section (&top, "destination", "destination.", destination_keys, config, err) == -1 ||
      read_section (&top, "copy", "copy.", copy_keys, config, err) == -1 ||
      read_hosts (&top, config, err) == -1 || osm_config_read_limits (&top, config, err) == -1 ||
      osm_config_read_map (&top, map_kinds, config, err) == -1)
    return -1;
  return 0;
}

/* ---- places ---- */

/* XDG Base Directory Specification: a relative path in these variables is ignored. */
static const char *
absolute_env (const char *name)
{
  const char *value = getenv (name);

  return value && value[0] == '/' ? value : NULL;
}

/* NULL: there is none. */
static char *
find_file (void)
{
  const char *xdg = absolute_env ("XDG_CONFIG_HOME"), *home = absolute_env ("HOME");
  OSM_CLEANUP_FREE char *own = xdg    ? osm_asprintf ("%s/osm/osm.yaml", xdg)
                               : home ? osm_asprintf ("%s/.config/osm/osm.yaml", home)
                                      : NULL;

  if (own && osm_file_exists (own))
    return osm_take (own);
  return osm_file_exists (SYSTEM_FILE) ? osm_strdup (SYSTEM_FILE) : NULL;
}

static int
expand_state_dir (struct osm_config *config, struct osm_error *err)
{
  const char *xdg = absolute_env ("XDG_STATE_HOME"), *home = absolute_env ("HOME");
  char *expanded = NULL;

  if (config->state_dir && config->state_dir[0] == '/')
    return 0;
  if (config->state_dir && home)
    expanded = osm_asprintf ("%s%s", home, config->state_dir + 1);
  else if (!config->state_dir && xdg)
    expanded = osm_asprintf ("%s/osm", xdg);
  else if (!config->state_dir && geteuid () == 0)
    expanded = osm_strdup (ROOT_STATE_DIR);
  else if (!config->state_dir && home)
    expanded = osm_asprintf ("%s/.local/state/osm", home);
  else {
    osm_error_set (err, OSM_ERROR_USER, 0, "no folder for the journal: HOME is not set");
    return osm_error_hint (err, "name one with --state-dir");
  }
  free (config->state_dir);
  config->state_dir = expanded;
  return 0;
}

int
osm_config_load (const char *path, struct osm_config **ret, struct osm_error *err)
{
  OSM_CLEANUP_CONFIG struct osm_config *config = osm_calloc (1, sizeof *config);
  OSM_CLEANUP_YAML struct osm_yaml *doc = NULL;
  const char *env = getenv ("OSM_CONFIG");

  config->map = json_object ();
  for (const char *const *kind = map_kinds; *kind; kind++)
    json_object_set_new (config->map, *kind, json_object ());
  for (const struct osm_config_key *key = top_keys; key->name; key++)
    osm_config_set_fallback (key, config);
  for (const struct osm_config_key *key = copy_keys; key->name; key++)
    osm_config_set_fallback (key, config);
  for (enum osm_side side = OSM_SOURCE; side <= OSM_DESTINATION; side++)
    for (const struct osm_config_key *key = host_keys; key->name; key++)
      osm_config_set_fallback (key, &config->host[side]);

  if (!path && env && *env)
    path = env;
  config->path = path ? osm_strdup (path) : find_file ();
  if (config->path) {
    if (osm_yaml_load (config->path, &doc, err) == -1)
      return osm_error_wrap (err, "configuration");
    if (read_top (doc, config, err) == -1)
      return -1;
  }
  if (expand_state_dir (config, err) == -1)
    return -1;
  *ret = osm_take (config);
  return 0;
}

void
osm_config_free (struct osm_config *config)
{
  if (!config)
    return;
  osm_config_free_keys (top_keys, config);
  osm_config_free_keys (source_keys, config);
  osm_config_free_keys (destination_keys, config);
  osm_config_free_keys (copy_keys, config);
  osm_config_free_keys (host_keys, &config->host[OSM_SOURCE]);
  osm_config_free_keys (host_keys, &config->host[OSM_DESTINATION]);
  json_decref (config->map);
  free (config->path);
  free (config);
}
