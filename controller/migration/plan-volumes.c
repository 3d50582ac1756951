/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/plan-internal.h"

#include <inttypes.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/cloud/volume.h"

/* The destination's type of that name (or of the mapping). Where there is none, the destination's default with a warning, unless the
 * mapping names it: then the operator meant it. */
static int
destination_type (const struct osm_plan_input *input, json_t *plan, const char *volume_name,
                  const char *type, json_t *planned, struct osm_error *err)
{
  const char *wanted = osm_config_map (input->config, "volume_types", type);
  OSM_CLEANUP_JSON json_t *found = NULL;
  OSM_ERROR (why);

  if (osm_cloud_find (input->cloud[OSM_DESTINATION], &osm_volume_types, wanted, &found, &why) ==
      0) {
    osm_json_set_str (planned, "type", osm_json_str (found, "name"));
    return 0;
  }
  if (why.class != OSM_ERROR_USER) {
    osm_error_move (err, &why);
    return -1;
  }
  osm_plan_finding (plan, "destination-volume-type-missing", wanted == type ? "warning" : "blocker",
                    volume_name, "map it in the configuration: map: { volume_types: { OLD: NEW } }",
                    "volume '%s': cloud '%s' has no volume type '%s'%s", volume_name,
                    osm_cloud_name (input->cloud[OSM_DESTINATION]), wanted,
                    wanted == type ? ", its default type is used" : "");
  return 0;
}

int
osm_plan_add_volume (const struct osm_plan_input *input, json_t *plan, const json_t *volume,
                     const json_t *attachment, bool boot, const char *access, struct osm_error *err)
{
  const char *name = osm_json_str (volume, "name"), *id = osm_json_str (volume, "id");
  const char *label = name && *name ? name : id, *type = osm_json_str (volume, "volume_type");
  json_int_t size = json_integer_value (json_object_get (volume, "size"));
  json_t *planned, *metadata = json_object_get (volume, "volume_image_metadata");

  if (!id || size <= 0 || size > (json_int_t)1 << 20)
    return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                          "volume %s: cannot believe its size of %" JSON_INTEGER_FORMAT " GiB",
                          id ? id : "?", size);
  planned =
      osm_json_pack ("{s:s, s:s, s:I, s:b, s:b, s:s}", "id", id, "name", name ? name : "",
                     "size_gb", size, "boot", boot, "bootable",
                     osm_str_equal (osm_json_str (volume, "bootable"), "true"), "access", access);
  json_array_append_new (json_object_get (plan, "volumes"), planned);
  osm_json_set_str (planned, "description", osm_json_str (volume, "description"));
  json_object_set_new (planned, "metadata",
                       osm_plan_own_metadata (json_object_get (volume, "metadata")));
  json_object_set_new (planned, "image_metadata",
                       json_is_object (metadata) ? json_deep_copy (metadata) : json_object ());
  if (attachment) {
    osm_json_set_str (planned, "device", osm_json_str (attachment, "device"));
    osm_json_set_str (planned, "tag", osm_json_str (attachment, "tag"));
    json_object_set_new (
        planned, "delete_on_termination",
        json_boolean (json_is_true (json_object_get (attachment, "delete_on_termination"))));
  }
  if (json_array_size (json_object_get (volume, "attachments")) > 1)
    osm_plan_finding (plan, "source-volume-shared", "blocker", label,
                      "detach it from the other servers first",
                      "volume '%s' is attached to several servers", label);
  if (strcmp (access, "direct") != 0 && !osm_str_equal (osm_json_str (volume, "status"), "in-use"))
    osm_plan_finding (plan, "source-volume-state", "blocker", label,
                      "wait until it is 'in-use', or have its state reset",
                      "volume '%s' of the server is in state '%s'", label,
                      osm_json_str (volume, "status"));
  if (type && *type)
    return destination_type (input, plan, label, type, planned, err);
  return 0;
}

/* One side's absolute limits against what this plan needs there. */
static int
check_side (const struct osm_plan_input *input, json_t *plan, enum osm_side side,
            json_int_t volumes, json_int_t gigabytes, json_int_t snapshots, struct osm_error *err)
{
  const struct {
    const char *what, *max, *used;
    json_int_t need;
  } quotas[] = {
    { "volumes", "maxTotalVolumes", "totalVolumesUsed", volumes },
    { "gigabytes", "maxTotalVolumeGigabytes", "totalGigabytesUsed", gigabytes },
    { "snapshots", "maxTotalSnapshots", "totalSnapshotsUsed", snapshots },
  };
  OSM_CLEANUP_JSON json_t *limits = NULL;
  const char *cloud = osm_cloud_name (input->cloud[side]);

  if (osm_volume_limits (input->cloud[side], &limits, err) == -1)
    return -1;
  for (size_t i = 0; i < sizeof quotas / sizeof quotas[0]; i++) {
    json_int_t max = json_integer_value (json_object_get (limits, quotas[i].max));
    json_int_t used = json_integer_value (json_object_get (limits, quotas[i].used));

    if (quotas[i].need > 0 && max >= 0 && used + quotas[i].need > max)
      osm_plan_finding (
          plan, side == OSM_SOURCE ? "source-volume-quota" : "destination-volume-quota", "blocker",
          quotas[i].what,
          side == OSM_SOURCE ? "the temporary clone of the boot volume needs it: free some, or ask "
                               "for a larger quota"
                             : "free some at the destination, or ask for a larger quota",
          "cloud '%s': quota of %s is %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT
          " used, %" JSON_INTEGER_FORMAT " more needed",
          cloud, quotas[i].what, max, used, quotas[i].need);
  }
  return 0;
}

int
osm_plan_check_volume_quota (const struct osm_plan_input *input, json_t *plan,
                             struct osm_error *err)
{
  json_int_t volumes = 0, gigabytes = 0, clones = 0, clone_gigabytes = 0, snapshots = 0;
  size_t i;
  json_t *volume;

  json_array_foreach (json_object_get (plan, "volumes"), i, volume)
  {
    json_int_t size = json_integer_value (json_object_get (volume, "size_gb"));

    volumes++;
    gigabytes += size;
    if (osm_str_equal (osm_json_str (volume, "access"), "snapshot")) {
      clones++;
      snapshots++;
      clone_gigabytes += 2 * size; /* Cinder counts a snapshot's size as well */
    }
    if (osm_str_equal (osm_json_str (volume, "access"), OSM_ACCESS_IMAGE)) {
      clones++;
      clone_gigabytes += size;
    }
  }
  if (check_side (input, plan, OSM_DESTINATION, volumes, gigabytes, 0, err) == -1)
    return -1;
  return check_side (input, plan, OSM_SOURCE, clones, clone_gigabytes, snapshots, err);
}
