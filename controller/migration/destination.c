/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/internal.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/parallel.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"
#include "controller/cloud/network.h"
#include "controller/cloud/volume.h"
#include "controller/migration/plan-internal.h"

static struct osm_cloud *
cloud_of (const struct osm_migration *m)
{
  return m->context.cloud[OSM_DESTINATION];
}

/* ---- volumes ---- */

static int
create_volume (struct osm_migration *m, const struct osm_making *making, const json_t *marks,
               char **ret_id, struct osm_error *err)
{
  const json_t *plan = making->plan;
  OSM_CLEANUP_JSON json_t *spec = osm_json_pack (
      "{s:I, s:s, s:o}", "size", osm_plan_new_size (plan), "name", osm_json_str (plan, "name"),
      "metadata", json_copy (json_object_get (plan, "metadata")));

  json_object_update (json_object_get (spec, "metadata"), (json_t *)marks);
  osm_json_set_str (spec, "description", osm_json_str (plan, "description"));
  osm_json_set_str (spec, "volume_type", osm_json_str (plan, "type"));
  return osm_volume_create (cloud_of (m), spec, ret_id, err);
}

static int
destination_volume_id (struct osm_migration *m, const json_t *volume, char **ret_id,
                       struct osm_error *err)
{
  OSM_CLEANUP_FREE char *role = osm_role_of (OSM_ROLE_VOLUME, osm_json_str (volume, "id"));

  if (osm_made_id (m, OSM_DESTINATION, OSM_MADE_VOLUME, role, ret_id, err) == -1)
    return -1;
  return 0;
}

int
osm_destination_prepare_volume (struct osm_migration *m, const json_t *volume,
                                struct osm_error *err)
{
  OSM_CLEANUP_FREE char *role = osm_role_of (OSM_ROLE_VOLUME, osm_json_str (volume, "id")),
                        *id = NULL;
  const struct osm_making making = { .side = OSM_DESTINATION,
                                     .kind = OSM_MADE_VOLUME,
                                     .role = role,
                                     .create = create_volume,
                                     .plan = volume };
  const json_t *image_metadata = json_object_get (volume, "image_metadata");

  if (osm_make_ready (m, &making, OSM_STEP_TIMEOUT_MS, &id, err) == -1 ||
      osm_volume_settle (cloud_of (m), id, OSM_STEP_TIMEOUT_MS, NULL, err) == -1)
    return -1;
  if (json_is_true (json_object_get (volume, "bootable")) &&
      osm_volume_set_bootable (cloud_of (m), id, true, err) == -1)
    return -1;
  if (json_object_size (image_metadata) > 0 &&
      osm_volume_set_image_metadata (cloud_of (m), id, image_metadata, err) == -1)
    return -1;
  return osm_attach_to_host (m, OSM_DESTINATION, id, err);
}

int
osm_destination_release_volume (struct osm_migration *m, const json_t *volume,
                                struct osm_error *err)
{
  OSM_CLEANUP_FREE char *id = NULL, *server = NULL;
  OSM_CLEANUP_JSON json_t *now = NULL;
  size_t i;
  json_t *attachment;

  if (destination_volume_id (m, volume, &id, err) == -1 ||
      osm_made_id (m, OSM_DESTINATION, OSM_MADE_SERVER, OSM_ROLE_SERVER, &server, err) == -1)
    return -1;
  if (!id)
    return 0;
  if (osm_volume_settle (cloud_of (m), id, OSM_STEP_TIMEOUT_MS, &now, err) == -1)
    return -1;
  json_array_foreach (json_object_get (now, "attachments"), i, attachment)
  {
    const char *holder = osm_json_str (attachment, "server_id");

    if (holder && !osm_str_equal (holder, server) &&
        osm_detach_from_host (m, OSM_DESTINATION, holder, id, err) == -1)
      return -1;
  }
  return 0;
}

