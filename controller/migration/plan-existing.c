/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Volumes that the destination has already: a plan file names them (use: ID), nothing is copied, and the new server gets them as they
 * are. They are not in plan["volumes"], so that no step touches them but the one that makes the server. */

#include <config.h>

#include "controller/migration/plan-internal.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/cloud/volume.h"

void
osm_plan_check_existing (json_t *plan, const char *label, const json_t *planned,
                         const json_t *volume, const char *cloud)
{
  const char *id = osm_json_str (volume, "id"), *status = osm_json_str (volume, "status"),
             *marked = osm_json_str (json_object_get (volume, "metadata"), "osm.migration");
  json_int_t size = json_integer_value (json_object_get (volume, "size")),
             wanted = json_integer_value (json_object_get (planned, "size_gb"));
  OSM_STRBUF (why);

  if (!osm_str_equal (status, "available"))
    osm_strbuf_addf (&why, "is in state '%s'", status ? status : "");
  else if (marked)
    osm_strbuf_addf (&why, "belongs to migration %s", marked);
  else if (size < wanted)
    osm_strbuf_addf (&why,
                     "has %" JSON_INTEGER_FORMAT " GiB, the source's has %" JSON_INTEGER_FORMAT,
                     size, wanted);
  else if (json_is_true (json_object_get (planned, "boot")) &&
           !osm_str_equal (osm_json_str (volume, "bootable"), "true"))
    osm_strbuf_add (&why, "is not bootable");
  if (why.len > 0)
    osm_plan_finding (plan, "destination-volume-unfit", "blocker", label,
                      "name another one, or use: null, so that it is copied",
                      "volume '%s': volume %s of cloud '%s', which is to be used, %s", label, id,
                      cloud, osm_strbuf_str (&why));
  else
    osm_plan_finding (
        plan, "volume-not-copied", "info", label, NULL,
        "volume '%s' is not copied: the new server gets volume %s of cloud '%s' as it "
        "is",
        label, id, cloud);
}

/* As noted in the plan already, for a volume before this one. */
static bool
is_taken (const json_t *plan, const char *id)
{
  const json_t *other;
  size_t i;

  json_array_foreach (json_object_get (plan, "existing_volumes"), i, other)
  {
    if (osm_str_equal (osm_json_str (other, "use"), id))
      return true;
  }
  return false;
}

int
osm_plan_use_volume (const struct osm_plan_input *input, json_t *plan, const char *label,
                     const json_t *wish, json_t *planned, struct osm_error *err)
{
  const char *wanted = osm_json_str (wish, "use"), *type = osm_json_str (wish, "type"), *id,
             *cloud = osm_cloud_name (input->cloud[OSM_DESTINATION]);
  json_t *all = json_object_get (plan, "existing_volumes");
  OSM_CLEANUP_JSON json_t *found = NULL, *volume = NULL;
  OSM_ERROR (why);

  if (!all) {
    all = json_array ();
    json_object_set_new (plan, "existing_volumes", all);
  }
  osm_plan_wished_volume (wish, planned);
  /* Its type is what it is. A rollback deletes the new server, and nothing with it. */
  osm_plan_choose (planned, "type", type, type);
  json_object_set_new (planned, "delete_on_termination", json_false ());
  osm_plan_choose (planned, "use", wanted, NULL);
  if (osm_cloud_find (input->cloud[OSM_DESTINATION], &osm_volumes, wanted, &found, &why) == -1) {
    if (why.class != OSM_ERROR_USER) {
      osm_error_move (err, &why);
      return -1;
    }
    osm_plan_finding (plan, "destination-volume-missing", "blocker", label,
                      "name another one, or use: null, so that it is copied", "volume '%s': %s",
                      label, why.message);
    json_array_append (all, planned);
    return 0;
  }
  id = osm_json_str (found, "id");
  if (osm_volume_get (input->cloud[OSM_DESTINATION], id, &volume, err) == -1)
    return -1;
  if (is_taken (plan, id))
    osm_plan_finding (plan, "destination-volume-unfit", "blocker", label, "name another one",
                      "volume '%s': volume %s of cloud '%s' is used for another one of the server",
                      label, id, cloud);
  else
    osm_plan_check_existing (plan, label, planned, volume, cloud);
  osm_plan_choose (planned, "use", wanted, id);
  osm_json_set_str (planned, "use", id);
  json_array_append (all, planned);
  return 0;
}
