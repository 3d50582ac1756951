/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What is known of a cloud: its objects by type and id, and so the names of ids and the ids of names. No requests are made here.
 *
 *   OSM_CLEANUP_INVENTORY struct osm_inventory *inv = osm_inventory_new (project_id, user_id);
 *   osm_inventory_add (inv, type, list, true);
 *   osm_inventory_ref (inv, "networks", id, &ref, err);     {"name", "project_name", "domain_name"}
 *
 * A reference to an id that nobody has asked the cloud for yet is noted: whoever converts objects does so once, fetches what was
 * noted (osm_inventory_missing), and does it again until nothing is missing. */

#ifndef OSM_CONTROLLER_TENANT_INVENTORY_H
#define OSM_CONTROLLER_TENANT_INVENTORY_H

#include <jansson.h>
#include <stdbool.h>

#include "common/error.h"
#include "controller/tenant/type.h"

#define OSM_REF_AUTH "%auth%" /* whoever we are at that cloud, or our project */

struct osm_inventory;
struct osm_inventory *osm_inventory_new (const char *project_id, const char *user_id);
void osm_inventory_free (struct osm_inventory *inventory);
const char *osm_inventory_project (const struct osm_inventory *inventory); /* or NULL */
const char *osm_inventory_user (const struct osm_inventory *inventory);    /* or NULL */

/* What is known is of that project of several; borrowed. */
void osm_inventory_set_project (struct osm_inventory *inventory,
                                const struct osm_tenant_project *project);
const struct osm_tenant_project *
osm_inventory_of_project (const struct osm_inventory *inventory); /* or NULL */

/* The name of osm's conversion hosts: their key pairs are not exported. They carry no mark but their name. */
void osm_inventory_set_hosts (struct osm_inventory *inventory, const char *name);
/* That object has this name in the files, whatever it is called in the cloud, and whoever else is called so. It answers to references
 * to our own (and of the right domain); if it is registered, to all that name no other project. id NULL: nothing has the name any more. */
void osm_inventory_alias (struct osm_inventory *inventory, const char *type_name, const char *name,
                          const char *id, bool registered);
/* Objects of the API. own: these are the ones to export, as far as the type's rules take them for ours. */
void osm_inventory_add (struct osm_inventory *inventory, const struct osm_tenant_type *type,
                        const json_t *list, bool own);
/* The cloud was asked for that id and has none, or does not show it (hidden). */
void osm_inventory_add_none (struct osm_inventory *inventory, const char *type_name, const char *id,
                             bool hidden);
/* {ID: object} of the type, in the order of the cloud. Borrowed. */
const json_t *osm_inventory_own (const struct osm_inventory *inventory, const char *type_name);
const json_t *osm_inventory_get (const struct osm_inventory *inventory, const char *type_name,
                                 const char *id);

/* Reference to an id (a string, or null or NULL: null). *ret is a new reference; null if the id is not known yet. An object that is
 * not there or not shown: USER error, code 404. */
int osm_inventory_ref (const struct osm_inventory *inventory, const char *type_name,
                       const json_t *id, json_t **ret, struct osm_error *err);
/* The id that a reference means: of its name, project and domain, as far as they are given; null: null. None: USER error, code 404.
 * Several: USER error that lists them. */
int osm_inventory_id (const struct osm_inventory *inventory, const char *type_name,
                      const json_t *ref, json_t **ret, struct osm_error *err);
/* {TYPE: {NAME: true}} of names that osm_inventory_id did not know, or of which there may be others elsewhere, since the last call. They
 * count as asked for then. New object. */
json_t *osm_inventory_missing_names (struct osm_inventory *inventory);
/* {TYPE: {ID: true}} of what osm_inventory_ref did not know since the last call; empty if nothing. New object. */
json_t *osm_inventory_missing (struct osm_inventory *inventory);

static inline void
osm_cleanup_inventory (struct osm_inventory **i)
{
  osm_inventory_free (*i);
}
#define OSM_CLEANUP_INVENTORY __attribute__ ((cleanup (osm_cleanup_inventory)))

#endif
