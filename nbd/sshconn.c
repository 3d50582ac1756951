/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/sshconn.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "nbd/sshkey.h"

#define CONNECT_TIMEOUT_MS 20000
/* A peer that vanished without a word is noticed by the kernel after about 30 s. */
#define KEEPALIVE_IDLE_S 10
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_COUNT 4
#define USER_TIMEOUT_MS 30000
/* New keys well before AES-GCM's limits; a rekey costs one round trip. */
#define REKEY_BYTES (UINT64_C (64) << 30)

static void
cleanup_key (ssh_key *k)
{
  ssh_key_free (*k);
}
#define CLEANUP_KEY __attribute__ ((cleanup (cleanup_key)))

int
osm_cpu_has_aes (void)
{
#if defined(__x86_64__) || defined(__i386__)
  return __builtin_cpu_supports ("aes") && __builtin_cpu_supports ("pclmul");
#elif defined(__aarch64__)
  return (getauxval (AT_HWCAP) & (1UL << 3 | 1UL << 4)) == (1UL << 3 | 1UL << 4); /* AES, PMULL */
#else
  return -1;
#endif
}

int
osm_ssh_cipher_parse (const char *text, enum osm_ssh_cipher *ret, struct osm_error *err)
{
  if (!text)
    *ret = OSM_SSH_CIPHER_AUTO;
  else if (strcmp (text, "aes-gcm") == 0)
    *ret = OSM_SSH_CIPHER_AES_GCM;
  else if (strcmp (text, "chacha20") == 0)
    *ret = OSM_SSH_CIPHER_CHACHA20;
  else
    return osm_error_set (err, OSM_ERROR_USER, EINVAL, "cipher must be aes-gcm or chacha20");
  return 0;
}

int
osm_ssh_error (ssh_session session, const char *what, struct osm_error *err)
{
  const char *text = ssh_get_error (session);

  return osm_error_set (err, OSM_ERROR_RETRY, 0, "%s: %s", what,
                        text && *text ? text : "connection lost");
}

void
osm_ssh_free (ssh_session session)
{
  if (!session)
    return;
  ssh_disconnect (session);
  ssh_free (session);
}

static void
set_int (int fd, int level, int option, int value)
{
  if (setsockopt (fd, level, option, &value, sizeof value) == -1)
    osm_debug ("setsockopt %d: %m", option); /* a tuning, not a need */
}

static int
wait_connected (int fd, uint64_t deadline_ms)
{
  for (;;) {
    struct pollfd fds[] = { { .fd = fd, .events = POLLOUT },
                            { .fd = osm_interrupt_fd (), .events = POLLIN } };
    uint64_t now = osm_now_ms ();
    int e = 0, r;
    socklen_t len = sizeof e;

    if (now >= deadline_ms)
      return ETIMEDOUT;
    r = poll (fds, 2, (int)(deadline_ms - now));
    if (r == -1 && errno != EINTR)
      return errno;
    if (r > 0 && fds[1].revents)
      return EINTR;
    if (r > 0)
      return getsockopt (fd, SOL_SOCKET, SO_ERROR, &e, &len) == -1 ? errno : e;
  }
}

/* Own connect: libssh's knows neither keepalive nor a deadline over several addresses. */
static int
tcp_connect (const struct osm_ssh_target *target, uint64_t deadline_ms, int *ret_fd,
             struct osm_error *err)
{
  struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
  struct addrinfo *list = NULL;
  char port[8];
  int r, e = ECONNREFUSED;

