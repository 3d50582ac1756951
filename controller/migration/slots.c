/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Conversion hosts hold a limited number of volumes, of all migrations together. */

#include <config.h>

#include "controller/migration/internal.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"
#include "controller/cloud/volume.h"

/* Somebody else's copy may take long; whoever does not want to wait presses Ctrl-C. */
#define WAIT_MAX_MS (6 * 60 * 60 * 1000)
#define LOOK_MS 5000
/* Nova's TooManyDiskDevices. */
#define TOO_MANY 403

/* Volumes of this migration that have to come there, and those of others that are. */
static int
count (struct osm_migration *m, enum osm_side side, size_t *ret_need, size_t *ret_used,
       struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *held = NULL;
  size_t i, k;
  json_t *volume, *id;

  if (osm_host_volumes (m->context.cloud[side], m->host[side]->server_id, &held, err) == -1)
    return -1;
  *ret_need = json_array_size (osm_migration_volumes (m));
  *ret_used = json_array_size (held);
  json_array_foreach (osm_migration_volumes (m), i, volume)
  {
    OSM_CLEANUP_FREE char *role = osm_role_of (OSM_ROLE_VOLUME, osm_json_str (volume, "id")),
                          *ours = NULL;

    if ((side == OSM_SOURCE ? osm_source_exported_id (m, volume, &ours, err)
                            : osm_made_id (m, side, OSM_MADE_VOLUME, role, &ours, err)) == -1)
      return -1;
    json_array_foreach (held, k, id)
    {
      if (osm_str_equal (json_string_value (id), ours))
        --*ret_used;
    }
  }
  return 0;
}

static int
wait_for_side (struct osm_migration *m, enum osm_side side, struct osm_error *err)
{
  size_t max = m->host[side]->max_attachments, told = SIZE_MAX;
  uint64_t since = osm_now_ms ();

  for (;;) {
    size_t need, used;

    if (count (m, side, &need, &used, err) == -1)
      return -1;
    if (need > max) {
      osm_error_set (err, OSM_ERROR_USER, 0,
                     "%zu volumes are more than the %zu that the %s conversion host can hold", need,
                     max, osm_side_name (side));
      return osm_error_hint (err, "raise max_attachments in the configuration, if its image has "
                                  "hw_disk_bus=scsi");
    }
    if (used + need <= max)
      return 0;
    if (osm_now_ms () - since > WAIT_MAX_MS)
      return osm_error_set (err, OSM_ERROR_RETRY, 0,
                            "the %s conversion host still has no room for %zu volumes: others use "
                            "%zu of %zu slots",
                            osm_side_name (side), need, used, max);
    if (used != told)
      osm_ui_step (m->context.ui,
                   "wait in line: %zu volume%s need a slot of the %s conversion host, others use "
                   "%zu of %zu",
                   need, need == 1 ? "" : "s", osm_side_name (side), used, max);
    told = used;
    if (osm_wait_ms (LOOK_MS, err) == -1)
      return -1;
  }
}

int
osm_wait_for_slots (struct osm_migration *m, struct osm_error *err)
{
  return osm_migration_open_hosts (m, err) == -1 || wait_for_side (m, OSM_SOURCE, err) == -1 ||
                 wait_for_side (m, OSM_DESTINATION, err) == -1
             ? -1
             : 0;
}

int
osm_attach_to_host (struct osm_migration *m, enum osm_side side, const char *volume_id,
                    struct osm_error *err)
{
  uint64_t since = osm_now_ms ();
  bool told = false;

  /* Others may have been faster since there was room. */
  while (osm_server_attach (m->context.cloud[side], m->host[side]->server_id, volume_id, NULL, NULL,
                            -1, OSM_STEP_TIMEOUT_MS, err) == -1) {
    if (err->code != TOO_MANY || osm_now_ms () - since > WAIT_MAX_MS)
      return -1;
    if (!told)
      osm_ui_step (m->context.ui, "wait in line: the %s conversion host can hold no more volumes",
                   osm_side_name (side));
    told = true;
    osm_error_clear (err);
    if (osm_wait_ms (LOOK_MS, err) == -1)
      return -1;
  }
  return 0;
}

/* ---- a host that does not let go ---- */

static int
check_alone (struct osm_migration *m, enum osm_side side, const char *server_id,
             struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *held = NULL;
  size_t i;
  json_t *id;

  if (osm_host_volumes (m->context.cloud[side], server_id, &held, err) == -1)
    return -1;
  json_array_foreach (held, i, id)
  {
    OSM_CLEANUP_JSON json_t *volume = NULL;
    const char *owner;

    if (osm_volume_get (m->context.cloud[side], json_string_value (id), &volume, err) == -1)
      return -1;
    owner = osm_json_str (json_object_get (volume, "metadata"), OSM_MARK_MIGRATION);
    if (osm_str_equal (owner, m->row->id))
      continue;
    osm_error_set (err, OSM_ERROR_RETRY, 0,
                   "the %s conversion host %s does not let go of its volumes and does not answer; "
                   "volume %s of migration %s is there, too",
                   osm_side_name (side), server_id, json_string_value (id),
                   owner ? owner : "(none)");
    return osm_error_hint (err,
                           "when the other migration is over: roll back again; or switch the host "
                           "off: openstack --os-cloud %s server stop %s",
                           osm_cloud_name (m->context.cloud[side]), server_id);
  }
  return 0;
}

int
osm_detach_from_host (struct osm_migration *m, enum osm_side side, const char *server_id,
                      const char *volume_id, struct osm_error *err)
{
  struct osm_cloud *cloud = m->context.cloud[side];
  OSM_ERROR (why);

  if (osm_server_detach (cloud, server_id, volume_id, OSM_STEP_TIMEOUT_MS, &why) == 0)
    return 0;
  if (why.class == OSM_ERROR_RETRY) {
    osm_migration_try_open_hosts (m);
    /* Without its agent (the key is lost with the state folder, it hangs) nobody can tell it to close the device. */
    if (!m->host[side]) {
      if (check_alone (m, side, server_id, err) == -1)
        return -1;
      osm_warning ("the %s conversion host %s does not answer and does not let go of volume %s: it "
                   "is switched off",
                   osm_side_name (side), server_id, volume_id);
      if (osm_server_stop (cloud, server_id, err) == -1 ||
          osm_server_wait (cloud, server_id, "SHUTOFF", OSM_STEP_TIMEOUT_MS, NULL, err) == -1)
        return -1;
      return osm_server_detach (cloud, server_id, volume_id, OSM_STEP_TIMEOUT_MS, err);
    }
  }
  osm_error_move (err, &why);
  return -1;
}
