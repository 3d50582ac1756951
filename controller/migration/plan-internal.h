/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Shared by the files that make a plan. */

#ifndef OSM_CONTROLLER_MIGRATION_PLAN_INTERNAL_H
#define OSM_CONTROLLER_MIGRATION_PLAN_INTERNAL_H

#include "controller/migration/findings.h"
#include "controller/migration/plan.h"

/* User's own metadata: a copy without osm's marks ("osm." keys) and without null values. */
json_t *osm_plan_own_metadata (const json_t *metadata);
/* Destination object of that kind that is called `wanted`, for the source's `name`; on "not found" or "several" a blocker finding is added
 * and *ret stays NULL. */
int osm_plan_look_up (const struct osm_plan_input *input, json_t *plan, const char *map_kind,
                      const struct osm_collection *collection, const char *name, const char *wanted,
                      json_t **ret, struct osm_error *err);

/* ---- plan-choices.c (pure): what the operator wants, by the plan file and the mapping ---- */
/* What the plan file says about a volume, port or floating IP of the source; list: "volumes" and so on. NULL: nothing. Borrowed. */
const json_t *osm_plan_wish (const struct osm_plan_input *input, const char *list, const char *id);
/* What to look for at the destination in place of the source's object of that name and id: what the wish has as `key`, else what the mapping
 * says, else the same name. NULL: the file wants none, or there is no name. *ret_named: it is the operator's word, so it must be there.
 * Caller frees. */
char *osm_plan_wanted (const struct osm_plan_input *input, const json_t *wish, const char *key,
                       const char *map_kind, const char *name, const char *id, bool *ret_named);
/* Notes in `planned` what was looked for, for the plan file; id: of what was found, or NULL. wanted NULL: there is none. */
void osm_plan_choose (json_t *planned, const char *key, const char *wanted, const char *id);
/* The same, as one more of several. */
void osm_plan_choose_also (json_t *planned, const char *key, json_t *choice);
/* {"name","id"}. New object. */
json_t *osm_plan_choice (const char *wanted, const char *id);
/* Interfaces in the order of the file's ports; those that it does not have follow. New array. */
json_t *osm_plan_wished_order (const json_t *interfaces, const json_t *wished_ports);
/* Whose project may be whose, by the mapping. */
void osm_plan_check_projects (const struct osm_plan_input *input, json_t *plan);

/* ---- plan-existing.c ---- */
/* planned: of the source's volume, for which the wish names one of the destination; it goes into plan["existing_volumes"]. */
int osm_plan_use_volume (const struct osm_plan_input *input, json_t *plan, const char *label,
                         const json_t *wish, json_t *planned, struct osm_error *err);
/* (pure) Can that volume of the destination take its place? */
void osm_plan_check_existing (json_t *plan, const char *label, const json_t *planned,
                              const json_t *volume, const char *cloud);

/* The destination's volume type into planned["type"]; NULL with no finding: its default. wish: of the volume. */
int osm_plan_volume_type (const struct osm_plan_input *input, json_t *plan, const char *label,
                          const json_t *wish, const char *type, const char *type_id,
                          json_t *planned, json_t **ret, struct osm_error *err);
/* GiB of a volume's copy: what the plan file wants, or one more where the header of an encryption must fit. (pure) */
json_int_t osm_plan_new_size (const json_t *planned);
/* Name, delete_on_termination and size of the copy of a volume as the file wants them. (pure) */
void osm_plan_wished_volume (const json_t *wish, json_t *planned);
/* plan-volumes.c: fills plan["volumes"][*] from Cinder's answer and picks the destination type. */
int osm_plan_add_volume (const struct osm_plan_input *input, json_t *plan, const json_t *volume,
                         const json_t *attachment, bool boot, const char *access,
                         struct osm_error *err);
/* ---- plan-encrypted.c ---- */
enum osm_known { OSM_NOT_KNOWN, OSM_KNOWN_NO, OSM_KNOWN_YES };
/* (pure) Does the type encrypt? answer: Cinder's about its encryption, NULL: none. */
enum osm_known osm_plan_encryption_of (const json_t *answer);
/* (pure) planned: volume of the plan, whose "encrypted" says what it is at the source; gets "new_size_gb" where the copy needs more room,
 * unless that was said before. type: name of the destination's, NULL: not known. */
void osm_plan_check_encryption (json_t *plan, const char *label, const char *type,
                                enum osm_known destination, json_t *planned);
/* type: of the destination, NULL: its default. */
int osm_plan_encryption (const struct osm_plan_input *input, json_t *plan, const char *label,
                         const json_t *type, json_t *planned, struct osm_error *err);

