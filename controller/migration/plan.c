/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "common/base64.h"
#include "common/file.h"
#include "controller/cloud/compute.h"
#include "controller/cloud/volume.h"
#include "controller/migration/plan-internal.h"

void
osm_plan_finding (json_t *plan, const char *id, const char *severity, const char *object,
                  const char *remedy, const char *format, ...)
{
  OSM_CLEANUP_FREE char *text = NULL;
  json_t *finding;
  va_list args;

  va_start (args, format);
  text = osm_vasprintf (format, args);
  va_end (args);
  finding = osm_json_pack ("{s:s, s:s, s:s, s:s}", "id", id, "severity", severity, "object",
                           object ? object : "", "text", text);
  osm_json_set_str (finding, "remedy", remedy);
  json_array_append_new (json_object_get (plan, "findings"), finding);
}

size_t
osm_plan_count_findings (const json_t *plan, const char *severity)
{
  size_t i, n = 0;
  json_t *finding;

  json_array_foreach (json_object_get (plan, "findings"), i,
                      finding) if (osm_str_equal (osm_json_str (finding, "severity"), severity))
      n++;
  return n;
}

uint64_t
osm_plan_bytes (const json_t *plan)
{
  uint64_t total = 0;
  size_t i;
  json_t *volume;

  json_array_foreach (json_object_get (plan, "volumes"), i, volume) total +=
      (uint64_t)json_integer_value (json_object_get (volume, "size_gb")) << 30;
  return total;
}

json_t *
osm_plan_own_metadata (const json_t *metadata)
{
  json_t *own = json_object ();
  const char *key;
  json_t *value;

  json_object_foreach ((json_t *)metadata, key,
                       value) if (!osm_str_starts_with (key, "osm.") && json_is_string (value))
      json_object_set (own, key, value);
  return own;
}

int
osm_plan_look_up (const struct osm_plan_input *input, json_t *plan, const char *map_kind,
                  const struct osm_collection *collection, const char *name, const char *wanted,
                  json_t **ret, struct osm_error *err)
{
  OSM_ERROR (why);

  if (osm_cloud_find (input->cloud[OSM_DESTINATION], collection, wanted, ret, &why) == 0)
    return 0;
  if (why.class == OSM_ERROR_USER) {
    OSM_CLEANUP_FREE char *id = osm_asprintf ("destination-%s-missing", collection->what);
    OSM_CLEANUP_FREE char *remedy = NULL;

    for (char *p = id; *p; p++)
      if (*p == ' ')
        *p = '-';
    remedy = osm_asprintf ("create it in cloud '%s', or name another one in the configuration: "
                           "map: { %s: { \"%s\": OTHER } }",
                           osm_cloud_name (input->cloud[OSM_DESTINATION]), map_kind, name);
    osm_plan_finding (plan, id, "blocker", wanted, remedy, "%s", why.message);
    return 0;
  }
  osm_error_move (err, &why);
  return -1;
}

int
osm_plan_find_boot (const json_t *attachments, const json_t *volumes, const char *root_device)
{
  int best = -1, nr_bootable = 0, only_bootable = -1;
  size_t i;
  json_t *attachment;

  json_array_foreach (attachments, i, attachment)
  {
    const char *device = osm_json_str (attachment, "device");
    const json_t *volume = json_array_get (volumes, i);

    if (device && root_device && strcmp (device, root_device) == 0)
      return (int)i;
    if (!osm_str_equal (osm_json_str (volume, "bootable"), "true"))
      continue;
    nr_bootable++;
    only_bootable = (int)i;
    if (!device)
      continue;
    if (best == -1 ||
        osm_device_name_compare (
            device, osm_json_str (json_array_get (attachments, (size_t)best), "device")) < 0)
      best = (int)i;
  }
  if (root_device)
    return -1;
  if (nr_bootable == 1)
    return only_bootable;
  /* Several: the boot disk is the first of its bus. */
  if (best != -1) {
    const char *device = osm_json_str (json_array_get (attachments, (size_t)best), "device");

    if (device[0] && device[strlen (device) - 1] == 'a')
      return best;
  }
  return -1;
}

/* NULL with err if the object has no id. */
static json_t *
new_plan (const struct osm_plan_input *input, const char *kind, const json_t *object,
          struct osm_error *err)
{
  const char *name = osm_json_str (object, "name");

