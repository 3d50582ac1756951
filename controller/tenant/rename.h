/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Projects that have another name at the destination, in the entries of a file. Pure.
 *
 *   osm_rename_projects (type, project, entries); */

#ifndef OSM_CONTROLLER_TENANT_RENAME_H
#define OSM_CONTROLLER_TENANT_RENAME_H

#include "controller/tenant/type.h"

/* Member of the entry of a project: its name in the file. */
#define OSM_NAME_AT_SOURCE "_name_at_source"

/* References to projects, and to objects of other projects, and projects themselves. project: NULL: nothing is renamed. */
void osm_rename_projects (const struct osm_tenant_type *type,
                          const struct osm_tenant_project *project, json_t *entries);

#endif
