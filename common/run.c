/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/strbuf.h"

#define MAX_KEEP 16
#define STDERR_TAIL 2048
#define GRACE_MS 2000

/* All that the child needs, prepared before the fork. */
struct child {
  const struct osm_run_spec *spec;
  const char *path;
  char *const *env;
  int null_fd, error_fd;
  pid_t parent;
};

static void
close_from (unsigned first, unsigned last)
{
  struct rlimit limit = { .rlim_cur = 65536 };

  if (first > last || close_range (first, last, 0) == 0)
    return;
  getrlimit (RLIMIT_NOFILE, &limit);
  for (unsigned fd = first; fd <= last && fd < limit.rlim_cur; fd++)
    close ((int)fd);
}

/* Only async-signal-safe calls from here to exec; returns when one of them failed. */
static void
child_exec (const struct child *c, int *error_fd)
{
  const struct osm_run_spec *spec = c->spec;
  struct sigaction sa = { .sa_handler = SIG_DFL };
  int nr = 3 + (int)spec->nr_keep_fds;
  int from[3 + MAX_KEEP];
  sigset_t none;

  for (int sig = 1; sig < NSIG; sig++)
    sigaction (sig, &sa, NULL);
  if (spec->new_session && setsid () == -1)
    return;
  if (spec->die_with_parent) {
    if (prctl (PR_SET_PDEATHSIG, SIGTERM) == -1)
      return;
    if (getppid () != c->parent)
      _exit (1);
  }

  from[0] = spec->stdin_fd >= 0 ? spec->stdin_fd : c->null_fd;
  from[1] = spec->stdout_fd >= 0 ? spec->stdout_fd : STDOUT_FILENO;
  from[2] = spec->stderr_fd >= 0 ? spec->stderr_fd : STDERR_FILENO;
  for (size_t i = 0; i < spec->nr_keep_fds; i++)
    from[3 + i] = spec->keep_fds[i];
  /* First out of the way of all targets, then into place. */
  *error_fd = fcntl (c->error_fd, F_DUPFD_CLOEXEC, nr);
  if (*error_fd == -1) {
    *error_fd = c->error_fd;
    return;
  }
  for (int i = 0; i < nr; i++) {
    from[i] = fcntl (from[i], F_DUPFD_CLOEXEC, nr);
    if (from[i] == -1)
      return;
  }
  for (int i = 0; i < nr; i++)
    if (dup2 (from[i], i) == -1)
      return;
  close_from ((unsigned)nr, (unsigned)*error_fd - 1);
  close_from ((unsigned)*error_fd + 1, ~0U);

  sigemptyset (&none);
  sigprocmask (SIG_SETMASK, &none, NULL);
  execve (c->path, spec->argv, c->env);
}

/* PATH is searched before the fork: execvpe may allocate. */
static int
find_program (const char *name, char **ret, struct osm_error *err)
{
  OSM_CLEANUP_STRV char **folders = NULL;
  const char *path = getenv ("PATH");
  int errnum = ENOENT;

  if (strchr (name, '/')) {
    *ret = osm_strdup (name);
    return 0;
  }
  folders = osm_strv_split (path ? path : "/usr/sbin:/usr/bin:/sbin:/bin", ':');
  for (size_t i = 0; folders[i]; i++) {
    OSM_CLEANUP_FREE char *file = NULL;
    struct stat st;

    if (folders[i][0] != '/')
      continue;
    file = osm_asprintf ("%s/%s", folders[i], name);
    if (stat (file, &st) == -1 || !S_ISREG (st.st_mode))
      continue;
    if (access (file, X_OK) == 0) {
      *ret = osm_take (file);
      return 0;
    }
    errnum = errno;
  }
  return osm_error_set_errno (err, errnum, "run %s", name);
}

