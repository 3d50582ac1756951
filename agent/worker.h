/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The worker processes: `osm-agent worker copy | digest | link-test | export | compress`.
 *
 * Specification frames (stdin):
 *   copy       {"volume_id","device","size_bytes","source":{...},"key","bitmap","connections","requests",
 *              "memory_bytes","limit":{"bytes_per_second","connections"},
 *              "reconnect_seconds","bad_blocks","bad_blocks_file","repair",
 *              "compression"}; later frames {"limit":{...}} change that limit
 *   digest     {"volume_id","device","size_bytes","chunk_bytes","drop_cache","digests","bad_blocks","repair"}
 *   link-test  {"source","key","bytes","seconds"}
 *   compress   {"socket"}: the export's; descriptor 3 is the listening socket of its compressed twin
 *   export     {"volume_id","device","size_bytes","free_file","reads_file"} or {"test_bytes"}; descriptor 3 is the listening socket
 *   sparse, appliance    agent/sparse.h
 *   survey     {"size_bytes"}; descriptor 3 is the volume; answers {"free":[offset,length,...]} before the result
 * `worker sparse-version` takes none and prints the version of libguestfs.
 * Answer frames (stdout): {"progress": {...}} several times a second, then {"result": {...}} or {"error": {...}}. */

#ifndef OSM_AGENT_WORKER_H
#define OSM_AGENT_WORKER_H

#include "common/error.h"

/* Exit status of the process. */
int osm_worker_main (const char *kind, struct osm_error *err);

#endif
