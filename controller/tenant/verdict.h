/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* May an object of the source go, now that the destination has it? Pure.
 *
 *   osm_cleanup_verdict (&facts, row);                      result: "would delete", "left" or "gone", and the reason
 *   osm_cleanup_leave_used (rows, uses);                    ... and "left" what something uses that stays
 *   while ((row = osm_cleanup_next (rows, uses))) ...       users before what they use
 *
 * rows: [{"type", "name", "id", "destination_id", "result", "reason"}]; uses: of osm_tenant_uses. */

#ifndef OSM_CONTROLLER_TENANT_VERDICT_H
#define OSM_CONTROLLER_TENANT_VERDICT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/tenant/type.h"

#define OSM_CLEANUP_PLANNED "would delete"

/* All that is known of one row of the mapping. */
struct osm_cleanup_facts {
  const struct osm_tenant_type *type;
  const json_t *mapping;   /* row of osm_store_mapping_list */
  const json_t *object;    /* at the source, as the API has it; NULL: it is not there */
  bool hidden;             /* this user may not see it */
  bool own;                /* it is the tenant's, and nothing of osm's */
  const json_t *network;   /* of a subnet or an interface, if that is the tenant's, too; or NULL */
  const json_t *entry;     /* as an export of now would write it; {"error"}: it cannot be told */
  const json_t *conflicts; /* of this export, or NULL */
  const json_t *copy;      /* at the destination; NULL: it is not there */
  const json_t *is;        /* entry of the copy; NULL, {"error"}: it cannot be told */
  const json_t *lacks;     /* labels of rules of the group that the copy does not have, or NULL */
  int64_t now_ms, hold_ms; /* what was imported later than now - hold stays */
  bool accept_differences;
};
void osm_cleanup_verdict (const struct osm_cleanup_facts *facts, json_t *row);
void osm_cleanup_set (json_t *row, const char *result, const char *reason);

/* Until nothing changes: of the rows that would be deleted those stay that something uses which is not among them. */
void osm_cleanup_leave_used (json_t *rows, const json_t *uses);
/* Why that row stays because of these uses; NULL: it does not. Caller frees. */
char *osm_cleanup_used_by (json_t *rows, const json_t *uses, const json_t *row);
/* The next one to delete; NULL: there is none. Borrowed. */
json_t *osm_cleanup_next (json_t *rows, const json_t *uses);

/* Labels of the rules that the group at the source has, as its API shows it, of which the copy has none that is the same, or which cannot be
 * read. rules, there: {ID: entry} of the source and of the destination. New array. */
json_t *osm_cleanup_lacking_rules (const json_t *group, const json_t *rules, const char *copy_id,
                                   const json_t *there);

#endif
