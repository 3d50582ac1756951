/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Shared by the files that know the form of plan files: planfile.c has its keys and writes it, planfile-describe.c makes it of a plan,
 * planfile-read.c reads it, planfile-compare.c compares. */

#ifndef OSM_CONTROLLER_MIGRATION_PLANFILE_INTERNAL_H
#define OSM_CONTROLLER_MIGRATION_PLANFILE_INTERNAL_H

#include "common/yaml.h"
#include "controller/migration/planfile.h"

enum osm_planfile_kind {
  OSM_PLANFILE_TEXT,
  OSM_PLANFILE_ADDRESS,
  OSM_PLANFILE_MAC,
  OSM_PLANFILE_USER_DATA, /* source, none, an absolute path */
  OSM_PLANFILE_CHOICE,
  OSM_PLANFILE_NUMBER,
  OSM_PLANFILE_BOOL,
  OSM_PLANFILE_REF,     /* an object of the destination: name or id; described as {"name","id"} */
  OSM_PLANFILE_REFS,    /* list of such */
  OSM_PLANFILE_OBJECTS, /* list of objects with keys of their own */
};

enum {
  OSM_PLANFILE_FIXED = 1,    /* of the source: not to be changed */
  OSM_PLANFILE_NULLABLE = 2, /* null: there is none */
  OSM_PLANFILE_AUTO = 4,     /* null: osm or the destination chooses */
  OSM_PLANFILE_NEEDED = 8,
};

struct osm_planfile_key {
  const char *name; /* NULL ends the table */
  enum osm_planfile_kind kind;
  unsigned flags;
  const char *what; /* REF, OBJECTS: one of them, for messages */
  const char *comment;
  const char *choices[6];
  const struct osm_planfile_key
      *keys; /* OBJECTS; those with an "id" go by it, others by their place */
};

extern const struct osm_planfile_key osm_planfile_server_keys[];

struct osm_planfile {
  char *name;
  struct osm_yaml *doc;
};

/* A plan's entry in the file; references as {"name","id": if it was found}. New object. */
json_t *osm_planfile_describe (const json_t *plan);

#endif
