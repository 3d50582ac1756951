/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/config.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/strbuf.h"
#include "common/suggest.h"
#include "common/yaml.h"

#define SYSTEM_FILE "/etc/osm/osm.yaml"
#define ROOT_STATE_DIR "/var/lib/osm-controller"
#define MAX_STRING 255 /* as the APIs have it for names */
#define MAX_LIST 64

enum kind {
  STRING, /* what the APIs take as name or id */
  NAME,   /* of things that osm makes: plain letters */
  PATH,   /* absolute, ~ allowed */
  CIDR,
  FLOATING_IP, /* "new", "none" or an address */
  CHOICE,
  BOOL,
  NUMBER,
  ADDRESSES,   /* list of IP addresses */
  SSH_SOURCES, /* list of CIDRs, addresses or "auto" */
};

struct key {
  const char *name;
  enum kind kind;
  size_t offset;
  const char *fallback; /* NULL: not set; lists: the one element */
  uint64_t min, max;    /* NUMBER */
  const char *choices[4];
};

#define HOST(member) offsetof (struct osm_host_config, member)
static const struct key host_keys[] = {
  { .name = "name", .kind = NAME, .offset = HOST (name), .fallback = "osm-conversion" },
  { .name = "image", .kind = STRING, .offset = HOST (image), .fallback = "osm-conversion-host" },
  { .name = "flavor", .kind = STRING, .offset = HOST (flavor), .fallback = "osm.conversion" },
  { .name = "availability_zone", .kind = STRING, .offset = HOST (availability_zone) },
  { .name = "network", .kind = STRING, .offset = HOST (network) },
  { .name = "subnet", .kind = STRING, .offset = HOST (subnet) },
  { .name = "router", .kind = STRING, .offset = HOST (router) },
  { .name = "security_group", .kind = STRING, .offset = HOST (security_group) },
  { .name = "key_pair", .kind = STRING, .offset = HOST (key_pair) },
  { .name = "external_network", .kind = STRING, .offset = HOST (external_network) },
  { .name = "subnet_cidr",
    .kind = CIDR,
    .offset = HOST (subnet_cidr),
    .fallback = "192.168.199.0/24" },
  { .name = "dns_servers", .kind = ADDRESSES, .offset = HOST (dns_servers) },
  { .name = "floating_ip", .kind = FLOATING_IP, .offset = HOST (floating_ip), .fallback = "new" },
  { .name = "allow_ssh_from",
    .kind = SSH_SOURCES,
    .offset = HOST (allow_ssh_from),
    .fallback = "auto" },
  { .name = "boot_from_volume",
    .kind = BOOL,
    .offset = HOST (boot_from_volume),
    .fallback = "false" },
  { .name = "boot_volume_gb",
    .kind = NUMBER,
    .offset = HOST (boot_volume_gb),
    .fallback = "10",
    .min = 1,
    .max = 10000 },
  { .name = "volume_type", .kind = STRING, .offset = HOST (volume_type) },
  { .name = "agent_install",
    .kind = CHOICE,
    .offset = HOST (agent_install),
    .fallback = "image",
    .choices = { "image", "upload" } },
  { .name = "agent_login", .kind = NAME, .offset = HOST (agent_login), .fallback = "debian" },
  { .name = "max_attachments",
    .kind = NUMBER,
    .offset = HOST (max_attachments),
    .fallback = "25",
    .min = 1,
    .max = 500 },
  { 0 },
};

#define TOP(member) offsetof (struct osm_config, member)
static const struct key top_keys[] = {
  { .name = "state_dir", .kind = PATH, .offset = TOP (state_dir) },
  { .name = "allow_same_project",
    .kind = BOOL,
    .offset = TOP (allow_same_project),
    .fallback = "false" },
  { 0 },
};
static const struct key source_keys[] = {
  { .name = "cloud", .kind = STRING, .offset = TOP (cloud[OSM_SOURCE]) },
  { 0 },
};
static const struct key destination_keys[] = {
  { .name = "cloud", .kind = STRING, .offset = TOP (cloud[OSM_DESTINATION]) },
  { 0 },
};

