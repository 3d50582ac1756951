/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/planfile-internal.h"

#include "common/cleanup.h"
#include "common/json.h"

/* What of the plan's own members goes into the file under the same name; null if it is not there. */
static void
take_over (json_t *entry, const json_t *planned, const char *const *keys)
{
  for (; *keys; keys++) {
    json_t *value = json_object_get (planned, *keys);

    json_object_set_new (entry, *keys, value ? json_incref (value) : json_null ());
  }
}

static void
take_chosen (json_t *entry, const json_t *planned, const char *const *keys)
{
  take_over (entry, json_object_get (planned, "chosen"), keys);
}

static json_t *
describe_volume (const json_t *planned)
{
  static const char *const own[] = { "id",   "size_gb", "new_size_gb", "device",
                                     "name", "boot",    "access",      NULL };
  static const char *const chosen[] = { "type", "use", NULL };
  json_t *entry = json_object ();

  take_over (entry, planned, own);
  take_chosen (entry, planned, chosen);
  json_object_set_new (
      entry, "delete_on_termination",
      json_boolean (json_is_true (json_object_get (planned, "delete_on_termination"))));
  return entry;
}

static json_t *
describe_port (const json_t *planned)
{
  static const char *const own[] = { "id", NULL };
  static const char *const made[] = { "name", "mac_address", NULL };
  static const char *const chosen[] = { "network", "fixed_ips", "security_groups", "qos_policy",
                                        NULL };
  json_t *entry = json_object ();

  take_over (entry, planned, own);
  take_over (entry, json_object_get (planned, "create"), made);
  if (!osm_json_str (entry, "name"))
    json_object_set_new (entry, "name", json_string (""));
  take_chosen (entry, planned, chosen);
  for (size_t i = 1; i < 3; i++)
    if (!json_is_array (json_object_get (entry, chosen[i])))
      json_object_set_new (entry, chosen[i], json_array ());
  return entry;
}

static json_t *
describe_floating_ip (const json_t *planned)
{
  static const char *const own[] = { "id", "address", NULL };
  static const char *const chosen[] = { "network", NULL };
  const json_t *mode = json_object_get (json_object_get (planned, "chosen"), "mode");
  json_t *entry = json_object ();

  take_over (entry, planned, own);
  osm_json_set_str (entry, "mode",
                    mode ? osm_json_str (mode, "name") : osm_json_str (planned, "mode"));
  take_chosen (entry, planned, chosen);
  return entry;
}

static void
describe_all (json_t *entry, const char *key, const json_t *planned,
              json_t *(*describe) (const json_t *one))
{
  json_t *all = json_object_get (entry, key);
  const json_t *one;
  size_t i;

  if (!all) {
    all = json_array ();
    json_object_set_new (entry, key, all);
  }
  json_array_foreach (planned, i, one) json_array_append_new (all, describe (one));
}

static const char *
user_data_of (const json_t *server)
{
  const char *path = osm_json_str (server, "user_data_file");

  if (path)
    return path;
  return json_is_true (json_object_get (server, "user_data_of_source")) ? "source" : "none";
}

json_t *
osm_planfile_describe (const json_t *plan)
{
  static const char *const own[] = { "name", "availability_zone", NULL };
  static const char *const chosen[] = { "flavor", "key_pair", "server_group", NULL };
  const json_t *source = json_object_get (plan, "source"),
               *server = json_object_get (plan, "server");
  const char *power = osm_json_str (server, "power"), *disks = osm_json_str (plan, "local_disks"),
             *compression = osm_json_str (plan, "compression");
  json_t *entry = osm_json_pack ("{s:s?}", "id", osm_json_str (source, "id"));

  take_over (entry, server, own);
  take_chosen (entry, server, chosen);
  osm_json_set_str (entry, "user_data", user_data_of (server));
  osm_json_set_str (entry, "power", power ? power : "keep");
  osm_json_set_str (entry, "compression", compression ? compression : "auto");
  osm_json_set_str (entry, "local_disks", disks ? disks : "refuse");
  osm_json_set_str (entry, "boot_disk", json_object_get (plan, "local_root") ? "image" : "copy");
  describe_all (entry, "volumes", json_object_get (plan, "local_root"), describe_volume);
  describe_all (entry, "volumes", json_object_get (plan, "volumes"), describe_volume);
  describe_all (entry, "volumes", json_object_get (plan, "existing_volumes"), describe_volume);
  describe_all (entry, "ports", json_object_get (plan, "ports"), describe_port);
  describe_all (entry, "floating_ips", json_object_get (plan, "floating_ips"),
                describe_floating_ip);
  describe_all (entry, "floating_ips", json_object_get (plan, "other_floating_ips"),
                describe_floating_ip);
  return entry;
}
