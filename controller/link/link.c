/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/link/link.h"

#include <errno.h>
#include <inttypes.h>
#include <libssh/libssh.h>
#include <pthread.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/crashpoint.h"
#include "common/frame.h"
#include "common/json.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "nbd/sshconn.h"

/* docs/PROTOCOL.md */
#define PROTOCOL 1
/* sshd forces it anyway; parameters travel in messages only. */
#define REMOTE_COMMAND "osm-agent gateway"
#define DEFAULT_TIMEOUT_MS 60000
#define HELLO_TIMEOUT_MS 30000
#define SLICE_MS 200 /* how soon Ctrl-C is noticed */

struct osm_link {
  char *name, *address, *user, *private_key_path;
  char **host_keys;
  uint16_t port;
  uint64_t connect_timeout_ms;
  uint64_t reconnect_ms; /* patience when a connection is lost */

  pthread_mutex_t lock; /* everything below */
  ssh_session session;
  ssh_channel channel;
  json_t *hello;
  json_int_t next_id;
  uint64_t deadline_ms; /* of the answer that is waited for */
};

/* ---- bytes ---- */

static ssize_t
link_read (void *data, void *buf, size_t len, struct osm_error *err)
{
  struct osm_link *link = data;

  for (;;) {
    int n;

    /* Also of one that never stops talking. */
    if (osm_interrupt_check (err) == -1)
      return -1;
    if (osm_now_ms () > link->deadline_ms)
      return osm_error_set (err, OSM_ERROR_RETRY, ETIMEDOUT, "the agent does not answer");
    n = ssh_channel_read_timeout (link->channel, buf, (uint32_t)len, 0, SLICE_MS);
    if (n > 0)
      return n;
    if (n == SSH_ERROR)
      return osm_ssh_error (link->session, "control channel", err);
    if (ssh_channel_is_eof (link->channel) || ssh_channel_is_closed (link->channel))
      return 0;
  }
}

static int
link_write (void *data, const void *buf, size_t len, struct osm_error *err)
{
  struct osm_link *link = data;
  const char *p = buf;

  while (len > 0) {
    int n = ssh_channel_write (link->channel, p, (uint32_t)len);

    if (n <= 0)
      return osm_ssh_error (link->session, "control channel", err);
    p += n;
    len -= (size_t)n;
  }
  return 0;
}

static struct osm_frame_io
io_of (struct osm_link *link)
{
  return (struct osm_frame_io){ .read = link_read, .write = link_write, .data = link };
}

/* ---- connecting ---- */

static void
disconnect (struct osm_link *link)
{
  if (link->channel)
    ssh_channel_free (osm_take (link->channel));
  osm_ssh_free (osm_take (link->session));
}

/* Until link->deadline_ms. */
static int
read_frame (struct osm_link *link, json_t **ret, struct osm_error *err)
{
  struct osm_frame_io io = io_of (link);

  if (osm_frame_read (&io, ret, err) == -1)
    return -1;
  if (!*ret)
    return osm_error_set (err, OSM_ERROR_RETRY, ECONNRESET, "the agent closed the connection");
  return 0;
}

static int
take_hello (struct osm_link *link, const json_t *frame, struct osm_error *err)
{
  const json_t *hello = json_object_get (frame, "hello");

  if (json_object_get (frame, "error"))
    return osm_error_from_json (json_object_get (frame, "error"), err);
  if (!hello)
    return osm_error_set (err, OSM_ERROR_REMOTE, EPROTO, "what answers is not an osm agent");
  if (json_integer_value (json_object_get (hello, "protocol")) != PROTOCOL) {
    osm_error_set (
        err, OSM_ERROR_USER, EPROTO,
        "its agent %s speaks protocol %" JSON_INTEGER_FORMAT ", this program %s speaks %d",
        osm_json_str (hello, "version") ? osm_json_str (hello, "version") : "?",
        json_integer_value (json_object_get (hello, "protocol")), PACKAGE_VERSION, PROTOCOL);
    return osm_error_hint (err, "deploy conversion hosts of this version: "
                                "osm-controller delete-conversion-hosts, then deploy");
  }
  json_decref (link->hello);
  link->hello = json_incref ((json_t *)hello);
  return 0;
}