static const struct key copy_keys[] = {
  { .name = "sparse",
    .kind = CHOICE,
    .offset = TOP (sparse),
    .fallback = "auto",
    .choices = { "auto", "off" } },
  { .name = "reconnect_seconds",
    .kind = NUMBER,
    .offset = TOP (reconnect_seconds),
    .fallback = "120",
    .min = 1,
    .max = 604800 },
  { .name = "compression",
    .kind = CHOICE,
    .offset = TOP (compression),
    .fallback = "auto",
    .choices = { "auto", "on", "off" } },
  { 0 },
};

/* Sections: members that are objects with keys of their own. */
static const char *const top_sections[] = { "source", "destination", "copy", "conversion_hosts",
                                            "limits", "map",         NULL };
static const char *const host_sections[] = { "source", "destination", NULL };
static const char *const no_sections[] = { NULL };
static const char *const map_kinds[] = {
  "availability_zones", "flavors", "key_pairs",    "networks",
  "security_groups",    "subnets", "volume_types", NULL,
};

/* One object of the file, for messages: "conversion_hosts.source." and so on. */
struct section {
  const struct osm_yaml *doc;
  const json_t *object;
  const char *prefix;
};

/* ---- values ---- */

static bool
is_address (const char *s)
{
  unsigned char buf[16];

  return inet_pton (AF_INET, s, buf) == 1 || inet_pton (AF_INET6, s, buf) == 1;
}

static bool
is_cidr (const char *s)
{
  const char *slash = strchr (s, '/');
  OSM_CLEANUP_FREE char *address = slash ? osm_strndup (s, (size_t)(slash - s)) : NULL;
  uint64_t bits;
  OSM_ERROR (ignored);

  return address && is_address (address) &&
         osm_parse_uint (slash + 1, "prefix", 0, strchr (address, ':') ? 128 : 32, &bits,
                         &ignored) == 0;
}

/* NULL, or what it should be. */
static const char *
check_string (const struct key *key, const char *s)
{
  size_t len = strlen (s);

  if (len == 0)
    return "must not be empty";
  if (len > MAX_STRING)
    return "is longer than 255 bytes";
  for (size_t i = 0; i < len; i++)
    if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
      return "has a control character";
  switch (key->kind) {
  case NAME:
    return osm_is_safe_name (s) && len <= 40
               ? NULL
               : "must be at most 40 letters, digits, dots, dashes or underscores, and "
                 "start with a letter or digit";
  case PATH:
    return s[0] == '/' || osm_str_equal (s, "~") || osm_str_starts_with (s, "~/")
               ? NULL
               : "must be an absolute path (~/ is your home)";
  case CIDR:
    return is_cidr (s) ? NULL : "must be an address with a prefix length, such as 192.168.199.0/24";
  case FLOATING_IP:
    return osm_str_equal (s, "new") || osm_str_equal (s, "none") || is_address (s)
               ? NULL
               : "must be new, none, or an IP address";
  case ADDRESSES:
    return is_address (s) ? NULL : "must be a list of IP addresses";
  case SSH_SOURCES:
    return osm_str_equal (s, "auto") || is_cidr (s) || is_address (s)
               ? NULL
               : "must be a list of CIDRs, IP addresses or auto";
  default:
    return NULL;
  }
}

static int
bad_value (const struct section *section, const struct key *key, struct osm_error *err,
           const char *what)
{
  return osm_yaml_key_error (section->doc, section->object, key->name, err, "%s%s: %s",
                             section->prefix, key->name, what);
}

/* The text of a value that should be a string. */
static const char *
string_of (const struct section *section, const struct key *key, const json_t *value,
           struct osm_error *err)
{
  const char *wrong;

  if (!json_is_string (value)) {
    bad_value (section, key, err,
               json_is_number (value) || json_is_boolean (value)
                   ? "must be a string: put it in quotes"
                   : "must be a string");
    return NULL;
  }
  wrong = check_string (key, json_string_value (value));
  if (wrong) {
    bad_value (section, key, err, wrong);
    return NULL;
  }
  return json_string_value (value);
}