int
osm_destination_discard_volume (struct osm_migration *m, const json_t *volume,
                                struct osm_error *err)
{
  OSM_CLEANUP_FREE char *role = osm_role_of (OSM_ROLE_VOLUME, osm_json_str (volume, "id"));

  if (osm_destination_release_volume (m, volume, err) == -1)
    return -1;
  return osm_unmake (m, OSM_DESTINATION, OSM_MADE_VOLUME, role, err);
}

/* ---- ports ---- */

static int
create_port (struct osm_migration *m, const struct osm_making *making, const json_t *marks,
             char **ret_id, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *spec = json_copy (json_object_get (making->plan, "create")),
                          *port = NULL;
  OSM_CLEANUP_FREE char *description = osm_marks_text (marks);

  osm_json_set_str (spec, "description", description);
  if (osm_network_create (cloud_of (m), &osm_ports, spec, &port, err) == -1)
    return -1;
  *ret_id = osm_strdup (osm_json_str (port, "id"));
  return 0;
}

static int
make_port (struct osm_migration *m, const json_t *plan, char **ret_id, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *role = osm_role_of (OSM_ROLE_PORT, osm_json_str (plan, "id")), *id = NULL;
  const struct osm_making making = { .side = OSM_DESTINATION,
                                     .kind = OSM_MADE_PORT,
                                     .role = role,
                                     .create = create_port,
                                     .plan = plan };
  const char *description = osm_json_str (plan, "description");
  json_t *own = json_object_get (plan, "tags");
  OSM_CLEANUP_JSON json_t *tags = osm_marks_tags (m->row->id, role),
                          *fields = osm_json_pack ("{s:s}", "description",
                                                   description ? description : "");

  if (own)
    json_array_extend (tags, own);
  /* Tags need a second request; until then the description carries the mark. */
  if (osm_make (m, &making, &id, err) == -1 ||
      osm_network_tag (cloud_of (m), &osm_ports, id, tags, err) == -1 ||
      osm_network_update (cloud_of (m), &osm_ports, id, fields, err) == -1)
    return osm_error_wrap (err, "port on network '%s' with %s", osm_json_str (plan, "network_name"),
                           osm_json_str (plan, "addresses"));
  *ret_id = osm_take (id);
  return 0;
}

struct port_task {
  struct osm_migration *m;
  const json_t *plan;
  char *id;
};

static int
run_port_task (void *data, struct osm_error *err)
{
  struct port_task *task = data;

  return make_port (task->m, task->plan, &task->id, err);
}

static int
discard_port_task (void *data, struct osm_error *err)
{
  struct port_task *task = data;
  OSM_CLEANUP_FREE char *role = osm_role_of (OSM_ROLE_PORT, osm_json_str (task->plan, "id"));

  return osm_unmake (task->m, OSM_DESTINATION, OSM_MADE_PORT, role, err);
}

static int
each_port (struct osm_migration *m, int (*run) (void *data, struct osm_error *err),
           struct osm_error *err)
{
  const json_t *ports = json_object_get (m->row->plan, "ports");
  size_t n = json_array_size (ports);
  OSM_CLEANUP_FREE struct port_task *data = osm_calloc (n ? n : 1, sizeof *data);
  OSM_CLEANUP_FREE struct osm_task *tasks = osm_calloc (n ? n : 1, sizeof *tasks);
  int r;

  for (size_t i = 0; i < n; i++) {
    data[i] = (struct port_task){ m, json_array_get (ports, i), NULL };
    tasks[i] = (struct osm_task){ run, &data[i] };
  }
  r = osm_parallel (tasks, n, err);
  for (size_t i = 0; i < n; i++)
    free (data[i].id);
  return r;
}

int
osm_destination_make_ports (struct osm_migration *m, struct osm_error *err)
{
  return each_port (m, run_port_task, err);
}

int
osm_destination_discard_ports (struct osm_migration *m, struct osm_error *err)
{
  return each_port (m, discard_port_task, err);
}

/* ---- server ---- */

