/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Shared by the steps of a migration. Only for controller/migration/. */

#ifndef OSM_CONTROLLER_MIGRATION_INTERNAL_H
#define OSM_CONTROLLER_MIGRATION_INTERNAL_H

#include "controller/hosts/hosts.h"
#include "controller/migration/marks.h"
#include "controller/migration/migration.h"

struct osm_migration {
  struct osm_migration_context context;
  struct osm_migration_row *row;
  struct osm_host *host[2]; /* opened by osm_migration_open_hosts */
  struct osm_path *path;    /* between them, while data is copied; opened by osm_data_open_path */
  bool path_moved;          /* it is another one than that of the last process */
  struct osm_device_sizes *sizes; /* of the volumes' disks, in their order; devices.h */
  struct osm_lease_keeper *lease;
  uint64_t started_ms;  /* osm_now_ms of this run */
  uint64_t limit_at_ms; /* when the rate limit was last looked at */
  uint64_t
      claimed_ms; /* osm_now_ms when this process wrote its mark on the source server; 0: it did not */
  uint64_t limit_told; /* that limit + 1 as the agent knows it; 0: not told */
};

/* One step. `run` makes it so: it looks before it acts, because it may be called again after a crash at any line; `undo` makes it as
 * it was, likewise, also when `run` got nowhere. NULL undo: nothing to take back. */
struct osm_step {
  const char *name; /* in the journal */
  const char *text; /* for people, while it runs */
  int (*run) (struct osm_migration *m, struct osm_error *err);
  int (*undo) (struct osm_migration *m, struct osm_error *err);
  unsigned flags;
};
enum {
  OSM_STEP_CUTOVER =
      1, /* the first step after the copies are there and verified: --hold stops before it */
  OSM_STEP_AT_HOSTS = 2, /* done again by every process until the last of them is done */
  OSM_STEP_LAST_AT_HOSTS = 4,
};
extern const struct osm_step osm_server_steps[], osm_volume_steps[]; /* end: name NULL */

/* How long one object may stay without progress before a step gives up. */
#define OSM_STEP_TIMEOUT_MS (10 * 60 * 1000)
/* A clone or a volume from a snapshot copies all bytes on some backends. */
#define OSM_CLONE_TIMEOUT_MS (6 * 60 * 60 * 1000)
#define OSM_DEVICE_TIMEOUT_MS 60000

/* Plan, shortly. */
const json_t *osm_migration_source (const struct osm_migration *m); /* plan["source"] */
const json_t *osm_migration_volumes (const struct osm_migration *m);
bool osm_volume_is (const json_t *volume, const char *access);
const char *osm_volume_label (const json_t *volume); /* name or id */
uint64_t osm_volume_bytes (const json_t *volume);
/* Opens both conversion hosts with their links, once. */
int osm_migration_open_hosts (struct osm_migration *m, struct osm_error *err);
/* The same for undo and cleanup: a side that cannot be reached is noted and left NULL. */
void osm_migration_try_open_hosts (struct osm_migration *m);
/* A call to the agent of a side; error if the host is not open. */
int osm_migration_agent (struct osm_migration *m, enum osm_side side, const char *method,
                         json_t *params, uint64_t timeout_ms, json_t **ret, struct osm_error *err);

/* ---- journal.c: objects that are made exactly once ---- */

/* Kinds of object that migrations make, and how each is found again by its mark. */
enum osm_made {
  OSM_MADE_VOLUME,
  OSM_MADE_SNAPSHOT,
  OSM_MADE_PORT,
  OSM_MADE_SERVER,
  OSM_MADE_FLOATING_IP,
  OSM_MADE_IMAGE
};

/* Writes the intent, calls create, writes the id. If the journal has the id already it is returned; if only the intent is there (a
 * crash, or an answer that was lost), the object is looked for by its mark first. `create` gets the marks {"osm.migration","osm.role"}
 * to put on the object. ret_id: caller frees. */
struct osm_making {
  enum osm_side side;
  enum osm_made kind;
  const char *role; /* unique in the migration */
  int (*create) (struct osm_migration *m, const struct osm_making *making, const json_t *marks,
                 char **ret_id, struct osm_error *err);
  const json_t *plan; /* the volume or port of the plan */
  const char *from;   /* id of what it is made from, or NULL */
};
int osm_make (struct osm_migration *m, const struct osm_making *making, char **ret_id,
              struct osm_error *err);
