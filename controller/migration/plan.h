/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What a migration will do, decided before anything is touched: the plan (JSON, kept in the journal, never changed afterwards) and
 * the findings of the preflight.
 *
 *   { "version": 1, "kind": "server", "compression": "auto" | "on" | "off",
 *     "source": {"cloud", "id", "name", "status"},
 *     "server": {"name", "description", "flavor_id", "flavor_name", "vcpus", "ram_mb", "disk_gb", "extra_specs": of the destination's flavor,
 *                "key_name", "metadata", "user_data_file" or "user_data_of_source", "config_drive", "availability_zone", "tags",
 *                "hostname", "disk_config", "power": "on" | "off",
 *                "key_pair": {"name", "public_key", "fingerprint", "type"} to import,
 *                "image": {"id", "name", "metadata"}: the destination's, of which the root disk is made, instead of a volume,
 *                "server_group": {"name", "policy", "rules", "id": if it is there already}},
 *     "volumes": [{"id", "name", "description", "size_gb", "type", "source_type", "source_zone", "boot", "bootable", "device", "delete_on_termination",
 *                  "tag", "encrypted": by its cloud, "new_size_gb": of the copy, if it has more,
 *                  "metadata", "image_metadata", "access": "snapshot" | "detach" | "direct" |
 *                  "image": the root disk of a server that booted from an image; its id is the server's}],
 *     "local_root": [a volume, as above]: what the root disk would be, if it is not copied,
 *     "existing_volumes": [{"id", "name", "size_gb", "boot", "device", "use": id of the destination's volume that takes its place}],
 *     "ports": [{"id", "create": {body of the port to create}, "network_name", "addresses", "tag": of the device, "tags": the tenant's}],
 *     "floating_ips": [{"id", "address", "port_id": the source's, "fixed_ip_address", "description", "tags": the tenant's,
 *                       "use": id of an existing one, or "create": {body of the one to create}, "network_name"}],
 *     "other_floating_ips": [{"id", "address", "mode"}]: those that nothing is done for, or can be,
 *     "needs": {"source", "destination"}: of the quotas, see quota.h,
 *     "findings": [{"id", "severity", "object", "text", "remedy", "must_accept", "accepted"}] }
 *
 * Server, volumes, ports and floating IPs have "chosen", for the plan file alone: what was looked for at the destination, {"name", "id": if
 * it was found}, by "flavor", "key_pair", "server_group", "type", "network", "qos_policy", "mode"; "security_groups" and "fixed_ips" are
 * arrays.
 */

#ifndef OSM_CONTROLLER_MIGRATION_PLAN_H
#define OSM_CONTROLLER_MIGRATION_PLAN_H

#include "controller/cloud/cloud.h"
#include "controller/config.h"

struct osm_plan_input {
  const struct osm_config *config;
  struct osm_cloud *cloud[2];
  const char *object;            /* server or volume: name or id */
  const char *boot_volume;       /* id, or NULL: found */
  const char *user_data_path;    /* file to use as user data, or NULL */
  const char *availability_zone; /* at the destination, or NULL */
  const char *compression;       /* "auto", "on", "off" */
  const char *floating_ip;       /* "auto", "keep", "existing", "new", "skip" */
  const char *power;             /* "keep", "on", "off": at the end */
  const char *local_disks;       /* "refuse", "drop" */
  const char *boot_disk;         /* of a server that booted from an image: "copy", "image" */
  json_int_t new_size_gb;        /* of the copy of a volume by itself; 0: as large */
  const json_t
      *away; /* volumes that osm has taken from the server, as attachments (compute.h), or NULL */
  const json_t
      *claims; /* what other migrations will take of the destination's quotas (claims.h), or NULL */
  const json_t *wishes; /* the server's entry of a plan file (planfile.h), or NULL */
};

int osm_plan_server (const struct osm_plan_input *input, json_t **ret, struct osm_error *err);
int osm_plan_volume (const struct osm_plan_input *input, json_t **ret, struct osm_error *err);

/* severity: "blocker", "warning" or "info" */
void osm_plan_finding (json_t *plan, const char *id, const char *severity, const char *object,
                       const char *remedy, const char *format, ...)
    __attribute__ ((format (printf, 6, 7)));
size_t osm_plan_count_findings (const json_t *plan, const char *severity);
/* Bytes of all volumes. */
uint64_t osm_plan_bytes (const json_t *plan);
/* Printed for --dry-run: what would be created, with names and bytes. Caller frees. */
char *osm_plan_text (const json_t *plan, const char *destination_cloud);

/* Pure parts, for tests. */
/* GiB of the root disk of a server that booted from an image: its flavor's, else the image's. 0: not known. */
json_int_t osm_plan_root_size (const json_t *flavor, const json_t *image);
/* An image's properties that count for a volume of it. New object. */
json_t *osm_plan_image_metadata (const json_t *image);
/* The boot volume among attachments [{"volume_id","device"}] with volumes [{"id","bootable"}] in the same order; index or -1. */
int osm_plan_find_boot (const json_t *attachments, const json_t *volumes, const char *root_device);

/* The file as Nova wants it. Caller clears and frees. */
int osm_plan_read_user_data (const char *path, char **ret_base64, struct osm_error *err);

#endif
