/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Keeps the lease of a migration alive from a thread of its own, so that a long call cannot let it expire. */

#ifndef OSM_CONTROLLER_MIGRATION_LEASE_H
#define OSM_CONTROLLER_MIGRATION_LEASE_H

#include "controller/store/store.h"

struct osm_lease_keeper;

/* Takes the lease and starts renewing it. */
int osm_lease_keeper_new (struct osm_store *store, const char *migration_id,
                          struct osm_lease_keeper **ret, struct osm_error *err);
/* Stops and gives the lease back. NULL is fine. */
void osm_lease_keeper_free (struct osm_lease_keeper *keeper);

#endif
