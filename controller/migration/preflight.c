/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/preflight.h"

#include <inttypes.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/migration/plan-internal.h"
#include "controller/migration/quota.h"

/* ---- several servers ---- */

static const char *
name_of (const json_t *plan)
{
  const char *name = osm_json_str (json_object_get (plan, "source"), "name");

  return name && *name ? name : osm_json_str (json_object_get (plan, "source"), "id");
}

/* Notes that this plan wants it. The name of another one that wanted it before, or NULL; one that was told is not told again. */
static const char *
wanted_before (json_t *seen, const char *what, size_t index, const json_t *plans)
{
  const json_t *first = json_object_get (seen, what);

  if (!first) {
    json_object_set_new (seen, what, json_integer ((json_int_t)index));
    return NULL;
  }
  return (size_t)json_integer_value (first) == index
             ? NULL
             : name_of (json_array_get (plans, (size_t)json_integer_value (first)));
}

static void
compare_volumes (json_t *together, json_t *seen, const json_t *plans, size_t index)
{
  const json_t *plan = json_array_get (plans, index), *volume;
  size_t i;

  json_array_foreach (json_object_get (plan, "volumes"), i, volume)
  {
    const char *id = osm_json_str (volume, "id"), *name = osm_json_str (volume, "name");
    const char *other = wanted_before (seen, id, index, plans), *label = name && *name ? name : id;

    if (other)
      osm_plan_finding (together, "together-shared-volume", "warning", label,
                        "detach it from all but one of them",
                        "volume '%s' belongs to server '%s' and to server '%s': each would get a "
                        "copy of its own",
                        label, other, name_of (plan));
  }
  json_array_foreach (json_object_get (plan, "existing_volumes"), i, volume)
  {
    const char *id = osm_json_str (volume, "use"),
               *other = id ? wanted_before (seen, id, index, plans) : NULL;

    if (other)
      osm_plan_finding (together, "destination-volume-unfit", "blocker", id, "name another one",
                        "volume %s is to be used by server '%s' and by server '%s'", id, other,
                        name_of (plan));
  }
}

static void
compare_address (json_t *together, json_t *seen, const json_t *plans, size_t index,
                 const json_t *port, const char *address)
{
  const char *network = osm_json_str (json_object_get (port, "create"), "network_id"), *other;
  OSM_CLEANUP_FREE char *what = NULL;

  if (!network || !address)
    return;
  what = osm_asprintf ("%s %s", network, address);
  other = wanted_before (seen, what, index, plans);
  if (other)
    osm_plan_finding (together, "together-same-address", "blocker", address,
                      "map the networks of one of them to another one, or give it another address "
                      "first",
                      "server '%s' and server '%s' both want %s on network '%s'", other,
                      name_of (json_array_get (plans, index)), address,
                      osm_json_str (port, "network_name") ? osm_json_str (port, "network_name")
                                                          : network);
}

static void
compare_ports (json_t *together, json_t *seen, const json_t *plans, size_t index)
{
  const json_t *port, *fixed_ip;
  size_t i, k;

  json_array_foreach (json_object_get (json_array_get (plans, index), "ports"), i, port)
  {
    const json_t *create = json_object_get (port, "create");

    compare_address (together, seen, plans, index, port, osm_json_str (create, "mac_address"));
    json_array_foreach (json_object_get (create, "fixed_ips"), k, fixed_ip)
        compare_address (together, seen, plans, index, port, osm_json_str (fixed_ip, "ip_address"));
  }
}

/* The plan's needs, but for the server group that an earlier one makes. */
static void
add_needs (json_t *together, json_t *seen, const json_t *plans, size_t index)
{
  const json_t *plan = json_array_get (plans, index);
  OSM_CLEANUP_JSON json_t *needs = json_deep_copy (json_object_get (plan, "needs"));
  const char *group =
      osm_json_str (json_object_get (json_object_get (plan, "server"), "server_group"), "name");

  if (group) {
    OSM_CLEANUP_FREE char *what = osm_asprintf ("server group %s", group);

    if (wanted_before (seen, what, index, plans))
      json_object_del (json_object_get (needs, "destination"), "server_groups");
  }
  for (enum osm_side side = OSM_SOURCE; side <= OSM_DESTINATION; side++)
    osm_quota_add (json_object_get (json_object_get (together, "needs"), osm_side_name (side)),
                   json_object_get (needs, osm_side_name (side)));
}