  if (!osm_json_str (object, "id") || !osm_json_str (object, "status")) {
    osm_error_set (err, OSM_ERROR_REMOTE, 0, "cloud '%s': the answer about the %s has no %s",
                   osm_cloud_name (input->cloud[OSM_SOURCE]), kind,
                   osm_json_str (object, "id") ? "status" : "id");
    return NULL;
  }
  return osm_json_pack ("{s:i, s:s, s:s?, s:{s:s, s:s?, s:s, s:s?}, s:[], s:[], s:[], s:[]}",
                        "version", 1, "kind", kind, "compression", input->compression, "source",
                        "cloud", osm_cloud_name (input->cloud[OSM_SOURCE]), "id",
                        osm_json_str (object, "id"), "name", name ? name : "", "status",
                        osm_json_str (object, "status"), "volumes", "ports", "floating_ips",
                        "findings");
}

int
osm_plan_read_user_data (const char *path, char **ret_base64, struct osm_error *err)
{
  char *data;
  size_t len;

  /* Nova's limit is 65535 bytes of base64. */
  if (osm_file_read (path, 49151, &data, &len, err) == -1)
    return osm_error_wrap (err, "user data");
  *ret_base64 = osm_base64_encode (data, len);
  explicit_bzero (data, len);
  free (data);
  return 0;
}

/* Passwords stand in user data: the plan, which is printed and kept in the journal, says only where it is from.
 * It is shown to those whose rights reach OS-EXT-SRV-ATTR (by default administrators). */
static int
plan_user_data (const struct osm_plan_input *input, json_t *plan, const json_t *server,
                json_t *planned, struct osm_error *err)
{
  const json_t *value = json_object_get (server, "OS-EXT-SRV-ATTR:user_data");
  const char *wish = osm_json_str (input->wishes, "user_data"),
             *given = wish && wish[0] == '/' ? wish : input->user_data_path;

  if (given) {
    OSM_CLEANUP_FREE char *path = realpath (given, NULL), *encoded = NULL;

    if (!path)
      return osm_error_set_errno (err, errno, "user data: %s", given);
    if (osm_plan_read_user_data (path, &encoded, err) == -1)
      return -1;
    osm_json_set_str (planned, "user_data_file", path);
    explicit_bzero (encoded, strlen (encoded));
  }
  else if (json_is_string (value) && !osm_str_equal (wish, "none"))
    json_object_set_new (planned, "user_data_of_source", json_true ());
  else if (!value)
    osm_plan_finding (plan, "source-user-data-hidden", "warning", osm_json_str (server, "name"),
                      "give it with --user-data FILE if the server needs it again (cloud-init has "
                      "already applied it to the disk)",
                      "cloud '%s' does not show user data to these credentials: the new server has "
                      "none",
                      osm_cloud_name (input->cloud[OSM_SOURCE]));
  return 0;
}

/* Zones are translated only when the configuration says so: their names mean little in another cloud. */
static void
plan_zone (const struct osm_plan_input *input, const json_t *server, json_t *planned)
{
  const char *zone = osm_json_str (server, "OS-EXT-AZ:availability_zone");
  OSM_CLEANUP_FREE char *mapped = osm_config_map (input->config, "availability_zones", zone, NULL);
  const json_t *wish = json_object_get (input->wishes, "availability_zone");

  osm_json_set_str (planned, "availability_zone",
                    wish                       ? json_string_value (wish)
                    : input->availability_zone ? input->availability_zone
                                               : mapped);
}

static int
plan_flavor (const struct osm_plan_input *input, json_t *plan, const json_t *old_flavor,
             const char *name, json_t *planned, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *wanted = osm_plan_wanted (input, input->wishes, "flavor", "flavors", name,
                                                   osm_json_str (old_flavor, "id"), NULL);
  json_t *flavor = NULL;

  osm_json_set_str (planned, "flavor_name", name);
  if (osm_plan_look_up (input, plan, "flavors", &osm_flavors, name, wanted ? wanted : name, &flavor,
                        err) == -1)
    return -1;
  osm_plan_choose (planned, "flavor", wanted ? wanted : name, osm_json_str (flavor, "id"));
  *ret = flavor;
  if (!flavor)
    return 0;
  osm_json_set_str (planned, "flavor_id", osm_json_str (flavor, "id"));
  json_object_set (planned, "vcpus", json_object_get (flavor, "vcpus"));
  json_object_set (planned, "ram_mb", json_object_get (flavor, "ram"));
  json_object_set (planned, "disk_gb", json_object_get (flavor, "disk"));
  json_object_set (planned, "extra_specs", json_object_get (flavor, "extra_specs"));
  osm_plan_compare_flavors (plan, name, old_flavor, flavor);
  return 0;
}

