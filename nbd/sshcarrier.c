/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/sshcarrier.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/run.h"
#include "common/strbuf.h"
#include "nbd/sshkey.h"

#define NAME \
  "osm" /* what the known_hosts file calls the server, whatever its address and port are */
#define SAID_MAX 4096
#define PAUSE_MS 500
#define PAUSE_MAX_MS 5000
#define STEADY_MS 30000 /* one that ran for so long is started again without delay */
#define GRACE_MS 2000

struct osm_carrier {
  char *address, *known_hosts_path;
  char **argv;
  int stop_fd;
  pthread_t thread;
  pthread_mutex_t lock; /* of status */
  struct osm_carrier_status status;
};

/* ---- the command line ---- */

/* A value of -o that is a file name: quoted, and without OpenSSH's tokens. */
static int
file_value (const char *path, char **ret, struct osm_error *err)
{
  OSM_STRBUF (b);

  if (path[0] != '/' || strpbrk (path, "\"\\$\n"))
    return osm_error_set (err, OSM_ERROR_USER, EINVAL, "ssh cannot be told the file name '%s'",
                          path);
  for (const char *p = path; *p; p++)
    osm_strbuf_addf (&b, "%s%c", *p == '%' ? "%" : "", *p);
  *ret = osm_strbuf_take (&b);
  return 0;
}

static int
check_address (const char *address, struct osm_error *err)
{
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-_";

  if (!address || !*address || address[0] == '-' || strspn (address, plain) != strlen (address))
    return osm_error_set (err, OSM_ERROR_USER, EINVAL, "'%s' is no address",
                          address ? address : "");
  return 0;
}

static void
add_option (char ***argv, const char *text)
{
  osm_strv_append (argv, "-o");
  osm_strv_append (argv, text);
}

int
osm_carrier_argv (const struct osm_carrier_options *options, char ***ret, struct osm_error *err)
{
  static const char *const fixed[] = {
    "BatchMode=yes",
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "PreferredAuthentications=publickey",
    "StrictHostKeyChecking=yes",
    "GlobalKnownHostsFile=/dev/null",
    "HostKeyAlias=" NAME, /* NOLINT(bugprone-suspicious-missing-comma): one string */
    "CheckHostIP=no",
    "UpdateHostKeys=no",
    "ControlMaster=no",
    "ControlPath=none",
    "Compression=no",
    "ExitOnForwardFailure=yes",
    "ConnectTimeout=10",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=4",
    "LogLevel=ERROR",
  };
  const char *gcm = "aes128-gcm@openssh.com,aes256-gcm@openssh.com",
             *chacha = "chacha20-poly1305@openssh.com";
  bool aes = options->cipher == OSM_SSH_CIPHER_AES_GCM ||
             (options->cipher == OSM_SSH_CIPHER_AUTO && osm_cpu_has_aes () == 1);
  OSM_CLEANUP_STRV char **argv = NULL;
  OSM_CLEANUP_FREE char *key = NULL, *known = NULL, *known_hosts = NULL, *forward = NULL,
                        *port = osm_asprintf ("%u", options->port ? options->port : 22u),
                        *ciphers =
                            osm_asprintf ("Ciphers=%s,%s", aes ? gcm : chacha, aes ? chacha : gcm);
  bool v6 = options->to_address && strchr (options->to_address, ':');

  if (check_address (options->address, err) == -1 ||
      check_address (options->to_address, err) == -1 || check_address (options->user, err) == -1 ||
      file_value (options->private_key_path, &key, err) == -1 ||
      file_value (options->known_hosts_path, &known, err) == -1)
    return -1;
  known_hosts = osm_asprintf ("UserKnownHostsFile=\"%s\"", known);
  forward = osm_asprintf ("127.0.0.1:%u:%s%s%s:%u", options->listen_port, v6 ? "[" : "",
                          options->to_address, v6 ? "]" : "", options->to_port);
  osm_strv_append (&argv, "ssh");
  osm_strv_append (&argv, "-N");
  osm_strv_append (&argv, "-T");
  osm_strv_append (&argv, "-F");
  osm_strv_append (&argv, "none");
  osm_strv_append (&argv, "-i");
  osm_strv_append (&argv, key);
  for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
    add_option (&argv, fixed[i]);
  add_option (&argv, ciphers);
  add_option (&argv, known_hosts);
  osm_strv_append (&argv, "-p");
  osm_strv_append (&argv, port);
  osm_strv_append (&argv, "-R");
  osm_strv_append (&argv, forward);
  osm_strv_append (&argv, "-l");
  osm_strv_append (&argv, options->user);
  osm_strv_append (&argv, "--");
  osm_strv_append (&argv, options->address);
  *ret = osm_take (argv);
  return 0;
}