/* Names that the server's metadata has for a port or a volume. 2.32 to 2.36 had them, too. */
static bool
has_device_tags (const struct osm_migration *m)
{
  return osm_cloud_has_microversion (cloud_of (m), OSM_COMPUTE, "2.42");
}

/* Before that they are given to the server that is there. */
static bool
has_tags_at_once (const struct osm_migration *m)
{
  return osm_cloud_has_microversion (cloud_of (m), OSM_COMPUTE, "2.52");
}

/* delete_on_termination is set after the server runs: Nova deletes such volumes together with a server whose build failed, and the copy
 * would have to be made again. Before microversion 2.85 it can only be given here. */
static bool
late_termination_flag (const struct osm_migration *m)
{
  return osm_cloud_has_microversion (cloud_of (m), OSM_COMPUTE, "2.85");
}

/* Copies, and volumes that were there already, in the order of their devices. New array. */
static json_t *
all_volumes (const struct osm_migration *m)
{
  json_t *existing = json_object_get (m->row->plan, "existing_volumes");
  OSM_CLEANUP_JSON json_t *all = json_copy ((json_t *)osm_migration_volumes (m));

  if (json_array_size (existing) == 0)
    return osm_take (all);
  json_array_extend (all, existing);
  return osm_sorted_by_device (all);
}

static int
block_devices (struct osm_migration *m, json_t *devices, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *all = all_volumes (m);
  size_t i;
  json_t *volume;

  json_array_foreach (all, i, volume)
  {
    const char *existing = osm_json_str (volume, "use");
    OSM_CLEANUP_FREE char *id = osm_strdup (existing);
    bool boot = json_is_true (json_object_get (volume, "boot"));
    json_t *device;

    if (!existing && destination_volume_id (m, volume, &id, err) == -1)
      return -1;
    if (!id)
      return osm_error_set (err, OSM_ERROR_BUG, 0, "volume '%s' has no copy at the destination",
                            osm_volume_label (volume));
    device = osm_json_pack ("{s:s, s:s, s:s, s:i, s:b}", "uuid", id, "source_type", "volume",
                            "destination_type", "volume", "boot_index", boot ? 0 : -1,
                            "delete_on_termination",
                            !late_termination_flag (m) &&
                                json_is_true (json_object_get (volume, "delete_on_termination")));
    if (has_device_tags (m))
      osm_json_set_str (device, "tag", osm_json_str (volume, "tag"));
    /* The boot disk leads; the others follow in the order of their devices. */
    if (boot)
      json_array_insert_new (devices, 0, device);
    else
      json_array_append_new (devices, device);
  }
  return 0;
}

/* Nova wants to know it twice as soon as there is any other disk. */
static void
add_boot_image (const json_t *plan, json_t *server)
{
  const char *id = osm_json_str (json_object_get (plan, "image"), "id");

  if (!id)
    return;
  osm_json_set_str (server, "imageRef", id);
  json_array_insert_new (json_object_get (server, "block_device_mapping_v2"), 0,
                         osm_json_pack ("{s:s, s:s, s:s, s:i, s:b}", "uuid", id, "source_type",
                                        "image", "destination_type", "local", "boot_index", 0,
                                        "delete_on_termination", 1));
}

/* Read only now: user data is not kept in the journal. */
static int
add_user_data (struct osm_migration *m, const json_t *plan, json_t *server, struct osm_error *err)
{
  const char *path = osm_json_str (plan, "user_data_file");
  OSM_CLEANUP_JSON json_t *source = NULL;

  if (path) {
    char *encoded;

    if (osm_plan_read_user_data (path, &encoded, err) == -1)
      return osm_error_hint (err, "bring that file back");
    osm_json_set_str (server, "user_data", encoded);
    osm_secret_free (encoded);
  }
  if (!json_is_true (json_object_get (plan, "user_data_of_source")))
    return 0;
  if (osm_server_get (m->context.cloud[OSM_SOURCE], m->row->object_id, &source, err) == -1)
    return osm_error_wrap (err, "user data");
  if (!osm_json_str (source, "OS-EXT-SRV-ATTR:user_data"))
    return osm_error_set (err, OSM_ERROR_USER, 0,
                          "cloud '%s' does not show the user data of server %s any more",
                          osm_cloud_name (m->context.cloud[OSM_SOURCE]), m->row->object_id);
  osm_json_set_str (server, "user_data", osm_json_str (source, "OS-EXT-SRV-ATTR:user_data"));
  return 0;
}

