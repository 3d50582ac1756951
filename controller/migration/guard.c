/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The source server belongs to one migration at a time, and stays as it was planned. */

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
#include "controller/migration/changes.h"

/* Two operators who claim the same server at once both saw it free. The last mark stays, and whoever sees another's after this time has
 * lost. */
#define CLAIM_SETTLE_MS 1500

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

static const char *
owner_of (const json_t *object)
{
  return osm_json_str (json_object_get (object, "metadata"), OSM_MARK_MIGRATION);
}

static int
refuse (struct osm_migration *m, const json_t *object, struct osm_error *err)
{
  const char *kind = m->row->kind, *owner = owner_of (object),
             *was = osm_json_str (json_object_get (object, "metadata"), OSM_MARK_WAS),
             *host = was ? strchr (was, ':') : NULL;
  OSM_CLEANUP_FREE char *where = host && host[1] ? osm_asprintf (" on '%s'", host + 1) : NULL;

  osm_error_set (err, OSM_ERROR_USER, 0, "%s '%s' is claimed by migration %s%s (its metadata %s)",
                 kind, m->row->object_name, owner, where ? where : "", OSM_MARK_MIGRATION);
  return osm_error_hint (err,
                         "finish or roll back that migration; if its journal is lost: "
                         "osm-controller recover; then 'osm-controller rollback %s' forgets this "
                         "one",
                         m->row->id);
}

/* ---- claim ---- */

/* The server says whose it is, so that a second operator sees it. Must come before the lock: a locked server refuses metadata. */
int
osm_source_claim (struct osm_migration *m, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *server = NULL, *marks = NULL;
  OSM_CLEANUP_FREE char *was = osm_was_text (osm_json_str (osm_migration_source (m), "status"));

  if (osm_server_get (cloud_of (m), server_id (m), &server, err) == -1)
    return -1;
  if (osm_str_equal (owner_of (server), m->row->id))
    return 0;
  if (owner_of (server))
    return refuse (m, server, err);
  marks = osm_json_pack ("{s:s, s:s}", OSM_MARK_MIGRATION, m->row->id, OSM_MARK_WAS, was);
  if (osm_server_add_metadata (cloud_of (m), server_id (m), marks, err) == -1)
    return -1;
  m->claimed_ms = osm_now_ms ();
  return 0;
}

int
osm_source_confirm_claim (struct osm_migration *m, struct osm_error *err)
{
  uint64_t since = osm_now_ms () - m->claimed_ms;
  OSM_CLEANUP_JSON json_t *server = NULL;

  if (m->claimed_ms && since < CLAIM_SETTLE_MS && osm_wait_ms (CLAIM_SETTLE_MS - since, err) == -1)
    return -1;
  if (osm_server_get (cloud_of (m), server_id (m), &server, err) == -1)
    return -1;
  if (osm_str_equal (owner_of (server), m->row->id))
    return 0;
  if (owner_of (server))
    return refuse (m, server, err);
  osm_error_set (err, OSM_ERROR_USER, 0, "somebody took osm's mark %s off server '%s'",
                 OSM_MARK_MIGRATION, m->row->object_name);
  return osm_error_hint (err,
                         "have everything back with 'osm-controller rollback %s', and migrate "
                         "it again",
                         m->row->id);
}

static int
unless_gone (int status, struct osm_error *err)
{
  if (status == 0)
    return 0;
  if (!osm_error_not_found (err))
    return -1;
  osm_error_clear (err);
  return 0;
}

int
osm_source_get (struct osm_migration *m, json_t **ret, struct osm_error *err)
{
  *ret = NULL;
  return unless_gone (osm_server_get (cloud_of (m), server_id (m), ret, err), err);
}

int
osm_source_settle (struct osm_migration *m, json_t **ret, struct osm_error *err)
{
  if (ret)
    *ret = NULL;
  return unless_gone (
      osm_server_settle (cloud_of (m), server_id (m), OSM_CLONE_TIMEOUT_MS, ret, err), err);
}

bool
osm_source_is_others (struct osm_migration *m, const json_t *server)
{
  if (!owner_of (server) || osm_str_equal (owner_of (server), m->row->id))
    return false;
  osm_warning ("server '%s' belongs to migration %s now: it is left as it is", m->row->object_name,
               owner_of (server));
  return true;
}

int
osm_source_unclaim (struct osm_migration *m, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *server = NULL;

  if (osm_source_get (m, &server, err) == -1)
    return -1;
  if (!osm_str_equal (owner_of (server), m->row->id))
    return 0; /* somebody else's, or none */
  if (osm_server_delete_metadata (cloud_of (m), server_id (m), OSM_MARK_WAS, err) == -1)
    return -1;
  return osm_server_delete_metadata (cloud_of (m), server_id (m), OSM_MARK_MIGRATION, err);
}

