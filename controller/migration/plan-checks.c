/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What the plan as a whole needs of both clouds: quotas, zones, versions of the APIs; and what stays behind. */

#include <config.h>

#include "controller/migration/plan-internal.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/parallel.h"
#include "common/strbuf.h"
#include "controller/cloud/catalog.h"
#include "controller/cloud/compute.h"
#include "controller/cloud/volume.h"
#include "controller/migration/findings.h"
#include "controller/migration/quota.h"

#define USER_DATA_MAX 65535 /* of base64, Nova's limit */

/* ---- pure ---- */

void
osm_plan_check_zone (json_t *plan, const char *cloud_name, const char *wanted, const json_t *zones)
{
  const json_t *zone;
  size_t i;
  OSM_STRBUF (others);

  json_array_foreach (zones, i, zone)
  {
    const char *name = osm_json_str (zone, "zoneName");

    if (json_is_false (json_object_get (json_object_get (zone, "zoneState"), "available")))
      continue;
    if (osm_str_equal (name, wanted))
      return;
    if (name && i < 20)
      osm_strbuf_addf (&others, "%s%s", others.len ? ", " : "", name);
  }
  osm_plan_finding (plan, "destination-availability-zone-missing", "blocker", wanted,
                    "name another one with --availability-zone, or map it: map: { "
                    "availability_zones: { OLD: NEW } }",
                    "cloud '%s' has no availability zone '%s'; there is %s", cloud_name, wanted,
                    others.len ? osm_strbuf_str (&others) : "none");
}

/* Nova calls the zone of whatever is in none "nova". */
static void
check_old_zone (json_t *plan, const json_t *server)
{
  const char *zone = osm_json_str (server, "OS-EXT-AZ:availability_zone"),
             *name = osm_json_str (server, "name");

  if (zone && *zone && strcmp (zone, "nova") != 0 &&
      !osm_json_str (json_object_get (plan, "server"), "availability_zone"))
    osm_plan_finding (plan, "availability-zone-not-kept", "info", name,
                      "name one with --availability-zone, or map it: map: { availability_zones: { "
                      "OLD: NEW } }",
                      "server '%s' is in availability zone '%s'; the destination chooses one", name,
                      zone);
}

/* Cinder, too, calls the zone of whatever is in none "nova". */
static const char *
zone_of_volume (const json_t *volume)
{
  const char *zone = osm_json_str (volume, "source_zone");

  return zone && *zone && strcmp (zone, "nova") != 0 ? zone : NULL;
}

static bool
any_volume_in_a_zone (const json_t *plan)
{
  const json_t *volume;
  size_t i;

  json_array_foreach (json_object_get (plan, "volumes"), i, volume)
  {
    if (zone_of_volume (volume))
      return true;
  }
  return false;
}

void
osm_plan_check_volume_zones (json_t *plan, const char *cloud_name, const json_t *zones)
{
  const json_t *volume, *zone;
  const char *only = NULL;
  size_t i, n = 0;
  OSM_STRBUF (names);

  json_array_foreach (zones, i, zone)
  {
    const char *name = osm_json_str (zone, "zoneName");

    if (!name || json_is_false (json_object_get (json_object_get (zone, "zoneState"), "available")))
      continue;
    only = name;
    if (n++ < 20)
      osm_strbuf_addf (&names, "%s%s", names.len ? ", " : "", name);
  }
  json_array_foreach (json_object_get (plan, "volumes"), i, volume)
  {
    const char *name = osm_json_str (volume, "name"), *was = zone_of_volume (volume);
    const char *label = name && *name ? name : osm_json_str (volume, "id");

    if (was && !(n == 1 && strcmp (was, only) == 0))
      osm_plan_finding (plan, "volume-availability-zone-not-kept", "info", label,
                        "where servers may use volumes of their own zone only (Nova's "
                        "cross_az_attach), let the server be in the default zone of volumes, too",
                        "volume '%s' is in availability zone '%s'; its copy is in the default zone "
                        "of cloud '%s' (%s)",
                        label, was, cloud_name,
                        n ? osm_strbuf_str (&names) : "which zones it has is not shown");
  }
}

