/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A migration from plan to end: run, resume, roll back, clean up.
 *
 *   struct osm_migration_context context = { config, { src, dst }, store, ui };
 *   osm_migration_create (&context, plan, &m, err);     row in the journal, lease taken
 *   osm_migration_run (m, err);                         to "completed", or "failed"/"interrupted" with err set
 *   osm_migration_free (m);                             lease given back
 *
 *   osm_migration_open (&context, "3f2a", &m, err);     an existing one, lease taken
 *   osm_migration_run / osm_migration_rollback / osm_migration_cleanup (m, err);
 */

#ifndef OSM_CONTROLLER_MIGRATION_H
#define OSM_CONTROLLER_MIGRATION_H

#include "controller/cloud/cloud.h"
#include "controller/config.h"
#include "controller/store/store.h"
#include "controller/ui/ui.h"

/* All borrowed; they must outlive the migration. */
struct osm_migration_context {
  struct osm_config *config;
  struct osm_cloud *cloud[2];
  struct osm_store *store;
  struct osm_ui *ui;
};

struct osm_migration;

/* plan is copied into the journal. */
int osm_migration_create (const struct osm_migration_context *context, const json_t *plan,
                          struct osm_migration **ret, struct osm_error *err);
/* Refuses when the clouds of the context are not those of the migration. */
int osm_migration_open (const struct osm_migration_context *context, const char *id,
                        struct osm_migration **ret, struct osm_error *err);
void osm_migration_free (struct osm_migration *m);
/* Borrowed. */
const struct osm_migration_row *osm_migration_row (const struct osm_migration *m);

/* From the first step that is not done to the end. Also resumes. hold: stop in state "held" when the copies are there and verified and
 * the source has its volumes back, before anything of the new server is made. */
int osm_migration_run (struct osm_migration *m, bool hold, struct osm_error *err);
/* Undo of every step that was begun, in reverse order. Also of a completed migration. */
int osm_migration_rollback (struct osm_migration *m, struct osm_error *err);
/* After completion: remove osm's marks from what it made and forget the agents' jobs; no way back. Of a migration that was
 * rolled back or never touched anything: nothing to do. */
int osm_migration_cleanup (struct osm_migration *m, struct osm_error *err);
/* Compare source and copy of every volume once more, while they are attached to the conversion hosts. Equal: 0, and an event for
 * each; the manifests are kept. Nothing is repaired. */
int osm_migration_verify (struct osm_migration *m, struct osm_error *err);
/* "zero": what cannot be read at the source will be zeros in the copy. In the journal, for this run and those that follow. */
int osm_migration_set_bad_blocks (struct osm_migration *m, const char *policy,
                                  struct osm_error *err);
/* "auto", "direct", "reverse", "relay": how the destination reaches the source, instead of the configuration's. Likewise. */
int osm_migration_set_path (struct osm_migration *m, const char *policy, struct osm_error *err);
/* {"id","state","server_id","seconds","bytes",...}: for the end of the command. New reference. */
json_t *osm_migration_result (struct osm_migration *m);

static inline void
osm_cleanup_migration (struct osm_migration **m)
{
  osm_migration_free (*m);
}
#define OSM_CLEANUP_MIGRATION __attribute__ ((cleanup (osm_cleanup_migration)))

#endif