/* The id in the journal (or found by mark when only intended); *ret_id NULL if there is no such object (any more). */
int osm_made_id (struct osm_migration *m, enum osm_side side, enum osm_made kind, const char *role,
                 char **ret_id, struct osm_error *err);
/* Delete it if it exists, wait, write it down. */
int osm_unmake (struct osm_migration *m, enum osm_side side, enum osm_made kind, const char *role,
                struct osm_error *err);
/* What came late of a request that was believed lost and sent again is deleted. */
int osm_made_sweep (struct osm_migration *m, enum osm_side side, enum osm_made kind,
                    const char *role, struct osm_error *err);
/* ready.c: osm_make of a volume or snapshot, then until it is available (or further on); one that ended in state error is made anew. */
int osm_make_ready (struct osm_migration *m, const struct osm_making *making, uint64_t timeout_ms,
                    char **ret_id, struct osm_error *err);
/* "temporary-volume:ID" and the like. Caller frees. */
char *osm_role_of (const char *role, const char *id);
/* Objects of Neutron have no metadata: the marks as a description (created with it), and as tags (set afterwards). Caller frees. */
char *osm_marks_text (const json_t *marks);
json_t *osm_marks_tags (const char *migration, const char *role);

/* ---- for each volume of the plan at the same time ---- */
int osm_each_volume (struct osm_migration *m,
                     int (*run) (struct osm_migration *m, const json_t *volume, size_t index,
                                 struct osm_error *err),
                     struct osm_error *err);

/* ---- guard.c ---- */
int osm_source_claim (struct osm_migration *m, struct osm_error *err);
int osm_source_unclaim (struct osm_migration *m, struct osm_error *err);
/* Some time after the claim: is it still ours? */
int osm_source_confirm_claim (struct osm_migration *m, struct osm_error *err);
/* Another migration has claimed the server: then undo must not touch it. */
bool osm_source_is_others (struct osm_migration *m, const json_t *server);
/* The source server; *ret NULL: it is gone. */
int osm_source_get (struct osm_migration *m, json_t **ret, struct osm_error *err);
/* The same, once Nova does nothing more with it. */
int osm_source_settle (struct osm_migration *m, json_t **ret, struct osm_error *err);
/* The same mark on a volume that is migrated alone. */
int osm_source_claim_volume (struct osm_migration *m, const char *id, struct osm_error *err);
int osm_source_unclaim_volume (struct osm_migration *m, const char *id, struct osm_error *err);
/* Before its disks are copied: what osm_source_check_quiet compares with. */
int osm_source_remember_starts (struct osm_migration *m, struct osm_error *err);
/* Is the server as it was planned, and off since it was copied? One that ran in between has data that the copies lack. */
int osm_source_check_quiet (struct osm_migration *m, struct osm_error *err);

/* ---- source.c ---- */
int osm_source_stop (struct osm_migration *m, struct osm_error *err);
int osm_source_start (struct osm_migration *m, struct osm_error *err);
int osm_source_lock (struct osm_migration *m, struct osm_error *err);
int osm_source_unlock (struct osm_migration *m, struct osm_error *err);
/* The volume that is attached to the source conversion host: the clone, or the source volume itself. Caller frees; NULL if it does not
 * exist yet. */
int osm_source_exported_id (struct osm_migration *m, const json_t *volume, char **ret_id,
                            struct osm_error *err);
int osm_source_prepare_volume (struct osm_migration *m, const json_t *volume,
                               struct osm_error *err);
/* Off the conversion host; temporaries deleted. */
int osm_source_release_volume (struct osm_migration *m, const json_t *volume,
                               struct osm_error *err);
/* Data volumes back on their server, in the order of their devices. */
int osm_source_return_volumes (struct osm_migration *m, struct osm_error *err);

/* ---- source-image.c: root disks of servers that booted from an image ---- */
/* Before volumes are detached: its image, if there is such a disk. */
int osm_source_image_root (struct osm_migration *m, struct osm_error *err);
int osm_source_clone_root (struct osm_migration *m, const json_t *volume, char **ret_id,
                           struct osm_error *err);
