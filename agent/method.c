/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/method.h"

#include <errno.h>
#include <string.h>

#include "agent/device.h"
#include "agent/params.h"
#include "agent/peers.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/strbuf.h"
#include "nbd/copy.h"
#include "nbd/digest.h"

#define FIND_TIMEOUT_MAX_MS 600000
#define WAIT_TIMEOUT_MAX_MS 30000
#define TEST_BYTES_MAX ((uint64_t)16 << 30)
#define HELD_PATIENCE_MS 3000 /* udev, or a worker that ends, may hold a new disk for a moment */
#define RECONNECT_MAX_S 604800
#define SPARSE_MAX_S 86400

struct call {
  struct osm_agent *agent;
  const json_t *params;
  uint64_t started_ms;
  json_t **state;
};

static enum osm_answer
ping (struct call *c, json_t **ret, struct osm_error *err)
{
  (void)err;
  *ret = json_object ();
  osm_json_set_str (*ret, "payload", osm_json_str (c->params, "payload"));
  return OSM_ANSWER_NOW;
}

static enum osm_answer
device_find (struct call *c, json_t **ret, struct osm_error *err)
{
  uint64_t timeout, size = 0, passed;
  OSM_CLEANUP_FREE char *path = NULL;

  if (osm_param_device (c->params, err) == -1 ||
      osm_param_number (c->params, "timeout_ms", 0, FIND_TIMEOUT_MAX_MS, &timeout, err) == -1)
    return OSM_ANSWER_NOW;
  if (osm_device_find (osm_json_str (c->params, "volume_id"), osm_device_size_of (c->params), &path,
                       &size, err) == 0) {
    *ret = osm_json_pack ("{s:s, s:I}", "path", path, "size_bytes", (json_int_t)size);
    return OSM_ANSWER_NOW;
  }
  /* EACCES: the kernel has made the node, udev has not yet given it its group. */
  passed = osm_now_ms () - c->started_ms;
  if (((err->code == ENOENT || err->code == EACCES) && passed < timeout) ||
      (err->code == EBUSY && passed < timeout && passed < HELD_PATIENCE_MS)) {
    osm_error_clear (err);
    return OSM_ANSWER_LATER;
  }
  if (err->code == ENOENT)
    osm_error_hint (err, "the cloud says it is attached, but the server has not seen it: "
                         "is hot-plugging of disks possible in this image?");
  return OSM_ANSWER_NOW;
}

static enum osm_answer
device_list (struct call *c, json_t **ret, struct osm_error *err)
{
  (void)c;
  (void)err;
  *ret = osm_json_pack ("{s:o}", "devices", osm_device_list ());
  return OSM_ANSWER_NOW;
}

static enum osm_answer
peer_key (struct call *c, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *line = NULL;

  (void)c;
  if (osm_peer_key (&line, err) == 0)
    *ret = osm_json_pack ("{s:s}", "public_key", line);
  return OSM_ANSWER_NOW;
}

static enum osm_answer
peer_authorize (struct call *c, json_t **ret, struct osm_error *err)
{
  const char *id, *key;
  const json_t *from = json_object_get (c->params, "from");
  bool listens = json_is_true (json_object_get (c->params, "listen"));
  uint16_t port = 0;

  if (osm_param_id (c->params, &id, err) == -1 ||
      osm_param_string (c->params, "public_key", &key, err) == -1)
    return OSM_ANSWER_NOW;
  /* A limit that is not understood must not become no limit. */
  if (from && !json_is_string (from) && !json_is_null (from)) {
    osm_error_set (err, OSM_ERROR_USER, EINVAL, "parameter 'from' must be a string");
    return OSM_ANSWER_NOW;
  }
  if (strlen (key) > OSM_PARAM_KEY_MAX) {
    osm_error_set (err, OSM_ERROR_USER, EINVAL, "parameter 'public_key' is too long");
    return OSM_ANSWER_NOW;
  }
  if (osm_peer_authorize (id, key, json_string_value (from), listens ? &port : NULL, err) == -1)
    return OSM_ANSWER_NOW;
  *ret = osm_json_pack ("{s:s}", "user", listens ? OSM_CARRIER_USER : OSM_PEER_USER);
  if (listens)
    json_object_set_new (*ret, "port", json_integer (port));
  return OSM_ANSWER_NOW;
}

