/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* YAML files (libyaml) as a JSON tree that still knows where everything stood, so that a wrong
 * value is reported as "FILE:LINE:COLUMN: key: what is wrong".
 *
 *   OSM_CLEANUP_YAML struct osm_yaml *doc = NULL;
 *   osm_yaml_load (path, &doc, err);
 *   json_t *root = osm_yaml_root (doc);
 *   ... osm_yaml_error (doc, node, err, "unknown key '%s'", key);
 *
 * Mappings become objects (duplicate keys are an error), sequences arrays; plain scalars become null, booleans,
 * integers, reals or strings by YAML 1.2's core schema, quoted scalars strings. Anchors and aliases
 * and merge keys (`<<`) are resolved; at most 16 MiB of text, 1,000,000 nodes, 100 levels. */

#ifndef OSM_COMMON_YAML_H
#define OSM_COMMON_YAML_H

#include <jansson.h>

#include "common/error.h"

struct osm_yaml;

int osm_yaml_load (const char *path, struct osm_yaml **ret, struct osm_error *err);
int osm_yaml_parse (const char *text, size_t len, const char *name, struct osm_yaml **ret,
                    struct osm_error *err);
void osm_yaml_free (struct osm_yaml *doc);
json_t *osm_yaml_root (const struct osm_yaml *doc); /* borrowed */
/* USER error with the position of that node (a value of the tree, by identity). Returns -1.
 * true, false and null are single objects in jansson: their position is known by key only. */
int osm_yaml_error (const struct osm_yaml *doc, const json_t *node, struct osm_error *err,
                    const char *format, ...) __attribute__ ((format (printf, 4, 5)));
/* The same, for the key of a member; for a key that is missing, where the object starts. */
int osm_yaml_key_error (const struct osm_yaml *doc, const json_t *object, const char *key,
                        struct osm_error *err, const char *format, ...)
    __attribute__ ((format (printf, 5, 6)));

static inline void
osm_cleanup_yaml (struct osm_yaml **doc)
{
  osm_yaml_free (*doc);
}
#define OSM_CLEANUP_YAML __attribute__ ((cleanup (osm_cleanup_yaml)))

#endif
