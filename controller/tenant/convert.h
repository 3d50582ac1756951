/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Objects of the API to entries of files and back, as the table of a type says. No requests are made here.
 *
 *   osm_tenant_to_file (type, inventory, object, &entry, err);
 *   entry: {"type": "openstack.network.Network", "params": {...}, "_info": {...}, "_migration_params": {}, "_osm_params": {...}}
 *
 *   osm_tenant_to_api (type, inventory of the other cloud, entry, NULL, &body, err);
 */

#ifndef OSM_CONTROLLER_TENANT_CONVERT_H
#define OSM_CONTROLLER_TENANT_CONVERT_H

#include "controller/tenant/inventory.h"

/* A new entry. */
int osm_tenant_to_file (const struct osm_tenant_type *type, const struct osm_inventory *inventory,
                        const json_t *object, json_t **ret, struct osm_error *err);
/* What to send: for a new object (changed NULL), or for one that differs in the fields named in the array `changed`. Fields that need
 * requests of their own are not in it. */
int osm_tenant_to_api (const struct osm_tenant_type *type, const struct osm_inventory *inventory,
                       const json_t *entry, const json_t *changed, json_t **ret,
                       struct osm_error *err);
/* The value of a field in an entry, or NULL. Borrowed. */
json_t *osm_tenant_value (const json_t *entry, const struct osm_field *field);
/* A sorted copy of a list, whose order means nothing. */
json_t *osm_tenant_sorted (const json_t *list, const char *sort_by);
/* What it is called in tables: the name, else "web: ingress tcp 22-22", ... Caller frees. */
char *osm_tenant_label (const struct osm_tenant_type *type, const json_t *entry);
/* Of its _info, made of several members where there is no id: the same for the same object of the same cloud. Caller frees. */
char *osm_tenant_entry_id (const json_t *entry);

#endif
