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
#include "agent/listen.h"
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

/* A socket and the worker that serves it. */
struct server {
  int listen_fd;
  struct osm_child child;
  uint64_t started_ms;
  uint64_t restart_at_ms; /* when the child is to be started again; 0: it runs */
  uint64_t delay_ms;      /* the last wait before a start */
};

enum { PLAIN, COMPRESSED, NR_SERVERS };
static const char *const suffixes[NR_SERVERS] = { "", OSM_EXPORT_ZSTD_SUFFIX };

struct export
{
  char *id;
  json_t *params;
  struct server server[NR_SERVERS];
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
socket_path (const char *id, size_t which)
{
  return osm_asprintf ("%s/exports/%s%s", osm_path_peer_runtime (), id, suffixes[which]);
}

static bool
runs (const struct server *server)
{
  return server->child.pid > 0;
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

static int
specification (const struct export *e, size_t which, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *spec = json_copy (e->params);
  OSM_CLEANUP_FREE char *device = NULL, *path = NULL;
  const char *volume_id = osm_json_str (e->params, "volume_id"),
             *free_id = osm_json_str (e->params, "free");

  if (which == COMPRESSED) {
    path = socket_path (e->id, PLAIN);
    *ret = osm_json_pack ("{s:s}", "socket", path);
    return 0;
  }
  if (free_id) {
    path = osm_path_job (free_id, ".free");
    osm_json_set_str (spec, "free_file", path);
  }
  if (volume_id) {
    if (osm_device_find (volume_id, osm_device_size_of (e->params), &device, NULL, err) == -1)
      return -1;
    osm_json_set_str (spec, "device", device);
  }
  *ret = osm_take (spec);
  return 0;
}

static int
launch (struct export *e, size_t which, struct osm_error *err)
{
  static const char *const kinds[NR_SERVERS] = { "export", "compress" };
  struct server *server = &e->server[which];
  OSM_CLEANUP_JSON json_t *spec = NULL;

  if (specification (e, which, &spec, err) == -1 ||
      osm_child_start (&server->child, kinds[which], spec, server->listen_fd, err) == -1)
    return -1;
  osm_child_close_in (&server->child);
  server->restart_at_ms = 0;
  server->started_ms = osm_now_ms ();
  return 0;
}

/* A second after it ended; rarer and rarer when that does not help (its disk has gone, say). */
static void
restart_later (struct export *e, size_t which, const char *why)
{
  struct server *server = &e->server[which];
  uint64_t now = osm_now_ms ();

  if (now - server->started_ms > RESTART_MAX_MS && !runs (server) && !server->restart_at_ms)
    server->delay_ms = 0;
  server->delay_ms = server->delay_ms == 0                   ? RESTART_MS
                     : server->delay_ms * 2 < RESTART_MAX_MS ? server->delay_ms * 2
                                                             : RESTART_MAX_MS;
  server->restart_at_ms = now + server->delay_ms;
  osm_warning ("export %s%s: %s; again in %u s", e->id, suffixes[which], why,
               (unsigned)(server->delay_ms / 1000));
}

static void
drop (struct export *e)
{
  for (size_t i = 0; i < NR_SERVERS; i++) {
    OSM_CLEANUP_FREE char *path = socket_path (e->id, i);

    if (runs (&e->server[i]))
      osm_child_kill (&e->server[i].child);
    if (e->server[i].listen_fd >= 0)
      close (osm_take_fd (&e->server[i].listen_fd));
    if (unlink (path) == -1 && errno != ENOENT)
      osm_warning ("%s: %s", path, strerror (errno));
  }
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
listen_all (struct export *e, struct osm_error *err)
{
  for (size_t i = 0; i < NR_SERVERS; i++) {
    OSM_CLEANUP_FREE char *path = socket_path (e->id, i);

    /* Group osm-peer comes from the folder's set-group-id bit, so that the peer may connect and nobody else. */
    e->server[i].listen_fd = osm_listen_at (path, 0660, err);
    if (e->server[i].listen_fd == -1)
      return -1;
  }
  return 0;
}

static int
add (struct osm_exports *exports, const json_t *params, bool must_run, struct osm_error *err)
{
  struct export *e = &exports->v[exports->nr];

  *e = (struct export){ .id = osm_strdup (osm_json_str (params, "id")),
                        .params = json_deep_copy (params) };
  for (size_t i = 0; i < NR_SERVERS; i++)
    e->server[i] = (struct server){ .listen_fd = -1, .child = OSM_CHILD_NONE };
  if (listen_all (e, err) == -1) {
    drop (e);
    return osm_error_wrap (err, "export %s", osm_json_str (params, "id"));
  }
  for (size_t i = 0; i < NR_SERVERS; i++) {
    OSM_ERROR (why);

    if (launch (e, i, &why) == 0)
      continue;
    if (must_run) {
      drop (e);
      osm_error_move (err, &why);
      return osm_error_wrap (err, "export %s", osm_json_str (params, "id"));
    }
    restart_later (e, i, why.message);
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

  if (osm_str_ends_with (id, OSM_EXPORT_ZSTD_SUFFIX))
    return osm_error_set (err, OSM_ERROR_USER, EINVAL,
                          "the id of an export must not end with " OSM_EXPORT_ZSTD_SUFFIX);
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
                                 runs (&e->server[PLAIN]) ? "running" : "restarting");

    osm_json_set_str (one, "volume_id", osm_json_str (e->params, "volume_id"));
    json_array_append_new (list, one);
  }
  return list;
}

static void
child_ended (struct export *e, size_t which, int status)
{
  struct server *server = &e->server[which];
  OSM_CLEANUP_JSON json_t *frame = NULL;
  OSM_CLEANUP_FREE char *why = NULL;
  const char *said = NULL;
  char text[128];
  OSM_ERROR (ignored);

  /* What it said at its end. */
  (void)osm_child_read (&server->child, &frame, &ignored);
  said = osm_json_str (json_object_get (frame, "error"), "message");
  why = osm_asprintf ("%s %s%s%s", which == PLAIN ? "server" : "compression",
                      osm_run_status_text (status, text, sizeof text), said ? ": " : "",
                      said ? said : "");
  osm_child_ended (&server->child);
  restart_later (e, which, why);
}

bool
osm_exports_child_ended (struct osm_exports *exports, pid_t pid, int status)
{
  for (size_t i = 0; i < exports->nr; i++)
    for (size_t which = 0; which < NR_SERVERS; which++)
      if (exports->v[i].server[which].child.pid == pid) {
        child_ended (&exports->v[i], which, status);
        return true;
      }
  return false;
}

void
osm_exports_tick (struct osm_exports *exports)
{
  uint64_t now = osm_now_ms ();

  for (size_t i = 0; i < exports->nr; i++)
    for (size_t which = 0; which < NR_SERVERS; which++) {
      struct export *e = &exports->v[i];
      OSM_ERROR (why);

      if (e->server[which].restart_at_ms && now >= e->server[which].restart_at_ms &&
          launch (e, which, &why) == -1)
        restart_later (e, which, why.message);
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
