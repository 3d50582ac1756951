/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The last part of a deployment: the two hosts get to know each other. */

#include <config.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/hosts/internal.h"
#include "controller/hosts/path.h"

#define TEST_BYTES (1024 * 1024)

static int
remember_addresses (struct osm_hosts_context *context, struct osm_host *host, char *const *seen_as,
                    struct osm_error *err)
{
  json_t *list = json_array ();

  osm_strv_free (osm_take (host->seen_as));
  for (size_t i = 0; seen_as && seen_as[i]; i++) {
    osm_strv_append (&host->seen_as, seen_as[i]);
    json_array_append_new (list, json_string (seen_as[i]));
  }
  return osm_host_remember (context, host->side, "seen_as", list, err);
}

/* Which path works, by a short test over the very path of the data. */
static int
find_path (struct osm_hosts_context *context, struct osm_host *source, struct osm_host *destination,
           bool *ret_changed, char **ret_text, struct osm_error *err)
{
  const struct osm_path_wish wish = {
    .policy = context->config->link_path, .id = "probe", .bytes = TEST_BYTES, .look = true
  };
  OSM_CLEANUP_PATH struct osm_path *path = NULL;
  OSM_CLEANUP_JSON json_t *link = NULL;
  const char *cipher;
  bool direct;

  if (osm_path_choose (context, source, destination, &wish, &link, &path, err) == -1)
    return -1;
  direct = path->kind == OSM_PATH_DIRECT;
  *ret_changed = path->let_in;
  if (!direct && osm_path_forget (source, destination, wish.id, err) == -1)
    return -1;
  /* It was open for a path that is not needed any more. */
  if (path->kind != OSM_PATH_REVERSE &&
      osm_path_let_in (context, source, false, ret_changed, err) == -1)
    return -1;
  cipher = osm_json_str (link, "cipher");
  *ret_text = osm_asprintf ("reaches the source conversion host%s%s%s, %s", direct ? "" : " (",
                            direct ? "" : osm_path_text (path->kind), direct ? "" : ")",
                            cipher ? cipher : "cipher unknown");
  return 0;
}

/* The destination's key is let in at the source, from its address only. */
int
osm_hosts_pair (struct osm_hosts_context *context, struct osm_host *source,
                struct osm_host *destination, char *const *source_seen_as,
                char *const *destination_seen_as, bool *ret_changed, char **ret_text,
                struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *key = NULL, *answer = NULL;
  OSM_CLEANUP_FREE char *from = osm_strv_join (destination_seen_as, ",");
  json_t *params;

  if (osm_link_call (destination->link, "peer.key", json_object (), &key, err) == -1)
    return -1;
  params = osm_json_pack ("{s:s, s:s?, s:s}", "id", context->config->host[OSM_DESTINATION].name,
                          "public_key", osm_json_str (key, "public_key"), "from", from);
  if (osm_link_call (source->link, "peer.authorize", params, &answer, err) == -1 ||
      remember_addresses (context, source, source_seen_as, err) == -1 ||
      remember_addresses (context, destination, destination_seen_as, err) == -1 ||
      find_path (context, source, destination, ret_changed, ret_text, err) == -1)
    return osm_error_wrap (err, "link the two conversion hosts");
  return 0;
}
