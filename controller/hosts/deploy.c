/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/hosts/hosts.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include "common/base64.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/parallel.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"
#include "controller/cloud/image.h"
#include "controller/cloud/network.h"
#include "controller/hosts/internal.h"
#include "controller/hosts/path.h"
#include "nbd/sshkey.h"

#define SERVER_TIMEOUT_MS (10 * 60 * 1000)

/* One side while it is being deployed. */
struct deployment {
  struct osm_hosts_context *context;
  enum osm_side side;
  struct osm_cloud *cloud;
  const struct osm_host_config *config;
  const char *public_key;
  char *key_pair;
  char *image_id, *flavor_id, *external_id;
  char *network_id, *subnet_id, *router_id, *group_id, *port_id, *server_id;
  char *floating_id, *floating_address; /* NULL: none */
  char *fixed_address;
  char **seen_as; /* the addresses that its connections come from, as others see them */
  bool own_group;
  json_t *server;
  struct osm_host *host;
  atomic_bool changed; /* several tasks of a side run at once */
};

static void __attribute__ ((format (printf, 2, 3)))
say (struct deployment *d, const char *format, ...)
{
  OSM_CLEANUP_FREE char *text = NULL;
  va_list args;

  va_start (args, format);
  text = osm_vasprintf (format, args);
  va_end (args);
  if (d->context->report)
    d->context->report (d->context->report_data, d->side, text);
}

static void
made (struct deployment *d, const char *what, const char *id)
{
  d->changed = true;
  say (d, "%s %s created", what, id);
}

static void
deployment_done (struct deployment *d)
{
  char **const strings[] = { &d->key_pair,     &d->image_id,  &d->flavor_id,   &d->external_id,
                             &d->network_id,   &d->subnet_id, &d->router_id,   &d->group_id,
                             &d->port_id,      &d->server_id, &d->floating_id, &d->floating_address,
                             &d->fixed_address };

  for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
    free (*strings[i]);
  osm_strv_free (d->seen_as);
  json_decref (d->server);
  osm_host_free (d->host);
}

/* ---- things that are there ---- */

static int
look_up (struct deployment *d, const struct osm_collection *collection, const char *name,
         char **ret_id, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *object = NULL;

  if (osm_cloud_find (d->cloud, collection, name, &object, err) == -1)
    return -1;
  *ret_id = osm_strdup (osm_json_str (object, "id"));
  return 0;
}

static int
find_external_network (struct deployment *d, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *networks = NULL;

  if (d->config->external_network)
    return look_up (d, &osm_networks, d->config->external_network, &d->external_id, err);
  if (osm_network_list (d->cloud, &osm_networks, "router:external=true", &networks, err) == -1)
    return -1;
  if (json_array_size (networks) != 1) {
    osm_error_set (err, OSM_ERROR_USER, 0, "cloud '%s' has %zu external networks",
                   osm_cloud_name (d->cloud), json_array_size (networks));
    return osm_error_hint (err,
                           "name the one to use: conversion_hosts: { %s: { external_network: "
                           "NAME } }",
                           osm_side_name (d->side));
  }
  d->external_id = osm_strdup (osm_json_str (json_array_get (networks, 0), "id"));
  return 0;
}

/* ---- things that osm makes ---- */

/* The one of that kind with our mark, or a new one made from spec (stolen). */
static int
ensure (struct deployment *d, const struct osm_collection *collection, json_t *spec,
        json_t **ret_object, char **ret_id, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *found = NULL, *owned = spec, *object = NULL;
  OSM_CLEANUP_FREE char *mark = osm_host_mark (d->config);

  if (osm_host_marked (d->cloud, d->config, collection, &found, err) == -1)
    return -1;
  if (json_array_size (found) > 0)
    object = json_incref (json_array_get (found, 0));
  else {
    osm_json_set_str (owned, "description", mark);
    if (osm_network_create (d->cloud, collection, owned, &object, err) == -1)
      return -1;
    made (d, collection->what, osm_json_str (object, "id"));
  }
  *ret_id = osm_strdup (osm_json_str (object, "id"));
  if (ret_object)
    *ret_object = osm_take (object);
  return 0;
}

