/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The volumes of a server: Nova is asked, Cinder's view of the volume tells how it ended.
 * https://docs.openstack.org/api-ref/compute/#servers-with-volume-attachments-servers-os-volume-attachments */

#include <config.h>

#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"
#include "controller/cloud/volume.h"
#include "controller/cloud/wait.h"

/* Nova has told Cinder before it answers, so that a volume which is as before after that time has come back. Until then
 * a replica of Cinder's database may be behind. */
#define SETTLED_MS 5000
#define MAX_ATTACH_TRIES 3
#define MAX_DETACH_TRIES 2
#define LOOK_AGAIN_MS 2000

int
osm_device_name_compare (const char *a, const char *b)
{
  size_t m = strlen (a), n = strlen (b);

  if (m != n)
    return m < n ? -1 : 1;
  return strcmp (a, b);
}

static int
compare_devices (const void *a, const void *b)
{
  const char *x = osm_json_str (*(json_t *const *)a, "device");
  const char *y = osm_json_str (*(json_t *const *)b, "device");

  /* Without a name: last. */
  if (!x || !y)
    return !x - !y;
  return osm_device_name_compare (x, y);
}

json_t *
osm_sorted_by_device (const json_t *attachments)
{
  size_t n = json_array_size (attachments);
  OSM_CLEANUP_FREE json_t **v = osm_calloc (n ? n : 1, sizeof *v);
  json_t *sorted = json_array ();

  for (size_t i = 0; i < n; i++)
    v[i] = json_array_get (attachments, i);
  qsort (v, n, sizeof *v, compare_devices);
  for (size_t i = 0; i < n; i++)
    json_array_append (sorted, v[i]);
  return sorted;
}

/* Before 2.79 the list does not tell delete_on_termination; the server does (2.3). New object: {VOLUME: bool}. */
static int
delete_on_termination (struct osm_cloud *cloud, const char *id, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *server = NULL;
  const json_t *volume;
  size_t i;

  *ret = json_object ();
  if (osm_cloud_has_microversion (cloud, OSM_COMPUTE, "2.79"))
    return 0;
  if (osm_server_get (cloud, id, &server, err) == -1)
    return -1;
  json_array_foreach (json_object_get (server, "os-extended-volumes:volumes_attached"), i, volume)
  {
    if (osm_json_str (volume, "id"))
      json_object_set (*ret, osm_json_str (volume, "id"),
                       json_object_get (volume, "delete_on_termination"));
  }
  return 0;
}

int
osm_server_attachments (struct osm_cloud *cloud, const char *id, json_t **ret,
                        struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/servers/%s/os-volume_attachments", id);
  OSM_CLEANUP_JSON json_t *all = NULL, *doomed = NULL;
  size_t i;
  const json_t *a;

  if (osm_cloud_list (cloud, OSM_COMPUTE, path, "volumeAttachments", &all, err) == -1 ||
      delete_on_termination (cloud, id, &doomed, err) == -1)
    return -1;
  *ret = json_array ();
  json_array_foreach (all, i, a)
  {
    const char *volume_id = osm_json_str (a, "volumeId");
    const json_t *dies = json_object_get (a, "delete_on_termination");
    json_t *one;

    if (!dies)
      dies = json_object_get (doomed, volume_id);
    one = osm_json_pack ("{s:s?, s:s?, s:b}", "volume_id", volume_id, "device",
                         osm_json_str (a, "device"), "delete_on_termination", json_is_true (dies));
    osm_json_set_str (one, "tag", osm_json_str (a, "tag"));
    osm_json_set_str (one, "attachment_id", osm_json_str (a, "attachment_id"));
    json_array_append_new (*ret, one);
  }
  return 0;
}

/* ---- attach ---- */

struct move {
  const char *server_id, *volume_id;
  uint64_t asked_ms; /* when Nova had taken the request */
  bool seen_change;  /* seen on its way since */
  bool came_back;    /* and then as it was before: it may be asked again */
};

static bool
held_by (const json_t *volume, const char *server_id)
{
  size_t i;
  const json_t *a;

  json_array_foreach (json_object_get (volume, "attachments"), i, a)
  {
    if (osm_str_equal (osm_json_str (a, "server_id"), server_id))
      return true;
  }
  return false;
}

static bool
is_back (const struct move *move)
{
  return move->seen_change || osm_now_ms () - move->asked_ms > SETTLED_MS;
}

