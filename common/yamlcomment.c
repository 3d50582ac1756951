/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/yamlcomment.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/strbuf.h"

#define MAX_DEPTH 100

/* ---- paths ---- */

char *
osm_yaml_path (const char *parent, const char *key)
{
  OSM_STRBUF (b);

  osm_strbuf_addf (&b, "%s/", parent);
  for (; *key; key++)
    osm_strbuf_add_mem (&b,
                        *key == '~'   ? "~0"
                        : *key == '/' ? "~1"
                                      : key,
                        *key == '~' || *key == '/' ? 2 : 1);
  return osm_strbuf_take (&b);
}

char *
osm_yaml_path_item (const char *parent, size_t index)
{
  return osm_asprintf ("%s/%zu", parent, index);
}

/* NULL: value has no such thing. Borrowed. */
static const json_t *
at (const json_t *value, const char *path)
{
  while (value && *path == '/') {
    size_t len = strcspn (path + 1, "/");
    OSM_CLEANUP_FREE char *word = osm_strndup (path + 1, len);
    char *to = word;
    uint64_t index;
    OSM_ERROR (ignored);

    path += 1 + len;
    if (json_is_array (value)) {
      value = osm_parse_uint (word, "index", 0, UINT32_MAX, &index, &ignored) == 0
                  ? json_array_get (value, (size_t)index)
                  : NULL;
      continue;
    }
    for (const char *from = word; *from; from++) {
      bool escaped = *from == '~' && from[1];

      from += escaped;
      *to++ = escaped ? (*from == '1' ? '/' : '~') : *from;
    }
    *to = '\0';
    value = json_object_get (value, word);
  }
  return value;
}

/* ---- where the nodes of a text are ---- */

/* A key, or an item of a list. */
struct start {
  char *path;
  size_t line;
};

struct frame {
  char *path; /* of the collection */
  char *key;  /* of a mapping: the member that comes next, or NULL: a key does */
  size_t index;
  bool is_mapping;
};

struct walk {
  const char *text, *name;
  size_t len;
  size_t *lines; /* offset of each */
  size_t nr_lines;
  unsigned char *in_scalar; /* for each byte */
  struct start *starts;
  size_t nr_starts, allocated;
  struct frame frames[MAX_DEPTH];
  size_t depth;
};

static void
find_lines (struct walk *w)
{
  size_t n = 1;

  for (size_t i = 0; i < w->len; i++)
    n += w->text[i] == '\n';
  w->lines = osm_calloc (n + 1, sizeof *w->lines);
  for (size_t i = 0; i < w->len; i++)
    if (w->text[i] == '\n')
      w->lines[++w->nr_lines] = i + 1;
  w->nr_lines++;
  w->lines[w->nr_lines] = w->len;
}

/* Columns count characters. */
static size_t
offset (const struct walk *w, const yaml_mark_t *mark)
{
  size_t i = mark->line < w->nr_lines ? w->lines[mark->line] : w->len;

  for (size_t column = mark->column; column > 0 && i < w->len; column--)
    for (i++; i < w->len && ((unsigned char)w->text[i] & 0xc0) == 0x80; i++)
      ;
  return i;
}

static void
add_start (struct walk *w, char *path, size_t line)
{
  if (w->nr_starts == w->allocated) {
    w->allocated = w->allocated ? w->allocated * 2 : 64;
    w->starts = osm_realloc (w->starts, w->allocated, sizeof *w->starts);
  }
  w->starts[w->nr_starts++] = (struct start){ path, line };
}

/* A node begins: what it is in the collection that it is in. Caller frees. */
static char *
path_of_next (struct walk *w, const yaml_event_t *event)
{
  struct frame *f = w->depth > 0 ? &w->frames[w->depth - 1] : NULL;
  char *path;

  if (!f)
    return osm_strdup ("");
  if (!f->is_mapping) {
    path = osm_yaml_path_item (f->path, f->index++);
    add_start (w, osm_strdup (path), event->start_mark.line);
    return path;
  }
  if (f->key) {
    path = osm_yaml_path (f->path, f->key);
    free (f->key);
    f->key = NULL;
    return path;
  }
  /* A key that is no scalar is none of ours. */
  f->key =
      osm_strdup (event->type == YAML_SCALAR_EVENT ? (const char *)event->data.scalar.value : "");
  path = osm_yaml_path (f->path, f->key);
  add_start (w, osm_strdup (path), event->start_mark.line);
  return path;
}

static int
push (struct walk *w, char *path, bool is_mapping, struct osm_error *err)
{
  if (w->depth == MAX_DEPTH) {
    free (path);
    return osm_error_set (err, OSM_ERROR_USER, 0, "%s: nested too deeply", w->name);
  }
  w->frames[w->depth++] = (struct frame){ .path = path, .is_mapping = is_mapping };
  return 0;
}

static void
pop (struct walk *w)
{
  if (w->depth == 0)
    return;
  w->depth--;
  free (w->frames[w->depth].path);
  free (w->frames[w->depth].key);
}

