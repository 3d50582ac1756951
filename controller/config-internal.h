/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Shared by the files that read osm.yaml: config.c has its keys and sections, config-values.c the values by their kinds, config-limits.c
 * the section "limits". Nobody else includes this. */

#ifndef OSM_CONTROLLER_CONFIG_INTERNAL_H
#define OSM_CONTROLLER_CONFIG_INTERNAL_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/yaml.h"
#include "controller/config.h"

enum osm_config_kind {
  OSM_KEY_STRING, /* what the APIs take as name or id */
  OSM_KEY_NAME,   /* of things that osm makes: plain letters */
  OSM_KEY_PATH,   /* absolute, ~ allowed */
  OSM_KEY_CIDR,
  OSM_KEY_FLOATING_IP, /* "new", "none" or an address */
  OSM_KEY_CHOICE,
  OSM_KEY_BOOL,
  OSM_KEY_NUMBER,
  OSM_KEY_ADDRESSES,   /* list of IP addresses */
  OSM_KEY_SSH_SOURCES, /* list of CIDRs, addresses or "auto" */
};

struct osm_config_key {
  const char *name;
  enum osm_config_kind kind;
  size_t offset;
  const char *fallback; /* NULL: not set; lists: the one element */
  uint64_t min, max;    /* OSM_KEY_NUMBER */
  const char *choices[6];
};

/* One object of the file, for messages: "conversion_hosts.source." and so on. */
struct osm_config_section {
  const struct osm_yaml *doc;
  const json_t *object;
  const char *prefix;
};

/* config-values.c. The text of a value that should be a string: borrowed, NULL with err. */
const char *osm_config_string (const struct osm_config_section *section,
                               const struct osm_config_key *key, const json_t *value,
                               struct osm_error *err);
/* Into the member of target that the key names. */
int osm_config_set_value (const struct osm_config_section *section,
                          const struct osm_config_key *key, const json_t *value, void *target,
                          struct osm_error *err);
void osm_config_set_fallback (const struct osm_config_key *key, void *target);
void osm_config_free_keys (const struct osm_config_key *keys, void *target);

/* config.c. Returns -1; keys may be NULL. */
int osm_config_unknown_key (const struct osm_config_section *section, const char *name,
                            const struct osm_config_key *keys, const char *const *sections,
                            struct osm_error *err);
/* 1: it is there (*ret borrowed), 0: not. */
int osm_config_get_section (const struct osm_config_section *parent, const char *name,
                            const json_t **ret, struct osm_error *err);

/* config-map.c */
int osm_config_read_map (const struct osm_config_section *top, const char *const *kinds,
                         struct osm_config *config, struct osm_error *err);

/* config-limits.c */
int osm_config_read_limits (const struct osm_config_section *top, struct osm_config *config,
                            struct osm_error *err);

#endif
