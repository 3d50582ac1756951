/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/hosts/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"
#include "controller/cloud/image.h"
#include "controller/cloud/network.h"
#include "nbd/sshkey.h"

#define TIMEOUT_MS 15000
/* First boot with cloud-init, on slow clouds and with packages to install. */
#define NEW_TIMEOUT_MS (15 * 60 * 1000)

char *
osm_host_mark (const struct osm_host_config *config)
{
  return osm_asprintf ("%s=%s %s=%s", OSM_MARK_ROLE, OSM_ROLE_HOST, OSM_MARK_PAIR, config->name);
}

int
osm_host_marked (struct osm_cloud *cloud, const struct osm_host_config *config,
                 const struct osm_collection *collection, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *mark = osm_host_mark (config), *quoted = osm_quote_url (mark);
  OSM_CLEANUP_FREE char *query =
      osm_asprintf ("project_id=%s&description=%s", osm_cloud_project_id (cloud), quoted);
  OSM_CLEANUP_JSON json_t *found = NULL;
  size_t i;
  json_t *object;

  if (osm_network_list (cloud, collection, query, &found, err) == -1)
    return -1;
  *ret = json_array ();
  /* A filter that a cloud does not know is ignored by it. */
  json_array_foreach (found, i, object) if (osm_str_equal (osm_json_str (object, "description"),
                                                           mark)) json_array_append (*ret, object);
  return 0;
}

int
osm_host_list_servers (struct osm_cloud *cloud, const struct osm_host_config *config, json_t **ret,
                       struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *marked = NULL;
  size_t i;
  json_t *server;

  if (osm_server_list_marked (cloud, OSM_MARK_PAIR, config->name, &marked, err) == -1)
    return -1;
  *ret = json_array ();
  json_array_foreach (marked, i, server)
  {
    if (osm_str_equal (osm_json_str (json_object_get (server, "metadata"), OSM_MARK_ROLE),
                       OSM_ROLE_HOST))
      json_array_append (*ret, server);
  }
  return 0;
}

int
osm_host_find_server (struct osm_cloud *cloud, const struct osm_host_config *config, json_t **ret,
                      struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *marked = NULL;

  *ret = NULL;
  if (osm_host_list_servers (cloud, config, &marked, err) == -1)
    return -1;
  if (json_array_size (marked) > 1) {
    osm_error_set (
        err, OSM_ERROR_USER, 0, "cloud '%s' has two conversion hosts of the name '%s': %s and %s",
        osm_cloud_name (cloud), config->name, osm_json_str (json_array_get (marked, 0), "id"),
        osm_json_str (json_array_get (marked, 1), "id"));
    return osm_error_hint (err, "delete them: osm-controller delete-conversion-hosts");
  }
  *ret = json_incref (json_array_get (marked, 0));
  return 0;
}

int
osm_host_find_address (struct osm_cloud *cloud, const char *server_id, char **ret,
                       struct osm_error *err)
{
  OSM_CLEANUP_FREE char *query = osm_asprintf ("device_id=%s", server_id);
  OSM_CLEANUP_JSON json_t *ports = NULL;
  size_t i;
  json_t *port;

  *ret = NULL;
  if (osm_network_list (cloud, &osm_ports, query, &ports, err) == -1)
    return -1;
  json_array_foreach (ports, i, port)
  {
    OSM_CLEANUP_FREE char *by_port = osm_asprintf ("port_id=%s", osm_json_str (port, "id"));
    OSM_CLEANUP_JSON json_t *floating = NULL;
    const char *address;

    if (osm_network_list (cloud, &osm_floating_ips, by_port, &floating, err) == -1)
      return -1;
    address = osm_json_str (json_array_get (floating, 0), "floating_ip_address");
    if (address) {
      osm_str_set (ret, address);
      return 0;
    }
    address = osm_json_str (json_array_get (json_object_get (port, "fixed_ips"), 0), "ip_address");
    if (!*ret && address)
      *ret = osm_strdup (address);
  }
  return 0;
}

int
osm_host_controller_key (const struct osm_config *config, char **ret_path, char **ret_public,
                         struct osm_error *err)
{
  OSM_CLEANUP_FREE char *folder = osm_asprintf ("%s/keys", config->state_dir),
                        *path = osm_asprintf ("%s/controller", folder), *line = NULL;

  if (osm_mkdir_p (folder, 0700, err) == -1 ||
      osm_sshkey_ensure (path, "osm-controller", &line, err) == -1)
    return osm_error_wrap (err, "the controller's key");
  *ret_path = osm_take (path);
  *ret_public = osm_take (line);
  return 0;
}

