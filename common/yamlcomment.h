/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The comments of a YAML file, which parsers drop: taken out before it is written anew, and put where they were.
 *
 *   osm_yaml_comments (text, len, name, &comments, err);
 *   {PATH: {"before": [{"text": "# mine", "line": 12}], "after": [...]}}
 *
 *   OSM_CLEANUP_JSON json_t *there = osm_yaml_comments_on (comments, value);
 *   text = osm_yaml_dump_commented (value, there);              (common/yamlwrite.h)
 *
 * PATH is "/resources/0/params/mtu" (RFC 6901) of the member or item whose line a comment stands above ("before") or behind ("after"); "" is
 * the end of the file. Lines count from 1. */

#ifndef OSM_COMMON_YAMLCOMMENT_H
#define OSM_COMMON_YAMLCOMMENT_H

#include <jansson.h>
#include <stddef.h>

#include "common/error.h"

int osm_yaml_comments (const char *text, size_t len, const char *name, json_t **ret,
                       struct osm_error *err);
/* The same for that value: comments of what it does not have any more stand above what that was in. New object. */
json_t *osm_yaml_comments_on (const json_t *comments, const json_t *value);
/* One more above that path. */
void osm_yaml_comment_add (json_t *comments, const char *path, const char *text);
/* "/a" and "b/c" -> "/a/b~1c". Caller frees. */
char *osm_yaml_path (const char *parent, const char *key);
char *osm_yaml_path_item (const char *parent, size_t index);

#endif
