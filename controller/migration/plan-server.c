/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What a server has beside flavor, volumes and ports: tags, hostname, local disks, key pair, server group. */

#include <config.h>

#include "controller/migration/plan-internal.h"

#include <ctype.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/cloud/compute.h"

/* ---- hostname ---- */

#define HOSTNAME_MAX 63

char *
osm_plan_default_hostname (const char *name)
{
  OSM_CLEANUP_FREE char *text = osm_strndup (name, HOSTNAME_MAX);
  size_t first, last, n = 0;

  /* nova/utils.py: sanitize_hostname */
  for (const char *p = text; *p; p++) {
    if (strchr (" _.", *p))
      text[n++] = '-';
    else if ((unsigned char)*p < 0x80 && (isalnum ((unsigned char)*p) || *p == '-'))
      text[n++] = (char)tolower ((unsigned char)*p);
  }
  text[n] = '\0';
  first = strspn (text, "-");
  last = strlen (text);
  while (last > first && text[last - 1] == '-')
    last--;
  return osm_strndup (text + first, last - first);
}

bool
osm_plan_is_hostname (const char *text)
{
  size_t len = strlen (text);

  /* nova/api/validation/parameter_types.py: hostname */
  if (len < 2 || len > HOSTNAME_MAX || text[0] == '-' || text[len - 1] == '-')
    return false;
  for (; *text; text++)
    if ((unsigned char)*text >= 0x80 || !(isalnum ((unsigned char)*text) || *text == '-'))
      return false;
  return true;
}

static void
plan_hostname (json_t *plan, const json_t *server, const struct osm_plan_abilities *destination,
               json_t *planned)
{
  const char *shown = osm_json_str (server, "OS-EXT-SRV-ATTR:hostname"),
             *name = osm_json_str (server, "name");
  OSM_CLEANUP_FREE char *given = osm_plan_default_hostname (name);

  if (!shown || !*shown)
    return;
  if (destination->hostname && osm_plan_is_hostname (shown))
    osm_json_set_str (planned, "hostname", shown);
  else if (strcmp (shown, given) != 0)
    osm_plan_finding (plan, "hostname-changes", "warning", name,
                      "set it inside the new server (hostnamectl), or in its user data",
                      "server '%s' has the hostname '%s', which cannot be given at cloud '%s': it "
                      "is told '%s' there",
                      name, shown, destination->cloud, given);
}

/* ---- tags ---- */

static void
plan_tags (json_t *plan, const json_t *server, const struct osm_plan_abilities *destination,
           json_t *planned)
{
  json_t *tags = json_object_get (server, "tags");
  const char *name = osm_json_str (server, "name");

  if (json_array_size (tags) == 0)
    return;
  if (destination->tags)
    json_object_set (planned, "tags", tags);
  else
    osm_plan_finding (plan, "destination-no-server-tags", "warning", name, NULL,
                      "cloud '%s' is too old for tags of servers: the %zu of server '%s' are lost",
                      destination->cloud, json_array_size (tags), name);
}

void
osm_plan_identity (json_t *plan, const json_t *server, const struct osm_plan_abilities *destination,
                   json_t *planned)
{
  osm_json_set_str (planned, "disk_config", osm_json_str (server, "OS-DCF:diskConfig"));
  plan_tags (plan, server, destination, planned);
  plan_hostname (plan, server, destination, planned);
}

/* ---- key pair ---- */

/* *ret NULL: it is not there, or not for us to see. */
static int
find_optional (struct osm_cloud *cloud, const struct osm_collection *collection, const char *name,
               json_t **ret, struct osm_error *err)
{
  OSM_ERROR (why);

  *ret = NULL;
  if (osm_cloud_find (cloud, collection, name, ret, &why) == 0)
    return 0;
  if (why.code == 404 || why.code == 403)
    return 0;
  osm_error_move (err, &why);
  return -1;
}

