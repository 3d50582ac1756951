/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/link/remote.h"

#include <errno.h>
#include <libssh/libssh.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/strbuf.h"
#include "nbd/sshconn.h"

#define SLICE_MS 200 /* how soon Ctrl-C is noticed */
#define SAID_MAX 2000
#define POLL_MS 500
#define SCAN_TIMEOUT_S 10

static void
cleanup_channel (ssh_channel *c)
{
  if (*c)
    ssh_channel_free (*c);
}
#define CLEANUP_CHANNEL __attribute__ ((cleanup (cleanup_channel)))

static void
cleanup_key (ssh_key *k)
{
  ssh_key_free (*k);
}
#define CLEANUP_KEY __attribute__ ((cleanup (cleanup_key)))

/* What both of its streams have to say, the last of it. */
static void
listen_to (ssh_channel channel, int timeout_ms, struct osm_strbuf *said)
{
  char buf[4096];

  for (int is_stderr = 0; is_stderr <= 1; is_stderr++) {
    int n;

    while ((n = ssh_channel_read_timeout (channel, buf, sizeof buf, is_stderr, timeout_ms)) > 0) {
      osm_strbuf_add_mem (said, buf, (size_t)n);
      if (said->len > 2 * SAID_MAX) {
        OSM_CLEANUP_FREE char *tail = osm_strdup (said->s + said->len - SAID_MAX);

        osm_strbuf_clear (said);
        osm_strbuf_add (said, tail);
      }
      timeout_ms = 0;
    }
  }
}

static int
feed (ssh_session session, ssh_channel channel, int input_fd, struct osm_strbuf *said,
      struct osm_error *err)
{
  char buf[8192];

  for (;;) {
    ssize_t n = read (input_fd, buf, sizeof buf);

    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1)
      return osm_error_set_errno (err, errno, "read what is to be sent");
    if (n == 0)
      return 0;
    for (ssize_t done = 0; done < n;) {
      int written = ssh_channel_write (channel, buf + done, (uint32_t)(n - done));

      if (osm_interrupt_check (err) == -1)
        return -1;
      if (ssh_channel_is_eof (channel) || ssh_channel_is_closed (channel))
        return 0; /* it has ended: its status tells why */
      if (written <= 0)
        return osm_ssh_error (session, "send", err);
      done += written;
    }
    listen_to (channel, 0, said);
  }
}

static int
command_error (const struct osm_link_target *target, int status, const struct osm_strbuf *said,
               struct osm_error *err)
{
  const char *text = osm_strbuf_str (said);
  size_t len = strlen (text);

  while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
    len--;
  if (status == -1)
    return osm_error_set (err, OSM_ERROR_RETRY, 0, "%s: the command ended without a status%s%.*s",
                          target->name, len ? ": " : "", (int)len, text);
  return osm_error_set (err, OSM_ERROR_REMOTE, 0, "%s: the command exited with status %d%s%.*s",
                        target->name, status, len ? ": " : "", (int)len, text);
}

int
osm_remote_run (const struct osm_link_target *target, const char *command, int input_fd,
                uint64_t timeout_ms, struct osm_error *err)
{
  const struct osm_ssh_target ssh = { .address = target->address,
                                      .port = target->port,
                                      .user = target->user,
                                      .private_key_path = target->private_key_path,
                                      .host_keys = target->host_keys,
                                      .connect_timeout_ms = target->connect_timeout_ms };
  OSM_CLEANUP_SSH ssh_session session = NULL;
  CLEANUP_CHANNEL ssh_channel channel = NULL;
  uint64_t deadline_ms = osm_now_ms () + timeout_ms;
  OSM_STRBUF (said);
  int status;

  if (osm_ssh_connect (&ssh, &session, err) == -1)
    return osm_error_wrap (err, "%s", target->name);
  channel = ssh_channel_new (session);
  if (!channel || ssh_channel_open_session (channel) != SSH_OK ||
      ssh_channel_request_exec (channel, command) != SSH_OK)
    return osm_ssh_error (session, target->name, err);
  if (input_fd >= 0 && feed (session, channel, input_fd, &said, err) == -1)
    return osm_error_wrap (err, "%s", target->name);
  ssh_channel_send_eof (channel);
  while (!ssh_channel_is_eof (channel) && !ssh_channel_is_closed (channel)) {
    listen_to (channel, SLICE_MS, &said);
    if (osm_interrupt_check (err) == -1)
      return -1;
    if (osm_now_ms () > deadline_ms)
      return osm_error_set (err, OSM_ERROR_RETRY, ETIMEDOUT, "%s: the command does not end",
                            target->name);
  }
  listen_to (channel, 0, &said);
  status = ssh_channel_get_exit_status (channel);
  return status == 0 ? 0 : command_error (target, status, &said, err);
}

static int
scan (const char *address, uint16_t port, char ***ret, struct osm_error *err)
{
  OSM_CLEANUP_SSH ssh_session session = ssh_new ();
  CLEANUP_KEY ssh_key key = NULL;
  OSM_CLEANUP_FREE char *line = NULL;
  unsigned port_number = port ? port : 22;
  int no = 0, level = SSH_LOG_NOLOG;
  long seconds = SCAN_TIMEOUT_S;
  char *base64 = NULL;

  if (!session)
    osm_oom ();
  if (ssh_options_set (session, SSH_OPTIONS_PROCESS_CONFIG, &no) < 0 ||
      ssh_options_set (session, SSH_OPTIONS_LOG_VERBOSITY, &level) < 0 ||
      ssh_options_set (session, SSH_OPTIONS_HOST, address) < 0 ||
      ssh_options_set (session, SSH_OPTIONS_PORT, &port_number) < 0 ||
      ssh_options_set (session, SSH_OPTIONS_TIMEOUT, &seconds) < 0 ||
      ssh_options_set (session, SSH_OPTIONS_HOSTKEYS, "ssh-ed25519,ecdsa-sha2-nistp256") < 0)
    return osm_error_set (err, OSM_ERROR_USER, 0, "SSH option: %s", ssh_get_error (session));
  if (ssh_connect (session) != SSH_OK || ssh_get_server_publickey (session, &key) != SSH_OK ||
      ssh_pki_export_pubkey_base64 (key, &base64) != SSH_OK)
    return osm_ssh_error (session, address, err);
  line = osm_asprintf ("%s %s", ssh_key_type_to_char (ssh_key_type (key)), base64);
  ssh_string_free_char (base64);
  osm_strv_append (ret, line);
  return 0;
}

int
osm_remote_host_keys (const char *address, uint16_t port, uint64_t timeout_ms, char ***ret,
                      struct osm_error *err)
{
  uint64_t started = osm_now_ms ();

  for (;;) {
    OSM_ERROR (why);

    if (scan (address, port, ret, &why) == 0)
      return 0;
    if (why.class != OSM_ERROR_RETRY || osm_now_ms () - started > timeout_ms) {
      osm_error_move (err, &why);
      return -1;
    }
    if (osm_wait_ms (POLL_MS, err) == -1)
      return -1;
  }
}