int
osm_run_start (const struct osm_run_spec *spec, pid_t *ret_pid, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = NULL;
  OSM_CLEANUP_FD int null_fd = -1;
  OSM_CLEANUP_FD int read_fd = -1;
  OSM_CLEANUP_FD int write_fd = -1;
  struct child c = { .spec = spec, .env = spec->env ? spec->env : environ, .parent = getpid () };
  sigset_t all, saved;
  int fds[2], errnum = 0;
  ssize_t r;
  pid_t pid;

  if (spec->nr_keep_fds > MAX_KEEP)
    return osm_error_set (err, OSM_ERROR_BUG, 0, "run %s: too many descriptors", spec->argv[0]);
  if (find_program (spec->program ? spec->program : spec->argv[0], &path, err) == -1)
    return -1;
  null_fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null_fd == -1)
    return osm_error_set_errno (err, errno, "open /dev/null");
  if (pipe2 (fds, O_CLOEXEC) == -1)
    return osm_error_set_errno (err, errno, "run %s: pipe", spec->argv[0]);
  read_fd = fds[0];
  write_fd = fds[1];
  c.path = path;
  c.null_fd = null_fd;
  c.error_fd = write_fd;

  /* No handler of ours may run in the child. */
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &saved);
  pid = fork ();
  if (pid == 0) {
    int error_fd = c.error_fd;

    child_exec (&c, &error_fd);
    errnum = errno;
    if (write (error_fd, &errnum, sizeof errnum) == -1) {
      /* The status below tells it too. */
    }
    _exit (127);
  }
  if (pid == -1)
    errnum = errno;
  pthread_sigmask (SIG_SETMASK, &saved, NULL);
  if (pid == -1)
    return osm_error_set_errno (err, errnum, "run %s: fork", spec->argv[0]);

  close (osm_take_fd (&write_fd));
  do
    r = read (read_fd, &errnum, sizeof errnum);
  while (r == -1 && errno == EINTR);
  if (r == sizeof errnum) {
    int status;

    while (waitpid (pid, &status, 0) == -1 && errno == EINTR)
      ;
    return osm_error_set_errno (err, errnum, "run %s", spec->argv[0]);
  }
  *ret_pid = pid;
  return 0;
}

int
osm_run_wait (pid_t pid, int *ret_status, struct osm_error *err)
{
  int status;

  while (waitpid (pid, &status, 0) == -1)
    if (errno != EINTR)
      return osm_error_set_errno (err, errno, "wait for process %d", (int)pid);
  if (ret_status)
    *ret_status = status;
  return 0;
}

const char *
osm_run_status_text (int status, char *buf, size_t len)
{
  if (WIFEXITED (status))
    snprintf (buf, len, "exited with status %d", WEXITSTATUS (status));
  else if (WIFSIGNALED (status)) {
    const char *name = sigdescr_np (WTERMSIG (status));

    snprintf (buf, len, "killed by signal %d (%s)", WTERMSIG (status), name ? name : "unknown");
  }
  else
    snprintf (buf, len, "ended with wait status %d", status);
  return buf;
}

/* What comes out of one of the child's descriptors. */
struct output {
  int fd;
  struct osm_strbuf text;
  size_t max_bytes;
  bool keep_tail; /* beyond max_bytes the oldest goes; else it is an error */
  bool discard;
  bool too_much;
};

static void
output_add (struct output *o, const char *data, size_t len)
{
  if (o->discard)
    return;
  if (o->keep_tail) {
    osm_strbuf_add_mem (&o->text, data, len);
    if (o->text.len > o->max_bytes) {
      size_t drop = o->text.len - o->max_bytes;

      memmove (o->text.s, o->text.s + drop, o->max_bytes + 1);
      o->text.len = o->max_bytes;
    }
  }
  else if (len > o->max_bytes - o->text.len)
    o->too_much = true;
  else
    osm_strbuf_add_mem (&o->text, data, len);
}

static void
output_read (struct output *o)
{
  char buf[4096];
  ssize_t r = read (o->fd, buf, sizeof buf);

  if (r > 0)
    output_add (o, buf, (size_t)r);
  else if (r == 0 || errno != EINTR)
    close (osm_take_fd (&o->fd));
}

