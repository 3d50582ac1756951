/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What somebody else did to the source server since it was planned: the plan compared with what the APIs say now. (pure)
 *
 *   changes = osm_source_changes (plan, id, &now);        NULL: nothing
 */

#ifndef OSM_CONTROLLER_MIGRATION_CHANGES_H
#define OSM_CONTROLLER_MIGRATION_CHANGES_H

#include <jansson.h>

struct osm_source_now {
  const json_t *server;      /* NULL: it is gone */
  json_int_t starts;         /* how often it was started since its disks were copied */
  const json_t *attachments; /* of osm_server_attachments */
  const json_t *volumes;     /* Cinder's volumes of the plan; one that is gone is not among them */
  const json_t *interfaces;  /* of osm_server_interfaces */
};

/* migration_id: whose mark the server has to carry. Sentences, joined with "; ", without the name of the server. Caller frees; NULL if all
 * is as it was planned. */
char *osm_source_changes (const json_t *plan, const char *migration_id,
                          const struct osm_source_now *now);

#endif
