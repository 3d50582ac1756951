/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/export.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "agent/child.h"
#include "agent/device.h"
#include "agent/paths.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "common/parse.h"
#include "common/run.h"
#include "common/strbuf.h"

#define FILE_MAX (256 * 1024)
#define RESTART_MS 1000
#define RESTART_MAX_MS 30000
#define BACKLOG 64

struct export
{
  char *id;
  json_t *params;
  int listen_fd;
  struct osm_child child;
  uint64_t started_ms;
  uint64_t restart_at_ms; /* when the child is to be started again; 0: it runs */
  uint64_t delay_ms;      /* the last wait before a start */
};

struct osm_exports {
  struct export v[OSM_EXPORTS_MAX];
  size_t nr;
};

static char *
exports_path (void)
{
  return osm_asprintf ("%s/exports.json", osm_path_state ());
}

static char *
socket_path (const char *id)
{
  return osm_asprintf ("%s/exports/%s", osm_path_peer_runtime (), id);
}

static int
save (const struct osm_exports *exports, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = exports_path (), *text = NULL;
  OSM_CLEANUP_JSON json_t *list = json_array ();

  for (size_t i = 0; i < exports->nr; i++)
    json_array_append (list, exports->v[i].params);
  text = osm_json_dump (list);
  return osm_file_write (path, text, strlen (text), 0600, err);
}

/* Group osm-peer comes from the folder's set-group-id bit, so that the peer may connect and nobody else. */
static int
listen_at (const char *path, struct osm_error *err)
{
  OSM_CLEANUP_FD int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_un address = { .sun_family = AF_UNIX };

  if (fd == -1)
    return osm_error_set_errno (err, errno, "socket");
  if (strlen (path) >= sizeof address.sun_path)
    return osm_error_set (err, OSM_ERROR_USER, ENAMETOOLONG, "socket path %s is too long", path);
  memcpy (address.sun_path, path, strlen (path) + 1);
  if (unlink (path) == -1 && errno != ENOENT)
    return osm_error_set_errno (err, errno, "%s", path);
  if (bind (fd, (struct sockaddr *)&address, sizeof address) == -1 || chmod (path, 0660) == -1 ||
      listen (fd, BACKLOG) == -1)
    return osm_error_set_errno (err, errno, "listen at %s", path);
  return osm_take_fd (&fd);
}

static int
launch (struct export *e, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *spec = json_copy (e->params);
  OSM_CLEANUP_FREE char *device = NULL;
  const char *volume_id = osm_json_str (e->params, "volume_id");

  if (volume_id) {
    json_int_t size = json_integer_value (json_object_get (e->params, "size_bytes"));

    if (osm_device_find (volume_id, (uint64_t)size, &device, err) == -1)
      return -1;
    osm_json_set_str (spec, "device", device);
  }
  if (osm_child_start (&e->child, "export", spec, e->listen_fd, err) == -1)
    return -1;
  e->restart_at_ms = 0;
  e->started_ms = osm_now_ms ();
  return 0;
}

/* A second after it ended; rarer and rarer when that does not help (its disk has gone, say). */
static void
restart_later (struct export *e, const char *why)
{
  uint64_t now = osm_now_ms ();

  if (now - e->started_ms > RESTART_MAX_MS && e->child.pid == 0 && !e->restart_at_ms)
    e->delay_ms = 0;
  e->delay_ms = e->delay_ms == 0                   ? RESTART_MS
                : e->delay_ms * 2 < RESTART_MAX_MS ? e->delay_ms * 2
                                                   : RESTART_MAX_MS;
  e->restart_at_ms = now + e->delay_ms;
  osm_warning ("export %s: %s; again in %u s", e->id, why, (unsigned)(e->delay_ms / 1000));
}

static void
drop (struct export *e)
{
  OSM_CLEANUP_FREE char *path = socket_path (e->id);

  if (e->child.pid > 0)
    osm_child_kill (&e->child);
  if (e->listen_fd >= 0)
    close (osm_take_fd (&e->listen_fd));
  if (unlink (path) == -1 && errno != ENOENT)
    osm_warning ("%s: %s", path, strerror (errno));
  free (e->id);
  json_decref (e->params);
}

static struct export *
lookup (struct osm_exports *exports, const char *id)
{
  for (size_t i = 0; i < exports->nr; i++)
    if (strcmp (exports->v[i].id, id) == 0)
      return &exports->v[i];
  return NULL;
}

static int
add (struct osm_exports *exports, const json_t *params, bool must_run, struct osm_error *err)
{
  struct export *e = &exports->v[exports->nr];
  OSM_CLEANUP_FREE char *path = NULL;
  OSM_ERROR (why);

  *e = (struct export){ .id = osm_strdup (osm_json_str (params, "id")),
                        .params = json_deep_copy (params),
                        .listen_fd = -1,
                        .child = OSM_CHILD_NONE };
  path = socket_path (e->id);
  e->listen_fd = listen_at (path, &why);
  if (e->listen_fd == -1 || launch (e, &why) == -1) {
    if (must_run || e->listen_fd == -1) {
      drop (e);
      osm_error_move (err, &why);
      return osm_error_wrap (err, "export %s", osm_json_str (params, "id"));
    }
    restart_later (e, why.message);
  }
  exports->nr++;
  return 0;
}

