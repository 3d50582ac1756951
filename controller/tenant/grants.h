/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Tokens of other projects for an administrator. Where its user has no role at all in a project, osm gives it one, and takes it
 * back at the end.
 *
 *   OSM_CLEANUP_GRANTS struct osm_grants *grants = osm_grants_new (cloud, store, state_dir);
 *   osm_grants_recover (grants, err);                     takes back what a process that died has left
 *   osm_grants_open (grants, id, "Default/demo", &scoped, err);
 *   osm_grants_end (grants, err);
 *
 * The order is: the journal, then the role; and the other way round at the end. So the journal knows of every role that osm may have
 * given, and a role that was there before is never in it. Who has some role already keeps just that: Keystone deletes a user's
 * application credentials in a project together with a role there. */

#ifndef OSM_CONTROLLER_TENANT_GRANTS_H
#define OSM_CONTROLLER_TENANT_GRANTS_H

#include "controller/cloud/cloud.h"
#include "controller/store/store.h"

struct osm_grants;
/* Borrows all. */
struct osm_grants *osm_grants_new (struct osm_cloud *cloud, struct osm_store *store,
                                   const char *state_dir);
/* osm_grants_end first. */
void osm_grants_free (struct osm_grants *grants);
/* What another process of this machine is using now is left alone. */
int osm_grants_recover (struct osm_grants *grants, struct osm_error *err);
/* label: the project's name for people. *ret is borrowed. */
int osm_grants_open (struct osm_grants *grants, const char *project_id, const char *label,
                     struct osm_cloud **ret, struct osm_error *err);
/* Takes back what is in the journal for this cloud; goes on after a failure. Interrupts wait. *ret_revoked: how many; may be NULL. */
int osm_grants_end (struct osm_grants *grants, size_t *ret_revoked, struct osm_error *err);

/* Is one of these the role to give, {"id", "name"}: the first of "member", "_member_", "Member", "admin" that the cloud has. Borrowed, NULL if
 * it has none. (pure) */
const json_t *osm_grants_choose (const json_t *roles);

static inline void
osm_cleanup_grants (struct osm_grants **g)
{
  osm_grants_free (*g);
}
#define OSM_CLEANUP_GRANTS __attribute__ ((cleanup (osm_cleanup_grants)))

#endif
