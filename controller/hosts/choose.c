/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Which path works: each is opened and tested over its whole length. */

#include <config.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "controller/hosts/internal.h"
#include "controller/hosts/path.h"

#define FACT "path"

static int
remembered (struct osm_hosts_context *context, const struct osm_host *destination, char **ret,
            struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *value = NULL;

  if (osm_host_recall (context, destination->side, FACT, &value, err) == -1)
    return -1;
  *ret = osm_strdup (json_string_value (value));
  return 0;
}

/* What cannot be told the next process is told: it looks again. */
static void
remember (struct osm_hosts_context *context, const struct osm_path *path)
{
  OSM_ERROR (ignored);

  if (osm_host_remember (context, path->destination->side, FACT,
                         json_string (osm_path_name (path->kind)), &ignored) == -1)
    osm_debug ("%s", ignored.message);
}

int
osm_path_is_reverse (struct osm_hosts_context *context, bool *ret, struct osm_error *err)
{
  const char *policy = context->config->link_path;
  OSM_CLEANUP_JSON json_t *last = NULL;

  if (osm_host_recall (context, OSM_DESTINATION, FACT, &last, err) == -1)
    return -1;
  *ret = osm_str_equal (osm_str_equal (policy, "auto") ? json_string_value (last) : policy,
                        osm_path_name (OSM_PATH_REVERSE));
  return 0;
}

/* *ret: open and tested. */
static int
try (struct osm_hosts_context *context, struct osm_host *source, struct osm_host *destination,
     enum osm_path_kind kind, const struct osm_path_wish *wish, json_t **ret_link,
     struct osm_path **ret, struct osm_error *err)
{
  OSM_CLEANUP_PATH struct osm_path *path = NULL;
  OSM_ERROR (ignored);
  bool closed;

  if (osm_path_open (context, source, destination, kind, wish->id, &path, err) == -1)
    return -1;
  if (osm_hosts_choose_cipher (context, path, wish->bytes, ret_link, err) == 0) {
    *ret = osm_take (path);
    return 0;
  }
  /* Nothing stays open that was opened in vain. */
  osm_interrupt_hold ();
  if (kind != OSM_PATH_DIRECT && osm_path_forget (source, destination, wish->id, &ignored) == -1)
    osm_debug ("path: %s", ignored.message);
  osm_error_clear (&ignored);
  if (path->let_in && osm_path_let_in (context, source, false, &closed, &ignored) == -1)
    osm_warning ("%s", ignored.message);
  osm_interrupt_release ();
  return -1;
}

static int
none_works (const struct osm_hosts_context *context, const char *policy, const json_t *tried,
            const struct osm_host *source, const struct osm_host *destination,
            struct osm_error *err)
{
  OSM_STRBUF (text);
  size_t i;
  const json_t *one;

  json_array_foreach (tried, i, one)
      osm_strbuf_addf (&text, "%s%s: %s", i > 0 ? "; " : "", osm_json_str (one, "path"),
                       osm_json_str (json_object_get (one, "error"), "message"));
  osm_error_set (err, OSM_ERROR_RETRY, 0,
                 "the destination conversion host does not reach the source's: %s",
                 osm_strbuf_str (&text));
  if (json_array_size (tried) < OSM_PATH_KINDS && !osm_str_equal (policy, "auto"))
    return osm_error_hint (err, "only the path '%s' was allowed; 'auto' tries all of them", policy);
  if (context->config->host[OSM_SOURCE].security_group ||
      context->config->host[OSM_DESTINATION].security_group)
    return osm_error_hint (
        err,
        "one of these has to be let through, TCP port 22: %s to %s, %s to %s, or "
        "this machine to both; see the security groups that you configured",
        destination->address, source->address, source->address, destination->address);
  return osm_error_hint (err,
                         "osm-controller deploy-conversion-hosts repairs the security groups and "
                         "links the two again; a firewall between them has to let TCP port 22 "
                         "through, from %s to %s or the other way round",
                         destination->address, source->address);
}

int
osm_path_choose (struct osm_hosts_context *context, struct osm_host *source,
                 struct osm_host *destination, const struct osm_path_wish *wish, json_t **ret_link,
                 struct osm_path **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *last = NULL;
  OSM_CLEANUP_JSON json_t *tried = json_array ();
  enum osm_path_kind kinds[OSM_PATH_KINDS];
  size_t n;

  if (osm_path_check (wish->policy, err) == -1 ||
      (!wish->look && remembered (context, destination, &last, err) == -1))
    return -1;
  n = osm_path_order (wish->policy, last, kinds);
  for (size_t i = 0; i < n; i++) {
    OSM_CLEANUP_JSON json_t *link = NULL;
    OSM_ERROR (why);

    if (try (context, source, destination, kinds[i], wish, &link, ret, &why) == 0) {
      /* A wish for one migration says nothing about the next. */
      if (osm_str_equal (wish->policy, "auto"))
        remember (context, *ret);
      osm_json_set_str (link, "path", osm_path_name (kinds[i]));
      json_object_set (link, "tried", tried);
      if (ret_link)
        *ret_link = osm_take (link);
      return 0;
    }
    if (why.class == OSM_ERROR_INTERRUPTED) {
      osm_error_move (err, &why);
      return -1;
    }
    osm_info ("path %s: %s", osm_path_name (kinds[i]), why.message);
    json_array_append_new (tried, osm_json_pack ("{s:s, s:o}", "path", osm_path_name (kinds[i]),
                                                 "error", osm_error_to_json (&why)));
  }
  none_works (context, wish->policy, tried, source, destination, err);
  if (ret_link)
    *ret_link = osm_json_pack ("{s:o, s:O}", "error", osm_error_to_json (err), "tried", tried);
  return -1;
}