static size_t
count_of_volume (const json_t *objects, const char *volume_id)
{
  size_t i, n = 0;
  const json_t *object;

  json_array_foreach (objects, i, object)
  {
    if (osm_str_equal (osm_json_str (object, "volume_id"), volume_id) &&
        !osm_json_str (json_object_get (object, "metadata"), "osm.migration"))
      n++;
  }
  return n;
}

void
osm_plan_check_behind (json_t *plan, const json_t *snapshots, const json_t *backups)
{
  const struct {
    const char *id, *what;
    const json_t *objects;
  } kinds[] = { { "source-snapshots-stay", "snapshot", snapshots },
                { "source-backups-stay", "backup", backups } };
  const json_t *volume;
  size_t i;

  json_array_foreach (json_object_get (plan, "volumes"), i, volume)
  {
    const char *id = osm_json_str (volume, "id"), *name = osm_json_str (volume, "name");
    const char *label = name && *name ? name : id;

    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
      size_t n = count_of_volume (kinds[k].objects, id);

      if (n > 0)
        osm_plan_finding (plan, kinds[k].id, "info", label, NULL,
                          "volume '%s' has %zu %s%s: they stay at the source", label, n,
                          kinds[k].what, n == 1 ? "" : "s");
    }
  }
}

static bool
any_volume (const json_t *plan, const char *key, const char *value)
{
  const json_t *volume;
  size_t i;

  json_array_foreach (json_object_get (plan, "volumes"), i, volume)
  {
    const json_t *is = json_object_get (volume, key);

    if (value ? osm_str_equal (json_string_value (is), value)
              : json_is_true (is) || json_string_length (is) > 0)
      return true;
  }
  return false;
}

static bool
any_port_tag (const json_t *plan)
{
  const json_t *port;
  size_t i;

  json_array_foreach (json_object_get (plan, "ports"), i, port)
  {
    if (osm_json_str (port, "tag"))
      return true;
  }
  return false;
}

void
osm_plan_check_versions (json_t *plan, const char *source, const char *destination)
{
  const char *description = osm_json_str (json_object_get (plan, "server"), "description");
  const struct {
    bool needed;
    enum osm_side side;
    const char *version, *severity, *what;
  } features[] = {
    { any_volume (plan, "access", OSM_ACCESS_IMAGE), OSM_SOURCE, "2.45", "blocker",
      "images of servers, by which the root disk is read" },
    { description && *description, OSM_DESTINATION, "2.19", "blocker", "the server's description" },
    { any_volume (plan, "tag", NULL) || any_port_tag (plan), OSM_DESTINATION, "2.42", "blocker",
      "device tags" },
    { any_volume (plan, "delete_on_termination", NULL), OSM_DESTINATION, "2.85", "info",
      "delete_on_termination of a server that runs; it is set when the server is made, so that a "
      "build "
      "that fails deletes these copies" },
  };

  for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
    const char *is = features[i].side == OSM_SOURCE ? source : destination;

    if (features[i].needed && osm_microversion_compare (is, features[i].version) < 0)
      osm_plan_finding (plan, "api-too-old", features[i].severity, features[i].version, NULL,
                        "the %s cloud's Nova speaks microversions up to %s; %s is needed for %s",
                        osm_side_name (features[i].side), *is ? is : "none", features[i].version,
                        features[i].what);
  }
}

/* now: the source's flavor of that name, NULL if it is not there. */
void
osm_plan_check_source_flavor (json_t *plan, const char *flavor_name, const json_t *old,
                              const json_t *now)
{
  OSM_CLEANUP_FREE char *difference = NULL;
  bool changed = false;

  if (!now) {
    osm_plan_finding (plan, "source-flavor-gone", "info", flavor_name, NULL,
                      "flavor '%s' is not at the source any more: what the server was made with "
                      "counts",
                      flavor_name);
    return;
  }
  for (size_t i = 0; i < 3; i++) {
    static const char *const keys[] = { "vcpus", "ram", "disk" };
    const json_t *was = json_object_get (old, keys[i]), *is = json_object_get (now, keys[i]);

    changed |= was && is && !json_equal (was, is);
  }
  if (json_is_object (json_object_get (old, "extra_specs")) &&
      json_is_object (json_object_get (now, "extra_specs")))
    difference = osm_plan_specs_difference (json_object_get (old, "extra_specs"),
                                            json_object_get (now, "extra_specs"));
  if (changed || difference)
    osm_plan_finding (
        plan, "source-flavor-changed", "info", flavor_name, NULL,
        "flavor '%s' was changed at the source since the server was made: what it was "
        "made with counts%s%s",
        flavor_name, difference ? "; now " : "", difference ? difference : "");
}

