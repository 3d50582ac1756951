/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/plan-internal.h"

#include <string.h>
#include <strings.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"
#include "controller/cloud/image.h"
#include "controller/cloud/volume.h"

/* The destination's type of that name. Where there is none, the destination's default with a warning, unless the operator named it: then
 * it was meant. */
int
osm_plan_volume_type (const struct osm_plan_input *input, json_t *plan, const char *label,
                      const json_t *wish, const char *type, const char *type_id, json_t *planned,
                      json_t **ret, struct osm_error *err)
{
  bool named;
  OSM_CLEANUP_FREE char *wanted =
      osm_plan_wanted (input, wish, "type", "volume_types", type, type_id, &named);
  OSM_ERROR (why);

  osm_plan_choose (planned, "type", named ? wanted : NULL, NULL);
  if (!wanted)
    return 0;
  if (osm_cloud_find (input->cloud[OSM_DESTINATION], &osm_volume_types, wanted, ret, &why) == 0) {
    osm_json_set_str (planned, "type", osm_json_str (*ret, "name"));
    osm_plan_choose (planned, "type", wanted, osm_json_str (*ret, "id"));
    return 0;
  }
  if (why.class != OSM_ERROR_USER) {
    osm_error_move (err, &why);
    return -1;
  }
  osm_plan_finding (plan, "destination-volume-type-missing", named ? "blocker" : "warning", label,
                    "map it in the configuration: map: { volume_types: { OLD: NEW } }",
                    "volume '%s': cloud '%s' has no volume type '%s'%s", label,
                    osm_cloud_name (input->cloud[OSM_DESTINATION]), wanted,
                    named ? "" : ", its default type is used");
  return 0;
}

/* What is said of the image that it was made from, in the names of the destination, if the mapping knows it. */
static int
map_image (const struct osm_plan_input *input, json_t *plan, json_t *metadata,
           struct osm_error *err)
{
  const char *name = osm_json_str (metadata, "image_name");
  OSM_CLEANUP_FREE char *wanted =
      osm_config_map (input->config, "images", name, osm_json_str (metadata, "image_id"));
  OSM_CLEANUP_JSON json_t *image = NULL;

  if (!wanted)
    return 0;
  if (osm_plan_look_up (input, plan, "images", &osm_images, name ? name : wanted, wanted, &image,
                        err) == -1)
    return -1;
  osm_json_set_str (metadata, "image_id", osm_json_str (image, "id"));
  osm_json_set_str (metadata, "image_name", osm_json_str (image, "name"));
  return 0;
}

json_t *
osm_plan_volume_metadata (const json_t *metadata)
{
  /* Cinder shows them among the owner's, and takes them from nobody. */
  static const char *const its_own[] = { "readonly", "attached_mode" };
  json_t *own = osm_plan_own_metadata (metadata);

  for (size_t i = 0; i < sizeof its_own / sizeof its_own[0]; i++)
    json_object_del (own, its_own[i]);
  return own;
}

json_t *
osm_plan_volume_image_metadata (const json_t *metadata)
{
  json_t *carried = json_is_object (metadata) ? json_deep_copy (metadata) : json_object ();

  /* Nova would look for these images of the source cloud, and refuse to make the server. */
  json_object_del (carried, "kernel_id");
  json_object_del (carried, "ramdisk_id");
  return carried;
}

static bool
is_true (const char *text)
{
  return text && (strcasecmp (text, "true") == 0 || strcmp (text, "1") == 0);
}

void
osm_plan_check_volume (json_t *plan, const char *label, const json_t *volume, const json_t *type)
{
  const char *multiattach = osm_json_str (json_object_get (type, "extra_specs"), "multiattach"),
             *name = osm_json_str (type, "name");

  if (json_is_true (json_object_get (volume, "multiattach")) &&
      !osm_str_equal (multiattach, "<is> True"))
    osm_plan_finding (
        plan, "source-volume-multiattach", "warning", label,
        "map its type to one of the destination that has multiattach: map: { "
        "volume_types: { OLD: NEW } }",
        "volume '%s' can be attached to several servers; of its copy's type (%s) that "
        "is not known",
        label, name ? name : "the default");
  if (is_true (osm_json_str (json_object_get (volume, "metadata"), "readonly")))
    osm_plan_finding (plan, "source-volume-read-only", "warning", label,
                      "set it afterwards: openstack volume set --read-only VOLUME",
                      "volume '%s' is read-only, and its copy will not be: the new server can "
                      "write to it",
                      label);
  osm_plan_carried_volume (plan, label, volume);
}

/* ---- volumes of several servers ---- */

bool
osm_plan_share_volume (json_t *plan, const char *label, bool multiattach, const json_t *owners,
                       const char *server_id)
{
  OSM_STRBUF (list);
  bool off = multiattach;
  size_t i;
  const json_t *owner;

  json_array_foreach (owners, i, owner)
  {
    const char *id = osm_json_str (owner, "id"), *name = osm_json_str (owner, "name"),
               *status = osm_json_str (owner, "status");

    if (osm_str_equal (id, server_id))
      continue;
    osm_strbuf_addf (&list, "%s'%s' (%s)", list.len ? ", " : "", name && *name ? name : id,
                     status ? status : "cannot be seen");
    off &= osm_str_equal (status, "SHUTOFF");
  }
  if (off)
    osm_plan_finding (plan, "source-volume-shared", "warning", label,
                      "leave the other servers off until the copy is there; make the volume common "
                      "at the destination afterwards, if it is to be so",
                      "volume '%s' is also attached to %s: the new server gets a copy of its own",
                      label, osm_strbuf_str (&list));
  else
    osm_plan_finding (plan, "source-volume-shared", "blocker", label,
                      multiattach ? "shut the other servers off (openstack server stop), or detach "
                                    "it from them"
                                  : "detach it from the other servers first",
                      "volume '%s' is also attached to %s", label, osm_strbuf_str (&list));
  return off;
}

