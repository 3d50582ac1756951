/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The far end of a copy by hand (agent/endpoint.h): hidden commands that SSH runs.  The command line
 * is constant; what to read comes as one frame on stdin, {"protocol": 1, "path": "..."}.  The answer
 * on stdout is a frame, too: {"error": {...}}, or
 *   nbd-stdio      {"size_bytes": N, "in_use": false}, and then NBD on stdin and stdout; with
 *                  "compress": true in the request, what it says then is one zstd stream.  With
 *                  "search": true, what is found to be free reads as zero, and the answer has
 *                  "survey": {"map": "hash", "free_bytes": N, "found": [...]}, or in it "error"
 *   digest-stdio   {"chunks": "hexadecimal"} as often as needed, then {"sha256": "..."}; the request
 *                  has chunk_bytes and drop_cache, too, and search
 * The free space is looked for anew for each connection: it takes milliseconds, and there is no file that would have
 * to be removed. All after the first say in "map" what the first was told; if that is not so any more, they are
 * refused.
 * The path is opened read-only. */

#ifndef OSM_AGENT_STDIO_H
#define OSM_AGENT_STDIO_H

#include "agent/survey.h"
#include "common/error.h"

#define OSM_STDIO_NBD "nbd-stdio"
#define OSM_STDIO_DIGEST "digest-stdio"
#define OSM_STDIO_PROTOCOL 1

#define OSM_SURVEY_HASH_LEN 17 /* with its end */
/* The free space of fd if `search`; expected: its hash, or NULL. USER if that is another one. That it could not be found is no
 * error: then `ret` has no `found`, and *why is set. */
int osm_stdio_survey (bool search, const char *expected, int fd, uint64_t size_bytes,
                      struct osm_survey *ret, struct osm_error *why, struct osm_error *err);
void osm_stdio_hash (const struct osm_survey *survey, char ret[OSM_SURVEY_HASH_LEN]);

/* Serves NBD, compressed or not, until the client goes. Both return a status; err is set only if it could not be told on stdout. */
int osm_stdio_nbd (struct osm_error *err);
int osm_stdio_digest (struct osm_error *err);

#endif
