/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/quota.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/parallel.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"
#include "controller/cloud/volume.h"
#include "controller/migration/plan-internal.h"

#define LARGEST "per_volume_gigabytes" /* a maximum, not a sum */

/* ---- what is needed ---- */

static void
need (json_t *needs, const char *key, json_int_t n)
{
  json_int_t was = json_integer_value (json_object_get (needs, key)), sum;

  if (n <= 0)
    return;
  if (strcmp (key, LARGEST) == 0)
    sum = was > n ? was : n;
  else if (__builtin_add_overflow (was, n, &sum))
    sum = INT64_MAX;
  json_object_set_new (needs, key, json_integer (sum));
}

static void
need_of_type (json_t *needs, const char *key, const char *type, json_int_t n)
{
  OSM_CLEANUP_FREE char *longer = osm_asprintf ("%s_%s", key, type ? type : "");

  need (needs, key, n);
  if (type && *type)
    need (needs, longer, n);
}

static void
need_volume (json_t *source, json_t *destination, const json_t *volume)
{
  const char *type = osm_json_str (volume, "type"),
             *old_type = osm_json_str (volume, "source_type"),
             *access = osm_json_str (volume, "access");
  json_int_t size = json_integer_value (json_object_get (volume, "size_gb")),
             new_size = osm_plan_new_size (volume);

  need_of_type (destination, "volumes", type, 1);
  need_of_type (destination, "gigabytes", type, new_size);
  need (destination, LARGEST, new_size);
  if (osm_str_equal (access, "snapshot")) {
    need_of_type (source, "snapshots", old_type, 1);
    need_of_type (source, "volumes", old_type, 1);
    need_of_type (source, "gigabytes", old_type,
                  2 * size); /* Cinder counts a snapshot's size as well */
  }
  if (osm_str_equal (access, OSM_ACCESS_IMAGE)) {
    need (source, "images", 1);
    need (source, "image_mib", size << 10);
    need (source, "volumes", 1);
    need (source, "gigabytes", size);
  }
}

json_t *
osm_quota_needs (const json_t *plan)
{
  json_t *needs = osm_json_pack ("{s:{}, s:{}}", "source", "destination");
  json_t *source = json_object_get (needs, "source"),
         *destination = json_object_get (needs, "destination");
  const json_t *server = json_object_get (plan, "server"), *item,
               *group = json_object_get (server, "server_group");
  size_t i;

  if (server) {
    need (destination, "instances", 1);
    need (destination, "cores", json_integer_value (json_object_get (server, "vcpus")));
    need (destination, "ram", json_integer_value (json_object_get (server, "ram_mb")));
    if (group && !osm_json_str (group, "id"))
      need (destination, "server_groups", 1);
  }
  json_array_foreach (json_object_get (plan, "volumes"), i, item)
      need_volume (source, destination, item);
  need (destination, "ports", (json_int_t)json_array_size (json_object_get (plan, "ports")));
  json_array_foreach (json_object_get (plan, "floating_ips"), i, item)
  {
    if (json_object_get (item, "create"))
      need (destination, "floating_ips", 1);
  }
  return needs;
}

void
osm_quota_add (json_t *sum, const json_t *needs)
{
  const char *key;
  json_t *n;

  json_object_foreach ((json_t *)needs, key, n) need (sum, key, json_integer_value (n));
}

/* ---- what there is ---- */

static void
set (json_t *quota, const char *key, const json_t *max, json_int_t used)
{
  if (json_is_integer (max))
    json_object_set_new (
        quota, key, osm_json_pack ("{s:I, s:I}", "max", json_integer_value (max), "used", used));
}

static json_int_t
number (const json_t *object, const char *key)
{
  json_int_t n = json_integer_value (json_object_get (object, key));

  return n > 0 && n < INT64_MAX / 4 ? n : 0;
}

static void
set_from_limits (json_t *quota, const json_t *limits)
{
  static const struct {
    const char *key, *max, *used;
  } names[] = {
    { "instances", "maxTotalInstances", "totalInstancesUsed" },
    { "cores", "maxTotalCores", "totalCoresUsed" },
    { "ram", "maxTotalRAMSize", "totalRAMUsed" },
    { "server_groups", "maxServerGroups", "totalServerGroupsUsed" },
    { "volumes", "maxTotalVolumes", "totalVolumesUsed" },
    { "gigabytes", "maxTotalVolumeGigabytes", "totalGigabytesUsed" },
    { "snapshots", "maxTotalSnapshots", "totalSnapshotsUsed" },
  };

  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    set (quota, names[i].key, json_object_get (limits, names[i].max),
         number (limits, names[i].used));
}

