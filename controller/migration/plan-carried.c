/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Nothing is dropped silently: what an object has and its successor will not have is a finding, also what this program never heard
 * of. Each list names what is carried, what has a finding of its own, and what is about the old object itself. */

#include <config.h>

#include "controller/migration/plan-internal.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"

static bool
is_empty (const json_t *value)
{
  switch (json_typeof (value)) {
  case JSON_OBJECT:
    return json_object_size (value) == 0;
  case JSON_ARRAY:
    return json_array_size (value) == 0;
  case JSON_STRING:
    return json_string_length (value) == 0;
  case JSON_INTEGER:
    return json_integer_value (value) == 0;
  case JSON_REAL:
    return json_real_value (value) == 0;
  case JSON_TRUE:
    return false;
  case JSON_FALSE:
  case JSON_NULL:
  default:
    return true;
  }
}

/* One that ends in '*' is a prefix. */
static bool
is_known (const char *key, const char *const *known)
{
  for (size_t i = 0; known[i]; i++) {
    size_t n = strlen (known[i]);

    if (known[i][n - 1] == '*' ? strncmp (key, known[i], n - 1) == 0 : strcmp (key, known[i]) == 0)
      return true;
  }
  return false;
}

char *
osm_plan_not_carried (const json_t *object, const char *const *known)
{
  const char *key;
  json_t *value;
  OSM_STRBUF (b);

  json_object_foreach ((json_t *)object, key, value)
  {
    const char *text = json_string_value (value);

    if (is_empty (value) || is_known (key, known))
      continue;
    osm_strbuf_addf (&b, "%s%s", b.len ? ", " : "", key);
    if (text && strlen (text) <= 64)
      osm_strbuf_addf (&b, "=%s", text);
  }
  return b.len ? osm_strbuf_take (&b) : NULL;
}

void
osm_plan_carried_server (json_t *plan, const json_t *server)
{
  static const char *const known[] = {
    /* carried */
    "name", "description", "metadata", "flavor", "key_name", "config_drive", "image", "addresses",
    "security_groups", "os-extended-volumes:volumes_attached", "OS-EXT-SRV-ATTR:user_data",
    "OS-EXT-SRV-ATTR:root_device_name", "status", "OS-EXT-STS:vm_state", "OS-EXT-STS:power_state",
    /* with findings of their own */
    "OS-EXT-AZ:availability_zone", "pinned_availability_zone", "locked", "locked_reason",
    "OS-EXT-STS:task_state", "fault", "tags", "server_groups", "OS-DCF:diskConfig",
    "OS-EXT-SRV-ATTR:kernel_id", "OS-EXT-SRV-ATTR:ramdisk_id",
    /* its name, made fit for a hostname, unless it was changed */
    "OS-EXT-SRV-ATTR:hostname",
    /* about the old server */
    "id", "links", "tenant_id", "project_id", "user_id", "created", "updated", "hostId",
    "host_status", "progress", "OS-SRV-USG:*", "OS-EXT-SRV-ATTR:host",
    "OS-EXT-SRV-ATTR:hypervisor_hostname", "OS-EXT-SRV-ATTR:instance_name",
    "OS-EXT-SRV-ATTR:reservation_id", "OS-EXT-SRV-ATTR:launch_index", NULL
  };
  const char *name = osm_json_str (server, "name");
  OSM_CLEANUP_FREE char *lost = osm_plan_not_carried (server, known);

  if (lost)
    osm_plan_finding (plan, "server-property-not-carried", "warning", name, NULL,
                      "server '%s' has what the new server will not have: %s", name, lost);
}

void
osm_plan_check_kernel (json_t *plan, const char *server_name, const json_t *properties)
{
  static const char *const keys[] = { "kernel_id", "ramdisk_id", "OS-EXT-SRV-ATTR:kernel_id",
                                      "OS-EXT-SRV-ATTR:ramdisk_id" };
  OSM_STRBUF (b);

  if (osm_plan_has_finding (plan, "source-kernel-image", server_name))
    return;
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    const char *id = osm_json_str (properties, keys[i]);

    if (id && *id)
      osm_strbuf_addf (&b, "%s%s=%s", b.len ? ", " : "", keys[i], id);
  }
  if (b.len)
    osm_plan_finding (plan, "source-kernel-image", "warning", server_name,
                      "give its boot disk a boot loader and a kernel of its own first",
                      "server '%s' boots a kernel or ramdisk that is an image of the source cloud "
                      "(%s): the new server boots by the boot loader of its disk",
                      server_name, osm_strbuf_str (&b));
}