static json_t *
named (const struct deployment *d, const char *suffix)
{
  OSM_CLEANUP_FREE char *name = osm_asprintf ("%s%s", d->config->name, suffix);

  return osm_json_pack ("{s:s}", "name", name);
}

static int
ensure_network (struct deployment *d, struct osm_error *err)
{
  json_t *subnet;

  if (d->config->network) {
    if (look_up (d, &osm_networks, d->config->network, &d->network_id, err) == -1)
      return -1;
    return d->config->subnet ? look_up (d, &osm_subnets, d->config->subnet, &d->subnet_id, err) : 0;
  }
  if (ensure (d, &osm_networks, named (d, "-network"), NULL, &d->network_id, err) == -1)
    return -1;
  subnet = named (d, "-subnet");
  osm_json_set_str (subnet, "network_id", d->network_id);
  osm_json_set_str (subnet, "cidr", d->config->subnet_cidr);
  json_object_set_new (subnet, "ip_version",
                       json_integer (strchr (d->config->subnet_cidr, ':') ? 6 : 4));
  if (d->config->dns_servers) {
    json_t *servers = json_array ();

    for (size_t i = 0; d->config->dns_servers[i]; i++)
      json_array_append_new (servers, json_string (d->config->dns_servers[i]));
    json_object_set_new (subnet, "dns_nameservers", servers);
  }
  return ensure (d, &osm_subnets, subnet, NULL, &d->subnet_id, err);
}

static int
ensure_group (struct deployment *d, struct osm_error *err)
{
  if (d->config->security_group)
    return look_up (d, &osm_security_groups, d->config->security_group, &d->group_id, err);
  d->own_group = true;
  return ensure (d, &osm_security_groups, named (d, ""), NULL, &d->group_id, err);
}

static bool
wants_floating_ip (const struct deployment *d)
{
  return !osm_str_equal (d->config->floating_ip, "none");
}

static int
ensure_floating_ip (struct deployment *d, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *ip = NULL;

  if (!wants_floating_ip (d))
    return 0;
  if (osm_str_equal (d->config->floating_ip, "new")) {
    if (ensure (d, &osm_floating_ips,
                osm_json_pack ("{s:s}", "floating_network_id", d->external_id), &ip,
                &d->floating_id, err) == -1)
      return -1;
  }
  else {
    OSM_CLEANUP_FREE char *query = osm_asprintf ("floating_ip_address=%s", d->config->floating_ip);
    OSM_CLEANUP_JSON json_t *found = NULL;

    if (osm_network_list (d->cloud, &osm_floating_ips, query, &found, err) == -1)
      return -1;
    if (json_array_size (found) == 0)
      return osm_error_set (err, OSM_ERROR_USER, 404, "cloud '%s' has no floating IP %s",
                            osm_cloud_name (d->cloud), d->config->floating_ip);
    ip = json_incref (json_array_get (found, 0));
    d->floating_id = osm_strdup (osm_json_str (ip, "id"));
  }
  d->floating_address = osm_strdup (osm_json_str (ip, "floating_ip_address"));
  return 0;
}

static int
ensure_port (struct deployment *d, struct osm_error *err)
{
  json_t *spec = named (d, "-port");
  OSM_CLEANUP_JSON json_t *port = NULL;

  osm_json_set_str (spec, "network_id", d->network_id);
  json_object_set_new (spec, "security_groups", osm_json_pack ("[s]", d->group_id));
  if (d->subnet_id)
    json_object_set_new (spec, "fixed_ips", osm_json_pack ("[{s:s}]", "subnet_id", d->subnet_id));
  if (ensure (d, &osm_ports, spec, &port, &d->port_id, err) == -1)
    return -1;
  d->fixed_address = osm_strdup (
      osm_json_str (json_array_get (json_object_get (port, "fixed_ips"), 0), "ip_address"));
  return 0;
}

/* Only where somebody has to log in as the image's own user: that user may do everything, which the control key must not be able
 * to. The key pair's name holds a digest of the key: one of that name is ours. */
