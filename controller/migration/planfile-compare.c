/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A plan file against what is planned by it now. */

#include <config.h>

#include "controller/migration/planfile-internal.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"

struct comparison {
  const struct osm_planfile *file;
  const char *cloud; /* of the destination */
  json_t *mismatches;
};

/* An object of the file, what it is now, and its path: "" or "ports[0].". */
struct pair {
  const json_t *wish, *is;
  const char *path;
};

/* key NULL: about item, which stands in a list. */
__attribute__ ((format (printf, 5, 6))) static void
add (struct comparison *c, const struct pair *pair, const char *key, const json_t *item,
     const char *format, ...)
{
  OSM_CLEANUP_FREE char *text = NULL, *path = osm_asprintf ("%s%s", pair->path, key ? key : "");
  va_list args;
  OSM_ERROR (place);

  va_start (args, format);
  text = osm_vasprintf (format, args);
  va_end (args);
  if (item)
    osm_yaml_error (c->file->doc, item, &place, "%s: %s", path, text);
  else
    osm_yaml_key_error (c->file->doc, pair->wish, key, &place, "%s: %s", path, text);
  json_array_append_new (c->mismatches,
                         osm_json_pack ("{s:s, s:s}", "path", path, "text", place.message));
}

/* For people. Caller frees. */
static char *
value_text (const json_t *value)
{
  if (json_is_string (value))
    return osm_asprintf ("'%s'", json_string_value (value));
  if (json_is_object (value))
    return value_text (json_object_get (value, "name"));
  return value && !json_is_null (value) ? osm_json_dump (value) : osm_strdup ("nothing");
}

static bool
is_missing (const json_t *reference)
{
  return json_is_object (reference) && !osm_json_str (reference, "id");
}

static bool
is_the_same (const json_t *reference, const char *wished)
{
  return osm_str_equal (osm_json_str (reference, "name"), wished) ||
         osm_str_equal (osm_json_str (reference, "id"), wished);
}

static void
compare_reference (struct comparison *c, const struct pair *pair,
                   const struct osm_planfile_key *key, const json_t *wish, const json_t *is)
{
  const char *wished = json_string_value (wish);
  OSM_CLEANUP_FREE char *now = value_text (is);

  if (!wished && ((key->flags & OSM_PLANFILE_AUTO) || !json_is_object (is)))
    return;
  if (!wished)
    add (c, pair, key->name, NULL, "%s %s is planned", key->what, now);
  else if (is_missing (is) && is_the_same (is, wished))
    add (c, pair, key->name, NULL, "cloud '%s' has no %s '%s', or several", c->cloud, key->what,
         wished);
  else if (!is_the_same (is, wished))
    add (c, pair, key->name, NULL, "%s '%s' cannot be: %s is planned", key->what, wished, now);
}

/* They stand in the same order: the plan is made of the file. */
static void
compare_references (struct comparison *c, const struct pair *pair,
                    const struct osm_planfile_key *key, const json_t *wish, const json_t *is)
{
  const json_t *item;
  size_t i;

  if (json_array_size (wish) != json_array_size (is))
    add (c, pair, key->name, NULL, "%zu are planned", json_array_size (is));
  json_array_foreach (wish, i, item)
  {
    OSM_CLEANUP_FREE char *path = osm_asprintf ("%s%s[%zu]", pair->path, key->name, i);
    const struct pair inside = { pair->wish, pair->is, path };

    if (is_missing (json_array_get (is, i)))
      add (c, &inside, NULL, item, "cloud '%s' has no %s '%s', or several", c->cloud, key->what,
           json_string_value (item));
  }
}