void
osm_plan_choose_key_pair (json_t *plan, const char *name, const json_t *old, const json_t *there,
                          const char *cloud, json_t *planned)
{
  const char *was = osm_json_str (old, "fingerprint"), *is = osm_json_str (there, "fingerprint"),
             *wanted = osm_json_str (there, "name") ? osm_json_str (there, "name") : name;

  osm_json_set_str (planned, "key_name", wanted);
  if (there && was && is && strcmp (was, is) != 0)
    osm_plan_finding (plan, "destination-key-pair-differs", "warning", wanted,
                      "rename or delete it there, if the new server is to have the old key",
                      "key pair '%s' of cloud '%s' is another key (%s, not %s): the new server is "
                      "told that one",
                      wanted, cloud, is, was);
  if (there)
    return;
  json_object_set_new (planned, "key_pair",
                       osm_json_pack ("{s:s, s:s?, s:s?, s:s?}", "name", name, "public_key",
                                      osm_json_str (old, "public_key"), "fingerprint", was, "type",
                                      osm_json_str (old, "type")));
  osm_plan_finding (plan, "key-pair-imported", "info", name, NULL,
                    "cloud '%s' has no key pair '%s': the public key is imported there", cloud,
                    name);
}

static int
plan_key_pair (const struct osm_plan_input *input, json_t *plan, const json_t *server,
               json_t *planned, struct osm_error *err)
{
  const char *name = osm_json_str (server, "key_name"),
             *cloud = osm_cloud_name (input->cloud[OSM_DESTINATION]);
  OSM_CLEANUP_FREE char *wanted =
      osm_plan_wanted (input, input->wishes, "key_pair", "key_pairs", name, NULL, NULL);
  OSM_CLEANUP_JSON json_t *old = NULL, *there = NULL;

  osm_plan_choose (planned, "key_pair", wanted, NULL);
  if (!wanted)
    return 0;
  /* That of another user is not shown. */
  if ((name && find_optional (input->cloud[OSM_SOURCE], &osm_keypairs, name, &old, err) == -1) ||
      find_optional (input->cloud[OSM_DESTINATION], &osm_keypairs, wanted, &there, err) == -1)
    return -1;
  if (there || (osm_str_equal (wanted, name) && osm_json_str (old, "public_key") &&
                osm_json_str (old, "fingerprint"))) {
    osm_plan_choose_key_pair (plan, name ? name : wanted, old, there, cloud, planned);
    osm_plan_choose (planned, "key_pair", wanted, wanted);
    return 0;
  }
  return osm_plan_look_up (input, plan, "key_pairs", &osm_keypairs, name ? name : wanted, wanted,
                           &there, err);
}

/* ---- server group ---- */

const json_t *
osm_plan_group_of (const json_t *groups, const char *server_id)
{
  size_t i, k;
  const json_t *group, *member;

  json_array_foreach (groups, i, group)
  {
    json_array_foreach (json_object_get (group, "members"), k, member)
    {
      if (osm_str_equal (json_string_value (member), server_id))
        return group;
    }
  }
  return NULL;
}

/* *ret NULL: the server is in none. */
static int
group_of (const struct osm_plan_input *input, json_t *plan, const json_t *server, json_t **ret,
          struct osm_error *err)
{
  struct osm_cloud *cloud = input->cloud[OSM_SOURCE];
  const json_t *ids = json_object_get (server, "server_groups"); /* 2.71 */
  const char *id = json_string_value (json_array_get (ids, 0)),
             *name = osm_json_str (server, "name");
  OSM_CLEANUP_JSON json_t *all = NULL;

  *ret = NULL;
  if (!ids) {
    if (osm_cloud_list (cloud, OSM_COMPUTE, osm_server_groups.list_path, osm_server_groups.list_key,
                        &all, err) == -1) {
      if (!osm_error_not_found (err) && err->code != 403)
        return -1;
      osm_error_clear (err);
      return 0;
    }
    *ret = json_incref ((json_t *)osm_plan_group_of (all, osm_json_str (server, "id")));
    return 0;
  }
  if (!id)
    return 0;
  if (find_optional (cloud, &osm_server_groups, id, ret, err) == -1)
    return -1;
  if (!*ret)
    osm_plan_finding (plan, "source-server-group-hidden", "warning", name, NULL,
                      "server '%s' is in a server group that these credentials cannot see (%s): "
                      "the new server is in none",
                      name, id);
  return 0;
}