static int
handshake (struct osm_link *link, struct osm_error *err)
{
  struct osm_frame_io io = io_of (link);
  OSM_CLEANUP_JSON json_t *frame = NULL;
  OSM_CLEANUP_JSON json_t *hello =
      osm_json_pack ("{s:{s:i, s:s}}", "hello", "protocol", PROTOCOL, "version", PACKAGE_VERSION);

  link->channel = ssh_channel_new (link->session);
  if (!link->channel || ssh_channel_open_session (link->channel) != SSH_OK ||
      ssh_channel_request_exec (link->channel, REMOTE_COMMAND) != SSH_OK)
    return osm_ssh_error (link->session, "open the control channel", err);
  link->deadline_ms = osm_now_ms () + HELLO_TIMEOUT_MS;
  if (osm_frame_write (&io, hello, err) == -1 || read_frame (link, &frame, err) == -1)
    return -1;
  return take_hello (link, frame, err);
}

static int
connect_link (struct osm_link *link, struct osm_error *err)
{
  const struct osm_ssh_target target = { .address = link->address,
                                         .port = link->port,
                                         .user = link->user,
                                         .private_key_path = link->private_key_path,
                                         .host_keys = link->host_keys,
                                         .connect_timeout_ms = link->connect_timeout_ms };

  disconnect (link);
  if (osm_ssh_connect (&target, &link->session, err) == -1 || handshake (link, err) == -1) {
    disconnect (link);
    return osm_error_wrap (err, "%s", link->name);
  }
  return 0;
}

int
osm_link_open (const struct osm_link_target *target, struct osm_link **ret, struct osm_error *err)
{
  OSM_CLEANUP_LINK struct osm_link *link = osm_calloc (1, sizeof *link);

  pthread_mutex_init (&link->lock, NULL);
  link->name = osm_strdup (target->name);
  link->address = osm_strdup (target->address);
  link->user = osm_strdup (target->user);
  link->private_key_path = osm_strdup (target->private_key_path);
  for (size_t i = 0; target->host_keys && target->host_keys[i]; i++)
    osm_strv_append (&link->host_keys, target->host_keys[i]);
  link->port = target->port;
  link->connect_timeout_ms = target->connect_timeout_ms;
  if (connect_link (link, err) == -1)
    return -1;
  *ret = osm_take (link);
  return 0;
}

int
osm_link_open_wait (const struct osm_link_target *target, uint64_t timeout_ms,
                    struct osm_link **ret, struct osm_error *err)
{
  uint64_t started = osm_now_ms ();

  for (;;) {
    OSM_ERROR (why);

    if (osm_link_open (target, ret, &why) == 0)
      return 0;
    /* Before cloud-init has set the users up, sshd refuses the key: that is a matter of time, too. A wrong host key is not. */
    if (why.class == OSM_ERROR_INTERRUPTED || (why.class == OSM_ERROR_USER && why.code != EACCES) ||
        osm_now_ms () - started > timeout_ms) {
      osm_error_move (err, &why);
      return -1;
    }
    osm_debug ("%s: %s", target->name, why.message);
    if (osm_wait_ms (500, err) == -1)
      return -1;
  }
}

void
osm_link_free (struct osm_link *link)
{
  if (!link)
    return;
  disconnect (link);
  json_decref (link->hello);
  free (link->name);
  free (link->address);
  free (link->user);
  free (link->private_key_path);
  osm_strv_free (link->host_keys);
  pthread_mutex_destroy (&link->lock);
  free (link);
}

void
osm_link_set_patience (struct osm_link *link, uint64_t reconnect_ms)
{
  OSM_LOCKED (&link->lock);
  link->reconnect_ms = reconnect_ms;
}

const json_t *
osm_link_hello (const struct osm_link *link)
{
  return link->hello;
}

/* ---- requests ---- */

