/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cmd/common.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/parallel.h"
#include "common/strbuf.h"

const struct osm_option osm_session_options[] = {
  { "config", 0, "FILE", "configuration file (see osm.yaml(5))" },
  { "source-cloud", 0, "NAME", "source cloud, as clouds.yaml names it" },
  { "src-cloud", 0, "NAME", "the same as --source-cloud" },
  { "destination-cloud", 0, "NAME", "destination cloud, as clouds.yaml names it" },
  { "dst-cloud", 0, "NAME", "the same as --destination-cloud" },
  { "state-dir", 0, "DIR", "folder of the journal" },
  { "on-hangup", 0, "continue|stop", "what closing the terminal does to a migration (continue)" },
  { "output", 'o', "text|json", "for people (the default) or for programs" },
  { NULL, 0, NULL, NULL },
};

/* First of option, its other name, variable; NULL if none is there. */
static const char *
choose (const struct osm_args *args, const char *option, const char *alias, const char *variable)
{
  const char *value = osm_args_get (args, option);

  if (!value && alias)
    value = osm_args_get (args, alias);
  if (!value)
    value = getenv (variable);
  return value && *value ? value : NULL;
}

static int
apply_state_dir (struct osm_config *config, const char *dir, struct osm_error *err)
{
  char cwd[PATH_MAX];

  if (dir[0] == '/') {
    osm_str_set (&config->state_dir, dir);
    return 0;
  }
  if (!getcwd (cwd, sizeof cwd))
    return osm_error_set (err, OSM_ERROR_USER, 0, "--state-dir %s: the current folder is gone",
                          dir);
  free (config->state_dir);
  config->state_dir = osm_asprintf ("%s/%s", cwd, dir);
  return 0;
}

static int
load_config (const struct osm_args *args, struct osm_config **ret, struct osm_error *err)
{
  OSM_CLEANUP_CONFIG struct osm_config *config = NULL;
  const char *source = choose (args, "source-cloud", "src-cloud", "OSM_SOURCE_CLOUD");
  const char *destination =
      choose (args, "destination-cloud", "dst-cloud", "OSM_DESTINATION_CLOUD");
  const char *state_dir = choose (args, "state-dir", NULL, "OSM_STATE_DIR");

  if (osm_config_load (osm_args_get (args, "config"), &config, err) == -1)
    return -1;
  if (source)
    osm_str_set (&config->cloud[OSM_SOURCE], source);
  if (destination)
    osm_str_set (&config->cloud[OSM_DESTINATION], destination);
  if (osm_args_has (args, "on-hangup"))
    osm_str_set (&config->on_hangup, osm_args_get (args, "on-hangup"));
  if (state_dir && apply_state_dir (config, state_dir, err) == -1)
    return -1;
  *ret = osm_take (config);
  return 0;
}

/* ---- clouds ---- */

struct opening {
  const char *name;
  struct osm_cloud **ret;
};

static int
open_cloud (void *data, struct osm_error *err)
{
  struct opening *o = data;

  return osm_cloud_open (o->name, o->ret, err);
}

static int
check_name (const struct osm_config *config, enum osm_side side, struct osm_error *err)
{
  if (config->cloud[side])
    return 0;
  osm_error_set (err, OSM_ERROR_USER, 0, "no %s cloud is given", osm_side_name (side));
  return osm_error_hint (err,
                         "name one with --%s-cloud, OSM_%s_CLOUD, or '%s: { cloud: NAME }' "
                         "in osm.yaml",
                         osm_side_name (side), side == OSM_SOURCE ? "SOURCE" : "DESTINATION",
                         osm_side_name (side));
}

static int
refuse_same (const struct osm_session *s, struct osm_error *err)
{
  const struct osm_cloud *a = s->cloud[OSM_SOURCE], *b = s->cloud[OSM_DESTINATION];

  if (s->config->allow_same_project || !osm_str_equal (osm_cloud_url (a), osm_cloud_url (b)) ||
      !osm_str_equal (osm_cloud_project_id (a), osm_cloud_project_id (b)))
    return 0;
  osm_error_set (err, OSM_ERROR_USER, 0,
                 "source '%s' and destination '%s' are the same project of the same cloud (%s)",
                 osm_cloud_name (a), osm_cloud_name (b), osm_cloud_url (a));
  return osm_error_hint (err, "name another cloud, or set 'allow_same_project: true' in osm.yaml");
}