/* {"gigabytes_fast": {"limit": 100, "in_use": 1, "reserved": 0}, "id": ...}; Neutron says used. */
static void
set_from_details (json_t *quota, const json_t *details, const char *used)
{
  static const struct {
    const char *neutron, *key;
  } names[] = { { "port", "ports" }, { "floatingip", "floating_ips" } };
  const char *key;
  json_t *one;

  json_object_foreach ((json_t *)details, key, one)
  {
    const char *ours = key;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
      if (strcmp (key, names[i].neutron) == 0)
        ours = names[i].key;
    if (json_is_object (one))
      set (quota, ours, json_object_get (one, "limit"),
           number (one, used) + number (one, "reserved"));
  }
}

json_t *
osm_quota_of (const json_t *compute_limits, const json_t *volume_set, const json_t *volume_limits,
              const json_t *network_details)
{
  json_t *quota = json_object ();

  set_from_limits (quota, compute_limits);
  if (volume_set)
    set_from_details (quota, volume_set, "in_use");
  else
    set_from_limits (quota, volume_limits);
  set_from_details (quota, network_details, "used");
  return quota;
}

void
osm_quota_claim (json_t *quota, const json_t *claims)
{
  const char *key;
  json_t *n;

  json_object_foreach ((json_t *)claims, key, n)
  {
    json_t *one = json_object_get (quota, key);

    if (one && strcmp (key, LARGEST) != 0)
      json_object_set (one, "claimed", n);
  }
}

void
osm_quota_add_images (json_t *quota, const json_t *usage)
{
  static const struct {
    const char *glance, *key;
  } names[] = { { "image_count_total", "images" }, { "image_size_total", "image_mib" } };

  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    const json_t *one = json_object_get (usage, names[i].glance);

    set (quota, names[i].key, json_object_get (one, "limit"), number (one, "usage"));
  }
}

/* ---- is it enough? ---- */

json_t *
osm_quota_shortages (const json_t *needs, const json_t *quota)
{
  json_t *shortages = json_array (), *n;
  const char *key;

  json_object_foreach ((json_t *)needs, key, n)
  {
    const json_t *limit = json_object_get (quota, key);
    json_int_t max = json_integer_value (json_object_get (limit, "max")),
               used = json_integer_value (json_object_get (limit, "used")), taken, sum,
               claimed = json_integer_value (json_object_get (limit, "claimed"));
    json_t *shortage;

    if (strcmp (key, LARGEST) == 0)
      used = 0;
    /* -1: no limit */
    if (!limit || max < 0 ||
        (!__builtin_add_overflow (used, claimed, &taken) &&
         !__builtin_add_overflow (taken, json_integer_value (n), &sum) && sum <= max))
      continue;
    shortage =
        osm_json_pack ("{s:s, s:I, s:I, s:O}", "what", key, "max", max, "used", used, "need", n);
    if (claimed > 0)
      json_object_set_new (shortage, "claimed", json_integer (claimed));
    json_array_append_new (shortages, shortage);
  }
  return shortages;
}

const char *
osm_quota_word (const char *key)
{
  return strcmp (key, "ram") == 0             ? "ram (MiB)"
         : strcmp (key, "floating_ips") == 0  ? "floating IPs"
         : strcmp (key, "server_groups") == 0 ? "server groups"
         : strcmp (key, "image_mib") == 0     ? "images (MiB)"
                                              : key;
}

static bool
is_compute (const char *key)
{
  return strcmp (key, "instances") == 0 || strcmp (key, "cores") == 0 || strcmp (key, "ram") == 0 ||
         strcmp (key, "server_groups") == 0;
}

static bool
is_network (const char *key)
{
  return strcmp (key, "ports") == 0 || strcmp (key, "floating_ips") == 0;
}

char *
osm_quota_text (const json_t *shortage)
{
  json_int_t max = json_integer_value (json_object_get (shortage, "max")),
             used = json_integer_value (json_object_get (shortage, "used")),
             claimed = json_integer_value (json_object_get (shortage, "claimed")),
             more = json_integer_value (json_object_get (shortage, "need"));
  OSM_CLEANUP_FREE char *others =
      claimed > 0 ? osm_asprintf ("%" JSON_INTEGER_FORMAT
                                  " more needed by migrations that the journal has, ",
                                  claimed)
                  : NULL;

  return osm_asprintf ("quota of %s is %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT
                       " used, %s%" JSON_INTEGER_FORMAT " more needed",
                       osm_quota_word (osm_json_str (shortage, "what")), max, used,
                       others ? others : "", more);
}

/* An image of a disk has seldom as much as the disk. */
static void
add_image_finding (json_t *plan, const char *cloud_name, const char *key, const char *text)
{
  osm_plan_finding (plan, "source-image-quota", strcmp (key, "images") == 0 ? "blocker" : "warning",
                    osm_quota_word (key),
                    "the temporary image of the root disk needs it: free some, or ask for a larger "
                    "quota",
                    "cloud '%s': %s%s", cloud_name, text,
                    strcmp (key, "images") == 0 ? "" : " at most");
}

