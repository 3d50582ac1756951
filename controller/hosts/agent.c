/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The agent of a host that has just been made: waiting until it answers, and bringing it there (agent_install: upload). */

#include <config.h>

#include "controller/hosts/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/json.h"
#include "common/run.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"
#include "controller/link/remote.h"

#define UPLOAD_TIMEOUT_MS (15 * 60 * 1000)
/* How long the link may try before the console is looked at. */
#define SAY_MS 30000 /* nobody likes a silent program */
#define SLICE_MS 15000
/* Somebody lets user osm in, but no service answers: an image with an agent that was never set up, or does not run. */
#define UPLOAD_ANYWAY_MS 20000
#define POLL_MS 1000

/* What run_agent_setup of the user data says when there is none. */
#define NO_AGENT "this image has no osm agent"

/* Paths as they are here and as they will be there. */
static const char *const agent_files[] = {
  OSM_BINDIR "/osm-agent",      OSM_LIBEXECDIR "/agent-setup",
  OSM_DATADIR "/sshd-osm.conf", OSM_SYSTEMDUNITDIR "/osm-agent.service",
  OSM_SYSUSERSDIR "/osm.conf",  OSM_TMPFILESDIR "/osm.conf",
};
#define NR_FILES (sizeof agent_files / sizeof agent_files[0])

/* The packages come by cloud-init; what sudo runs must not wait for a password. */
static const char unpack_command[] =
    "timeout 600 cloud-init status --wait < /dev/null > /dev/null 2>&1; "
    "sudo -n tar -C / --no-same-owner --no-overwrite-dir -x -f - && sudo -n " OSM_LIBEXECDIR
    "/agent-setup";

/* Where the agent was installed with DESTDIR, for tests and for those who build it elsewhere. */
static const char *
agent_root (void)
{
  const char *given = getenv ("OSM_AGENT_ROOT");

  return given && *given ? given : "/";
}

/* A tar archive of the agent's files; *ret_fd is at its beginning. */
static int
pack (int *ret_fd, struct osm_error *err)
{
  static const char *const options[] = {
    "tar", "-c", "-f", "-", "--owner=0", "--group=0", "--numeric-owner", "--mode=u+rw,go=u-w",
    "-C",  NULL
  };
  const char *root = agent_root ();
  OSM_CLEANUP_FD int fd = memfd_create ("osm-agent.tar", MFD_CLOEXEC);
  OSM_CLEANUP_STRV char **argv = NULL;
  struct osm_run_spec spec = { .stdin_fd = -1, .stdout_fd = fd, .stderr_fd = -1 };
  char text[64];
  pid_t pid;
  int status;

  if (fd == -1)
    return osm_error_set_errno (err, errno, "memfd_create");
  for (size_t i = 0; options[i]; i++)
    osm_strv_append (&argv, options[i]);
  osm_strv_append (&argv, root);
  for (size_t i = 0; i < NR_FILES; i++) {
    OSM_CLEANUP_FREE char *here =
        osm_asprintf ("%s%s", strcmp (root, "/") ? root : "", agent_files[i]);

    if (!osm_file_exists (here)) {
      osm_error_set (err, OSM_ERROR_USER, ENOENT,
                     "the agent is to be brought to it, but %s is not there", here);
      return osm_error_hint (err,
                             "install the agent on this machine too, or use an image that has it "
                             "(agent_install: image)");
    }
    osm_strv_append (&argv, agent_files[i] + 1);
  }
  spec.argv = argv;
  if (osm_run_start (&spec, &pid, err) == -1 || osm_run_wait (pid, &status, err) == -1)
    return -1;
  if (status != 0)
    return osm_error_set (err, OSM_ERROR_USER, 0, "pack the agent's files: tar %s",
                          osm_run_status_text (status, text, sizeof text));
  if (lseek (fd, 0, SEEK_SET) == -1)
    return osm_error_set_errno (err, errno, "lseek");
  *ret_fd = osm_take_fd (&fd);
  return 0;
}

