/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Servers that cannot be moved as they are, each with the way out. */

#include <config.h>

#include "controller/migration/plan-internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"

/* What keeps a server in that state from being moved, and the command that brings it out of it; "ID" is its id. */
static const struct {
  const char *status, *why, *remedy;
} states[] = {
  { "PAUSED", "what it has in memory would be lost", "openstack server unpause ID" },
  { "SUSPENDED", "what it has in memory would be lost", "openstack server resume ID" },
  { "SHELVED", "its volumes and its image cannot be read", "openstack server unshelve ID" },
  { "SHELVED_OFFLOADED", "its volumes and its image cannot be read",
    "openstack server unshelve ID" },
  { "RESCUE", "it runs from another disk than its own", "openstack server unrescue ID" },
  { "VERIFY_RESIZE", "its flavor is not decided yet",
    "openstack server resize confirm ID, or openstack server resize revert ID" },
  { "SOFT_DELETED", "it was deleted", "openstack server restore ID" },
  { "ERROR", "Nova does not know how it is",
    "openstack server reboot --hard ID, or let an administrator look at it and reset its state" },
};

static char *
with_id (const char *remedy, const char *id)
{
  OSM_STRBUF (b);

  for (const char *at = remedy; *at;) {
    const char *next = strstr (at, " ID");

    if (!next)
      next = at + strlen (at);
    osm_strbuf_addf (&b, "%.*s", (int)(next - at), at);
    if (*next) {
      osm_strbuf_addf (&b, " %s", id);
      next += strlen (" ID");
    }
    at = next;
  }
  return osm_strbuf_take (&b);
}

static void
check_status (json_t *plan, const char *name, const json_t *server)
{
  const char *status = osm_json_str (server, "status"),
             *fault = osm_json_str (json_object_get (server, "fault"), "message"), *why = NULL;
  OSM_CLEANUP_FREE char *remedy = osm_strdup ("wait until it is ACTIVE or SHUTOFF"), *text = NULL;

  if (osm_str_equal (status, "ACTIVE") || osm_str_equal (status, "SHUTOFF"))
    return;
  for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
    if (osm_str_equal (status, states[i].status)) {
      why = states[i].why;
      free (remedy);
      remedy = with_id (states[i].remedy, osm_json_str (server, "id"));
    }
  if (osm_str_equal (status, "ERROR") && fault)
    why = fault;
  text = why ? osm_asprintf ("%s (%s)", status, why) : osm_strdup (status ? status : "unknown");
  osm_plan_finding (plan, "source-server-state", "blocker", name, remedy,
                    "server '%s' is %s: only ACTIVE and SHUTOFF servers can be moved", name, text);
}

void
osm_plan_check_state (json_t *plan, const json_t *server)
{
  const char *task = osm_json_str (server, "OS-EXT-STS:task_state");
  const char *name = osm_json_str (server, "name");
  const char *owner = osm_json_str (json_object_get (server, "metadata"), "osm.migration");

  if (owner)
    osm_plan_finding (plan, "source-server-claimed", "blocker", name,
                      "finish or roll back that migration; if its journal is lost: osm-controller "
                      "recover",
                      "server '%s' is claimed by migration %s", name, owner);
  if (task)
    osm_plan_finding (plan, "source-server-busy", "blocker", name,
                      "wait until the task is over and try again",
                      "server '%s' is in the middle of a task: %s", name, task);
  check_status (plan, name, server);
  if (json_is_true (json_object_get (server, "locked"))) {
    const char *reason = osm_json_str (server, "locked_reason"); /* 2.73 */
    bool given = reason && *reason;

    osm_plan_finding (
        plan, "source-server-locked", "blocker", name, "unlock it: openstack server unlock",
        "server '%s' is locked, so that osm cannot stop it or detach its volumes%s%s%s", name,
        given ? " (reason: '" : "", given ? reason : "", given ? "')" : "");
  }
}

/* ---- local disks ---- */

/* A number of a flavor, by the name that it has inside a server (Nova 2.47) or by that of the flavor itself. No swap is "". */
static json_int_t
number_of (const json_t *flavor, const char *key, const char *other)
{
  json_int_t n = json_integer_value (json_object_get (flavor, key));

  return n ? n : json_integer_value (json_object_get (flavor, other));
}

static void
check_local_disk (json_t *plan, const char *name, const char *policy, const char *disk, bool again)
{
  if (osm_str_equal (policy, "drop"))
    osm_plan_finding (plan, "source-local-disk", "warning", name, NULL,
                      "server '%s' has %s: it is not copied, the new server %s", name, disk,
                      again ? "has an empty one" : "has none");
  else
    osm_plan_finding (plan, "source-local-disk", "blocker", name,
                      "move what is still needed of it to a volume, and use --local-disks drop",
                      "server '%s' has %s, which cannot be copied", name, disk);
}

void
osm_plan_check_local_disks (json_t *plan, const json_t *server, const json_t *old_flavor,
                            const json_t *flavor, const char *policy)
{
  static const char ephemeral[] = "ephemeral", ext[] = "OS-FLV-EXT-DATA:ephemeral", swap[] = "swap";
  const char *name = osm_json_str (server, "name");
  json_int_t gib = number_of (old_flavor, ephemeral, ext), mib = number_of (old_flavor, swap, swap);

  if (gib > 0) {
    OSM_CLEANUP_FREE char *disk =
        osm_asprintf ("an ephemeral disk of %" JSON_INTEGER_FORMAT " GiB", gib);

    check_local_disk (plan, name, policy, disk, number_of (flavor, ephemeral, ext) > 0);
  }
  if (mib > 0) {
    OSM_CLEANUP_FREE char *disk = osm_asprintf ("a swap disk of %" JSON_INTEGER_FORMAT " MiB", mib);

    check_local_disk (plan, name, policy, disk, number_of (flavor, swap, swap) > 0);
  }
}
