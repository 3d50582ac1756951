/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/cmd/commands.h"
#include "controller/cmd/tenant.h"
#include "controller/tenant/mapping.h"

const struct osm_option osm_options_register_external[] = {
  { NULL, 0, NULL, NULL },
};

int
osm_cmd_register_external (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_JSON json_t *source = NULL, *destination = NULL;
  OSM_CLEANUP_FREE char *text = NULL;
  const struct osm_tenant_type *type;
  const char *const *operands;

  osm_args_operands (args, &operands);
  if (osm_cmd_one_type (operands[0], &type, err) == -1)
    return OSM_EXIT_USAGE;
  if (osm_session_open (args, OSM_WANT_CLOUDS | OSM_WANT_STORE, &session, err) == -1 ||
      osm_tenant_find (session->cloud[OSM_SOURCE], type, operands[1], &source, err) == -1 ||
      osm_tenant_find (session->cloud[OSM_DESTINATION], type, operands[2], &destination, err) == -1)
    return OSM_EXIT_FAILED;
  const struct osm_mapping m = { .source_cloud = osm_cloud_name (session->cloud[OSM_SOURCE]),
                                 .destination_cloud =
                                     osm_cloud_name (session->cloud[OSM_DESTINATION]),
                                 .type = type->name,
                                 .source_id = osm_json_str (source, "id"),
                                 .destination_id = osm_json_str (destination, "id"),
                                 .name = osm_json_str (source, "name"),
                                 .origin = "registered" };

  if (!m.source_id || !m.destination_id) {
    osm_error_set (err, OSM_ERROR_REMOTE, 0, "one of the clouds tells no id of the %s", type->noun);
    return OSM_EXIT_FAILED;
  }
  if (osm_store_mapping_note (session->store, &m, err) == -1)
    return OSM_EXIT_FAILED;
  text = osm_asprintf ("the %s '%s' of cloud '%s' is '%s' (%s) of cloud '%s'", type->noun, m.name,
                       m.source_cloud, osm_json_str (destination, "name"), m.destination_id,
                       m.destination_cloud);
  osm_ui_event (session->ui,
                osm_json_pack ("{s:s, s:s, s:s, s:s}", "event", "result", "type", m.type,
                               "source_id", m.source_id, "destination_id", m.destination_id),
                text);
  return OSM_EXIT_OK;
}
