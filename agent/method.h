/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What can be asked (docs/PROTOCOL.md): one table, one function per method. */

#ifndef OSM_AGENT_METHOD_H
#define OSM_AGENT_METHOD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/carrier.h"
#include "agent/export.h"
#include "agent/job.h"
#include "common/error.h"

struct osm_agent {
  struct osm_exports *exports;
  struct osm_carriers *carriers;
  struct osm_jobs *jobs;
  json_t *hello; /* {"hello": {...}} */
};

enum osm_answer {
  OSM_ANSWER_NOW,   /* *ret or err is the answer */
  OSM_ANSWER_LATER, /* ask again at the next turn of the loop */
};

/* One request. `state` (NULL at first, owned by the caller) is what a method keeps between its turns; `started_ms` is when the request
 * came. On OSM_ANSWER_NOW: *ret is the result, or NULL with err set. */
enum osm_answer osm_method_call (struct osm_agent *agent, const char *method, const json_t *params,
                                 uint64_t started_ms, json_t **state, json_t **ret,
                                 struct osm_error *err);

#endif
