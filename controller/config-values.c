/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/config-internal.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/parse.h"
#include "common/strbuf.h"

#define MAX_STRING 255 /* as the APIs have it for names */
#define MAX_LIST 64

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
check_string (const struct osm_config_key *key, const char *s)
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
  case OSM_KEY_NAME:
    return osm_is_safe_name (s) && len <= 40
               ? NULL
               : "must be at most 40 letters, digits, dots, dashes or underscores, and "
                 "start with a letter or digit";
  case OSM_KEY_PATH:
    return s[0] == '/' || osm_str_equal (s, "~") || osm_str_starts_with (s, "~/")
               ? NULL
               : "must be an absolute path (~/ is your home)";
  case OSM_KEY_CIDR:
    return is_cidr (s) ? NULL : "must be an address with a prefix length, such as 192.168.199.0/24";
  case OSM_KEY_FLOATING_IP:
    return osm_str_equal (s, "new") || osm_str_equal (s, "none") || is_address (s)
               ? NULL
               : "must be new, none, or an IP address";
  case OSM_KEY_ADDRESSES:
    return is_address (s) ? NULL : "must be a list of IP addresses";
  case OSM_KEY_SSH_SOURCES:
    return osm_str_equal (s, "auto") || is_cidr (s) || is_address (s)
               ? NULL
               : "must be a list of CIDRs, IP addresses or auto";
  default:
    return NULL;
  }
}

static int
bad_value (const struct osm_config_section *section, const struct osm_config_key *key,
           struct osm_error *err, const char *what)
{
  return osm_yaml_key_error (section->doc, section->object, key->name, err, "%s%s: %s",
                             section->prefix, key->name, what);
}

/* The text of a value that should be a string. */
const char *
osm_config_string (const struct osm_config_section *section, const struct osm_config_key *key,
                   const json_t *value, struct osm_error *err)
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
set_list (const struct osm_config_section *section, const struct osm_config_key *key,
          const json_t *value, char ***ret, struct osm_error *err)
{
  OSM_CLEANUP_STRV char **list = osm_calloc (1, sizeof *list);
  size_t i;
  const json_t *item;

  if (!json_is_array (value))
    return bad_value (section, key, err, "must be a list: [ ... ]");
  if (key->kind == OSM_KEY_SSH_SOURCES && json_array_size (value) == 0)
    return bad_value (section, key, err, "must name at least one address, or auto");
  if (json_array_size (value) > MAX_LIST)
    return bad_value (section, key, err, "has more than 64 elements");
  json_array_foreach (value, i, item)
  {
    const char *s = osm_config_string (section, key, item, err);

    if (!s)
      return -1;
    osm_strv_append (&list, s);
  }
  osm_strv_free (*ret);
  *ret = osm_take (list);
  return 0;
}

static int
set_choice (const struct osm_config_section *section, const struct osm_config_key *key,
            const char *s, char **ret, struct osm_error *err)
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
set_number (const struct osm_config_section *section, const struct osm_config_key *key,
            const json_t *value, uint64_t *ret, struct osm_error *err)
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
void
osm_config_set_fallback (const struct osm_config_key *key, void *target)
{
  char *at = (char *)target + key->offset;

  switch (key->kind) {
  case OSM_KEY_BOOL:
    *(bool *)at = osm_str_equal (key->fallback, "true");
    break;
  case OSM_KEY_NUMBER: {
    OSM_ERROR (ignored);

    osm_parse_uint (key->fallback, key->name, key->min, key->max, (uint64_t *)(void *)at, &ignored);
    break;
  }
  case OSM_KEY_ADDRESSES:
  case OSM_KEY_SSH_SOURCES: {
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

int
osm_config_set_value (const struct osm_config_section *section, const struct osm_config_key *key,
                      const json_t *value, void *target, struct osm_error *err)
{
  void *at = (char *)target + key->offset;
  const char *s;

  if (json_is_null (value)) {
    osm_config_set_fallback (key, target);
    return 0;
  }
  switch (key->kind) {
  case OSM_KEY_BOOL:
    if (!json_is_boolean (value))
      return bad_value (section, key, err, "must be true or false");
    *(bool *)at = json_is_true (value);
    return 0;
  case OSM_KEY_NUMBER:
    return set_number (section, key, value, at, err);
  case OSM_KEY_ADDRESSES:
  case OSM_KEY_SSH_SOURCES:
    return set_list (section, key, value, at, err);
  default:
    s = osm_config_string (section, key, value, err);
    if (!s)
      return -1;
    if (key->kind == OSM_KEY_CHOICE)
      return set_choice (section, key, s, at, err);
    osm_str_set (at, s);
    return 0;
  }
}

void
osm_config_free_keys (const struct osm_config_key *keys, void *target)
{
  for (; keys->name; keys++) {
    void *at = (char *)target + keys->offset;

    if (keys->kind == OSM_KEY_ADDRESSES || keys->kind == OSM_KEY_SSH_SOURCES)
      osm_strv_free (*(char ***)at);
    else if (keys->kind != OSM_KEY_BOOL && keys->kind != OSM_KEY_NUMBER)
      free (*(char **)at);
  }
}