void
osm_plan_check_config_drive (json_t *plan, const json_t *server)
{
  const char *name = osm_json_str (server, "name");

  if (json_is_true (json_object_get (json_object_get (plan, "server"), "config_drive")))
    osm_plan_finding (plan, "platform-config-drive", "info", name, NULL,
                      "server '%s' has a config drive: the destination makes another one, with the "
                      "data of the new server, in the format (ISO 9660 or VFAT) and as the kind of "
                      "disk (CD-ROM or not) that its hypervisors are set to",
                      name);
}

void
osm_plan_carried_port (json_t *plan, const char *label, const json_t *port)
{
  static const char *const known[] = {
    /* carried */
    "name", "description", "mac_address", "admin_state_up", "port_security_enabled", "dns_name",
    "binding:vnic_type", "allowed_address_pairs", "fixed_ips", "tags", "extra_dhcp_opts",
    "dns_domain", "security_groups", "network_id",
    /* with findings of their own */
    "qos_policy_id", "resource_request", "trunk_details", "binding:profile",
    /* about the old port, or said by its network */
    "id", "tenant_id", "project_id", "status", "device_id", "device_owner", "created_at",
    "updated_at", "revision_number", "standard_attr_id", "binding:host_id", "binding:vif_*",
    "ip_allocation", "qos_network_policy_id", "dns_assignment", "propagate_uplink_status",
    "data_plane_status", "location", NULL
  };
  OSM_CLEANUP_FREE char *lost = osm_plan_not_carried (port, known);

  if (lost)
    osm_plan_finding (plan, "port-property-not-carried", "warning", label, NULL,
                      "port %s has what the new port will not have: %s", label, lost);
}

void
osm_plan_carried_volume (json_t *plan, const char *label, const json_t *volume)
{
  static const char *const known[] = {
    /* carried */
    "name", "description", "size", "volume_type", "bootable", "metadata", "volume_image_metadata",
    /* with findings of their own */
    "multiattach", "encrypted", "encryption_key_id", "status", "attachments",
    /* about the old volume */
    "id", "links", "user_id", "created_at", "updated_at", "availability_zone", "source_volid",
    "snapshot_id", "replication_status", "shared_targets", "service_uuid", "migration_status",
    "provider_id", "cluster_name", "volume_type_id", "consumes_quota", "os-vol-*", NULL
  };
  OSM_CLEANUP_FREE char *lost = osm_plan_not_carried (volume, known);

  if (lost)
    osm_plan_finding (plan, "volume-property-not-carried", "warning", label, NULL,
                      "volume '%s' has what its copy will not have: %s", label, lost);
}

void
osm_plan_carried_floating_ip (json_t *plan, const char *address, const json_t *ip)
{
  static const char *const known[] = {
    /* carried */
    "description", "dns_name", "dns_domain", "tags",
    /* with findings of their own */
    "floating_ip_address", "qos_policy_id", "port_forwardings",
    /* about the old one, or said by its network */
    "id", "name", "tenant_id", "project_id", "floating_network_id", "router_id", "port_id",
    "port_details", "fixed_ip_address", "status", "created_at", "updated_at", "revision_number",
    "standard_attr_id", "distributed", "qos_network_policy_id", "location", NULL
  };
  OSM_CLEANUP_FREE char *lost = osm_plan_not_carried (ip, known);

  if (lost)
    osm_plan_finding (plan, "floating-ip-property-not-carried", "warning", address, NULL,
                      "floating IP %s has what the new one will not have: %s", address, lost);
}

void
osm_plan_carried_image (json_t *plan, const char *server_name, const json_t *image,
                        const json_t *carried)
{
  static const char *const known[] = {
    "id", "name", "status", "visibility", "protected", "os_hidden", "checksum", "os_hash_*",
    "owner", "size", "virtual_size", "min_disk", "min_ram", "container_format", "disk_format",
    "created_at", "updated_at", "tags", "file", "self", "schema", "direct_url", "locations",
    "stores",
    /* with a finding of their own */
    "kernel_id", "ramdisk_id",
    /* Glance's and Nova's notes about where it came from */
    "owner_specified.*", "base_image_ref", "boot_roles", "image_*", "instance_uuid", "user_id",
    "owner_id", "owner_*", "os_glance_*", "block_device_mapping", "bdm_v2", "root_device_name",
    "signature_verified", "img_signature*", NULL
  };
  OSM_CLEANUP_JSON json_t *others = json_object ();
  OSM_CLEANUP_FREE char *lost = NULL;
  const char *key;
  json_t *value;

  json_object_foreach ((json_t *)image, key, value)
  {
    if (!json_object_get (carried, key))
      json_object_set (others, key, value);
  }
  lost = osm_plan_not_carried (others, known);
  if (lost)
    osm_plan_finding (plan, "image-property-not-carried", "info", server_name, NULL,
                      "the image that server '%s' booted from has properties that its volume will "
                      "not have: %s",
                      server_name, lost);
}
