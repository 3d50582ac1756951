/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Parameters of requests, which may hold anything: each function answers with class USER, EINVAL and the parameter's name if it is not what
 * it should be.
 *
 *   if (osm_param_id (params, &id, err) == -1 || osm_param_number (params, "seconds", 10, 120, &seconds, err) == -1)
 *     return -1;
 *   kept = osm_params_pick (params, names);
 */

#ifndef OSM_AGENT_PARAMS_H
#define OSM_AGENT_PARAMS_H

#include <jansson.h>
#include <stdint.h>

#include "common/error.h"
#include "nbd/compression.h"

#define OSM_PARAM_KEY_MAX 4096 /* of a public key, characters */

/* Borrowed. */
int osm_param_string (const json_t *params, const char *key, const char **ret,
                      struct osm_error *err);
/* "id": a safe name. Borrowed. */
int osm_param_id (const json_t *params, const char **ret, struct osm_error *err);
/* Absent: `standard`; UINT64_MAX as `standard` means that it must be there. */
int osm_param_number (const json_t *params, const char *key, uint64_t standard, uint64_t max,
                      uint64_t *ret, struct osm_error *err);
/* Bytes per second; 0: none. */
int osm_param_limit (const json_t *params, const char *key, uint64_t standard, uint64_t *ret,
                     struct osm_error *err);
int osm_param_boolean (const json_t *params, const char *key, struct osm_error *err);
/* "group": absent, or a safe name. */
int osm_param_group (const json_t *params, struct osm_error *err);
/* "volume_id" and "size_bytes". */
int osm_param_volume (const json_t *params, struct osm_error *err);
/* The same; "size_bytes" may be absent. */
int osm_param_device (const json_t *params, struct osm_error *err);
/* "free": absent, or the id of a sparse job. */
int osm_param_free (const json_t *params, struct osm_error *err);
/* "bad_blocks": absent, or "zero". */
int osm_param_bad_blocks (const json_t *params, struct osm_error *err);
int osm_param_compression (const json_t *params, enum osm_compression_mode *ret,
                           struct osm_error *err);
/* "source" of a copy or a link test: *ret, a new reference, holds only what is known. */
int osm_param_source (const json_t *params, json_t **ret, struct osm_error *err);

/* Members of `from` that are named; what is unknown is ignored, so that it is neither kept nor compared. New object. */
json_t *osm_params_pick (const json_t *from, const char *const *names);

#endif