/* Its servers, as far as they are ours to see. */
static int
owners_of (const struct osm_plan_input *input, const json_t *volume, json_t **ret,
           struct osm_error *err)
{
  size_t i;
  const json_t *attachment;

  *ret = json_array ();
  json_array_foreach (json_object_get (volume, "attachments"), i, attachment)
  {
    const char *id = osm_json_str (attachment, "server_id");
    OSM_CLEANUP_JSON json_t *server = NULL;

    if (!id)
      continue;
    if (osm_server_get (input->cloud[OSM_SOURCE], id, &server, err) == -1) {
      if (!osm_error_not_found (err) && err->code != 403)
        return -1;
      osm_error_clear (err);
    }
    json_array_append_new (*ret, osm_json_pack ("{s:s, s:s?, s:s?}", "id", id, "name",
                                                osm_json_str (server, "name"), "status",
                                                osm_json_str (server, "status")));
  }
  return 0;
}

/* ---- one volume ---- */

int
osm_plan_add_volume (const struct osm_plan_input *input, json_t *plan, const json_t *volume,
                     const json_t *attachment, bool boot, const char *access, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *owners = NULL;
  const char *name = osm_json_str (volume, "name"), *id = osm_json_str (volume, "id");
  const char *label = name && *name ? name : id, *type = osm_json_str (volume, "volume_type");
  json_int_t size = json_integer_value (json_object_get (volume, "size"));
  const json_t *wish = osm_plan_wish (input, "volumes", id);
  OSM_CLEANUP_JSON json_t *destination = NULL, *planned = NULL;
  json_t *metadata = json_object_get (volume, "volume_image_metadata");

  if (!id || size <= 0 || size > (json_int_t)1 << 20)
    return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                          "volume %s: cannot believe its size of %" JSON_INTEGER_FORMAT " GiB",
                          id ? id : "?", size);
  planned =
      osm_json_pack ("{s:s, s:s, s:I, s:b, s:b, s:s}", "id", id, "name", name ? name : "",
                     "size_gb", size, "boot", boot, "bootable",
                     osm_str_equal (osm_json_str (volume, "bootable"), "true"), "access", access);
  if (json_is_true (json_object_get (volume, "encrypted")))
    json_object_set_new (planned, "encrypted", json_true ());
  osm_json_set_str (planned, "description", osm_json_str (volume, "description"));
  osm_json_set_str (planned, "source_zone", osm_json_str (volume, "availability_zone"));
  json_object_set_new (planned, "metadata",
                       osm_plan_volume_metadata (json_object_get (volume, "metadata")));
  json_object_set_new (planned, "image_metadata", osm_plan_volume_image_metadata (metadata));
  if (attachment) {
    osm_json_set_str (planned, "device", osm_json_str (attachment, "device"));
    osm_json_set_str (planned, "tag", osm_json_str (attachment, "tag"));
    json_object_set_new (
        planned, "delete_on_termination",
        json_boolean (json_is_true (json_object_get (attachment, "delete_on_termination"))));
  }
  if (osm_json_str (wish, "use"))
    return osm_plan_use_volume (input, plan, label, wish, planned, err);
  json_array_append (json_object_get (plan, "volumes"), planned);
  if (json_array_size (json_object_get (volume, "attachments")) > 1) {
    if (owners_of (input, volume, &owners, err) == -1)
      return -1;
    /* Taken away from one of several servers it would not become free. */
    if (osm_plan_share_volume (plan, label, json_is_true (json_object_get (volume, "multiattach")),
                               owners, osm_json_str (json_object_get (plan, "source"), "id")))
      osm_json_set_str (planned, "access", "snapshot");
  }
  /* A clone does for a data volume, too; the other way round Nova refuses. */
  if (osm_str_equal (osm_json_str (planned, "access"), "detach") &&
      osm_str_equal (osm_json_str (wish, "access"), "snapshot"))
    osm_json_set_str (planned, "access", "snapshot");
  osm_plan_wished_volume (wish, planned);
  if (input->new_size_gb > 0)
    json_object_set_new (planned, "new_size_gb", json_integer (input->new_size_gb));
  if (input->new_size_gb > 0 && input->new_size_gb < size)
    return osm_error_set (err, OSM_ERROR_USER, 0,
                          "volume '%s' has %" JSON_INTEGER_FORMAT
                          " GiB: its copy cannot have %" JSON_INTEGER_FORMAT,
                          label, size, input->new_size_gb);
  if (strcmp (access, "direct") != 0 && !osm_str_equal (osm_json_str (volume, "status"), "in-use"))
    osm_plan_finding (plan, "source-volume-state", "blocker", label,
                      "wait until it is 'in-use', or have its state reset",
                      "volume '%s' of the server is in state '%s'", label,
                      osm_json_str (volume, "status"));
  osm_json_set_str (planned, "source_type", type);
  if (osm_plan_volume_type (input, plan, label, wish, type, osm_json_str (volume, "volume_type_id"),
                            planned, &destination, err) == -1 ||
      osm_plan_encryption (input, plan, label, destination, planned, err) == -1 ||
      map_image (input, plan, json_object_get (planned, "image_metadata"), err) == -1)
    return -1;
  osm_plan_check_volume (plan, label, volume, destination);
  if (boot)
    osm_plan_check_kernel (plan, osm_json_str (json_object_get (plan, "source"), "name"), metadata);
  return 0;
}
