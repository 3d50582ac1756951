/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/json.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"
#include "common/quote.h"
#include "common/strbuf.h"

#define MAX_TEXT (64 * 1024 * 1024)
#define MAX_CONTAINERS 500000
#define MAX_VALUES 4000000

static const char *
type_name (const json_t *value)
{
  switch (json_typeof (value)) {
  case JSON_OBJECT:
    return "an object";
  case JSON_ARRAY:
    return "an array";
  case JSON_STRING:
    return "a string";
  case JSON_INTEGER:
    return "an integer";
  case JSON_REAL:
    return "a real number";
  case JSON_TRUE:
  case JSON_FALSE:
    return "a boolean";
  default:
    return "null";
  }
}

static const char *const expected[] = {
  [OSM_JSON_STRING] = "a string",    [OSM_JSON_UINT] = "a non-negative integer",
  [OSM_JSON_INT] = "an integer",     [OSM_JSON_REAL] = "a number",
  [OSM_JSON_BOOL] = "true or false", [OSM_JSON_ANY] = "any value",
  [OSM_JSON_OBJECT] = "an object",   [OSM_JSON_ARRAY] = "an array",
};

static void
release (const struct osm_json_field *field, void *target)
{
  void *place = (char *)target + field->offset;

  switch (field->type) {
  case OSM_JSON_STRING:
    free (*(char **)place);
    *(char **)place = NULL;
    break;
  case OSM_JSON_ANY:
  case OSM_JSON_OBJECT:
  case OSM_JSON_ARRAY:
    json_decref (*(json_t **)place);
    *(json_t **)place = NULL;
    break;
  default:
    break;
  }
}

static bool
read_bool (const json_t *value, bool *ret)
{
  if (json_is_boolean (value)) {
    *ret = json_is_true (value);
    return true;
  }
  if (json_is_string (value)) {
    const char *s = json_string_value (value);

    *ret = strcasecmp (s, "true") == 0;
    return *ret || strcasecmp (s, "false") == 0;
  }
  return false;
}

/* False if the value is of another type. */
static bool
store (const struct osm_json_field *field, json_t *value, void *target)
{
  void *place = (char *)target + field->offset;

  switch (field->type) {
  case OSM_JSON_STRING:
    if (!json_is_string (value))
      return false;
    release (field, target);
    *(char **)place = osm_strdup (json_string_value (value));
    return true;
  case OSM_JSON_UINT:
    if (!json_is_integer (value) || json_integer_value (value) < 0)
      return false;
    *(uint64_t *)place = (uint64_t)json_integer_value (value);
    return true;
  case OSM_JSON_INT:
    if (!json_is_integer (value))
      return false;
    *(int64_t *)place = json_integer_value (value);
    return true;
  case OSM_JSON_REAL:
    if (!json_is_number (value))
      return false;
    *(double *)place = json_number_value (value);
    return true;
  case OSM_JSON_BOOL:
    return read_bool (value, place);
  case OSM_JSON_OBJECT:
    if (!json_is_object (value))
      return false;
    break;
  case OSM_JSON_ARRAY:
    if (!json_is_array (value))
      return false;
    break;
  case OSM_JSON_ANY:
    break;
  }
  json_incref (value);
  release (field, target);
  *(json_t **)place = value;
  return true;
}

/* *ret = the member, NULL if absent or null.  -1 if the way there leads through something else than
 * objects. */
static int
find (const json_t *object, const char *name, const char *what, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_STRV char **parts = osm_strv_split (name, '.');
  const json_t *at = object;

  for (size_t i = 0; parts[i]; i++) {
    if (!json_is_object (at))
      return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                            "%s: on the way to member '%s' there is %s instead of an object", what,
                            name, type_name (at));
    at = json_object_get (at, parts[i]);
    if (at == NULL || json_is_null (at)) {
      *ret = NULL;
      return 0;
    }
  }
  *ret = (json_t *)at;
  return 0;
}

static int
read_field (const json_t *object, const struct osm_json_field *field, const char *what,
            void *target, struct osm_error *err)
{
  json_t *value = NULL;

  if (find (object, field->name, what, &value, err) == -1)
    return -1;
  if (value == NULL) {
    if (field->flags & OSM_JSON_MANDATORY)
      return osm_error_set (err, OSM_ERROR_REMOTE, 0, "%s: member '%s' is missing", what,
                            field->name);
    return 0;
  }
  if (!store (field, value, target))
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "%s: member '%s' is %s, expected %s", what,
                          field->name, type_name (value), expected[field->type]);
  return 0;
}

