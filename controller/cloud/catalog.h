/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Where each service is and which version of its API to speak: pure functions over what the cloud has said.
 *
 *   url = osm_catalog_find (catalog, OSM_VOLUME, region, "public")    "http://h:8776/v3/PROJECT"
 *   base = osm_endpoint_base (url, OSM_VOLUME)                        the same, with the right version
 *   root = osm_endpoint_root (base)                                   "http://h:8776/v3/"
 *   osm_microversion_choose ("3.0", "3.70", osm_service_microversion (OSM_VOLUME)) */

#ifndef OSM_CONTROLLER_CATALOG_H
#define OSM_CONTROLLER_CATALOG_H

#include <jansson.h>

#include "controller/cloud/cloud.h"

#define OSM_NR_SERVICES 5

const char *osm_service_name (enum osm_service service); /* "compute" */
/* The highest microversion that this program was written for, or NULL: the service has none. */
const char *osm_service_microversion (enum osm_service service);

/* The endpoint's URL for a service type (with its aliases), or NULL. Borrowed from the catalogue.
 * https://service-types.openstack.org */
const char *osm_catalog_find (const json_t *catalog, enum osm_service service, const char *region,
                              const char *interface);
/* The same in the {"TYPE": URL} of <type>_endpoint_override. */
const char *osm_catalog_override (const json_t *overrides, enum osm_service service);
/* "http://h:9696" -> "http://h:9696/v2.0", "http://h:8774/v2/P" -> "http://h:8774/v2.1/P"; no slash at the end. Caller frees. */
char *osm_endpoint_base (const char *url, enum osm_service service);
/* The base up to its version, with a slash: where the microversions are told. Caller frees. */
char *osm_endpoint_root (const char *base);
/* The path (and query) below the base of a link to a next page, which may be of another host or lack the proxy's prefix.
 * Caller frees. */
char *osm_endpoint_link (const char *base, const char *href);

/* The highest of [min, max] that is not above `known`; NULL if there is none. Caller frees. */
char *osm_microversion_choose (const char *min, const char *max, const char *known);
/* <0, 0, >0; "" is below all. */
int osm_microversion_compare (const char *a, const char *b);
/* Of the answer to a GET of the root: {"version": {...}} or {"versions": [...]}; borrowed; NULL if it has none. */
const json_t *osm_version_of (const json_t *answer);

#endif
