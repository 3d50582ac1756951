/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"
#include "controller/cloud/network.h"
#include "controller/tenant/convert.h"
#include "controller/tenant/types.h"

/* What a rule consists of: everything else of it is about the object. No policy has two rules of one type and direction. */
static const struct {
  const char *type, *keys[4];
} kinds[] = {
  { "bandwidth_limit", { "max_kbps", "max_burst_kbps", "direction", NULL } },
  { "dscp_marking", { "dscp_mark", NULL } },
  { "minimum_bandwidth", { "min_kbps", "direction", NULL } },
  { "minimum_packet_rate", { "min_kpps", "direction", NULL } },
  { "packet_rate_limit", { "max_kpps", "max_burst_kpps", "direction", NULL } },
};
#define NR_KINDS (sizeof kinds / sizeof kinds[0])

/* Without its id. New reference; NULL: of a kind that is not known. */
static json_t *
plain_rule (const json_t *rule)
{
  for (size_t i = 0; i < NR_KINDS; i++) {
    json_t *plain;

    if (!osm_str_equal (kinds[i].type, osm_json_str (rule, "type")))
      continue;
    plain = osm_json_pack ("{s:s}", "type", kinds[i].type);
    for (size_t k = 0; kinds[i].keys[k]; k++) {
      json_t *value = json_object_get (rule, kinds[i].keys[k]);

      if (value && !json_is_null (value))
        json_object_set (plain, kinds[i].keys[k], value);
    }
    return plain;
  }
  return NULL;
}

static int
rules_to_file (const struct osm_inventory *inventory, const json_t *policy, json_t **ret,
               struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *list = json_array ();
  const json_t *rule;
  size_t i;

  (void)inventory;
  json_array_foreach (json_object_get (policy, "rules"), i, rule)
  {
    json_t *plain = plain_rule (rule);
    const char *type = osm_json_str (rule, "type");

    if (!plain)
      return osm_error_set (err, OSM_ERROR_USER, 0, "a rule of type %s, which osm does not know",
                            type ? type : "?");
    json_array_append_new (list, plain);
  }
  *ret = osm_tenant_sorted (list, "type");
  return 0;
}

