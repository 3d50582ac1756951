/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/yaml.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/strbuf.h"

#define MAX_TEXT (16 * 1024 * 1024)
#define MAX_NODES 1000000
#define MAX_DEPTH 100
#define MAX_ANCHORS 1000

/* Where a node stood, or (key != NULL) the key of a member of the object `node`. */
struct place {
  const json_t *node;
  const char *key; /* owned by the object */
  size_t line, column;
};

struct osm_yaml {
  char *name;
  json_t *root;
  struct place *places;
  size_t nr_places, allocated_places;
};

struct anchor {
  char *name;
  json_t *node;
  size_t nr_nodes; /* in it, aliases expanded */
};

struct loader {
  struct osm_yaml *doc;
  yaml_parser_t parser;
  struct anchor *anchors;
  size_t nr_anchors;
  size_t nr_nodes; /* so far, aliases expanded: what a walk of the tree will meet */
  unsigned depth;
};

static int
error_at (const struct osm_yaml *doc, size_t line, size_t column, struct osm_error *err,
          const char *message)
{
  return osm_error_set (err, OSM_ERROR_USER, 0, "%s:%zu:%zu: %s", doc->name, line + 1, column + 1,
                        message);
}

static int
event_error (const struct loader *l, const yaml_event_t *event, struct osm_error *err,
             const char *message)
{
  return error_at (l->doc, event->start_mark.line, event->start_mark.column, err, message);
}

static void
remember (struct osm_yaml *doc, const json_t *node, const char *key, const yaml_mark_t *mark)
{
  if (doc->nr_places == doc->allocated_places) {
    doc->allocated_places = doc->allocated_places ? doc->allocated_places * 2 : 64;
    doc->places = osm_realloc (doc->places, doc->allocated_places, sizeof *doc->places);
  }
  doc->places[doc->nr_places++] =
      (struct place){ .node = node, .key = key, .line = mark->line, .column = mark->column };
}

/* A scalar may be a password. */
static void
event_done (yaml_event_t *event)
{
  if (event->type == YAML_SCALAR_EVENT && event->data.scalar.value)
    explicit_bzero (event->data.scalar.value, event->data.scalar.length);
  yaml_event_delete (event);
}

static int
next_event (struct loader *l, yaml_event_t *event, struct osm_error *err)
{
  const yaml_parser_t *p = &l->parser;

  if (yaml_parser_parse (&l->parser, event))
    return 0;
  if (p->error == YAML_MEMORY_ERROR)
    osm_oom ();
  if (p->error == YAML_READER_ERROR)
    return osm_error_set (err, OSM_ERROR_USER, 0, "%s: at byte %zu: %s", l->doc->name,
                          p->problem_offset, p->problem ? p->problem : "cannot be read");
  return error_at (l->doc, p->problem_mark.line, p->problem_mark.column, err,
                   p->problem ? p->problem : "not YAML");
}

/* Scalars: the core schema of YAML 1.2 (10.3.2). */

static bool
is_word (const char *s, const char *lower, const char *title, const char *upper)
{
  return osm_str_equal (s, lower) || osm_str_equal (s, title) || osm_str_equal (s, upper);
}