static enum osm_answer
peer_revoke (struct call *c, json_t **ret, struct osm_error *err)
{
  const char *id;

  if (osm_param_id (c->params, &id, err) == 0 && osm_peer_revoke (id, err) == 0)
    *ret = json_object ();
  return OSM_ANSWER_NOW;
}

static enum osm_answer
peer_list (struct call *c, json_t **ret, struct osm_error *err)
{
  json_t *peers;

  (void)c;
  if (osm_peer_list (&peers, err) == 0)
    *ret = osm_json_pack ("{s:o}", "peers", peers);
  return OSM_ANSWER_NOW;
}

static enum osm_answer
export_start (struct call *c, json_t **ret, struct osm_error *err)
{
  static const char *const names[] = { "id", "volume_id", "size_bytes", "free", NULL },
                           *const test_names[] = { "id", "test_bytes", NULL };
  const char *id;
  OSM_CLEANUP_FREE char *socket = NULL;
  OSM_CLEANUP_JSON json_t *params = NULL;
  uint64_t bytes;

  if (osm_param_id (c->params, &id, err) == -1)
    return OSM_ANSWER_NOW;
  if (json_object_get (c->params, "test_bytes")) {
    if (osm_param_number (c->params, "test_bytes", UINT64_MAX, TEST_BYTES_MAX, &bytes, err) == -1)
      return OSM_ANSWER_NOW;
    params = osm_params_pick (c->params, test_names);
  }
  else {
    if (osm_param_volume (c->params, err) == -1 || osm_param_free (c->params, err) == -1)
      return OSM_ANSWER_NOW;
    params = osm_params_pick (c->params, names);
  }
  if (osm_export_start (c->agent->exports, params, &socket, err) == 0)
    *ret = osm_json_pack ("{s:s}", "socket", socket);
  return OSM_ANSWER_NOW;
}

static enum osm_answer
export_stop (struct call *c, json_t **ret, struct osm_error *err)
{
  const char *id;

  if (osm_param_id (c->params, &id, err) == 0 && osm_export_stop (c->agent->exports, id, err) == 0)
    *ret = json_object ();
  return OSM_ANSWER_NOW;
}

static enum osm_answer
export_list (struct call *c, json_t **ret, struct osm_error *err)
{
  (void)err;
  *ret = osm_json_pack ("{s:o}", "exports", osm_exports_list (c->agent->exports));
  return OSM_ANSWER_NOW;
}

static enum osm_answer
carrier_start (struct call *c, json_t **ret, struct osm_error *err)
{
  (void)osm_carrier_start (c->agent->carriers, c->params, ret, err);
  return OSM_ANSWER_NOW;
}

static enum osm_answer
carrier_stop (struct call *c, json_t **ret, struct osm_error *err)
{
  const char *id;

  if (osm_param_id (c->params, &id, err) == 0 &&
      osm_carrier_stop (c->agent->carriers, id, err) == 0)
    *ret = json_object ();
  return OSM_ANSWER_NOW;
}

static enum osm_answer
carrier_list (struct call *c, json_t **ret, struct osm_error *err)
{
  (void)err;
  *ret = osm_json_pack ("{s:o}", "carriers", osm_carriers_list (c->agent->carriers));
  return OSM_ANSWER_NOW;
}

static void
start_job (struct call *c, const char *kind, const json_t *params, json_t **ret,
           struct osm_error *err)
{
  struct osm_job *job;

  if (osm_job_start (c->agent->jobs, kind, params, &job, err) == 0)
    *ret = osm_job_to_json (job);
}