int
osm_source_claim_volume (struct osm_migration *m, const char *id, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *volume = NULL;

  if (osm_volume_get (cloud_of (m), id, &volume, err) == -1)
    return -1;
  if (osm_str_equal (owner_of (volume), m->row->id))
    return 0;
  if (owner_of (volume))
    return refuse (m, volume, err);
  return osm_volume_set_metadata (cloud_of (m), id, OSM_MARK_MIGRATION, m->row->id, err);
}

int
osm_source_unclaim_volume (struct osm_migration *m, const char *id, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *volume = NULL;

  if (unless_gone (osm_volume_get (cloud_of (m), id, &volume, err), err) == -1)
    return -1;
  if (!volume || !osm_str_equal (owner_of (volume), m->row->id))
    return 0;
  return osm_volume_delete_metadata (cloud_of (m), id, OSM_MARK_MIGRATION, err);
}

/* ---- was it left alone? ---- */

/* How often the server was started or changed so that its disks may have been written to, by Nova's record of actions. */
static int
count_starts (struct osm_migration *m, json_int_t *ret, struct osm_error *err)
{
  static const char *const writing[] = { "start",    "reboot",  "rebuild", "resize",  "rescue",
                                         "unshelve", "unpause", "resume",  "evacuate" };
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/servers/%s/os-instance-actions", server_id (m));
  OSM_CLEANUP_JSON json_t *actions = NULL;
  size_t i;
  json_t *action;

  if (osm_cloud_list (cloud_of (m), OSM_COMPUTE, path, "instanceActions", &actions, err) == -1)
    return -1;
  *ret = 0;
  json_array_foreach (actions, i, action) for (size_t k = 0; k < sizeof writing / sizeof writing[0];
                                               k++) *ret +=
      osm_str_equal (osm_json_str (action, "action"), writing[k]);
  return 0;
}

int
osm_source_remember_starts (struct osm_migration *m, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *fact = NULL;
  json_int_t starts;

  if (count_starts (m, &starts, err) == -1)
    return -1;
  fact = osm_json_pack ("{s:I}", "count", starts);
  return osm_store_fact_set (m->context.store, m->row->id, "source-starts", fact, err);
}

/* What is gone is not an error here. */
static int
get_volumes (struct osm_migration *m, json_t *ret, struct osm_error *err)
{
  size_t i;
  json_t *planned, *volume;

  json_array_foreach (osm_migration_volumes (m), i, planned)
  {
    OSM_ERROR (why);

    volume = NULL;
    if (osm_volume_get (cloud_of (m), osm_json_str (planned, "id"), &volume, &why) == 0)
      json_array_append_new (ret, volume);
    else if (!osm_error_not_found (&why)) {
      osm_error_move (err, &why);
      return -1;
    }
  }
  return 0;
}

static int
look (struct osm_migration *m, char **ret_changes, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *server = NULL, *then = NULL, *attachments = NULL, *interfaces = NULL,
                          *volumes = json_array ();
  struct osm_source_now now = { .volumes = volumes };
  json_int_t starts = 0;

  if (osm_source_get (m, &server, err) == -1 ||
      (server &&
       (count_starts (m, &starts, err) == -1 ||
        osm_store_fact_get (m->context.store, m->row->id, "source-starts", &then, err) == -1 ||
        osm_server_attachments (cloud_of (m), server_id (m), &attachments, err) == -1 ||
        osm_server_interfaces (cloud_of (m), server_id (m), &interfaces, err) == -1 ||
        get_volumes (m, volumes, err) == -1)))
    return -1;
  now.server = server;
  now.starts = starts - json_integer_value (json_object_get (then, "count"));
  now.attachments = attachments;
  now.interfaces = interfaces;
  *ret_changes = osm_source_changes (m->row->plan, m->row->id, &now);
  return 0;
}

int
osm_source_check_quiet (struct osm_migration *m, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *changes = NULL;

  if (look (m, &changes, err) == -1)
    return -1;
  if (!changes)
    return 0;
  osm_error_set (err, OSM_ERROR_USER, 0,
                 "server '%s' in cloud '%s' is not as it was planned: %s; no new server is made of "
                 "the copies",
                 m->row->object_name, osm_cloud_name (cloud_of (m)), changes);
  return osm_error_hint (err,
                         "put it back as it was and 'osm-controller resume %s' (not if it ran: the "
                         "copies are out of date), or have everything back with 'osm-controller "
                         "rollback %s', and migrate it again",
                         m->row->id, m->row->id);
}
