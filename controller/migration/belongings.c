/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Key pair and server group of the new server. They can carry no mark: where one of that name and content is at the destination, it is
 * used and stays; else it is made right before the server, and the journal alone knows that it is osm's. A rollback deletes it unless
 * other servers use it. */

#include <config.h>

#include "controller/migration/belongings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"
#include "controller/migration/internal.h"
#include "controller/migration/plan.h"

#define LOOKS 5
#define LOOK_AGAIN_MS 2000
/* After a crash a request may still be on its way. */
#define ON_ITS_WAY_MS 10000
#define LOCK_AGAIN_MS 200

struct belonging {
  const char *key;  /* in plan["server"], also of its row in the journal */
  const char *text; /* for people */
  /* known: its id, or NULL. *ret_id NULL: it is not there. */
  int (*find) (struct osm_cloud *cloud, const json_t *plan, const char *known, char **ret_id,
               struct osm_error *err);
  int (*create) (struct osm_cloud *cloud, const json_t *plan, char **ret_id, struct osm_error *err);
  /* By any other server than own, which was deleted: Nova lists it for a moment longer, its status DELETED. */
  int (*is_used) (struct osm_cloud *cloud, const char *id, const char *own, bool *ret,
                  struct osm_error *err);
  const struct osm_collection *collection;
};

static struct osm_cloud *
cloud_of (const struct osm_migration *m)
{
  return m->context.cloud[OSM_DESTINATION];
}

static char *
path_of (const struct belonging *b, const char *id)
{
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (id);

  return osm_asprintf ("%s/%s", b->collection->member_path, quoted);
}

/* ---- key pairs: their name is their id ---- */

static int
find_key_pair (struct osm_cloud *cloud, const json_t *plan, const char *known, char **ret_id,
               struct osm_error *err)
{
  const char *name = osm_json_str (plan, "name");
  OSM_CLEANUP_JSON json_t *found = NULL;

  (void)known;
  *ret_id = NULL;
  if (osm_cloud_find (cloud, &osm_keypairs, name, &found, err) == -1) {
    if (!osm_error_not_found (err))
      return -1;
    osm_error_clear (err);
    return 0;
  }
  /* What was rebuilt without the journal knows only its name. */
  if (osm_json_str (plan, "fingerprint") &&
      !osm_str_equal (osm_json_str (found, "fingerprint"), osm_json_str (plan, "fingerprint"))) {
    osm_error_set (err, OSM_ERROR_USER, 0,
                   "cloud '%s' has got another key pair of the name '%s' since this was planned",
                   osm_cloud_name (cloud), name);
    return osm_error_hint (err, "rename or delete that one");
  }
  *ret_id = osm_strdup (name);
  return 0;
}

static int
create_key_pair (struct osm_cloud *cloud, const json_t *plan, char **ret_id, struct osm_error *err)
{
  const char *name = osm_json_str (plan, "name");

  if (osm_keypair_create (cloud, name, osm_json_str (plan, "public_key"),
                          osm_json_str (plan, "type"), err) == -1)
    return -1;
  *ret_id = osm_strdup (name);
  return 0;
}

/* Servers keep the key itself; yet who reads their names of keys looks for the key pair. */
static int
is_key_pair_used (struct osm_cloud *cloud, const char *id, const char *own, bool *ret,
                  struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *servers = NULL;
  size_t i;
  const json_t *server;

  if (osm_cloud_list (cloud, OSM_COMPUTE, osm_servers.list_path, osm_servers.list_key, &servers,
                      err) == -1)
    return -1;
  *ret = false;
  json_array_foreach (servers, i, server) *ret |=
      osm_str_equal (osm_json_str (server, "key_name"), id) &&
      !osm_str_equal (osm_json_str (server, "id"), own);
  return 0;
}

/* ---- server groups ---- */

static int
find_group (struct osm_cloud *cloud, const json_t *plan, const char *known, char **ret_id,
            struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *groups = NULL;
  const char *planned = osm_json_str (plan, "id"), *best = NULL;
  size_t i;
  const json_t *group;

  *ret_id = NULL;
  if (osm_cloud_list (cloud, OSM_COMPUTE, osm_server_groups.list_path, osm_server_groups.list_key,
                      &groups, err) == -1)
    return -1;
  json_array_foreach (groups, i, group)
  {
    const char *id = osm_json_str (group, "id");

    if (!id || !osm_str_equal (osm_json_str (group, "name"), osm_json_str (plan, "name")) ||
        !osm_str_equal (osm_server_group_policy (group), osm_json_str (plan, "policy")))
      continue;
    /* Of several, the one that was chosen, or always the same one. */
    if (osm_str_equal (id, known) || osm_str_equal (id, planned)) {
      best = id;
      break;
    }
    if (!best || strcmp (id, best) < 0)
      best = id;
  }
  *ret_id = best ? osm_strdup (best) : NULL;
  return 0;
}

