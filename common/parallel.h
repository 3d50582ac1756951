/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Independent blocking calls side by side, one thread each.
 *
 *   struct osm_task tasks[] = { { do_source, &a }, { do_destination, &b } };
 *   if (osm_parallel (tasks, 2, err) == -1) ...
 *
 * All tasks run to their end, also when one fails; the first failure (in order of the array) is
 * returned and further ones are added to its message ("; also: ..."). */

#ifndef OSM_COMMON_PARALLEL_H
#define OSM_COMMON_PARALLEL_H

#include <stddef.h>

#include "common/error.h"

struct osm_task {
  int (*run) (void *data, struct osm_error *err);
  void *data;
};

#define OSM_PARALLEL_MAX 16 /* threads at once; further tasks wait their turn */
int osm_parallel (const struct osm_task *tasks, size_t nr_tasks, struct osm_error *err);

#endif
