/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Floating IPs that forward single ports of theirs to the server: they belong to none of its ports, and stay behind.
 * https://docs.openstack.org/api-ref/network/v2/index.html#floating-ips-port-forwarding */

#include <config.h>

#include "controller/migration/plan-internal.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/cloud/network.h"

/* ---- pure ---- */

static bool
has_address (const json_t *port, const char *address)
{
  const json_t *one;
  size_t i;

  json_array_foreach (json_object_get (port, "fixed_ips"), i, one)
  {
    if (address && osm_str_equal (osm_json_str (one, "ip_address"), address))
      return true;
  }
  return false;
}

json_t *
osm_plan_forwardings_to (const json_t *forwardings, const json_t *port, bool *ret_certain)
{
  json_t *found = json_array (), *one;
  size_t i;

  *ret_certain = true;
  json_array_foreach (forwardings, i, one)
  {
    const char *id = osm_json_str (one, "internal_port_id");

    if (id ? !osm_str_equal (id, osm_json_str (port, "id"))
           : !has_address (port, osm_json_str (one, "internal_ip_address")))
      continue;
    json_array_append (found, one);
    *ret_certain &= id != NULL;
  }
  return found;
}

/* "22", or "20:30" of a range. Caller frees. */
static char *
port_of (const json_t *forwarding, const char *key)
{
  OSM_CLEANUP_FREE char *ranged = osm_asprintf ("%s_range", key);
  const char *range = osm_json_str (forwarding, ranged);
  const json_t *number = json_object_get (forwarding, key);

  return json_is_integer (number)
             ? osm_asprintf ("%" JSON_INTEGER_FORMAT, json_integer_value (number))
             : osm_strdup (range ? range : "?");
}

void
osm_plan_check_forwardings (json_t *plan, const char *mode, const json_t *ip, const json_t *port,
                            const json_t *forwardings)
{
  const char *address = osm_json_str (ip, "floating_ip_address"),
             *name = osm_json_str (port, "name"), *id = osm_json_str (port, "id");
  const json_t *one;
  size_t i;
  OSM_STRBUF (b);

  json_array_foreach (forwardings, i, one)
  {
    OSM_CLEANUP_FREE char *from = port_of (one, "external_port"),
                          *to = port_of (one, "internal_port");
    const char *protocol = osm_json_str (one, "protocol"),
               *inside = osm_json_str (one, "internal_ip_address");

    osm_strbuf_addf (&b, "%s%s %s to %s port %s", i ? ", " : "", protocol ? protocol : "?", from,
                     inside ? inside : "?", to);
  }
  if (b.len)
    osm_plan_finding (plan, "floating-ip-port-forwarding",
                      osm_str_equal (mode, "skip") ? "info" : "warning", address,
                      "make them at the destination afterwards: openstack floating ip port "
                      "forwarding create",
                      "floating IP %s forwards ports to port %s of the server, and the new server "
                      "gets none of that: %s",
                      address ? address : "?",
                      name && *name ? name
                      : id          ? id
                                    : "?",
                      osm_strbuf_str (&b));
}

/* ---- asking ---- */

/* The floating IP itself tells them without the port that they lead to, and an address may be in use in two networks. */
static int
make_certain (const struct osm_plan_input *input, const json_t *ip, const json_t *port,
              json_t **forwardings, struct osm_error *err)
{
  const char *id = osm_json_str (ip, "id"), *port_id = osm_json_str (port, "id");
  OSM_CLEANUP_FREE char *quoted = id ? osm_quote_url (id) : NULL,
                        *quoted_port = port_id ? osm_quote_url (port_id) : NULL, *path = NULL;
  OSM_CLEANUP_JSON json_t *all = NULL;
  bool certain;
  OSM_ERROR (why);

  if (!quoted || !quoted_port)
    return 0;
  path = osm_asprintf ("/floatingips/%s/port_forwardings?internal_port_id=%s", quoted, quoted_port);
  if (osm_cloud_list (input->cloud[OSM_SOURCE], OSM_NETWORK, path, "port_forwardings", &all,
                      &why) == 0) {
    json_decref (*forwardings);
    *forwardings = osm_plan_forwardings_to (all, port, &certain);
    return 0;
  }
  if (why.code >= 400 && why.code < 500 && why.code != 401)
    return 0;
  osm_error_move (err, &why);
  return -1;
}

static int
check (const struct osm_plan_input *input, json_t *plan, const json_t *ip, const json_t *ports,
       struct osm_error *err)
{
  const json_t *port;
  size_t i;

  json_array_foreach (ports, i, port)
  {
    bool certain;
    OSM_CLEANUP_JSON json_t *found =
        osm_plan_forwardings_to (json_object_get (ip, "port_forwardings"), port, &certain);

    if (json_array_size (found) == 0)
      continue;
    if (!certain && make_certain (input, ip, port, &found, err) == -1)
      return -1;
    osm_plan_check_forwardings (plan, input->floating_ip, ip, port, found);
  }
  return 0;
}

int
osm_plan_forwardings (const struct osm_plan_input *input, json_t *plan, const json_t *server,
                      const json_t *ports, struct osm_error *err)
{
  const char *project = osm_json_str (server, "tenant_id");
  OSM_CLEANUP_FREE char *quoted = NULL, *query = NULL;
  OSM_CLEANUP_JSON json_t *all = NULL;
  const json_t *ip;
  size_t i;

  if (json_array_size (ports) == 0)
    return 0;
  quoted = osm_quote_url (project && *project ? project
                                              : osm_cloud_project_id (input->cloud[OSM_SOURCE]));
  query = osm_asprintf ("project_id=%s", quoted);
  if (osm_network_list (input->cloud[OSM_SOURCE], &osm_floating_ips, query, &all, err) == -1)
    return osm_error_wrap (err, "floating IPs");
  json_array_foreach (all, i, ip)
  {
    if (json_array_size (json_object_get (ip, "port_forwardings")) > 0 &&
        check (input, plan, ip, ports, err) == -1)
      return osm_error_wrap (err, "floating IP %s", osm_json_str (ip, "floating_ip_address"));
  }
  return 0;
}