int
osm_host_check_key (const char *cloud_name, const json_t *server, const char *public_key,
                    struct osm_error *err)
{
  OSM_CLEANUP_FREE char *ours = NULL;
  const char *its = osm_json_str (json_object_get (server, "metadata"), OSM_MARK_KEY);

  if (osm_sshkey_fingerprint (public_key, &ours, err) == -1)
    return -1;
  if (!its || strcmp (its, ours) == 0)
    return 0;
  osm_error_set (err, OSM_ERROR_USER, 0,
                 "conversion host %s of cloud '%s' lets in the key %s, but this controller's is %s",
                 osm_json_str (server, "id"), cloud_name, its, ours);
  return osm_error_hint (err,
                         "use the state_dir that it was deployed from (keys/controller); if that "
                         "is lost: osm-controller delete-conversion-hosts, then deploy; for a "
                         "second pair: another name under conversion_hosts");
}

char *
osm_host_store_key (const struct osm_cloud *cloud)
{
  return osm_asprintf ("%s %s", osm_cloud_url (cloud), osm_cloud_project_id (cloud));
}

char *
osm_host_key_pair_name (const struct osm_host_config *config, const char *public_key)
{
  OSM_CLEANUP_FREE char *fingerprint = NULL;
  char digits[9];
  size_t n = 0;
  OSM_ERROR (ignored);

  /* Letters and digits of the fingerprint: key pair names do not take all of base64. */
  if (osm_sshkey_fingerprint (public_key, &fingerprint, &ignored) == 0)
    for (const char *p = fingerprint + strlen ("SHA256:"); *p && n < sizeof digits - 1; p++)
      if (*p != '+' && *p != '/' && *p != '=')
        digits[n++] = *p;
  digits[n] = '\0';
  return osm_asprintf ("%s-%s", config->name, digits);
}

int
osm_host_own_address (const char *address, char **ret, struct osm_error *err)
{
  const struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST };
  struct addrinfo *info = NULL;
  struct sockaddr_storage own;
  socklen_t len = sizeof own;
  char text[NI_MAXHOST];
  OSM_CLEANUP_FD int fd = -1;
  int r = getaddrinfo (address, "22", &hints, &info);

  if (r != 0)
    return osm_error_set (err, OSM_ERROR_USER, 0, "address '%s': %s", address, gai_strerror (r));
  fd = socket (info->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  /* Nothing is sent: connecting a datagram socket only chooses the route. */
  r = fd == -1 ? -1 : connect (fd, info->ai_addr, info->ai_addrlen);
  freeaddrinfo (info);
  if (r == -1 || getsockname (fd, (struct sockaddr *)&own, &len) == -1 ||
      getnameinfo ((struct sockaddr *)&own, len, text, sizeof text, NULL, 0, NI_NUMERICHOST) != 0)
    return osm_error_set_errno (err, errno, "find this machine's address towards %s", address);
  *ret = osm_strdup (text);
  return 0;
}

void
osm_host_free (struct osm_host *host)
{
  if (!host)
    return;
  osm_link_free (host->link);
  free (host->server_id);
  free (host->name);
  free (host->status);
  free (host->address);
  free (host->peer_address);
  osm_strv_free (host->host_keys);
  free (host->disk_bus);
  free (host->measured_cipher);
  osm_strv_free (host->seen_as);
  free (host);
}

static void
find_disk_bus (struct osm_cloud *cloud, const struct osm_host_config *config, const json_t *server,
               char **ret)
{
  /* Of a server that boots from a volume the API does not say the image. */
  const char *image = osm_json_str (json_object_get (server, "image"), "id");
  OSM_CLEANUP_JSON json_t *found = NULL;
  OSM_ERROR (ignored);

  if (image ? osm_image_get (cloud, image, &found, &ignored) == 0
            : osm_cloud_find (cloud, &osm_images, config->image, &found, &ignored) == 0)
    *ret = osm_strdup (osm_json_str (found, "hw_disk_bus"));
  if (!*ret)
    *ret = osm_strdup ("virtio");
}

static int
check_hello (const struct osm_host *host, const struct osm_host_config *config,
             struct osm_error *err)
{
  const json_t *hello = osm_link_hello (host->link);
  const char *version = osm_json_str (hello, "version");

  if (!osm_str_equal (version, PACKAGE_VERSION)) {
    osm_error_set (err, OSM_ERROR_USER, 0,
                   "the agent in the %s conversion host is version %s, this program %s",
                   osm_side_name (host->side), version ? version : "?", PACKAGE_VERSION);
    if (osm_str_equal (config->agent_install, "upload"))
      return osm_error_hint (err, "osm-controller deploy-conversion-hosts brings the agent of this "
                                  "version there; copies that run there go on with it");
    return osm_error_hint (err, "finish what is unfinished with the other program; then, with an "
                                "image of this version, osm-controller delete-conversion-hosts "
                                "and deploy-conversion-hosts");
  }
  return 0;
}

