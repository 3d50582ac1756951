/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Whole files: read with a limit, write atomically. */

#ifndef OSM_COMMON_FILE_H
#define OSM_COMMON_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"

/* Reads at most max_bytes; larger is an error.  The result is NUL-terminated, caller frees. */
int osm_file_read (const char *path, size_t max_bytes, char **ret_data, size_t *ret_len,
                   struct osm_error *err);
/* Temporary file beside it, fsync, rename, fsync of the folder. */
int osm_file_write (const char *path, const void *data, size_t len, mode_t mode,
                    struct osm_error *err);
/* mkdir -p with the mode for the folders it makes. */
int osm_mkdir_p (const char *path, mode_t mode, struct osm_error *err);
bool osm_file_exists (const char *path);
/* All bytes or an error. EINTR is handled. */
int osm_read_full (int fd, void *buf, size_t len, struct osm_error *err);
int osm_write_full (int fd, const void *buf, size_t len, struct osm_error *err);
int osm_pread_full (int fd, void *buf, size_t len, uint64_t offset, struct osm_error *err);
int osm_pwrite_full (int fd, const void *buf, size_t len, uint64_t offset, struct osm_error *err);

#endif
