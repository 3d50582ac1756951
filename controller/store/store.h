/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The journal: one SQLite file (WAL), the only folder that speaks SQL.
 *
 *   osm_store_open (path, &store, err);
 *   osm_store_migration_add (store, &m, err);                       state "planned"
 *   osm_store_step_begin (store, id, seq, "stop", err);             intent, before the act
 *   osm_store_object_intend (store, id, key, cloud, type, err);     before an object is created
 *   osm_store_object_created (store, id, key, object_id, err);      as soon as its id is known
 *   osm_store_step_end (store, id, seq, "done", NULL, err);
 *
 * Every function is one transaction, durable when it returns (synchronous=FULL). Threads may share a store. Several
 * processes may share the file: busy waits up to 10 s, then a RETRY error that names the file. */

#ifndef OSM_CONTROLLER_STORE_H
#define OSM_CONTROLLER_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

struct osm_store;
int osm_store_open (const char *path, struct osm_store **ret, struct osm_error *err);
void osm_store_free (struct osm_store *store);

/* ---- migrations ---- */
struct osm_migration_row {
  char *id;    /* short: 8 hexadecimal digits, chosen by osm_store_migration_add */
  char *kind;  /* "server", "volume" */
  char *state; /* name of enum osm_migration_state, see migration/state.h */
  char *source_cloud, *destination_cloud;
  char *object_id, *object_name; /* the source server or volume */
  char *result_id;               /* the destination's, when there is one */
  json_t *plan;                  /* everything that was decided; never changed after planning */
  json_t *error;                 /* last failure as osm_error_to_json, or NULL */
  int64_t created_ms, updated_ms;
  uint64_t bytes_total, bytes_done, bytes_sent; /* of the copy, for list and watch */
};
void osm_migration_row_free (struct osm_migration_row *row);
/* Inserts; fills row->id. A second unfinished migration of the same object is refused (USER, names its id). */
int osm_store_migration_add (struct osm_store *store, struct osm_migration_row *row,
                             struct osm_error *err);
/* Inserts a migration whose id is known, with its steps [{"name","state"}] in their order and the objects that were made for it
 * [{"key","cloud","type","object_id"}]: all or nothing. */
int osm_store_migration_restore (struct osm_store *store, const struct osm_migration_row *row,
                                 const json_t *steps, const json_t *objects, struct osm_error *err);
/* By id or unique prefix of an id. None: USER, code 404. */
int osm_store_migration_get (struct osm_store *store, const char *id,
                             struct osm_migration_row **ret, struct osm_error *err);
/* Newest first; state NULL: all. limit 0: all. *ret is an array of nr rows, each to be freed, then the array. Their plan is
 * NULL: it is long, and lists do not show it. */
int osm_store_migration_list (struct osm_store *store, const char *state, size_t limit,
                              struct osm_migration_row ***ret, size_t *ret_nr,
                              struct osm_error *err);
/* The newest that many, and all that are not finished, newest first, likewise; *ret_more is how many older ones there are. */
int osm_store_migration_recent (struct osm_store *store, size_t newest,
                                struct osm_migration_row ***ret, size_t *ret_nr, size_t *ret_more,
                                struct osm_error *err);
/* Compare-and-set: fails (RETRY) if the state in the file is not `from`. Writes an event "FROM -> TO". */
int osm_store_migration_set_state (struct osm_store *store, const char *id, const char *from,
                                   const char *to, const json_t *error, struct osm_error *err);
int osm_store_migration_set_result (struct osm_store *store, const char *id, const char *result_id,
                                    struct osm_error *err);
int osm_store_migration_set_progress (struct osm_store *store, const char *id, uint64_t bytes_total,
                                      uint64_t bytes_done, uint64_t bytes_sent,
                                      struct osm_error *err);
/* Facts (objects or arrays) found or made while running, merged into one JSON object per migration (volume manifests, devices ...). */
int osm_store_fact_set (struct osm_store *store, const char *id, const char *key,
                        const json_t *value, struct osm_error *err);
/* All facts whose keys start with prefix, as one object. New reference. */
int osm_store_fact_list (struct osm_store *store, const char *id, const char *prefix, json_t **ret,
                         struct osm_error *err);
/* New reference; *ret NULL if there is none. */
int osm_store_fact_get (struct osm_store *store, const char *id, const char *key, json_t **ret,
                        struct osm_error *err);

/* ---- steps ---- */
/* state: "running" (intent), "done", "failed", "undoing", "undone" */
int osm_store_step_begin (struct osm_store *store, const char *id, unsigned seq, const char *name,
                          struct osm_error *err);
int osm_store_step_end (struct osm_store *store, const char *id, unsigned seq, const char *state,
                        const json_t *error, struct osm_error *err);
/* *ret: the state or NULL if the step was never begun. Caller frees. */
int osm_store_step_state (struct osm_store *store, const char *id, unsigned seq, char **ret,
                          struct osm_error *err);
/* Array of {"seq","name","state","started_ms","ended_ms","error"}. */
int osm_store_step_list (struct osm_store *store, const char *id, json_t **ret,
                         struct osm_error *err);

/* ---- objects that osm creates in a cloud ---- */
/* key: unique within the migration, also the value of the object's mark osm.role ("temporary-volume:VOLUME_ID"). */
int osm_store_object_intend (struct osm_store *store, const char *id, const char *key,
                             const char *cloud, const char *type, struct osm_error *err);
int osm_store_object_created (struct osm_store *store, const char *id, const char *key,
                              const char *object_id, struct osm_error *err);
int osm_store_object_deleted (struct osm_store *store, const char *id, const char *key,
                              struct osm_error *err);
/* Milliseconds since its intent was written; INT64_MAX if that is not known. */
int osm_store_object_age (struct osm_store *store, const char *id, const char *key, int64_t *ret_ms,
                          struct osm_error *err);