static int
ensure_key_pair (struct deployment *d, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *found = NULL;
  OSM_ERROR (why);

  if (d->config->key_pair) {
    d->key_pair = osm_strdup (d->config->key_pair);
    return osm_cloud_find (d->cloud, &osm_keypairs, d->key_pair, &found, err);
  }
  if (!osm_str_equal (d->config->agent_install, "upload"))
    return 0;
  d->key_pair = osm_host_key_pair_name (d->config, d->public_key);
  if (osm_cloud_find (d->cloud, &osm_keypairs, d->key_pair, &found, &why) == 0)
    return 0;
  if (!osm_error_not_found (&why)) {
    osm_error_move (err, &why);
    return -1;
  }
  if (osm_keypair_create (d->cloud, d->key_pair, d->public_key, NULL, err) == -1)
    return -1;
  made (d, "key pair", d->key_pair);
  return 0;
}

static int
ensure_router (struct deployment *d, struct osm_error *err)
{
  json_t *spec;

  if (d->router_id)
    return 0;
  /* A network that exists already has its way out. */
  if (d->config->network || d->config->router) {
    if (!d->config->router)
      return 0;
    return look_up (d, &osm_routers, d->config->router, &d->router_id, err);
  }
  spec = named (d, "-router");
  json_object_set_new (spec, "external_gateway_info",
                       osm_json_pack ("{s:s}", "network_id", d->external_id));
  return ensure (d, &osm_routers, spec, NULL, &d->router_id, err);
}

static int
ensure_router_interface (struct deployment *d, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *query = NULL;
  OSM_CLEANUP_JSON json_t *ports = NULL;

  if (d->config->network)
    return 0;
  query = osm_asprintf ("device_id=%s&network_id=%s", d->router_id, d->network_id);
  if (osm_network_list (d->cloud, &osm_ports, query, &ports, err) == -1)
    return -1;
  if (json_array_size (ports) > 0)
    return 0;
  if (osm_router_add_subnet (d->cloud, d->router_id, d->subnet_id, err) == -1)
    return -1;
  d->changed = true;
  return 0;
}

static int
associate_floating_ip (struct deployment *d, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *fields = NULL, *ip = NULL;

  if (!wants_floating_ip (d))
    return 0;
  if (osm_cloud_find (d->cloud, &osm_floating_ips, d->floating_id, &ip, err) == -1)
    return -1;
  if (osm_str_equal (osm_json_str (ip, "port_id"), d->port_id))
    return 0;
  if (osm_json_str (ip, "port_id"))
    return osm_error_set (err, OSM_ERROR_USER, 0, "floating IP %s of cloud '%s' is used by port %s",
                          d->floating_address, osm_cloud_name (d->cloud),
                          osm_json_str (ip, "port_id"));
  fields = osm_json_pack ("{s:s}", "port_id", d->port_id);
  if (osm_network_update (d->cloud, &osm_floating_ips, d->floating_id, fields, err) == -1)
    return -1;
  d->changed = true;
  say (d, "floating IP %s associated", d->floating_address);
  return 0;
}

/* Behind a router without a floating IP: translated to the router's outer address, unless the other side is reached without
 * translation. */
static int
add_router_addresses (struct deployment *d, const char *router_id, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *router = NULL;
  size_t i;
  json_t *ip;

  if (osm_cloud_find (d->cloud, &osm_routers, router_id, &router, err) == -1)
    return -1;
  json_array_foreach (
      json_object_get (json_object_get (router, "external_gateway_info"), "external_fixed_ips"), i,
      ip)
  {
    if (osm_json_str (ip, "ip_address"))
      osm_strv_append (&d->seen_as, osm_json_str (ip, "ip_address"));
  }
  return 0;
}

static int
find_seen_as (struct deployment *d, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *query = NULL;
  OSM_CLEANUP_JSON json_t *ports = NULL;
  size_t i;
  json_t *port;

  if (d->floating_address) {
    osm_strv_append (&d->seen_as, d->floating_address);
    return 0;
  }
  osm_strv_append (&d->seen_as, d->fixed_address);
  if (d->router_id)
    return add_router_addresses (d, d->router_id, err);
  query = osm_asprintf ("network_id=%s&device_owner=network:router_interface", d->network_id);
  if (osm_network_list (d->cloud, &osm_ports, query, &ports, err) == -1)
    return -1;
  json_array_foreach (ports, i, port)
  {
    if (add_router_addresses (d, osm_json_str (port, "device_id"), err) == -1)
      return -1;
  }
  return 0;
}

