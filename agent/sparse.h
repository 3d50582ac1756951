/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Finds the space of a volume that no file system uses (docs/ARCHITECTURE.md, "Free space"): by a quick look
 * (agent/survey.h), and with libguestfs if that leaves enough.
 *
 *   version = osm_sparse_version ();                         NULL: this host has no libguestfs
 *   osm_sparse_run (specification, &cancelled, &result, err);      worker "sparse": writes the map
 *   osm_sparse_appliance (specification, report, &result, err);    worker "appliance": libguestfs
 *
 * The second starts the first's work in a process of its own, which it can kill: what a virtual machine does with
 * a broken /dev/kvm or a hostile file system is not foreseeable. */

#ifndef OSM_AGENT_SPARSE_H
#define OSM_AGENT_SPARSE_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/error.h"
#include "nbd/freemap.h"

/* In a process of its own, since it loads libguestfs: its version, or NULL. Caller frees. */
char *osm_sparse_version (void);
/* {"volume_id","device","size_bytes","kvm_seconds","seconds","appliance_bytes","free_file"}; the result has free_bytes, found, and
 * accelerator if the appliance was needed. No map is written when nothing is free. */
int osm_sparse_run (const json_t *specification, const atomic_bool *cancel, json_t **ret,
                    struct osm_error *err);
/* {"overlay","size_bytes","folder","cache","accelerator"}; `launched` is called when the appliance has booted. */
int osm_sparse_appliance (const json_t *specification, void (*launched) (void), json_t **ret,
                          struct osm_error *err);
/* What `qemu-img map --output=json` of the overlay alone says: ranges that were discarded. Reads up to the end. (pure) */
int osm_sparse_read_map (FILE *f, struct osm_freemap *map, struct osm_error *err);
/* Between and behind partitions, [[start, length], ...] in any order, overlapping ones too: what is unused. The room before the first one and
 * the last MiB stay (boot loaders, the backup of the partition table). (pure) */
int osm_sparse_gaps (const json_t *partitions, struct osm_freemap *map, struct osm_error *err);

#endif
