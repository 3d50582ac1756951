/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The disks of a migration's volumes as the conversion hosts have them, and their real sizes: what a cloud encrypts is smaller than
 * its volume, by the header of the encryption.
 *
 *   osm_devices_load (m, err);                          what earlier processes found
 *   osm_devices_find (m, volume, i, true, err);         both disks; refuses a copy that could not hold its source
 *   osm_devices_bytes (m, volume)                       how much of it is to be copied and compared
 *
 * Only for controller/migration/. */

#ifndef OSM_CONTROLLER_MIGRATION_DEVICES_H
#define OSM_CONTROLLER_MIGRATION_DEVICES_H

#include "controller/migration/internal.h"

struct osm_device_sizes {
  uint64_t source, destination; /* bytes; 0: not known */
};

int osm_devices_load (struct osm_migration *m, struct osm_error *err);
/* destination: false: a job of an earlier process has the copy's disk open, and it was found before. */
int osm_devices_find (struct osm_migration *m, const json_t *volume, size_t index, bool destination,
                      struct osm_error *err);
/* Of the source's disk; the volume's size as long as that is not known. */
uint64_t osm_devices_bytes (const struct osm_migration *m, const json_t *volume);
/* Adds {"larger": true} to the parameters of a job at the destination whose disk has more than the source's. */
void osm_devices_add_larger (const struct osm_migration *m, const json_t *volume, json_t *params);

/* (pure) May a disk of that many bytes be that volume, and its copy on another one? USER error with a hint: no. */
int osm_devices_judge (const json_t *volume, const struct osm_device_sizes *sizes,
                       struct osm_error *err);

#endif
