/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/planfile-internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "common/suggest.h"

#define MAX_FILE (16 * 1024 * 1024)
#define MAX_STRING 4096
#define MAX_ITEMS 1000

/* ---- values ---- */

/* Where an error is told: the object and its path in the file, "servers[0].". */
struct place {
  const struct osm_yaml *doc;
  const json_t *object;
  const char *path;
};

static int
wrong (const struct place *at, const char *key, struct osm_error *err, const char *what)
{
  return osm_yaml_key_error (at->doc, at->object, key, err, "%s%s: %s", at->path, key, what);
}

/* NULL, or what is wrong with the text. */
static const char *
check_text (const struct osm_planfile_key *key, const char *s)
{
  unsigned char address[16];

  if (strlen (s) > MAX_STRING)
    return "is too long";
  switch (key->kind) {
  case OSM_PLANFILE_ADDRESS:
    return inet_pton (AF_INET, s, address) == 1 || inet_pton (AF_INET6, s, address) == 1
               ? NULL
               : "must be an IP address";
  case OSM_PLANFILE_MAC:
    if (strlen (s) == 17 && strspn (s, "0123456789abcdefABCDEF:") == 17) {
      for (size_t i = 0; i < 17; i++)
        if ((s[i] == ':') != (i % 3 == 2))
          return "must be a MAC address, such as fa:16:3e:00:00:01";
      return NULL;
    }
    return "must be a MAC address, such as fa:16:3e:00:00:01";
  case OSM_PLANFILE_USER_DATA:
    return s[0] == '/' || osm_str_equal (s, "source") || osm_str_equal (s, "none")
               ? NULL
               : "must be source, none, or an absolute path";
  case OSM_PLANFILE_REF:
  case OSM_PLANFILE_REFS:
    return *s ? NULL : "must not be empty";
  default:
    return NULL;
  }
}

static int
check_choice (const struct place *at, const struct osm_planfile_key *key, const char *s,
              struct osm_error *err)
{
  OSM_STRBUF (known);

  for (size_t i = 0; key->choices[i]; i++) {
    if (osm_str_equal (s, key->choices[i]))
      return 0;
    osm_strbuf_addf (&known, "%s%s", i > 0 ? " or " : "must be ", key->choices[i]);
  }
  return wrong (at, key->name, err, osm_strbuf_str (&known));
}

static int
check_scalar (const struct place *at, const struct osm_planfile_key *key, const json_t *value,
              struct osm_error *err)
{
  const char *bad;

  if (json_is_null (value))
    return key->flags & (OSM_PLANFILE_NULLABLE | OSM_PLANFILE_AUTO)
               ? 0
               : wrong (at, key->name, err, "must not be null");
  if (key->kind == OSM_PLANFILE_BOOL)
    return json_is_boolean (value) ? 0 : wrong (at, key->name, err, "must be true or false");
  if (key->kind == OSM_PLANFILE_NUMBER)
    return json_is_integer (value) ? 0 : wrong (at, key->name, err, "must be a whole number");
  if (!json_is_string (value))
    return wrong (at, key->name, err,
                  json_is_number (value) || json_is_boolean (value)
                      ? "must be a string: put it in quotes"
                      : "must be a string");
  if (key->kind == OSM_PLANFILE_CHOICE)
    return check_choice (at, key, json_string_value (value), err);
  bad = check_text (key, json_string_value (value));
  return bad ? wrong (at, key->name, err, bad) : 0;
}

/* ---- lists and objects ---- */

static int check_object (const struct place *at, const struct osm_planfile_key *keys,
                         struct osm_error *err);

static int
check_refs (const struct place *at, const struct osm_planfile_key *key, const json_t *list,
            struct osm_error *err)
{
  const json_t *item;
  size_t i;

  json_array_foreach (list, i, item)
  {
    const char *bad =
        json_is_string (item) ? check_text (key, json_string_value (item)) : "must be a string";

    if (bad)
      return osm_yaml_error (at->doc, item, err, "%s%s[%zu]: %s", at->path, key->name, i, bad);
  }
  return 0;
}

static int
check_objects (const struct place *at, const struct osm_planfile_key *key, const json_t *list,
               struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *ids = json_object ();
  const json_t *item;
  size_t i;

  json_array_foreach (list, i, item)
  {
    OSM_CLEANUP_FREE char *path = osm_asprintf ("%s%s[%zu].", at->path, key->name, i);
    const struct place inside = { at->doc, item, path };
    const char *id = osm_json_str (item, "id");

    if (!json_is_object (item))
      return osm_yaml_error (at->doc, item, err, "%s%s[%zu]: must have keys of its own", at->path,
                             key->name, i);
    if (check_object (&inside, key->keys, err) == -1)
      return -1;
    if (id && json_object_get (ids, id))
      return wrong (&inside, "id", err, "is there twice");
    if (id)
      json_object_set_new (ids, id, json_true ());
  }
  return 0;
}

static int
check_member (const struct place *at, const struct osm_planfile_key *key, const json_t *value,
              struct osm_error *err)
{
  if (key->kind != OSM_PLANFILE_REFS && key->kind != OSM_PLANFILE_OBJECTS)
    return check_scalar (at, key, value, err);
  if (!json_is_array (value))
    return wrong (at, key->name, err, "must be a list");
  if (json_array_size (value) > MAX_ITEMS)
    return wrong (at, key->name, err, "has more than 1000 elements");
  return key->kind == OSM_PLANFILE_REFS ? check_refs (at, key, value, err)
                                        : check_objects (at, key, value, err);
}

static int
unknown_key (const struct place *at, const char *name, const struct osm_planfile_key *keys,
             struct osm_error *err)
{
  struct osm_suggestion s = osm_suggestion_for (name);