static int
plan_server_fields (const struct osm_plan_input *input, json_t *plan, const json_t *server,
                    struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *flavor = NULL;
  json_t *planned = json_object ();
  const json_t *old_flavor = json_object_get (server, "flavor");
  const char *flavor_name = osm_json_str (old_flavor, "original_name");
  const char *config_drive = osm_json_str (server, "config_drive");

  json_object_set_new (plan, "server", planned);
  osm_json_set_str (planned, "name", osm_json_str (server, "name"));
  osm_json_set_str (planned, "name", osm_json_str (input->wishes, "name"));
  osm_json_set_str (planned, "description", osm_json_str (server, "description"));
  json_object_set_new (planned, "metadata",
                       osm_plan_own_metadata (json_object_get (server, "metadata")));
  json_object_set_new (
      planned, "config_drive",
      json_boolean (config_drive && *config_drive && strcmp (config_drive, "False") != 0));
  plan_zone (input, server, planned);

  if (!flavor_name)
    flavor_name = osm_json_str (old_flavor, "id");
  if (!flavor_name)
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "server '%s': the answer names no flavor",
                          osm_json_str (server, "name"));
  if (plan_flavor (input, plan, old_flavor, flavor_name, planned, &flavor, err) == -1)
    return -1;
  if (osm_plan_belongings (input, plan, server, flavor, planned, err) == -1)
    return -1;
  return plan_user_data (input, plan, server, planned, err);
}

/* Those that are not on their server any more. */
static void
add_away (json_t *attachments, const json_t *away)
{
  size_t i, k;
  json_t *one, *other;

  json_array_foreach (away, i, one)
  {
    bool there = false;

    json_array_foreach (attachments, k, other) there |=
        osm_str_equal (osm_json_str (one, "volume_id"), osm_json_str (other, "volume_id"));
    if (!there)
      json_array_append (attachments, one);
  }
}

/* Of the plan file; -1: it names none of these. */
static int
wished_boot (const struct osm_plan_input *input, const json_t *attachments)
{
  const json_t *attachment;
  size_t i;

  json_array_foreach (attachments, i, attachment)
  {
    const json_t *wish = osm_plan_wish (input, "volumes", osm_json_str (attachment, "volume_id"));

    if (json_is_true (json_object_get (wish, "boot")))
      return (int)i;
  }
  return -1;
}

static int
plan_server_volumes (const struct osm_plan_input *input, json_t *plan, const json_t *server,
                     struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *found = NULL, *attachments = NULL, *volumes = json_array ();
  const char *name = osm_json_str (server, "name"), *image = osm_json_str (server, "image");
  const json_t *image_object = json_object_get (server, "image");
  size_t i;
  json_t *attachment;
  int boot = -1;

  if (osm_server_attachments (input->cloud[OSM_SOURCE], osm_json_str (server, "id"), &found, err) ==
      -1)
    return -1;
  add_away (found, input->away);
  attachments = osm_sorted_by_device (found);
  json_array_foreach (attachments, i, attachment)
  {
    json_t *volume;

    if (osm_volume_get (input->cloud[OSM_SOURCE], osm_json_str (attachment, "volume_id"), &volume,
                        err) == -1)
      return -1;
    json_array_append_new (volumes, volume);
  }

  if (json_is_object (image_object) || (image && *image)) {
    if (osm_plan_add_root (input, plan, server, err) == -1)
      return -1;
  }
  else if (input->boot_volume) {
    json_array_foreach (attachments, i,
                        attachment) if (osm_str_equal (osm_json_str (attachment, "volume_id"),
                                                       input->boot_volume)) boot = (int)i;
    if (boot == -1)
      return osm_error_set (err, OSM_ERROR_USER, 0, "volume %s is not attached to server '%s'",
                            input->boot_volume, name);
  }
  else {
    boot = wished_boot (input, attachments);
    if (boot == -1)
      boot = osm_plan_find_boot (attachments, volumes,
                                 osm_json_str (server, "OS-EXT-SRV-ATTR:root_device_name"));
    if (boot == -1)
      osm_plan_finding (plan, "source-boot-volume-unknown", "blocker", name,
                        "name it with --boot-volume ID",
                        "server '%s': cannot tell which of its %zu volumes it boots from", name,
                        json_array_size (attachments));
  }

  json_array_foreach (attachments, i,
                      attachment) if (osm_plan_add_volume (input, plan, json_array_get (volumes, i),
                                                           attachment, (int)i == boot,
                                                           (int)i == boot ? "snapshot" : "detach",
                                                           err) == -1) return -1;
  return 0;
}

