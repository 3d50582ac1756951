/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The root disk of a server that booted from an image is a file of the hypervisor. The only way to its bytes that a tenant has is an
 * image of the stopped server; of that a temporary volume is made, which is read like any other. */

#include <config.h>

#include "controller/migration/internal.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"
#include "controller/cloud/image.h"
#include "controller/cloud/volume.h"

static struct osm_cloud *
cloud_of (const struct osm_migration *m)
{
  return m->context.cloud[OSM_SOURCE];
}

static int
create_image (struct osm_migration *m, const struct osm_making *making, const json_t *marks,
              char **ret_id, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *name = osm_asprintf ("osm-%s", m->row->id);

  return osm_server_create_image (cloud_of (m), making->from, name, marks, ret_id, err);
}

static int
create_volume (struct osm_migration *m, const struct osm_making *making, const json_t *marks,
               char **ret_id, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *name = osm_asprintf ("osm-%s", m->row->id);
  OSM_CLEANUP_JSON json_t *spec =
      osm_json_pack ("{s:s, s:s, s:O, s:O}", "imageRef", making->from, "name", name, "size",
                     json_object_get (making->plan, "size_gb"), "metadata", marks);

  return osm_volume_create (cloud_of (m), spec, ret_id, err);
}

static int
image_of_root (struct osm_migration *m, const json_t *volume, char **ret_id, struct osm_error *err)
{
  const char *id = osm_json_str (volume, "id");
  OSM_CLEANUP_FREE char *role = osm_role_of (OSM_ROLE_IMAGE, id);
  const struct osm_making making = { .side = OSM_SOURCE,
                                     .kind = OSM_MADE_IMAGE,
                                     .role = role,
                                     .create = create_image,
                                     .plan = volume,
                                     .from = id };

  /* Nova neither attaches nor detaches volumes while it makes an image of their server. */
  if (osm_make (m, &making, ret_id, err) == -1 ||
      osm_image_wait_active (cloud_of (m), *ret_id, OSM_CLONE_TIMEOUT_MS, NULL, err) == -1 ||
      osm_source_settle (m, NULL, err) == -1)
    return osm_error_wrap (err, "image of the server");
  return 0;
}

int
osm_source_image_root (struct osm_migration *m, struct osm_error *err)
{
  size_t i;
  json_t *volume;

  json_array_foreach (osm_migration_volumes (m), i, volume)
  {
    OSM_CLEANUP_FREE char *image = NULL;

    if (osm_volume_is (volume, "image") && image_of_root (m, volume, &image, err) == -1)
      return -1;
  }
  return 0;
}

int
osm_source_clone_root (struct osm_migration *m, const json_t *volume, char **ret_id,
                       struct osm_error *err)
{
  OSM_CLEANUP_FREE char *role = osm_role_of (OSM_ROLE_CLONE, osm_json_str (volume, "id")),
                        *image = NULL;
  struct osm_making making = { .side = OSM_SOURCE,
                               .kind = OSM_MADE_VOLUME,
                               .role = role,
                               .create = create_volume,
                               .plan = volume };

  if (image_of_root (m, volume, &image, err) == -1)
    return -1;
  making.from = image;
  return osm_make_ready (m, &making, OSM_CLONE_TIMEOUT_MS, ret_id, err);
}

int
osm_source_discard_root (struct osm_migration *m, const json_t *volume, struct osm_error *err)
{
  const char *id = osm_json_str (volume, "id");
  OSM_CLEANUP_FREE char *image_role = osm_role_of (OSM_ROLE_IMAGE, id),
                        *clone_role = osm_role_of (OSM_ROLE_CLONE, id);

  /* The volume first: on some backends it depends on the image. */
  if (osm_unmake (m, OSM_SOURCE, OSM_MADE_VOLUME, clone_role, err) == -1 ||
      osm_unmake (m, OSM_SOURCE, OSM_MADE_IMAGE, image_role, err) == -1)
    return -1;
  return osm_source_settle (m, NULL, err);
}
