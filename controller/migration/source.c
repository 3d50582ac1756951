/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/internal.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"
#include "controller/cloud/volume.h"
#include "controller/hosts/home.h"

static const char *
server_id (const struct osm_migration *m)
{
  return osm_json_str (osm_migration_source (m), "id");
}

static struct osm_cloud *
cloud_of (const struct osm_migration *m)
{
  return m->context.cloud[OSM_SOURCE];
}

int
osm_source_stop (struct osm_migration *m, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *server = NULL;

  if (osm_source_remember_starts (m, err) == -1 ||
      osm_server_settle (cloud_of (m), server_id (m), OSM_STEP_TIMEOUT_MS, &server, err) == -1)
    return -1;
  if (!osm_str_equal (osm_json_str (server, "status"), "SHUTOFF") &&
      (osm_server_stop (cloud_of (m), server_id (m), err) == -1 ||
       osm_server_wait (cloud_of (m), server_id (m), "SHUTOFF", OSM_STEP_TIMEOUT_MS, NULL, err) ==
           -1))
    return -1;
  /* It takes its time to stop. Whoever lost the claim has only done what the winner does, too. */
  return osm_source_confirm_claim (m, err);
}

/* Undo of the stop: running again if it was running when the plan was made. */
int
osm_source_start (struct osm_migration *m, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *server = NULL;

  if (!osm_str_equal (osm_json_str (osm_migration_source (m), "status"), "ACTIVE"))
    return 0;
  /* A stop that was asked for a moment ago shows as ACTIVE until it has its effect; an image of it may still be in the making. */
  if (osm_source_settle (m, &server, err) == -1)
    return -1;
  if (!server || osm_source_is_others (m, server) ||
      osm_str_equal (osm_json_str (server, "status"), "ACTIVE"))
    return 0;
  if (osm_server_start (cloud_of (m), server_id (m), err) == -1)
    return -1;
  return osm_server_wait (cloud_of (m), server_id (m), "ACTIVE", OSM_STEP_TIMEOUT_MS, NULL, err);
}

/* Nova lets a non-admin neither stop a locked server nor detach its volumes, not even the one who locked it. So the lock comes
 * after both, and keeps the tenant from starting the server while its volumes are away. */
int
osm_source_lock (struct osm_migration *m, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *reason = osm_asprintf ("osm migration %s", m->row->id);

  return osm_server_lock (cloud_of (m), server_id (m), reason, err);
}

/* Somebody else's lock stays; where Nova tells no reason (before 2.73), it is ours. */
int
osm_source_unlock (struct osm_migration *m, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *reason = osm_asprintf ("osm migration %s", m->row->id);
  OSM_CLEANUP_JSON json_t *server = NULL;
  const json_t *its;

  if (osm_source_get (m, &server, err) == -1)
    return -1;
  its = json_object_get (server, "locked_reason");
  if (!server)
    return 0;
  if (json_object_get (server, "locked") &&
      (!json_is_true (json_object_get (server, "locked")) ||
       (its && !osm_str_equal (json_string_value (its), reason))))
    return 0;
  return osm_server_unlock (cloud_of (m), server_id (m), err);
}

int
osm_source_exported_id (struct osm_migration *m, const json_t *volume, char **ret_id,
                        struct osm_error *err)
{
  const char *id = osm_json_str (volume, "id");
  OSM_CLEANUP_FREE char *role = osm_role_of (OSM_ROLE_CLONE, id);

  if (osm_volume_is (volume, "snapshot") || osm_volume_is (volume, "image"))
    return osm_made_id (m, OSM_SOURCE, OSM_MADE_VOLUME, role, ret_id, err);
  *ret_id = osm_strdup (id);
  return 0;
}

static int
create_snapshot (struct osm_migration *m, const struct osm_making *making, const json_t *marks,
                 char **ret_id, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *name = osm_asprintf ("osm-%s", m->row->id);
  /* force: the volume is in use by the server, which is stopped. */
  OSM_CLEANUP_JSON json_t *spec = osm_json_pack ("{s:s, s:s, s:b, s:O}", "volume_id", making->from,
                                                 "name", name, "force", 1, "metadata", marks);

  return osm_snapshot_create (cloud_of (m), spec, ret_id, err);
}

static int
create_clone (struct osm_migration *m, const struct osm_making *making, const json_t *marks,
              char **ret_id, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *name = osm_asprintf ("osm-%s", m->row->id);
  OSM_CLEANUP_JSON json_t *spec =
      osm_json_pack ("{s:s, s:s, s:O, s:O}", "snapshot_id", making->from, "name", name, "size",
                     json_object_get (making->plan, "size_gb"), "metadata", marks);

  return osm_volume_create (cloud_of (m), spec, ret_id, err);
}

