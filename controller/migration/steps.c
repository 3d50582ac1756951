/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/internal.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/parallel.h"
#include "common/strbuf.h"

/* ---- both clouds at the same time ---- */

struct volume_task {
  struct osm_migration *m;
  const json_t *volume;
  size_t index;
  int (*run) (struct osm_migration *m, const json_t *volume, size_t index, struct osm_error *err);
  int (*run_side) (struct osm_migration *m, const json_t *volume, struct osm_error *err);
};

static int
run_volume_task (void *data, struct osm_error *err)
{
  struct volume_task *t = data;

  if ((t->run ? t->run (t->m, t->volume, t->index, err) : t->run_side (t->m, t->volume, err)) == -1)
    return osm_error_wrap (err, "volume '%s'", osm_volume_label (t->volume));
  return 0;
}

int
osm_each_volume (struct osm_migration *m,
                 int (*run) (struct osm_migration *m, const json_t *volume, size_t index,
                             struct osm_error *err),
                 struct osm_error *err)
{
  size_t n = json_array_size (osm_migration_volumes (m));
  OSM_CLEANUP_FREE struct volume_task *data = osm_calloc (n ? n : 1, sizeof *data);
  OSM_CLEANUP_FREE struct osm_task *tasks = osm_calloc (n ? n : 1, sizeof *tasks);

  for (size_t i = 0; i < n; i++) {
    data[i] = (struct volume_task){
      .m = m, .volume = json_array_get (osm_migration_volumes (m), i), .index = i, .run = run
    };
    tasks[i] = (struct osm_task){ run_volume_task, &data[i] };
  }
  return osm_parallel (tasks, n, err);
}

/* Every volume on both sides, all side by side. */
static int
each_volume_both (struct osm_migration *m,
                  int (*source) (struct osm_migration *, const json_t *, struct osm_error *),
                  int (*destination) (struct osm_migration *, const json_t *, struct osm_error *),
                  struct osm_error *err)
{
  size_t n = json_array_size (osm_migration_volumes (m));
  OSM_CLEANUP_FREE struct volume_task *data = osm_calloc (n ? 2 * n : 1, sizeof *data);
  OSM_CLEANUP_FREE struct osm_task *tasks = osm_calloc (n ? 2 * n : 1, sizeof *tasks);

  for (size_t i = 0; i < 2 * n; i++) {
    data[i] = (struct volume_task){ .m = m,
                                    .volume = json_array_get (osm_migration_volumes (m), i / 2),
                                    .index = i / 2,
                                    .run_side = i % 2 ? destination : source };
    tasks[i] = (struct osm_task){ run_volume_task, &data[i] };
  }
  return osm_parallel (tasks, 2 * n, err);
}

static int
prepare (struct osm_migration *m, struct osm_error *err)
{
  if (osm_wait_for_slots (m, err) == -1 || osm_source_image_root (m, err) == -1)
    return -1;
  return each_volume_both (m, osm_source_prepare_volume, osm_destination_prepare_volume, err);
}

/* The source gets its volumes back whatever happens at the destination. */
static int
source_back (void *data, struct osm_error *err)
{
  struct osm_migration *m = data;
  size_t i;
  json_t *volume;

  json_array_foreach (osm_migration_volumes (m), i,
                      volume) if (osm_source_release_volume (m, volume, err) ==
                                  -1) return osm_error_wrap (err, "volume '%s'",
                                                             osm_volume_label (volume));
  return osm_source_return_volumes (m, err);
}

static int
discard_copies (void *data, struct osm_error *err)
{
  struct osm_migration *m = data;
  size_t i;
  json_t *volume;

  json_array_foreach (osm_migration_volumes (m), i,
                      volume) if (osm_destination_discard_volume (m, volume, err) ==
                                  -1) return osm_error_wrap (err, "copy of volume '%s'",
                                                             osm_volume_label (volume));
  return 0;
}

static int
unprepare (struct osm_migration *m, struct osm_error *err)
{
  const struct osm_task tasks[] = { { source_back, m }, { discard_copies, m } };

  return osm_parallel (tasks, 2, err);
}

