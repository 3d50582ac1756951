/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* JSON is read through field tables: one table per kind of object says which members are wanted,
 * of which type, where they go and which must be there.  Unknown members are ignored.
 *
 *   struct volume { char *id; uint64_t size_gb; bool bootable; json_t *metadata; };
 *   static const struct osm_json_field volume_fields[] = {
 *     { "id", OSM_JSON_STRING, offsetof (struct volume, id), OSM_JSON_MANDATORY },
 *     { "size", OSM_JSON_UINT, offsetof (struct volume, size_gb), OSM_JSON_MANDATORY },
 *     { "bootable", OSM_JSON_BOOL, offsetof (struct volume, bootable), 0 },
 *     { "metadata", OSM_JSON_ANY, offsetof (struct volume, metadata), 0 },
 *     { 0 }
 *   };
 *   osm_json_read (object, volume_fields, "volume", &v, err);   strings are copied, ANY is incref'ed
 *   osm_json_done (volume_fields, &v);                          releases what read has put there
 *
 * A member that is null or absent leaves the field as it was (NULL, 0), unless mandatory.  If
 * osm_json_read fails it has released everything, as osm_json_done does. */

#ifndef OSM_COMMON_JSON_H
#define OSM_COMMON_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

enum osm_json_type {
  OSM_JSON_STRING, /* char * */
  OSM_JSON_UINT,   /* uint64_t; negative numbers are an error */
  OSM_JSON_INT,    /* int64_t */
  OSM_JSON_REAL,   /* double; integers accepted */
  OSM_JSON_BOOL,   /* bool; also the strings "true"/"false" in any case (Cinder's bootable) */
  OSM_JSON_ANY,    /* json_t *, a new reference */
  OSM_JSON_OBJECT, /* json_t *, must be an object */
  OSM_JSON_ARRAY,  /* json_t *, must be an array */
};

#define OSM_JSON_MANDATORY 1

struct osm_json_field {
  /* "a.b" reaches into member objects; "os-x:y" is one name.  NULL ends the table. */
  const char *name;
  enum osm_json_type type;
  size_t offset;
  unsigned flags;
};

int osm_json_read (const json_t *object, const struct osm_json_field *fields, const char *what,
                   void *target, struct osm_error *err);
void osm_json_done (const struct osm_json_field *fields, void *target);

/* A member that counts something: 0 if it is absent, negative or no integer. */
uint64_t osm_json_uint (const json_t *object, const char *key);

/* Parse untrusted text: at most 64 MiB, depth limited by jansson, duplicates rejected. `what` names its
 * source in the message. */
int osm_json_parse (const char *text, size_t len, const char *what, json_t **ret,
                    struct osm_error *err);
/* Compact text, caller frees. Aborts only when out of memory. */
char *osm_json_dump (const json_t *value);

/* json_pack that aborts on failure (a wrong format is a bug), and never returns NULL. */
json_t *osm_json_pack (const char *format, ...);
/* Borrowed string at member `key`, or NULL if absent or of another type. */
const char *osm_json_str (const json_t *object, const char *key);
/* The first object of the array whose string `key` is `value`; NULL: none, or no value. Borrowed. */
const json_t *osm_json_find (const json_t *array, const char *key, const char *value);
/* Set a member only if the value is not NULL. */
void osm_json_set_str (json_t *object, const char *key, const char *value);

/* An error as it travels: {"class": "...", "code": N, "message": "...", "hint": "..."}. */
json_t *osm_error_to_json (const struct osm_error *err);
/* Sets *err from such an object. Returns -1. */
int osm_error_from_json (const json_t *object, struct osm_error *err);

#endif