static int
create_server (struct osm_migration *m, const struct osm_making *making, const json_t *marks,
               char **ret_id, struct osm_error *err)
{
  /* "user_data" is in plans of older versions. */
  static const char *const optional[] = { "key_name", "user_data", "description",
                                          "availability_zone", "hostname" };
  const json_t *plan = making->plan;
  json_t *server = osm_json_pack (
      "{s:s, s:s, s:o, s:b, s:[], s:[]}", "name", osm_json_str (plan, "name"), "flavorRef",
      osm_json_str (plan, "flavor_id"), "metadata", json_copy (json_object_get (plan, "metadata")),
      "config_drive", json_is_true (json_object_get (plan, "config_drive")), "networks",
      "block_device_mapping_v2");
  OSM_CLEANUP_JSON json_t *body = osm_json_pack ("{s:o}", "server", server);
  OSM_CLEANUP_FREE char *from = NULL;
  size_t i;
  json_t *port;

  json_object_update (json_object_get (server, "metadata"), (json_t *)marks);
  /* What a rollback without the journal has to know. */
  from = osm_source_text (osm_json_str (osm_migration_source (m), "id"),
                          osm_json_str (osm_migration_source (m), "status"));
  osm_json_set_str (json_object_get (server, "metadata"), OSM_MARK_SOURCE, from);
  if (osm_belongings_mark (m, json_object_get (server, "metadata"), err) == -1)
    return -1;
  for (i = 0; i < sizeof optional / sizeof optional[0]; i++)
    osm_json_set_str (server, optional[i], osm_json_str (plan, optional[i]));
  osm_json_set_str (server, "OS-DCF:diskConfig", osm_json_str (plan, "disk_config"));
  if (has_tags_at_once (m) && json_object_get (plan, "tags"))
    json_object_set (server, "tags", json_object_get (plan, "tags"));
  if (making->from)
    json_object_set_new (body, "os:scheduler_hints",
                         osm_json_pack ("{s:s}", "group", making->from));
  if (add_user_data (m, plan, server, err) == -1)
    return -1;
  json_array_foreach (json_object_get (m->row->plan, "ports"), i, port)
  {
    OSM_CLEANUP_FREE char *role = osm_role_of (OSM_ROLE_PORT, osm_json_str (port, "id")),
                          *id = NULL;
    json_t *network;

    if (osm_made_id (m, OSM_DESTINATION, OSM_MADE_PORT, role, &id, err) == -1)
      return -1;
    if (!id)
      return osm_error_set (err, OSM_ERROR_BUG, 0, "port with %s was not made at the destination",
                            osm_json_str (port, "addresses"));
    network = osm_json_pack ("{s:s}", "port", id);
    if (has_device_tags (m))
      osm_json_set_str (network, "tag", osm_json_str (port, "tag"));
    json_array_append_new (json_object_get (server, "networks"), network);
  }
  add_boot_image (plan, server);
  if (json_array_size (json_object_get (server, "networks")) == 0)
    json_object_set_new (server, "networks", json_string ("none"));
  if (block_devices (m, json_object_get (server, "block_device_mapping_v2"), err) == -1)
    return -1;
  return osm_server_create (cloud_of (m), body, ret_id, err);
}