static enum osm_answer
copy_start (struct call *c, json_t **ret, struct osm_error *err)
{
  static const char *const names[] = { "id",
                                       "volume_id",
                                       "size_bytes",
                                       "larger",
                                       "connections",
                                       "requests",
                                       "reconnect_seconds",
                                       "bad_blocks",
                                       "compression",
                                       "free_map",
                                       "group",
                                       "limit_bytes_per_second",
                                       "group_limit_bytes_per_second",
                                       NULL };
  OSM_CLEANUP_JSON json_t *params = NULL;
  enum osm_compression_mode mode;
  const char *id;
  uint64_t connections, requests, reconnect, limit, group_limit;
  const char *group = osm_json_str (c->params, "group");
  json_t *source;

  if (osm_param_id (c->params, &id, err) == -1 || osm_param_volume (c->params, err) == -1 ||
      osm_param_number (c->params, "connections", 0, OSM_COPY_CONNECTIONS_MAX, &connections, err) ==
          -1 ||
      osm_param_number (c->params, "requests", 0, OSM_COPY_REQUESTS_MAX, &requests, err) == -1 ||
      osm_param_limit (c->params, "limit_bytes_per_second", 0, &limit, err) == -1 ||
      osm_param_limit (c->params, "group_limit_bytes_per_second", 0, &group_limit, err) == -1 ||
      osm_param_number (c->params, "reconnect_seconds", 0, RECONNECT_MAX_S, &reconnect, err) ==
          -1 ||
      osm_param_bad_blocks (c->params, err) == -1 ||
      osm_param_compression (c->params, &mode, err) == -1 ||
      osm_param_boolean (c->params, "free_map", err) == -1 ||
      osm_param_boolean (c->params, "larger", err) == -1 ||
      osm_param_group (c->params, err) == -1 || osm_param_source (c->params, &source, err) == -1)
    return OSM_ANSWER_NOW;
  params = osm_params_pick (c->params, names);
  json_object_set_new (params, "source", source);
  start_job (c, "copy", params, ret, err);
  if (*ret && group && json_object_get (params, "group_limit_bytes_per_second") &&
      osm_jobs_limit_group (c->agent->jobs, group, group_limit, err) == -1)
    json_decref (osm_take (*ret));
  return OSM_ANSWER_NOW;
}

static enum osm_answer
copy_limit (struct call *c, json_t **ret, struct osm_error *err)
{
  const char *group = osm_json_str (c->params, "group"), *id;
  struct osm_job *job;
  uint64_t limit;

  if (osm_param_limit (c->params, "bytes_per_second", UINT64_MAX, &limit, err) == -1 ||
      osm_param_group (c->params, err) == -1)
    return OSM_ANSWER_NOW;
  if (group) {
    if (osm_jobs_limit_group (c->agent->jobs, group, limit, err) == 0)
      *ret = json_object ();
    return OSM_ANSWER_NOW;
  }
  if (osm_param_id (c->params, &id, err) == 0 && (job = osm_job_find (c->agent->jobs, id, err)) &&
      osm_job_limit (c->agent->jobs, job, limit, err) == 0)
    *ret = osm_job_to_json (job);
  return OSM_ANSWER_NOW;
}

static enum osm_answer
host_limit (struct call *c, json_t **ret, struct osm_error *err)
{
  uint64_t limit;

  if (json_object_get (c->params, "bytes_per_second") &&
      (osm_param_limit (c->params, "bytes_per_second", UINT64_MAX, &limit, err) == -1 ||
       osm_jobs_limit_host (c->agent->jobs, limit, err) == -1))
    return OSM_ANSWER_NOW;
  *ret =
      osm_json_pack ("{s:I}", "bytes_per_second", (json_int_t)osm_jobs_host_limit (c->agent->jobs));
  return OSM_ANSWER_NOW;
}

static enum osm_answer
digest_start (struct call *c, json_t **ret, struct osm_error *err)
{
  static const char *const names[] = { "id",          "volume_id",  "size_bytes",
                                       "chunk_bytes", "drop_cache", "bad_blocks",
                                       "free",        "larger",     NULL };
  OSM_CLEANUP_JSON json_t *params = NULL;
  const char *id;
  uint64_t chunk;

  if (osm_param_id (c->params, &id, err) == -1 || osm_param_volume (c->params, err) == -1 ||
      osm_param_bad_blocks (c->params, err) == -1 || osm_param_free (c->params, err) == -1 ||
      osm_param_boolean (c->params, "drop_cache", err) == -1 ||
      osm_param_boolean (c->params, "larger", err) == -1 ||
      osm_param_number (c->params, "chunk_bytes", OSM_DIGEST_CHUNK_DEFAULT, OSM_DIGEST_CHUNK_MAX,
                        &chunk, err) == -1)
    return OSM_ANSWER_NOW;
  if (chunk != 0 && (chunk < OSM_DIGEST_CHUNK_MIN || (chunk & (chunk - 1)) != 0)) {
    osm_error_set (err, OSM_ERROR_USER, EINVAL,
                   "parameter 'chunk_bytes' must be a power of two from %d on",
                   OSM_DIGEST_CHUNK_MIN);
    return OSM_ANSWER_NOW;
  }
  params = osm_params_pick (c->params, names);
  start_job (c, "digest", params, ret, err);
  return OSM_ANSWER_NOW;
}