/* ---- the server ---- */

static int
create_server (struct deployment *d, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *user_data = NULL, *encoded = NULL, *fingerprint = NULL;
  OSM_CLEANUP_JSON json_t *body = NULL;
  json_t *server;

  if (osm_sshkey_fingerprint (d->public_key, &fingerprint, err) == -1 ||
      osm_hosts_render_user_data (d->context->config, d->side, d->public_key, &user_data, err) ==
          -1)
    return -1;
  encoded = osm_base64_encode (user_data, strlen (user_data));
  server = osm_json_pack ("{s:s, s:s, s:s, s:[{s:s}], s:{s:s, s:s, s:s, s:s}, s:b}", "name",
                          d->config->name, "flavorRef", d->flavor_id, "user_data", encoded,
                          "networks", "port", d->port_id, "metadata", OSM_MARK_ROLE, OSM_ROLE_HOST,
                          OSM_MARK_PAIR, d->config->name, OSM_MARK_SIDE, osm_side_name (d->side),
                          OSM_MARK_KEY, fingerprint, "config_drive", 1);
  osm_json_set_str (server, "key_name", d->key_pair);
  osm_json_set_str (server, "availability_zone", d->config->availability_zone);
  if (d->config->boot_from_volume) {
    json_t *device =
        osm_json_pack ("{s:s, s:s, s:s, s:i, s:I, s:b}", "uuid", d->image_id, "source_type",
                       "image", "destination_type", "volume", "boot_index", 0, "volume_size",
                       (json_int_t)d->config->boot_volume_gb, "delete_on_termination", 1);

    osm_json_set_str (device, "volume_type", d->config->volume_type);
    json_object_set_new (server, "block_device_mapping_v2", osm_json_pack ("[o]", device));
  }
  else
    osm_json_set_str (server, "imageRef", d->image_id);
  body = osm_json_pack ("{s:o}", "server", server);
  if (osm_server_create (d->cloud, body, &d->server_id, err) == -1)
    return -1;
  made (d, "server", d->server_id);
  return 0;
}

/* One in a state that waiting does not change. */
static int
refuse_status (struct deployment *d, const char *status, struct osm_error *err)
{
  static const char *const fine[] = { "ACTIVE", "BUILD", "REBOOT", "HARD_REBOOT", "SHUTOFF", NULL };

  if (!status || osm_strv_contains ((char *const *)(const void *)fine, status))
    return 0;
  osm_error_set (err, OSM_ERROR_USER, 0, "conversion host %s of cloud '%s' is %s", d->server_id,
                 osm_cloud_name (d->cloud), status);
  return osm_error_hint (err, "make it ACTIVE, or: osm-controller delete-conversion-hosts, then "
                              "deploy");
}

/* One that failed to build is made anew, once; Nova keeps the port that it was given. */
static int
ensure_server (struct deployment *d, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *status = osm_strdup (osm_json_str (d->server, "status"));

  d->server_id = osm_strdup (osm_json_str (d->server, "id"));
  json_decref (osm_take (d->server));
  if (osm_str_equal (status, "ERROR")) {
    say (d, "server %s is in state ERROR: making it anew", d->server_id);
    if (osm_server_delete (d->cloud, d->server_id, SERVER_TIMEOUT_MS, err) == -1)
      return -1;
    free (osm_take (d->server_id));
    free (osm_take (status));
    d->changed = true;
  }
  if (refuse_status (d, status, err) == -1 || (!d->server_id && create_server (d, err) == -1))
    return -1;
  if (osm_str_equal (status, "SHUTOFF")) {
    if (osm_server_start (d->cloud, d->server_id, err) == -1)
      return -1;
    d->changed = true;
    say (d, "server %s started", d->server_id);
  }
  if (osm_server_wait (d->cloud, d->server_id, "ACTIVE", SERVER_TIMEOUT_MS, &d->server, err) == 0)
    return 0;
  if (!err->hint)
    osm_error_hint (err, "deploy-conversion-hosts makes one in state ERROR anew");
  return -1;
}

