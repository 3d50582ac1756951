/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What the unfinished migrations of the journal are still going to make at the destination: no quota counts it yet.
 *
 *   osm_claims_load (store, "dst", &claims, err);        {"cores": 4, "gigabytes_fast": 20, ...}, as in quota.h
 *   osm_quota_claim (quota, claims);
 */

#ifndef OSM_CONTROLLER_MIGRATION_CLAIMS_H
#define OSM_CONTROLLER_MIGRATION_CLAIMS_H

#include <jansson.h>

#include "controller/store/store.h"

/* Of those that are planned, at work or held; nobody is at work for a failed or interrupted one. */
int osm_claims_load (struct osm_store *store, const char *destination_cloud, json_t **ret,
                     struct osm_error *err);
/* (pure) What a migration by that plan still needs of the destination's quotas. objects: of the journal, [{"key","state"}]. New object. */
json_t *osm_claims_of (const json_t *plan, const json_t *objects);

#endif
