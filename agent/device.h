/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Disks by volume id: never by letter or order of appearance.
 *
 *   osm_device_find (volume_id, size, &path, NULL, err);       RETRY while it is not there
 *   fd = osm_device_open (volume_id, path, size, true, err);   target: exclusive; false: read-only
 */

#ifndef OSM_AGENT_DEVICE_H
#define OSM_AGENT_DEVICE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

/* What is asked of a disk's size. larger: it may have more, of which nothing is touched. */
struct osm_device_size {
  uint64_t bytes;
  bool larger;
};
/* "size_bytes" and "larger" of an agent's parameters; without "size_bytes" any size. */
struct osm_device_size osm_device_size_of (const json_t *params);

/* The one whole disk with that serial and size, not mounted and not held. Absent: RETRY with code ENOENT. Two candidates, another size,
 * in use: USER. Caller frees. ret_bytes: its real size, or NULL. */
int osm_device_find (const char *volume_id, struct osm_device_size size, char **ret_path,
                     uint64_t *ret_bytes, struct osm_error *err);
/* Opens and checks again, now that it cannot change any more: a block device of that size, and the one disk with that volume's id (a
 * letter may have gone to another disk since it was found). Waits up to 2 s for another holder to let go. Returns the fd or -1. */
int osm_device_open (const char *volume_id, const char *path, struct osm_device_size size,
                     bool writable, struct osm_error *err);
/* Is what is open there still the one disk with that volume's id? */
int osm_device_check (int fd, const char *volume_id, struct osm_error *err);
/* Whole disks that have a link in by-id: [{"path","serial","size_bytes","in_use"}]; the serial as the link gives it. New array. */
json_t *osm_device_list (void);
/* Does a link of /dev/disk/by-id name this volume? (pure) */
bool osm_device_link_names (const char *link, const char *volume_id);

#endif
