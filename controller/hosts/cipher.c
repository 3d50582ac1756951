/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/strbuf.h"
#include "controller/hosts/hosts.h"
#include "controller/hosts/internal.h"
#include "controller/hosts/path.h"

static const json_t *
aes_of (const struct osm_host *host)
{
  return json_object_get (json_object_get (osm_link_hello (host->link), "cpu"), "aes");
}

/* From the greetings' cpu.aes, absent where the agent cannot tell. One that has none decides. */
const char *
osm_cipher_of (const json_t *source_aes, const json_t *destination_aes, const char **ret_why)
{
  const char *ignored;

  if (!ret_why)
    ret_why = &ignored;
  *ret_why = NULL;
  if (json_is_true (source_aes) && json_is_true (destination_aes)) {
    *ret_why = "both processors have AES instructions";
    return "aes-gcm";
  }
  if (json_is_false (source_aes) || json_is_false (destination_aes)) {
    *ret_why = !json_is_false (destination_aes) ? "the source's processor has no AES instructions"
               : !json_is_false (source_aes) ? "the destination's processor has no AES instructions"
                                             : "the processors have no AES instructions";
    return "chacha20";
  }
  return NULL;
}

const char *
osm_hosts_cipher (const struct osm_host *source, const struct osm_host *destination,
                  const char **ret_why)
{
  const char *cipher = osm_cipher_of (aes_of (source), aes_of (destination), ret_why);

  if (cipher || !destination->measured_cipher)
    return cipher;
  if (ret_why)
    *ret_why = "measured";
  return destination->measured_cipher;
}

/* ---- kept with the host keys: a new server is measured again ---- */

static int
known (struct osm_hosts_context *context, enum osm_side side, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *cloud = osm_host_store_key (context->cloud[side]);

  return osm_store_host_get (context->store, cloud, context->config->host[side].name, ret, err);
}

int
osm_host_recall (struct osm_hosts_context *context, enum osm_side side, const char *key,
                 json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *stored = NULL;

  if (known (context, side, &stored, err) == -1)
    return -1;
  *ret = json_incref (json_object_get (stored, key));
  return 0;
}

int
osm_host_remember (struct osm_hosts_context *context, enum osm_side side, const char *key,
                   json_t *value, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *cloud = osm_host_store_key (context->cloud[side]);
  OSM_CLEANUP_JSON json_t *stored = NULL, *owned = value;

  if (known (context, side, &stored, err) == -1)
    return -1;
  if (!stored)
    stored = json_object ();
  if (json_equal (json_object_get (stored, key), owned))
    return 0;
  json_object_set (stored, key, owned);
  return osm_store_host_set (context->store, cloud, context->config->host[side].name, stored, err);
}

int
osm_host_load_known (struct osm_hosts_context *context, struct osm_host *host,
                     struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *stored = NULL;
  size_t i;
  json_t *address;

  if (known (context, host->side, &stored, err) == -1)
    return -1;
  osm_str_set (&host->measured_cipher, osm_json_str (stored, "cipher"));
  json_array_foreach (json_object_get (stored, "seen_as"), i, address)
  {
    if (json_is_string (address))
      osm_strv_append (&host->seen_as, json_string_value (address));
  }
  return 0;
}

/* ---- the link test ---- */

#define TEST_SECONDS 10
/* For a carrier that is just being opened: to connect, and for one of before to be noticed as gone. */
#define CARRIER_PATIENCE_MS 30000
#define POLL_MS 250

static int
test_once (struct osm_path *path, const char *socket, uint64_t bytes, const char *cipher,
           json_t **ret, struct osm_error *err)
{
  return osm_link_call_timeout (path->destination->link, "link.test",
                                osm_json_pack ("{s:o, s:I, s:i}", "source",
                                               osm_path_source_json (path, socket, cipher), "bytes",
                                               (json_int_t)bytes, "seconds", TEST_SECONDS),
                                60000, ret, err);
}

static int
test_until (struct osm_path *path, const char *socket, uint64_t bytes, const char *cipher,
            json_t **ret, struct osm_error *err)
{
  uint64_t started = osm_now_ms ();

  for (;;) {
    OSM_ERROR (why);

    if (test_once (path, socket, bytes, cipher, ret, &why) == 0)
      return 0;
    if (path->kind == OSM_PATH_DIRECT || why.class != OSM_ERROR_RETRY) {
      osm_error_move (err, &why);
      return -1;
    }
    /* The carrier knows better why nobody listens at its port. */
    if (osm_path_trouble (path, err))
      return -1;
    if (osm_now_ms () - started > CARRIER_PATIENCE_MS) {
      osm_error_move (err, &why);
      return -1;
    }
    if (osm_wait_ms (POLL_MS, err) == -1)
      return -1;
  }
}

static int
test (struct osm_path *path, uint64_t bytes, const char *cipher, json_t **ret,
      struct osm_error *err)
{
  struct osm_link *source = path->source->link;
  char id[OSM_UUID_LEN + 1];
  OSM_CLEANUP_JSON json_t *export = NULL, *stopped = NULL;
  OSM_ERROR (ignored);
  int r;

  osm_uuid_new (id);
  if (osm_link_call (source, "export.start",
                     osm_json_pack ("{s:s, s:I}", "id", id, "test_bytes", (json_int_t)bytes),
                     &export, err) == -1)
    return -1;
  r = test_until (path, osm_json_str (export, "socket"), bytes, cipher, ret, err);
  if (osm_link_call (source, "export.stop", osm_json_pack ("{s:s}", "id", id), &stopped,
                     r == 0 ? err : &ignored) == -1)
    return -1;
  return r;
}

int
osm_hosts_choose_cipher (struct osm_hosts_context *context, struct osm_path *path, uint64_t bytes,
                         json_t **ret, struct osm_error *err)
{
  static const char *const ciphers[] = { "aes-gcm", "chacha20" };
  const char *why, *cipher = osm_hosts_cipher (path->source, path->destination, &why);
  json_t *results[2] = { NULL, NULL };
  json_int_t rates[2] = { 0, 0 };
  size_t best;
  int r = 0;

  if (cipher) {
    if (test (path, bytes, cipher, ret, err) == -1)
      return -1;
    osm_json_set_str (*ret, "cipher_reason", why);
    return 0;
  }
  for (size_t i = 0; r == 0 && i < 2; i++) {
    r = test (path, bytes, ciphers[i], &results[i], err);
    rates[i] = json_integer_value (json_object_get (results[i], "bytes_per_second"));
  }
  best = rates[1] > rates[0];
  if (r == 0) {
    osm_str_set (&path->destination->measured_cipher, ciphers[best]);
    r = osm_host_remember (context, path->destination->side, "cipher", json_string (ciphers[best]),
                           err);
  }
  if (r == 0)
    *ret = json_incref (results[best]);
  json_decref (results[0]);
  json_decref (results[1]);
  return r;
}
