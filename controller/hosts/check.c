/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/hosts/hosts.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/parallel.h"
#include "common/parse.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"
#include "controller/hosts/internal.h"

#define CHECK_TEST_BYTES (128 * 1024 * 1024)
#define TEST_SECONDS 10

int
osm_hosts_link_test (struct osm_host *source, struct osm_host *destination, uint64_t bytes,
                     json_t **ret, struct osm_error *err)
{
  char id[OSM_UUID_LEN + 1];
  OSM_CLEANUP_JSON json_t *export = NULL, *stopped = NULL;
  OSM_ERROR (ignored);
  int r;

  osm_uuid_new (id);
  if (osm_link_call (source->link, "export.start",
                     osm_json_pack ("{s:s, s:I}", "id", id, "test_bytes", (json_int_t)bytes),
                     &export, err) == -1)
    return -1;
  r = osm_link_call_timeout (
      destination->link, "link.test",
      osm_json_pack ("{s:o, s:I, s:i}", "source",
                     osm_host_source_json (source, osm_json_str (export, "socket")), "bytes",
                     (json_int_t)bytes, "seconds", TEST_SECONDS),
      60000, ret, err);
  if (osm_link_call (source->link, "export.stop", osm_json_pack ("{s:s}", "id", id), &stopped,
                     r == 0 ? err : &ignored) == -1)
    return -1;
  return r;
}

struct side_check {
  struct osm_hosts_context *context;
  enum osm_side side;
  struct osm_host *host;
  json_t *result;
};

static int
check_side (void *data, struct osm_error *err)
{
  struct side_check *c = data;
  OSM_CLEANUP_JSON json_t *attachments = NULL;
  size_t used;

  if (osm_host_open (c->context, c->side, &c->host, err) == -1)
    return -1;
  if (osm_server_attachments (c->context->cloud[c->side], c->host->server_id, &attachments, err) ==
      -1)
    return -1;
  used = json_array_size (attachments);
  c->result = osm_json_pack (
      "{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:O}", "cloud",
      osm_cloud_name (c->context->cloud[c->side]), "server_id", c->host->server_id, "name",
      c->host->name, "status", c->host->status, "address", c->host->address, "disk_bus",
      c->host->disk_bus, "attached_volumes", (json_int_t)used, "free_slots",
      (json_int_t)(c->host->max_attachments > used ? c->host->max_attachments - used : 0), "agent",
      osm_link_hello (c->host->link));
  return 0;
}

/* What could not be found out is an "error" in its place, so that the rest is shown all the same. */
static json_t *
or_error (json_t *result, const struct osm_error *why)
{
  return result ? result : osm_json_pack ("{s:o}", "error", osm_error_to_json (why));
}

int
osm_hosts_check (struct osm_hosts_context *context, json_t **ret, struct osm_error *err)
{
  struct side_check c[2] = { { .context = context, .side = OSM_SOURCE },
                             { .context = context, .side = OSM_DESTINATION } };
  struct osm_error why[2] = { { 0 }, { 0 } };
  json_t *link = NULL, *result = json_object ();
  OSM_ERROR (link_error);

  for (size_t i = 0; i < 2; i++) {
    (void)check_side (&c[i], &why[i]);
    if (why[i].class == OSM_ERROR_INTERRUPTED)
      osm_error_copy (err, &why[i]);
  }
  if (!osm_error_is_set (err) && c[0].host && c[1].host &&
      osm_hosts_link_test (c[0].host, c[1].host, CHECK_TEST_BYTES, &link, &link_error) == -1)
    link = NULL;
  json_object_set_new (result, "source", or_error (c[0].result, &why[0]));
  json_object_set_new (result, "destination", or_error (c[1].result, &why[1]));
  if (link || osm_error_is_set (&link_error))
    json_object_set_new (result, "link", or_error (link, &link_error));
  for (size_t i = 0; i < 2; i++) {
    osm_host_free (c[i].host);
    osm_error_done (&why[i]);
  }
  if (osm_error_is_set (err)) {
    json_decref (result);
    return -1;
  }
  *ret = result;
  return 0;
}
