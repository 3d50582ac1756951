/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Plans as a file that people edit: YAML with every decision, the objects of the source by their ids, those of the destination by name or id.
 * All of it is pure.
 *
 *   text = osm_planfile_text (plans, "src", "dst");                   of plans (plan.h), with findings and explanations as comments
 *   osm_planfile_load ("moving.yaml", &file, err);                    unknown keys, wrong values: USER error with file, line, column
 *   entry = osm_planfile_find (file, "web1");
 *   osm_planfile_input (entry, &input);                               then plan anew: input.wishes are the operator's edits
 *   mismatches = osm_planfile_compare (file, entry, plan, "dst");     where the new plan is not what the file says
 */

#ifndef OSM_CONTROLLER_MIGRATION_PLANFILE_H
#define OSM_CONTROLLER_MIGRATION_PLANFILE_H

#include "controller/migration/plan.h"

struct osm_planfile;

/* plans: array. Caller frees. */
char *osm_planfile_text (const json_t *plans, const char *source_cloud,
                         const char *destination_cloud);

int osm_planfile_load (const char *path, struct osm_planfile **ret, struct osm_error *err);
int osm_planfile_parse (const char *text, size_t len, const char *name, struct osm_planfile **ret,
                        struct osm_error *err);
void osm_planfile_free (struct osm_planfile *file);
/* It is for a side's cloud of that name, or it is a USER error. */
int osm_planfile_check_clouds (const struct osm_planfile *file, const char *source_cloud,
                               const char *destination_cloud, struct osm_error *err);
/* All entries; the one of that source id or name (USER error: none or several). Borrowed. */
const json_t *osm_planfile_servers (const struct osm_planfile *file);
int osm_planfile_find (const struct osm_planfile *file, const char *server, const json_t **ret,
                       struct osm_error *err);

/* Object, wishes and what options would say otherwise. entry must outlive input. */
void osm_planfile_input (const json_t *entry, struct osm_plan_input *input);
/* Places where the file is not what is planned: [{"path": "volumes[0].size_gb", "text": "FILE:12:5: ..."}]. New array. */
json_t *osm_planfile_compare (const struct osm_planfile *file, const json_t *entry,
                              const json_t *plan, const char *destination_cloud);

static inline void
osm_cleanup_planfile (struct osm_planfile **f)
{
  osm_planfile_free (*f);
}
#define OSM_CLEANUP_PLANFILE __attribute__ ((cleanup (osm_cleanup_planfile)))

#endif