int
osm_host_open_server (struct osm_hosts_context *context, enum osm_side side, const json_t *server,
                      bool new, struct osm_host **ret, struct osm_error *err)
{
  OSM_CLEANUP_HOST struct osm_host *host = osm_calloc (1, sizeof *host);
  OSM_CLEANUP_FREE char *key_path = NULL, *public_key = NULL, *name = NULL;
  struct osm_cloud *cloud = context->cloud[side];
  const struct osm_host_config *config = &context->config->host[side];
  struct osm_link_target target;
  uint64_t timeout_ms = new ? NEW_TIMEOUT_MS : TIMEOUT_MS;
  int r;

  host->side = side;
  host->server_id = osm_strdup (osm_json_str (server, "id"));
  host->name = osm_strdup (osm_json_str (server, "name"));
  host->status = osm_strdup (osm_json_str (server, "status"));
  host->max_attachments = config->max_attachments;
  if (!osm_str_equal (host->status, "ACTIVE")) {
    osm_error_set (err, OSM_ERROR_USER, 0, "the %s conversion host %s is %s, not ACTIVE",
                   osm_side_name (side), host->server_id, host->status);
    return osm_error_hint (err, "osm-controller deploy-conversion-hosts starts it");
  }
  if (osm_host_controller_key (context->config, &key_path, &public_key, err) == -1 ||
      osm_host_check_key (osm_cloud_name (cloud), server, public_key, err) == -1 ||
      osm_host_find_address (cloud, host->server_id, &host->address, err) == -1)
    return -1;
  if (!host->address)
    return osm_error_set (err, OSM_ERROR_USER, 0, "the %s conversion host %s has no address",
                          osm_side_name (side), host->server_id);
  host->peer_address = osm_strdup (host->address);
  if (osm_host_keys (context, side, host->server_id, host->address, timeout_ms, &host->host_keys,
                     err) == -1)
    return -1;
  name = osm_asprintf ("%s conversion host at %s", osm_side_name (side), host->address);
  target = (struct osm_link_target){ .name = name,
                                     .address = host->address,
                                     .port = 22,
                                     .user = "osm",
                                     .private_key_path = key_path,
                                     .host_keys = host->host_keys,
                                     .connect_timeout_ms = 10000 };
  r = new ? osm_host_wait_agent (context, host, &target, timeout_ms, err)
          : osm_link_open_wait (&target, timeout_ms, &host->link, err);
  if (r == -1) {
    if (!new && !err->hint)
      osm_error_hint (err, "osm-controller deploy-conversion-hosts lets in this machine's present "
                           "address and waits for the agent");
    return -1;
  }
  if (check_hello (host, config, err) == -1 || osm_host_load_known (context, host, err) == -1)
    return -1;
  find_disk_bus (cloud, config, server, &host->disk_bus);
  *ret = osm_take (host);
  return 0;
}

int
osm_host_find (struct osm_hosts_context *context, enum osm_side side, json_t **ret,
               struct osm_error *err)
{
  const struct osm_host_config *config = &context->config->host[side];

  if (osm_host_find_server (context->cloud[side], config, ret, err) == -1)
    return -1;
  if (*ret)
    return 0;
  osm_error_set (err, OSM_ERROR_USER, 404, "cloud '%s' has no conversion host '%s'",
                 osm_cloud_name (context->cloud[side]), config->name);
  return osm_error_hint (err, "make one: osm-controller deploy-conversion-hosts");
}

int
osm_host_open (struct osm_hosts_context *context, enum osm_side side, struct osm_host **ret,
               struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *server = NULL;

  if (osm_host_find (context, side, &server, err) == -1)
    return -1;
  return osm_host_open_server (context, side, server, false, ret, err);
}

bool
osm_host_is_boot_volume (const json_t *server, const json_t *attachments, const json_t *attachment)
{
  OSM_CLEANUP_JSON json_t *sorted = NULL;

  /* The API does not show the boot index; a server from an image has none. */
  if (json_is_object (json_object_get (server, "image")) ||
      !json_is_true (json_object_get (attachment, "delete_on_termination")))
    return false;
  sorted = osm_sorted_by_device (attachments);
  return osm_str_equal (osm_json_str (json_array_get (sorted, 0), "volume_id"),
                        osm_json_str (attachment, "volume_id"));
}
