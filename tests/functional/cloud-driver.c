/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What controller/cloud does, for tests in Python: one cloud, one command a line on stdin, one answer a line on stdout.
 *
 *   cloud-driver NAME
 *   ["get", "compute", "/servers/ID", "server"]  ->  {"ok": {...}, "ms": 12}
 *                                                or  {"error": {"class": "user", "code": 404, "message": ...}, "ms": 3}
 *
 * Opening the cloud is the first answer. */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/parallel.h"
#include "common/strbuf.h"
#include "controller/cloud/cloud.h"
#include "controller/cloud/compute.h"
#include "controller/cloud/image.h"
#include "controller/cloud/network.h"
#include "controller/cloud/session.h"
#include "controller/cloud/volume.h"

#define TIMEOUT_MS 60000
#define MAX_THREADS 64

struct command {
  struct osm_cloud *cloud;
  const json_t *args; /* without the name */
};

static const char *
arg (const struct command *c, size_t i)
{
  return json_string_value (json_array_get (c->args, i));
}

static enum osm_service
service (const struct command *c)
{
  for (unsigned s = 0; s < OSM_NR_SERVICES; s++)
    if (osm_str_equal (osm_service_name (s), arg (c, 0)))
      return s;
  osm_abort ("no service of that name");
}

static int
do_get (const struct command *c, json_t **ret, struct osm_error *err)
{
  return osm_cloud_get (c->cloud, service (c), arg (c, 1), arg (c, 2), ret, err);
}

static int
do_list (const struct command *c, json_t **ret, struct osm_error *err)
{
  return osm_cloud_list (c->cloud, service (c), arg (c, 1), arg (c, 2), ret, err);
}

static int
do_post (const struct command *c, json_t **ret, struct osm_error *err)
{
  return osm_cloud_post (c->cloud, service (c), arg (c, 1), json_array_get (c->args, 3), arg (c, 2),
                         ret, err);
}

static int
do_action (const struct command *c, json_t **ret, struct osm_error *err)
{
  return osm_cloud_action (c->cloud, service (c), arg (c, 1), json_array_get (c->args, 3),
                           arg (c, 2), ret, err);
}

static int
do_volume_settle (const struct command *c, json_t **ret, struct osm_error *err)
{
  return osm_volume_settle (c->cloud, arg (c, 0), TIMEOUT_MS, ret, err);
}

static int
do_server_settle (const struct command *c, json_t **ret, struct osm_error *err)
{
  return osm_server_settle (c->cloud, arg (c, 0), TIMEOUT_MS, ret, err);
}

static int
do_put (const struct command *c, json_t **ret, struct osm_error *err)
{
  return osm_cloud_put (c->cloud, service (c), arg (c, 1), json_array_get (c->args, 3), arg (c, 2),
                        ret, err);
}

static int
do_patch (const struct command *c, json_t **ret, struct osm_error *err)
{
  return osm_cloud_patch (c->cloud, service (c), arg (c, 1), json_array_get (c->args, 3),
                          arg (c, 2), ret, err);
}

static int
do_delete (const struct command *c, json_t **ret, struct osm_error *err)
{
  (void)ret;
  return osm_cloud_delete (c->cloud, service (c), arg (c, 1), err);
}

static const struct osm_collection *
collection (const struct command *c)
{
  static const struct osm_collection *const all[] = {
    &osm_servers,      &osm_flavors,  &osm_keypairs, &osm_volumes, &osm_snapshots,
    &osm_volume_types, &osm_networks, &osm_subnets,  &osm_routers, &osm_security_groups,
    &osm_floating_ips, &osm_ports,    &osm_images
  };

  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    if (osm_str_equal (all[i]->what, arg (c, 0)))
      return all[i];
  osm_abort ("no collection of that name");
}

static int
do_find (const struct command *c, json_t **ret, struct osm_error *err)
{
  return osm_cloud_find (c->cloud, collection (c), arg (c, 1), ret, err);
}

static int
do_network_create (const struct command *c, json_t **ret, struct osm_error *err)
{
  return osm_network_create (c->cloud, collection (c), json_array_get (c->args, 1), ret, err);
}

static int
do_network_tag (const struct command *c, json_t **ret, struct osm_error *err)
{
  (void)ret;
  return osm_network_tag (c->cloud, collection (c), arg (c, 1), json_array_get (c->args, 2), err);
}

static int
do_network_delete (const struct command *c, json_t **ret, struct osm_error *err)
{
  (void)ret;
  return osm_network_delete (c->cloud, collection (c), arg (c, 1), err);
}

