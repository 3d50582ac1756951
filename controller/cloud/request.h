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
/* What to do after an answer (status > 0) or a loss (status 0). attempt counts from 0.
 * *ret_delay_ms is set for OSM_RETRY_WAIT; add jitter to it. */
enum osm_retry osm_request_retry (const char *method, int status, enum osm_http_loss loss,
                                  double retry_after_s, unsigned attempt, bool token_renewed,
                                  uint64_t *ret_delay_ms);
/* Between 3/4 and 5/4 of it, so that those who were turned away together do not come back together. */
uint64_t osm_request_jitter (uint64_t ms);
/* The message in an error body of any of the services; caller frees; NULL if there is none. */
char *osm_request_error_message (const char *body, size_t len);

struct osm_request {
  const char *method, *path; /* path below the endpoint */
  const json_t *body;
  bool
      repeatable; /* a POST that may be sent again when its fate is unknown: twice does what once does */
};
/* An answer that is no success (NULL: there was none) as an error for the operator. Returns -1. */
int osm_request_failed (struct osm_cloud *cloud, enum osm_service service,
                        const struct osm_request *request, const struct osm_http_answer *answer,
                        enum osm_http_loss loss, struct osm_error *err);
/* retry decision in one place: every request of every service goes through here. */
int osm_request (struct osm_cloud *cloud, enum osm_service service,
                 const struct osm_request *request, json_t **ret, struct osm_error *err);

#endif
