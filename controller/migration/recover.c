/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/recover.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/parallel.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"
#include "controller/cloud/image.h"
#include "controller/cloud/network.h"
#include "controller/cloud/volume.h"
#include "controller/hosts/home.h"
#include "controller/migration/belongings.h"
#include "controller/migration/internal.h"
#include "controller/migration/plan.h"
#include "controller/migration/state.h"

/* ---- everything that both projects have ---- */

struct listing {
  struct osm_cloud *cloud;
  json_t **servers, **volumes, **snapshots, **ports, **floating_ips, **images;
};

static int
list_side (void *data, struct osm_error *err)
{
  struct listing *l = data;
  OSM_CLEANUP_FREE char *query = osm_asprintf ("project_id=%s", osm_cloud_project_id (l->cloud));

  return osm_cloud_list (l->cloud, OSM_COMPUTE, osm_servers.list_path, osm_servers.list_key,
                         l->servers, err) == -1 ||
                 osm_cloud_list (l->cloud, OSM_VOLUME, osm_volumes.list_path, osm_volumes.list_key,
                                 l->volumes, err) == -1 ||
                 osm_cloud_list (l->cloud, OSM_VOLUME, osm_snapshots.list_path,
                                 osm_snapshots.list_key, l->snapshots, err) == -1 ||
                 osm_network_list (l->cloud, &osm_ports, query, l->ports, err) == -1 ||
                 osm_network_list (l->cloud, &osm_floating_ips, query, l->floating_ips, err) ==
                     -1 ||
                 osm_image_list_marked (l->cloud, OSM_MARK_MIGRATION, NULL, l->images, err) == -1
             ? -1
             : 0;
}

static void
input_done (struct osm_marks_input *in)
{
  for (size_t i = 0; i < 2; i++) {
    json_decref (in->servers[i]);
    json_decref (in->volumes[i]);
    json_decref (in->snapshots[i]);
    json_decref (in->ports[i]);
    json_decref (in->floating_ips[i]);
    json_decref (in->images[i]);
  }
}

static int
list_all (const struct osm_migration_context *c, struct osm_marks_input *in, struct osm_error *err)
{
  struct listing l[2];
  struct osm_task tasks[2];

  for (size_t i = 0; i < 2; i++) {
    in->cloud[i] = osm_cloud_name (c->cloud[i]);
    l[i] =
        (struct listing){ c->cloud[i],   &in->servers[i],      &in->volumes[i], &in->snapshots[i],
                          &in->ports[i], &in->floating_ips[i], &in->images[i] };
    tasks[i] = (struct osm_task){ list_side, &l[i] };
  }
  return osm_parallel (tasks, 2, err);
}

/* ---- can it go on? ---- */

/* What our own objects and marks bring about when the same server is planned again. */
static bool
is_ours (const char *finding)
{
  static const char *const ours[] = { "source-server-claimed",    "source-server-locked",
                                      "source-volume-",           "destination-address-in-use",
                                      "destination-quota",        "destination-volume-quota",
                                      "destination-network-quota" };

  for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
    if (osm_str_starts_with (finding, ours[i]))
      return true;
  return false;
}

/* Whatever was begun is in the new plan, to be dealt with in the same way? */
static bool
covers (const json_t *plan, const json_t *known)
{
  size_t i;
  const json_t *item;

  json_array_foreach (json_object_get (known, "volumes"), i, item)
  {
    const char *access = osm_json_str (item, "access");
    const json_t *planned =
        osm_json_find (json_object_get (plan, "volumes"), "id", osm_json_str (item, "id"));

    if (!planned || (strcmp (access, "copied") != 0 && !osm_volume_is (planned, access)))
      return false;
  }
  json_array_foreach (json_object_get (known, "ports"), i, item)
  {
    if (!osm_json_find (json_object_get (plan, "ports"), "id", osm_json_str (item, "id")))
      return false;
  }
  json_array_foreach (json_object_get (known, "floating_ips"), i, item)
  {
    const json_t *planned =
        osm_json_find (json_object_get (plan, "floating_ips"), "id", osm_json_str (item, "id"));

    if (!json_object_get (planned, "create"))
      return false;
  }
  return true;
}

static char *
first_blocker (const json_t *plan)
{
  size_t i;
  const json_t *finding;

  json_array_foreach (json_object_get (plan, "findings"), i, finding)
  {
    if (osm_str_equal (osm_json_str (finding, "severity"), "blocker") &&
        !is_ours (osm_json_str (finding, "id")))
      return osm_strdup (osm_json_str (finding, "text"));
  }
  return NULL;
}

