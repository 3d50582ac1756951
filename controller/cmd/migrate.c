/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/cmd/migrate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"
#include "controller/cloud/volume.h"
#include "controller/hosts/path.h"
#include "controller/migration/claims.h"
#include "controller/migration/findings.h"
#include "controller/migration/limits.h"

static struct osm_migration_context
context_of (struct osm_session *session)
{
  return (struct osm_migration_context){ .config = session->config,
                                         .cloud = { session->cloud[0], session->cloud[1] },
                                         .store = session->store,
                                         .ui = session->ui };
}

void
osm_cmd_report (struct osm_session *session, struct osm_migration *m)
{
  const struct osm_migration_row *row = osm_migration_row (m);
  json_t *result = osm_migration_result (m);
  OSM_CLEANUP_FREE char *name = osm_quote_terminal (row->object_name), *advice = NULL;
  char total[OSM_HUMAN_LEN], sent[OSM_HUMAN_LEN];
  enum osm_migration_state state;
  OSM_STRBUF (text);
  OSM_ERROR (ignored);

  if (osm_migration_state_parse (row->state, &state, &ignored) == 0)
    advice = osm_migration_state_advice (state, row->id);
  if (state == OSM_STATE_COMPLETED)
    osm_strbuf_addf (
        &text, "%s '%s' is now %s in cloud '%s': %s compared equal, %s sent, %.1f s.\n", row->kind,
        name, row->result_id, row->destination_cloud, osm_human_size (row->bytes_total, total),
        osm_human_size (row->bytes_sent, sent),
        json_real_value (json_object_get (result, "seconds")));
  else
    osm_strbuf_addf (&text, "migration %s of %s '%s' is %s.\n", row->id, row->kind, name,
                     row->state);
  if (advice)
    osm_strbuf_addf (&text, "Migration %s: %s.", row->id, advice);
  osm_ui_event (session->ui, result, osm_strbuf_str (&text));
  osm_ui_forgive (session->ui);
}

static int
check_bad_blocks (const struct osm_args *args, struct osm_error *err)
{
  const char *policy = osm_args_get (args, "bad-blocks");

  if (policy && strcmp (policy, "zero") != 0)
    return osm_error_set (err, OSM_ERROR_USER, 0, "--bad-blocks can only be 'zero'");
  return 0;
}

int
osm_cmd_set_bad_blocks (const struct osm_args *args, struct osm_migration *m, struct osm_error *err)
{
  const char *policy = osm_args_get (args, "bad-blocks");

  return policy ? osm_migration_set_bad_blocks (m, policy, err) : 0;
}

static int
check_path (const struct osm_args *args, struct osm_error *err)
{
  const char *policy = osm_args_get (args, "path");

  return policy ? osm_path_check (policy, err) : 0;
}

int
osm_cmd_set_path (const struct osm_args *args, struct osm_migration *m, struct osm_error *err)
{
  const char *policy = osm_args_get (args, "path");

  return policy ? osm_migration_set_path (m, policy, err) : 0;
}

/* Was this very object migrated before, and is the result still there? */
int
osm_cmd_already_there (struct osm_session *session, const char *kind, const json_t *plan, bool *ret,
                       struct osm_error *err)
{
  const char *id = osm_json_str (json_object_get (plan, "source"), "id");
  OSM_CLEANUP_FREE char *there = NULL;
  OSM_CLEANUP_JSON json_t *object = NULL;
  int r;

  *ret = false;
  if (osm_store_mapping_get (session->store, osm_cloud_name (session->cloud[OSM_SOURCE]),
                             osm_cloud_name (session->cloud[OSM_DESTINATION]), kind, id, &there,
                             err) == -1)
    return -1;
  if (!there)
    return 0;
  r = strcmp (kind, "server") == 0
          ? osm_server_get (session->cloud[OSM_DESTINATION], there, &object, err)
          : osm_volume_get (session->cloud[OSM_DESTINATION], there, &object, err);
  if (r == -1 && osm_error_not_found (err)) {
    osm_error_clear (err);
    return 0;
  }
  if (r == -1)
    return -1;
  osm_ui_event (session->ui,
                osm_json_pack ("{s:s, s:s, s:s, s:s}", "event", "exists", "kind", kind, "source_id",
                               id, "destination_id", there),
                "nothing to do: it was migrated before, see 'osm-controller list'");
  *ret = true;
  return 0;
}

