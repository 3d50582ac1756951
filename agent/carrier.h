/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Carriers (nbd/sshcarrier.h) of a source whose destination cannot connect to it: each keeps a port of the destination's loopback open
 * that leads to this host's sshd. One worker each, started again when it dies; kept on disk.
 *
 *   osm_carriers_load (&carriers, err);
 *   osm_carrier_start (carriers, params, &answer, err);      the requests carrier.start, carrier.stop, carrier.list
 *   osm_carriers_child_ended (carriers, pid, status);        after waitpid
 *   osm_carriers_tick (carriers);
 */

#ifndef OSM_AGENT_CARRIER_H
#define OSM_AGENT_CARRIER_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "common/error.h"

#define OSM_CARRIERS_MAX 64

struct osm_carriers;
int osm_carriers_load (struct osm_carriers **ret, struct osm_error *err);
/* Ends them; they come back with the next load. */
void osm_carriers_free (struct osm_carriers *carriers);
/* params: {"id","target","listen_port"} of the request, checked here. *ret: the answer. */
int osm_carrier_start (struct osm_carriers *carriers, const json_t *params, json_t **ret,
                       struct osm_error *err);
/* Not there: success. */
int osm_carrier_stop (struct osm_carriers *carriers, const char *id, struct osm_error *err);
/* New array. */
json_t *osm_carriers_list (struct osm_carriers *carriers);
bool osm_carriers_child_ended (struct osm_carriers *carriers, pid_t pid, int status);
void osm_carriers_tick (struct osm_carriers *carriers);

/* The worker: until *cancel. tell: a frame for the service. */
int osm_carrier_work (const json_t *specification, const atomic_bool *cancel,
                      int (*tell) (const json_t *frame, struct osm_error *err),
                      struct osm_error *err);

#endif