static enum osm_wait
judge_attach (struct osm_cloud *cloud, const json_t *volume, void *data, struct osm_error *err)
{
  struct move *move = data;
  const char *status = osm_json_str (volume, "status");

  if (osm_str_equal (status, "in-use") && held_by (volume, move->server_id))
    return OSM_WAIT_DONE;
  if (osm_str_equal (status, "attaching") || osm_str_equal (status, "reserved"))
    move->seen_change = true;
  move->came_back = osm_str_equal (status, "available") && is_back (move);
  /* In use, but by another server. */
  if (volume && !(status && osm_str_starts_with (status, "error")) && !move->came_back &&
      !(osm_str_equal (status, "in-use") && osm_now_ms () - move->asked_ms > SETTLED_MS))
    return OSM_WAIT_MORE;
  osm_error_set (err, OSM_ERROR_RETRY, 0,
                 "cloud '%s': volume %s could not be attached to server %s: it is %s",
                 osm_cloud_name (cloud), move->volume_id, move->server_id,
                 volume ? status ? status : "without status" : "not there any more");
  osm_error_hint (err, "the log of the server's compute host knows why");
  return OSM_WAIT_FAILED;
}

/* When it is not known whether Nova has seen the request, or it was refused (because one before it was taken, perhaps), the
 * volume tells: available, then *ret_again. */
static int
ask_to_attach (struct osm_cloud *cloud, struct move *move, const json_t *body, bool *ret_again,
               struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/servers/%s/os-volume_attachments", move->server_id);
  OSM_CLEANUP_JSON json_t *volume = NULL;
  const char *status;
  bool unknown;
  OSM_ERROR (why);

  *ret_again = false;
  if (osm_cloud_post (cloud, OSM_COMPUTE, path, body, NULL, NULL, &why) == 0)
    return 0;
  unknown = osm_error_outcome_unknown (&why);
  if (unknown || why.code == 400 || why.code == 409) {
    if ((unknown && osm_wait_ms (LOOK_AGAIN_MS, err) == -1) ||
        osm_volume_get (cloud, move->volume_id, &volume, err) == -1)
      return -1;
    status = osm_json_str (volume, "status");
    *ret_again = unknown && osm_str_equal (status, "available");
    if (held_by (volume, move->server_id) || osm_str_equal (status, "attaching") ||
        osm_str_equal (status, "reserved") || (unknown && !*ret_again))
      return 0;
  }
  osm_error_move (err, &why);
  return osm_error_wrap (err, "attach volume %s to server %s", move->volume_id, move->server_id);
}

int
osm_server_attach (struct osm_cloud *cloud, const char *server_id, const char *volume_id,
                   const char *device, const char *tag, int delete_on_termination,
                   uint64_t timeout_ms, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *volume_path = osm_asprintf ("/volumes/%s", volume_id),
                        *what = osm_asprintf ("volume %s", volume_id);
  struct move move = { .server_id = server_id, .volume_id = volume_id, .asked_ms = osm_now_ms () };
  const struct osm_waiting waiting = { .service = OSM_VOLUME,
                                       .path = volume_path,
                                       .key = "volume",
                                       .what = what,
                                       .wanted = "in-use",
                                       .timeout_ms = timeout_ms,
                                       .judge = judge_attach,
                                       .data = &move };
  json_t *attachment = osm_json_pack ("{s:s}", "volumeId", volume_id);
  OSM_CLEANUP_JSON json_t *body = osm_json_pack ("{s:o}", "volumeAttachment", attachment),
                          *volume = NULL;
  bool again;

  if (osm_volume_get (cloud, volume_id, &volume, err) == -1)
    return -1;
  if (held_by (volume, server_id))
    return osm_cloud_wait (cloud, &waiting, NULL, err);
  osm_json_set_str (attachment, "device", device);
  if (osm_cloud_has_microversion (cloud, OSM_COMPUTE, "2.49"))
    osm_json_set_str (attachment, "tag", tag);
  if (delete_on_termination >= 0 && osm_cloud_has_microversion (cloud, OSM_COMPUTE, "2.79"))
    json_object_set_new (attachment, "delete_on_termination", json_boolean (delete_on_termination));
  /* Nova puts the volume back when its compute host fails. Often that goes better the next time. */
  for (unsigned tries = 1;; tries++) {
    OSM_ERROR (why);
    bool taken = ask_to_attach (cloud, &move, body, &again, &why) == 0;

    move.asked_ms = osm_now_ms ();
    move.seen_change = move.came_back = false;
    if (taken) {
      if (osm_cloud_wait (cloud, &waiting, NULL, &why) == 0)
        return 0;
      again = move.came_back && why.class != OSM_ERROR_INTERRUPTED;
    }
    if (!again || tries == MAX_ATTACH_TRIES) {
      osm_error_move (err, &why);
      return -1;
    }
    osm_debug ("%s; once more", why.message);
  }
}