/* OpenStack allows several servers of one name; an operator who sees two should know beforehand. */
static int
check_same_name (const struct osm_plan_input *input, json_t *plan, const char *name,
                 struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *other = NULL;
  OSM_ERROR (why);

  if (!*name)
    return 0;
  if (osm_cloud_find (input->cloud[OSM_DESTINATION], &osm_servers, name, &other, &why) == 0 ||
      (why.class == OSM_ERROR_USER && !osm_error_not_found (&why)))
    osm_plan_finding (plan, "destination-same-name", "warning", name, NULL,
                      "cloud '%s' already has a server named '%s': there will be two",
                      osm_cloud_name (input->cloud[OSM_DESTINATION]), name);
  else if (!osm_error_not_found (&why)) {
    osm_error_move (err, &why);
    return -1;
  }
  return 0;
}

int
osm_plan_server (const struct osm_plan_input *input, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *found = NULL, *server = NULL, *plan = NULL;
  const char *id;

  if (osm_cloud_find (input->cloud[OSM_SOURCE], &osm_servers, input->object, &found, err) == -1)
    return -1;
  id = osm_json_str (found, "id");
  if (osm_server_get (input->cloud[OSM_SOURCE], id, &server, err) == -1)
    return -1;
  plan = new_plan (input, "server", server, err);
  if (!plan)
    return -1;
  if (!osm_json_str (server, "name"))
    json_object_set_new (server, "name", json_string (""));
  osm_plan_check_state (plan, server);
  osm_plan_check_projects (input, plan);
  if (plan_server_fields (input, plan, server, err) == -1 ||
      plan_server_volumes (input, plan, server, err) == -1 ||
      osm_plan_ports (input, plan, server, err) == -1 ||
      check_same_name (input, plan, osm_json_str (json_object_get (plan, "server"), "name"), err) ==
          -1 ||
      osm_plan_checks (input, plan, server, err) == -1)
    return osm_error_wrap (err, "plan of server '%s'", osm_json_str (server, "name"));
  *ret = osm_take (plan);
  return 0;
}

int
osm_plan_volume (const struct osm_plan_input *input, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *found = NULL, *volume = NULL, *plan = NULL;
  const char *status;

  if (osm_cloud_find (input->cloud[OSM_SOURCE], &osm_volumes, input->object, &found, err) == -1 ||
      osm_volume_get (input->cloud[OSM_SOURCE], osm_json_str (found, "id"), &volume, err) == -1)
    return -1;
  plan = new_plan (input, "volume", volume, err);
  if (!plan)
    return -1;
  status = osm_json_str (volume, "status");
  if (osm_str_equal (status, "in-use"))
    osm_plan_finding (plan, "source-volume-in-use", "blocker", input->object,
                      "move its server with migrate-server, or detach it first",
                      "volume '%s' is attached to a server", input->object);
  else if (!osm_str_equal (status, "available"))
    osm_plan_finding (plan, "source-volume-state", "blocker", input->object,
                      "bring it to 'available' first", "volume '%s' is in state '%s'",
                      input->object, status);
  if (osm_json_str (json_object_get (volume, "metadata"), "osm.migration"))
    osm_plan_finding (plan, "source-volume-claimed", "blocker", input->object,
                      "finish or roll back that migration; if its journal is lost: osm-controller "
                      "recover",
                      "volume '%s' is claimed by migration %s", input->object,
                      osm_json_str (json_object_get (volume, "metadata"), "osm.migration"));
  osm_plan_check_projects (input, plan);
  if (osm_plan_add_volume (input, plan, volume, NULL, false, "direct", err) == -1 ||
      osm_plan_checks (input, plan, NULL, err) == -1)
    return osm_error_wrap (err, "plan of volume '%s'", input->object);
  *ret = osm_take (plan);
  return 0;
}

/* One line, whatever is in the names. */
__attribute__ ((format (printf, 2, 3))) static void
add_line (struct osm_strbuf *b, const char *format, ...)
{
  OSM_CLEANUP_FREE char *line = NULL, *quoted = NULL;
  va_list args;

  va_start (args, format);
  line = osm_vasprintf (format, args);
  va_end (args);
  quoted = osm_quote_terminal (line);
  osm_strbuf_addf (b, "%s\n", quoted);
}