/* ---- phases: each for both sides at the same time, independent calls of a side side by side ---- */

static int
task_network (void *data, struct osm_error *err)
{
  return ensure_network (data, err);
}

static int
task_group (void *data, struct osm_error *err)
{
  return ensure_group (data, err);
}

static int
task_floating_ip (void *data, struct osm_error *err)
{
  return ensure_floating_ip (data, err);
}

static int
task_key_and_image (void *data, struct osm_error *err)
{
  struct deployment *d = data;

  if (look_up (d, &osm_flavors, d->config->flavor, &d->flavor_id, err) == -1 ||
      look_up (d, &osm_images, d->config->image, &d->image_id, err) == -1)
    return osm_error_hint (err,
                           "name another one in the configuration, conversion_hosts; the image "
                           "is built by images/build-image and uploaded with openstack image "
                           "create");
  return ensure_key_pair (d, err);
}

static int
task_external_network (void *data, struct osm_error *err)
{
  struct deployment *d = data;

  return wants_floating_ip (d) || !d->config->network ? find_external_network (d, err) : 0;
}

/* What is there, and may it be used? Nothing is made before this is known. */
static int
task_find_server (void *data, struct osm_error *err)
{
  struct deployment *d = data;

  if (osm_host_find_server (d->cloud, d->config, &d->server, err) == -1)
    return -1;
  return d->server ? osm_host_check_key (osm_cloud_name (d->cloud), d->server, d->public_key, err)
                   : 0;
}

static int
phase_look (void *data, struct osm_error *err)
{
  struct deployment *d = data;
  const struct osm_task tasks[] = { { task_find_server, d }, { task_external_network, d } };

  if (osm_parallel (tasks, 2, err) == -1)
    return osm_error_wrap (err, "%s", osm_side_name (d->side));
  return 0;
}

/* After this the addresses of both sides are known. */
static int
phase_addresses (void *data, struct osm_error *err)
{
  struct deployment *d = data;
  const struct osm_task tasks[] = {
    { task_network, d }, { task_group, d }, { task_floating_ip, d }, { task_key_and_image, d }
  };

  /* A router takes long and has time while the server boots, unless its address matters. */
  if (osm_parallel (tasks, 4, err) == -1 || ensure_port (d, err) == -1 ||
      (!wants_floating_ip (d) && ensure_router (d, err) == -1) || find_seen_as (d, err) == -1)
    return osm_error_wrap (err, "%s", osm_side_name (d->side));
  return 0;
}

static const char *
address_of (const struct deployment *d)
{
  return d->floating_address ? d->floating_address : d->fixed_address;
}

/* SSH from this machine, and to one of them from the other: nothing else. */
static int
set_rules (struct deployment *d, const struct deployment *peer, struct osm_error *err)
{
  OSM_CLEANUP_STRV char **cidrs = NULL;
  bool changed = false, wanted = d->side == OSM_SOURCE;

  if (!d->own_group)
    return 0;
  if (osm_host_migrator_addresses (d->config, address_of (d), &cidrs, err) == -1 ||
      (!wanted && osm_path_is_reverse (d->context, &wanted, err) == -1))
    return -1;
  for (size_t i = 0; wanted && peer->seen_as[i]; i++)
    osm_strv_append (&cidrs, peer->seen_as[i]);
  if (osm_host_rules_converge (d->cloud, d->group_id, cidrs, &changed, err) == -1)
    return -1;
  if (changed) {
    OSM_CLEANUP_FREE char *text = osm_strv_join (cidrs, ", ");

    d->changed = true;
    say (d, "SSH is open for %s", text);
  }
  return 0;
}

struct pair {
  struct deployment *d, *peer;
};

static int
task_rules (void *data, struct osm_error *err)
{
  struct pair *p = data;

  return set_rules (p->d, p->peer, err);
}

static int
task_way_in (void *data, struct osm_error *err)
{
  struct deployment *d = ((struct pair *)data)->d;

  if (ensure_router (d, err) == -1 || ensure_router_interface (d, err) == -1)
    return -1;
  return associate_floating_ip (d, err);
}

