/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Files of OS Migrate 1.0.5: a folder with one file for each type.
 *
 *   os_migrate_version: 1.0.5
 *   resources:
 *   - _info: {...}                what the object was at the source; never sent
 *     _migration_params: {}
 *     _osm_params: {...}          beside params: what OS Migrate does not know. It ignores them
 *     params: {...}
 *     type: openstack.network.Network
 *
 *   OSM_CLEANUP_DATAFILE struct osm_datafile *file = NULL;
 *   osm_datafile_load (path, &file, err);
 *   osm_datafile_check (file, type, problems);
 *   ... osm_datafile_resources (file) ...
 *   osm_datafile_save (path, resources, err);
 */

#ifndef OSM_CONTROLLER_TENANT_DATAFILE_H
#define OSM_CONTROLLER_TENANT_DATAFILE_H

#include <jansson.h>
#include <stdbool.h>

#include "common/error.h"
#include "controller/tenant/type.h"

#define OSM_DATAFILE_VERSION "1.0.5"

struct osm_datafile;
/* USER error if it is no YAML, or has no list of resources; "FILE:LINE:COLUMN: ...". */
int osm_datafile_load (const char *path, struct osm_datafile **ret, struct osm_error *err);
int osm_datafile_parse (const char *text, size_t len, const char *name, struct osm_datafile **ret,
                        struct osm_error *err);
void osm_datafile_free (struct osm_datafile *file);
/* The array of entries. Borrowed. */
json_t *osm_datafile_resources (const struct osm_datafile *file);
/* Those of the operator, as osm_yaml_comments has them. Borrowed. */
const json_t *osm_datafile_comments (const struct osm_datafile *file);
/* The marks of conflict.h. Borrowed. */
const json_t *osm_datafile_conflicts (const struct osm_datafile *file);
/* "1.0.5"; "" if the file does not say. */
const char *osm_datafile_version (const struct osm_datafile *file);
/* Every mistake in it as {"severity": "error", "conflict" or "note", "message": "FILE:LINE:COLUMN: ...", "hint"}, appended to problems. A note keeps
 * nothing from being used, a conflict only what does not accept it. Returns the number of errors. */
size_t osm_datafile_check (const struct osm_datafile *file, const struct osm_tenant_type *type,
                           json_t *problems);

/* All at once: a file that is right; the entries of one. *ret: a new reference. */
int osm_datafile_open (const char *path, const struct osm_tenant_type *type,
                       struct osm_datafile **ret, struct osm_error *err);
int osm_datafile_read (const char *path, const struct osm_tenant_type *type, json_t **ret,
                       struct osm_error *err);

/* The text of a file with these entries, and with comments and marks of conflicts, or NULL. Caller frees. */
char *osm_datafile_text (const json_t *resources, const json_t *comments, const json_t *conflicts);
/* Written atomically, mode 0600. */
int osm_datafile_save (const char *path, const json_t *resources, const json_t *comments,
                       const json_t *conflicts, struct osm_error *err);

static inline void
osm_cleanup_datafile (struct osm_datafile **f)
{
  osm_datafile_free (*f);
}
#define OSM_CLEANUP_DATAFILE __attribute__ ((cleanup (osm_cleanup_datafile)))

#endif
