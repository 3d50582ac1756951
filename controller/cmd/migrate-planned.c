/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* migrate-server --plan FILE [SERVER...]: all that the file has, or those that are named, one after the other. */

#include <config.h>

#include "controller/cmd/migrate.h"

#include <stdlib.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/migration/findings.h"
#include "controller/migration/planfile.h"
#include "controller/migration/preflight.h"
#include "controller/migration/quota.h"

struct planned {
  const struct osm_args *args;
  struct osm_session *session;
  struct osm_planfile *file;
  const char *path;
  char **accepted;
  const json_t **entries; /* of the file */
  size_t nr;
};

/* These decisions are in the file. */
static int
check_options (const struct osm_args *args, struct osm_error *err)
{
  static const char *const decided[] = { "boot-volume", "user-data",         "floating-ip",
                                         "compress",    "availability-zone", "power",
                                         "local-disks", "boot-disk" };

  for (size_t i = 0; i < sizeof decided / sizeof decided[0]; i++)
    if (osm_args_has (args, decided[i])) {
      osm_error_set (err, OSM_ERROR_USER, 0, "--%s does not go with --plan", decided[i]);
      return osm_error_hint (err, "say it in the file");
    }
  return 0;
}

static int
choose_entries (struct planned *p, struct osm_error *err)
{
  const json_t *all = osm_planfile_servers (p->file);
  const char *const *operands;
  size_t named = osm_args_operands (p->args, &operands), n = named ? named : json_array_size (all);

  if (n == 0)
    return osm_error_set (err, OSM_ERROR_USER, 0, "%s has no servers", p->path);
  p->entries = osm_calloc (n, sizeof *p->entries);
  for (size_t i = 0; i < n; i++) {
    const json_t *entry = named ? NULL : json_array_get (all, i);
    bool twice = false;

    if (named && osm_planfile_find (p->file, operands[i], &entry, err) == -1)
      return -1;
    for (size_t k = 0; k < p->nr; k++)
      twice |= p->entries[k] == entry;
    if (!twice)
      p->entries[p->nr++] = entry;
  }
  return 0;
}

static const char *
label_of (const json_t *entry)
{
  const char *name = osm_json_str (entry, "name");

  return name && *name ? name : osm_json_str (entry, "id");
}

/* Plans by the entry, and says where the file is not what is planned. Returns an osm_exit; err is set unless it is OSM_EXIT_OK. */
static int
plan_entry (const struct planned *p, const json_t *entry, json_t **ret, size_t *ret_stopping,
            struct osm_error *err)
{
  struct osm_plan_input input;
  OSM_CLEANUP_JSON json_t *plan = NULL, *mismatches = NULL;
  size_t i, nr;
  const json_t *mismatch;

  /* Other migrations went on since the last one was planned. */
  if (osm_cmd_load_claims (p->session, err) == -1)
    return OSM_EXIT_FAILED;
  input = osm_cmd_plan_input (p->args, p->session, NULL);
  osm_planfile_input (entry, &input);
  if (osm_plan_server (&input, &plan, err) == -1) {
    osm_error_wrap (err, "%s: server '%s'", p->path, label_of (entry));
    return OSM_EXIT_FAILED;
  }
  mismatches = osm_planfile_compare (p->file, entry, plan,
                                     osm_cloud_name (p->session->cloud[OSM_DESTINATION]));
  nr = json_array_size (mismatches);
  json_array_foreach (mismatches, i, mismatch)
  {
    OSM_CLEANUP_FREE char *line = osm_quote_terminal (osm_json_str (mismatch, "text"));
    json_t *event = json_copy ((json_t *)mismatch);

    json_object_set_new (event, "event", json_string ("mismatch"));
    osm_json_set_str (event, "server", osm_json_str (entry, "id"));
    osm_ui_event (p->session->ui, event, line);
  }
  if (osm_cmd_judge (p->args, "server", label_of (entry), plan, p->accepted, ret_stopping, err) !=
          OSM_EXIT_OK &&
      !osm_args_has (p->args, "dry-run"))
    osm_cmd_show_findings (p->session, plan);
  *ret_stopping += nr;
  *ret = osm_take (plan);
  if (nr == 0)
    return osm_error_is_set (err) ? OSM_EXIT_BLOCKED : OSM_EXIT_OK;
  osm_error_clear (err);
  osm_error_set (err, OSM_ERROR_USER, 0,
                 "%s does not fit server '%s' and the clouds in %zu place%s, see above", p->path,
                 label_of (entry), nr, nr == 1 ? "" : "s");
  osm_error_hint (
      err, "correct the file, or make a new one with osm-controller plan; both clouds are as "
           "they were");
  return OSM_EXIT_BLOCKED;
}

/* One after the other they need the source's quotas only one after the other, but those of the destination all. Returns an osm_exit. */
static int
check_together (const struct planned *p, const json_t *plans, struct osm_error *err)
{
  struct osm_cloud *const *cloud = p->session->cloud;
  OSM_CLEANUP_JSON json_t *together = NULL, *destination = NULL;
  const char *const names[] = { osm_cloud_name (cloud[OSM_SOURCE]),
                                osm_cloud_name (cloud[OSM_DESTINATION]) };
  const json_t *quota[] = { NULL, NULL };
  size_t stopping;
  int status;

  if (json_array_size (plans) < 2)
    return OSM_EXIT_OK;
  if (osm_quota_fetch (cloud[OSM_DESTINATION], false, &destination, err) == -1)
    return OSM_EXIT_FAILED;
  osm_quota_claim (destination, p->session->claims);
  quota[OSM_DESTINATION] = destination;
  together = osm_preflight_together (plans, quota, names);
  status = osm_cmd_judge (p->args, "plan", p->path, together, p->accepted, &stopping, err);
  /* Of a dry run the plans are all that is printed there. */
  if (osm_ui_get_mode (p->session->ui) != OSM_UI_JSON || !osm_args_has (p->args, "dry-run"))
    osm_cmd_show_findings (p->session, together);
  return status;
}

