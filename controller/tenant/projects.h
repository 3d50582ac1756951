/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Several projects at once. Each has a folder below the files of what belongs to no project: DATA_DIR/projects/DOMAIN/NAME, whose files are
 * those that the project's own user would have exported.
 *
 *   osm_projects_list (cloud, &projects, err);            [{"id", "name", "domain_name", "domain_id", "label": "DOMAIN/NAME"}]
 *   osm_projects_chosen (projects, filter)
 *   osm_projects_folder (data_dir, "Default", "demo")
 *   osm_projects_exported (data_dir, &projects, err);     likewise, without ids
 *   osm_projects_find (projects, "Default", "demo", &project, err) */

#ifndef OSM_CONTROLLER_TENANT_PROJECTS_H
#define OSM_CONTROLLER_TENANT_PROJECTS_H

#include <jansson.h>

#include "controller/cloud/cloud.h"
#include "controller/tenant/filter.h"

/* All projects of the cloud, in the order of their labels. USER error, code 403, if the user is no administrator. New array. */
int osm_projects_list (struct osm_cloud *cloud, json_t **ret, struct osm_error *err);
/* Those that have a folder, with their "source_id" if it was noted. New array. */
int osm_projects_exported (const char *data_dir, json_t **ret, struct osm_error *err);
/* Those that the filter takes by name or label, "all" being all. New array. (pure) */
json_t *osm_projects_chosen (const json_t *projects, const struct osm_filter *filter);
/* Caller frees. (pure) */
char *osm_projects_folder (const char *data_dir, const char *domain, const char *name);
/* The domain or name that a folder's name stands for; caller frees. NULL: none. (pure) */
char *osm_projects_unquote (const char *folder);
/* By name, and domain unless that is NULL. Borrowed. None or several: USER error. (pure) */
int osm_projects_find (const json_t *projects, const char *domain, const char *name,
                       const json_t **ret, struct osm_error *err);
/* What the project of that folder is at the source, for osm_projects_exported. */
int osm_projects_note_id (const char *folder, const char *id, struct osm_error *err);
/* {ID at the source: {"domain_name", "name"}} as far as folders (of osm_projects_exported) and the file of the projects tell. New object. */
json_t *osm_projects_known (const char *data_dir, const json_t *exported);
/* Which of the destination's projects an import has made or found for that one, or register-external has said it is: by the id at the
 * source where it is known. rows: of osm_store_mapping_list. Borrowed. NULL: none, or several. (pure) */
const json_t *osm_projects_mapped (const json_t *projects, const json_t *rows, const json_t *known,
                                   const char *domain, const char *name);
/* "DOMAIN/NAME" or "NAME" as somebody has written it into a configuration: replaces name, and domain if it is said. (pure) */
void osm_projects_apply (const char *said, char **domain, char **name);

#endif