int
osm_export_start (struct osm_exports *exports, const json_t *params, char **ret_socket,
                  struct osm_error *err)
{
  const char *id = osm_json_str (params, "id");
  const struct export *e = lookup (exports, id);

  if (e && !json_equal (e->params, (json_t *)params))
    return osm_error_set (err, OSM_ERROR_USER, EEXIST,
                          "export %s exists with other parameters: stop it first", id);
  if (!e) {
    if (exports->nr == OSM_EXPORTS_MAX)
      return osm_error_set (err, OSM_ERROR_RETRY, EAGAIN, "there are %d exports already",
                            OSM_EXPORTS_MAX);
    if (add (exports, params, true, err) == -1)
      return -1;
    /* What sshd permits is read from there: an export that is not saved cannot be reached. */
    if (save (exports, err) == -1) {
      drop (&exports->v[--exports->nr]);
      return -1;
    }
    osm_info ("export %s of volume %s started", id,
              osm_json_str (params, "volume_id") ? osm_json_str (params, "volume_id") : "(test)");
  }
  *ret_socket = osm_asprintf ("/exports/%s", id);
  return 0;
}

int
osm_export_stop (struct osm_exports *exports, const char *id, struct osm_error *err)
{
  struct export *e = lookup (exports, id);

  if (!e)
    return 0;
  drop (e);
  *e = exports->v[--exports->nr];
  osm_info ("export %s stopped", id);
  return save (exports, err);
}

json_t *
osm_exports_list (const struct osm_exports *exports)
{
  json_t *list = json_array ();

  for (size_t i = 0; i < exports->nr; i++) {
    const struct export *e = &exports->v[i];
    OSM_CLEANUP_FREE char *path = osm_asprintf ("/exports/%s", e->id);
    json_t *one = osm_json_pack ("{s:s, s:s, s:s}", "id", e->id, "socket", path, "state",
                                 e->child.pid > 0 ? "running" : "restarting");

    osm_json_set_str (one, "volume_id", osm_json_str (e->params, "volume_id"));
    json_array_append_new (list, one);
  }
  return list;
}

bool
osm_exports_child_ended (struct osm_exports *exports, pid_t pid, int status)
{
  for (size_t i = 0; i < exports->nr; i++) {
    struct export *e = &exports->v[i];
    OSM_CLEANUP_JSON json_t *frame = NULL;
    OSM_CLEANUP_FREE char *why = NULL;
    const char *said = NULL;
    char text[128];
    OSM_ERROR (ignored);

    if (e->child.pid != pid)
      continue;
    /* What it said before it became nbdkit. */
    (void)osm_child_read (&e->child, &frame, &ignored);
    said = osm_json_str (json_object_get (frame, "error"), "message");
    why = osm_asprintf ("nbdkit %s%s%s", osm_run_status_text (status, text, sizeof text),
                        said ? ": " : "", said ? said : "");
    osm_child_ended (&e->child);
    restart_later (e, why);
    return true;
  }
  return false;
}

void
osm_exports_tick (struct osm_exports *exports)
{
  for (size_t i = 0; i < exports->nr; i++) {
    struct export *e = &exports->v[i];
    OSM_ERROR (why);

    if (e->restart_at_ms && osm_now_ms () >= e->restart_at_ms && launch (e, &why) == -1)
      restart_later (e, why.message);
  }
}

int
osm_exports_saved (json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = exports_path (), *text = NULL;
  size_t len;

  if (!osm_file_exists (path)) {
    *ret = json_array ();
    return 0;
  }
  if (osm_file_read (path, FILE_MAX, &text, &len, err) == -1)
    return -1;
  return osm_json_parse (text, len, path, ret, err);
}

int
osm_exports_load (struct osm_exports **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *list = NULL;
  struct osm_exports *exports;
  size_t i;
  json_t *params;

  if (osm_exports_saved (&list, err) == -1)
    return -1;
  exports = osm_calloc (1, sizeof *exports);
  json_array_foreach (list, i, params)
  {
    const char *id = osm_json_str (params, "id");
    OSM_ERROR (why);

    if (!id || !osm_is_safe_name (id) || exports->nr == OSM_EXPORTS_MAX)
      continue;
    if (add (exports, params, false, &why) == -1)
      osm_warning ("%s", why.message);
  }
  *ret = exports;
  return 0;
}

void
osm_exports_free (struct osm_exports *exports)
{
  if (!exports)
    return;
  for (size_t i = 0; i < exports->nr; i++)
    drop (&exports->v[i]);
  free (exports);
}
