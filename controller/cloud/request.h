/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Retry and errors: decided here and nowhere else. */

#ifndef OSM_CONTROLLER_REQUEST_H
#define OSM_CONTROLLER_REQUEST_H

#include <stdint.h>

#include "controller/cloud/cloud.h"
#include "controller/cloud/http.h"

enum osm_retry {
  OSM_RETRY_NO,
  OSM_RETRY_WAIT,  /* after *ret_delay_ms */
  OSM_RETRY_TOKEN, /* with a new token */
};
/* What to do after an answer (status > 0) or a loss (status 0). attempt counts from 0. */
enum osm_retry osm_request_retry (const char *method, int status, enum osm_http_loss loss,
                                  double retry_after_s, unsigned attempt, bool token_renewed,
                                  uint64_t *ret_delay_ms);
/* The message in an error body of any of the services; caller frees; NULL if there is none. */
char *osm_request_error_message (const char *body, size_t len);

struct osm_request {
  const char *method, *path; /* path below the endpoint, or a whole URL (next pages) */
  const json_t *body;
};
int osm_request (struct osm_cloud *cloud, enum osm_service service,
                 const struct osm_request *request, json_t **ret, struct osm_error *err);

#endif
