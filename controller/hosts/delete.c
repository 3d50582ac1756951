/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/hosts/hosts.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/log.h"
#include "common/parallel.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"
#include "controller/cloud/network.h"
#include "controller/cloud/volume.h"
#include "controller/hosts/home.h"
#include "controller/hosts/internal.h"

#define TIMEOUT_MS (10 * 60 * 1000)

struct deletion {
  struct osm_hosts_context *context;
  enum osm_side side;
  struct osm_cloud *cloud;
  const struct osm_host_config *config;
  bool force;
  atomic_bool changed; /* two tasks of a side run at once */
};

static void __attribute__ ((format (printf, 2, 3)))
changed (struct deletion *d, const char *format, ...)
{
  OSM_CLEANUP_FREE char *text = NULL;
  va_list args;

  va_start (args, format);
  text = osm_vasprintf (format, args);
  va_end (args);
  d->changed = true;
  if (d->context->report)
    d->context->report (d->context->report_data, d->side, text);
}

static void
gone (struct deletion *d, const char *what, const char *id)
{
  changed (d, "%s %s deleted", what, id);
}

/* A data volume that was on its way goes back to the server whose it is. home: of osm_home_parse, with its "volume_id". */
static int
send_home (struct deletion *d, const json_t *home, struct osm_error *err)
{
  const char *id = osm_json_str (home, "server_id"), *volume_id = osm_json_str (home, "volume_id");
  OSM_CLEANUP_JSON json_t *server = NULL;

  if (osm_server_get (d->cloud, id, &server, err) == -1)
    return osm_error_wrap (err, "volume %s belongs to server %s", volume_id, id);
  if (json_is_true (json_object_get (server, "locked")) &&
      osm_server_unlock (d->cloud, id, err) == -1)
    return -1;
  if (osm_server_attach (d->cloud, id, volume_id, osm_json_str (home, "device"), NULL,
                         json_is_true (json_object_get (home, "delete_on_termination")), TIMEOUT_MS,
                         err) == -1)
    return -1;
  changed (d, "volume %s given back to server %s", volume_id, id);
  if (osm_volume_delete_metadata (d->cloud, volume_id, OSM_MARK_HOME, err) == -1)
    return -1;
  return osm_volume_delete_metadata (d->cloud, volume_id, "osm.migration", err);
}

/* Nova gives out names of devices in the order of attaching: so first all volumes leave, then they go home in the order of theirs. */
static int
detach_all (struct deletion *d, const char *server_id, const json_t *volume_ids,
            struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *homes = json_array (), *sorted = NULL;
  size_t i;
  json_t *item;

  json_array_foreach (volume_ids, i, item)
  {
    OSM_CLEANUP_JSON json_t *volume = NULL, *home = NULL;
    const char *id = json_string_value (item);

    if (osm_volume_get (d->cloud, id, &volume, err) == -1 ||
        osm_server_detach (d->cloud, server_id, id, TIMEOUT_MS, err) == -1)
      return -1;
    changed (d, "volume %s detached", id);
    home = osm_home_parse (osm_json_str (json_object_get (volume, "metadata"), OSM_MARK_HOME));
    if (!home)
      continue;
    osm_json_set_str (home, "volume_id", id);
    json_array_append (homes, home);
  }
  sorted = osm_sorted_by_device (homes);
  json_array_foreach (sorted, i, item)
  {
    if (send_home (d, item, err) == -1)
      return -1;
  }
  return 0;
}

/* Nova cannot detach what an agent holds open: its exports and jobs end first. One that does not answer (or lets in another key) is
 * switched off, as it is going to be deleted. */
static int
switch_off (struct deletion *d, const json_t *server, struct osm_error *err)
{
  const char *id = osm_json_str (server, "id");

  if (osm_server_stop (d->cloud, id, err) == -1)
    return -1;
  changed (d, "server %s switched off: its agent does not answer", id);
  return osm_server_wait (d->cloud, id, "SHUTOFF", TIMEOUT_MS, NULL, err);
}

static int
quiet_agent (struct deletion *d, const json_t *server, struct osm_error *err)
{
  OSM_CLEANUP_HOST struct osm_host *host = NULL;
  OSM_CLEANUP_JSON json_t *exports = NULL, *jobs = NULL;
  size_t i;
  json_t *item;
  OSM_ERROR (why);

  if (osm_host_open_server (d->context, d->side, server, false, &host, &why) == -1 ||
      osm_link_call (host->link, "job.list", json_object (), &jobs, &why) == -1 ||
      osm_link_call (host->link, "export.list", json_object (), &exports, &why) == -1) {
    osm_info ("%s conversion host: %s", osm_side_name (d->side), why.message);
    return osm_str_equal (osm_json_str (server, "status"), "ACTIVE") ? switch_off (d, server, err)
                                                                     : 0;
  }
  json_array_foreach (json_object_get (jobs, "jobs"), i, item)
  {
    OSM_CLEANUP_JSON json_t *answer = NULL;
    OSM_ERROR (ignored);

    if (osm_str_equal (osm_json_str (item, "state"), "running"))
      (void)osm_link_call (host->link, "job.cancel",
                           osm_json_pack ("{s:s?}", "id", osm_json_str (item, "id")), &answer,
                           &ignored);
  }
  json_array_foreach (json_object_get (exports, "exports"), i, item)
  {
    OSM_CLEANUP_JSON json_t *answer = NULL;
    OSM_ERROR (ignored);

    (void)osm_link_call (host->link, "export.stop",
                         osm_json_pack ("{s:s?}", "id", osm_json_str (item, "id")), &answer,
                         &ignored);
  }
  return 0;
}

