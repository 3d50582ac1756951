/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Bytes from one thread to another through a buffer of fixed size: whoever is faster waits.
 *
 *   OSM_CLEANUP_BYTEPIPE struct osm_bytepipe *pipe = osm_bytepipe_new (size);
 *   osm_bytepipe_write (pipe, data, len, err);  ...  osm_bytepipe_end (pipe);         one thread
 *   osm_bytepipe_read (pipe, buffer, size, &len, err)                                 the other; len 0: the end
 *
 * Either side may break it with its reason: then the other one's next call fails. Waiting ends with an interrupt. */

#ifndef OSM_COMMON_BYTEPIPE_H
#define OSM_COMMON_BYTEPIPE_H

#include <stddef.h>

#include "common/error.h"

struct osm_bytepipe;
struct osm_bytepipe *osm_bytepipe_new (size_t size);
void osm_bytepipe_free (struct osm_bytepipe *pipe);
int osm_bytepipe_write (struct osm_bytepipe *pipe, const void *data, size_t len,
                        struct osm_error *err);
int osm_bytepipe_read (struct osm_bytepipe *pipe, void *buffer, size_t size, size_t *ret_len,
                       struct osm_error *err);
void osm_bytepipe_end (struct osm_bytepipe *pipe);
/* The first reason stays. */
void osm_bytepipe_break (struct osm_bytepipe *pipe, const struct osm_error *why);

static inline void
osm_cleanup_bytepipe (struct osm_bytepipe **p)
{
  osm_bytepipe_free (*p);
}
#define OSM_CLEANUP_BYTEPIPE __attribute__ ((cleanup (osm_cleanup_bytepipe)))

#endif