/* Volumes that are away from their server, as attachments; the boot volume. */
static json_t *
away (const json_t *known, const char **ret_boot)
{
  json_t *list = json_array ();
  size_t i, cloned = 0;
  const json_t *volume;

  json_array_foreach (json_object_get (known, "volumes"), i, volume)
  {
    /* Of several, one was cloned because other servers have it, too. */
    if (osm_volume_is (volume, "snapshot"))
      *ret_boot = cloned++ ? NULL : osm_json_str (volume, "id");
    if (osm_volume_is (volume, "detach"))
      json_array_append_new (
          list, osm_json_pack ("{s:s, s:s?, s:O}", "volume_id", osm_json_str (volume, "id"),
                               "device", osm_json_str (volume, "device"), "delete_on_termination",
                               json_object_get (volume, "delete_on_termination")));
  }
  return list;
}

/* If the new server is there already, as that was made. */
static const char *
boot_disk (const struct osm_marks_input *in, const json_t *source)
{
  const json_t *server;
  size_t i;

  json_array_foreach (in->servers[OSM_DESTINATION], i, server)
  {
    const char *from = osm_json_str (json_object_get (server, "metadata"), OSM_MARK_SOURCE);

    if (from && osm_str_starts_with (from, osm_json_str (source, "id")) &&
        json_is_object (json_object_get (server, "image")))
      return "image";
  }
  return "copy";
}

/* Copies that were asked for with more room than their sources have. */
static void
take_sizes (const struct osm_marks_input *in, json_t *plan)
{
  json_t *volume;
  const json_t *copy;
  size_t i, k;

  json_array_foreach (json_object_get (plan, "volumes"), i, volume)
  {
    OSM_CLEANUP_FREE char *role = osm_role_of (OSM_ROLE_VOLUME, osm_json_str (volume, "id"));

    json_array_foreach (in->volumes[OSM_DESTINATION], k, copy)
    {
      if (osm_str_equal (osm_json_str (json_object_get (copy, "metadata"), OSM_MARK_ROLE), role))
        json_object_set (volume, "new_size_gb", json_object_get (copy, "size"));
    }
  }
}

/* The plan is made once more from what is there. *ret_why: in words, why that does not help; caller frees. */
static json_t *
plan_again (const struct osm_migration_context *c, const struct osm_marks_input *in,
            const json_t *known, char **ret_why)
{
  const char *boot = NULL, *kind = osm_json_str (known, "kind");
  json_t *source = json_object_get (known, "source");
  OSM_CLEANUP_JSON json_t *volumes_away = away (known, &boot), *plan = NULL;
  const struct osm_plan_input input = { .config = c->config,
                                        .cloud = { c->cloud[0], c->cloud[1] },
                                        .object = osm_json_str (source, "id"),
                                        .boot_volume = boot,
                                        .compression = c->config->compression,
                                        .floating_ip = c->config->floating_ip,
                                        .power = "keep",
                                        /* That was decided when it was begun. */
                                        .local_disks = "drop",
                                        .boot_disk = boot_disk (in, source),
                                        .away = volumes_away };
  bool server = strcmp (kind, "server") == 0;
  const json_t *now = server ? osm_json_find (in->servers[OSM_SOURCE], "id", input.object) : NULL;
  OSM_ERROR (why);

  if (server && osm_str_equal (osm_json_str (source, "status"), "UNKNOWN"))
    *ret_why = osm_strdup ("no mark tells whether its source server was running");
  else if (server && json_array_size (json_object_get (known, "volumes")) > 0 &&
           !osm_str_equal (osm_json_str (now, "status"), "SHUTOFF"))
    *ret_why = osm_strdup ("its source server is not off, so that the copies are out of date");
  else if ((server ? osm_plan_server : osm_plan_volume) (&input, &plan, &why) == -1)
    *ret_why = osm_strdup (why.message);
  else
    *ret_why = first_blocker (plan);
  if (!*ret_why && !covers (plan, known))
    *ret_why = osm_strdup ("what was begun does not fit to what a plan would say now");
  if (*ret_why)
    return NULL;
  take_sizes (in, plan);
  json_object_set (json_object_get (plan, "source"), "status", json_object_get (source, "status"));
  json_object_set_new (plan, "findings", json_array ());
  return osm_take (plan);
}

