/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The limit of any copy through libssh: bytes from an exec channel, as fast as they come, thrown away.
 *
 *   ssh-stream ADDRESS PORT USER KEY SESSIONS BYTES COMMAND      BYTES from all sessions together
 *   ssh-stream --send BYTES                                      what COMMAND is
 *
 * The server's host key is not looked at: both ends are the benchmark's own. */

#include <config.h>

#include <libssh/libssh.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SESSIONS_MAX 16
#define BUFFER_BYTES (256 << 10)

struct stream {
  char **argv;
  uint64_t bytes, received;
  const char *failed;
};

static void
receive (struct stream *s, ssh_session session)
{
  unsigned port = (unsigned)strtoul (s->argv[2], NULL, 10);
  static const char ciphers[] = "aes128-gcm@openssh.com";
  char command[512];
  char *buf = malloc (BUFFER_BYTES);
  ssh_channel channel = NULL;
  ssh_key key = NULL;
  int n = 0, yes = 1, no = 0;

  ssh_options_set (session, SSH_OPTIONS_PROCESS_CONFIG, &no);
  ssh_options_set (session, SSH_OPTIONS_HOST, s->argv[1]);
  ssh_options_set (session, SSH_OPTIONS_PORT, &port);
  ssh_options_set (session, SSH_OPTIONS_USER, s->argv[3]);
  ssh_options_set (session, SSH_OPTIONS_NODELAY, &yes);
  ssh_options_set (session, SSH_OPTIONS_CIPHERS_C_S, ciphers);
  ssh_options_set (session, SSH_OPTIONS_CIPHERS_S_C, ciphers);
  s->failed = "connect";
  if (!buf || ssh_connect (session) != SSH_OK)
    goto out;
  s->failed = "authenticate";
  if (ssh_pki_import_privkey_file (s->argv[4], NULL, NULL, NULL, &key) != SSH_OK ||
      ssh_userauth_publickey (session, NULL, key) != SSH_AUTH_SUCCESS)
    goto out;
  s->failed = "command";
  snprintf (command, sizeof command, "%s --send %llu", s->argv[7], (unsigned long long)s->bytes);
  channel = ssh_channel_new (session);
  if (!channel || ssh_channel_open_session (channel) != SSH_OK ||
      ssh_channel_request_exec (channel, command) != SSH_OK)
    goto out;
  while ((n = ssh_channel_read (channel, buf, BUFFER_BYTES, 0)) > 0)
    s->received += (uint64_t)n;
  s->failed = s->received == s->bytes ? NULL : "stream";
out:
  if (channel)
    ssh_channel_free (channel);
  ssh_key_free (key);
  free (buf);
}

static void *
receive_thread (void *data)
{
  struct stream *s = data;
  ssh_session session = ssh_new ();

  if (session) {
    receive (s, session);
    ssh_disconnect (session);
    ssh_free (session);
  }
  return NULL;
}

static int
send_bytes (uint64_t bytes)
{
  static char buf[BUFFER_BYTES];

  for (size_t i = 0; i < sizeof buf; i++)
    buf[i] = (char)(i * 2654435761u >> 13);
  while (bytes > 0) {
    ssize_t n = write (STDOUT_FILENO, buf, bytes < sizeof buf ? (size_t)bytes : sizeof buf);

    if (n <= 0)
      return 1;
    bytes -= (uint64_t)n;
  }
  return 0;
}

int
main (int argc, char **argv)
{
  struct stream streams[SESSIONS_MAX];
  pthread_t threads[SESSIONS_MAX];
  unsigned long sessions;
  uint64_t bytes;
  int status = 0;

  if (argc == 3 && strcmp (argv[1], "--send") == 0)
    return send_bytes (strtoull (argv[2], NULL, 10));
  sessions = argc == 8 ? strtoul (argv[5], NULL, 10) : 0;
  if (sessions < 1 || sessions > SESSIONS_MAX) {
    fprintf (stderr, "usage: ssh-stream ADDRESS PORT USER KEY SESSIONS BYTES COMMAND\n");
    return 2;
  }
  bytes = strtoull (argv[6], NULL, 10);
  for (unsigned long i = 0; i < sessions; i++) {
    streams[i] = (struct stream){ .argv = argv,
                                  .bytes = i == 0 ? bytes - bytes / sessions * (sessions - 1)
                                                  : bytes / sessions };
    if (pthread_create (&threads[i], NULL, receive_thread, &streams[i]) != 0)
      return 1;
  }
  for (unsigned long i = 0; i < sessions; i++) {
    pthread_join (threads[i], NULL);
    if (streams[i].failed) {
      fprintf (stderr, "ssh-stream: %s\n", streams[i].failed);
      status = 1;
    }
  }
  return status;
}