void
osm_plan_choose_group (json_t *plan, const json_t *group, const json_t *there, const char *cloud,
                       json_t *planned)
{
  const char *name = osm_json_str (there ? there : group, "name"),
             *policy = osm_server_group_policy (group), *is = osm_server_group_policy (there);
  json_t *chosen = osm_json_pack ("{s:s?, s:s?, s:s?}", "name", name, "policy", there ? is : policy,
                                  "id", osm_json_str (there, "id"));
  json_t *rules = json_object_get (group, "rules");

  json_object_set_new (planned, "server_group", chosen);
  if (there && group && !osm_str_equal (policy, is))
    osm_plan_finding (plan, "destination-server-group-differs", "warning", name,
                      "map it to another one: map: { server_groups: { OLD: NEW } }",
                      "server group '%s' of cloud '%s' has the policy '%s', that of the source "
                      "has '%s'",
                      name, cloud, is ? is : "none", policy ? policy : "none");
  if (there)
    return;
  if (json_object_size (rules) > 0)
    json_object_set (chosen, "rules", rules);
  osm_plan_finding (plan, "server-group-made", "info", name, NULL,
                    "cloud '%s' has no server group '%s': it is made there, with policy '%s'",
                    cloud, name, policy ? policy : "none");
}

static int
plan_server_group (const struct osm_plan_input *input, json_t *plan, const json_t *server,
                   json_t *planned, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *group = NULL, *there = NULL;
  OSM_CLEANUP_FREE char *wanted = NULL;
  const char *name;
  OSM_ERROR (why);

  if (group_of (input, plan, server, &group, err) == -1)
    return -1;
  name = osm_json_str (group, "name");
  if (group && (!name || !osm_server_group_policy (group)))
    return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                          "cloud '%s': the answer about a server group has no %s",
                          osm_cloud_name (input->cloud[OSM_SOURCE]), name ? "policy" : "name");
  wanted = osm_plan_wanted (input, input->wishes, "server_group", "server_groups", name,
                            osm_json_str (group, "id"), NULL);
  osm_plan_choose (planned, "server_group", wanted, NULL);
  if (!wanted)
    return 0;
  if (osm_cloud_find (input->cloud[OSM_DESTINATION], &osm_server_groups, wanted, &there, &why) ==
      -1) {
    bool missing = osm_str_equal (wanted, name) && why.code == 404;

    /* Another one was named, or there are several. */
    if (!missing) {
      if (osm_plan_look_up (input, plan, "server_groups", &osm_server_groups, name ? name : wanted,
                            wanted, &there, err) == -1)
        return -1;
      if (!there)
        return 0;
    }
  }
  osm_plan_choose (planned, "server_group", wanted, there ? osm_json_str (there, "id") : wanted);
  osm_plan_choose_group (plan, group, there, osm_cloud_name (input->cloud[OSM_DESTINATION]),
                         planned);
  return 0;
}

/* ---- all of it ---- */

/* Before 2.47 the server only names its flavor, which may be gone. */
static int
flavor_of (const struct osm_plan_input *input, const json_t *server, json_t **ret,
           struct osm_error *err)
{
  json_t *embedded = json_object_get (server, "flavor");

  if (!json_object_get (embedded, "id") || json_object_get (embedded, "ephemeral")) {
    *ret = json_incref (embedded);
    return 0;
  }
  return find_optional (input->cloud[OSM_SOURCE], &osm_flavors, osm_json_str (embedded, "id"), ret,
                        err);
}

int
osm_plan_belongings (const struct osm_plan_input *input, json_t *plan, const json_t *server,
                     const json_t *flavor, json_t *planned, struct osm_error *err)
{
  struct osm_cloud *cloud = input->cloud[OSM_DESTINATION];
  const struct osm_plan_abilities destination = {
    .cloud = osm_cloud_name (cloud),
    .tags = osm_cloud_has_microversion (cloud, OSM_COMPUTE, "2.26"),
    .hostname = osm_cloud_has_microversion (cloud, OSM_COMPUTE, "2.90"),
  };
  OSM_CLEANUP_JSON json_t *old_flavor = NULL;

  osm_plan_identity (plan, server, &destination, planned);
  if (!osm_str_equal (input->power, "keep"))
    osm_json_set_str (planned, "power", input->power);
  if (flavor_of (input, server, &old_flavor, err) == -1)
    return -1;
  osm_json_set_str (plan, "local_disks", input->local_disks);
  osm_plan_check_local_disks (plan, server, old_flavor, flavor, input->local_disks);
  return plan_key_pair (input, plan, server, planned, err) == -1
             ? -1
             : plan_server_group (input, plan, server, planned, err);
}
