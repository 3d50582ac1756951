/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Data that is larger than memory: from a service, and to one.
 *
 *   osm_cloud_download (src, OSM_IMAGE, "/images/ID/file", take, data, err);
 *   osm_cloud_upload (dst, OSM_IMAGE, "/images/ID/file", &upload, err);
 */

#ifndef OSM_CONTROLLER_TRANSFER_H
#define OSM_CONTROLLER_TRANSFER_H

#include "controller/cloud/cloud.h"

/* Each byte goes to `take` once and in order. A connection that is lost is taken up where it broke: by range, or where the service does
 * not know ranges, by passing over what is there already. What take fails with ends it. *ret_bytes: how many there were. */
int osm_cloud_download (struct osm_cloud *cloud, enum osm_service service, const char *path,
                        int (*take) (void *data, const void *bytes, size_t len,
                                     struct osm_error *err),
                        void *data, uint64_t *ret_bytes, struct osm_error *err);

struct osm_upload {
  int64_t size_bytes; /* -1: not known; then in chunks */
  int (*give) (void *data, void *buffer, size_t size, size_t *ret_len, struct osm_error *err);
  void *data;
};
/* PUT. Not repeated: what was given is gone. Class RETRY: doing all again may help. */
int osm_cloud_upload (struct osm_cloud *cloud, enum osm_service service, const char *path,
                      const struct osm_upload *upload, struct osm_error *err);

#endif