static int
release_volumes (struct deletion *d, const json_t *server, struct osm_error *err)
{
  const char *id = osm_json_str (server, "id");
  OSM_CLEANUP_JSON json_t *attachments = NULL, *volume_ids = json_array ();
  size_t i;
  json_t *attachment;
  OSM_STRBUF (list);

  if (osm_server_attachments (d->cloud, id, &attachments, err) == -1)
    return -1;
  json_array_foreach (attachments, i, attachment)
  {
    const char *volume_id = osm_json_str (attachment, "volume_id");

    if (osm_host_is_boot_volume (server, attachments, attachment))
      continue;
    osm_strbuf_addf (&list, "%s%s", json_array_size (volume_ids) > 0 ? ", " : "", volume_id);
    json_array_append_new (volume_ids, json_string (volume_id));
  }
  if (json_array_size (volume_ids) == 0)
    return 0;
  if (d->force)
    return quiet_agent (d, server, err) == -1 ? -1 : detach_all (d, id, volume_ids, err);
  osm_error_set (err, OSM_ERROR_USER, 0,
                 "%zu volumes are attached to the %s conversion host %s: %s",
                 json_array_size (volume_ids), osm_side_name (d->side), id, osm_strbuf_str (&list));
  return osm_error_hint (err, "finish or roll back the migration that uses them, or let --force "
                              "detach them");
}

static int
delete_marked (struct deletion *d, const struct osm_collection *collection, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *found = NULL;
  size_t i;
  json_t *object;

  if (osm_host_marked (d->cloud, d->config, collection, &found, err) == -1)
    return -1;
  json_array_foreach (found, i, object)
  {
    const char *id = osm_json_str (object, "id");

    if (osm_network_delete (d->cloud, collection, id, err) == -1)
      return osm_error_wrap (err, "delete %s %s", collection->what, id);
    gone (d, collection->what, id);
  }
  return 0;
}

static bool
is_router_interface (const json_t *port)
{
  const char *owner = osm_json_str (port, "device_owner");

  /* Also network:router_interface_distributed. */
  return owner && (osm_str_starts_with (owner, "network:router_interface") ||
                   osm_str_equal (owner, "network:ha_router_replicated_interface"));
}

/* Our own subnets from whatever router they are on: ours, or one that the configuration named. */
static int
delete_router_interfaces (struct deletion *d, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *networks = NULL;
  size_t i, j, k;
  json_t *network, *port, *fixed_ip;

  if (osm_host_marked (d->cloud, d->config, &osm_networks, &networks, err) == -1)
    return -1;
  json_array_foreach (networks, i, network)
  {
    OSM_CLEANUP_FREE char *query = osm_asprintf ("network_id=%s", osm_json_str (network, "id"));
    OSM_CLEANUP_JSON json_t *ports = NULL;

    if (osm_network_list (d->cloud, &osm_ports, query, &ports, err) == -1)
      return -1;
    json_array_foreach (ports, j, port)
    {
      if (!is_router_interface (port))
        continue;
      json_array_foreach (json_object_get (port, "fixed_ips"), k, fixed_ip)
      {
        if (osm_router_remove_subnet (d->cloud, osm_json_str (port, "device_id"),
                                      osm_json_str (fixed_ip, "subnet_id"), err) == -1)
          return -1;
      }
    }
  }
  return 0;
}

/* Names that osm_host_key_pair_name would give to their own key: ours without doubt. */
static int
delete_key_pairs (struct deletion *d, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *pairs = NULL;
  size_t i;
  json_t *item;

  if (osm_cloud_list (d->cloud, OSM_COMPUTE, "/os-keypairs", "keypairs", &pairs, err) == -1)
    return -1;
  json_array_foreach (pairs, i, item)
  {
    const json_t *pair = json_object_get (item, "keypair");
    const char *name = osm_json_str (pair, "name"), *key = osm_json_str (pair, "public_key");
    OSM_CLEANUP_FREE char *ours = NULL, *path = NULL;

    if (!name || !key)
      continue;
    ours = osm_host_key_pair_name (d->config, key);
    if (strcmp (ours, name) != 0)
      continue;
    path = osm_asprintf ("/os-keypairs/%s", name);
    if (osm_cloud_delete (d->cloud, OSM_COMPUTE, path, err) == -1)
      return -1;
    gone (d, "key pair", name);
  }
  return 0;
}

