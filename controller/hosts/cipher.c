/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/strbuf.h"
#include "controller/hosts/hosts.h"
#include "controller/hosts/internal.h"

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

static json_t *
source_json (const struct osm_host *host, const char *socket, const char *cipher)
{
  json_t *keys = json_array (), *source;

  for (size_t i = 0; host->host_keys && host->host_keys[i]; i++)
    json_array_append_new (keys, json_string (host->host_keys[i]));
  source = osm_json_pack ("{s:s, s:i, s:s, s:o, s:s?}", "address", host->peer_address, "port", 22,
                          "user", "osm-peer", "host_keys", keys, "socket", socket);
  osm_json_set_str (source, "cipher", cipher);
  return source;
}

json_t *
osm_host_source_json (const struct osm_host *source, const struct osm_host *destination,
                      const char *socket)
{
  return source_json (source, socket, osm_hosts_cipher (source, destination, NULL));
}

/* ---- kept with the destination's host keys: a new server is measured again ---- */

int
osm_host_load_cipher (struct osm_hosts_context *context, struct osm_host *host,
                      struct osm_error *err)
{
  OSM_CLEANUP_FREE char *cloud = osm_host_store_key (context->cloud[host->side]);
  OSM_CLEANUP_JSON json_t *stored = NULL;

  if (osm_store_host_get (context->store, cloud, context->config->host[host->side].name, &stored,
                          err) == -1)
    return -1;
  osm_str_set (&host->measured_cipher, osm_json_str (stored, "cipher"));
  return 0;
}

static int
save_cipher (struct osm_hosts_context *context, struct osm_host *host, const char *cipher,
             struct osm_error *err)
{
  OSM_CLEANUP_FREE char *cloud = osm_host_store_key (context->cloud[host->side]);
  const char *name = context->config->host[host->side].name;
  OSM_CLEANUP_JSON json_t *stored = NULL;

  osm_str_set (&host->measured_cipher, cipher);
  if (osm_store_host_get (context->store, cloud, name, &stored, err) == -1)
    return -1;
  if (!stored)
    stored = json_object ();
  osm_json_set_str (stored, "cipher", cipher);
  return osm_store_host_set (context->store, cloud, name, stored, err);
}

/* ---- the link test ---- */

#define TEST_SECONDS 10

static int
test (struct osm_host *source, struct osm_host *destination, uint64_t bytes, const char *cipher,
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
                     source_json (source, osm_json_str (export, "socket"), cipher), "bytes",
                     (json_int_t)bytes, "seconds", TEST_SECONDS),
      60000, ret, err);
  if (osm_link_call (source->link, "export.stop", osm_json_pack ("{s:s}", "id", id), &stopped,
                     r == 0 ? err : &ignored) == -1)
    return -1;
  return r;
}

int
osm_hosts_link_test (struct osm_host *source, struct osm_host *destination, uint64_t bytes,
                     json_t **ret, struct osm_error *err)
{
  const char *why;
  const char *cipher = osm_hosts_cipher (source, destination, &why);

  if (test (source, destination, bytes, cipher, ret, err) == -1)
    return -1;
  osm_json_set_str (*ret, "cipher_reason", why);
  return 0;
}

int
osm_hosts_choose_cipher (struct osm_hosts_context *context, struct osm_host *source,
                         struct osm_host *destination, uint64_t bytes, json_t **ret,
                         struct osm_error *err)
{
  static const char *const ciphers[] = { "aes-gcm", "chacha20" };
  json_t *results[2] = { NULL, NULL };
  json_int_t rates[2] = { 0, 0 };
  size_t best;
  int r = 0;

  if (osm_hosts_cipher (source, destination, NULL))
    return osm_hosts_link_test (source, destination, bytes, ret, err);
  for (size_t i = 0; r == 0 && i < 2; i++) {
    r = test (source, destination, bytes, ciphers[i], &results[i], err);
    rates[i] = json_integer_value (json_object_get (results[i], "bytes_per_second"));
  }
  best = rates[1] > rates[0];
  if (r == 0)
    r = save_cipher (context, destination, ciphers[best], err);
  if (r == 0)
    *ret = json_incref (results[best]);
  json_decref (results[0]);
  json_decref (results[1]);
  return r;
}