/* Until both ends are closed, too much came, the deadline (0: none) passed, or -1: interrupted. */
static int
pump (struct output outputs[2], uint64_t end_ms, bool interruptible, struct osm_error *err)
{
  while ((outputs[0].fd >= 0 || outputs[1].fd >= 0) && !outputs[0].too_much) {
    struct pollfd fds[3] = { { .fd = outputs[0].fd, .events = POLLIN },
                             { .fd = outputs[1].fd, .events = POLLIN },
                             { .fd = interruptible ? osm_interrupt_fd () : -1, .events = POLLIN } };
    uint64_t now = osm_now_ms ();
    int timeout = -1;

    if (end_ms > 0) {
      if (now >= end_ms)
        return 0;
      timeout = (int)(end_ms - now);
    }
    if (interruptible && osm_interrupt_check (err) == -1)
      return -1;
    if (poll (fds, 3, timeout) <= 0)
      continue;
    for (int i = 0; i < 2; i++)
      if (fds[i].revents)
        output_read (&outputs[i]);
  }
  return 0;
}

static void
strip_newlines (struct osm_strbuf *b)
{
  while (b->len > 0 && b->s[b->len - 1] == '\n')
    b->s[--b->len] = '\0';
}

static int
capture (pid_t pid, const char *name, struct output outputs[2], struct osm_error *err)
{
  OSM_ERROR (ignored);
  int r = pump (outputs, 0, true, err), status;
  char buf[64];

  if (r == -1 || outputs[0].too_much) {
    kill (pid, SIGTERM);
    outputs[0].discard = true;
    outputs[0].too_much = false;
    pump (outputs, osm_now_ms () + GRACE_MS, false, &ignored);
    if (outputs[0].fd >= 0 || outputs[1].fd >= 0)
      kill (pid, SIGKILL);
    osm_run_wait (pid, NULL, &ignored);
    if (r == -1)
      return osm_error_wrap (err, "%s", name);
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "%s: more than %zu bytes of output", name,
                          outputs[0].max_bytes);
  }
  if (osm_run_wait (pid, &status, err) == -1)
    return -1;
  if (WIFEXITED (status) && WEXITSTATUS (status) == 0)
    return 0;
  strip_newlines (&outputs[1].text);
  osm_run_status_text (status, buf, sizeof buf);
  return osm_error_set (err, OSM_ERROR_USER, WIFEXITED (status) ? WEXITSTATUS (status) : 0,
                        "%s %s%s%s", name, buf, outputs[1].text.len ? ": " : "",
                        osm_strbuf_str (&outputs[1].text));
}

int
osm_run_capture (char *const *argv, size_t max_bytes, char **ret_stdout, struct osm_error *err)
{
  struct output outputs[2] = { { .fd = -1, .max_bytes = max_bytes, .discard = ret_stdout == NULL },
                               { .fd = -1, .max_bytes = STDERR_TAIL, .keep_tail = true } };
  struct osm_run_spec spec = { .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1 };
  int pipes[2][2] = { { -1, -1 }, { -1, -1 } };
  pid_t pid;
  int r;

  if (osm_interrupt_check (err) == -1)
    return osm_error_wrap (err, "%s", argv[0]);
  if (pipe2 (pipes[0], O_CLOEXEC) == -1 || pipe2 (pipes[1], O_CLOEXEC) == -1)
    r = osm_error_set_errno (err, errno, "run %s: pipe", argv[0]);
  else {
    spec.stdout_fd = pipes[0][1];
    spec.stderr_fd = pipes[1][1];
    r = osm_run_start (&spec, &pid, err);
  }
  for (int i = 0; i < 2; i++) {
    osm_cleanup_fd (&pipes[i][1]);
    outputs[i].fd = pipes[i][0];
  }
  if (r == 0)
    r = capture (pid, argv[0], outputs, err);
  if (r == 0 && ret_stdout)
    *ret_stdout = osm_strbuf_take (&outputs[0].text);
  for (int i = 0; i < 2; i++) {
    osm_cleanup_fd (&outputs[i].fd);
    osm_strbuf_done (&outputs[i].text);
  }
  return r;
}
