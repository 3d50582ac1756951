/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/sshexec.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/frame.h"
#include "common/json.h"
#include "nbd/sshconn.h"

#define POLL_MS 100     /* how soon a cancel is seen */
#define SAID_MAX 4096u  /* of stderr, for the message */
#define WRITE_MAX 32768 /* one packet */

void
osm_ssh_exec_done (struct osm_ssh_exec *e)
{
  if (e->channel)
    ssh_channel_free (e->channel);
  osm_strbuf_done (&e->said);
  *e = (struct osm_ssh_exec){ 0 };
}

/* What is not read would count against the window of stdout, too. */
static void
drain_stderr (struct osm_ssh_exec *e)
{
  char buf[1024];
  int n;

  while ((n = ssh_channel_read_nonblocking (e->channel, buf, sizeof buf, 1)) > 0)
    if (e->said.len < SAID_MAX)
      osm_strbuf_add_mem (&e->said, buf, (size_t)n);
}

static ssize_t
exec_read (void *data, void *buf, size_t len, struct osm_error *err)
{
  struct osm_ssh_exec *e = data;

  for (;;) {
    int n;

    if (e->cancel && atomic_load (e->cancel))
      return osm_error_set (err, OSM_ERROR_INTERRUPTED, 0, "cancelled");
    n = ssh_channel_read_timeout (e->channel, buf, (uint32_t)len, 0, POLL_MS);
    if (n > 0)
      return n;
    if (n == SSH_ERROR)
      return osm_ssh_error (ssh_channel_get_session (e->channel), "connection lost", err);
    drain_stderr (e);
    if (ssh_channel_is_eof (e->channel) || ssh_channel_is_closed (e->channel))
      return 0;
  }
}

static int
exec_write (void *data, const void *buf, size_t len, struct osm_error *err)
{
  struct osm_ssh_exec *e = data;
  const char *p = buf;

  while (len > 0) {
    int n = ssh_channel_write (e->channel, p, len < WRITE_MAX ? (uint32_t)len : WRITE_MAX);

    if (n <= 0)
      return osm_ssh_error (ssh_channel_get_session (e->channel), "connection lost", err);
    p += n;
    len -= (size_t)n;
  }
  return 0;
}

/* It ended without a word of ours: its shell or its loader said why. */
static int
ended (struct osm_ssh_exec *e, struct osm_error *err)
{
  const char *said;

  while (e->said.len > 0 && strchr ("\r\n", e->said.s[e->said.len - 1]))
    e->said.s[--e->said.len] = '\0';
  said = osm_strbuf_str (&e->said);
  return osm_error_set (err, OSM_ERROR_REMOTE, 0, "the command ended without an answer%s%s",
                        *said ? ": " : "", said);
}

int
osm_ssh_exec_read (struct osm_ssh_exec *e, json_t **ret, struct osm_error *err)
{
  struct osm_frame_io io = { .read = exec_read, .write = exec_write, .data = e };
  OSM_CLEANUP_JSON json_t *frame = NULL;
  const json_t *error;

  if (osm_frame_read (&io, &frame, err) == -1)
    return -1;
  if (!frame && e->said.len > 0)
    return ended (e, err);
  error = json_object_get (frame, "error");
  if (error)
    return osm_error_from_json (error, err);
  *ret = osm_take (frame);
  return 0;
}

int
osm_ssh_exec_open (struct osm_ssh_exec *e, ssh_session session, const char *command,
                   const char *request, size_t request_len, struct osm_error *err)
{
  e->channel = ssh_channel_new (session);
  if (!e->channel)
    osm_oom ();
  if (ssh_channel_open_session (e->channel) != SSH_OK ||
      ssh_channel_request_exec (e->channel, command) != SSH_OK) {
    if (!ssh_is_connected (session))
      return osm_ssh_error (session, "connection lost", err);
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "the server does not run '%s': %s", command,
                          ssh_get_error (session));
  }
  return exec_write (e, request, request_len, err);
}
