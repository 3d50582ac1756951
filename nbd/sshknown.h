/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Host keys as OpenSSH remembers them: known_hosts files, hashed names included.
 *
 *   OSM_CLEANUP_STRV char **keys = NULL;
 *   osm_known_host_keys ("/root/.ssh/known_hosts", "192.0.2.7", 2222, &keys, err);
 *
 * Lines with @cert-authority are passed over, keys marked @revoked are taken out. */

#ifndef OSM_NBD_SSHKNOWN_H
#define OSM_NBD_SSHKNOWN_H

#include <stdint.h>

#include "common/error.h"

/* Adds the host's keys ("TYPE BASE64") to *ret, which may stay NULL. A file that is not there holds
 * none. */
int osm_known_host_keys (const char *path, const char *host, uint16_t port, char ***ret,
                         struct osm_error *err);

#endif