/* At the source it is only wanted for as long as a migration copies. */
static void
compare_quota (json_t *together, enum osm_side side, const char *cloud_name, const json_t *quota)
{
  OSM_CLEANUP_JSON json_t *shortages = osm_quota_shortages (
      json_object_get (json_object_get (together, "needs"), osm_side_name (side)), quota);
  const json_t *shortage;
  size_t i;

  json_array_foreach (shortages, i, shortage)
  {
    const char *word = osm_quota_word (osm_json_str (shortage, "what"));
    OSM_CLEANUP_FREE char *text = osm_quota_text (shortage);

    osm_plan_finding (together,
                      side == OSM_SOURCE ? "together-source-quota" : "together-destination-quota",
                      side == OSM_SOURCE ? "warning" : "blocker", word,
                      side == OSM_SOURCE ? "move fewer of them at the same time"
                                         : "ask for a larger quota, or move fewer of them",
                      "cloud '%s': %s by all together", cloud_name, text);
  }
}

json_t *
osm_preflight_together (const json_t *plans, const json_t *const quota[2],
                        const char *const cloud_name[2])
{
  json_t *together =
      osm_json_pack ("{s:{s:{}, s:{}}, s:[]}", "needs", "source", "destination", "findings");
  OSM_CLEANUP_JSON json_t *seen = json_object ();
  size_t index;
  const json_t *plan;

  json_array_foreach (plans, index, plan)
  {
    const char *id = osm_json_str (json_object_get (plan, "source"), "id");

    if (wanted_before (seen, id, index, plans)) {
      osm_plan_finding (together, "together-same-server", "info", name_of (plan), NULL,
                        "server '%s' is named more than once: it counts once", name_of (plan));
      continue;
    }
    add_needs (together, seen, plans, index);
    compare_volumes (together, seen, plans, index);
    compare_ports (together, seen, plans, index);
  }
  for (enum osm_side side = OSM_SOURCE; side <= OSM_DESTINATION; side++)
    compare_quota (together, side, cloud_name[side], quota[side]);
  return together;
}

/* ---- conversion hosts ---- */

static void
check_host (json_t *report, enum osm_side side, const json_t *host, size_t nr_volumes)
{
  const json_t *error = json_object_get (host, "error"),
               *slots = json_object_get (host, "free_slots");
  const char *cloud = osm_json_str (host, "cloud"), *why = osm_json_str (error, "message"),
             *hint = osm_json_str (error, "hint");
  size_t free_slots = osm_json_uint (host, "free_slots");
  size_t all = free_slots + osm_json_uint (host, "attached_volumes");

  if (error && json_integer_value (json_object_get (error, "code")) == 404)
    osm_plan_finding (report, "conversion-host-missing", "info", cloud,
                      "osm-controller deploy-conversion-hosts",
                      "there is no conversion host in cloud '%s' yet", cloud ? cloud : "");
  else if (error)
    osm_plan_finding (report, "conversion-host-unreachable", "warning", cloud,
                      hint ? hint : "osm-controller check-conversion-hosts tells more",
                      "the %s conversion host cannot be used: %s", osm_side_name (side),
                      why ? why : "nobody knows why");
  if (!slots)
    return;
  if (nr_volumes > all)
    osm_plan_finding (report, "conversion-host-too-small", "blocker", cloud,
                      "raise max_attachments in the configuration, if its image has "
                      "hw_disk_bus=scsi",
                      "%zu volumes are more than the %zu that the %s conversion host can hold",
                      nr_volumes, all, osm_side_name (side));
  else if (nr_volumes > free_slots)
    osm_plan_finding (report, "conversion-host-busy", "info", cloud, NULL,
                      "%zu volumes need slots of the %s conversion host, and %zu are free now: a "
                      "migration waits in line for them",
                      nr_volumes, osm_side_name (side), free_slots);
}

void
osm_preflight_hosts (json_t *report, const json_t *look, size_t nr_volumes)
{
  for (enum osm_side side = OSM_SOURCE; side <= OSM_DESTINATION; side++)
    check_host (report, side, json_object_get (look, osm_side_name (side)), nr_volumes);
}

uint64_t
osm_preflight_copy_ms (uint64_t bytes, uint64_t bytes_per_second)
{
  return bytes_per_second > 0 ? (uint64_t)((double)bytes * 1000 / (double)bytes_per_second) : 0;
}