int osm_source_discard_root (struct osm_migration *m, const json_t *volume, struct osm_error *err);
/* ---- slots.c: conversion hosts as holders of volumes ---- */
/* Waits until both hosts have room for all volumes of this migration, and says so. */
int osm_wait_for_slots (struct osm_migration *m, struct osm_error *err);
/* Attach; waits if there is no room after all. */
int osm_attach_to_host (struct osm_migration *m, enum osm_side side, const char *volume_id,
                        struct osm_error *err);
/* Also from a host that does not obey and does not answer us: such a one is switched off if nothing else depends on it. */
int osm_detach_from_host (struct osm_migration *m, enum osm_side side, const char *server_id,
                          const char *volume_id, struct osm_error *err);

/* ---- destination.c ---- */
int osm_destination_prepare_volume (struct osm_migration *m, const json_t *volume,
                                    struct osm_error *err);
int osm_destination_release_volume (struct osm_migration *m, const json_t *volume,
                                    struct osm_error *err);
int osm_destination_discard_volume (struct osm_migration *m, const json_t *volume,
                                    struct osm_error *err);
int osm_destination_make_ports (struct osm_migration *m, struct osm_error *err);
int osm_destination_discard_ports (struct osm_migration *m, struct osm_error *err);
int osm_destination_make_server (struct osm_migration *m, struct osm_error *err);
int osm_destination_discard_server (struct osm_migration *m, struct osm_error *err);
/* See osm_made_sweep: all that was made there. */
int osm_destination_sweep (struct osm_migration *m, struct osm_error *err);
int osm_destination_power (struct osm_migration *m, struct osm_error *err);
/* Marks off everything that stays. */
int osm_destination_unmark (struct osm_migration *m, struct osm_error *err);

/* ---- belongings.c: key pair and server group, if they are not there ---- */
/* *ret_group: id of the server group, NULL: the server is in none. */
int osm_belongings_make (struct osm_migration *m, char **ret_group, struct osm_error *err);
/* Into the new server's metadata, which of them osm made. */
int osm_belongings_mark (struct osm_migration *m, json_t *metadata, struct osm_error *err);
/* Those that osm made and nobody else uses. */
int osm_belongings_discard (struct osm_migration *m, struct osm_error *err);

/* ---- floating.c ---- */
int osm_floating_reserve (struct osm_migration *m, struct osm_error *err);
int osm_floating_discard (struct osm_migration *m, struct osm_error *err);
/* Duplicates of those that were asked for twice. */
int osm_floating_sweep (struct osm_migration *m, struct osm_error *err);
int osm_floating_attach (struct osm_migration *m, struct osm_error *err);
int osm_floating_detach (struct osm_migration *m, struct osm_error *err);
int osm_floating_unmark (struct osm_migration *m, struct osm_error *err);
/* [{"source","destination"}]: addresses. New reference. */
json_t *osm_floating_result (struct osm_migration *m);
#define OSM_FACT_FLOATING "floating-ip:"

/* ---- limits.c ---- */
/* Group and present limit for copy.start. */
int osm_limit_for_start (struct osm_migration *m, json_t *params, struct osm_error *err);
/* While it copies: follows the journal and the time windows. Failures are no reason to stop. */
void osm_limit_apply (struct osm_migration *m);

/* ---- path.c ---- */
/* Finds the path that works, once; the hosts are open. */
int osm_data_open_path (struct osm_migration *m, struct osm_error *err);
/* Also what another process has left of it, at hosts that can be reached. */
int osm_data_close_path (struct osm_migration *m, struct osm_error *err);
/* A copy failed: was it the path? Then that becomes the hint. */
void osm_data_explain (struct osm_migration *m, struct osm_error *err);

/* ---- data.c ---- */
int osm_data_export (struct osm_migration *m, struct osm_error *err);
int osm_data_unexport (struct osm_migration *m, struct osm_error *err);
int osm_data_copy (struct osm_migration *m, struct osm_error *err);
int osm_data_verify (struct osm_migration *m, struct osm_error *err);
/* Cancel and forget the agents' jobs of this migration, on hosts that can be reached. */
int osm_data_forget (struct osm_migration *m, struct osm_error *err);

#endif
