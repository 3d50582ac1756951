/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/internal.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"
#include "controller/cloud/image.h"
#include "controller/cloud/network.h"
#include "controller/cloud/volume.h"

/* Until what was asked for shows in the lists: an API that has answered with 504 may still be at it. */
#define LOST_LOOKS 5
#define LOST_LOOK_MS 2000
#define MAX_CREATE_TRIES 3
/* After a crash likewise, since its intent. */
#define ON_ITS_WAY_MS 10000
#define LOOK_AGAIN_MS 1000

char *
osm_role_of (const char *role, const char *id)
{
  return osm_asprintf ("%s:%s", role, id);
}

char *
osm_marks_text (const json_t *marks)
{
  return osm_asprintf ("%s=%s %s=%s", OSM_MARK_MIGRATION, osm_json_str (marks, OSM_MARK_MIGRATION),
                       OSM_MARK_ROLE, osm_json_str (marks, OSM_MARK_ROLE));
}

json_t *
osm_marks_tags (const char *migration, const char *role)
{
  OSM_CLEANUP_FREE char *first = osm_asprintf ("%s=%s", OSM_MARK_MIGRATION, migration),
                        *second = osm_asprintf ("%s=%s", OSM_MARK_ROLE, role);

  return osm_json_pack ("[s, s]", first, second);
}

static int
delete_port (struct osm_cloud *cloud, const char *id, uint64_t timeout_ms, struct osm_error *err)
{
  (void)timeout_ms;
  return osm_network_delete (cloud, &osm_ports, id, err);
}

static int
delete_floating_ip (struct osm_cloud *cloud, const char *id, uint64_t timeout_ms,
                    struct osm_error *err)
{
  (void)timeout_ms;
  return osm_network_delete (cloud, &osm_floating_ips, id, err);
}

/* Objects of Neutron have no metadata. Until their tags are set (a second request) the description carries the marks. */
static int
list_marked (struct osm_cloud *cloud, const struct osm_collection *collection, const char *key,
             const char *value, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *objects = NULL;
  OSM_CLEANUP_FREE char *query = osm_asprintf ("project_id=%s", osm_cloud_project_id (cloud));
  size_t i;
  json_t *object;

  if (osm_network_list (cloud, collection, query, &objects, err) == -1)
    return -1;
  *ret = json_array ();
  json_array_foreach (objects, i, object)
  {
    OSM_CLEANUP_JSON json_t *marks = osm_port_marks (object);

    if (osm_str_equal (osm_json_str (marks, key), value)) {
      json_object_set (object, "metadata", marks);
      json_array_append (*ret, object);
    }
  }
  return 0;
}

static int
list_marked_ports (struct osm_cloud *cloud, const char *key, const char *value, json_t **ret,
                   struct osm_error *err)
{
  return list_marked (cloud, &osm_ports, key, value, ret, err);
}

static int
list_marked_floating_ips (struct osm_cloud *cloud, const char *key, const char *value, json_t **ret,
                          struct osm_error *err)
{
  return list_marked (cloud, &osm_floating_ips, key, value, ret, err);
}

static const struct {
  const char *type; /* in the journal */
  int (*list_marked) (struct osm_cloud *cloud, const char *key, const char *value, json_t **ret,
                      struct osm_error *err);
  int (*delete) (struct osm_cloud *cloud, const char *id, uint64_t timeout_ms,
                 struct osm_error *err);
} kinds[] = {
  [OSM_MADE_VOLUME] = { "volume", osm_volume_list_marked, osm_volume_delete },
  [OSM_MADE_SNAPSHOT] = { "snapshot", osm_snapshot_list_marked, osm_snapshot_delete },
  [OSM_MADE_PORT] = { "port", list_marked_ports, delete_port },
  [OSM_MADE_SERVER] = { "server", osm_server_list_marked, osm_server_delete },
  [OSM_MADE_FLOATING_IP] = { "floating IP", list_marked_floating_ips, delete_floating_ip },
  [OSM_MADE_IMAGE] = { "image", osm_image_list_marked, osm_image_delete },
};

/* Was it asked for more than once, because the answer was lost? Then there may be two of it. */
static int
was_repeated (struct osm_migration *m, const char *role, bool *ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *key = osm_asprintf ("repeated:%s", role);
  OSM_CLEANUP_JSON json_t *fact = NULL;

  if (osm_store_fact_get (m->context.store, m->row->id, key, &fact, err) == -1)
    return -1;
  *ret = fact != NULL;
  return 0;
}