int
osm_recover_check_resume (const json_t *plan, const char *id, struct osm_error *err)
{
  const char *why = osm_json_str (json_object_get (plan, "recovered"), "no_resume");

  if (!why)
    return 0;
  osm_error_set (err, OSM_ERROR_USER, 0,
                 "migration %s was rebuilt from the marks in the clouds, and cannot be resumed: %s",
                 id, why);
  return osm_error_hint (err,
                         "have everything back with 'osm-controller rollback %s', and migrate "
                         "it again",
                         id);
}

/* ---- rows ---- */

static json_t *
steps_of (const char *kind, bool unfinished)
{
  const struct osm_step *steps = strcmp (kind, "volume") == 0 ? osm_volume_steps : osm_server_steps;
  json_t *rows = json_array ();

  /* "running": begun, and nobody knows how it ended. Each step and each undo looks first. */
  for (size_t i = 0; steps[i].name; i++)
    json_array_append_new (rows, osm_json_pack ("{s:s, s:s}", "name", steps[i].name, "state",
                                                unfinished ? "running" : "done"));
  return rows;
}

/* *ret NULL: two objects have the same mark (then *ret_why, caller frees). */
static void
objects_of (const json_t *migration, json_t **ret, char **ret_result, char **ret_why)
{
  OSM_CLEANUP_JSON json_t *rows = json_array (), *seen = json_object ();
  const json_t *object;
  size_t i;

  *ret = NULL;
  json_array_foreach (json_object_get (migration, "objects"), i, object)
  {
    const char *role = osm_json_str (json_object_get (object, "marks"), OSM_MARK_ROLE),
               *id = osm_json_str (object, "id");

    if (!role)
      continue;
    if (json_object_get (seen, role)) {
      *ret_why = osm_asprintf ("both %s and %s have the mark %s=%s", osm_json_str (seen, role), id,
                               OSM_MARK_ROLE, role);
      return;
    }
    osm_json_set_str (seen, role, id);
    json_array_append_new (rows, osm_json_pack ("{s:s, s:s, s:s, s:s}", "key", role, "cloud",
                                                osm_json_str (object, "cloud"), "type",
                                                osm_json_str (object, "kind"), "object_id", id));
    if (strcmp (role, OSM_ROLE_SERVER) == 0 ||
        (osm_str_equal (osm_json_str (migration, "kind"), "volume") &&
         osm_str_starts_with (role, OSM_ROLE_VOLUME ":")))
      osm_str_set (ret_result, id);
  }
  *ret = osm_take (rows);
}

/* Another unfinished migration of the same object, that the journal knows? Caller frees; NULL if there is none. */
static int
find_rival (struct osm_store *store, const json_t *plan, char **ret, struct osm_error *err)
{
  struct osm_migration_row **rows = NULL;
  const json_t *source = json_object_get (plan, "source");
  size_t nr = 0;

  *ret = NULL;
  if (osm_store_migration_list (store, NULL, 0, &rows, &nr, err) == -1)
    return -1;
  for (size_t i = 0; i < nr; i++) {
    enum osm_migration_state state;
    OSM_ERROR (ignored);

    if (osm_str_equal (rows[i]->object_id, osm_json_str (source, "id")) &&
        osm_str_equal (rows[i]->source_cloud, osm_json_str (source, "cloud")) &&
        osm_migration_state_parse (rows[i]->state, &state, &ignored) == 0 &&
        !osm_migration_state_is_final (state))
      osm_str_set (ret, rows[i]->id);
    osm_migration_row_free (rows[i]);
  }
  free (rows);
  return 0;
}

static int
refuse (json_t *migration, char *why)
{
  osm_json_set_str (migration, "action", "refused");
  osm_json_set_str (migration, "why", why);
  free (why);
  return 0;
}

/* What its new server says that was made for it. */
static int
restore_belongings (const struct osm_migration_context *c, const struct osm_marks_input *in,
                    const char *server_id, json_t *objects, json_t *plan, struct osm_error *err)
{
  const json_t *server = osm_json_find (in->servers[OSM_DESTINATION], "id", server_id);
  OSM_CLEANUP_JSON json_t *groups = NULL, *made = NULL;

  if (!server || !osm_json_str (json_object_get (server, "metadata"), OSM_MARK_MADE))
    return 0;
  if (osm_cloud_list (c->cloud[OSM_DESTINATION], OSM_COMPUTE, osm_server_groups.list_path,
                      osm_server_groups.list_key, &groups, err) == -1)
    return -1;
  made = osm_belongings_of (server, groups);
  osm_belongings_restore (made, osm_cloud_name (c->cloud[OSM_DESTINATION]), objects, plan);
  return 0;
}