  snprintf (port, sizeof port, "%u", target->port ? target->port : 22u);
  r = getaddrinfo (target->address, port, &hints, &list);
  if (r != 0)
    return osm_error_set (err, r == EAI_AGAIN ? OSM_ERROR_RETRY : OSM_ERROR_USER, 0,
                          "cannot resolve %s: %s", target->address, gai_strerror (r));
  for (struct addrinfo *a = list; a; a = a->ai_next) {
    int fd = socket (a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);

    if (fd == -1) {
      e = errno;
      continue;
    }
    set_int (fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_int (fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_int (fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    set_int (fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    set_int (fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
    set_int (fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
    e = connect (fd, a->ai_addr, a->ai_addrlen) == 0 ? 0 : errno;
    if (e == EINPROGRESS)
      e = wait_connected (fd, deadline_ms);
    if (e == 0) {
      *ret_fd = fd;
      freeaddrinfo (list);
      return 0;
    }
    close (fd);
  }
  freeaddrinfo (list);
  return osm_error_set (err, OSM_ERROR_RETRY, e, "cannot connect to %s port %s: %s",
                        target->address, port, strerror (e));
}

/* The algorithms by which the server may prove the keys that we have. */
static int
host_key_algorithms (char *const *host_keys, char **ret, struct osm_error *err)
{
  OSM_CLEANUP_STRV char **algorithms = NULL;

  for (size_t i = 0; host_keys && host_keys[i]; i++) {
    OSM_CLEANUP_FREE char *type = NULL;

    if (osm_sshkey_parse (host_keys[i], &type, NULL, err) == -1)
      return osm_error_wrap (err, "host key %zu", i + 1);
    if (strcmp (type, "ssh-rsa") == 0)
      osm_str_set (&type, "rsa-sha2-512,rsa-sha2-256"); /* SHA-1 signatures are not accepted */
    if (!algorithms || !osm_strv_contains (algorithms, type))
      osm_strv_append (&algorithms, type);
  }
  if (!algorithms)
    return osm_error_set (err, OSM_ERROR_USER, 0, "no host key is known for it");
  *ret = osm_strv_join (algorithms, ",");
  return 0;
}

static char *
fingerprints (char *const *host_keys)
{
  OSM_STRBUF (b);

  for (size_t i = 0; host_keys[i]; i++) {
    OSM_ERROR (ignored);
    OSM_CLEANUP_FREE char *text = NULL;
    OSM_CLEANUP_FREE char *type = NULL;

    if (osm_sshkey_fingerprint (host_keys[i], &text, &ignored) == 0 &&
        osm_sshkey_parse (host_keys[i], &type, NULL, &ignored) == 0)
      osm_strbuf_addf (&b, "%s%s (%s)", b.len ? " or " : "", text, type);
  }
  return osm_strbuf_take (&b);
}

static int
key_mismatch (const struct osm_ssh_target *target, const char *is, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *expected = fingerprints (target->host_keys);

  osm_error_set (err, OSM_ERROR_USER, 0, "host key of %s is %s, expected %s", target->address, is,
                 expected);
  return osm_error_hint (err,
                         "find out why the host key changed before trusting it: another machine "
                         "may be answering at this address");
}

static int
check_host_key (ssh_session session, const struct osm_ssh_target *target, struct osm_error *err)
{
  CLEANUP_KEY ssh_key key = NULL;
  OSM_CLEANUP_FREE char *line = NULL;
  OSM_CLEANUP_FREE char *text = NULL;
  OSM_CLEANUP_FREE char *is = NULL;
  char *base64 = NULL;

  if (ssh_get_server_publickey (session, &key) != SSH_OK ||
      ssh_pki_export_pubkey_base64 (key, &base64) != SSH_OK)
    return osm_ssh_error (session, "cannot get the host key", err);
  line = osm_asprintf ("%s %s", ssh_key_type_to_char (ssh_key_type (key)), base64);
  ssh_string_free_char (base64);
  for (size_t i = 0; target->host_keys[i]; i++)
    if (osm_sshkey_equal (line, target->host_keys[i]))
      return 0;
  if (osm_sshkey_fingerprint (line, &text, err) == -1)
    return -1;
  is = osm_asprintf ("%s (%s)", text, ssh_key_type_to_char (ssh_key_type (key)));
  return key_mismatch (target, is, err);
}

static int
authenticate (ssh_session session, const struct osm_ssh_target *target, ssh_key key,
              struct osm_error *err)
{
  OSM_CLEANUP_FREE char *line = NULL;
  OSM_CLEANUP_FREE char *text = NULL;
  OSM_ERROR (ignored);

  switch (key ? ssh_userauth_publickey (session, NULL, key) : ssh_userauth_agent (session, NULL)) {
  case SSH_AUTH_SUCCESS:
    return 0;
  case SSH_AUTH_DENIED:
  case SSH_AUTH_PARTIAL:
    if (!key)
      return osm_error_set (err, OSM_ERROR_USER, EACCES,
                            "%s accepts no key of the SSH agent for user %s", target->address,
                            target->user);
    if (osm_sshkey_public (target->private_key_path, NULL, &line, &ignored) == 0)
      osm_sshkey_fingerprint (line, &text, &ignored);
    osm_error_set (err, OSM_ERROR_USER, EACCES, "%s does not accept the key %s for user %s",
                   target->address, text ? text : target->private_key_path, target->user);
    return osm_error_hint (err, "the public half of %s must be authorized there",
                           target->private_key_path);
  default:
    return osm_ssh_error (session, "authentication", err);
  }
}

static int
set_options (ssh_session session, const struct osm_ssh_target *target, uint64_t timeout_ms, int fd,
             struct osm_error *err)
{
  OSM_CLEANUP_FREE char *algorithms = NULL;
  bool aes = target->cipher == OSM_SSH_CIPHER_AES_GCM ||
             (target->cipher == OSM_SSH_CIPHER_AUTO && osm_cpu_has_aes () == 1);
  const char *ciphers =
      aes ? "aes128-gcm@openssh.com,aes256-gcm@openssh.com" : "chacha20-poly1305@openssh.com";
  unsigned port = target->port ? target->port : 22;
  long seconds = (long)((timeout_ms + 999) / 1000);
  int no = 0, yes = 1, level = SSH_LOG_NOLOG;
  uint64_t rekey = REKEY_BYTES;

  if (host_key_algorithms (target->host_keys, &algorithms, err) == -1)
    return -1;
  if (ssh_options_set (session, SSH_OPTIONS_PROCESS_CONFIG, &no) < 0 ||
      ssh_options_set (session, SSH_OPTIONS_LOG_VERBOSITY, &level) < 0 ||
      ssh_options_set (session, SSH_OPTIONS_HOST, target->address) < 0 ||
      ssh_options_set (session, SSH_OPTIONS_PORT, &port) < 0 ||
      ssh_options_set (session, SSH_OPTIONS_FD, &fd) < 0 ||
      ssh_options_set (session, SSH_OPTIONS_USER, target->user) < 0 ||
      ssh_options_set (session, SSH_OPTIONS_TIMEOUT, &seconds) < 0 ||
      ssh_options_set (session, SSH_OPTIONS_NODELAY, &yes) < 0 ||
      ssh_options_set (session, SSH_OPTIONS_HOSTKEYS, algorithms) < 0 ||
      ssh_options_set (session, SSH_OPTIONS_CIPHERS_C_S, ciphers) < 0 ||
      ssh_options_set (session, SSH_OPTIONS_CIPHERS_S_C, ciphers) < 0 ||
      ssh_options_set (session, SSH_OPTIONS_COMPRESSION, "no") < 0 ||
      ssh_options_set (session, SSH_OPTIONS_REKEY_DATA, &rekey) < 0)
    return osm_error_set (err, OSM_ERROR_USER, 0, "SSH option: %s", ssh_get_error (session));
  return 0;
}

int
osm_ssh_connect (const struct osm_ssh_target *target, ssh_session *ret, struct osm_error *err)
{
  OSM_CLEANUP_SSH ssh_session session = NULL;
  CLEANUP_KEY ssh_key key = NULL;
  OSM_CLEANUP_FD int fd = -1;
  uint64_t timeout_ms =
      target->connect_timeout_ms ? target->connect_timeout_ms : CONNECT_TIMEOUT_MS;
  int session_fd, r;

  if (target->private_key_path &&
      ssh_pki_import_privkey_file (target->private_key_path, NULL, NULL, NULL, &key) != SSH_OK)
    return osm_error_set (err, OSM_ERROR_USER, 0, "cannot read SSH private key %s",
                          target->private_key_path);
  session = ssh_new ();
  if (!session)
    osm_oom ();
  if (tcp_connect (target, osm_now_ms () + timeout_ms, &fd, err) == -1)
    return -1;
  session_fd = fd;
  if (set_options (session, target, timeout_ms, session_fd, err) == -1)
    return osm_error_wrap (err, "SSH to %s", target->address);
  r = ssh_connect (session);
  if (ssh_get_fd (session) == session_fd)
    osm_take_fd (&fd); /* libssh closes it with the session */
  if (r != SSH_OK) {
    if (strstr (ssh_get_error (session), "server host key algo"))
      return key_mismatch (target, "of another type", err);
    if (strstr (ssh_get_error (session), "no match for method"))
      return osm_error_set (err, OSM_ERROR_REMOTE, 0, "SSH to %s: %s", target->address,
                            ssh_get_error (session));
    osm_ssh_error (session, "key exchange", err);
    return osm_error_wrap (err, "SSH to %s", target->address);
  }
  if (check_host_key (session, target, err) == -1 || authenticate (session, target, key, err) == -1)
    return osm_error_wrap (err, "SSH to %s", target->address);
  *ret = osm_take (session);
  return 0;
}
