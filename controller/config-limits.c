/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/config-internal.h"

#include "common/parse.h"
#include "common/schedule.h"
#include "common/strbuf.h"

/* The text of a member, NULL with err if it is not a string; fallback if it is absent. */
static int
limit_text (const struct osm_config_section *section, const char *name, const char *fallback,
            const char **ret, struct osm_error *err)
{
  const json_t *value = json_object_get (section->object, name);
  const struct osm_config_key key = { .name = name, .kind = OSM_KEY_STRING };

  *ret = fallback;
  if (!value || json_is_null (value))
    return fallback ? 0
                    : osm_yaml_key_error (section->doc, section->object, name, err,
                                          "%s%s: is missing", section->prefix, name);
  *ret = osm_config_string (section, &key, value, err);
  return *ret ? 0 : -1;
}

static int
limit_rate (const struct osm_config_section *section, const char *fallback, uint64_t *ret,
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
check_members (const struct osm_config_section *section, const char *const *known,
               struct osm_error *err)
{
  const char *name;
  json_t *value;

  json_object_foreach ((json_t *)section->object, name, value)
  {
    if (!osm_strv_contains ((char *const *)(void *)known, name))
      return osm_config_unknown_key (section, name, NULL, known, err);
  }
  return 0;
}

static int
read_window (const struct osm_config_section *window, struct osm_schedule *limits,
             struct osm_error *err)
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

int
osm_config_read_limits (const struct osm_config_section *top, struct osm_config *config,
                        struct osm_error *err)
{
  static const char *const known[] = { "rate", "windows", NULL };
  struct osm_config_section limits = { .doc = top->doc, .prefix = "limits." };
  int r = osm_config_get_section (top, "limits", &limits.object, err);
  const json_t *windows;
  struct osm_config_section window = { .doc = top->doc, .prefix = "limits.windows: " };
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
