/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/params.h"

#include <errno.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/strbuf.h"
#include "nbd/sshconn.h"
#include "nbd/throttle.h"

#define TEXT_MAX 255
#define HOST_KEYS_MAX 32

int
osm_param_string (const json_t *params, const char *key, const char **ret, struct osm_error *err)
{
  *ret = osm_json_str (params, key);
  if (!*ret)
    return osm_error_set (err, OSM_ERROR_USER, EINVAL, "parameter '%s' must be a string", key);
  return 0;
}

int
osm_param_id (const json_t *params, const char **ret, struct osm_error *err)
{
  if (osm_param_string (params, "id", ret, err) == -1)
    return -1;
  if (!osm_is_safe_name (*ret))
    return osm_error_set (err, OSM_ERROR_USER, EINVAL, "parameter 'id' is not an identifier");
  return 0;
}

int
osm_param_number (const json_t *params, const char *key, uint64_t standard, uint64_t max,
                  uint64_t *ret, struct osm_error *err)
{
  const json_t *value = json_object_get (params, key);
  json_int_t n = json_integer_value (value);

  if (!value && standard != UINT64_MAX) {
    *ret = standard;
    return 0;
  }
  if (!json_is_integer (value) || n < 0 || (uint64_t)n > max)
    return osm_error_set (err, OSM_ERROR_USER, EINVAL,
                          "parameter '%s' must be a number from 0 to %llu", key,
                          (unsigned long long)max);
  *ret = (uint64_t)n;
  return 0;
}

int
osm_param_limit (const json_t *params, const char *key, uint64_t standard, uint64_t *ret,
                 struct osm_error *err)
{
  uint64_t limit;

  if (osm_param_number (params, key, standard, INT64_MAX, &limit, err) == -1)
    return -1;
  if (limit > 0 && limit < OSM_THROTTLE_MIN)
    return osm_error_set (err, OSM_ERROR_USER, EINVAL,
                          "parameter '%s' must be 0 or at least %d bytes per second", key,
                          OSM_THROTTLE_MIN);
  *ret = limit;
  return 0;
}

int
osm_param_group (const json_t *params, struct osm_error *err)
{
  const json_t *group = json_object_get (params, "group");

  if (!group || osm_is_safe_name (json_is_string (group) ? json_string_value (group) : ""))
    return 0;
  return osm_error_set (err, OSM_ERROR_USER, EINVAL, "parameter 'group' is not an identifier");
}

int
osm_param_volume (const json_t *params, struct osm_error *err)
{
  uint64_t size;

  return osm_param_number (params, "size_bytes", UINT64_MAX, INT64_MAX, &size, err) == -1
             ? -1
             : osm_param_device (params, err);
}

int
osm_param_device (const json_t *params, struct osm_error *err)
{
  const char *volume_id;
  uint64_t size;

  if (osm_param_string (params, "volume_id", &volume_id, err) == -1 ||
      osm_param_number (params, "size_bytes", 0, INT64_MAX, &size, err) == -1)
    return -1;
  if (!osm_is_safe_name (volume_id))
    return osm_error_set (err, OSM_ERROR_USER, EINVAL, "parameter 'volume_id' is not an id");
  return 0;
}

json_t *
osm_params_pick (const json_t *from, const char *const *names)
{
  json_t *object = json_object ();

  for (size_t i = 0; names[i]; i++) {
    json_t *value = json_object_get (from, names[i]);

    if (value && !json_is_null (value))
      json_object_set (object, names[i], value);
  }
  return object;
}

static int
check_text (const json_t *object, const char *key, bool mandatory, struct osm_error *err)
{
  const json_t *value = json_object_get (object, key);

  if (!value && !mandatory)
    return 0;
  if (!json_is_string (value) || json_string_length (value) == 0 ||
      json_string_length (value) > TEXT_MAX)
    return osm_error_set (err, OSM_ERROR_USER, EINVAL,
                          "'%s' must be a string of 1 to %d characters", key, TEXT_MAX);
  return 0;
}

int
osm_param_source (const json_t *params, json_t **ret, struct osm_error *err)
{
  static const char *const names[] = { "address", "port",   "user", "host_keys",
                                       "socket",  "cipher", NULL };
  OSM_CLEANUP_JSON json_t *source = osm_params_pick (json_object_get (params, "source"), names);
  const json_t *host_keys = json_object_get (source, "host_keys");
  enum osm_ssh_cipher cipher;
  uint64_t port;
  size_t i;
  json_t *key;

  if (check_text (source, "address", true, err) == -1 ||
      check_text (source, "user", false, err) == -1 ||
      check_text (source, "socket", true, err) == -1 ||
      check_text (source, "cipher", false, err) == -1 ||
      osm_ssh_cipher_parse (osm_json_str (source, "cipher"), &cipher, err) == -1 ||
      osm_param_number (source, "port", 22, UINT16_MAX, &port, err) == -1)
    return osm_error_wrap (err, "parameter 'source'");
  if (!json_is_array (host_keys) || json_array_size (host_keys) == 0 ||
      json_array_size (host_keys) > HOST_KEYS_MAX)
    return osm_error_set (err, OSM_ERROR_USER, EINVAL,
                          "parameter 'source': 'host_keys' must be a list of 1 to %d public keys",
                          HOST_KEYS_MAX);
  json_array_foreach (host_keys, i, key)
  {
    if (!json_is_string (key) || json_string_length (key) > OSM_PARAM_KEY_MAX)
      return osm_error_set (err, OSM_ERROR_USER, EINVAL,
                            "parameter 'source': a host key is no public key");
  }
  *ret = osm_take (source);
  return 0;
}

int
osm_param_free (const json_t *params, struct osm_error *err)
{
  const json_t *value = json_object_get (params, "free");

  if (value && !json_is_null (value) &&
      !(json_is_string (value) && osm_is_safe_name (json_string_value (value))))
    return osm_error_set (err, OSM_ERROR_USER, EINVAL, "parameter 'free' is not an identifier");
  return 0;
}

int
osm_param_boolean (const json_t *params, const char *key, struct osm_error *err)
{
  const json_t *value = json_object_get (params, key);

  if (value && !json_is_boolean (value))
    return osm_error_set (err, OSM_ERROR_USER, EINVAL, "parameter '%s' must be true or false", key);
  return 0;
}

int
osm_param_bad_blocks (const json_t *params, struct osm_error *err)
{
  const json_t *value = json_object_get (params, "bad_blocks");

  if (value && !json_is_null (value) && !osm_str_equal (json_string_value (value), "zero"))
    return osm_error_set (err, OSM_ERROR_USER, EINVAL,
                          "parameter 'bad_blocks' can only be \"zero\"");
  return 0;
}

int
osm_param_compression (const json_t *params, enum osm_compression_mode *ret, struct osm_error *err)
{
  const json_t *value = json_object_get (params, "compression");

  if (value && !json_is_null (value) && !json_is_string (value))
    return osm_error_set (err, OSM_ERROR_USER, EINVAL, "parameter 'compression' must be a string");
  if (osm_compression_parse (json_string_value (value), ret, err) == -1)
    return osm_error_wrap (err, "parameter 'compression'");
  return 0;
}
