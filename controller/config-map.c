/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The section "map" of osm.yaml: what a thing of the source is called at the destination. */

#include <config.h>

#include "controller/config-internal.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"

/* ---- reading ---- */

static size_t
count_stars (const char *s)
{
  size_t n = 0;

  for (; (s = strchr (s, '*')); s++)
    n++;
  return n;
}

static int
read_kind (const struct osm_config_section *map, const char *kind, struct osm_config *config,
           struct osm_error *err)
{
  OSM_CLEANUP_FREE char *prefix = osm_asprintf ("%s%s.", map->prefix, kind);
  struct osm_config_section section = { .doc = map->doc, .prefix = prefix };
  json_t *copy = json_object ();
  const char *name;
  json_t *value;
  int r;

  json_object_set_new (config->map, kind, copy);
  r = osm_config_get_section (map, kind, &section.object, err);
  if (r != 1)
    return r;
  json_object_foreach ((json_t *)section.object, name, value)
  {
    struct osm_config_key key = { .name = name, .kind = OSM_KEY_STRING };
    const char *s = osm_config_string (&section, &key, value, err);

    if (!s)
      return -1;
    if (count_stars (name) > 1 || (count_stars (name) == 1 && count_stars (s) > 1))
      return osm_yaml_key_error (section.doc, section.object, name, err,
                                 "%s%s: a pattern has one '*', and its target at most one", prefix,
                                 name);
    json_object_set_new (copy, name, json_string (s));
  }
  return 0;
}

int
osm_config_read_map (const struct osm_config_section *top, const char *const *kinds,
                     struct osm_config *config, struct osm_error *err)
{
  struct osm_config_section map = { .doc = top->doc, .prefix = "map." };
  const char *name;
  json_t *value;
  int r = osm_config_get_section (top, "map", &map.object, err);

  if (r != 1)
    return r;
  json_object_foreach ((json_t *)map.object, name, value)
  {
    if (!osm_strv_contains ((char *const *)(void *)kinds, name))
      return osm_config_unknown_key (&map, name, NULL, kinds, err);
    if (read_kind (&map, name, config, err) == -1)
      return -1;
  }
  return 0;
}

/* ---- asking ---- */

/* Does "old-*" fit the name? Then what its '*' stands for. */
static bool
fits (const char *pattern, const char *name, const char **ret, size_t *ret_len)
{
  const char *star = strchr (pattern, '*');
  size_t before, after, len = strlen (name);

  if (!star)
    return false;
  before = (size_t)(star - pattern);
  after = strlen (star + 1);
  if (len < before + after || memcmp (name, pattern, before) != 0 ||
      memcmp (name + len - after, star + 1, after) != 0)
    return false;
  *ret = name + before;
  *ret_len = len - before - after;
  return true;
}

char *
osm_config_map (const struct osm_config *config, const char *kind, const char *name, const char *id)
{
  const json_t *map = json_object_get (config->map, kind);
  const char *exact = name ? osm_json_str (map, name) : NULL, *pattern;
  json_t *value;

  if (!exact && id)
    exact = osm_json_str (map, id);
  if (exact)
    return osm_strdup (exact);
  /* In the order of the file. */
  json_object_foreach ((json_t *)map, pattern, value)
  {
    const char *target = json_string_value (value), *star = strchr (target, '*'), *matched;
    size_t len;

    if (!name || !*name || !fits (pattern, name, &matched, &len))
      continue;
    if (!star)
      return osm_strdup (target);
    return osm_asprintf ("%.*s%.*s%s", (int)(star - target), target, (int)len, matched, star + 1);
  }
  return NULL;
}