/* (pure) Those of the metadata that its owner wrote. New object. */
json_t *osm_plan_volume_metadata (const json_t *metadata);
/* (pure) What Cinder says of the image that it was made from, without what means nothing in another cloud. New object. */
json_t *osm_plan_volume_image_metadata (const json_t *metadata);
/* (pure) What is special about it. type: the destination's that it gets, or NULL. */
void osm_plan_check_volume (json_t *plan, const char *label, const json_t *volume,
                            const json_t *type);
/* owners: the servers that it is attached to, with "id", "name", "status" (null: not for us to see). May it be read from a snapshot,
 * because all but that server are off? Else there is a blocker. (pure) */
bool osm_plan_share_volume (json_t *plan, const char *label, bool multiattach, const json_t *owners,
                            const char *server_id);
/* plan-image.c: the root disk of a server that booted from an image. */
int osm_plan_add_root (const struct osm_plan_input *input, json_t *plan, const json_t *server,
                       struct osm_error *err);
#define OSM_ACCESS_IMAGE "image"
/* plan-bootimage.c: no root disk, but plan["server"]["image"] of the destination. old: the source's, NULL: gone; planned: what the root disk
 * would be as a volume, into plan["local_root"]. */
int osm_plan_boot_image (const struct osm_plan_input *input, json_t *plan, const json_t *server,
                         const json_t *old, json_t *planned, struct osm_error *err);
/* (pure) flavor: the destination's, or NULL. */
void osm_plan_check_boot_image (json_t *plan, const char *server_name, const char *cloud,
                                const json_t *old, const json_t *image, const json_t *flavor);
/* plan-ports.c: plan["ports"]; plan["server"] is there. */
int osm_plan_ports (const struct osm_plan_input *input, json_t *plan, const json_t *server,
                    struct osm_error *err);

/* ---- plan-state.c (pure) ---- */
/* Can it be moved as it is? */
void osm_plan_check_state (json_t *plan, const json_t *server);
/* Ephemeral and swap disks by the old flavor; flavor is that of the new server, or NULL. policy: "refuse", "drop". */
void osm_plan_check_local_disks (json_t *plan, const json_t *server, const json_t *old_flavor,
                                 const json_t *flavor, const char *policy);

/* ---- plan-server.c ---- */
/* Tags, hostname, power, local disks, key pair, server group into planned, which is plan["server"]. flavor: the new one, or NULL. */
int osm_plan_belongings (const struct osm_plan_input *input, json_t *plan, const json_t *server,
                         const json_t *flavor, json_t *planned, struct osm_error *err);
/* What the destination's Nova is new enough for. */
struct osm_plan_abilities {
  const char *cloud;
  bool tags, hostname;
};
/* The following are pure. */
void osm_plan_identity (json_t *plan, const json_t *server,
                        const struct osm_plan_abilities *destination, json_t *planned);
/* What Nova makes of a server's name. Caller frees. */
char *osm_plan_default_hostname (const char *name);
/* Would Nova take it? */
bool osm_plan_is_hostname (const char *text);
/* name: at the source. old: what the source shows of it, or NULL. there: the destination's, or NULL if old is to be imported. */
void osm_plan_choose_key_pair (json_t *plan, const char *name, const json_t *old,
                               const json_t *there, const char *cloud, json_t *planned);
/* group: of the source. there: the destination's, or NULL if it is to be made. */
void osm_plan_choose_group (json_t *plan, const json_t *group, const json_t *there,
                            const char *cloud, json_t *planned);
/* The one of which it is a member, or NULL. Borrowed. */
const json_t *osm_plan_group_of (const json_t *groups, const char *server_id);

/* ---- plan-nics.c (pure) ---- */
/* Interfaces ({"port_id","mac_addr"}, which Nova lists in no order) in the order in which the server has them. New array. */
json_t *osm_plan_order_ports (const json_t *interfaces, const json_t *server, bool *ret_certain);
/* Does Neutron give addresses of that subnet by itself, by the MAC address? */
bool osm_plan_is_automatic (const json_t *subnet);
/* Is that the address which it gives? */
bool osm_plan_is_eui64 (const char *cidr, const char *mac, const char *address);
/* The tenant's own of a port into planned, and planned["create"]. extensions: {ALIAS: true} of the destination, or NULL: not known.
 * hostname: of the new server, or NULL. */
void osm_plan_port_fields (json_t *plan, const json_t *port, const json_t *extensions,
                           const char *hostname, json_t *planned);
/* Those that are not osm's marks. New array. */
json_t *osm_plan_own_tags (const json_t *tags);
/* extensions of Neutron, NULL: not known. alias NULL: of its core. */
bool osm_plan_has_extension (const json_t *extensions, const char *alias);

/* ---- plan-qos.c ---- */
struct osm_plan_limited {
  const char *what;      /* "port", "floating IP" */
  const char *label;     /* which one */
  const char *policy_id; /* the source's, or NULL */
};
/* planned["create"]["qos_policy_id"], and what was chosen. */
int osm_plan_qos (const struct osm_plan_input *input, json_t *plan,
                  const struct osm_plan_limited *limited, const json_t *wish, json_t *planned,
                  struct osm_error *err);