static int
write_known_hosts (const struct osm_carrier_options *options, struct osm_error *err)
{
  OSM_STRBUF (text);

  for (size_t i = 0; options->host_keys && options->host_keys[i]; i++) {
    OSM_CLEANUP_FREE char *key = NULL;

    if (osm_sshkey_normalize (options->host_keys[i], &key, err) == -1)
      return osm_error_wrap (err, "host key %zu", i + 1);
    osm_strbuf_addf (&text, "%s %s\n", NAME, key);
  }
  if (text.len == 0)
    return osm_error_set (err, OSM_ERROR_USER, 0, "no host key is known for %s", options->address);
  return osm_file_write (options->known_hosts_path, text.s, text.len, 0600, err);
}

/* ---- its end ---- */

/* The last line says why; what comes before is a warning in a frame of signs. */
int
osm_carrier_error (const char *address, const char *said, const char *status, struct osm_error *err)
{
  OSM_CLEANUP_STRV char **lines = osm_strv_split (said, '\n');
  const char *last = NULL;

  for (size_t i = 0; lines[i]; i++) {
    lines[i][strcspn (lines[i], "\r")] = '\0';
    if (*lines[i])
      last = lines[i];
  }
  if (last && strstr (last, "Host key verification failed")) {
    osm_error_set (err, OSM_ERROR_USER, 0,
                   "ssh to %s: another host key answers than the one that is pinned", address);
    return osm_error_hint (err, "find out why the host key changed before trusting it: another "
                                "machine may be answering at this address");
  }
  return osm_error_set (
      err, last && strstr (last, "Permission denied") ? OSM_ERROR_USER : OSM_ERROR_RETRY,
      last && strstr (last, "Permission denied") ? EACCES : 0, "ssh to %s: %s", address,
      last ? last : status);
}

static void
note_start (struct osm_carrier *c)
{
  OSM_LOCKED (&c->lock);
  c->status.running = true;
}

static void
note_end (struct osm_carrier *c, struct osm_error *why)
{
  OSM_LOCKED (&c->lock);
  c->status.running = false;
  c->status.ends++;
  osm_error_move (&c->status.error, why);
}

/* ---- the thread ---- */

/* True: it is to stop. */
static bool
pause_ms (const struct osm_carrier *c, uint64_t ms)
{
  struct pollfd pfd = { .fd = c->stop_fd, .events = POLLIN };
  uint64_t end = osm_now_ms () + ms;

  for (;;) {
    uint64_t now = osm_now_ms ();

    if (now >= end)
      return false;
    if (poll (&pfd, 1, (int)(end - now)) == 1)
      return true;
  }
}