static int
set_termination_flags (struct osm_migration *m, const char *server, struct osm_error *err)
{
  size_t i;
  json_t *volume;

  json_array_foreach (osm_migration_volumes (m), i, volume)
  {
    OSM_CLEANUP_FREE char *id = NULL, *path = NULL;
    OSM_CLEANUP_JSON json_t *body = NULL;

    if (!json_is_true (json_object_get (volume, "delete_on_termination")))
      continue;
    if (destination_volume_id (m, volume, &id, err) == -1)
      return -1;
    path = osm_asprintf ("/servers/%s/os-volume_attachments/%s", server, id);
    body = osm_json_pack ("{s:{s:s, s:b}}", "volumeAttachment", "volumeId", id,
                          "delete_on_termination", 1);
    if (osm_cloud_put (cloud_of (m), OSM_COMPUTE, path, body, NULL, NULL, err) == -1)
      return osm_error_wrap (err, "delete_on_termination of volume '%s'",
                             osm_volume_label (volume));
  }
  return 0;
}

/* Looked at twice, because what follows is that it is deleted. */
static int
is_in_error (struct osm_migration *m, const char *id, bool *ret, struct osm_error *err)
{
  for (unsigned look = 0; look < 2; look++) {
    OSM_CLEANUP_JSON json_t *server = NULL;

    if (osm_server_get (cloud_of (m), id, &server, err) == -1)
      return -1;
    *ret = osm_str_equal (osm_json_str (server, "status"), "ERROR");
    if (!*ret)
      break;
  }
  return 0;
}

int
osm_destination_make_server (struct osm_migration *m, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *id = NULL, *group = NULL;
  struct osm_making making = { .side = OSM_DESTINATION,
                               .kind = OSM_MADE_SERVER,
                               .role = OSM_ROLE_SERVER,
                               .create = create_server,
                               .plan = json_object_get (m->row->plan, "server") };
  const json_t *tags = json_object_get (making.plan, "tags");
  OSM_CLEANUP_JSON json_t *server = NULL;
  bool failed;

  if (osm_belongings_make (m, &group, err) == -1)
    return -1;
  making.from = group;
  if (osm_make (m, &making, &id, err) == -1 || is_in_error (m, id, &failed, err) == -1)
    return -1;
  if (failed && late_termination_flag (m)) {
    /* An earlier attempt whose build failed: its volumes survive it, so build it anew. */
    free (osm_take (id));
    if (osm_unmake (m, OSM_DESTINATION, OSM_MADE_SERVER, OSM_ROLE_SERVER, err) == -1 ||
        osm_destination_make_ports (m, err) == -1 || osm_make (m, &making, &id, err) == -1)
      return -1;
  }
  if (osm_server_get (cloud_of (m), id, &server, err) == -1)
    return -1;
  if (!osm_str_equal (osm_json_str (server, "status"), "SHUTOFF") &&
      osm_server_wait (cloud_of (m), id, "ACTIVE", OSM_STEP_TIMEOUT_MS, NULL, err) == -1)
    return -1;
  if (late_termination_flag (m) && set_termination_flags (m, id, err) == -1)
    return -1;
  if (tags && !has_tags_at_once (m) && osm_server_set_tags (cloud_of (m), id, tags, err) == -1)
    return -1;
  if (osm_store_migration_set_result (m->context.store, m->row->id, id, err) == -1)
    return -1;
  osm_str_set (&m->row->result_id, id);
  return 0;
}

int
osm_destination_discard_server (struct osm_migration *m, struct osm_error *err)
{
  if (osm_unmake (m, OSM_DESTINATION, OSM_MADE_SERVER, OSM_ROLE_SERVER, err) == -1)
    return -1;
  return osm_belongings_discard (m, err);
}

/* A server that was off stays off, unless the operator wants something else. */
static bool
is_to_be_off (const struct osm_migration *m)
{
  const char *power = osm_json_str (json_object_get (m->row->plan, "server"), "power");

  return power ? strcmp (power, "off") == 0
               : osm_str_equal (osm_json_str (osm_migration_source (m), "status"), "SHUTOFF");
}

