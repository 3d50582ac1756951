/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The QoS policy of a port or floating IP, by the plan file, the mapping or its name. */

#include <config.h>

#include "controller/migration/plan-internal.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/cloud/network.h"

/* Where there is none of its name the new one has none, with a warning, unless the operator named it: then it was meant. */
static int
find_policy (const struct osm_plan_input *input, json_t *plan,
             const struct osm_plan_limited *limited, const char *wanted, bool named,
             json_t *planned, struct osm_error *err)
{
  const char *cloud = osm_cloud_name (input->cloud[OSM_DESTINATION]);
  OSM_CLEANUP_JSON json_t *found = NULL;
  OSM_CLEANUP_FREE char *without = NULL;
  OSM_ERROR (why);

  if (osm_cloud_find (input->cloud[OSM_DESTINATION], &osm_qos_policies, wanted, &found, &why) ==
      0) {
    osm_json_set_str (json_object_get (planned, "create"), "qos_policy_id",
                      osm_json_str (found, "id"));
    osm_plan_choose (planned, "qos_policy", wanted, osm_json_str (found, "id"));
    return 0;
  }
  if (why.class != OSM_ERROR_USER && why.code != 404) {
    osm_error_move (err, &why);
    return -1;
  }
  osm_plan_choose (planned, "qos_policy", named ? wanted : NULL, NULL);
  without = osm_asprintf (", so the new %s has none", limited->what);
  osm_plan_finding (plan, "destination-qos-policy-missing", named ? "blocker" : "warning",
                    limited->label,
                    "map it in the configuration: map: { qos_policies: { OLD: NEW } }",
                    "%s %s: cloud '%s' has no QoS policy '%s'%s", limited->what, limited->label,
                    cloud, wanted, named ? "" : without);
  return 0;
}

int
osm_plan_qos (const struct osm_plan_input *input, json_t *plan,
              const struct osm_plan_limited *limited, const json_t *wish, json_t *planned,
              struct osm_error *err)
{
  const char *id = limited->policy_id, *name;
  OSM_CLEANUP_JSON json_t *old = NULL;
  OSM_CLEANUP_FREE char *wanted = NULL;
  bool named;
  OSM_ERROR (why);

  if (id && osm_cloud_find (input->cloud[OSM_SOURCE], &osm_qos_policies, id, &old, &why) == -1 &&
      why.code != 404 && why.code != 403) {
    osm_error_move (err, &why);
    return -1;
  }
  name = osm_json_str (old, "name");
  wanted = osm_plan_wanted (input, wish, "qos_policy", "qos_policies", name, id, &named);
  if (id && !name && !named)
    osm_plan_finding (plan, "source-qos-policy-hidden", "warning", limited->label, NULL,
                      "%s %s has a QoS policy that these credentials cannot see (%s): the new %s "
                      "has none",
                      limited->what, limited->label, id, limited->what);
  osm_plan_choose (planned, "qos_policy", NULL, NULL);
  return wanted ? find_policy (input, plan, limited, wanted, named, planned, err) : 0;
}