/* https://docs.openstack.org/api-ref/network/v2/#quality-of-service */
static const struct osm_field fields[] = {
  OSM_FIELD ("description", OSM_FIELD_TEXT),
  OSM_FIELD ("is_default", OSM_FIELD_BOOL, .extension = "qos-default"),
  OSM_FIELD ("is_shared", OSM_FIELD_BOOL, .api = "shared"),
  OSM_FIELD ("name", OSM_FIELD_TEXT),
  OSM_FIELD ("rules", OSM_FIELD_SET, .flags = OSM_FIELD_SEPARATE, .sort_by = "type",
             .to_file = rules_to_file),
  OSM_FIELD ("tags", OSM_FIELD_SET, .flags = OSM_FIELD_SEPARATE),
  OSM_FIELD ("created_at", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("project_id", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("revision_number", OSM_FIELD_INTEGER, .flags = OSM_FIELD_INFO),
  OSM_FIELD ("updated_at", OSM_FIELD_TEXT, .flags = OSM_FIELD_INFO),
  OSM_FIELDS_END,
};

/* ---- rules ---- */

json_t *
osm_qos_rule_changes (const json_t *now, const json_t *wanted)
{
  json_t *changes = json_array (), *rule, *other;
  OSM_CLEANUP_JSON json_t *kept = json_object ();
  OSM_CLEANUP_JSON json_t *puts = json_array ();
  size_t i, j;

  json_array_foreach (wanted, i, rule)
  {
    const char *id = NULL;
    bool equal = false;

    json_array_foreach (now, j, other)
    {
      OSM_CLEANUP_JSON json_t *plain = plain_rule (other);
      const json_t *a = json_object_get (rule, "direction"),
                   *b = json_object_get (other, "direction");

      /* Before there were directions all limits were those of the way out. */
      if (!osm_str_equal (osm_json_str (rule, "type"), osm_json_str (other, "type")) ||
          (a && b && !json_equal (a, b)))
        continue;
      id = osm_json_str (other, "id");
      equal = plain && json_equal (plain, rule);
      break;
    }
    if (id)
      json_object_set_new (kept, id, json_true ());
    if (!equal)
      json_array_append_new (puts, osm_json_pack ("{s:s, s:s?, s:O}", "method", id ? "PUT" : "POST",
                                                  "id", id, "rule", rule));
  }
  json_array_foreach (now, i, other)
  {
    const char *id = osm_json_str (other, "id");

    if (id && !json_object_get (kept, id))
      json_array_append_new (
          changes, osm_json_pack ("{s:s, s:s, s:O}", "method", "DELETE", "id", id, "rule", other));
  }
  json_array_extend (changes, puts);
  return changes;
}

static int
change_rule (const struct osm_change *change, const char *policy, const json_t *what,
             struct osm_error *err)
{
  const json_t *rule = json_object_get (what, "rule");
  const char *type = osm_json_str (rule, "type"), *method = osm_json_str (what, "method"),
             *id = osm_json_str (what, "id");
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (id ? id : ""),
                        *path = osm_asprintf ("/qos/policies/%s/%s_rules%s%s", policy, type,
                                              id ? "/" : "", quoted),
                        *key = osm_asprintf ("%s_rule", type);
  OSM_CLEANUP_JSON json_t *values = plain_rule (rule), *body = NULL;
  OSM_ERROR (why);
  int r;

  if (!values)
    return osm_error_set (err, OSM_ERROR_USER, 0, "there are no rules of type '%s'",
                          type ? type : "");
  json_object_del (values, "type");
  body = osm_json_pack ("{s:O}", key, values);
  r = strcmp (method, "DELETE") == 0 ? osm_cloud_delete (change->cloud, OSM_NETWORK, path, &why)
      : strcmp (method, "PUT") == 0
          ? osm_cloud_put (change->cloud, OSM_NETWORK, path, body, NULL, NULL, &why)
          : osm_cloud_post (change->cloud, OSM_NETWORK, path, body, NULL, NULL, &why);
  if (r == 0)
    return 0;
  /* A path that it does not have: the policy itself is there. */
  if (why.code == 404 && strcmp (method, "POST") == 0)
    return osm_error_set (err, OSM_ERROR_USER, 404, "the cloud has no rules of type %s", type);
  osm_error_move (err, &why);
  return -1;
}

/* They have ids of their own, which are in no file. */
static int
set_rules (const struct osm_change *change, const char *id, const json_t *wanted,
           struct osm_error *err)
{
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (id),
                        *path = osm_asprintf ("/qos/policies/%s", quoted);
  OSM_CLEANUP_JSON json_t *policy = NULL, *changes = NULL;
  const json_t *what;
  size_t i;

  if (osm_cloud_get (change->cloud, OSM_NETWORK, path, "policy", &policy, err) == -1)
    return -1;
  changes = osm_qos_rule_changes (json_object_get (policy, "rules"), wanted);
  json_array_foreach (changes, i, what)
  {
    if (change_rule (change, quoted, what, err) == -1)
      return -1;
  }
  return 0;
}

/* Neutron has them beside the policies, not below them: /policies/ID/tags. */
static int
set_tags (const struct osm_change *change, const char *id, const json_t *tags,
          struct osm_error *err)
{
  const struct osm_collection c = { .service = OSM_NETWORK, .member_path = "/policies" };

  return osm_network_tag (change->cloud, &c, id, tags, err);
}

static int
set (const struct osm_change *change, const struct osm_tenant_type *type, const char *id,
     const struct osm_field *field, const json_t *value, const json_t *is, struct osm_error *err)
{
  (void)type;
  (void)is;
  return strcmp (field->name, "rules") == 0 ? set_rules (change, id, value, err)
                                            : set_tags (change, id, value, err);
}

static const char *const match[] = { "name", NULL };

const struct osm_tenant_type osm_type_qos_policy = {
  .name = "qos_policies",
  .noun = "QoS policy",
  .yaml_type = "osm.network.QoSPolicy",
  .file = OSM_OWN_FILES "qos_policies.yml",
  .privileged = true,
  .optional = true,
  .service = OSM_NETWORK,
  .list_path = "/qos/policies?project_id=%s",
  .list_key = "policies",
  .member_path = "/qos/policies",
  .member_key = "policy",
  .list_by_id = true,
  .owner = "project_id",
  .match = match,
  .fields = fields,
  .set = set,
};