/* plan-floating.c: plan["floating_ips"] of that source port. network_id: of its successor, NULL if there is none (a blocker was noted).
 * extensions: of the destination, or NULL: not known. */
int osm_plan_floating_ips (const struct osm_plan_input *input, json_t *plan, const char *port_id,
                           const char *network_id, const json_t *extensions, struct osm_error *err);
/* (pure) there: the destination's own floating IP that takes the place of ip; it keeps what it has. */
void osm_plan_compare_floating_ip (json_t *plan, const json_t *ip, const json_t *there);

/* ---- plan-forwarding.c ---- */
/* ports: those of the source's server. Names the floating IPs that forward some of theirs to them. */
int osm_plan_forwardings (const struct osm_plan_input *input, json_t *plan, const json_t *server,
                          const json_t *ports, struct osm_error *err);
/* (pure) Those of the list that lead to the port. *ret_certain: none of them only by its address. New array. */
json_t *osm_plan_forwardings_to (const json_t *forwardings, const json_t *port, bool *ret_certain);
/* (pure) mode: of floating IPs. forwardings: those that lead to the port. */
void osm_plan_check_forwardings (json_t *plan, const char *mode, const json_t *ip,
                                 const json_t *port, const json_t *forwardings);

/* plan-checks.c: asks both clouds for what is not about one object, and adds what follows to the findings; plan["needs"]. server: NULL for a
 * volume. */
int osm_plan_checks (const struct osm_plan_input *input, json_t *plan, const json_t *server,
                     struct osm_error *err);
/* (pure) zones: Nova's availabilityZoneInfo. */
void osm_plan_check_zone (json_t *plan, const char *cloud_name, const char *wanted,
                          const json_t *zones);
/* (pure) zones: Cinder's availabilityZoneInfo, or NULL: not shown. */
void osm_plan_check_volume_zones (json_t *plan, const char *cloud_name, const json_t *zones);
/* (pure) Snapshots and backups of the plan's volumes; either may be NULL. */
void osm_plan_check_behind (json_t *plan, const json_t *snapshots, const json_t *backups);
/* (pure) Nova's microversions of both sides against what this plan asks for. */
void osm_plan_check_versions (json_t *plan, const char *source, const char *destination);
/* (pure) now: the source's flavor of that name, or NULL. old: the one that is embedded in the server. */
void osm_plan_check_source_flavor (json_t *plan, const char *flavor_name, const json_t *old,
                                   const json_t *now);

/* plan-flavor.c (pure). old: as embedded in the server; new: the destination's. */
void osm_plan_compare_flavors (json_t *plan, const char *flavor_name, const json_t *old,
                               const json_t *new);
/* In words; NULL: none. Caller frees. */
char *osm_plan_specs_difference (const json_t *old, const json_t *new);
/* What flavor and image ask of the hypervisor. Each of the objects may be NULL. */
void osm_plan_platform (json_t *plan, const char *server_name, const json_t *old_specs,
                        const json_t *new_specs, const json_t *image_properties);

/* plan-network.c (pure). */
void osm_plan_check_port (json_t *plan, const json_t *port);
/* Of who makes the ports. */
struct osm_plan_rights {
  const char *cloud, *project_id;
  bool administrator;
};
/* network: the destination's; port: the source's, by name; create: body of the new one. */
void osm_plan_check_network (json_t *plan, const struct osm_plan_rights *rights,
                             const json_t *network, const char *port, const json_t *create);
void osm_plan_compare_groups (json_t *plan, const json_t *old, const json_t *new);
/* In words; NULL: none. Caller frees. */
char *osm_plan_group_difference (const json_t *old, const json_t *new);

/* plan-carried.c (pure): members of the APIs' objects that have a value and no place in what osm makes. */
void osm_plan_carried_server (json_t *plan, const json_t *server);
/* properties: of the server, its image or its boot volume's image. */
void osm_plan_check_kernel (json_t *plan, const char *server_name, const json_t *properties);
void osm_plan_check_config_drive (json_t *plan, const json_t *server);
void osm_plan_carried_port (json_t *plan, const char *label, const json_t *port);
void osm_plan_carried_volume (json_t *plan, const char *label, const json_t *volume);
void osm_plan_carried_floating_ip (json_t *plan, const char *address, const json_t *ip);
/* carried: the properties that the volume gets. */
void osm_plan_carried_image (json_t *plan, const char *server_name, const json_t *image,
                             const json_t *carried);
/* "a, b=text" of those that are neither empty nor in the list (one that ends in '*' is a prefix); NULL: none. Caller frees. */
char *osm_plan_not_carried (const json_t *object, const char *const *known);

#endif