static int
release (struct osm_migration *m, struct osm_error *err)
{
  if (osm_data_unexport (m, err) == -1 || osm_data_forget (m, err) == -1 ||
      each_volume_both (m, osm_source_release_volume, osm_destination_release_volume, err) == -1)
    return -1;
  return osm_source_return_volumes (m, err);
}

static int
stop_copying (struct osm_migration *m, struct osm_error *err)
{
  return osm_data_forget (m, err);
}

/* In line as long as the source server still runs. */
static int
claim (struct osm_migration *m, struct osm_error *err)
{
  return osm_wait_for_slots (m, err) == -1 ? -1 : osm_source_claim (m, err);
}

const struct osm_step osm_server_steps[] = {
  { "claim-source", "claim the source server", claim, osm_source_unclaim, 0 },
  { "reserve-floating-ips", "reserve floating IPs", osm_floating_reserve, osm_floating_discard, 0 },
  { "stop-source", "stop the source server", osm_source_stop, osm_source_start, 0 },
  { "prepare-volumes", "clone or detach source volumes, create destination volumes, attach both",
    prepare, unprepare, OSM_STEP_AT_HOSTS },
  { "lock-source", "lock the source server", osm_source_lock, osm_source_unlock,
    OSM_STEP_AT_HOSTS },
  { "export", "export the source volumes", osm_data_export, osm_data_unexport, OSM_STEP_AT_HOSTS },
  { "copy", "copy", osm_data_copy, stop_copying, OSM_STEP_AT_HOSTS },
  { "verify", "verify every byte", osm_data_verify, NULL,
    OSM_STEP_AT_HOSTS | OSM_STEP_LAST_AT_HOSTS },
  { "unlock-source", "unlock the source server", osm_source_unlock, NULL, 0 },
  { "release-volumes", "detach, give the source its volumes back, delete temporaries", release,
    NULL, 0 },
  { "check-source", "see that the source was left alone", osm_source_check_quiet, NULL,
    OSM_STEP_CUTOVER },
  { "create-ports", "create ports", osm_destination_make_ports, osm_destination_discard_ports, 0 },
  { "create-server", "create the server", osm_destination_make_server,
    osm_destination_discard_server, 0 },
  { "floating-ips", "give it its floating IPs", osm_floating_attach, osm_floating_detach, 0 },
  { "power-state", "bring it to its power state", osm_destination_power, NULL, 0 },
  { "unclaim-source", "take the mark off the source server", osm_source_unclaim, NULL, 0 },
  { NULL, NULL, NULL, NULL, 0 },
};

/* The copy of a detached volume is the result itself. */
static int
record_volume (struct osm_migration *m, struct osm_error *err)
{
  const json_t *volume = json_array_get (osm_migration_volumes (m), 0);
  OSM_CLEANUP_FREE char *role = osm_role_of (OSM_ROLE_VOLUME, osm_json_str (volume, "id")),
                        *id = NULL;

  if (osm_made_id (m, OSM_DESTINATION, OSM_MADE_VOLUME, role, &id, err) == -1)
    return -1;
  if (!id)
    return osm_error_set (err, OSM_ERROR_BUG, 0, "volume '%s' has no copy at the destination",
                          osm_volume_label (volume));
  osm_str_set (&m->row->result_id, id);
  return osm_store_migration_set_result (m->context.store, m->row->id, id, err);
}

static int
release_volume_only (struct osm_migration *m, struct osm_error *err)
{
  if (release (m, err) == -1)
    return -1;
  return record_volume (m, err);
}

const struct osm_step osm_volume_steps[] = {
  { "prepare-volumes", "attach the volume, create its copy", prepare, unprepare,
    OSM_STEP_AT_HOSTS },
  { "export", "export the source volume", osm_data_export, osm_data_unexport, OSM_STEP_AT_HOSTS },
  { "copy", "copy", osm_data_copy, stop_copying, OSM_STEP_AT_HOSTS },
  { "verify", "verify every byte", osm_data_verify, NULL,
    OSM_STEP_AT_HOSTS | OSM_STEP_LAST_AT_HOSTS },
  { "release-volumes", "detach", release_volume_only, NULL, 0 },
  { NULL, NULL, NULL, NULL, 0 },
};
