/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The far end of a copy by hand (agent/endpoint.h): hidden commands that SSH runs.  The command line
 * is constant; what to read comes as one frame on stdin, {"protocol": 1, "path": "..."}.  The answer
 * on stdout is a frame, too: {"error": {...}}, or
 *   nbd-stdio      {"size_bytes": N, "in_use": false}, and then NBD on stdin and stdout; with
 *                  "compress": true in the request, what it says then is one zstd stream
 *   digest-stdio   {"chunks": "hexadecimal"} as often as needed, then {"sha256": "..."}; the request
 *                  has chunk_bytes and drop_cache, too
 * The path is opened read-only. */

#ifndef OSM_AGENT_STDIO_H
#define OSM_AGENT_STDIO_H

#include "common/error.h"

#define OSM_STDIO_NBD "nbd-stdio"
#define OSM_STDIO_DIGEST "digest-stdio"
#define OSM_STDIO_PROTOCOL 1

/* Becomes nbdkit, or compresses what it says. Both return a status; err is set only if it could not be told on stdout. */
int osm_stdio_nbd (struct osm_error *err);
int osm_stdio_digest (struct osm_error *err);

#endif