void
osm_cmd_show_findings (struct osm_session *session, const json_t *plan)
{
  size_t i;
  json_t *finding;

  json_array_foreach (json_object_get (plan, "findings"), i, finding)
  {
    json_t *event = json_copy (finding);
    OSM_CLEANUP_FREE char *text = osm_quote_terminal (osm_json_str (finding, "text"));
    OSM_CLEANUP_FREE char *remedy = osm_quote_terminal (osm_json_str (finding, "remedy"));
    OSM_CLEANUP_FREE char *line =
        osm_asprintf ("%s: %s%s%s [%s%s]", osm_json_str (finding, "severity"), text,
                      remedy ? "; " : "", remedy ? remedy : "", osm_json_str (finding, "id"),
                      json_is_true (json_object_get (finding, "accepted")) ? ", accepted" : "");

    json_object_set_new (event, "event", json_string ("finding"));
    osm_ui_event (session->ui, event, line);
  }
}

int
osm_cmd_dry_run (struct osm_session *session, const json_t *plan, size_t stopping)
{
  OSM_CLEANUP_FREE char *text =
      osm_plan_text (plan, osm_cloud_name (session->cloud[OSM_DESTINATION]));

  if (osm_ui_get_mode (session->ui) == OSM_UI_JSON)
    osm_ui_json (plan);
  else
    fputs (text, stdout);
  return stopping > 0 ? OSM_EXIT_BLOCKED : OSM_EXIT_OK;
}

struct osm_plan_input
osm_cmd_plan_input (const struct osm_args *args, const struct osm_session *session,
                    const char *object)
{
  struct osm_plan_input input = { .config = session->config,
                                  .cloud = { session->cloud[0], session->cloud[1] },
                                  .object = object,
                                  .boot_volume = osm_args_get (args, "boot-volume"),
                                  .user_data_path = osm_args_get (args, "user-data"),
                                  .availability_zone = osm_args_get (args, "availability-zone"),
                                  .compression = osm_args_get (args, "compress"),
                                  .floating_ip = osm_args_get (args, "floating-ip"),
                                  .power = osm_args_get (args, "power"),
                                  .local_disks = osm_args_get (args, "local-disks"),
                                  .boot_disk = osm_args_get (args, "boot-disk"),
                                  .claims = session->claims };

  if (!input.compression)
    input.compression = session->config->compression;
  if (!input.floating_ip)
    input.floating_ip = session->config->floating_ip;
  if (!input.power)
    input.power = "keep";
  if (!input.boot_disk)
    input.boot_disk = session->config->boot_disk;
  if (!input.local_disks)
    input.local_disks = "refuse";
  return input;
}

int
osm_cmd_load_claims (struct osm_session *session, struct osm_error *err)
{
  json_decref (osm_take (session->claims));
  return osm_claims_load (session->store, osm_cloud_name (session->cloud[OSM_DESTINATION]),
                          &session->claims, err);
}

int
osm_cmd_accepted (const struct osm_args *args, char ***ret, struct osm_error *err)
{
  OSM_CLEANUP_STRV char **ids = NULL;
  const char *id;

  for (size_t i = 0; (id = osm_args_nth (args, "accept", i)); i++)
    osm_strv_append (&ids, id);
  if (osm_findings_check_accepted (ids, err) == -1)
    return -1;
  *ret = osm_take (ids);
  return 0;
}

/* Blockers, and warnings that were not accepted: those that must be, with --strict all. */
static int
refuse (const char *kind, const char *object, size_t blockers, size_t warnings, bool strict,
        struct osm_error *err)
{
  if (blockers > 0)
    osm_error_set (err, OSM_ERROR_USER, 0, "%s '%s' cannot be migrated: %zu blocker%s, see above",
                   kind, object, blockers, blockers == 1 ? "" : "s");
  else if (strict)
    osm_error_set (err, OSM_ERROR_USER, 0,
                   "%s '%s' is not migrated, as --strict says: %zu warning%s, see above; "
                   "--accept ID accepts one",
                   kind, object, warnings, warnings == 1 ? "" : "s");
  else
    osm_error_set (err, OSM_ERROR_USER, 0,
                   "%s '%s' is not migrated: %zu warning%s must be accepted, see above; "
                   "--accept ID accepts one",
                   kind, object, warnings, warnings == 1 ? "" : "s");
  osm_error_hint (err, "both clouds are as they were");
  return OSM_EXIT_BLOCKED;
}

static int
check_limit (const struct osm_args *args, struct osm_error *err)
{
  const char *text = osm_args_get (args, "limit");
  enum osm_limit_mode mode;
  uint64_t rate;

  return text ? osm_limit_parse (text, &mode, &rate, err) : 0;
}

int
osm_cmd_set_limit (const struct osm_args *args, struct osm_session *session,
                   struct osm_migration *m, struct osm_error *err)
{
  const char *text = osm_args_get (args, "limit");
  enum osm_limit_mode mode;
  uint64_t rate;

  if (!text)
    return 0;
  if (osm_limit_parse (text, &mode, &rate, err) == -1)
    return -1;
  return osm_limit_set (session->store, osm_migration_row (m)->id, mode, rate, err);
}

