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

static void add_value (struct osm_strbuf *b, const json_t *value, unsigned depth, bool after_dash);

static void
add_member (struct osm_strbuf *b, const char *key, const json_t *value, unsigned depth)
{
  add_string (b, key);
  osm_strbuf_add (b, ":");
  if (is_block (value)) {
    osm_strbuf_add (b, "\n");
    /* As PyYAML has it, a list stands below its key and not further in. */
    add_value (b, value, json_is_array (value) ? depth : depth + 1, false);
    return;
  }
  osm_strbuf_add (b, " ");
  add_scalar (b, value);
  osm_strbuf_add (b, "\n");
}

/* A block, each line indented; after a dash the first line goes on with that. */
static void
add_value (struct osm_strbuf *b, const json_t *value, unsigned depth, bool after_dash)
{
  size_t i, n = 0;
  const json_t *item;
  const char **keys, *key;
  json_t *member;

  if (json_is_array (value)) {
    json_array_foreach (value, i, item)
    {
      if (!after_dash || i > 0)
        indent (b, depth);
      osm_strbuf_add (b, "- ");
      if (is_block (item)) {
        add_value (b, item, depth + 1, true);
        continue;
      }
      add_scalar (b, item);
      osm_strbuf_add (b, "\n");
    }
    return;
  }
  keys = osm_calloc (json_object_size (value) + 1, sizeof *keys);
  json_object_foreach ((json_t *)value, key, member) keys[n++] = key;
  qsort (keys, n, sizeof *keys, compare_keys);
  for (i = 0; i < n; i++) {
    if (!after_dash || i > 0)
      indent (b, depth);
    add_member (b, keys[i], json_object_get (value, keys[i]), depth);
  }
  free (keys);
}

char *
osm_yaml_dump (const json_t *value)
{
  OSM_STRBUF (b);

  if (is_block (value))
    add_value (&b, value, 0, false);
  else {
    add_scalar (&b, value);
    osm_strbuf_add (&b, "\n");
  }
  return osm_strbuf_take (&b);
}