int
osm_destination_power (struct osm_migration *m, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *id = NULL;
  OSM_CLEANUP_JSON json_t *server = NULL;

  if (!is_to_be_off (m))
    return 0;
  if (osm_made_id (m, OSM_DESTINATION, OSM_MADE_SERVER, OSM_ROLE_SERVER, &id, err) == -1 ||
      osm_server_get (cloud_of (m), id, &server, err) == -1)
    return -1;
  if (osm_str_equal (osm_json_str (server, "status"), "SHUTOFF"))
    return 0;
  if (osm_server_stop (cloud_of (m), id, err) == -1)
    return -1;
  return osm_server_wait (cloud_of (m), id, "SHUTOFF", OSM_STEP_TIMEOUT_MS, NULL, err);
}

int
osm_destination_sweep (struct osm_migration *m, struct osm_error *err)
{
  size_t i;
  json_t *item;

  json_array_foreach (osm_migration_volumes (m), i, item)
  {
    OSM_CLEANUP_FREE char *role = osm_role_of (OSM_ROLE_VOLUME, osm_json_str (item, "id"));

    if (osm_made_sweep (m, OSM_DESTINATION, OSM_MADE_VOLUME, role, err) == -1)
      return -1;
  }
  json_array_foreach (json_object_get (m->row->plan, "ports"), i, item)
  {
    OSM_CLEANUP_FREE char *role = osm_role_of (OSM_ROLE_PORT, osm_json_str (item, "id"));

    if (osm_made_sweep (m, OSM_DESTINATION, OSM_MADE_PORT, role, err) == -1)
      return -1;
  }
  return osm_made_sweep (m, OSM_DESTINATION, OSM_MADE_SERVER, OSM_ROLE_SERVER, err) == -1
             ? -1
             : osm_floating_sweep (m, err);
}

/* ---- marks ---- */

static int
ignore_missing (int r, struct osm_error *err)
{
  if (r == -1 && osm_error_not_found (err)) {
    osm_error_clear (err);
    return 0;
  }
  return r;
}

int
osm_destination_unmark (struct osm_migration *m, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *server = NULL;
  OSM_CLEANUP_JSON json_t *no_tags = json_array ();
  /* Which migration it was comes off last: until then all is found again. */
  static const char *const marks[] = { OSM_MARK_MADE, OSM_MARK_SOURCE, OSM_MARK_ROLE,
                                       OSM_MARK_MIGRATION };
  size_t i;
  json_t *item;

  if (osm_made_id (m, OSM_DESTINATION, OSM_MADE_SERVER, OSM_ROLE_SERVER, &server, err) == -1)
    return -1;
  for (size_t k = 0; k < sizeof marks / sizeof marks[0]; k++) {
    if (server && ignore_missing (osm_server_delete_metadata (cloud_of (m), server, marks[k], err),
                                  err) == -1)
      return -1;
    json_array_foreach (osm_migration_volumes (m), i, item)
    {
      OSM_CLEANUP_FREE char *id = NULL;

      if (destination_volume_id (m, item, &id, err) == -1 ||
          (id && ignore_missing (osm_volume_delete_metadata (cloud_of (m), id, marks[k], err),
                                 err) == -1))
        return -1;
    }
  }
  json_array_foreach (json_object_get (m->row->plan, "ports"), i, item)
  {
    OSM_CLEANUP_FREE char *role = osm_role_of (OSM_ROLE_PORT, osm_json_str (item, "id")),
                          *id = NULL;
    const json_t *own = json_object_get (item, "tags");

    if (osm_made_id (m, OSM_DESTINATION, OSM_MADE_PORT, role, &id, err) == -1 ||
        (id &&
         ignore_missing (osm_network_tag (cloud_of (m), &osm_ports, id, own ? own : no_tags, err),
                         err) == -1))
      return -1;
  }
  return osm_floating_unmark (m, err);
}
