/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* How fast a migration may copy: what the operator said last (kept in the journal) wins over the time windows of the configuration.
 *
 *   osm_limit_set (store, id, OSM_LIMIT_RATE, 10 << 20, err);     a running migration follows within a second or two
 *   osm_limit_now (store, config, id, &rate, &manual, err);
 */

#ifndef OSM_CONTROLLER_MIGRATION_LIMITS_H
#define OSM_CONTROLLER_MIGRATION_LIMITS_H

#include <stdbool.h>

#include "controller/config.h"
#include "controller/store/store.h"

enum osm_limit_mode {
  OSM_LIMIT_AUTO, /* by the configuration */
  OSM_LIMIT_RATE, /* 0: no limit */
};
/* "auto", or as osm_parse_rate. */
int osm_limit_parse (const char *text, enum osm_limit_mode *ret, uint64_t *ret_rate,
                     struct osm_error *err);
int osm_limit_set (struct osm_store *store, const char *id, enum osm_limit_mode mode, uint64_t rate,
                   struct osm_error *err);
/* Bytes per second that hold now, 0: none. */
int osm_limit_now (struct osm_store *store, const struct osm_config *config, const char *id,
                   uint64_t *ret_rate, bool *ret_manual, struct osm_error *err);

#endif