static const char *
text_of (const json_t *object, const char *key, const char *otherwise)
{
  const char *text = osm_json_str (object, key);

  return text ? text : otherwise;
}

/* Those of the new port. Caller frees. */
static char *
addresses_of (const json_t *port)
{
  const json_t *chosen = json_object_get (json_object_get (port, "chosen"), "fixed_ips"), *one;
  size_t i;
  OSM_STRBUF (b);

  json_array_foreach (chosen, i, one)
  {
    const char *address = osm_json_str (one, "address");

    osm_strbuf_addf (&b, "%s%s%s", i ? ", " : "", address ? address : "one of subnet ",
                     address ? "" : text_of (json_object_get (one, "subnet"), "name", "?"));
  }
  return chosen ? osm_strbuf_take (&b) : osm_strdup (text_of (port, "addresses", "?"));
}

char *
osm_plan_text (const json_t *plan, const char *destination_cloud)
{
  OSM_STRBUF (b);
  char size[OSM_HUMAN_LEN];
  const json_t *source = json_object_get (plan, "source"),
               *server = json_object_get (plan, "server");
  size_t i;
  json_t *item;

  add_line (&b, "Plan: %s '%s' (%s) from cloud '%s' to cloud '%s'", text_of (plan, "kind", "?"),
            text_of (source, "name", ""), text_of (source, "id", "?"),
            text_of (source, "cloud", "?"), destination_cloud);
  if (server)
    add_line (&b, "  server      flavor %s, key pair %s, server group %s, now %s%s%s",
              text_of (json_object_get (json_object_get (server, "chosen"), "flavor"), "name",
                       text_of (server, "flavor_name", "?")),
              text_of (server, "key_name", "none"),
              text_of (json_object_get (server, "server_group"), "name", "none"),
              text_of (source, "status", "?"), osm_json_str (server, "power") ? ", then " : "",
              text_of (server, "power", ""));
  json_array_foreach (json_object_get (plan, "volumes"), i, item) add_line (
      &b, "  volume      %-9s '%s' %" JSON_INTEGER_FORMAT " GiB, type %s%s, %s",
      text_of (item, "device", "-"), text_of (item, "name", ""),
      json_integer_value (json_object_get (item, "size_gb")), text_of (item, "type", "default"),
      json_is_true (json_object_get (item, "boot")) ? ", boot" : "",
      osm_str_equal (osm_json_str (item, "access"), OSM_ACCESS_IMAGE)
          ? "read from an image of the server"
      : osm_str_equal (osm_json_str (item, "access"), "snapshot") ? "read from a temporary clone"
                                                                  : "detached while it is copied");
  json_array_foreach (json_object_get (plan, "local_root"), i, item) add_line (
      &b, "  root disk   %-9s not copied, made of image '%s' (%s)", text_of (item, "device", "-"),
      text_of (json_object_get (server, "image"), "name", "?"),
      text_of (json_object_get (server, "image"), "id", "?"));
  json_array_foreach (json_object_get (plan, "existing_volumes"), i, item)
      add_line (&b, "  volume      %-9s '%s' is there already: %s", text_of (item, "device", "-"),
                text_of (item, "name", ""), text_of (item, "use", "?"));
  json_array_foreach (json_object_get (plan, "ports"), i, item)
  {
    OSM_CLEANUP_FREE char *addresses = addresses_of (item);

    add_line (&b, "  port        network '%s', %s, %s", text_of (item, "network_name", "?"),
              addresses, text_of (json_object_get (item, "create"), "mac_address", "?"));
  }
  json_array_foreach (json_object_get (plan, "floating_ips"), i, item)
      add_line (&b, "  floating IP %s -> %s%s", text_of (item, "address", "?"),
                osm_json_str (item, "use") ? "the same" : "a new one of network ",
                osm_json_str (item, "use") ? "" : text_of (item, "network_name", "?"));
  add_line (&b, "  to compare  %s", osm_human_size (osm_plan_bytes (plan), size));
  json_array_foreach (json_object_get (plan, "findings"), i, item)
  {
    add_line (&b, "  %-11s [%s] %s", text_of (item, "severity", "?"), text_of (item, "id", "?"),
              text_of (item, "text", "?"));
    if (osm_json_str (item, "remedy"))
      add_line (&b, "              -> %s", osm_json_str (item, "remedy"));
  }
  return osm_strbuf_take (&b);
}