/* Any of two will do where it was asked for twice: the other one is swept away. */
static int
two_of (struct osm_migration *m, enum osm_side side, const char *role, const char *id,
        const char *other, struct osm_error *err)
{
  bool repeated;

  if (was_repeated (m, role, &repeated, err) == -1)
    return -1;
  return repeated
             ? 0
             : osm_error_set (err, OSM_ERROR_REMOTE, 0,
                              "cloud '%s' has two objects with the mark %s of migration %s: "
                              "%s and %s",
                              osm_cloud_name (m->context.cloud[side]), role, m->row->id, id, other);
}

/* By what it is, not by its name. */
static int
find_by_mark (struct osm_migration *m, enum osm_side side, enum osm_made kind, const char *role,
              char **ret_id, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *marked = NULL;
  size_t i;
  json_t *object;

  *ret_id = NULL;
  if (kinds[kind].list_marked (m->context.cloud[side], OSM_MARK_MIGRATION, m->row->id, &marked,
                               err) == -1)
    return osm_error_wrap (err, "look for %s '%s'", kinds[kind].type, role);
  json_array_foreach (marked, i, object)
  {
    if (!osm_str_equal (osm_json_str (json_object_get (object, "metadata"), OSM_MARK_ROLE), role))
      continue;
    if (*ret_id) {
      if (two_of (m, side, role, *ret_id, osm_json_str (object, "id"), err) == 0)
        continue;
      free (osm_take (*ret_id));
      return -1;
    }
    *ret_id = osm_strdup (osm_json_str (object, "id"));
  }
  return 0;
}

/* After a crash the request for it may still be on its way through the cloud: an object that is not there may come. */
static int
find_intended (struct osm_migration *m, enum osm_side side, enum osm_made kind, const char *role,
               char **ret_id, struct osm_error *err)
{
  for (unsigned tries = 0;; tries++) {
    int64_t age;

    if (osm_store_object_age (m->context.store, m->row->id, role, &age, err) == -1 ||
        find_by_mark (m, side, kind, role, ret_id, err) == -1)
      return -1;
    /* Clocks may be put back. */
    if (*ret_id || age >= ON_ITS_WAY_MS || tries * LOOK_AGAIN_MS >= ON_ITS_WAY_MS)
      return 0;
    if (osm_wait_ms (LOOK_AGAIN_MS, err) == -1)
      return -1;
  }
}

int
osm_made_id (struct osm_migration *m, enum osm_side side, enum osm_made kind, const char *role,
             char **ret_id, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *state = NULL, *id = NULL;

  *ret_id = NULL;
  if (osm_store_object_get (m->context.store, m->row->id, role, &state, &id, err) == -1)
    return -1;
  if (osm_str_equal (state, "created"))
    *ret_id = osm_take (id);
  else if (osm_str_equal (state, "intended")) {
    if (find_intended (m, side, kind, role, ret_id, err) == -1)
      return -1;
    if (*ret_id &&
        osm_store_object_created (m->context.store, m->row->id, role, *ret_id, err) == -1)
      return -1;
  }
  return 0;
}

/* Its answer was lost: the object may come to light a moment later, or never. *ret_id NULL: never, as far as can be told. */
static int
look_for_lost (struct osm_migration *m, const struct osm_making *making, char **ret_id,
               struct osm_error *err)
{
  for (unsigned look = 0; look < LOST_LOOKS; look++) {
    if ((look && osm_wait_ms (LOST_LOOK_MS, err) == -1) ||
        find_by_mark (m, making->side, making->kind, making->role, ret_id, err) == -1)
      return -1;
    if (*ret_id)
      return 0;
  }
  return 0;
}

/* Asked for once more, the first one may still come: then osm_unmake must look for both. */
static int
note_repeated (struct osm_migration *m, const char *role, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *key = osm_asprintf ("repeated:%s", role);
  OSM_CLEANUP_JSON json_t *fact = osm_json_pack ("{s:b}", "repeated", 1);

  return osm_store_fact_set (m->context.store, m->row->id, key, fact, err);
}

