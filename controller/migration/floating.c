/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Floating IPs at the destination. New ones are made before anything of the source is touched, so that a missing right or an exhausted
 * quota shows in the first seconds, and given to the new server's ports at the end. */

#include <config.h>

#include "controller/migration/internal.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/cloud/network.h"

static struct osm_cloud *
cloud_of (const struct osm_migration *m)
{
  return m->context.cloud[OSM_DESTINATION];
}

static int
each_planned (struct osm_migration *m,
              int (*run) (struct osm_migration *m, const json_t *plan, struct osm_error *err),
              struct osm_error *err)
{
  size_t i;
  json_t *plan;

  json_array_foreach (json_object_get (m->row->plan, "floating_ips"), i, plan)
  {
    if (run (m, plan, err) == -1)
      return osm_error_wrap (err, "floating IP for %s", osm_json_str (plan, "address"));
  }
  return 0;
}

static char *
role_of (const json_t *plan)
{
  return osm_role_of (OSM_ROLE_FLOATING_IP, osm_json_str (plan, "id"));
}

static int
create_floating_ip (struct osm_migration *m, const struct osm_making *making, const json_t *marks,
                    char **ret_id, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *spec = json_copy (json_object_get (making->plan, "create")), *ip = NULL;
  OSM_CLEANUP_FREE char *description = osm_marks_text (marks);

  osm_json_set_str (spec, "description", description);
  if (osm_network_create (cloud_of (m), &osm_floating_ips, spec, &ip, err) == -1)
    return -1;
  if (!osm_json_str (ip, "id"))
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "cloud '%s': the new floating IP has no id",
                          osm_cloud_name (cloud_of (m)));
  *ret_id = osm_strdup (osm_json_str (ip, "id"));
  return 0;
}

static int
reserve (struct osm_migration *m, const json_t *plan, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *role = role_of (plan), *id = NULL;
  const struct osm_making making = { .side = OSM_DESTINATION,
                                     .kind = OSM_MADE_FLOATING_IP,
                                     .role = role,
                                     .create = create_floating_ip,
                                     .plan = plan };
  OSM_CLEANUP_JSON json_t *tags = NULL;
  const char *wanted = osm_json_str (json_object_get (plan, "create"), "floating_ip_address");

  if (!json_object_get (plan, "create"))
    return 0;
  if (osm_make (m, &making, &id, err) == -1) {
    if (err->code == 403 && wanted)
      return osm_error_hint (
          err,
          "a particular address can usually be asked for by administrators only: "
          "let one make %s for this project and use --floating-ip existing, or "
          "use --floating-ip new",
          wanted);
    return -1;
  }
  tags = osm_marks_tags (m->row->id, role);
  return osm_network_tag (cloud_of (m), &osm_floating_ips, id, tags, err);
}

int
osm_floating_reserve (struct osm_migration *m, struct osm_error *err)
{
  return each_planned (m, reserve, err);
}

static int
discard (struct osm_migration *m, const json_t *plan, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *role = role_of (plan);

  return osm_unmake (m, OSM_DESTINATION, OSM_MADE_FLOATING_IP, role, err);
}

int
osm_floating_discard (struct osm_migration *m, struct osm_error *err)
{
  return each_planned (m, discard, err);
}

static int
sweep (struct osm_migration *m, const json_t *plan, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *role = role_of (plan);

  return osm_made_sweep (m, OSM_DESTINATION, OSM_MADE_FLOATING_IP, role, err);
}

int
osm_floating_sweep (struct osm_migration *m, struct osm_error *err)
{
  return each_planned (m, sweep, err);
}

/* The id of the destination's floating IP and of the port it belongs to; NULL for what is not there. */
static int
ids_of (struct osm_migration *m, const json_t *plan, char **ret_id, char **ret_port,
        struct osm_error *err)
{
  OSM_CLEANUP_FREE char *role = role_of (plan),
                        *port_role = osm_role_of (OSM_ROLE_PORT, osm_json_str (plan, "port_id"));
  const char *use = osm_json_str (plan, "use");

  if (use)
    *ret_id = osm_strdup (use);
  else if (osm_made_id (m, OSM_DESTINATION, OSM_MADE_FLOATING_IP, role, ret_id, err) == -1)
    return -1;
  return osm_made_id (m, OSM_DESTINATION, OSM_MADE_PORT, port_role, ret_port, err);
}

