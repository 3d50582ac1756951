/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/cmd/commands.h"
#include "controller/cmd/tenant.h"
#include "controller/tenant/mapping.h"

const struct osm_option osm_options_forget[] = {
  { NULL, 0, NULL, NULL },
};

int
osm_cmd_forget (const struct osm_args *args, struct osm_error *err)
{
  OSM_CLEANUP_SESSION struct osm_session *session = NULL;
  OSM_CLEANUP_JSON json_t *rows = NULL;
  OSM_CLEANUP_FREE char *text = NULL;
  const struct osm_tenant_type *type;
  const char *const *operands;
  const json_t *row;

  osm_args_operands (args, &operands);
  if (osm_cmd_one_type (operands[0], &type, err) == -1)
    return OSM_EXIT_USAGE;
  if (osm_session_open (args, OSM_WANT_STORE, &session, err) == -1 ||
      osm_store_mapping_list (session->store, session->config->cloud[OSM_SOURCE],
                              session->config->cloud[OSM_DESTINATION], &rows, err) == -1 ||
      osm_tenant_mapping_find (rows, type->name, operands[1], &row, err) == -1 ||
      osm_store_mapping_forget (session->store, osm_json_str (row, "source_cloud"),
                                osm_json_str (row, "destination_cloud"), type->name,
                                osm_json_str (row, "source_id"), err) == -1)
    return OSM_EXIT_FAILED;
  text = osm_asprintf ("forgotten: the %s %s, which was %s", type->noun,
                       osm_json_str (row, "source_id"), osm_json_str (row, "destination_id"));
  osm_ui_event (session->ui,
                osm_json_pack ("{s:s, s:s, s:O}", "event", "result", "type", type->name,
                               "source_id", json_object_get (row, "source_id")),
                text);
  return OSM_EXIT_OK;
}