static int
rebuild (const struct osm_migration_context *c, const struct osm_marks_input *in, json_t *migration,
         json_t *plan, struct osm_error *err)
{
  const json_t *source = json_object_get (plan, "source");
  bool unfinished = json_is_true (json_object_get (migration, "unfinished"));
  const char *kind = osm_json_str (migration, "kind"), *id = osm_json_str (migration, "id");
  OSM_CLEANUP_FREE char *result = NULL, *rival = NULL, *why = NULL;
  OSM_CLEANUP_JSON json_t *steps = steps_of (kind, unfinished), *objects = NULL;
  struct osm_migration_row row = {
    .id = (char *)id,
    .kind = (char *)kind,
    .state =
        (char *)osm_migration_state_name (unfinished ? OSM_STATE_INTERRUPTED : OSM_STATE_COMPLETED),
    .source_cloud = (char *)osm_cloud_name (c->cloud[OSM_SOURCE]),
    .destination_cloud = (char *)osm_cloud_name (c->cloud[OSM_DESTINATION]),
    .object_id = (char *)osm_json_str (source, "id"),
    .object_name = (char *)osm_json_str (source, "name"),
    .plan = plan,
    .bytes_total = osm_plan_bytes (plan),
  };

  objects_of (migration, &objects, &result, &why);
  if (!objects)
    return refuse (migration, osm_take (why));
  if (unfinished && find_rival (c->store, plan, &rival, err) == -1)
    return -1;
  if (rival)
    return refuse (migration, osm_asprintf ("the journal has an unfinished migration %s of the "
                                            "same %s",
                                            rival, kind));
  row.result_id = result;
  if (result && strcmp (kind, "server") == 0 &&
      restore_belongings (c, in, result, objects, plan, err) == -1)
    return -1;
  if (osm_store_migration_restore (c->store, &row, steps, objects, err) == -1)
    return osm_error_wrap (err, "migration %s", id);
  if (!unfinished && result &&
      osm_store_mapping_set (c->store, row.source_cloud, row.destination_cloud, kind, row.object_id,
                             result, err) == -1)
    return -1;
  osm_json_set_str (migration, "action", "rebuilt");
  return 0;
}

/* ---- choosing ---- */

static bool
is_chosen (const struct osm_recover_choice *choice, const char *id)
{
  if (choice->all)
    return true;
  for (size_t i = 0; i < choice->nr_ids; i++)
    if (osm_str_starts_with (id, choice->ids[i]))
      return true;
  return false;
}

static int
check_ids (const struct osm_recover_choice *choice, const json_t *migrations, struct osm_error *err)
{
  for (size_t k = 0; k < choice->nr_ids; k++) {
    size_t i, nr = 0;
    const json_t *migration;

    json_array_foreach (migrations, i, migration) nr +=
        *choice->ids[k] && osm_str_starts_with (osm_json_str (migration, "id"), choice->ids[k]);
    if (nr == 1)
      continue;
    osm_error_set (err, OSM_ERROR_USER, nr ? 0 : 404,
                   nr ? "several migrations begin with '%s'"
                      : "nothing in the clouds has a mark of a migration '%s'",
                   choice->ids[k]);
    return osm_error_hint (err, "'osm-controller recover' lists what there is");
  }
  return 0;
}

/* 1: the journal has it, and it is not over; 2: it has it, and it is. 0: not known. -1: error. */
static int
known (struct osm_store *store, const char *id, struct osm_error *err)
{
  struct osm_migration_row *row;
  enum osm_migration_state state;
  int r;

  if (osm_store_migration_get (store, id, &row, err) == -1) {
    if (!osm_error_not_found (err))
      return -1;
    osm_error_clear (err);
    return 0;
  }
  r = osm_migration_state_parse (row->state, &state, err);
  osm_migration_row_free (row);
  if (r == -1)
    return -1;
  return state == OSM_STATE_ROLLED_BACK || state == OSM_STATE_CLEANED ? 2 : 1;
}

