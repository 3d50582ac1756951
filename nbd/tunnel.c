/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/tunnel.h"

#include <libssh/callbacks.h>
#include <stdbool.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/strbuf.h"
#include "nbd/sshexec.h"

#define EMPTY_POLLS 64 /* parts of one packet before others have a turn */
/* libssh lets the server send 625 to 1250 KiB without our word (channels.c, WINDOWBASE), which fills 100 Mbit/s at 50 ms. */
#define WINDOW_BYTES ((uint32_t)4 << 20)

struct osm_tunnel {
  ssh_session session;
  ssh_channel channel;
  json_t *reply; /* of the command */
  ssh_event event;
  struct ssh_channel_callbacks_struct callbacks;
  char *cipher;
  bool waiting; /* the channel holds bytes that no sink has seen */
  char *unused; /* of a far peer: WINDOW_BYTES, see widen */
  size_t since_widened;

  /* Of the call of receive that is under way. */
  osm_sink_fn sink;
  void *sink_data;
  struct osm_error *sink_error;
  bool received, failed;
};

/* libssh has decrypted a packet. What is not taken stays in the channel. */
static int
on_data (ssh_session session, ssh_channel channel, void *bytes, uint32_t len, int is_stderr,
         void *data)
{
  struct osm_tunnel *t = data;

  (void)session;
  (void)channel;
  if (is_stderr)
    return (int)len;
  if (!t->sink) { /* it came while we were writing */
    t->waiting = true;
    return 0;
  }
  t->waiting = false;
  t->received = true;
  t->since_widened += len;
  if (!t->failed && t->sink (t->sink_data, bytes, len, t->sink_error) == -1)
    t->failed = true;
  return (int)len;
}

static void
take_waiting (struct osm_tunnel *t, struct osm_error *err)
{
  char buf[8192];
  int n;

  t->waiting = false;
  while (!t->failed && (n = ssh_channel_read_nonblocking (t->channel, buf, sizeof buf, 0)) > 0) {
    t->received = true;
    if (t->sink (t->sink_data, buf, (size_t)n, err) == -1)
      t->failed = true;
  }
}

/* The window grows to what a read asks for. There is nothing to read: on_data has taken it. */
static void
widen (struct osm_tunnel *t)
{
  t->since_widened = 0;
  (void)ssh_channel_read_timeout (t->channel, t->unused, WINDOW_BYTES, 0, 0);
}

static int
receive (struct osm_tunnel *t, int timeout_ms, struct osm_error *err)
{
  if (t->waiting)
    take_waiting (t, err);
  if (t->unused && t->since_widened >= WINDOW_BYTES / 4)
    widen (t);
  for (int i = 0; i < EMPTY_POLLS && !t->received && !t->failed; i++) {
    int r = ssh_event_dopoll (t->event, timeout_ms);

    if (t->received || t->failed)
      break;
    if (r == SSH_ERROR || !ssh_is_connected (t->session))
      return osm_ssh_error (t->session, "connection lost", err);
    if (ssh_channel_is_eof (t->channel) || ssh_channel_is_closed (t->channel))
      return osm_error_set (err, OSM_ERROR_RETRY, 0, "the other end closed the socket");
    if (r == SSH_AGAIN)
      return 0;
  }
  return t->failed ? -1 : t->received;
}

static int
tunnel_receive (void *data, int timeout_ms, osm_sink_fn sink, void *sink_data,
                struct osm_error *err)
{
  struct osm_tunnel *t = data;
  int r;

  t->sink = sink;
  t->sink_data = sink_data;
  t->sink_error = err;
  t->received = t->failed = false;
  r = receive (t, timeout_ms, err);
  t->sink = NULL;
  return r;
}

static int
tunnel_write (void *data, const void *bytes, size_t len, struct osm_error *err)
{
  struct osm_tunnel *t = data;
  const char *p = bytes;

  while (len > 0) {
    int n = ssh_channel_write (t->channel, p, (uint32_t)len);

    if (n <= 0)
      return osm_ssh_error (t->session, "connection lost", err);
    p += n;
    len -= (size_t)n;
  }
  return 0;
}