static int
do_router_subnet (const struct command *c, json_t **ret, struct osm_error *err)
{
  (void)ret;
  return osm_str_equal (arg (c, 0), "add")
             ? osm_router_add_subnet (c->cloud, arg (c, 1), arg (c, 2), err)
             : osm_router_remove_subnet (c->cloud, arg (c, 1), arg (c, 2), err);
}

static int
do_volume_create (const struct command *c, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *id = NULL;

  if (osm_volume_create (c->cloud, json_array_get (c->args, 0), &id, err) == -1)
    return -1;
  return osm_volume_wait (c->cloud, id, "available", TIMEOUT_MS, ret, err);
}

static int
do_volume_delete (const struct command *c, json_t **ret, struct osm_error *err)
{
  (void)ret;
  return osm_volume_delete (c->cloud, arg (c, 0), TIMEOUT_MS, err);
}

static int
do_volume_mark (const struct command *c, json_t **ret, struct osm_error *err)
{
  return osm_volume_set_metadata (c->cloud, arg (c, 0), arg (c, 1), arg (c, 2), err) == -1
             ? -1
             : osm_volume_list_marked (c->cloud, arg (c, 1), arg (c, 2), ret, err);
}

static int
do_snapshot_create (const struct command *c, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *id = NULL;

  if (osm_snapshot_create (c->cloud, json_array_get (c->args, 0), &id, err) == -1)
    return -1;
  return osm_snapshot_wait (c->cloud, id, "available", TIMEOUT_MS, ret, err);
}

static int
do_snapshot_delete (const struct command *c, json_t **ret, struct osm_error *err)
{
  (void)ret;
  return osm_snapshot_delete (c->cloud, arg (c, 0), TIMEOUT_MS, err);
}

static int
do_server_create (const struct command *c, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *id = NULL;

  if (osm_server_create (c->cloud, json_array_get (c->args, 0), &id, err) == -1)
    return -1;
  return osm_server_wait (c->cloud, id, "ACTIVE", TIMEOUT_MS, ret, err);
}

/* "stop" ID or "start" ID, twice: the second has nothing to do. */
static int
do_server_power (const struct command *c, json_t **ret, struct osm_error *err)
{
  bool stop = osm_str_equal (arg (c, 0), "stop");

  for (int i = 0; i < 2; i++)
    if ((stop ? osm_server_stop (c->cloud, arg (c, 1), err)
              : osm_server_start (c->cloud, arg (c, 1), err)) == -1)
      return -1;
  return osm_server_wait (c->cloud, arg (c, 1), stop ? "SHUTOFF" : "ACTIVE", TIMEOUT_MS, ret, err);
}

static int
do_server_delete (const struct command *c, json_t **ret, struct osm_error *err)
{
  (void)ret;
  return osm_server_delete (c->cloud, arg (c, 0), TIMEOUT_MS, err);
}

static int
do_lock (const struct command *c, json_t **ret, struct osm_error *err)
{
  (void)ret;
  return osm_server_lock (c->cloud, arg (c, 0), "for a test", err) == -1
             ? -1
             : osm_server_unlock (c->cloud, arg (c, 0), err);
}

static int
do_attach (const struct command *c, json_t **ret, struct osm_error *err)
{
  return osm_server_attach (c->cloud, arg (c, 0), arg (c, 1), NULL, NULL, 1, TIMEOUT_MS, err) == -1
             ? -1
             : osm_server_attachments (c->cloud, arg (c, 0), ret, err);
}

static int
do_detach (const struct command *c, json_t **ret, struct osm_error *err)
{
  return osm_server_detach (c->cloud, arg (c, 0), arg (c, 1), TIMEOUT_MS, err) == -1
             ? -1
             : osm_server_attachments (c->cloud, arg (c, 0), ret, err);
}

static int
do_keypair (const struct command *c, json_t **ret, struct osm_error *err)
{
  (void)ret;
  return osm_keypair_create (c->cloud, arg (c, 0), arg (c, 1), NULL, err);
}

static int
do_limits (const struct command *c, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *compute = NULL, *volume = NULL;

  if (osm_compute_limits (c->cloud, &compute, err) == -1 ||
      osm_volume_limits (c->cloud, &volume, err) == -1)
    return -1;
  *ret = osm_json_pack ("{s:O, s:O}", "compute", compute, "volume", volume);
  return 0;
}

static int
do_microversion (const struct command *c, json_t **ret, struct osm_error *err)
{
  (void)err;
  *ret = json_string (osm_cloud_microversion (c->cloud, service (c)));
  return 0;
}