int
osm_json_read (const json_t *object, const struct osm_json_field *fields, const char *what,
               void *target, struct osm_error *err)
{
  if (!json_is_object (object))
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "%s: %s instead of an object", what,
                          object ? type_name (object) : "nothing");
  for (const struct osm_json_field *field = fields; field->name; field++)
    if (read_field (object, field, what, target, err) == -1) {
      osm_json_done (fields, target);
      return -1;
    }
  return 0;
}

void
osm_json_done (const struct osm_json_field *fields, void *target)
{
  for (; fields->name; fields++)
    release (fields, target);
}

uint64_t
osm_json_uint (const json_t *object, const char *key)
{
  json_int_t n = json_integer_value (json_object_get (object, key));

  return n > 0 ? (uint64_t)n : 0;
}

/* Some bytes of text become some hundred of memory: "[{},{},{}". */
static bool
is_modest (const char *text, size_t len)
{
  size_t containers = 0, values = 0;
  bool in_string = false;

  for (size_t i = 0; i < len; i++) {
    if (text[i] == '"')
      in_string = !in_string;
    else if (in_string && text[i] == '\\')
      i++;
    else if (!in_string) {
      containers += text[i] == '{' || text[i] == '[';
      values += text[i] == ',';
    }
  }
  return containers <= MAX_CONTAINERS && values <= MAX_VALUES;
}

int
osm_json_parse (const char *text, size_t len, const char *what, json_t **ret, struct osm_error *err)
{
  json_error_t error;
  json_t *value;

  if (len > MAX_TEXT)
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "%s: %zu bytes of JSON, allowed are %d", what,
                          len, MAX_TEXT);
  if (!is_modest (text, len))
    return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                          "%s is not JSON to believe: more than %d objects and lists", what,
                          MAX_CONTAINERS);
  value = json_loadb (text, len, JSON_REJECT_DUPLICATES, &error);
  if (value == NULL)
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "%s is not JSON: line %d, column %d: %s", what,
                          error.line, error.column, error.text);
  *ret = value;
  return 0;
}

char *
osm_json_dump (const json_t *value)
{
  char *text = json_dumps (value, JSON_COMPACT | JSON_ENCODE_ANY);

  if (text == NULL)
    osm_oom ();
  return text;
}

json_t *
osm_json_pack (const char *format, ...)
{
  json_error_t error;
  va_list args;
  json_t *value;

  va_start (args, format);
  value = json_vpack_ex (&error, 0, format, args);
  va_end (args);
  if (value == NULL)
    osm_abort ("osm_json_pack (\"%s\"): %s", format, error.text);
  return value;
}

const json_t *
osm_json_find (const json_t *array, const char *key, const char *value)
{
  size_t i;
  const json_t *item;

  if (!value)
    return NULL;
  json_array_foreach (array, i, item)
  {
    const char *text = osm_json_str (item, key);

    if (text && strcmp (text, value) == 0)
      return item;
  }
  return NULL;
}

const char *
osm_json_str (const json_t *object, const char *key)
{
  return json_string_value (json_object_get (object, key));
}

void
osm_json_set_str (json_t *object, const char *key, const char *value)
{
  json_t *string;

  if (value == NULL)
    return;
  string = json_string (value);
  if (string == NULL) {
    OSM_CLEANUP_FREE char *quoted = NULL;

    /* Not UTF-8 (a file name, a message of some library): what can be shown of it. */
    quoted = osm_quote_terminal (value);
    string = json_string (quoted);
  }
  if (string == NULL || json_object_set_new (object, key, string) == -1)
    osm_oom ();
}

json_t *
osm_error_to_json (const struct osm_error *err)
{
  json_t *object =
      osm_json_pack ("{s:s, s:i}", "class", osm_error_class_name (err->class), "code", err->code);

  osm_json_set_str (object, "message", err->message);
  osm_json_set_str (object, "hint", err->hint);
  return object;
}

int
osm_error_from_json (const json_t *object, struct osm_error *err)
{
  const char *message = osm_json_str (object, "message");
  const char *hint = osm_json_str (object, "hint");
  json_int_t code = json_integer_value (json_object_get (object, "code"));
  enum osm_error_class error_class = osm_error_class_from_name (osm_json_str (object, "class"));

  if (osm_error_is_set (err))
    return -1;
  osm_error_set (err, error_class, code == (int)code ? (int)code : 0, "%s",
                 message ? message : "the other side gave no reason");
  if (hint)
    osm_error_hint (err, "%s", hint);
  return -1;
}