/* *ret_state: NULL (no row), "intended", "created", "deleted"; *ret_object_id NULL unless created. Caller frees both. */
int osm_store_object_get (struct osm_store *store, const char *id, const char *key,
                          char **ret_state, char **ret_object_id, struct osm_error *err);
/* Array of {"key","cloud","type","object_id","state"}, in order of creation. */
int osm_store_object_list (struct osm_store *store, const char *id, json_t **ret,
                           struct osm_error *err);

/* ---- events: what happened, for people ---- */
int osm_store_event_add (struct osm_store *store, const char *id, const char *text,
                         struct osm_error *err);
/* Array of {"seq","time_ms","text"} with seq > after. */
int osm_store_event_list (struct osm_store *store, const char *id, uint64_t after, json_t **ret,
                          struct osm_error *err);

/* ---- leases: one process per migration ---- */
/* USER error naming host and pid if another live process holds it (same host: the pid is checked with its start time; other host:
 * heartbeat younger than 60 s). Renewed by osm_store_lease_renew every 15 s or so. */
int osm_store_lease_take (struct osm_store *store, const char *id, struct osm_error *err);
int osm_store_lease_renew (struct osm_store *store, const char *id, struct osm_error *err);
int osm_store_lease_release (struct osm_store *store, const char *id, struct osm_error *err);
/* True in *ret if some live process holds it; *ret_holder "host:pid", caller frees, may be NULL. */
int osm_store_lease_held (struct osm_store *store, const char *id, bool *ret, char **ret_holder,
                          struct osm_error *err);

/* ---- mapping of migrated objects: (source cloud, destination cloud, type, source id) is unique ---- */
int osm_store_mapping_set (struct osm_store *store, const char *source_cloud,
                           const char *destination_cloud, const char *type, const char *source_id,
                           const char *destination_id, struct osm_error *err);
int osm_store_mapping_get (struct osm_store *store, const char *source_cloud,
                           const char *destination_cloud, const char *type, const char *source_id,
                           char **ret_destination_id, struct osm_error *err);

/* ---- objects.c: likewise for what is around servers, with who made it ---- */
struct osm_mapping {
  const char *source_cloud, *destination_cloud;
  const char *type; /* "networks" */
  const char *source_id, *destination_id;
  const char *name; /* in the files, or NULL */
  const char *
      origin; /* "created" by osm, "adopted" because it has the name, "registered" by the operator */
};
/* Adopting what osm made leaves it osm's. */
int osm_store_mapping_note (struct osm_store *store, const struct osm_mapping *mapping,
                            struct osm_error *err);
/* Array of objects with the members of struct osm_mapping, updated_ms, and source_deleted_ms if osm has deleted it at the source; oldest of
 * a type first. NULL: of all clouds. */
int osm_store_mapping_list (struct osm_store *store, const char *source_cloud,
                            const char *destination_cloud, json_t **ret, struct osm_error *err);
int osm_store_mapping_forget (struct osm_store *store, const char *source_cloud,
                              const char *destination_cloud, const char *type,
                              const char *source_id, struct osm_error *err);

/* The row stays: what became of the object is still to be known. */
int osm_store_mapping_source_deleted (struct osm_store *store, const char *source_cloud,
                                      const char *destination_cloud, const char *type,
                                      const char *source_id, struct osm_error *err);

/* ---- conversion hosts: what is worth keeping between commands (pinned host keys ...), one JSON object per (cloud url, name) ---- */
int osm_store_host_set (struct osm_store *store, const char *cloud, const char *name,
                        const json_t *value, struct osm_error *err);
int osm_store_host_get (struct osm_store *store, const char *cloud, const char *name, json_t **ret,
                        struct osm_error *err);
int osm_store_host_delete (struct osm_store *store, const char *cloud, const char *name,
                           struct osm_error *err);

/* ---- grants.c: roles that osm gave its own user; what is here is to be taken back ---- */
struct osm_role_grant {
  const char *cloud;                          /* as clouds.yaml names it */
  const char *project_id, *user_id, *role_id; /* of the cloud */
  const char *project, *role;                 /* for people */
  const char *url; /* of the cloud: its name may mean another one later */
};
/* Before the role is given. */
int osm_store_grant_intend (struct osm_store *store, const struct osm_role_grant *grant,
                            struct osm_error *err);
/* Array of objects with the members of struct osm_role_grant and intended_ms, oldest first. NULL: of all clouds. */
int osm_store_grant_list (struct osm_store *store, const char *cloud, json_t **ret,
                          struct osm_error *err);
/* After it was taken back. */
int osm_store_grant_revoked (struct osm_store *store, const char *cloud, const char *project_id,
                             const char *user_id, const char *role_id, struct osm_error *err);

/* ---- forgetting: prune.c ---- */
/* Ids of the migrations of which nothing can come any more ("cleaned", "rolled-back") and that did not change since before_ms, oldest
 * first: a NULL-terminated vector, which may be NULL. */
int osm_store_prunable (struct osm_store *store, int64_t before_ms, char ***ret,
                        struct osm_error *err);
/* Forgets just these, with all that belongs to them but the mapping of their objects. */
int osm_store_prune (struct osm_store *store, int64_t before_ms, struct osm_error *err);
/* Gives the room of what was forgotten back to the file system. Needs as much free room as the journal has afterwards, and
 * nobody at work in it: else RETRY or USER errors, and nothing is lost. */
int osm_store_shrink (struct osm_store *store, struct osm_error *err);

static inline void
osm_cleanup_store (struct osm_store **s)
{
  osm_store_free (*s);
}
#define OSM_CLEANUP_STORE __attribute__ ((cleanup (osm_cleanup_store)))

#endif
