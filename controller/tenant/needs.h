/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What the chosen objects stand on: subnets need their network, rules their groups, interfaces router and subnet. Pure.
 *
 *   json_t *needs = osm_tenant_needs (entries, types, filter, OSM_NEEDS_DEPENDENCIES);      {TYPE: {NAME: true}}
 *   filters = osm_filters_new (types, filter, needs);      osm_filters_of (filters, type) */

#ifndef OSM_CONTROLLER_TENANT_NEEDS_H
#define OSM_CONTROLLER_TENANT_NEEDS_H

#include "controller/tenant/filter.h"
#include "controller/tenant/type.h"

/* The types that objects of these may need: all of a tenant, with those named. NULL-terminated, caller frees. */
const struct osm_tenant_type **osm_tenant_types_needed (const struct osm_tenant_type *const *types);
enum osm_needs {
  OSM_NEEDS_NOTHING = 0,
  OSM_NEEDS_DEPENDENCIES = 1, /* what they refer to */
  OSM_NEEDS_MEMBERS =
      2, /* what they contain: subnets and ports of networks, interfaces of routers, rules of groups */
};
/* entries: {TYPE: array of entries, or {ID: entry}}. What the objects of these types that the filter takes need, and that
 * needs in turn: the names, as filters look at them. Objects of others and oneself (%auth%) are not among them. what: a set of enum osm_needs.
 * New object. */
json_t *osm_tenant_needs (const json_t *entries, const struct osm_tenant_type *const *types,
                          const struct osm_filter *filter, unsigned what);

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
