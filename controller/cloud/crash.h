/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Crash points around requests that change something: common/crashpoint.h. Only for controller/cloud/. */

#ifndef OSM_CONTROLLER_CLOUD_CRASH_H
#define OSM_CONTROLLER_CLOUD_CRASH_H

#include "common/crashpoint.h"
#include "controller/cloud/request.h"

#ifdef OSM_CRASH_POINTS
void osm_cloud_crash_point (const struct osm_cloud *cloud, const struct osm_request *request,
                            enum osm_crash when);
#else
static inline void
osm_cloud_crash_point (const struct osm_cloud *cloud, const struct osm_request *request,
                       enum osm_crash when)
{
  (void)cloud;
  (void)request;
  (void)when;
}
#endif

#endif
