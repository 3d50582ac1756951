/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* JSON values as YAML text that people edit and every parser reads alike: block style, keys sorted, as PyYAML's safe_dump
 * writes it. What a parser of YAML 1.1 or of 1.2 would take for a number, a date or a truth value is quoted.
 *
 *   char *text = osm_yaml_dump (value);
 */

#ifndef OSM_COMMON_YAMLWRITE_H
#define OSM_COMMON_YAMLWRITE_H

#include <jansson.h>

/* Caller frees. */
char *osm_yaml_dump (const json_t *value);
/* With comments as osm_yaml_comments_on has them. */
char *osm_yaml_dump_commented (const json_t *value, const json_t *comments);

#endif
