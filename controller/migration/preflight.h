/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What is to be said beyond the plan of one server: about several together, and about the conversion hosts. All of it is pure.
 *
 *   together = osm_preflight_together (plans, quotas, names);       {"needs": {...}, "findings": [...]}
 *   osm_preflight_hosts (report, osm_hosts_look's answer, volumes); adds findings to report */

#ifndef OSM_CONTROLLER_MIGRATION_PREFLIGHT_H
#define OSM_CONTROLLER_MIGRATION_PREFLIGHT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/config.h"

/* plans: array; quota: of both sides, as in quota.h, NULL: not known; cloud_name: of both sides. New object. */
json_t *osm_preflight_together (const json_t *plans, const json_t *const quota[2],
                                const char *const cloud_name[2]);
/* nr_volumes: of the plan that has the most. */
void osm_preflight_hosts (json_t *report, const json_t *look, size_t nr_volumes);
/* Milliseconds that so many bytes take; 0: not known. */
uint64_t osm_preflight_copy_ms (uint64_t bytes, uint64_t bytes_per_second);

#endif