static int
create_group (struct osm_cloud *cloud, const json_t *plan, char **ret_id, struct osm_error *err)
{
  const char *policy = osm_json_str (plan, "policy");
  json_t *group = osm_json_pack ("{s:s}", "name", osm_json_str (plan, "name"));
  OSM_CLEANUP_JSON json_t *body = osm_json_pack ("{s:o}", "server_group", group), *made = NULL;

  if (osm_cloud_has_microversion (cloud, OSM_COMPUTE, "2.64")) {
    osm_json_set_str (group, "policy", policy);
    if (json_object_get (plan, "rules"))
      json_object_set (group, "rules", json_object_get (plan, "rules"));
  }
  else
    json_object_set_new (group, "policies", osm_json_pack ("[s]", policy));
  if (osm_cloud_post (cloud, OSM_COMPUTE, osm_server_groups.member_path, body,
                      osm_server_groups.member_key, &made, err) == -1)
    return -1;
  if (!osm_json_str (made, "id"))
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "cloud '%s': the new server group has no id",
                          osm_cloud_name (cloud));
  *ret_id = osm_strdup (osm_json_str (made, "id"));
  return 0;
}

static int
is_group_used (struct osm_cloud *cloud, const char *id, const char *own, bool *ret,
               struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *group = NULL;
  const json_t *member;
  size_t i;

  *ret = false;
  if (osm_cloud_find (cloud, &osm_server_groups, id, &group, err) == -1) {
    if (!osm_error_not_found (err))
      return -1;
    osm_error_clear (err);
    return 0;
  }
  json_array_foreach (json_object_get (group, "members"), i, member) *ret |=
      !osm_str_equal (json_string_value (member), own);
  return 0;
}

static const struct belonging key_pair = {
  OSM_BELONGING_KEY_PAIR, "key pair",       find_key_pair,
  create_key_pair,        is_key_pair_used, &osm_keypairs
};
static const struct belonging server_group = { OSM_BELONGING_GROUP, "server group",
                                               find_group,          create_group,
                                               is_group_used,       &osm_server_groups };

static const json_t *
plan_of (const struct osm_migration *m, const struct belonging *b)
{
  return json_object_get (json_object_get (m->row->plan, "server"), b->key);
}

/* ---- make ---- */

/* Two migrations at once would make two groups of one name, and their servers would not know of each other. */
static int
lock (struct osm_migration *m, int *ret_fd, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/belongings.lock", m->context.config->state_dir);
  OSM_CLEANUP_FD int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

  if (fd == -1)
    return osm_error_set_errno (err, errno, "%s", path);
  while (flock (fd, LOCK_EX | LOCK_NB) == -1) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      return osm_error_set_errno (err, errno, "lock %s", path);
    if (osm_wait_ms (LOCK_AGAIN_MS, err) == -1)
      return -1;
  }
  *ret_fd = osm_take_fd (&fd);
  return 0;
}

/* Its answer may have been lost. */
static int
create (struct osm_migration *m, const struct belonging *b, const json_t *plan, char **ret_id,
        struct osm_error *err)
{
  OSM_ERROR (why);

  if (b->create (cloud_of (m), plan, ret_id, &why) == 0)
    return 0;
  for (unsigned look = 0; osm_error_outcome_unknown (&why) && look < LOOKS; look++) {
    if ((look && osm_wait_ms (LOOK_AGAIN_MS, err) == -1) ||
        b->find (cloud_of (m), plan, NULL, ret_id, err) == -1)
      return -1;
    if (*ret_id)
      return 0;
  }
  osm_error_move (err, &why);
  return -1;
}

static int
make_locked (struct osm_migration *m, const struct belonging *b, const json_t *plan, char **ret_id,
             struct osm_error *err)
{
  struct osm_store *store = m->context.store;
  OSM_CLEANUP_FREE char *state = NULL, *known = NULL, *id = NULL;
  bool ours;

  if (osm_store_object_get (store, m->row->id, b->key, &state, &known, err) == -1 ||
      b->find (cloud_of (m), plan, known, &id, err) == -1)
    return -1;
  /* Not there when the intent was written, there now: it is that one. */
  ours = !id || osm_str_equal (state, "intended");
  if (!id && (osm_store_object_intend (store, m->row->id, b->key, osm_cloud_name (cloud_of (m)),
                                       b->text, err) == -1 ||
              create (m, b, plan, &id, err) == -1))
    return -1;
  if (ours && osm_store_object_created (store, m->row->id, b->key, id, err) == -1)
    return -1;
  *ret_id = osm_take (id);
  return 0;
}

