/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Polling of an object until it is as wanted: 0.3 s at first, up to 5 s while nothing changes, with a deadline that counts from the last change. */

#ifndef OSM_CONTROLLER_WAIT_H
#define OSM_CONTROLLER_WAIT_H

#include <stdint.h>

#include "controller/cloud/cloud.h"

enum osm_wait { OSM_WAIT_MORE, OSM_WAIT_DONE, OSM_WAIT_FAILED /* err is set */ };

struct osm_waiting {
  enum osm_service service;
  const char *path, *key, *what; /* GET path; what: for messages, "volume ID" */
  const char *wanted;            /* for messages: "available" */
  uint64_t timeout_ms;
  /* object NULL: it does not exist. */
  enum osm_wait (*judge) (struct osm_cloud *cloud, const json_t *object, void *data,
                          struct osm_error *err);
  void *data;
};
/* ret may be NULL; *ret is NULL if it ended with the object gone. */
int osm_cloud_wait (struct osm_cloud *cloud, const struct osm_waiting *waiting, json_t **ret,
                    struct osm_error *err);
/* judge that is done when the object is gone. */
enum osm_wait osm_wait_gone (struct osm_cloud *cloud, const json_t *object, void *data,
                             struct osm_error *err);

#endif
