/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Names that the operator has chosen.
 *
 *   "web"       that name        "web-*"  a glob: * ? [...]        "/^web-[0-9]+$/"  an extended regular expression
 *
 *   OSM_CLEANUP_FILTER struct osm_filter *filter = NULL;
 *   osm_filter_new (patterns, nr, &filter, err);
 *   if (osm_filter_takes (filter, name)) ... */

#ifndef OSM_CONTROLLER_TENANT_FILTER_H
#define OSM_CONTROLLER_TENANT_FILTER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

struct osm_filter;
/* No pattern: takes all. A regular expression that is none: USER error. */
int osm_filter_new (char *const *patterns /* NULL-terminated, or NULL */, struct osm_filter **ret,
                    struct osm_error *err);
/* What `other` takes (NULL: nothing), and these names: {NAME: true} or NULL. `other` must live as long. */
struct osm_filter *osm_filter_with_names (const struct osm_filter *other, const json_t *names);
void osm_filter_free (struct osm_filter *filter);
/* One of the patterns is enough. name NULL: as if it were "". */
bool osm_filter_takes (const struct osm_filter *filter, const char *name);

static inline void
osm_cleanup_filter (struct osm_filter **f)
{
  osm_filter_free (*f);
}
#define OSM_CLEANUP_FILTER __attribute__ ((cleanup (osm_cleanup_filter)))

#endif