static void
add_finding (json_t *plan, enum osm_side side, const char *cloud_name, const json_t *shortage)
{
  const char *key = osm_json_str (shortage, "what"), *word = osm_quota_word (key);
  json_int_t max = json_integer_value (json_object_get (shortage, "max")),
             more = json_integer_value (json_object_get (shortage, "need"));
  OSM_CLEANUP_FREE char *text = osm_quota_text (shortage);

  if (osm_str_starts_with (key, "image"))
    add_image_finding (plan, cloud_name, key, text);
  else if (strcmp (key, LARGEST) == 0)
    osm_plan_finding (plan, "destination-volume-too-large", "blocker", word,
                      "ask for a larger limit of a single volume",
                      "cloud '%s': a volume may have at most %" JSON_INTEGER_FORMAT
                      " GiB, one of %" JSON_INTEGER_FORMAT " GiB is needed",
                      cloud_name, max, more);
  else
    osm_plan_finding (plan,
                      side == OSM_SOURCE ? "source-volume-quota"
                      : is_compute (key) ? "destination-quota"
                      : is_network (key) ? "destination-network-quota"
                                         : "destination-volume-quota",
                      "blocker", word,
                      side == OSM_SOURCE
                          ? "the temporary clone of the boot volume needs it: free some, or ask "
                            "for a larger quota"
                          : "free some at the destination, or ask for a larger quota",
                      "cloud '%s': %s", cloud_name, text);
}

void
osm_quota_findings (json_t *plan, enum osm_side side, const char *cloud_name, const json_t *needs,
                    const json_t *quota)
{
  OSM_CLEANUP_JSON json_t *shortages = osm_quota_shortages (needs, quota);
  const json_t *item;
  size_t i;

  json_array_foreach (shortages, i, item) add_finding (plan, side, cloud_name, item);
  json_array_foreach (json_object_get (quota, "hidden"), i, item)
  {
    if (json_object_get (needs, "ports") || json_object_get (needs, "floating_ips"))
      osm_plan_finding (plan, "quota-hidden", "info", json_string_value (item), NULL,
                        "cloud '%s' does not show the quotas of its %s service to these "
                        "credentials: that they are enough is not known",
                        cloud_name, json_string_value (item));
  }
}

/* ---- asking ---- */

struct asking {
  struct osm_cloud *cloud;
  json_t *compute, *volume_set, *volume_limits, *network;
};

static int
ask_compute (void *data, struct osm_error *err)
{
  struct asking *a = data;

  return osm_compute_limits (a->cloud, &a->compute, err);
}

/* A service that has no such request, or does not let us, is another thing than one that does not work. */
static int
ask_service (struct osm_cloud *cloud, enum osm_service service, const char *suffix, const char *key,
             json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *project = osm_quote_url (
                            osm_cloud_project_id (cloud) ? osm_cloud_project_id (cloud) : ""),
                        *path = osm_asprintf ("%s/%s%s",
                                              service == OSM_VOLUME ? "/os-quota-sets" : "/quotas",
                                              project, suffix);
  OSM_ERROR (why);

  if (!*project || osm_cloud_get (cloud, service, path, key, ret, &why) == 0)
    return 0;
  if (why.code >= 400 && why.code < 500 && why.code != 401)
    return 0;
  osm_error_move (err, &why);
  return -1;
}

/* Only the quota set tells the quotas of each type. */
static int
ask_volume (void *data, struct osm_error *err)
{
  struct asking *a = data;

  if (ask_service (a->cloud, OSM_VOLUME, "?usage=true", "quota_set", &a->volume_set, err) == -1)
    return -1;
  return a->volume_set ? 0 : osm_volume_limits (a->cloud, &a->volume_limits, err);
}

static int
ask_network (void *data, struct osm_error *err)
{
  struct asking *a = data;

  return ask_service (a->cloud, OSM_NETWORK, "/details.json", "quota", &a->network, err);
}

int
osm_quota_fetch (struct osm_cloud *cloud, bool only_volumes, json_t **ret, struct osm_error *err)
{
  struct asking a = { .cloud = cloud };
  const struct osm_task tasks[] = { { ask_volume, &a }, { ask_compute, &a }, { ask_network, &a } };
  int r = osm_parallel (tasks, only_volumes ? 1 : 3, err);

  if (r == 0) {
    *ret = osm_quota_of (a.compute, a.volume_set, a.volume_limits, a.network);
    if (!a.network && !only_volumes)
      json_object_set_new (*ret, "hidden", osm_json_pack ("[s]", "network"));
  }
  json_decref (a.compute);
  json_decref (a.volume_set);
  json_decref (a.volume_limits);
  json_decref (a.network);
  return r;
}