static void
compare_scalar (struct comparison *c, const struct pair *pair, const struct osm_planfile_key *key,
                const json_t *wish, const json_t *is)
{
  OSM_CLEANUP_FREE char *now = value_text (is), *was = value_text (wish);
  const char *a = json_string_value (wish), *b = json_string_value (is);

  if (json_equal (wish, is) || (json_is_null (wish) && (key->flags & OSM_PLANFILE_AUTO)))
    return;
  /* Of the two spellings of an address Neutron has one. */
  if ((key->kind == OSM_PLANFILE_MAC || key->kind == OSM_PLANFILE_ADDRESS) && a && b &&
      strcasecmp (a, b) == 0)
    return;
  if (key->flags & OSM_PLANFILE_FIXED)
    add (c, pair, key->name, NULL, "it is %s now, the plan was made with %s", now, was);
  else
    add (c, pair, key->name, NULL, "%s cannot be: %s is planned", was, now);
}

static void compare_object (struct comparison *c, const struct pair *pair,
                            const struct osm_planfile_key *keys);

static const json_t *
with_id (const json_t *list, const char *id)
{
  const json_t *item;
  size_t i;

  json_array_foreach (list, i, item)
  {
    if (osm_str_equal (osm_json_str (item, "id"), id))
      return item;
  }
  return NULL;
}

/* What a person knows it by. */
static const char *
label_of (const json_t *item)
{
  static const char *const keys[] = { "name", "address", "id" };

  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    const char *label = osm_json_str (item, keys[i]);

    if (label && *label)
      return label;
  }
  return "";
}

static void
compare_objects (struct comparison *c, const struct pair *pair, const struct osm_planfile_key *key,
                 const json_t *wish, const json_t *is)
{
  bool by_id = key->keys[0].flags & OSM_PLANFILE_NEEDED;
  const json_t *item;
  size_t i;

  json_array_foreach (wish, i, item)
  {
    OSM_CLEANUP_FREE char *path = osm_asprintf ("%s%s[%zu]", pair->path, key->name, i),
                          *inner = osm_asprintf ("%s.", path);
    const char *id = osm_json_str (item, "id");
    const struct pair itself = { pair->wish, pair->is, path },
                      inside = { item, by_id ? with_id (is, id) : json_array_get (is, i), inner };

    if (inside.is)
      compare_object (c, &inside, key->keys);
    else if (by_id)
      add (c, &itself, NULL, item, "the server has no %s %s any more ('%s')", key->what, id,
           label_of (item));
    else
      add (c, &itself, NULL, item, "nothing of it is planned");
  }
  json_array_foreach (is, i, item)
  {
    const char *id = osm_json_str (item, "id");

    if (by_id && !with_id (wish, id))
      add (c, pair, key->name, NULL, "the server also has %s %s ('%s')", key->what, id,
           label_of (item));
  }
}

static void
compare_object (struct comparison *c, const struct pair *pair, const struct osm_planfile_key *keys)
{
  for (; keys->name; keys++) {
    const json_t *wish = json_object_get (pair->wish, keys->name),
                 *is = json_object_get (pair->is, keys->name);

    if (!wish)
      continue;
    switch (keys->kind) {
    case OSM_PLANFILE_REF:
      compare_reference (c, pair, keys, wish, is);
      break;
    case OSM_PLANFILE_REFS:
      compare_references (c, pair, keys, wish, is);
      break;
    case OSM_PLANFILE_OBJECTS:
      compare_objects (c, pair, keys, wish, is);
      break;
    case OSM_PLANFILE_USER_DATA:
      /* A path is written as it really is, and has been read. */
      if (*json_string_value (wish) != '/')
        compare_scalar (c, pair, keys, wish, is);
      break;
    case OSM_PLANFILE_CHOICE:
      /* What is left to osm may become anything. */
      if (!osm_str_equal (json_string_value (wish), "auto"))
        compare_scalar (c, pair, keys, wish, is);
      break;
    default:
      compare_scalar (c, pair, keys, wish, is);
      break;
    }
  }
}

json_t *
osm_planfile_compare (const struct osm_planfile *file, const json_t *entry, const json_t *plan,
                      const char *destination_cloud)
{
  OSM_CLEANUP_JSON json_t *is = osm_planfile_describe (plan);
  struct comparison c = { .file = file, .cloud = destination_cloud, .mismatches = json_array () };
  const struct pair pair = { entry, is, "" };

  compare_object (&c, &pair, osm_planfile_server_keys);
  return c.mismatches;
}