  wrong (at, name, err, "unknown key");
  for (; keys->name; keys++)
    osm_suggestion_offer (&s, keys->name);
  return s.best ? osm_error_hint (err, "did you mean '%s'?", s.best) : -1;
}

static int
check_object (const struct place *at, const struct osm_planfile_key *keys, struct osm_error *err)
{
  const char *name;
  json_t *value;

  json_object_foreach ((json_t *)at->object, name, value)
  {
    const struct osm_planfile_key *key = keys;

    while (key->name && strcmp (key->name, name) != 0)
      key++;
    if (!key->name)
      return unknown_key (at, name, keys, err);
    if (check_member (at, key, value, err) == -1)
      return -1;
  }
  for (; keys->name; keys++)
    if ((keys->flags & OSM_PLANFILE_NEEDED) && !json_object_get (at->object, keys->name))
      return wrong (at, keys->name, err, "is missing");
  return 0;
}

/* ---- the file ---- */

static const struct osm_planfile_key top_keys[] = {
  { .name = "version", .kind = OSM_PLANFILE_NUMBER, .flags = OSM_PLANFILE_NEEDED },
  { .name = "source_cloud", .kind = OSM_PLANFILE_TEXT, .flags = OSM_PLANFILE_NEEDED },
  { .name = "destination_cloud", .kind = OSM_PLANFILE_TEXT, .flags = OSM_PLANFILE_NEEDED },
  { .name = "servers",
    .kind = OSM_PLANFILE_OBJECTS,
    .flags = OSM_PLANFILE_NEEDED,
    .keys = osm_planfile_server_keys },
  { 0 },
};

int
osm_planfile_parse (const char *text, size_t len, const char *name, struct osm_planfile **ret,
                    struct osm_error *err)
{
  OSM_CLEANUP_PLANFILE struct osm_planfile *file = osm_calloc (1, sizeof *file);
  struct place top = { .path = "" };

  file->name = osm_strdup (name);
  if (osm_yaml_parse (text, len, name, &file->doc, err) == -1)
    return -1;
  top.doc = file->doc;
  top.object = osm_yaml_root (file->doc);
  if (!json_is_object (top.object))
    return osm_yaml_error (file->doc, top.object, err, "must consist of keys and values");
  /* What a later version may have besides must not be taken for a slip. */
  if (json_is_integer (json_object_get (top.object, "version")) &&
      json_integer_value (json_object_get (top.object, "version")) != 1)
    return wrong (&top, "version", err, "this osm knows version 1 of plan files only");
  if (check_object (&top, top_keys, err) == -1)
    return -1;
  *ret = osm_take (file);
  return 0;
}

int
osm_planfile_load (const char *path, struct osm_planfile **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *text = NULL;
  size_t len;

  if (osm_file_read (path, MAX_FILE, &text, &len, err) == -1) {
    if (err->code == ENOENT)
      osm_error_hint (err, "write one with 'osm-controller plan SERVER --output-file %s'", path);
    return -1;
  }
  return osm_planfile_parse (text, len, path, ret, err);
}

void
osm_planfile_free (struct osm_planfile *file)
{
  if (!file)
    return;
  osm_yaml_free (file->doc);
  free (file->name);
  free (file);
}

const json_t *
osm_planfile_servers (const struct osm_planfile *file)
{
  return json_object_get (osm_yaml_root (file->doc), "servers");
}

int
osm_planfile_check_clouds (const struct osm_planfile *file, const char *source_cloud,
                           const char *destination_cloud, struct osm_error *err)
{
  const struct {
    const char *key, *is;
  } sides[] = { { "source_cloud", source_cloud }, { "destination_cloud", destination_cloud } };
  const json_t *root = osm_yaml_root (file->doc);

  for (size_t i = 0; i < 2; i++) {
    const char *planned = osm_json_str (root, sides[i].key);

    if (osm_str_equal (planned, sides[i].is))
      continue;
    osm_yaml_key_error (file->doc, root, sides[i].key, err,
                        "%s: the plan is for '%s', not for '%s'", sides[i].key,
                        planned ? planned : "", sides[i].is);
    return osm_error_hint (err, "--source-cloud and --destination-cloud choose the clouds");
  }
  return 0;
}

int
osm_planfile_find (const struct osm_planfile *file, const char *server, const json_t **ret,
                   struct osm_error *err)
{
  const json_t *entry, *found = NULL;
  size_t i;

  json_array_foreach (osm_planfile_servers (file), i, entry)
  {
    if (osm_str_equal (osm_json_str (entry, "id"), server)) {
      *ret = entry;
      return 0;
    }
    if (!osm_str_equal (osm_json_str (entry, "name"), server))
      continue;
    if (found)
      return osm_error_set (err, OSM_ERROR_USER, 0,
                            "%s has several servers named '%s': give the id of one", file->name,
                            server);
    found = entry;
  }
  if (!found)
    return osm_error_set (err, OSM_ERROR_USER, 0, "%s has no server '%s'", file->name, server);
  *ret = found;
  return 0;
}

void
osm_planfile_input (const json_t *entry, struct osm_plan_input *input)
{
  const char *power = osm_json_str (entry, "power"), *disks = osm_json_str (entry, "local_disks"),
             *compression = osm_json_str (entry, "compression");

  input->object = osm_json_str (entry, "id");
  input->wishes = entry;
  if (power)
    input->power = power;
  if (disks)
    input->local_disks = disks;
  if (osm_json_str (entry, "boot_disk"))
    input->boot_disk = osm_json_str (entry, "boot_disk");
  if (compression)
    input->compression = compression;
}