static bool
only (const char *s, const char *characters)
{
  return *s && s[strspn (s, characters)] == '\0';
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool
is_number (const char *s, bool *ret_integer)
{
  static const char digits[] = "0123456789";
  size_t whole, fraction = 0;

  *ret_integer = true;
  s += *s == '-' || *s == '+';
  whole = strspn (s, digits);
  s += whole;
  if (*s == '.') {
    *ret_integer = false;
    s++;
    fraction = strspn (s, digits);
    s += fraction;
  }
  if (whole + fraction == 0)
    return false;
  if (*s == 'e' || *s == 'E') {
    *ret_integer = false;
    s++;
    s += *s == '-' || *s == '+';
    return only (s, digits);
  }
  return *s == '\0';
}

/* NULL when out of range. */
static json_t *
make_integer (const char *s, int base)
{
  long long n;

  errno = 0;
  n = strtoll (s, NULL, base);
  return errno ? NULL : json_integer (n);
}

static json_t *
make_plain (const char *s)
{
  bool integer;

  if (*s == '\0' || osm_str_equal (s, "~") || is_word (s, "null", "Null", "NULL"))
    return json_null ();
  if (is_word (s, "true", "True", "TRUE"))
    return json_true ();
  if (is_word (s, "false", "False", "FALSE"))
    return json_false ();
  if (osm_str_starts_with (s, "0o") && only (s + 2, "01234567"))
    return make_integer (s + 2, 8);
  if (osm_str_starts_with (s, "0x") && only (s + 2, "0123456789abcdefABCDEF"))
    return make_integer (s + 2, 16);
  if (is_number (s, &integer)) {
    double d;

    if (integer)
      return make_integer (s, 10);
    d = strtod (s, NULL);
    return isfinite (d) ? json_real (d) : NULL;
  }
  return json_string (s);
}

static int
load_scalar (struct loader *l, const yaml_event_t *event, json_t **ret, struct osm_error *err)
{
  const char *s = (const char *)event->data.scalar.value;
  const char *tag = (const char *)event->data.scalar.tag;
  bool string = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;

  if (strlen (s) != event->data.scalar.length)
    return event_error (l, event, err, "a NUL character in a string");
  if (tag && (osm_str_equal (tag, "!") || osm_str_equal (tag, YAML_STR_TAG)))
    string = true;
  else if (tag && !osm_str_starts_with (tag, "tag:yaml.org,2002:"))
    return event_error (l, event, err, "unknown tag");
  *ret = string ? json_string (s) : make_plain (s);
  if (*ret == NULL)
    return event_error (l, event, err,
                        string ? "not UTF-8" : "number out of range; quote it if it is a name");
  return 0;
}

/* Anchors. */

static void
add_anchor (struct loader *l, const yaml_char_t *name, json_t *node, size_t nr_nodes)
{
  l->anchors = osm_realloc (l->anchors, l->nr_anchors + 1, sizeof *l->anchors);
  l->anchors[l->nr_anchors++] = (struct anchor){ .name = osm_strdup ((const char *)name),
                                                 .node = json_incref (node),
                                                 .nr_nodes = nr_nodes };
}

static int
load_alias (struct loader *l, const yaml_event_t *event, json_t **ret, struct osm_error *err)
{
  const char *name = (const char *)event->data.alias.anchor;

  /* The latest of that name; one that is still being read is not there yet, so no cycles. */
  for (size_t i = l->nr_anchors; i > 0; i--)
    if (osm_str_equal (l->anchors[i - 1].name, name)) {
      *ret = json_incref (l->anchors[i - 1].node);
      l->nr_nodes += l->anchors[i - 1].nr_nodes - 1;
      return 0;
    }
  return event_error (l, event, err, "alias of an anchor that is not defined before it");
}

static int load_node (struct loader *l, yaml_event_t *event, json_t **ret, struct osm_error *err);

static int
load_sequence (struct loader *l, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *array = json_array ();

  for (;;) {
    yaml_event_t event;
    json_t *item = NULL;
    int r;

    if (next_event (l, &event, err) == -1)
      return -1;
    if (event.type == YAML_SEQUENCE_END_EVENT) {
      event_done (&event);
      break;
    }
    r = load_node (l, &event, &item, err);
    event_done (&event);
    if (r == -1)
      return -1;
    if (json_array_append_new (array, item) == -1)
      osm_oom ();
  }
  *ret = osm_take (array);
  return 0;
}

static int
check_key (const struct loader *l, const yaml_event_t *event, const json_t *object,
           struct osm_error *err)
{
  OSM_CLEANUP_FREE char *message = NULL;
  const char *key;

  if (event->type != YAML_SCALAR_EVENT)
    return event_error (l, event, err, "a key must be a plain word or a string");
  key = (const char *)event->data.scalar.value;
  if (strlen (key) != event->data.scalar.length)
    return event_error (l, event, err, "a NUL character in a key");
  if (json_object_get (object, key)) {
    message = osm_asprintf ("key '%s' is there twice", key);
    return event_error (l, event, err, message);
  }
  return 0;
}

static int
load_member (struct loader *l, yaml_event_t *key_event, json_t *object, struct osm_error *err)
{
  const char *key = (const char *)key_event->data.scalar.value;
  yaml_event_t event;
  json_t *value = NULL;
  int r;

  if (check_key (l, key_event, object, err) == -1 || next_event (l, &event, err) == -1)
    return -1;
  r = load_node (l, &event, &value, err);
  event_done (&event);
  if (r == -1)
    return -1;
  if (json_object_set_new (object, key, value) == -1)
    return event_error (l, key_event, err, "a key that is not UTF-8");
  remember (l->doc, object, json_object_iter_key (json_object_iter_at (object, key)),
            &key_event->start_mark);
  return 0;
}

/* `<<: *alias` or `<<: [*a, *b]`: members of other mappings, where the object has none of its own.
 * YAML 1.2 lost it; people's clouds.yaml files have it. */
static bool
is_merge (const yaml_event_t *event)
{
  return event->type == YAML_SCALAR_EVENT && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
         event->data.scalar.tag == NULL &&
         osm_str_equal ((const char *)event->data.scalar.value, "<<");
}

static int
load_merge (struct loader *l, const yaml_event_t *key_event, json_t *sources, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *value = NULL;
  yaml_event_t event;
  size_t i;
  json_t *item;
  int r;

  if (next_event (l, &event, err) == -1)
    return -1;
  r = load_node (l, &event, &value, err);
  event_done (&event);
  if (r == -1)
    return -1;
  if (json_is_object (value))
    return json_array_append (sources, value);
  json_array_foreach (value, i, item) if (!json_is_object (item)) break;
  if (!json_is_array (value) || i < json_array_size (value))
    return event_error (l, key_event, err, "'<<' wants a mapping or a list of mappings");
  return json_array_extend (sources, value);
}

static void
merge (json_t *object, const json_t *sources)
{
  size_t i;
  const json_t *source;

  json_array_foreach (sources, i,
                      source) if (json_object_update_missing (object, (json_t *)source) == -1)
      osm_oom ();
}

static int
load_mapping (struct loader *l, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *object = json_object ();
  OSM_CLEANUP_JSON json_t *sources = json_array ();

  for (;;) {
    yaml_event_t event;
    int r;

    if (next_event (l, &event, err) == -1)
      return -1;
    if (event.type == YAML_MAPPING_END_EVENT) {
      event_done (&event);
      break;
    }
    if (is_merge (&event))
      r = load_merge (l, &event, sources, err);
    else
      r = load_member (l, &event, object, err);
    event_done (&event);
    if (r == -1)
      return -1;
  }
  merge (object, sources);
  *ret = osm_take (object);
  return 0;
}

static int
load_node (struct loader *l, yaml_event_t *event, json_t **ret, struct osm_error *err)
{
  size_t before = l->nr_nodes;
  const yaml_char_t *anchor = NULL;
  int r;

  if (l->depth >= MAX_DEPTH)
    return event_error (l, event, err, "nested too deeply");
  l->nr_nodes++;
  l->depth++;
  switch (event->type) {
  case YAML_ALIAS_EVENT:
    r = load_alias (l, event, ret, err);
    break;
  case YAML_SCALAR_EVENT:
    anchor = event->data.scalar.anchor;
    r = load_scalar (l, event, ret, err);
    break;
  case YAML_SEQUENCE_START_EVENT:
    anchor = event->data.sequence_start.anchor;
    r = load_sequence (l, ret, err);
    break;
  case YAML_MAPPING_START_EVENT:
    anchor = event->data.mapping_start.anchor;
    r = load_mapping (l, ret, err);
    break;
  default:
    r = event_error (l, event, err, "not YAML");
    break;
  }
  l->depth--;
  if (r == -1)
    return -1;
  if (event->type != YAML_ALIAS_EVENT)
    remember (l->doc, *ret, NULL, &event->start_mark);
  if (l->nr_nodes > MAX_NODES)
    r = event_error (l, event, err, "too many nodes");
  else if (anchor && l->nr_anchors >= MAX_ANCHORS)
    r = event_error (l, event, err, "too many anchors");
  else if (anchor)
    add_anchor (l, anchor, *ret, l->nr_nodes - before);
  if (r == -1) {
    json_decref (*ret);
    *ret = NULL;
  }
  return r;
}

/* One document: the events around it and its root. */
static int
load_document (struct loader *l, struct osm_error *err)
{
  bool seen = false;

  for (;;) {
    yaml_event_t event;
    yaml_event_type_t type;
    int r = 0;

    if (next_event (l, &event, err) == -1)
      return -1;
    type = event.type;
    if (type == YAML_DOCUMENT_START_EVENT && seen)
      r = event_error (l, &event, err, "a second document; only one is expected");
    else if (type == YAML_DOCUMENT_START_EVENT)
      seen = true;
    else if (type != YAML_STREAM_START_EVENT && type != YAML_STREAM_END_EVENT &&
             type != YAML_DOCUMENT_END_EVENT)
      r = load_node (l, &event, &l->doc->root, err);
    event_done (&event);
    if (r == -1)
      return -1;
    if (type == YAML_STREAM_END_EVENT)
      return 0;
  }
}

int
osm_yaml_parse (const char *text, size_t len, const char *name, struct osm_yaml **ret,
                struct osm_error *err)
{
  OSM_CLEANUP_YAML struct osm_yaml *doc = osm_calloc (1, sizeof *doc);
  struct loader l = { .doc = doc };
  int r;

  doc->name = osm_strdup (name);
  if (len > MAX_TEXT)
    return osm_error_set (err, OSM_ERROR_USER, EFBIG, "%s is larger than %d bytes", name, MAX_TEXT);
  if (!yaml_parser_initialize (&l.parser))
    osm_oom ();
  yaml_parser_set_encoding (&l.parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string (&l.parser, (const unsigned char *)text, len);
  r = load_document (&l, err);
  /* libyaml's own copies of the text. */
  explicit_bzero (l.parser.raw_buffer.start,
                  (size_t)(l.parser.raw_buffer.end - l.parser.raw_buffer.start));
  explicit_bzero (l.parser.buffer.start, (size_t)(l.parser.buffer.end - l.parser.buffer.start));
  yaml_parser_delete (&l.parser);
  for (size_t i = 0; i < l.nr_anchors; i++) {
    free (l.anchors[i].name);
    json_decref (l.anchors[i].node);
  }
  free (l.anchors);
  if (r == -1)
    return -1;
  if (doc->root == NULL)
    doc->root = json_null ();
  *ret = osm_take (doc);
  return 0;
}

int
osm_yaml_load (const char *path, struct osm_yaml **ret, struct osm_error *err)
{
  char *text = NULL;
  size_t len;
  int r;

  if (osm_file_read (path, MAX_TEXT, &text, &len, err) == -1)
    return -1;
  r = osm_yaml_parse (text, len, path, ret, err);
  explicit_bzero (text, len);
  free (text);
  return r;
}

void
osm_yaml_free (struct osm_yaml *doc)
{
  if (doc == NULL)
    return;
  json_decref (doc->root);
  free (doc->places);
  free (doc->name);
  free (doc);
}

json_t *
osm_yaml_root (const struct osm_yaml *doc)
{
  return doc->root;
}

/* jansson has one object each for true, false and null: these have no place of their own. */
static bool
is_shared (const json_t *node)
{
  return node == NULL || json_is_boolean (node) || json_is_null (node);
}

static int
place_error (const struct osm_yaml *doc, const struct place *place, struct osm_error *err,
             const char *message)
{
  if (place)
    return error_at (doc, place->line, place->column, err, message);
  return osm_error_set (err, OSM_ERROR_USER, 0, "%s: %s", doc->name, message);
}

static const struct place *
find_place (const struct osm_yaml *doc, const json_t *node, const char *key)
{
  if (is_shared (node))
    return NULL;
  for (size_t i = 0; i < doc->nr_places; i++)
    if (doc->places[i].node == node && osm_str_equal (doc->places[i].key, key))
      return &doc->places[i];
  return NULL;
}

int
osm_yaml_error (const struct osm_yaml *doc, const json_t *node, struct osm_error *err,
                const char *format, ...)
{
  OSM_CLEANUP_FREE char *message = NULL;
  va_list args;

  va_start (args, format);
  message = osm_vasprintf (format, args);
  va_end (args);
  return place_error (doc, find_place (doc, node, NULL), err, message);
}

int
osm_yaml_key_error (const struct osm_yaml *doc, const json_t *object, const char *key,
                    struct osm_error *err, const char *format, ...)
{
  OSM_CLEANUP_FREE char *message = NULL;
  const struct place *place = find_place (doc, object, key);
  va_list args;

  va_start (args, format);
  message = osm_vasprintf (format, args);
  va_end (args);
  /* A key that is not there: the object it should be in. */
  if (place == NULL)
    place = find_place (doc, object, NULL);
  return place_error (doc, place, err, message);
}
