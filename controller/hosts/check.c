/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/hosts/hosts.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/log.h"
#include "common/parallel.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"
#include "controller/hosts/internal.h"
#include "controller/hosts/path.h"

#define CHECK_TEST_BYTES (128 * 1024 * 1024)

struct side_check {
  struct osm_hosts_context *context;
  enum osm_side side;
  struct osm_host *host;
  json_t *result;
  struct osm_error why; /* what is wrong with it */
};

/* Slots are those beside the boot disk. */
static int
count_volumes (struct side_check *c, const json_t *server, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *volumes = NULL;
  const struct osm_host_config *config = &c->context->config->host[c->side];
  size_t used;

  if (osm_host_volumes (c->context->cloud[c->side], osm_json_str (server, "id"), &volumes, err) ==
      -1)
    return -1;
  used = json_array_size (volumes);
  json_object_set_new (c->result, "attached_volumes", json_integer ((json_int_t)used));
  json_object_set_new (c->result, "free_slots",
                       json_integer (config->max_attachments > used
                                         ? (json_int_t)(config->max_attachments - used)
                                         : 0));
  return 0;
}

static int
check_side (void *data, struct osm_error *err)
{
  struct side_check *c = data;
  struct osm_cloud *cloud = c->context->cloud[c->side];
  OSM_CLEANUP_JSON json_t *server = NULL;

  json_object_set_new (c->result, "cloud", json_string (osm_cloud_name (cloud)));
  if (osm_host_find (c->context, c->side, &server, err) == -1)
    return -1;
  osm_json_set_str (c->result, "server_id", osm_json_str (server, "id"));
  osm_json_set_str (c->result, "name", osm_json_str (server, "name"));
  osm_json_set_str (c->result, "status", osm_json_str (server, "status"));
  if (count_volumes (c, server, err) == -1 ||
      osm_host_open_server (c->context, c->side, server, false, &c->host, err) == -1)
    return -1;
  osm_json_set_str (c->result, "address", c->host->address);
  osm_json_set_str (c->result, "disk_bus", c->host->disk_bus);
  json_object_set (c->result, "agent", (json_t *)osm_link_hello (c->host->link));
  return 0;
}

/* What is wrong with one side is found out about the other all the same. */
static int
task_side (void *data, struct osm_error *err)
{
  struct side_check *c = data;

  if (check_side (c, &c->why) == 0)
    return 0;
  if (c->why.class == OSM_ERROR_INTERRUPTED) {
    osm_error_copy (err, &c->why);
    return -1;
  }
  json_object_set_new (c->result, "error", osm_error_to_json (&c->why));
  return 0;
}

/* What does not work is part of the answer. */
static int
check_link (struct osm_hosts_context *context, struct osm_host *source,
            struct osm_host *destination, json_t **ret, struct osm_error *err)
{
  const struct osm_path_wish wish = {
    .policy = context->config->link_path, .id = "probe", .bytes = CHECK_TEST_BYTES, .look = true
  };
  OSM_CLEANUP_PATH struct osm_path *path = NULL;
  OSM_ERROR (why);

  if (osm_path_choose (context, source, destination, &wish, ret, &path, &why) == 0) {
    if (path->kind != OSM_PATH_DIRECT && osm_path_forget (source, destination, wish.id, &why) == -1)
      osm_warning ("%s", why.message);
    return 0;
  }
  if (why.class == OSM_ERROR_INTERRUPTED || !*ret) {
    osm_error_move (err, &why);
    return -1;
  }
  return 0;
}

static int
check (struct osm_hosts_context *context, bool with_link, json_t **ret, struct osm_error *err)
{
  struct side_check c[2] = {
    { .context = context, .side = OSM_SOURCE, .result = json_object () },
    { .context = context, .side = OSM_DESTINATION, .result = json_object () },
  };
  const struct osm_task tasks[] = { { task_side, &c[0] }, { task_side, &c[1] } };
  json_t *link = NULL;
  int r = osm_parallel (tasks, 2, err);

  if (r == 0 && with_link && c[0].host && c[1].host)
    r = check_link (context, c[0].host, c[1].host, &link, err);
  if (r == 0) {
    *ret = osm_json_pack ("{s:O, s:O}", "source", c[0].result, "destination", c[1].result);
    if (link)
      json_object_set (*ret, "link", link);
  }
  json_decref (link);
  for (size_t i = 0; i < 2; i++) {
    osm_host_free (c[i].host);
    json_decref (c[i].result);
    osm_error_done (&c[i].why);
  }
  return r;
}

int
osm_hosts_check (struct osm_hosts_context *context, json_t **ret, struct osm_error *err)
{
  return check (context, true, ret, err);
}

int
osm_hosts_look (struct osm_hosts_context *context, json_t **ret, struct osm_error *err)
{
  return check (context, false, ret, err);
}