static int
create_with_marks (struct osm_migration *m, const struct osm_making *making, char **ret_id,
                   struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *marks =
      osm_json_pack ("{s:s, s:s}", OSM_MARK_MIGRATION, m->row->id, OSM_MARK_ROLE, making->role);
  bool repeated = false;

  for (unsigned tries = 1;; tries++) {
    OSM_ERROR (why);

    if (making->create (m, making, marks, ret_id, &why) == 0)
      return 0;
    /* The request may have reached the cloud although its answer did not reach us. A repeated one may be refused because the
     * first one was taken after all. */
    if (osm_error_outcome_unknown (&why) || repeated) {
      if (look_for_lost (m, making, ret_id, err) == -1)
        return -1;
      if (*ret_id)
        return 0;
    }
    if (!osm_error_outcome_unknown (&why) || tries == MAX_CREATE_TRIES) {
      osm_error_move (err, &why);
      return -1;
    }
    osm_debug ("%s; nothing has come of it: once more", why.message);
    if (note_repeated (m, making->role, err) == -1)
      return -1;
    repeated = true;
  }
}

int
osm_make (struct osm_migration *m, const struct osm_making *making, char **ret_id,
          struct osm_error *err)
{
  struct osm_store *store = m->context.store;
  OSM_CLEANUP_FREE char *id = NULL;

  if (osm_interrupt_check (err) == -1 ||
      osm_made_id (m, making->side, making->kind, making->role, &id, err) == -1)
    return -1;
  if (id) {
    *ret_id = osm_take (id);
    return 0;
  }
  if (osm_store_object_intend (store, m->row->id, making->role,
                               osm_cloud_name (m->context.cloud[making->side]),
                               kinds[making->kind].type, err) == -1 ||
      create_with_marks (m, making, &id, err) == -1 ||
      osm_store_object_created (store, m->row->id, making->role, id, err) == -1)
    return -1;
  osm_debug ("migration %s: %s %s is %s", m->row->id, kinds[making->kind].type, making->role, id);
  *ret_id = osm_take (id);
  return 0;
}

/* Objects with that mark other than `id`: of a request that was believed lost. */
static int
delete_strays (struct osm_migration *m, enum osm_side side, enum osm_made kind, const char *role,
               const char *id, struct osm_error *err)
{
  struct osm_cloud *cloud = m->context.cloud[side];
  OSM_CLEANUP_JSON json_t *marked = NULL;
  bool repeated;
  size_t i;
  json_t *object;

  if (was_repeated (m, role, &repeated, err) == -1)
    return -1;
  if (!repeated)
    return 0;
  if (kinds[kind].list_marked (cloud, OSM_MARK_MIGRATION, m->row->id, &marked, err) == -1)
    return -1;
  json_array_foreach (marked, i, object)
  {
    const char *stray = osm_json_str (object, "id");

    if (stray && !osm_str_equal (stray, id) &&
        osm_str_equal (osm_json_str (json_object_get (object, "metadata"), OSM_MARK_ROLE), role) &&
        kinds[kind].delete(cloud, stray, OSM_STEP_TIMEOUT_MS, err) == -1)
      return osm_error_wrap (err, "delete %s %s", kinds[kind].type, stray);
  }
  return 0;
}

int
osm_made_sweep (struct osm_migration *m, enum osm_side side, enum osm_made kind, const char *role,
                struct osm_error *err)
{
  OSM_CLEANUP_FREE char *state = NULL, *id = NULL;

  if (osm_store_object_get (m->context.store, m->row->id, role, &state, &id, err) == -1)
    return -1;
  return osm_str_equal (state, "created") ? delete_strays (m, side, kind, role, id, err) : 0;
}

int
osm_unmake (struct osm_migration *m, enum osm_side side, enum osm_made kind, const char *role,
            struct osm_error *err)
{
  OSM_CLEANUP_FREE char *state = NULL, *known = NULL, *id = NULL;

  if (osm_store_object_get (m->context.store, m->row->id, role, &state, &known, err) == -1)
    return -1;
  if (!state || strcmp (state, "deleted") == 0)
    return 0;
  if (delete_strays (m, side, kind, role, known, err) == -1 ||
      osm_made_id (m, side, kind, role, &id, err) == -1)
    return -1;
  if (id && kinds[kind].delete(m->context.cloud[side], id, OSM_STEP_TIMEOUT_MS, err) == -1)
    return osm_error_wrap (err, "delete %s %s", kinds[kind].type, id);
  return osm_store_object_deleted (m->context.store, m->row->id, role, err);
}