static int
task_floating_ips (void *data, struct osm_error *err)
{
  return delete_marked (data, &osm_floating_ips, err);
}

/* Several, if a deployment went wrong. Nova may list a server a moment longer than it shows it. */
static int
task_server (void *data, struct osm_error *err)
{
  struct deletion *d = data;
  OSM_CLEANUP_JSON json_t *servers = NULL;
  size_t i;
  json_t *server;

  if (osm_host_list_servers (d->cloud, d->config, &servers, err) == -1)
    return -1;
  json_array_foreach (servers, i, server)
  {
    const char *id = osm_json_str (server, "id");

    if (osm_server_delete (d->cloud, id, TIMEOUT_MS, err) == -1)
      return -1;
    gone (d, "server", id);
  }
  return 0;
}

static int
delete_side (struct deletion *d, struct osm_error *err)
{
  const struct osm_task first[] = { { task_floating_ips, d }, { task_server, d } };
  const struct osm_collection *const rest[] = { &osm_ports, &osm_routers, &osm_subnets,
                                                &osm_networks, &osm_security_groups };
  OSM_CLEANUP_FREE char *store_key = osm_host_store_key (d->cloud);

  if (osm_parallel (first, 2, err) == -1 || delete_router_interfaces (d, err) == -1)
    return -1;
  for (size_t i = 0; i < sizeof rest / sizeof rest[0]; i++)
    if (delete_marked (d, rest[i], err) == -1)
      return -1;
  if (delete_key_pairs (d, err) == -1)
    return -1;
  return osm_store_host_delete (d->context->store, store_key, d->config->name, err);
}

static int
task_side (void *data, struct osm_error *err)
{
  struct deletion *d = data;

  return delete_side (d, err) == -1 ? osm_error_wrap (err, "%s", osm_side_name (d->side)) : 0;
}

static int
check_unused (struct deletion *d, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *servers = NULL;
  size_t i;
  json_t *server;

  if (osm_host_list_servers (d->cloud, d->config, &servers, err) == -1)
    return -1;
  json_array_foreach (servers, i, server)
  {
    if (release_volumes (d, server, err) == -1)
      return -1;
  }
  return 0;
}

/* One journal may hold migrations between several pairs of clouds. */
static bool
is_between_ours (const struct osm_hosts_context *context, const struct osm_migration_row *row)
{
  return osm_str_equal (row->source_cloud, osm_cloud_name (context->cloud[OSM_SOURCE])) ||
         osm_str_equal (row->destination_cloud, osm_cloud_name (context->cloud[OSM_DESTINATION]));
}

static int
check_migrations (struct osm_hosts_context *context, struct osm_error *err)
{
  struct osm_migration_row **rows = NULL;
  size_t nr = 0;
  int r = osm_store_migration_list (context->store, NULL, 0, &rows, &nr, err);

  for (size_t i = 0; i < nr; i++) {
    static const char *const working[] = { "running",     "held",         "failed",
                                           "interrupted", "rolling-back", "rollback-failed" };

    for (size_t k = 0; r == 0 && k < sizeof working / sizeof working[0]; k++) {
      if (!osm_str_equal (rows[i]->state, working[k]) || !is_between_ours (context, rows[i]))
        continue;
      r = osm_error_set (err, OSM_ERROR_USER, 0,
                         "migration %s of %s '%s' is %s and needs the conversion hosts",
                         rows[i]->id, rows[i]->kind, rows[i]->object_name, rows[i]->state);
      osm_error_hint (err,
                      "osm-controller resume %s, or rollback %s; --force deletes them all the "
                      "same",
                      rows[i]->id, rows[i]->id);
    }
    osm_migration_row_free (rows[i]);
  }
  free (rows);
  return r;
}

static int
delete_locked (struct osm_hosts_context *context, bool force, bool *ret_changed,
               struct osm_error *err)
{
  struct deletion d[2] = { { .side = OSM_SOURCE }, { .side = OSM_DESTINATION } };
  const struct osm_task tasks[] = { { task_side, &d[0] }, { task_side, &d[1] } };

  for (size_t i = 0; i < 2; i++) {
    d[i].context = context;
    d[i].cloud = context->cloud[i];
    d[i].config = &context->config->host[i];
    d[i].force = force;
  }
  /* Everything that forbids it is found out before anything is deleted. */
  if ((!force && check_migrations (context, err) == -1) || check_unused (&d[0], err) == -1 ||
      check_unused (&d[1], err) == -1 || osm_parallel (tasks, 2, err) == -1)
    return -1;
  *ret_changed = d[0].changed || d[1].changed;
  return 0;
}

int
osm_hosts_delete (struct osm_hosts_context *context, bool force, bool *ret_changed,
                  struct osm_error *err)
{
  int r, lock_fd;

  if (osm_hosts_lock (context, &lock_fd, err) == -1)
    return -1;
  r = delete_locked (context, force, ret_changed, err);
  osm_hosts_unlock (lock_fd, err);
  return r;
}