static int
set_list (const struct section *section, const struct key *key, const json_t *value, char ***ret,
          struct osm_error *err)
{
  OSM_CLEANUP_STRV char **list = osm_calloc (1, sizeof *list);
  size_t i;
  const json_t *item;

  if (!json_is_array (value))
    return bad_value (section, key, err, "must be a list: [ ... ]");
  if (key->kind == SSH_SOURCES && json_array_size (value) == 0)
    return bad_value (section, key, err, "must name at least one address, or auto");
  if (json_array_size (value) > MAX_LIST)
    return bad_value (section, key, err, "has more than 64 elements");
  json_array_foreach (value, i, item)
  {
    const char *s = string_of (section, key, item, err);

    if (!s)
      return -1;
    osm_strv_append (&list, s);
  }
  osm_strv_free (*ret);
  *ret = osm_take (list);
  return 0;
}

static int
set_choice (const struct section *section, const struct key *key, const char *s, char **ret,
            struct osm_error *err)
{
  OSM_STRBUF (known);

  for (size_t i = 0; key->choices[i]; i++) {
    if (osm_str_equal (s, key->choices[i])) {
      osm_str_set (ret, s);
      return 0;
    }
    osm_strbuf_addf (&known, "%s%s", i > 0 ? " or " : "must be ", key->choices[i]);
  }
  return bad_value (section, key, err, osm_strbuf_str (&known));
}

static int
set_number (const struct section *section, const struct key *key, const json_t *value,
            uint64_t *ret, struct osm_error *err)
{
  json_int_t n = json_integer_value (value);

  if (!json_is_integer (value) || n < 0 || (uint64_t)n < key->min || (uint64_t)n > key->max) {
    OSM_CLEANUP_FREE char *what =
        osm_asprintf ("must be a whole number from %" PRIu64 " to %" PRIu64, key->min, key->max);

    return bad_value (section, key, err, what);
  }
  *ret = (uint64_t)n;
  return 0;
}

/* What stands in the table is right. */
static void
set_fallback (const struct key *key, void *target)
{
  char *at = (char *)target + key->offset;

  switch (key->kind) {
  case BOOL:
    *(bool *)at = osm_str_equal (key->fallback, "true");
    break;
  case NUMBER: {
    OSM_ERROR (ignored);

    osm_parse_uint (key->fallback, key->name, key->min, key->max, (uint64_t *)(void *)at, &ignored);
    break;
  }
  case ADDRESSES:
  case SSH_SOURCES: {
    char ***list = (char ***)(void *)at;

    osm_strv_free (*list);
    *list = osm_calloc (1, sizeof **list);
    if (key->fallback)
      osm_strv_append (list, key->fallback);
    break;
  }
  default:
    osm_str_set ((char **)(void *)at, key->fallback);
    break;
  }
}

static int
set_value (const struct section *section, const struct key *key, const json_t *value, void *target,
           struct osm_error *err)
{
  void *at = (char *)target + key->offset;
  const char *s;

  if (json_is_null (value)) {
    set_fallback (key, target);
    return 0;
  }
  switch (key->kind) {
  case BOOL:
    if (!json_is_boolean (value))
      return bad_value (section, key, err, "must be true or false");
    *(bool *)at = json_is_true (value);
    return 0;
  case NUMBER:
    return set_number (section, key, value, at, err);
  case ADDRESSES:
  case SSH_SOURCES:
    return set_list (section, key, value, at, err);
  default:
    s = string_of (section, key, value, err);
    if (!s)
      return -1;
    if (key->kind == CHOICE)
      return set_choice (section, key, s, at, err);
    osm_str_set (at, s);
    return 0;
  }
}

/* ---- sections ---- */

static int
unknown_key (const struct section *section, const char *name, const struct key *keys,
             const char *const *sections, struct osm_error *err)
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
read_keys (const struct section *section, const struct key *keys, const char *const *sections,
           void *target, struct osm_error *err)
{
  const char *name;
  json_t *value;

  json_object_foreach ((json_t *)section->object, name, value)
  {
    const struct key *key = keys;

    while (key->name && strcmp (key->name, name) != 0)
      key++;
    if (key->name) {
      if (set_value (section, key, value, target, err) == -1)
        return -1;
    }
    else if (!osm_strv_contains ((char *const *)(void *)sections, name))
      return unknown_key (section, name, keys, sections, err);
  }
  return 0;
}