static int
handle (const struct osm_migration_context *c, const struct osm_recover_choice *choice,
        const struct osm_marks_input *in, json_t *migration, json_t *orphans, struct osm_error *err)
{
  const char *id = osm_json_str (migration, "id");
  json_t *known_plan = json_object_get (migration, "plan");
  OSM_CLEANUP_JSON json_t *plan = NULL, *left = NULL;
  OSM_CLEANUP_FREE char *why = NULL;
  int r = known (c->store, id, err);

  if (r == -1)
    return -1;
  if (r > 0) {
    osm_json_set_str (migration, "action", "known");
    if (r == 2) {
      left = osm_marks_orphans (migration, "the journal says that this migration is over");
      json_array_extend (orphans, left);
    }
    return 0;
  }
  if (osm_json_str (migration, "why")) {
    osm_json_set_str (migration, "action", "refused");
    return 0;
  }
  if (json_is_true (json_object_get (migration, "unfinished")))
    plan = plan_again (c, in, known_plan, &why);
  else
    why = osm_strdup ("it is complete");
  json_object_set_new (migration, "resume", why ? json_string (why) : json_null ());
  if (!plan)
    plan = json_incref (known_plan);
  json_object_set_new (plan, "recovered", osm_json_pack ("{s:s?}", "no_resume", why));
  json_object_set (migration, "plan", plan);
  osm_json_set_str (migration, "action", "found");
  return choice->dry_run || !is_chosen (choice, id) ? 0 : rebuild (c, in, migration, plan, err);
}

/* ---- what carries no marks ---- */

struct unmarked {
  const struct osm_migration_context *context;
  json_t *key_pairs, *groups; /* of the destination; NULL: not asked yet */
};

static int
ask_unmarked (struct unmarked *u, struct osm_error *err)
{
  struct osm_cloud *cloud = u->context->cloud[OSM_DESTINATION];

  return u->groups || (osm_cloud_list (cloud, OSM_COMPUTE, osm_keypairs.list_path,
                                       osm_keypairs.list_key, &u->key_pairs, err) == 0 &&
                       osm_cloud_list (cloud, OSM_COMPUTE, osm_server_groups.list_path,
                                       osm_server_groups.list_key, &u->groups, err) == 0)
             ? 0
             : -1;
}

static int
add_unmarked_of (struct unmarked *u, const char *id, const json_t *servers, json_t *orphans,
                 struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *objects = NULL;
  struct osm_migration_row *row;

  if (osm_store_object_list (u->context->store, id, &objects, err) == -1)
    return -1;
  if (!osm_json_find (objects, "key", OSM_BELONGING_KEY_PAIR) &&
      !osm_json_find (objects, "key", OSM_BELONGING_GROUP))
    return 0;
  if (ask_unmarked (u, err) == -1 ||
      osm_store_migration_get (u->context->store, id, &row, err) == -1)
    return -1;
  osm_belongings_add_orphans (row->plan, objects,
                              osm_cloud_name (u->context->cloud[OSM_DESTINATION]), servers,
                              u->key_pairs, u->groups, orphans);
  osm_migration_row_free (row);
  return 0;
}

/* Key pairs and server groups that the journal knows to be osm's, of migrations that were taken back. */
static int
add_unmarked (const struct osm_migration_context *c, const json_t *servers, json_t *orphans,
              struct osm_error *err)
{
  struct unmarked u = { .context = c };
  struct osm_migration_row **rows = NULL;
  size_t nr = 0;
  int r = osm_store_migration_list (c->store, osm_migration_state_name (OSM_STATE_ROLLED_BACK), 0,
                                    &rows, &nr, err);

  for (size_t i = 0; i < nr; i++) {
    if (r == 0 &&
        osm_str_equal (rows[i]->destination_cloud, osm_cloud_name (c->cloud[OSM_DESTINATION])))
      r = add_unmarked_of (&u, rows[i]->id, servers, orphans, err);
    osm_migration_row_free (rows[i]);
  }
  free (rows);
  json_decref (u.key_pairs);
  json_decref (u.groups);
  return r;
}

int
osm_recover (const struct osm_migration_context *context, const struct osm_recover_choice *choice,
             json_t **ret, struct osm_error *err)
{
  __attribute__ ((cleanup (input_done))) struct osm_marks_input in = { 0 };
  OSM_CLEANUP_JSON json_t *found = NULL;
  json_t *migrations, *migration;
  size_t i;

  if (list_all (context, &in, err) == -1)
    return -1;
  found = osm_marks_group (&in);
  migrations = json_object_get (found, "migrations");
  if (check_ids (choice, migrations, err) == -1)
    return -1;
  json_array_foreach (migrations, i, migration)
  {
    if (handle (context, choice, &in, migration, json_object_get (found, "orphans"), err) == -1)
      return -1;
  }
  if (add_unmarked (context, in.servers[OSM_DESTINATION], json_object_get (found, "orphans"),
                    err) == -1)
    return -1;
  *ret = osm_take (found);
  return 0;
}