/* For the test to revoke it. */
static int
do_token (const struct command *c, json_t **ret, struct osm_error *err)
{
  char *token = NULL;
  uint64_t generation;

  if (osm_session_token (c->cloud, 0, &token, &generation, err) == -1)
    return -1;
  *ret = osm_json_pack ("{s:s, s:I}", "token", token, "generation", (json_int_t)generation);
  osm_secret_free (token);
  return 0;
}

static int
get_once (void *data, struct osm_error *err)
{
  const struct command *c = data;
  OSM_CLEANUP_JSON json_t *object = NULL;

  return osm_cloud_get (c->cloud, service (c), arg (c, 1), arg (c, 2), &object, err);
}

/* The same GET from so many threads at once. */
static int
do_together (const struct command *c, json_t **ret, struct osm_error *err)
{
  struct command copy = *c;
  struct osm_task tasks[MAX_THREADS];

  (void)ret;
  for (size_t i = 0; i < MAX_THREADS; i++)
    tasks[i] = (struct osm_task){ get_once, &copy };
  return osm_parallel (tasks, MAX_THREADS, err);
}

static const struct {
  const char *name;
  int (*run) (const struct command *c, json_t **ret, struct osm_error *err);
} commands[] = {
  { "get", do_get },
  { "list", do_list },
  { "post", do_post },
  { "action", do_action },
  { "put", do_put },
  { "patch", do_patch },
  { "delete", do_delete },
  { "find", do_find },
  { "network-create", do_network_create },
  { "network-tag", do_network_tag },
  { "network-delete", do_network_delete },
  { "router-subnet", do_router_subnet },
  { "volume-create", do_volume_create },
  { "volume-delete", do_volume_delete },
  { "volume-settle", do_volume_settle },
  { "volume-mark", do_volume_mark },
  { "snapshot-create", do_snapshot_create },
  { "snapshot-delete", do_snapshot_delete },
  { "server-create", do_server_create },
  { "server-power", do_server_power },
  { "server-settle", do_server_settle },
  { "server-delete", do_server_delete },
  { "lock", do_lock },
  { "attach", do_attach },
  { "detach", do_detach },
  { "keypair", do_keypair },
  { "limits", do_limits },
  { "microversion", do_microversion },
  { "token", do_token },
  { "together", do_together },
};

static int
run (struct osm_cloud *cloud, const json_t *line, json_t **ret, struct osm_error *err)
{
  const char *name = json_string_value (json_array_get (line, 0));
  OSM_CLEANUP_JSON json_t *args = json_copy ((json_t *)line);
  const struct command c = { cloud, args };

  json_array_remove (args, 0);
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
    if (osm_str_equal (commands[i].name, name))
      return commands[i].run (&c, ret, err);
  return osm_error_set (err, OSM_ERROR_BUG, 0, "no command '%s'", name ? name : "");
}

static void
answer (json_t *ok, const struct osm_error *err, uint64_t since_ms)
{
  OSM_CLEANUP_JSON json_t *line =
      osm_json_pack ("{s:I}", "ms", (json_int_t)(osm_now_ms () - since_ms));
  OSM_CLEANUP_FREE char *text = NULL;

  if (osm_error_is_set (err)) {
    json_object_set_new (line, "error", osm_error_to_json (err));
    json_object_set_new (line, "unknown", json_boolean (osm_error_outcome_unknown (err)));
  }
  else
    json_object_set (line, "ok", ok ? ok : json_null ());
  text = osm_json_dump (line);
  printf ("%s\n", text);
  fflush (stdout);
}

int
main (int argc, char **argv)
{
  OSM_CLEANUP_CLOUD struct osm_cloud *cloud = NULL;
  OSM_CLEANUP_FREE char *line = NULL;
  size_t allocated = 0;
  uint64_t since = osm_now_ms ();
  OSM_ERROR (err);

  osm_log_init ("cloud-driver", OSM_LOG_DEBUG);
  osm_interrupt_init ();
  osm_cloud_open (argc > 1 ? argv[1] : NULL, &cloud, &err);
  answer (NULL, &err, since);
  while (cloud && getline (&line, &allocated, stdin) > 0) {
    OSM_CLEANUP_JSON json_t *command = NULL, *ok = NULL;
    OSM_ERROR (why);

    since = osm_now_ms ();
    if (osm_json_parse (line, strlen (line), "command", &command, &why) == 0)
      run (cloud, command, &ok, &why);
    answer (ok, &why, since);
  }
  return cloud ? 0 : 1;
}