int
osm_cmd_check_run_options (const struct osm_args *args, struct osm_error *err)
{
  return check_limit (args, err) == -1 || check_bad_blocks (args, err) == -1 ||
                 check_path (args, err) == -1
             ? -1
             : 0;
}

int
osm_cmd_judge (const struct osm_args *args, const char *kind, const char *object, json_t *plan,
               char *const *accepted, size_t *ret_stopping, struct osm_error *err)
{
  size_t blockers = osm_plan_count_findings (plan, "blocker"),
         warnings = osm_findings_accept (plan, accepted);

  bool strict = osm_args_has (args, "strict");

  if (!strict)
    warnings = osm_findings_unaccepted (plan);
  *ret_stopping = blockers + warnings;
  return *ret_stopping > 0 ? refuse (kind, object, blockers, warnings, strict, err) : OSM_EXIT_OK;
}

int
osm_cmd_run_plan (const struct osm_args *args, struct osm_session *session, const char *kind,
                  const json_t *plan, struct osm_error *err)
{
  OSM_CLEANUP_MIGRATION struct osm_migration *m = NULL;
  struct osm_migration_context context = context_of (session);

  if (osm_migration_create (&context, plan, &m, err) == -1 ||
      osm_cmd_set_bad_blocks (args, m, err) == -1 ||
      osm_cmd_set_limit (args, session, m, err) == -1 || osm_cmd_set_path (args, m, err) == -1)
    return OSM_EXIT_FAILED;
  osm_ui_step (session->ui, "migration %s: %s '%s' to cloud '%s'", osm_migration_row (m)->id, kind,
               osm_migration_row (m)->object_name,
               osm_cloud_name (session->cloud[OSM_DESTINATION]));
  if (osm_migration_run (m, osm_args_has (args, "hold"), err) == -1)
    return OSM_EXIT_FAILED;
  osm_cmd_report (session, m);
  return OSM_EXIT_OK;
}

int
osm_cmd_migrate (const struct osm_args *args, const char *kind,
                 int (*make_plan) (const struct osm_plan_input *input, json_t **ret,
                                   struct osm_error *err),
                 struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_JSON json_t *plan = NULL;
  OSM_CLEANUP_STRV char **accepted = NULL;
  const char *const *operands;
  struct osm_plan_input input;
  uint64_t new_size = 0;
  size_t stopping;
  bool there;
  int status;
  OSM_ERROR (why);

  if (osm_cmd_accepted (args, &accepted, err) == -1 || osm_cmd_check_run_options (args, err) == -1)
    return OSM_EXIT_USAGE;
  if (osm_args_get (args, "new-size") &&
      osm_parse_uint (osm_args_get (args, "new-size"), "--new-size", 1, 1 << 20, &new_size, err) ==
          -1)
    return OSM_EXIT_USAGE;
  if (osm_session_open (args, OSM_WANT_CLOUDS | OSM_WANT_STORE, &session, err) == -1)
    return OSM_EXIT_FAILED;
  if (osm_args_has (args, "no-sparse"))
    osm_str_set (&session->config->sparse, "off");
  osm_args_operands (args, &operands);
  if (osm_cmd_load_claims (session, err) == -1)
    return OSM_EXIT_FAILED;
  input = osm_cmd_plan_input (args, session, operands[0]);
  input.new_size_gb = (json_int_t)new_size;
  if (make_plan (&input, &plan, err) == -1)
    return OSM_EXIT_FAILED;
  status = osm_cmd_judge (args, kind, input.object, plan, accepted, &stopping, &why);
  if (osm_args_has (args, "dry-run"))
    return osm_cmd_dry_run (session, plan, stopping);
  if (osm_cmd_already_there (session, kind, plan, &there, err) == -1)
    return OSM_EXIT_FAILED;
  if (there)
    return OSM_EXIT_NOTHING;
  osm_cmd_show_findings (session, plan);
  if (status != OSM_EXIT_OK) {
    osm_error_move (err, &why);
    return status;
  }
  return osm_cmd_run_plan (args, session, kind, plan, err);
}

int
osm_cmd_open_migration (const struct osm_args *args, struct osm_session **ret_session,
                        struct osm_migration **ret, enum osm_migration_state *ret_state,
                        struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_MIGRATION struct osm_migration *m = NULL;
  struct osm_migration_context context;
  const char *const *operands;

  osm_args_operands (args, &operands);
  if (osm_session_open (args, OSM_WANT_CLOUDS | OSM_WANT_STORE, &session, err) == -1)
    return -1;
  context = context_of (session);
  if (osm_migration_open (&context, operands[0], &m, err) == -1 ||
      osm_migration_state_parse (osm_migration_row (m)->state, ret_state, err) == -1)
    return -1;
  *ret_session = osm_take (session);
  *ret = osm_take (m);
  return 0;
}
