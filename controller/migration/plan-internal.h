/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Shared by the files that make a plan. */

#ifndef OSM_CONTROLLER_MIGRATION_PLAN_INTERNAL_H
#define OSM_CONTROLLER_MIGRATION_PLAN_INTERNAL_H

#include "controller/migration/findings.h"
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
/* (pure) What is special about it. type: the destination's that it gets, or NULL. */
void osm_plan_check_volume (json_t *plan, const char *label, const json_t *volume,
                            const json_t *type);
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

/* plan-checks.c: asks both clouds for what is not about one object, and adds what follows to the findings; plan["needs"]. server: NULL for a
 * volume. */
int osm_plan_checks (const struct osm_plan_input *input, json_t *plan, const json_t *server,
                     struct osm_error *err);
/* (pure) zones: Nova's availabilityZoneInfo. */
void osm_plan_check_zone (json_t *plan, const char *cloud_name, const char *wanted,
                          const json_t *zones);
/* (pure) Snapshots and backups of the plan's volumes; either may be NULL. */
void osm_plan_check_behind (json_t *plan, const json_t *snapshots, const json_t *backups);
/* (pure) Nova's microversions of both sides against what this plan asks for. */
void osm_plan_check_versions (json_t *plan, const char *source, const char *destination);
/* (pure) now: the source's flavor of that name, or NULL. old: the one that is embedded in the server. */
void osm_plan_check_source_flavor (json_t *plan, const char *flavor_name, const json_t *old,
                                   const json_t *now);

/* plan-flavor.c (pure). old: as embedded in the server; new: the destination's. */
void osm_plan_compare_flavors (json_t *plan, const char *flavor_name, const json_t *old,
                               const json_t *new);
/* In words; NULL: none. Caller frees. */
char *osm_plan_specs_difference (const json_t *old, const json_t *new);
/* What flavor and image ask of the hypervisor. Each of the objects may be NULL. */
void osm_plan_platform (json_t *plan, const char *server_name, const json_t *old_specs,
                        const json_t *new_specs, const json_t *image_properties);

/* plan-network.c (pure). */
void osm_plan_check_port (json_t *plan, const json_t *port);
/* network: the destination's; project_id: whose ports they will be. */
void osm_plan_check_network (json_t *plan, const char *cloud_name, const char *project_id,
                             const json_t *network);
void osm_plan_compare_groups (json_t *plan, const json_t *old, const json_t *new);
/* In words; NULL: none. Caller frees. */
char *osm_plan_group_difference (const json_t *old, const json_t *new);

/* plan-carried.c (pure): members of the APIs' objects that have a value and no place in what osm makes. */
void osm_plan_carried_server (json_t *plan, const json_t *server);
void osm_plan_carried_port (json_t *plan, const char *label, const json_t *port);
void osm_plan_carried_volume (json_t *plan, const char *label, const json_t *volume);
/* carried: the properties that the volume gets. */
void osm_plan_carried_image (json_t *plan, const char *server_name, const json_t *image,
                             const json_t *carried);
/* "a, b=text" of those that are neither empty nor in the list (one that ends in '*' is a prefix); NULL: none. Caller frees. */
char *osm_plan_not_carried (const json_t *object, const char *const *known);

#endif