/* Around calls that change something at the agent. */
static void
crash_point (const struct osm_link *link, const char *method, enum osm_crash when)
{
#ifdef OSM_CRASH_POINTS
  static const char *const reading[] = { "job.get",       "job.list",    "job.wait",
                                         "device.find",   "device.list", "peer.list",
                                         "peer.key",      "export.list", "link.test",
                                         "digest.chunks", "carrier.list" };
  OSM_CLEANUP_FREE char *what =
      osm_asprintf ("%.*s agent %s", (int)strcspn (link->name, " "), link->name, method);

  for (size_t i = 0; i < sizeof reading / sizeof reading[0]; i++)
    if (strcmp (method, reading[i]) == 0)
      return;
  osm_crash_point (when, what);
#else
  (void)link;
  (void)method;
  (void)when;
#endif
}

static int
call_once (struct osm_link *link, const char *method, const json_t *params, uint64_t timeout_ms,
           json_t **ret, struct osm_error *err)
{
  struct osm_frame_io io = io_of (link);
  json_int_t id = ++link->next_id;
  OSM_CLEANUP_JSON json_t *request =
      osm_json_pack ("{s:I, s:s, s:O?}", "id", id, "method", method, "params", params);

  if (!link->channel && connect_link (link, err) == -1)
    return -1;
  crash_point (link, method, OSM_CRASH_BEFORE);
  crash_point (link, method, OSM_CRASH_DURING);
  if (osm_frame_write (&io, request, err) == -1)
    return -1;
  /* Of all frames together: answers to others do not prolong it. */
  link->deadline_ms = osm_now_ms () + timeout_ms;
  for (;;) {
    OSM_CLEANUP_JSON json_t *frame = NULL;

    if (read_frame (link, &frame, err) == -1)
      return -1;
    /* The answer to a request that was given up, or something that later versions say. */
    if (json_integer_value (json_object_get (frame, "id")) != id)
      continue;
    crash_point (link, method, OSM_CRASH_AFTER);
    if (json_object_get (frame, "error")) {
      osm_error_from_json (json_object_get (frame, "error"), err);
      *ret = NULL;
      return 1;
    }
    if (!json_is_object (json_object_get (frame, "result")))
      return osm_error_set (err, OSM_ERROR_REMOTE, EPROTO, "%s: answer without a result", method);
    *ret = json_incref (json_object_get (frame, "result"));
    return 0;
  }
}

/* May what failed be different the next time? The agent had let us in before: while its host boots, the key may not be accepted yet. */
static bool
may_retry (const struct osm_error *why)
{
  return why->class == OSM_ERROR_RETRY || (why->class == OSM_ERROR_USER && why->code == EACCES);
}

/* Patience is for the work, not for taking it back after Ctrl-C. */
static uint64_t
patience (const struct osm_link *link)
{
  return osm_interrupted () ? 0 : link->reconnect_ms;
}

int
osm_link_call_timeout (struct osm_link *link, const char *method, json_t *params,
                       uint64_t timeout_ms, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *owned = params, *result = NULL;
  struct osm_backoff backoff = OSM_BACKOFF_POLL;
  uint64_t lost_ms = 0;
  OSM_LOCKED (&link->lock);

  for (unsigned attempt = 0;; attempt++) {
    OSM_ERROR (why);
    int r = call_once (link, method, owned, timeout_ms, &result, &why);

    if (r == 0) {
      *ret = osm_take (result);
      return 0;
    }
    if (r == 1) { /* the agent's own answer */
      osm_error_move (err, &why);
      return osm_error_wrap (err, "%s: %s", link->name, method);
    }
    disconnect (link);
    if (osm_interrupt_check (err) == -1)
      return -1;
    if (attempt == 0)
      lost_ms = osm_now_ms ();
    if (!may_retry (&why) || (attempt > 0 && osm_now_ms () - lost_ms >= patience (link))) {
      osm_error_move (err, &why);
      return osm_error_wrap (err, "%s: %s", link->name, method);
    }
    if (attempt == 1)
      osm_warning ("%s; trying again for %" PRIu64 " s", why.message, patience (link) / 1000);
    else
      osm_debug ("%s: %s: %s; connecting again", link->name, method, why.message);
    if (attempt > 0 && osm_backoff_wait (&backoff, err) == -1)
      return -1;
  }
}

int
osm_link_call (struct osm_link *link, const char *method, json_t *params, json_t **ret,
               struct osm_error *err)
{
  return osm_link_call_timeout (link, method, params, DEFAULT_TIMEOUT_MS, ret, err);
}