static int
handle (struct walk *w, const yaml_event_t *event, struct osm_error *err)
{
  size_t from, to;

  switch (event->type) {
  case YAML_SCALAR_EVENT:
    from = offset (w, &event->start_mark);
    to = offset (w, &event->end_mark);
    if (to > from)
      memset (w->in_scalar + from, 1, to - from);
    free (path_of_next (w, event));
    return 0;
  case YAML_ALIAS_EVENT:
    free (path_of_next (w, event));
    return 0;
  case YAML_MAPPING_START_EVENT:
  case YAML_SEQUENCE_START_EVENT:
    return push (w, path_of_next (w, event), event->type == YAML_MAPPING_START_EVENT, err);
  case YAML_MAPPING_END_EVENT:
  case YAML_SEQUENCE_END_EVENT:
    pop (w);
    return 0;
  default:
    return 0;
  }
}

static int
walk (struct walk *w, struct osm_error *err)
{
  yaml_parser_t parser;
  bool end = false;
  int r = 0;

  if (!yaml_parser_initialize (&parser))
    osm_oom ();
  yaml_parser_set_encoding (&parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string (&parser, (const unsigned char *)w->text, w->len);
  while (r == 0 && !end) {
    yaml_event_t event;

    if (!yaml_parser_parse (&parser, &event)) {
      r = osm_error_set (err, OSM_ERROR_USER, 0, "%s: is not YAML", w->name);
      break;
    }
    end = event.type == YAML_STREAM_END_EVENT;
    r = handle (w, &event, err);
    yaml_event_delete (&event);
  }
  yaml_parser_delete (&parser);
  return r;
}

/* ---- comments ---- */

static void
add_to (json_t *comments, const char *path, const char *where, json_t *comment)
{
  json_t *of_path = json_object_get (comments, path), *list;

  if (!of_path) {
    of_path = json_object ();
    json_object_set_new (comments, path, of_path);
  }
  list = json_object_get (of_path, where);
  if (!list) {
    list = json_array ();
    json_object_set_new (of_path, where, list);
  }
  json_array_append (list, comment);
}

void
osm_yaml_comment_add (json_t *comments, const char *path, const char *text)
{
  OSM_CLEANUP_JSON json_t *comment = osm_json_pack ("{s:s}", "text", text);

  add_to (comments, path, "before", comment);
}

/* The comment of a line, or NULL. New reference. */
static json_t *
comment_of (const struct walk *w, size_t line, bool *ret_alone)
{
  size_t end = w->lines[line + 1];
  OSM_CLEANUP_FREE char *text = NULL;

  *ret_alone = true;
  while (end > w->lines[line] && strchr ("\r\n \t", w->text[end - 1]))
    end--;
  for (size_t i = w->lines[line]; i < end; i++) {
    if (w->text[i] == '#' && !w->in_scalar[i] &&
        (i == w->lines[line] || strchr (" \t", w->text[i - 1]))) {
      text = osm_strndup (w->text + i, end - i);
      return osm_json_pack ("{s:s, s:I}", "text", text, "line", (json_int_t)line + 1);
    }
    *ret_alone = *ret_alone && strchr (" \t", w->text[i]);
  }
  return NULL;
}

static json_t *
collect (const struct walk *w)
{
  OSM_CLEANUP_JSON json_t *waiting = json_array ();
  json_t *comments = json_object (), *one;
  size_t next = 0, i;

  for (size_t line = 0; line < w->nr_lines; line++) {
    bool alone;
    OSM_CLEANUP_JSON json_t *comment = comment_of (w, line, &alone);
    const char *first =
        next < w->nr_starts && w->starts[next].line == line ? w->starts[next].path : NULL;

    while (next < w->nr_starts && w->starts[next].line <= line)
      next++;
    if (comment && alone) {
      json_array_append (waiting, comment);
      continue;
    }
    if (comment && next > 0)
      add_to (comments, w->starts[next - 1].path, "after", comment);
    else if (comment)
      json_array_append (waiting, comment);
    if (!first)
      continue;
    json_array_foreach (waiting, i, one) add_to (comments, first, "before", one);
    json_array_clear (waiting);
  }
  json_array_foreach (waiting, i, one) add_to (comments, "", "before", one);
  return comments;
}

int
osm_yaml_comments (const char *text, size_t len, const char *name, json_t **ret,
                   struct osm_error *err)
{
  struct walk *w = osm_calloc (1, sizeof *w);
  int r;

  w->text = text;
  w->len = len;
  w->name = name;
  w->in_scalar = osm_calloc (len + 1, 1);
  find_lines (w);
  r = walk (w, err);
  if (r == 0)
    *ret = collect (w);
  while (w->depth > 0)
    pop (w);
  for (size_t i = 0; i < w->nr_starts; i++)
    free (w->starts[i].path);
  free (w->starts);
  free (w->lines);
  free (w->in_scalar);
  free (w);
  return r;
}

json_t *
osm_yaml_comments_on (const json_t *comments, const json_t *value)
{
  json_t *there = json_object (), *of_path, *comment;
  const char *path;
  size_t i;

  json_object_foreach ((json_t *)comments, path, of_path)
  {
    OSM_CLEANUP_FREE char *up = osm_strdup (path);
    bool same;

    while (*up && !at (value, up))
      *strrchr (up, '/') = '\0';
    same = strcmp (up, path) == 0;
    json_array_foreach (json_object_get (of_path, "before"), i, comment)
        add_to (there, up, "before", comment);
    json_array_foreach (json_object_get (of_path, "after"), i, comment)
        add_to (there, up, same ? "after" : "before", comment);
  }
  return there;
}