static int
make (struct osm_migration *m, const struct belonging *b, char **ret_id, struct osm_error *err)
{
  const json_t *plan = plan_of (m, b);
  OSM_CLEANUP_FD int fd = -1;

  if (!plan)
    return 0;
  if (lock (m, &fd, err) == -1 || make_locked (m, b, plan, ret_id, err) == -1)
    return osm_error_wrap (err, "%s '%s'", b->text, osm_json_str (plan, "name"));
  return 0;
}

int
osm_belongings_make (struct osm_migration *m, char **ret_group, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *name = NULL;

  if (make (m, &key_pair, &name, err) == -1)
    return -1;
  return make (m, &server_group, ret_group, err);
}

static int
is_ours (struct osm_migration *m, const struct belonging *b, bool *ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *state = NULL, *id = NULL;

  if (osm_store_object_get (m->context.store, m->row->id, b->key, &state, &id, err) == -1)
    return -1;
  *ret = osm_str_equal (state, "created");
  return 0;
}

int
osm_belongings_mark (struct osm_migration *m, json_t *metadata, struct osm_error *err)
{
  bool has_key, has_group;
  OSM_CLEANUP_FREE char *text = NULL;

  if (is_ours (m, &key_pair, &has_key, err) == -1 ||
      is_ours (m, &server_group, &has_group, err) == -1)
    return -1;
  text = osm_belongings_text (has_key, has_group);
  osm_json_set_str (metadata, OSM_MARK_MADE, text);
  return 0;
}

/* ---- discard ---- */

static int
find_intended (struct osm_migration *m, const struct belonging *b, char **ret_id,
               struct osm_error *err)
{
  for (unsigned tries = 0;; tries++) {
    int64_t age;

    if (osm_store_object_age (m->context.store, m->row->id, b->key, &age, err) == -1 ||
        b->find (cloud_of (m), plan_of (m, b), NULL, ret_id, err) == -1)
      return -1;
    if (*ret_id || age >= ON_ITS_WAY_MS || tries * LOOK_AGAIN_MS >= ON_ITS_WAY_MS)
      return 0;
    if (osm_wait_ms (LOOK_AGAIN_MS, err) == -1)
      return -1;
  }
}

/* A key pair's id is its name: another key may have it by now. *ret false: it is the one that was made, or is gone, or nothing is known. */
static int
is_another (struct osm_migration *m, const struct belonging *b, const char *id, bool *ret,
            struct osm_error *err)
{
  const char *fingerprint = osm_json_str (plan_of (m, b), "fingerprint");
  OSM_CLEANUP_JSON json_t *found = NULL;

  *ret = false;
  if (b != &key_pair || !fingerprint)
    return 0;
  if (osm_cloud_find (cloud_of (m), b->collection, id, &found, err) == -1) {
    if (!osm_error_not_found (err))
      return -1;
    osm_error_clear (err);
    return 0;
  }
  *ret = !osm_str_equal (osm_json_str (found, "fingerprint"), fingerprint);
  return 0;
}

static int
discard (struct osm_migration *m, const struct belonging *b, struct osm_error *err)
{
  struct osm_store *store = m->context.store;
  OSM_CLEANUP_FREE char *state = NULL, *id = NULL, *path = NULL;
  OSM_CLEANUP_JSON json_t *made = NULL;
  bool used, another;

  if (!plan_of (m, b))
    return 0;
  if (osm_store_object_get (store, m->row->id, b->key, &state, &id, err) == -1)
    return -1;
  if (!state || strcmp (state, "deleted") == 0)
    return 0;
  if (!id && find_intended (m, b, &id, err) == -1)
    return -1;
  if (id) {
    if (osm_store_object_list (store, m->row->id, &made, err) == -1 ||
        b->is_used (cloud_of (m), id,
                    osm_json_str (osm_json_find (made, "key", OSM_ROLE_SERVER), "object_id"), &used,
                    err) == -1)
      return -1;
    if (used) {
      osm_ui_step (m->context.ui, "%s '%s' stays: other servers use it", b->text,
                   osm_json_str (plan_of (m, b), "name"));
      return 0;
    }
    if (is_another (m, b, id, &another, err) == -1)
      return -1;
    if (another) {
      osm_ui_step (m->context.ui, "%s '%s' stays: it is another one now", b->text, id);
      return osm_store_object_deleted (store, m->row->id, b->key, err);
    }
    path = path_of (b, id);
    if (osm_cloud_delete (cloud_of (m), OSM_COMPUTE, path, err) == -1)
      return -1;
  }
  return osm_store_object_deleted (store, m->row->id, b->key, err);
}

int
osm_belongings_discard (struct osm_migration *m, struct osm_error *err)
{
  return discard (m, &server_group, err) == -1 ? -1 : discard (m, &key_pair, err);
}