static void
check_user_data (json_t *plan, const json_t *server)
{
  const json_t *data = json_object_get (server, "OS-EXT-SRV-ATTR:user_data");

  if (json_is_true (json_object_get (json_object_get (plan, "server"), "user_data_of_source")) &&
      json_string_length (data) > USER_DATA_MAX)
    osm_plan_finding (plan, "user-data-too-long", "blocker", osm_json_str (server, "name"),
                      "give shorter user data with --user-data FILE",
                      "the user data of server '%s' has %zu bytes, Nova takes %d",
                      osm_json_str (server, "name"), json_string_length (data), USER_DATA_MAX);
}

static const json_t *
image_metadata_of_boot (const json_t *plan)
{
  const json_t *volume;
  size_t i;

  json_array_foreach (json_object_get (plan, "volumes"), i, volume)
  {
    if (json_is_true (json_object_get (volume, "boot")))
      return json_object_get (volume, "image_metadata");
  }
  return json_object_get (json_object_get (json_object_get (plan, "server"), "image"), "metadata");
}

/* ---- asking, all at once ---- */

struct asking {
  const struct osm_plan_input *input;
  const char *flavor_name, *zone;
  bool source_quota;
  bool images; /* are made at the source */
  json_t *quota[2], *image_usage, *snapshots, *backups, *zones, *volume_zones, *flavor;
  bool zoned; /* is a volume in a zone? */
};

static int
ask_source_quota (void *data, struct osm_error *err)
{
  struct asking *a = data;

  return a->source_quota
             ? osm_quota_fetch (a->input->cloud[OSM_SOURCE], true, &a->quota[OSM_SOURCE], err)
             : 0;
}

static int
ask_destination_quota (void *data, struct osm_error *err)
{
  struct asking *a = data;

  return osm_quota_fetch (a->input->cloud[OSM_DESTINATION], false, &a->quota[OSM_DESTINATION], err);
}

/* Only since Glance 2.15 (Xena), and only where it has quotas at all. */
static int
ask_images (void *data, struct osm_error *err)
{
  struct asking *a = data;
  OSM_ERROR (why);

  if (!a->images ||
      osm_cloud_get (a->input->cloud[OSM_SOURCE], OSM_IMAGE, "/info/usage", "usage",
                     &a->image_usage, &why) == 0 ||
      (why.code >= 400 && why.code < 500 && why.code != 401))
    return 0;
  osm_error_move (err, &why);
  return -1;
}

/* What is only worth a remark is left out where the cloud has or shows no such list. */
static int
optional_list (struct osm_cloud *cloud, enum osm_service service, const char *path, const char *key,
               json_t **ret, struct osm_error *err)
{
  OSM_ERROR (why);

  if (osm_cloud_list (cloud, service, path, key, ret, &why) == 0 ||
      (why.code >= 400 && why.code < 500 && why.code != 401))
    return 0;
  osm_error_move (err, &why);
  return -1;
}

static int
ask_snapshots (void *data, struct osm_error *err)
{
  struct asking *a = data;

  return optional_list (a->input->cloud[OSM_SOURCE], OSM_VOLUME, "/snapshots/detail", "snapshots",
                        &a->snapshots, err);
}

static int
ask_backups (void *data, struct osm_error *err)
{
  struct asking *a = data;

  return optional_list (a->input->cloud[OSM_SOURCE], OSM_VOLUME, "/backups/detail", "backups",
                        &a->backups, err);
}

static int
ask_zones (void *data, struct osm_error *err)
{
  struct asking *a = data;

  return a->zone ? optional_list (a->input->cloud[OSM_DESTINATION], OSM_COMPUTE,
                                  "/os-availability-zone", "availabilityZoneInfo", &a->zones, err)
                 : 0;
}

static int
ask_volume_zones (void *data, struct osm_error *err)
{
  struct asking *a = data;

  return a->zoned
             ? optional_list (a->input->cloud[OSM_DESTINATION], OSM_VOLUME, "/os-availability-zone",
                              "availabilityZoneInfo", &a->volume_zones, err)
             : 0;
}