static enum osm_answer
sparse_start (struct call *c, json_t **ret, struct osm_error *err)
{
  static const char *const names[] = { "id",          "volume_id",       "size_bytes", "seconds",
                                       "kvm_seconds", "appliance_bytes", NULL };
  OSM_CLEANUP_JSON json_t *params = NULL;
  const char *id;
  uint64_t seconds, kvm_seconds, appliance_bytes;

  if (osm_param_id (c->params, &id, err) == -1 || osm_param_volume (c->params, err) == -1 ||
      osm_param_number (c->params, "seconds", 0, SPARSE_MAX_S, &seconds, err) == -1 ||
      osm_param_number (c->params, "kvm_seconds", 0, SPARSE_MAX_S, &kvm_seconds, err) == -1 ||
      osm_param_number (c->params, "appliance_bytes", 0, INT64_MAX, &appliance_bytes, err) == -1)
    return OSM_ANSWER_NOW;
  params = osm_params_pick (c->params, names);
  start_job (c, "sparse", params, ret, err);
  return OSM_ANSWER_NOW;
}

static void
repeat_job (struct call *c, const char *kind, json_t **ret, struct osm_error *err)
{
  struct osm_job *job;
  const char *id;

  if (osm_param_id (c->params, &id, err) == 0 &&
      osm_job_repeat (c->agent->jobs, kind, id, json_object_get (c->params, "ranges"), &job, err) ==
          0)
    *ret = osm_job_to_json (job);
}

static enum osm_answer
copy_repair (struct call *c, json_t **ret, struct osm_error *err)
{
  repeat_job (c, "copy", ret, err);
  return OSM_ANSWER_NOW;
}

static enum osm_answer
digest_repeat (struct call *c, json_t **ret, struct osm_error *err)
{
  repeat_job (c, "digest", ret, err);
  return OSM_ANSWER_NOW;
}

/* A job that is not kept: its id is made here and remembered in the request's state. */
static enum osm_answer
link_test (struct call *c, json_t **ret, struct osm_error *err)
{
  struct osm_job *job;
  const char *id = osm_json_str (*c->state, "id");
  const json_t *result;
  OSM_ERROR (ignored);

  if (!id) {
    char uuid[OSM_UUID_LEN + 1];
    OSM_CLEANUP_JSON json_t *params = json_object ();
    uint64_t bytes, seconds;
    json_t *source;

    if (osm_param_number (c->params, "bytes", 64 << 20, TEST_BYTES_MAX, &bytes, err) == -1 ||
        osm_param_number (c->params, "seconds", 10, 120, &seconds, err) == -1 ||
        osm_param_source (c->params, &source, err) == -1)
      return OSM_ANSWER_NOW;
    osm_uuid_new (uuid);
    json_object_set_new (params, "source", source);
    osm_json_set_str (params, "id", uuid);
    json_object_set_new (params, "bytes", json_integer ((json_int_t)bytes));
    json_object_set_new (params, "seconds", json_integer ((json_int_t)seconds));
    if (osm_job_start (c->agent->jobs, "link-test", params, &job, err) == -1)
      return OSM_ANSWER_NOW;
    *c->state = osm_json_pack ("{s:s}", "id", uuid);
    return OSM_ANSWER_LATER;
  }
  job = osm_job_find (c->agent->jobs, id, err);
  if (!job)
    return OSM_ANSWER_NOW;
  if (osm_job_running (job))
    return OSM_ANSWER_LATER;
  result = osm_job_result (job, err);
  *ret = result ? json_deep_copy (result) : NULL;
  osm_job_forget (c->agent->jobs, id, &ignored);
  return OSM_ANSWER_NOW;
}

static enum osm_answer
job_list (struct call *c, json_t **ret, struct osm_error *err)
{
  (void)err;
  *ret = osm_json_pack ("{s:o}", "jobs", osm_jobs_list (c->agent->jobs));
  return OSM_ANSWER_NOW;
}

/* *ret_running: all of them still run. */
static int
gather (struct call *c, json_t **ret, bool *ret_running, struct osm_error *err)
{
  const json_t *ids = json_object_get (c->params, "ids");
  OSM_CLEANUP_JSON json_t *list = json_array ();
  size_t i;
  json_t *id;

  *ret_running = true;
  if (!json_is_array (ids) || json_array_size (ids) > OSM_JOBS_MAX)
    return osm_error_set (err, OSM_ERROR_USER, EINVAL, "parameter 'ids' must be a list of jobs");
  json_array_foreach (ids, i, id)
  {
    const struct osm_job *job =
        osm_job_find (c->agent->jobs, json_is_string (id) ? json_string_value (id) : "", err);

    if (!job)
      return -1;
    *ret_running = *ret_running && osm_job_running (job);
    json_array_append_new (list, osm_job_to_json (job));
  }
  *ret = osm_json_pack ("{s:O}", "jobs", list);
  return 0;
}