/* The boot volume cannot be detached: snapshot and clone. */
static int
clone_volume (struct osm_migration *m, const json_t *volume, char **ret_id, struct osm_error *err)
{
  const char *id = osm_json_str (volume, "id");
  OSM_CLEANUP_FREE char *snapshot_role = osm_role_of (OSM_ROLE_SNAPSHOT, id),
                        *clone_role = osm_role_of (OSM_ROLE_CLONE, id), *snapshot = NULL;
  const struct osm_making snapshot_making = { .side = OSM_SOURCE,
                                              .kind = OSM_MADE_SNAPSHOT,
                                              .role = snapshot_role,
                                              .create = create_snapshot,
                                              .plan = volume,
                                              .from = id };
  struct osm_making clone_making = { .side = OSM_SOURCE,
                                     .kind = OSM_MADE_VOLUME,
                                     .role = clone_role,
                                     .create = create_clone,
                                     .plan = volume };

  if (osm_make_ready (m, &snapshot_making, OSM_CLONE_TIMEOUT_MS, &snapshot, err) == -1)
    return -1;
  clone_making.from = snapshot;
  return osm_make_ready (m, &clone_making, OSM_CLONE_TIMEOUT_MS, ret_id, err);
}

/* Is it attached to that server, going by Cinder, when nothing is going on with it any more? */
static int
attached_to (struct osm_migration *m, const char *volume_id, const char *server, bool *ret,
             struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *volume = NULL;
  size_t i;
  json_t *attachment;

  if (osm_volume_settle (cloud_of (m), volume_id, OSM_CLONE_TIMEOUT_MS, &volume, err) == -1)
    return -1;
  if (!volume)
    return osm_error_set (err, OSM_ERROR_REMOTE, 404, "cloud '%s': volume %s is gone",
                          osm_cloud_name (cloud_of (m)), volume_id);
  *ret = false;
  json_array_foreach (
      json_object_get (volume, "attachments"), i,
      attachment) if (osm_str_equal (osm_json_str (attachment, "server_id"), server)) *ret = true;
  return 0;
}

/* The new server's flag may be planned to be another one. */
static bool
goes_with_server (const json_t *volume)
{
  const json_t *was = json_object_get (volume, "source_delete_on_termination");

  return json_is_true (was ? was : json_object_get (volume, "delete_on_termination"));
}

static int
take_from_server (struct osm_migration *m, const json_t *volume, struct osm_error *err)
{
  const char *id = osm_json_str (volume, "id");
  OSM_CLEANUP_FREE char *home =
      osm_home_text (server_id (m), osm_json_str (volume, "device"), goes_with_server (volume));

  /* The volume remembers where it belongs, whatever happens to the journal. */
  if (osm_volume_set_metadata (cloud_of (m), id, OSM_MARK_HOME, home, err) == -1 ||
      osm_volume_set_metadata (cloud_of (m), id, OSM_MARK_MIGRATION, m->row->id, err) == -1)
    return -1;
  return osm_server_detach (cloud_of (m), server_id (m), id, OSM_STEP_TIMEOUT_MS, err);
}

int
osm_source_prepare_volume (struct osm_migration *m, const json_t *volume, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *id = NULL;
  bool attached;
  const char *host = m->host[OSM_SOURCE]->server_id;

  if (osm_volume_is (volume, "snapshot")) {
    if (clone_volume (m, volume, &id, err) == -1)
      return -1;
  }
  else if (osm_volume_is (volume, "image")) {
    if (osm_source_clone_root (m, volume, &id, err) == -1)
      return -1;
  }
  else
    id = osm_strdup (osm_json_str (volume, "id"));
  if (attached_to (m, id, host, &attached, err) == -1)
    return -1;
  if (attached)
    return 0;
  if (osm_volume_is (volume, "direct") && osm_source_claim_volume (m, id, err) == -1)
    return -1;
  if (osm_volume_is (volume, "detach") && take_from_server (m, volume, err) == -1)
    return -1;
  if (osm_volume_wait (cloud_of (m), id, "available", OSM_CLONE_TIMEOUT_MS, NULL, err) == -1)
    return -1;
  return osm_attach_to_host (m, OSM_SOURCE, id, err);
}

/* Any conversion host that holds it, also one that was replaced since; never a server of the tenant. */
static int
detach_from_hosts (struct osm_migration *m, const char *volume_id, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *volume = NULL;
  size_t i;
  json_t *attachment;

  /* One that is on its way to a host is not attached to it yet. */
  if (osm_volume_settle (cloud_of (m), volume_id, OSM_STEP_TIMEOUT_MS, &volume, err) == -1)
    return -1;
  json_array_foreach (json_object_get (volume, "attachments"), i, attachment)
  {
    const char *server = osm_json_str (attachment, "server_id");
    bool ours;

    if (!server || osm_str_equal (server, server_id (m)))
      continue;
    if (osm_is_conversion_host (cloud_of (m), server, &ours, err) == -1 ||
        (ours && osm_detach_from_host (m, OSM_SOURCE, server, volume_id, err) == -1))
      return -1;
  }
  return 0;
}

