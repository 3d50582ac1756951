/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The path of a migration's data: found anew by every process that copies. */

#include <config.h>

#include "controller/hosts/path.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/migration/internal.h"

#define FACT_POLICY "path-policy"
#define FACT "path"
#define TEST_BYTES (1024 * 1024)

/* Names what the agents keep for it: the same after a restart of anything, so that its port is, too. */
static char *
path_id (const struct osm_migration *m)
{
  return osm_asprintf ("%s-path", m->row->id);
}

int
osm_migration_set_path (struct osm_migration *m, const char *policy, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *fact = osm_json_pack ("{s:s}", "policy", policy);

  return osm_store_fact_set (m->context.store, m->row->id, FACT_POLICY, fact, err);
}

/* Copies that run since before must be told if it is another one now. */
static int
note (struct osm_migration *m, struct osm_error *err)
{
  const char *name = osm_path_name (m->path->kind), *text = osm_path_text (m->path->kind);
  struct osm_store *store = m->context.store;
  OSM_CLEANUP_JSON json_t *before = NULL, *now = osm_json_pack ("{s:s, s:i}", "path", name, "port",
                                                                (int)m->path->port);
  OSM_CLEANUP_FREE char *event = osm_asprintf ("path: %s (%s)", name, text);

  if (osm_store_fact_get (store, m->row->id, FACT, &before, err) == -1)
    return -1;
  if (before && json_equal (before, now))
    return 0;
  m->path_moved = before != NULL;
  if (m->path_moved || m->path->kind != OSM_PATH_DIRECT)
    osm_ui_step (m->context.ui, "path: %s, %s", name, text);
  if (osm_store_fact_set (store, m->row->id, FACT, now, err) == -1)
    return -1;
  return osm_store_event_add (store, m->row->id, event, err);
}

int
osm_data_open_path (struct osm_migration *m, struct osm_error *err)
{
  const struct osm_migration_context *c = &m->context;
  struct osm_hosts_context context = { .config = c->config,
                                       .cloud = { c->cloud[0], c->cloud[1] },
                                       .store = c->store };
  OSM_CLEANUP_FREE char *id = path_id (m);
  OSM_CLEANUP_JSON json_t *policy = NULL;
  struct osm_path_wish wish = { .id = id, .bytes = TEST_BYTES };

  if (m->path)
    return 0;
  if (osm_store_fact_get (c->store, m->row->id, FACT_POLICY, &policy, err) == -1)
    return -1;
  wish.policy = osm_json_str (policy, "policy");
  if (!wish.policy)
    wish.policy = c->config->link_path;
  if (osm_path_choose (&context, m->host[OSM_SOURCE], m->host[OSM_DESTINATION], &wish, NULL,
                       &m->path, err) == -1)
    return -1;
  return note (m, err);
}

int
osm_data_close_path (struct osm_migration *m, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *id = path_id (m);

  osm_path_free (osm_take (m->path));
  return osm_path_forget (m->host[OSM_SOURCE], m->host[OSM_DESTINATION], id, err);
}

void
osm_data_explain (struct osm_migration *m, struct osm_error *err)
{
  OSM_ERROR (why);

  if (m->path && err->class == OSM_ERROR_RETRY && osm_path_trouble (m->path, &why))
    osm_error_hint (err, "the path '%s' is broken: %s; the next run looks for another one",
                    osm_path_name (m->path->kind), why.message);
}
