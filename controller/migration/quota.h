/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What a plan needs of both projects' quotas, and whether it is there.
 *
 *   needs = osm_quota_needs (plan);                      {"source": {...}, "destination": {"instances": 1, "gigabytes_fast": 20, ...}}
 *   osm_quota_fetch (cloud, false, &quota, err);                {"instances": {"max": 10, "used": 2}, ...}
 *   shortages = osm_quota_shortages (needs, quota);      [{"what", "max", "used", "need", "claimed": if there is something}]
 *
 * Keys are the services' own words: instances, cores, ram (MiB), server_groups (to be made); volumes, gigabytes, snapshots, each also with _TYPE for a volume type;
 * per_volume_gigabytes, the largest single volume; ports, floating_ips; images, image_mib (the most that they can have). */

#ifndef OSM_CONTROLLER_MIGRATION_QUOTA_H
#define OSM_CONTROLLER_MIGRATION_QUOTA_H

#include "controller/cloud/cloud.h"
#include "controller/config.h"

/* (pure) New object by side. At the source it is what the temporary clones and images need. */
json_t *osm_quota_needs (const json_t *plan);
/* (pure) Adds one side's needs to others. */
void osm_quota_add (json_t *sum, const json_t *needs);
/* (pure) The services' answers in one form; each may be NULL. volume_set: Cinder's quota set with usage; without it volume_limits. */
json_t *osm_quota_of (const json_t *compute_limits, const json_t *volume_set,
                      const json_t *volume_limits, const json_t *network_details);
/* (pure) Notes what others will take of it; claims as needs of one side. */
void osm_quota_claim (json_t *quota, const json_t *claims);
/* (pure) Adds Glance's, where it tells them ("usage" of /info/usage). */
void osm_quota_add_images (json_t *quota, const json_t *usage);
/* (pure) New array. What no limit is known of is not short. */
json_t *osm_quota_shortages (const json_t *needs, const json_t *quota);
/* (pure) The word for people: "ram (MiB)". */
const char *osm_quota_word (const char *key);
/* (pure) "quota of cores is 10, 4 used, 8 more needed". Caller frees. */
char *osm_quota_text (const json_t *shortage);
/* The shortages of one side as blockers among the plan's findings. */
void osm_quota_findings (json_t *plan, enum osm_side side, const char *cloud_name,
                         const json_t *needs, const json_t *quota);

/* Of the cloud's project. A service that does not tell is a member of the array "hidden". */
int osm_quota_fetch (struct osm_cloud *cloud, bool only_volumes, json_t **ret,
                     struct osm_error *err);

#endif
