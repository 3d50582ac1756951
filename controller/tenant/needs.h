/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What the chosen objects stand on: subnets need their network, rules their groups, interfaces router and subnet. Pure.
 *
 *   json_t *needs = osm_tenant_needs (entries, types, filter);      {TYPE: {NAME: true}}
 *   filters = osm_filters_new (types, filter, needs);      osm_filters_of (filters, type) */

#ifndef OSM_CONTROLLER_TENANT_NEEDS_H
#define OSM_CONTROLLER_TENANT_NEEDS_H

#include "controller/tenant/filter.h"
#include "controller/tenant/type.h"

/* The types that objects of these may need: all of a tenant, with those named. NULL-terminated, caller frees. */
const struct osm_tenant_type **osm_tenant_types_needed (const struct osm_tenant_type *const *types);
/* entries: {TYPE: array of entries, or {ID: entry}}. Of the objects of these types that the filter takes, and of those that they
 * need in turn: the names. Objects of others and oneself (%auth%) are not among them. New object. */
json_t *osm_tenant_needs (const json_t *entries, const struct osm_tenant_type *const *types,
                          const struct osm_filter *filter);

/* What is taken of each type: of those named what the filter takes, and of all what is needed. */
struct osm_filters;
/* needs: NULL: there are no others. types and filter must live as long. */
struct osm_filters *osm_filters_new (const struct osm_tenant_type *const *types,
                                     const struct osm_filter *filter, const json_t *needs);
void osm_filters_free (struct osm_filters *filters);
const struct osm_filter *osm_filters_of (const struct osm_filters *filters,
                                         const struct osm_tenant_type *type);

static inline void
osm_cleanup_filters (struct osm_filters **f)
{
  osm_filters_free (*f);
}
#define OSM_CLEANUP_FILTERS __attribute__ ((cleanup (osm_cleanup_filters)))

#endif
