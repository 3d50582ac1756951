/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/yamlwrite.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/parse.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "common/yamlcomment.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* https://yaml.org/type/bool.html, null.html; YAML 1.2 has fewer of them. */
static bool
is_word_of_yaml (const char *s)
{
  static const char *const words[] = { "y",  "yes", "n",    "no",    "true",
                                       "on", "off", "null", "false", NULL };

  for (size_t i = 0; words[i]; i++)
    if (strcasecmp (s, words[i]) == 0)
      return true;
  return false;
}

/* Addresses, ranges and versions with dots: no number has two of them, or a slash. */
static bool
is_dotted (const char *s)
{
  const char *dot = strchr (s, '.');

  return s[strspn (s, DIGITS "./")] == '\0' && dot && strchr (dot + 1, '.');
}

/* Without quotes only what is certainly a string to all. */
static bool
is_plain (const char *s)
{
  if (strchr ("_/" LETTERS, *s) && *s)
    return s[strspn (s, LETTERS DIGITS "_./-")] == '\0' && !is_word_of_yaml (s);
  return osm_is_uuid (s) || is_dotted (s);
}

static bool
is_printable (const char *s)
{
  for (; *s; s++)
    if ((unsigned char)*s < 0x20 || (unsigned char)*s >= 0x7f)
      return false;
  return true;
}

static void
add_string (struct osm_strbuf *b, const char *s)
{
  OSM_CLEANUP_FREE char *quoted = NULL;

  if (is_plain (s)) {
    osm_strbuf_add (b, s);
    return;
  }
  if (!is_printable (s)) {
    quoted = osm_quote_yaml (s);
    osm_strbuf_add (b, quoted);
    return;
  }
  osm_strbuf_add (b, "'");
  for (; *s; s++)
    osm_strbuf_add_mem (b, *s == '\'' ? "''" : s, *s == '\'' ? 2 : 1);
  osm_strbuf_add (b, "'");
}

static bool
is_block (const json_t *value)
{
  return (json_is_object (value) && json_object_size (value) > 0) ||
         (json_is_array (value) && json_array_size (value) > 0);
}

static void
add_scalar (struct osm_strbuf *b, const json_t *value)
{
  OSM_CLEANUP_FREE char *text = NULL;

  if (json_is_string (value)) {
    add_string (b, json_string_value (value));
    return;
  }
  /* Numbers, true, false, null, {} and [] are written as in JSON. */
  text = json_dumps (value, JSON_ENCODE_ANY | JSON_REAL_PRECISION (15));
  if (!text)
    osm_oom ();
  osm_strbuf_add (b, text);
}

static void
indent (struct osm_strbuf *b, unsigned depth)
{
  for (unsigned i = 0; i < depth; i++)
    osm_strbuf_add (b, "  ");
}

static int
compare_keys (const void *a, const void *b)
{
  return strcmp (*(const char *const *)a, *(const char *const *)b);
}

/* What is written, and the comments that go with it (or NULL). */
struct dump {
  struct osm_strbuf *b;
  const json_t *comments;
};

static void
add_before (const struct dump *d, const char *path, unsigned depth)
{
  const json_t *comment;
  size_t i;

  json_array_foreach (json_object_get (json_object_get (d->comments, path), "before"), i, comment)
  {
    indent (d->b, depth);
    osm_strbuf_addf (d->b, "%s\n", json_string_value (json_object_get (comment, "text")));
  }
}

/* To the end of the line. */
static void
end_line (const struct dump *d, const char *path)
{
  const json_t *comment;
  size_t i;

  json_array_foreach (json_object_get (json_object_get (d->comments, path), "after"), i, comment)
      osm_strbuf_addf (d->b, "  %s", json_string_value (json_object_get (comment, "text")));
  osm_strbuf_add (d->b, "\n");
}

static const char **
sorted_keys (const json_t *object)
{
  const char **keys = osm_calloc (json_object_size (object) + 1, sizeof *keys), *key;
  json_t *member;
  size_t n = 0;

  json_object_foreach ((json_t *)object, key, member) keys[n++] = key;
  qsort (keys, n, sizeof *keys, compare_keys);
  return keys;
}

/* What begins in the line of this dash besides the item: its first member, or the first item in it. */
static void
add_before_first (const struct dump *d, const json_t *item, const char *path, unsigned depth)
{
  OSM_CLEANUP_FREE const char **keys = NULL;
  OSM_CLEANUP_FREE char *inner = NULL;

  if (!d->comments || !is_block (item))
    return;
  if (json_is_array (item))
    inner = osm_yaml_path_item (path, 0);
  else {
    keys = sorted_keys (item);
    inner = osm_yaml_path (path, keys[0]);
  }
  add_before (d, inner, depth);
  if (json_is_array (item))
    add_before_first (d, json_array_get (item, 0), inner, depth);
}

static void add_value (const struct dump *d, const json_t *value, const char *path, unsigned depth,
                       bool after_dash);

static void
add_member (const struct dump *d, const char *key, const json_t *value, const char *path,
            unsigned depth)
{
  add_string (d->b, key);
  osm_strbuf_add (d->b, ":");
  if (is_block (value)) {
    end_line (d, path);
    /* As PyYAML has it, a list stands below its key and not further in. */
    add_value (d, value, path, json_is_array (value) ? depth : depth + 1, false);
    return;
  }
  osm_strbuf_add (d->b, " ");
  add_scalar (d->b, value);
  end_line (d, path);
}

static void
add_items (const struct dump *d, const json_t *value, const char *path, unsigned depth,
           bool after_dash)
{
  const json_t *item;
  size_t i;

  json_array_foreach (value, i, item)
  {
    OSM_CLEANUP_FREE char *inner = d->comments ? osm_yaml_path_item (path, i) : NULL;

    if (!after_dash || i > 0) {
      add_before (d, inner, depth);
      add_before_first (d, item, inner, depth);
      indent (d->b, depth);
    }
    osm_strbuf_add (d->b, "- ");
    if (is_block (item)) {
      add_value (d, item, inner, depth + 1, true);
      continue;
    }
    add_scalar (d->b, item);
    end_line (d, inner);
  }
}

/* A block, each line indented; after a dash the first line goes on with that. */
static void
add_value (const struct dump *d, const json_t *value, const char *path, unsigned depth,
           bool after_dash)
{
  OSM_CLEANUP_FREE const char **keys = NULL;

  if (json_is_array (value)) {
    add_items (d, value, path, depth, after_dash);
    return;
  }
  keys = sorted_keys (value);
  for (size_t i = 0; keys[i]; i++) {
    OSM_CLEANUP_FREE char *inner = d->comments ? osm_yaml_path (path, keys[i]) : NULL;

    if (!after_dash || i > 0) {
      add_before (d, inner, depth);
      indent (d->b, depth);
    }
    add_member (d, keys[i], json_object_get (value, keys[i]), inner, depth);
  }
}

char *
osm_yaml_dump_commented (const json_t *value, const json_t *comments)
{
  OSM_STRBUF (b);
  const struct dump d = { .b = &b, .comments = comments };

  if (is_block (value))
    add_value (&d, value, "", 0, false);
  else {
    add_scalar (&b, value);
    osm_strbuf_add (&b, "\n");
  }
  add_before (&d, "", 0);
  return osm_strbuf_take (&b);
}

char *
osm_yaml_dump (const json_t *value)
{
  return osm_yaml_dump_commented (value, NULL);
}