static int
ask_flavor (void *data, struct osm_error *err)
{
  struct asking *a = data;
  OSM_ERROR (why);

  if (!a->flavor_name ||
      osm_cloud_find (a->input->cloud[OSM_SOURCE], &osm_flavors, a->flavor_name, &a->flavor,
                      &why) == 0 ||
      why.class == OSM_ERROR_USER)
    return 0;
  osm_error_move (err, &why);
  return -1;
}

static void
judge_server (json_t *plan, const json_t *server, const struct asking *a)
{
  const json_t *planned = json_object_get (plan, "server"),
               *flavor = json_object_get (server, "flavor"),
               *old_specs = json_object_get (flavor, "extra_specs"),
               *new_specs = json_object_get (planned, "extra_specs");

  osm_plan_platform (plan, osm_json_str (server, "name"), old_specs,
                     osm_json_str (planned, "flavor_id") ? new_specs : old_specs,
                     image_metadata_of_boot (plan));
  osm_plan_carried_server (plan, server);
  osm_plan_check_config_drive (plan, server);
  if (!json_object_get (plan, "local_root"))
    osm_plan_check_kernel (plan, osm_json_str (server, "name"), server);
  osm_plan_check_versions (plan, osm_cloud_microversion (a->input->cloud[OSM_SOURCE], OSM_COMPUTE),
                           osm_cloud_microversion (a->input->cloud[OSM_DESTINATION], OSM_COMPUTE));
  check_user_data (plan, server);
  check_old_zone (plan, server);
  if (a->zones)
    osm_plan_check_zone (plan, osm_cloud_name (a->input->cloud[OSM_DESTINATION]), a->zone,
                         a->zones);
  if (a->flavor_name)
    osm_plan_check_source_flavor (plan, a->flavor_name, flavor, a->flavor);
}

static void
judge (json_t *plan, const json_t *server, const struct asking *a)
{
  const json_t *needs = json_object_get (plan, "needs");

  if (a->quota[OSM_SOURCE])
    osm_quota_add_images (a->quota[OSM_SOURCE], a->image_usage);
  if (a->quota[OSM_DESTINATION])
    osm_quota_claim (a->quota[OSM_DESTINATION], a->input->claims);
  for (enum osm_side side = OSM_SOURCE; side <= OSM_DESTINATION; side++)
    if (a->quota[side])
      osm_quota_findings (plan, side, osm_cloud_name (a->input->cloud[side]),
                          json_object_get (needs, osm_side_name (side)), a->quota[side]);
  osm_plan_check_behind (plan, a->snapshots, a->backups);
  osm_plan_check_volume_zones (plan, osm_cloud_name (a->input->cloud[OSM_DESTINATION]),
                               a->volume_zones);
  if (server)
    judge_server (plan, server, a);
}

int
osm_plan_checks (const struct osm_plan_input *input, json_t *plan, const json_t *server,
                 struct osm_error *err)
{
  const json_t *planned = json_object_get (plan, "server");
  struct asking a = { .input = input,
                      .flavor_name =
                          osm_json_str (json_object_get (server, "flavor"), "original_name"),
                      .zone = osm_json_str (planned, "availability_zone") };
  const struct osm_task tasks[] = { { ask_source_quota, &a }, { ask_destination_quota, &a },
                                    { ask_snapshots, &a },    { ask_backups, &a },
                                    { ask_zones, &a },        { ask_flavor, &a },
                                    { ask_images, &a },       { ask_volume_zones, &a } };
  json_t *needs = osm_quota_needs (plan);
  int r;

  json_object_set_new (plan, "needs", needs);
  a.images = json_object_get (json_object_get (needs, "source"), "images") != NULL;
  a.zoned = any_volume_in_a_zone (plan);
  a.source_quota = json_object_size (json_object_get (needs, "source")) > 0;
  r = osm_parallel (tasks, sizeof tasks / sizeof tasks[0], err);
  if (r == 0)
    judge (plan, server, &a);
  json_decref (a.quota[OSM_SOURCE]);
  json_decref (a.quota[OSM_DESTINATION]);
  json_decref (a.image_usage);
  json_decref (a.snapshots);
  json_decref (a.backups);
  json_decref (a.zones);
  json_decref (a.volume_zones);
  json_decref (a.flavor);
  return r;
}