int
osm_source_release_volume (struct osm_migration *m, const json_t *volume, struct osm_error *err)
{
  const char *id = osm_json_str (volume, "id");
  OSM_CLEANUP_FREE char *snapshot_role = osm_role_of (OSM_ROLE_SNAPSHOT, id),
                        *clone_role = osm_role_of (OSM_ROLE_CLONE, id), *exported = NULL;

  if (osm_source_exported_id (m, volume, &exported, err) == -1)
    return -1;
  if (exported && detach_from_hosts (m, exported, err) == -1)
    return -1;
  if (osm_volume_is (volume, "image"))
    return osm_source_discard_root (m, volume, err);
  if (osm_volume_is (volume, "direct"))
    return osm_source_unclaim_volume (m, id, err);
  if (!osm_volume_is (volume, "snapshot"))
    return 0;
  /* The clone first: some backends refuse to delete a snapshot that a volume still depends on. */
  if (osm_unmake (m, OSM_SOURCE, OSM_MADE_VOLUME, clone_role, err) == -1)
    return -1;
  return osm_unmake (m, OSM_SOURCE, OSM_MADE_SNAPSHOT, snapshot_role, err);
}

/* Neither on its server nor free: whose is it now? */
static int
refuse_foreign (struct osm_migration *m, const char *id, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *volume = NULL;
  size_t i;
  json_t *attachment;

  if (osm_volume_get (cloud_of (m), id, &volume, err) == -1)
    return -1;
  json_array_foreach (json_object_get (volume, "attachments"), i, attachment)
  {
    const char *server = osm_json_str (attachment, "server_id");
    bool ours;

    if (!server || osm_is_conversion_host (cloud_of (m), server, &ours, err) == -1)
      return -1;
    if (ours)
      continue;
    osm_error_set (err, OSM_ERROR_USER, 0,
                   "volume %s was attached to server %s, which is not the one it was taken from",
                   id, server);
    return osm_error_hint (err, "detach it from there: openstack server remove volume %s %s",
                           server, id);
  }
  return 0;
}

static int
take_marks_off (struct osm_migration *m, const char *id, struct osm_error *err)
{
  if (osm_volume_delete_metadata (cloud_of (m), id, OSM_MARK_HOME, err) == -1)
    return -1;
  return osm_volume_delete_metadata (cloud_of (m), id, OSM_MARK_MIGRATION, err);
}

static int
return_volume (struct osm_migration *m, const json_t *volume, struct osm_error *err)
{
  const char *id = osm_json_str (volume, "id"), *device = osm_json_str (volume, "device");
  OSM_CLEANUP_JSON json_t *server = NULL;
  bool attached;

  if (attached_to (m, id, server_id (m), &attached, err) == -1) {
    if (!osm_error_not_found (err))
      return -1;
    osm_error_clear (err);
    osm_warning ("volume '%s' (%s) was deleted by somebody else", osm_volume_label (volume), id);
    return 0;
  }
  if (attached)
    return take_marks_off (m, id, err);
  if (osm_source_get (m, &server, err) == -1)
    return -1;
  if (!server) {
    osm_warning ("server '%s' was deleted by somebody else: its volume '%s' (%s) stays by itself",
                 m->row->object_name, osm_volume_label (volume), id);
    return take_marks_off (m, id, err);
  }
  if (refuse_foreign (m, id, err) == -1 ||
      osm_volume_wait (cloud_of (m), id, "available", OSM_STEP_TIMEOUT_MS, NULL, err) == -1 ||
      osm_server_attach (cloud_of (m), server_id (m), id, device, osm_json_str (volume, "tag"),
                         goes_with_server (volume), OSM_STEP_TIMEOUT_MS, err) == -1)
    return -1;
  return take_marks_off (m, id, err);
}

int
osm_source_return_volumes (struct osm_migration *m, struct osm_error *err)
{
  size_t i;
  json_t *volume;

  /* One after the other, in the order of the plan, which is that of the devices: Nova hands out letters in that order. */
  json_array_foreach (
      osm_migration_volumes (m), i,
      volume) if (osm_volume_is (volume, "detach") &&
                  return_volume (m, volume, err) ==
                      -1) return osm_error_wrap (err, "give volume '%s' back to its server",
                                                 osm_volume_label (volume));
  return 0;
}