/* ---- detach ---- */

static enum osm_wait
judge_detach (struct osm_cloud *cloud, const json_t *volume, void *data, struct osm_error *err)
{
  struct move *move = data;
  const char *status = osm_json_str (volume, "status");

  if (!volume || (!held_by (volume, move->server_id) && !osm_str_equal (status, "detaching")))
    return OSM_WAIT_DONE;
  if (osm_str_equal (status, "detaching"))
    move->seen_change = true;
  move->came_back = osm_str_equal (status, "in-use") && is_back (move);
  if (!(status && osm_str_starts_with (status, "error")) && !move->came_back)
    return OSM_WAIT_MORE;
  osm_error_set (err, OSM_ERROR_RETRY, 0,
                 "cloud '%s': server %s does not let go of volume %s: it is %s again",
                 osm_cloud_name (cloud), move->server_id, move->volume_id, status);
  osm_error_hint (err, "something in the server still uses it (mounted, LVM, a process)");
  return OSM_WAIT_FAILED;
}

/* Refused, because a request before it was already taken? */
static bool
is_leaving (struct osm_cloud *cloud, const struct move *move)
{
  OSM_CLEANUP_JSON json_t *volume = NULL;
  OSM_ERROR (ignored);

  return osm_volume_get (cloud, move->volume_id, &volume, &ignored) == 0 &&
         (!held_by (volume, move->server_id) ||
          osm_str_equal (osm_json_str (volume, "status"), "detaching"));
}

int
osm_server_detach (struct osm_cloud *cloud, const char *server_id, const char *volume_id,
                   uint64_t timeout_ms, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/servers/%s/os-volume_attachments/%s", server_id,
                                              volume_id),
                        *volume_path = osm_asprintf ("/volumes/%s", volume_id),
                        *what = osm_asprintf ("volume %s", volume_id);
  struct move move = { .server_id = server_id, .volume_id = volume_id, .asked_ms = osm_now_ms () };
  const struct osm_waiting from_volume = { .service = OSM_VOLUME,
                                           .path = volume_path,
                                           .key = "volume",
                                           .what = what,
                                           .wanted = "available",
                                           .timeout_ms = timeout_ms,
                                           .judge = judge_detach,
                                           .data = &move };
  /* Nova forgets it a moment after Cinder; until then it would refuse to attach it again. */
  const struct osm_waiting from_server = { .service = OSM_COMPUTE,
                                           .path = path,
                                           .key = "volumeAttachment",
                                           .what = what,
                                           .wanted = "it to have left the server",
                                           .timeout_ms = timeout_ms,
                                           .judge = osm_wait_gone };

  for (unsigned tries = 1;; tries++) {
    OSM_CLEANUP_JSON json_t *volume = NULL;
    OSM_ERROR (why);

    if (osm_volume_get (cloud, volume_id, &volume, err) == -1)
      return -1;
    if (!osm_str_equal (osm_json_str (volume, "status"), "detaching")) {
      if (!held_by (volume, server_id))
        return 0;
      if (osm_cloud_delete (cloud, OSM_COMPUTE, path, &why) == -1 &&
          !((why.code == 400 || why.code == 409) && is_leaving (cloud, &move))) {
        osm_error_move (err, &why);
        return osm_error_wrap (err, "detach volume %s from server %s", volume_id, server_id);
      }
    }
    move.asked_ms = osm_now_ms ();
    move.seen_change = move.came_back = false;
    if (osm_cloud_wait (cloud, &from_volume, NULL, &why) == 0)
      return osm_cloud_wait (cloud, &from_server, NULL, err);
    if (!move.came_back || tries == MAX_DETACH_TRIES || why.class == OSM_ERROR_INTERRUPTED) {
      osm_error_move (err, &why);
      return -1;
    }
    osm_debug ("%s; once more", why.message);
  }
}
