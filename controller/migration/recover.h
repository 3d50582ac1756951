/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The journal is lost: what the marks in both clouds tell becomes a journal again.
 *
 *   struct osm_recover_choice choice = { .ids = { "3f2a..." } };
 *   osm_recover (&context, &choice, &found, err);       looks at both clouds, changes nothing there
 *
 * Marks are no lease: nobody can tell from them whether another operator, with another journal, is at work. So only those migrations are
 * rebuilt that the operator names, or all if the operator says so. */

#ifndef OSM_CONTROLLER_MIGRATION_RECOVER_H
#define OSM_CONTROLLER_MIGRATION_RECOVER_H

#include "controller/migration/migration.h"

struct osm_recover_choice {
  const char *const *ids; /* ids or unique beginnings of them */
  size_t nr_ids;
  bool all;     /* whatever is found */
  bool dry_run; /* write nothing */
};

/* *ret: the answer of osm_marks_group (marks.h); each migration also has "action": "rebuilt", "found" (not chosen, or dry run), "known" (the
 * journal has it already) or "refused" (see "why"), and "resume": null if it can be resumed, else why not. New reference. An id that is not
 * found: USER error. */
int osm_recover (const struct osm_migration_context *context,
                 const struct osm_recover_choice *choice, json_t **ret, struct osm_error *err);

/* Can a migration with this plan be resumed? USER error with the reason and the way back if it was rebuilt and too little is known. (pure) */
int osm_recover_check_resume (const json_t *plan, const char *id, struct osm_error *err);

#endif