/* Nothing is begun unless all of it can be done. */
static int
check_all (const struct planned *p, json_t *plans, struct osm_error *err)
{
  size_t stopping, blocked = 0;
  int status = OSM_EXIT_OK;

  for (size_t i = 0; i < p->nr; i++) {
    json_t *plan = NULL;
    OSM_ERROR (why);
    int r = plan_entry (p, p->entries[i], &plan, &stopping, &why);

    if (plan)
      json_array_append_new (plans, plan);
    if (r == OSM_EXIT_OK)
      continue;
    if (blocked++ == 0)
      osm_error_move (err, &why);
    status = r;
    if (r == OSM_EXIT_FAILED)
      break;
  }
  if (blocked > 1)
    osm_error_wrap (err, "%zu servers of the plan cannot be migrated; the first", blocked);
  return blocked ? status : check_together (p, plans, err);
}

static int
dry_run (const struct planned *p, const json_t *plans, size_t stopping)
{
  const json_t *plan;
  size_t i;

  if (osm_ui_get_mode (p->session->ui) == OSM_UI_JSON && json_array_size (plans) > 1)
    osm_ui_json (plans);
  else
    json_array_foreach (plans, i, plan) osm_cmd_dry_run (p->session, plan, stopping);
  return OSM_EXIT_OK;
}

/* Returns an osm_exit. fresh: planned right before. */
static int
run_one (const struct planned *p, size_t index, const json_t *fresh, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *plan = json_incref ((json_t *)fresh);
  size_t stopping;
  int status;

  if (!plan) {
    status = plan_entry (p, p->entries[index], &plan, &stopping, err);
    if (status != OSM_EXIT_OK)
      return status;
  }
  osm_cmd_show_findings (p->session, plan);
  return osm_cmd_run_plan (p->args, p->session, "server", plan, err);
}

/* After a failure the rest of a plan is gone through by the same command. */
static int
leave_out_migrated (struct planned *p, struct osm_error *err)
{
  size_t left = 0;

  for (size_t i = 0; i < p->nr; i++) {
    OSM_CLEANUP_JSON json_t *source =
        osm_json_pack ("{s:{s:s}}", "source", "id", osm_json_str (p->entries[i], "id"));
    bool there;

    if (osm_cmd_already_there (p->session, "server", source, &there, err) == -1)
      return -1;
    if (!there)
      p->entries[left++] = p->entries[i];
  }
  p->nr = left;
  return 0;
}

static int
run_all (const struct planned *p, const json_t *plans, struct osm_error *err)
{
  size_t done = 0;

  for (size_t i = 0; i < p->nr; i++) {
    /* While the first was migrated the clouds went on. */
    int status = run_one (p, i, i == 0 ? json_array_get (plans, 0) : NULL, err);

    if (status == OSM_EXIT_OK)
      done++;
    else {
      if (p->nr > 1)
        osm_error_wrap (err, "server %zu of %zu of the plan", i + 1, p->nr);
      return done > 0 && err->class != OSM_ERROR_INTERRUPTED ? OSM_EXIT_PARTIAL : status;
    }
  }
  return OSM_EXIT_OK;
}

static int
run (struct planned *p, struct osm_error *err)
{
  struct osm_cloud *const *cloud = p->session->cloud;
  OSM_CLEANUP_JSON json_t *plans = json_array ();
  int status;

  if (osm_planfile_check_clouds (p->file, osm_cloud_name (cloud[OSM_SOURCE]),
                                 osm_cloud_name (cloud[OSM_DESTINATION]), err) == -1 ||
      choose_entries (p, err) == -1)
    return OSM_EXIT_FAILED;
  if (!osm_args_has (p->args, "dry-run")) {
    if (leave_out_migrated (p, err) == -1)
      return OSM_EXIT_FAILED;
    if (p->nr == 0)
      return OSM_EXIT_NOTHING;
  }
  status = check_all (p, plans, err);
  if (osm_args_has (p->args, "dry-run") && status != OSM_EXIT_FAILED)
    dry_run (p, plans, 0);
  if (status != OSM_EXIT_OK || osm_args_has (p->args, "dry-run"))
    return status;
  return run_all (p, plans, err);
}

int
osm_cmd_migrate_planned (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_PLANFILE struct osm_planfile *file = NULL;
  OSM_CLEANUP_STRV char **accepted = NULL;
  struct planned p = { .args = args, .path = osm_args_get (args, "plan") };
  int status;

  if (check_options (args, err) == -1 || osm_cmd_accepted (args, &accepted, err) == -1 ||
      osm_cmd_check_run_options (args, err) == -1)
    return OSM_EXIT_USAGE;
  /* Before a cloud is asked. */
  if (osm_planfile_load (p.path, &file, err) == -1 ||
      osm_session_open (args, OSM_WANT_CLOUDS | OSM_WANT_STORE, &session, err) == -1)
    return OSM_EXIT_FAILED;
  if (osm_args_has (args, "no-sparse"))
    osm_str_set (&session->config->sparse, "off");
  p.session = session;
  p.file = file;
  p.accepted = accepted;
  status = run (&p, err);
  free (p.entries);
  return status;
}