/* 1: it is there (*ret borrowed), 0: not. */
static int
get_section (const struct section *parent, const char *name, const json_t **ret,
             struct osm_error *err)
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
read_section (const struct section *parent, const char *name, const char *prefix,
              const struct key *keys, void *target, struct osm_error *err)
{
  struct section section = { .doc = parent->doc, .prefix = prefix };
  int r = get_section (parent, name, &section.object, err);

  return r == 1 ? read_keys (&section, keys, no_sections, target, err) : r;
}

/* First what holds for both sides, then each side's own. */
static int
read_hosts (const struct section *top, struct osm_config *config, struct osm_error *err)
{
  struct section hosts = { .doc = top->doc, .prefix = "conversion_hosts." };
  int r = get_section (top, "conversion_hosts", &hosts.object, err);

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

/* The text of a member, NULL with err if it is not a string; fallback if it is absent. */
static int
limit_text (const struct section *section, const char *name, const char *fallback, const char **ret,
            struct osm_error *err)
{
  const json_t *value = json_object_get (section->object, name);
  const struct key key = { .name = name, .kind = STRING };

  *ret = fallback;
  if (!value || json_is_null (value))
    return fallback ? 0
                    : osm_yaml_key_error (section->doc, section->object, name, err,
                                          "%s%s: is missing", section->prefix, name);
  *ret = string_of (section, &key, value, err);
  return *ret ? 0 : -1;
}

static int
limit_rate (const struct section *section, const char *fallback, uint64_t *ret,
            struct osm_error *err)
{
  const char *text;
  OSM_ERROR (why);

  if (limit_text (section, "rate", fallback, &text, err) == -1)
    return -1;
  if (osm_parse_rate (text, "rate", ret, &why) == 0)
    return 0;
  osm_yaml_key_error (section->doc, section->object, "rate", err, "%srate: %s", section->prefix,
                      why.message);
  return osm_error_hint (err, "%s", why.hint);
}

static int
check_members (const struct section *section, const char *const *known, struct osm_error *err)
{
  const char *name;
  json_t *value;

  json_object_foreach ((json_t *)section->object, name, value)
  {
    if (!osm_strv_contains ((char *const *)(void *)known, name))
      return unknown_key (section, name, NULL, known, err);
  }
  return 0;
}

static int
read_window (const struct section *window, struct osm_schedule *limits, struct osm_error *err)
{
  static const char *const known[] = { "days", "from", "to", "rate", NULL };
  const char *days, *from, *to;
  uint64_t rate;
  OSM_ERROR (why);

  if (check_members (window, known, err) == -1 ||
      limit_text (window, "days", "sun-sat", &days, err) == -1 ||
      limit_text (window, "from", NULL, &from, err) == -1 ||
      limit_text (window, "to", NULL, &to, err) == -1 ||
      limit_rate (window, NULL, &rate, err) == -1)
    return -1;
  if (osm_window_parse (days, from, to, rate, &limits->windows[limits->nr_windows], &why) == -1)
    return osm_yaml_error (window->doc, window->object, err, "%s%s", window->prefix, why.message);
  limits->nr_windows++;
  return 0;
}

static int
read_limits (const struct section *top, struct osm_config *config, struct osm_error *err)
{
  static const char *const known[] = { "rate", "windows", NULL };
  struct section limits = { .doc = top->doc, .prefix = "limits." };
  int r = get_section (top, "limits", &limits.object, err);
  const json_t *windows;
  struct section window = { .doc = top->doc, .prefix = "limits.windows: " };
  size_t i;

  if (r != 1)
    return r;
  if (check_members (&limits, known, err) == -1 ||
      limit_rate (&limits, "unlimited", &config->limits.bytes_per_second, err) == -1)
    return -1;
  windows = json_object_get (limits.object, "windows");
  if (windows && !json_is_null (windows) &&
      (!json_is_array (windows) || json_array_size (windows) > OSM_WINDOWS_MAX))
    return osm_yaml_key_error (limits.doc, limits.object, "windows", err,
                               "limits.windows: must be a list of at most %d", OSM_WINDOWS_MAX);
  json_array_foreach (windows, i, window.object)
  {
    if (!json_is_object (window.object))
      return osm_yaml_key_error (limits.doc, limits.object, "windows", err,
                                 "limits.windows: each must have days, from, to and rate");
    if (read_window (&window, &config->limits, err) == -1)
      return -1;
  }
  return 0;
}

static int
read_map_kind (const struct section *map, const char *kind, struct osm_config *config,
               struct osm_error *err)
{
  OSM_CLEANUP_FREE char *prefix = osm_asprintf ("%s%s.", map->prefix, kind);
  struct section section = { .doc = map->doc, .prefix = prefix };
  json_t *copy = json_object ();
  const char *name;
  json_t *value;
  int r;

  json_object_set_new (config->map, kind, copy);
  r = get_section (map, kind, &section.object, err);
  if (r != 1)
    return r;
  json_object_foreach ((json_t *)section.object, name, value)
  {
    struct key key = { .name = name, .kind = STRING };
    const char *s = string_of (&section, &key, value, err);

    if (!s)
      return -1;
    json_object_set_new (copy, name, json_string (s));
  }
  return 0;
}

static int
read_map (const struct section *top, struct osm_config *config, struct osm_error *err)
{
  struct section map = { .doc = top->doc, .prefix = "map." };
  const char *name;
  json_t *value;
  int r = get_section (top, "map", &map.object, err);

  if (r != 1)
    return r;
  json_object_foreach ((json_t *)map.object, name, value)
  {
    if (!osm_strv_contains ((char *const *)(void *)map_kinds, name))
      return unknown_key (&map, name, NULL, map_kinds, err);
    if (read_map_kind (&map, name, config, err) == -1)
      return -1;
  }
  return 0;
}

static int
read_top (const struct osm_yaml *doc, struct osm_config *config, struct osm_error *err)
{
  struct section top = { .doc = doc, .object = osm_yaml_root (doc), .prefix = "" };

  if (json_is_null (top.object)) /* an empty file */
    return 0;
  if (!json_is_object (top.object))
    return osm_yaml_error (doc, top.object, err, "must consist of keys and values");
  if (read_keys (&top, top_keys, top_sections, config, err) == -1 ||
      read_section (&top, "source", "source.", source_keys, config, err) == -1 ||
      read_section (&top, "destination", "destination.", destination_keys, config, err) == -1 ||
      read_section (&top, "copy", "copy.", copy_keys, config, err) == -1 ||
      read_hosts (&top, config, err) == -1 || read_limits (&top, config, err) == -1 ||
      read_map (&top, config, err) == -1)
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
  for (const struct key *key = top_keys; key->name; key++)
    set_fallback (key, config);
  for (const struct key *key = copy_keys; key->name; key++)
    set_fallback (key, config);
  for (enum osm_side side = OSM_SOURCE; side <= OSM_DESTINATION; side++)
    for (const struct key *key = host_keys; key->name; key++)
      set_fallback (key, &config->host[side]);

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

static void
free_keys (const struct key *keys, void *target)
{
  for (; keys->name; keys++) {
    void *at = (char *)target + keys->offset;

    if (keys->kind == ADDRESSES || keys->kind == SSH_SOURCES)
      osm_strv_free (*(char ***)at);
    else if (keys->kind != BOOL && keys->kind != NUMBER)
      free (*(char **)at);
  }
}

void
osm_config_free (struct osm_config *config)
{
  if (!config)
    return;
  free_keys (top_keys, config);
  free_keys (source_keys, config);
  free_keys (destination_keys, config);
  free_keys (copy_keys, config);
  free_keys (host_keys, &config->host[OSM_SOURCE]);
  free_keys (host_keys, &config->host[OSM_DESTINATION]);
  json_decref (config->map);
  free (config->path);
  free (config);
}

const char *
osm_config_map (const struct osm_config *config, const char *kind, const char *name)
{
  const char *mapped = osm_json_str (json_object_get (config->map, kind), name);

  return mapped ? mapped : name;
}