static int
attach (struct osm_migration *m, const json_t *plan, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *id = NULL, *port = NULL, *key = NULL;
  OSM_CLEANUP_JSON json_t *ip = NULL, *fields = NULL, *fact = NULL;
  const char *holder, *address, *old = osm_json_str (plan, "address"),
                                *description = osm_json_str (plan, "description");

  if (ids_of (m, plan, &id, &port, err) == -1)
    return -1;
  if (!id || !port)
    return osm_error_set (err, OSM_ERROR_BUG, 0, "it or its port was not made at the destination");
  if (osm_cloud_find (cloud_of (m), &osm_floating_ips, id, &ip, err) == -1)
    return -1;
  holder = osm_json_str (ip, "port_id");
  address = osm_json_str (ip, "floating_ip_address");
  if (holder && *holder && strcmp (holder, port) != 0) {
    osm_error_set (err, OSM_ERROR_USER, 0, "%s of cloud '%s' was given to port %s in the meantime",
                   address, osm_cloud_name (cloud_of (m)), holder);
    return osm_error_hint (err, "free it (openstack floating ip unset --port %s)", address);
  }
  /* Always with the port: older Neutrons take a floating IP away when the port is not named. */
  fields = osm_json_pack ("{s:s, s:s?}", "port_id", port, "fixed_ip_address",
                          osm_json_str (plan, "fixed_ip_address"));
  if (!osm_json_str (plan, "use"))
    osm_json_set_str (fields, "description", description ? description : "");
  if (osm_network_update (cloud_of (m), &osm_floating_ips, id, fields, err) == -1)
    return -1;
  key = osm_asprintf (OSM_FACT_FLOATING "%s", osm_json_str (plan, "id"));
  fact = osm_json_pack ("{s:s?, s:s?}", "source", old, "destination", address);
  if (osm_store_fact_set (m->context.store, m->row->id, key, fact, err) == -1)
    return -1;
  if (osm_str_equal (old, address))
    osm_ui_step (m->context.ui, "floating IP %s leads to the new server", address);
  else
    osm_ui_step (m->context.ui, "floating IP %s: the new server has %s", old, address);
  return 0;
}

int
osm_floating_attach (struct osm_migration *m, struct osm_error *err)
{
  return each_planned (m, attach, err);
}

/* Only those that were there before: the others are deleted. */
static int
detach (struct osm_migration *m, const json_t *plan, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *id = NULL, *port = NULL;
  OSM_CLEANUP_JSON json_t *ip = NULL, *fields = osm_json_pack ("{s:n}", "port_id");

  if (!osm_json_str (plan, "use"))
    return 0;
  if (ids_of (m, plan, &id, &port, err) == -1)
    return -1;
  if (!port)
    return 0;
  if (osm_cloud_find (cloud_of (m), &osm_floating_ips, id, &ip, err) == -1) {
    if (!osm_error_not_found (err))
      return -1;
    osm_error_clear (err);
    return 0;
  }
  if (!osm_str_equal (osm_json_str (ip, "port_id"), port))
    return 0;
  return osm_network_update (cloud_of (m), &osm_floating_ips, id, fields, err);
}

int
osm_floating_detach (struct osm_migration *m, struct osm_error *err)
{
  return each_planned (m, detach, err);
}

static int
unmark (struct osm_migration *m, const json_t *plan, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *role = role_of (plan), *id = NULL;
  OSM_CLEANUP_JSON json_t *no_tags = json_array ();
  const json_t *own = json_object_get (plan, "tags");

  if (osm_made_id (m, OSM_DESTINATION, OSM_MADE_FLOATING_IP, role, &id, err) == -1)
    return -1;
  if (!id || osm_network_tag (cloud_of (m), &osm_floating_ips, id, own ? own : no_tags, err) == 0)
    return 0;
  if (!osm_error_not_found (err))
    return -1;
  osm_error_clear (err);
  return 0;
}

int
osm_floating_unmark (struct osm_migration *m, struct osm_error *err)
{
  return each_planned (m, unmark, err);
}

json_t *
osm_floating_result (struct osm_migration *m)
{
  OSM_CLEANUP_JSON json_t *facts = NULL;
  json_t *found = json_array (), *value;
  const char *key;
  OSM_ERROR (ignored);

  if (osm_store_fact_list (m->context.store, m->row->id, OSM_FACT_FLOATING, &facts, &ignored) == 0)
    json_object_foreach (facts, key, value) json_array_append (found, value);
  return found;
}
