/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Shared by the files that make a plan. */

#ifndef OSM_CONTROLLER_MIGRATION_PLAN_INTERNAL_H
#define OSM_CONTROLLER_MIGRATION_PLAN_INTERNAL_H

#include "controller/migration/plan.h"

/* User's own metadata: a copy without osm's marks ("osm." keys) and without null values. */
json_t *osm_plan_own_metadata (const json_t *metadata);
/* Destination object of that kind named by the mapping; on "not found" or "several" a blocker finding is added and *ret stays NULL. */
int osm_plan_look_up (const struct osm_plan_input *input, json_t *plan, const char *map_kind,
                      const struct osm_collection *collection, const char *name, json_t **ret,
                      struct osm_error *err);

/* plan-volumes.c: fills plan["volumes"][*] from Cinder's answer and picks the destination type. */
int osm_plan_add_volume (const struct osm_plan_input *input, json_t *plan, const json_t *volume,
                         const json_t *attachment, bool boot, const char *access,
                         struct osm_error *err);
int osm_plan_check_volume_quota (const struct osm_plan_input *input, json_t *plan,
                                 struct osm_error *err);
/* plan-image.c: the root disk of a server that booted from an image. */
int osm_plan_add_root (const struct osm_plan_input *input, json_t *plan, const json_t *server,
                       struct osm_error *err);
#define OSM_ACCESS_IMAGE "image"
/* plan-ports.c: plan["ports"] */
int osm_plan_ports (const struct osm_plan_input *input, json_t *plan, const char *server_id,
                    struct osm_error *err);
/* plan-floating.c: plan["floating_ips"] of that source port. network_id: of its successor, NULL if there is none (a blocker was noted). */
int osm_plan_floating_ips (const struct osm_plan_input *input, json_t *plan, const char *port_id,
                           const char *network_id, struct osm_error *err);

#endif