static int
open_clouds (struct osm_session *s, struct osm_error *err)
{
  struct opening source = { s->config->cloud[OSM_SOURCE], &s->cloud[OSM_SOURCE] },
                 destination = { s->config->cloud[OSM_DESTINATION], &s->cloud[OSM_DESTINATION] };
  const struct osm_task tasks[] = { { open_cloud, &source }, { open_cloud, &destination } };

  if (check_name (s->config, OSM_SOURCE, err) == -1 ||
      check_name (s->config, OSM_DESTINATION, err) == -1 || osm_parallel (tasks, 2, err) == -1)
    return -1;
  return refuse_same (s, err);
}

static int
open_side (struct osm_session *s, enum osm_side side, struct osm_error *err)
{
  return check_name (s->config, side, err) == -1
             ? -1
             : osm_cloud_open (s->config->cloud[side], &s->cloud[side], err);
}

int
osm_session_open_cloud (struct osm_session *s, enum osm_side side, struct osm_error *err)
{
  if (s->cloud[side])
    return 0;
  if (open_side (s, side, err) == -1)
    return -1;
  return s->cloud[OSM_SOURCE] && s->cloud[OSM_DESTINATION] ? refuse_same (s, err) : 0;
}

/* ---- journal ---- */

/* A folder that was there before may be open to others. One that is ours and holds the journal is closed; what may be there for
 * other purposes, too, is left alone. */
static void
close_state_dir (const char *path)
{
  OSM_CLEANUP_FD int fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct stat st, journal;

  if (fd == -1 || fstat (fd, &st) == -1 || (st.st_mode & 077) == 0)
    return;
  if (st.st_uid == geteuid () && !(st.st_mode & S_ISVTX) &&
      fstatat (fd, "osm.db", &journal, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG (journal.st_mode) &&
      fchmod (fd, 0700) == 0)
    osm_warning ("the state folder %s was open to other users (mode %04o): it is 0700 now", path,
                 (unsigned)st.st_mode & 07777);
  else if ((st.st_mode & 022) && !(st.st_mode & S_ISVTX))
    osm_warning ("other users can change the state folder %s (mode %04o)", path,
                 (unsigned)st.st_mode & 07777);
}

static int
open_store (struct osm_session *s, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/osm.db", s->config->state_dir);

  if (osm_mkdir_p (s->config->state_dir, 0700, err) == -1)
    return osm_error_hint (err, "name another folder for the journal with --state-dir");
  close_state_dir (s->config->state_dir);
  return osm_store_open (path, &s->store, err);
}

int
osm_session_open (const struct osm_args *args, unsigned want, struct osm_session **ret,
                  struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *s = osm_calloc (1, sizeof *s);
  enum osm_ui_mode mode;

  if (osm_ui_mode_parse (osm_args_get (args, "output"), &mode, err) == -1 ||
      load_config (args, &s->config, err) == -1)
    return -1;
  s->opened_ms = osm_now_ms ();
  osm_interrupt_init ();
  /* Whoever only looks ends with the terminal. */
  if ((want & OSM_WANT_CLOUDS) && osm_str_equal (s->config->on_hangup, "continue"))
    osm_hangup_ignore ();
  /* A lost connection or a reader of our output that went away is an error to handle, not the end in the middle of a migration. */
  if (want & OSM_WANT_CLOUDS)
    signal (SIGPIPE, SIG_IGN);
  s->ui = osm_ui_new (mode);
  if ((want & OSM_WANT_STORE) && open_store (s, err) == -1)
    return -1;
  if ((want & OSM_WANT_CLOUDS) && open_clouds (s, err) == -1)
    return -1;
  if ((want & OSM_WANT_SOURCE) && open_side (s, OSM_SOURCE, err) == -1)
    return -1;
  if ((want & OSM_WANT_DESTINATION) && open_side (s, OSM_DESTINATION, err) == -1)
    return -1;
  *ret = osm_take (s);
  return 0;
}

void
osm_session_free (struct osm_session *session)
{
  if (!session)
    return;
  osm_ui_free (session->ui);
  osm_cloud_free (session->cloud[OSM_SOURCE]);
  osm_cloud_free (session->cloud[OSM_DESTINATION]);
  osm_store_free (session->store);
  osm_config_free (session->config);
  json_decref (session->claims);
  free (session);
}