static void
tunnel_far (void *data)
{
  struct osm_tunnel *t = data;

  if (t->unused)
    return;
  t->unused = osm_calloc (1, WINDOW_BYTES);
  t->since_widened = WINDOW_BYTES;
}

static int
open_command (struct osm_tunnel *t, const struct osm_ssh_target *target,
              const struct osm_tunnel_end *end, struct osm_error *err)
{
  struct osm_ssh_exec exec = { 0 };
  int r = osm_ssh_exec_open (&exec, t->session, end->command, end->request, end->request_len, err);

  if (r == 0)
    r = osm_ssh_exec_read (&exec, &t->reply, err);
  if (r == 0 && !t->reply)
    r = osm_error_set (err, OSM_ERROR_REMOTE, 0, "'%s' does not answer", end->command);
  if (r == 0)
    t->channel = osm_take (exec.channel);
  osm_ssh_exec_done (&exec);
  return r == 0 ? 0 : osm_error_wrap (err, "%s", target->address);
}

static int
open_socket (struct osm_tunnel *t, const struct osm_ssh_target *target, const char *socket_path,
             struct osm_error *err)
{
  t->channel = ssh_channel_new (t->session);
  if (!t->channel)
    osm_oom ();
  /* The originator is for the server's log only. */
  if (ssh_channel_open_forward_unix (t->channel, socket_path, "127.0.0.1", 0) == SSH_OK)
    return 0;
  if (ssh_is_connected (t->session) && strstr (ssh_get_error (t->session), "opening failure"))
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "%s does not connect us to %s: %s",
                          target->address, socket_path, ssh_get_error (t->session));
  osm_ssh_error (t->session, socket_path, err);
  return osm_error_wrap (err, "%s", target->address);
}

int
osm_tunnel_open (const struct osm_ssh_target *target, const struct osm_tunnel_end *end,
                 struct osm_tunnel **ret, struct osm_error *err)
{
  OSM_CLEANUP_TUNNEL struct osm_tunnel *t = osm_calloc (1, sizeof *t);

  if (osm_ssh_connect (target, &t->session, err) == -1)
    return -1;
  if ((end->socket_path ? open_socket (t, target, end->socket_path, err)
                        : open_command (t, target, end, err)) == -1)
    return -1;
  t->cipher = osm_strdup (ssh_get_cipher_in (t->session));
  t->callbacks.userdata = t;
  t->callbacks.channel_data_function = on_data;
  ssh_callbacks_init (&t->callbacks);
  t->event = ssh_event_new ();
  if (!t->event)
    osm_oom ();
  if (ssh_set_channel_callbacks (t->channel, &t->callbacks) != SSH_OK ||
      ssh_event_add_session (t->event, t->session) != SSH_OK)
    return osm_ssh_error (t->session, "event loop", err);
  /* Servers of NBD speak first: their greeting may be here already. */
  t->waiting = true;
  *ret = osm_take (t);
  return 0;
}

struct osm_stream
osm_tunnel_stream (struct osm_tunnel *t)
{
  return (struct osm_stream){
    .receive = tunnel_receive, .write = tunnel_write, .far = tunnel_far, .data = t
  };
}

const json_t *
osm_tunnel_reply (const struct osm_tunnel *t)
{
  return t->reply;
}

const char *
osm_tunnel_cipher (const struct osm_tunnel *t)
{
  return t->cipher;
}

void
osm_tunnel_free (struct osm_tunnel *t)
{
  if (!t)
    return;
  if (t->event) {
    ssh_event_remove_session (t->event, t->session);
    ssh_event_free (t->event);
  }
  /* No farewell on the channel: a peer that does not answer must not hold us up. */
  if (t->channel)
    ssh_channel_free (t->channel);
  osm_ssh_free (t->session);
  json_decref (t->reply);
  free (t->cipher);
  free (t->unused);
  free (t);
}
