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
#include "controller/cloud/network.h"
#include "controller/cloud/volume.h"

char *
osm_role_of (const char *role, const char *id)
{
  return osm_asprintf ("%s:%s", role, id);
}

static int
delete_port (struct osm_cloud *cloud, const char *id, uint64_t timeout_ms, struct osm_error *err)
{
  (void)timeout_ms;
  return osm_network_delete (cloud, &osm_ports, id, err);
}

/* Ports have no metadata. Until their tags are set (a second request) the description carries the marks. */
static int
list_marked_ports (struct osm_cloud *cloud, const char *key, const char *value, json_t **ret,
                   struct osm_error *err)
{
  OSM_CLEANUP_FREE char *mark = osm_asprintf ("%s=%s", key, value);
  OSM_CLEANUP_JSON json_t *ports = NULL;
  OSM_CLEANUP_FREE char *query = osm_asprintf ("project_id=%s", osm_cloud_project_id (cloud));
  size_t i, j;
  json_t *port, *tag;

  if (osm_network_list (cloud, &osm_ports, query, &ports, err) == -1)
    return -1;
  *ret = json_array ();
  json_array_foreach (ports, i, port)
  {
    const char *description = osm_json_str (port, "description");
    json_t *marks = json_object ();

    if (description && osm_str_starts_with (description, mark)) {
      const char *role = strstr (description, " " OSM_MARK_ROLE "=");

      osm_json_set_str (marks, key, value);
      if (role)
        osm_json_set_str (marks, OSM_MARK_ROLE, role + strlen (" " OSM_MARK_ROLE "="));
    }
    json_array_foreach (json_object_get (port, "tags"), j, tag)
    {
      const char *text = json_string_value (tag);

      if (osm_str_equal (text, mark))
        osm_json_set_str (marks, key, value);
      else if (text && osm_str_starts_with (text, OSM_MARK_ROLE "="))
        osm_json_set_str (marks, OSM_MARK_ROLE, text + strlen (OSM_MARK_ROLE "="));
    }
    if (json_object_get (marks, key)) {
      json_object_set (port, "metadata", marks);
      json_array_append (*ret, port);
    }
    json_decref (marks);
  }
  return 0;
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
};

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
      osm_error_set (err, OSM_ERROR_REMOTE, 0,
                     "cloud '%s' has two objects with the mark %s of migration %s: %s and %s",
                     osm_cloud_name (m->context.cloud[side]), role, m->row->id, *ret_id,
                     osm_json_str (object, "id"));
      free (osm_take (*ret_id));
      return -1;
    }
    *ret_id = osm_strdup (osm_json_str (object, "id"));
  }
  return 0;
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
    if (find_by_mark (m, side, kind, role, ret_id, err) == -1)
      return -1;
    if (*ret_id &&
        osm_store_object_created (m->context.store, m->row->id, role, *ret_id, err) == -1)
      return -1;
  }
  return 0;
}

int
osm_make (struct osm_migration *m, const struct osm_making *making, char **ret_id,
          struct osm_error *err)
{
  struct osm_store *store = m->context.store;
  OSM_CLEANUP_FREE char *id = NULL;
  OSM_CLEANUP_JSON json_t *marks = NULL;

  if (osm_interrupt_check (err) == -1 ||
      osm_made_id (m, making->side, making->kind, making->role, &id, err) == -1)
    return -1;
  if (id) {
    *ret_id = osm_take (id);
    return 0;
  }
  if (osm_store_object_intend (store, m->row->id, making->role,
                               osm_cloud_name (m->context.cloud[making->side]),
                               kinds[making->kind].type, err) == -1)
    return -1;
  marks = osm_json_pack ("{s:s, s:s}", OSM_MARK_MIGRATION, m->row->id, OSM_MARK_ROLE, making->role);
  if (making->create (m, making, marks, &id, err) == -1) {
    OSM_ERROR (ignored);

    /* The request may have reached the cloud although its answer did not reach us. */
    if (!osm_error_outcome_unknown (err) ||
        find_by_mark (m, making->side, making->kind, making->role, &id, &ignored) == -1 || !id)
      return -1;
    osm_error_clear (err);
  }
  if (osm_store_object_created (store, m->row->id, making->role, id, err) == -1)
    return -1;
  osm_debug ("migration %s: %s %s is %s", m->row->id, kinds[making->kind].type, making->role, id);
  *ret_id = osm_take (id);
  return 0;
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
  if (osm_made_id (m, side, kind, role, &id, err) == -1)
    return -1;
  if (id && kinds[kind].delete(m->context.cloud[side], id, OSM_STEP_TIMEOUT_MS, err) == -1)
    return osm_error_wrap (err, "delete %s %s", kinds[kind].type, id);
  return osm_store_object_deleted (m->context.store, m->row->id, role, err);
}