static int
task_server (void *data, struct osm_error *err)
{
  return ensure_server (((struct pair *)data)->d, err);
}

static int
phase_server (void *data, struct osm_error *err)
{
  struct pair *p = data;
  struct deployment *d = p->d;
  const struct osm_task tasks[] = { { task_rules, p }, { task_way_in, p }, { task_server, p } };

  if (osm_parallel (tasks, 3, err) == -1)
    return osm_error_wrap (err, "%s", osm_side_name (d->side));
  if (d->changed)
    say (d, "server is ACTIVE, waiting for its host keys and its agent");
  if (osm_host_open_server (d->context, d->side, d->server, true, &d->host, err) == -1)
    return osm_error_wrap (err, "%s", osm_side_name (d->side));
  say (d, "agent %s answers at %s", osm_json_str (osm_link_hello (d->host->link), "version"),
       d->host->address);
  return 0;
}

static int
link_pair (struct deployment *source, struct deployment *destination, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *text = NULL;
  bool changed = false;

  if (osm_hosts_pair (source->context, source->host, destination->host, source->seen_as,
                      destination->seen_as, &changed, &text, err) == -1)
    return -1;
  destination->changed = destination->changed || changed;
  say (destination, "%s", text);
  return 0;
}

/* In one project the marks of two hosts of one name would be the same. */
static int
refuse_same_marks (const struct osm_hosts_context *context, struct osm_error *err)
{
  const struct osm_cloud *a = context->cloud[OSM_SOURCE], *b = context->cloud[OSM_DESTINATION];

  if (!osm_str_equal (osm_cloud_url (a), osm_cloud_url (b)) ||
      !osm_str_equal (osm_cloud_project_id (a), osm_cloud_project_id (b)) ||
      !osm_str_equal (context->config->host[OSM_SOURCE].name,
                      context->config->host[OSM_DESTINATION].name))
    return 0;
  osm_error_set (err, OSM_ERROR_USER, 0,
                 "both conversion hosts are in the same project and have the same name '%s'",
                 context->config->host[OSM_SOURCE].name);
  return osm_error_hint (err, "name them: conversion_hosts: { source: { name: A }, destination: { "
                              "name: B } }");
}

int
osm_hosts_deploy (struct osm_hosts_context *context, bool *ret_changed, struct osm_error *err)
{
  struct deployment d[2] = { { .side = OSM_SOURCE }, { .side = OSM_DESTINATION } };
  struct pair pairs[2] = { { &d[0], &d[1] }, { &d[1], &d[0] } };
  const struct osm_task look[] = { { phase_look, &d[0] }, { phase_look, &d[1] } };
  const struct osm_task addresses[] = { { phase_addresses, &d[0] }, { phase_addresses, &d[1] } };
  const struct osm_task servers[] = { { phase_server, &pairs[0] }, { phase_server, &pairs[1] } };
  OSM_CLEANUP_FREE char *key_path = NULL, *public_key = NULL;
  int r, lock_fd;

  if (refuse_same_marks (context, err) == -1 ||
      osm_host_controller_key (context->config, &key_path, &public_key, err) == -1 ||
      osm_hosts_lock (context, &lock_fd, err) == -1)
    return -1;
  for (size_t i = 0; i < 2; i++) {
    d[i].context = context;
    d[i].cloud = context->cloud[i];
    d[i].config = &context->config->host[i];
    d[i].public_key = public_key;
  }
  r = osm_parallel (look, 2, err);
  if (r == 0)
    r = osm_parallel (addresses, 2, err);
  if (r == 0)
    r = osm_parallel (servers, 2, err);
  if (r == 0)
    r = link_pair (&d[OSM_SOURCE], &d[OSM_DESTINATION], err);
  if (r == 0)
    *ret_changed = d[0].changed || d[1].changed;
  else if ((d[0].changed || d[1].changed) && !err->hint)
    osm_error_hint (err, "run it again to go on; delete-conversion-hosts removes what was made");
  for (size_t i = 0; i < 2; i++)
    deployment_done (&d[i]);
  osm_hosts_unlock (lock_fd, err);
  return r;
}
