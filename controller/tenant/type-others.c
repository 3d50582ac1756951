/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/types.h"

/* What others refer to, and osm neither exports nor makes. */

static const struct osm_field no_fields[] = { OSM_FIELDS_END };
static const char *const by_name[] = { "name", NULL };

#define REFERRED(words, a_noun, a_service, path, plural, singular, ...)                        \
  {                                                                                            \
    .name = (words), .noun = (a_noun), .service = (a_service), .list_path = (path),            \
    .list_key = (plural), .member_path = (path), .member_key = (singular), .match = (by_name), \
    .fields = (no_fields), ##__VA_ARGS__                                                       \
  }

const struct osm_tenant_type osm_type_domain =
    REFERRED ("domains", "domain", OSM_IDENTITY, "/domains", "domains", "domain",
              .ref_style = OSM_REF_GLOBAL);
const struct osm_tenant_type osm_type_role = REFERRED (
    "roles", "role", OSM_IDENTITY, "/roles", "roles", "role", .ref_style = OSM_REF_DOMAIN);
const struct osm_tenant_type osm_type_segment = REFERRED (
    "segments", "segment", OSM_NETWORK, "/segments", "segments", "segment", .list_by_id = true);
const struct osm_tenant_type osm_type_network_flavor =
    REFERRED ("network_flavors", "network flavor", OSM_NETWORK, "/flavors", "flavors", "flavor",
              .list_by_id = true);