static int
upload (struct osm_hosts_context *context, const struct osm_host *host,
        const struct osm_link_target *agent, struct osm_error *err)
{
  const struct osm_host_config *config = &context->config->host[host->side];
  OSM_CLEANUP_FREE char *name = osm_asprintf ("%s, as user %s", agent->name, config->agent_login);
  struct osm_link_target target = *agent;
  OSM_CLEANUP_FD int fd = -1;

  target.name = name;
  target.user = config->agent_login;
  if (pack (&fd, err) == -1 ||
      osm_remote_run (&target, unpack_command, fd, UPLOAD_TIMEOUT_MS, err) == -1)
    return osm_error_wrap (err, "bring the agent there");
  if (context->report)
    context->report (context->report_data, host->side, "agent brought there and set up");
  return 0;
}

/* Is it our own user data that says so? Then waiting is in vain. */
static int
look_at_console (struct osm_hosts_context *context, const struct osm_host *host,
                 struct osm_error *err)
{
  OSM_CLEANUP_FREE char *console = NULL;
  OSM_ERROR (ignored);

  if (osm_server_console (context->cloud[host->side], host->server_id, 0, &console, &ignored) ==
          -1 ||
      !strstr (console, NO_AGENT))
    return 0;
  osm_error_set (err, OSM_ERROR_USER, 0, "the image of the %s conversion host has no osm agent",
                 osm_side_name (host->side));
  return osm_error_hint (err,
                         "use an image made by images/build-image, or set agent_install: upload");
}

static bool
is_other_version (const struct osm_link *link)
{
  return !osm_str_equal (osm_json_str (osm_link_hello (link), "version"), PACKAGE_VERSION);
}

int
osm_host_wait_agent (struct osm_hosts_context *context, struct osm_host *host,
                     const struct osm_link_target *target, uint64_t timeout_ms,
                     struct osm_error *err)
{
  const bool by_upload = osm_str_equal (context->config->host[host->side].agent_install, "upload");
  bool may_upload = by_upload;
  uint64_t started = osm_now_ms (), said = started, slice = may_upload ? 0 : SLICE_MS;

  for (;;) {
    OSM_ERROR (why);

    if (osm_link_open_wait (target, slice, &host->link, &why) == 0) {
      if (!may_upload || !is_other_version (host->link))
        return 0;
      osm_link_free (osm_take (host->link));
      osm_error_set (&why, OSM_ERROR_USER, EACCES, "the agent there is of another version");
    }
    if (may_upload &&
        (why.class == OSM_ERROR_USER ||
         (why.class == OSM_ERROR_RETRY && osm_now_ms () - started > UPLOAD_ANYWAY_MS))) {
      /* sshd answers and does not know the user osm, or nothing stands behind it: bring the agent. The login user may not be there yet either. */
      osm_error_clear (&why);
      if (upload (context, host, target, &why) == 0) {
        may_upload = false;
        slice = SLICE_MS;
        continue;
      }
    }
    if (why.class == OSM_ERROR_INTERRUPTED || osm_now_ms () - started > timeout_ms ||
        ((why.class == OSM_ERROR_USER || (may_upload && why.class == OSM_ERROR_REMOTE)) &&
         why.code != EACCES)) {
      if (why.code == EACCES)
        osm_error_hint (&why,
                        "look at the console log of server %s: has cloud-init run, and has the "
                        "image the agent?",
                        host->server_id);
      osm_error_move (err, &why);
      return -1;
    }
    if (!by_upload && look_at_console (context, host, err) == -1)
      return -1;
    if (context->report && osm_now_ms () - said >= SAY_MS) {
      OSM_CLEANUP_FREE char *text =
          osm_asprintf ("still waiting after %d s: %s", (int)((osm_now_ms () - started) / 1000),
                        why.message ? why.message : "no answer yet");

      context->report (context->report_data, host->side, text);
      said = osm_now_ms ();
    }
    if (osm_wait_ms (POLL_MS, err) == -1)
      return -1;
  }
}