static enum osm_answer
job_get (struct call *c, json_t **ret, struct osm_error *err)
{
  bool running;

  (void)gather (c, ret, &running, err);
  return OSM_ANSWER_NOW;
}

static enum osm_answer
job_wait (struct call *c, json_t **ret, struct osm_error *err)
{
  bool running;
  uint64_t timeout;

  if (osm_param_number (c->params, "timeout_ms", 0, WAIT_TIMEOUT_MAX_MS, &timeout, err) == -1 ||
      gather (c, ret, &running, err) == -1)
    return OSM_ANSWER_NOW;
  if (running && osm_now_ms () - c->started_ms < timeout) {
    json_decref (osm_take (*ret));
    return OSM_ANSWER_LATER;
  }
  return OSM_ANSWER_NOW;
}

static enum osm_answer
job_cancel (struct call *c, json_t **ret, struct osm_error *err)
{
  const char *id;
  struct osm_job *job;

  if (osm_param_id (c->params, &id, err) == -1 || !(job = osm_job_find (c->agent->jobs, id, err)))
    return OSM_ANSWER_NOW;
  osm_job_cancel (job);
  if (osm_job_running (job))
    return OSM_ANSWER_LATER;
  *ret = osm_job_to_json (job);
  return OSM_ANSWER_NOW;
}

static enum osm_answer
job_forget (struct call *c, json_t **ret, struct osm_error *err)
{
  const char *id;

  if (osm_param_id (c->params, &id, err) == 0 && osm_job_forget (c->agent->jobs, id, err) == 0)
    *ret = json_object ();
  return OSM_ANSWER_NOW;
}

static enum osm_answer
digest_chunks (struct call *c, json_t **ret, struct osm_error *err)
{
  const char *id;
  uint64_t first, count;
  OSM_CLEANUP_FREE char *hex = NULL;

  if (osm_param_id (c->params, &id, err) == 0 &&
      osm_param_number (c->params, "first", 0, INT64_MAX, &first, err) == 0 &&
      osm_param_number (c->params, "count", UINT64_MAX, INT64_MAX, &count, err) == 0 &&
      osm_job_chunks (c->agent->jobs, id, first, count, &hex, err) == 0)
    *ret = osm_json_pack ("{s:s}", "chunks", hex);
  return OSM_ANSWER_NOW;
}

static const struct {
  const char *name;
  enum osm_answer (*run) (struct call *c, json_t **ret, struct osm_error *err);
} methods[] = {
  { "ping", ping },
  { "device.find", device_find },
  { "device.list", device_list },
  { "peer.key", peer_key },
  { "peer.authorize", peer_authorize },
  { "peer.revoke", peer_revoke },
  { "peer.list", peer_list },
  { "carrier.start", carrier_start },
  { "carrier.stop", carrier_stop },
  { "carrier.list", carrier_list },
  { "export.start", export_start },
  { "export.stop", export_stop },
  { "export.list", export_list },
  { "copy.start", copy_start },
  { "copy.repair", copy_repair },
  { "copy.limit", copy_limit },
  { "host.limit", host_limit },
  { "digest.start", digest_start },
  { "digest.repeat", digest_repeat },
  { "digest.chunks", digest_chunks },
  { "sparse.start", sparse_start },
  { "link.test", link_test },
  { "job.list", job_list },
  { "job.get", job_get },
  { "job.wait", job_wait },
  { "job.cancel", job_cancel },
  { "job.forget", job_forget },
};

enum osm_answer
osm_method_call (struct osm_agent *agent, const char *method, const json_t *params,
                 uint64_t started_ms, json_t **state, json_t **ret, struct osm_error *err)
{
  struct call c = { agent, params, started_ms, state };

  *ret = NULL;
  for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
    if (strcmp (methods[i].name, method) == 0)
      return methods[i].run (&c, ret, err);
  osm_error_set (err, OSM_ERROR_USER, ENOSYS, "there is no method '%s'", method);
  return OSM_ANSWER_NOW;
}