/* What it says until it has nothing more to say, which is its end. True: it is to stop. */
static bool
listen_to (const struct osm_carrier *c, int fd, struct osm_strbuf *said)
{
  for (;;) {
    struct pollfd fds[2] = { { .fd = c->stop_fd, .events = POLLIN },
                             { .fd = fd, .events = POLLIN } };
    char buf[1024];
    ssize_t n;

    if (poll (fds, 2, -1) == -1)
      continue; /* EINTR */
    if (fds[0].revents)
      return true;
    n = read (fd, buf, sizeof buf);
    if (n == -1 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    osm_strbuf_add_mem (said, buf, (size_t)n);
    if (said->len > SAID_MAX) {
      size_t drop = said->len - SAID_MAX;

      memmove (said->s, said->s + drop, SAID_MAX + 1);
      said->len = SAID_MAX;
    }
  }
}

static void
end_process (pid_t pid)
{
  uint64_t end = osm_now_ms () + GRACE_MS;

  kill (pid, SIGTERM);
  for (;;) {
    pid_t r = waitpid (pid, NULL, WNOHANG);

    if (r == pid || (r == -1 && errno != EINTR))
      return;
    if (osm_now_ms () > end)
      kill (pid, SIGKILL);
    (void)poll (NULL, 0, 10);
  }
}

/* True: it is to stop. Else it has ended, and why. */
static bool
run_once (struct osm_carrier *c, struct osm_error *why)
{
  OSM_STRBUF (said);
  OSM_CLEANUP_FD int read_fd = -1;
  struct osm_run_spec spec = { .argv = c->argv,
                               .stdin_fd = -1,
                               .die_with_parent = true,
                               .new_session = true /* Ctrl-C is not for it */ };
  int fds[2], status, r;
  char text[128];
  pid_t pid;

  if (pipe2 (fds, O_CLOEXEC) == -1) {
    osm_error_set_errno (why, errno, "pipe for ssh");
    return false;
  }
  read_fd = fds[0];
  spec.stdout_fd = spec.stderr_fd = fds[1];
  r = osm_run_start (&spec, &pid, why);
  close (fds[1]);
  if (r == -1) {
    osm_error_hint (why, "install OpenSSH's client");
    return false;
  }
  note_start (c);
  if (listen_to (c, read_fd, &said)) {
    end_process (pid);
    return true;
  }
  if (osm_run_wait (pid, &status, why) == 0)
    osm_carrier_error (c->address, osm_strbuf_str (&said),
                       osm_run_status_text (status, text, sizeof text), why);
  return false;
}

static void *
keep_running (void *data)
{
  struct osm_carrier *c = data;
  uint64_t delay = PAUSE_MS;

  for (;;) {
    uint64_t begin = osm_now_ms ();
    OSM_ERROR (why);

    if (run_once (c, &why))
      return NULL;
    note_end (c, &why);
    if (osm_now_ms () - begin > STEADY_MS)
      delay = PAUSE_MS;
    if (pause_ms (c, delay))
      return NULL;
    delay = delay * 2 < PAUSE_MAX_MS ? delay * 2 : PAUSE_MAX_MS;
  }
}

static void
release (struct osm_carrier *c)
{
  if (c->stop_fd >= 0)
    close (c->stop_fd);
  unlink (c->known_hosts_path);
  pthread_mutex_destroy (&c->lock);
  osm_error_done (&c->status.error);
  osm_strv_free (c->argv);
  free (c->address);
  free (c->known_hosts_path);
  free (c);
}

int
osm_carrier_new (const struct osm_carrier_options *options, struct osm_carrier **ret,
                 struct osm_error *err)
{
  OSM_CLEANUP_STRV char **argv = NULL;
  struct osm_carrier *c;
  int e;

  if (osm_carrier_argv (options, &argv, err) == -1 || write_known_hosts (options, err) == -1)
    return -1;
  c = osm_calloc (1, sizeof *c);
  pthread_mutex_init (&c->lock, NULL);
  c->argv = osm_take (argv);
  c->address = osm_strdup (options->address);
  c->known_hosts_path = osm_strdup (options->known_hosts_path);
  c->stop_fd = eventfd (0, EFD_CLOEXEC);
  e = c->stop_fd == -1 ? errno : pthread_create (&c->thread, NULL, keep_running, c);
  if (e != 0) {
    release (c);
    return osm_error_set_errno (err, e, "start the thread of a carrier");
  }
  *ret = c;
  return 0;
}

void
osm_carrier_status (struct osm_carrier *c, struct osm_carrier_status *ret)
{
  OSM_LOCKED (&c->lock);
  ret->running = c->status.running;
  ret->ends = c->status.ends;
  osm_error_copy (&ret->error, &c->status.error);
}

void
osm_carrier_free (struct osm_carrier *c)
{
  uint64_t one = 1;

  if (!c)
    return;
  while (write (c->stop_fd, &one, sizeof one) == -1 && errno == EINTR)
    ;
  pthread_join (c->thread, NULL);
  release (c);
}
