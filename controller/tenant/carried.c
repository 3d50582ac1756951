/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/carried.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/tenant/convert.h"

static bool
is_empty (const json_t *value)
{
  return !value || json_is_null (value) || json_is_false (value) ||
         ((json_is_array (value) || json_is_object (value)) &&
          json_array_size (value) + json_object_size (value) == 0);
}

static void
note (json_t *entry, const char *key, const char *why, const char *name)
{
  const char *now = osm_json_str (entry, key);
  OSM_CLEANUP_FREE char *text = now ? osm_asprintf ("%s, %s", now, name)
                                    : osm_asprintf ("without, because %s: %s", why, name);

  json_object_set_new (entry, key, json_string (text));
}

/* What only administrators may ask for is not asked for, and not compared either: nobody could make it equal. Truth values of that kind
 * are true where nothing is said. */
void
osm_carried_without_rights (const struct osm_tenant_type *type, json_t *entries)
{
  json_t *entry;
  size_t i;

  json_array_foreach (entries, i, entry) for (const struct osm_field *f = type->fields; f->name;
                                              f++)
  {
    if (!(f->flags & OSM_FIELD_ADMIN))
      continue;
    if (f->kind == OSM_FIELD_BOOL ? json_is_false (osm_tenant_value (entry, f))
                                  : !is_empty (osm_tenant_value (entry, f)))
      note (entry, "_refused", "only administrators may ask for it", f->name);
    json_object_del (json_object_get (entry, osm_field_section (f)), f->name);
  }
}

static bool
is_known (struct osm_cloud *cloud, const struct osm_tenant_type *type, const json_t *extensions,
          const struct osm_field *f)
{
  if (f->since && !osm_cloud_has_microversion (cloud, type->service, f->since))
    return false;
  return !f->extension || !extensions || json_object_get (extensions, f->extension);
}

int
osm_carried_known (struct osm_cloud *cloud, const struct osm_tenant_type *type,
                   const json_t *extensions, const json_t *entry, json_t **ret, char **ret_dropped,
                   struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *copy = json_deep_copy (entry);
  const char *refused, *unknown;

  for (const struct osm_field *f = type->fields; f->name; f++) {
    const json_t *value = osm_tenant_value (entry, f);

    if ((f->flags & OSM_FIELD_INFO) || !value || is_known (cloud, type, extensions, f))
      continue;
    if (!is_empty (value) && (f->flags & OSM_FIELD_RESTRICTS))
      return osm_error_set (err, OSM_ERROR_USER, 0,
                            "cloud '%s' does not know %s: without it the %s would allow more, so "
                            "it is not made",
                            osm_cloud_name (cloud), f->name, type->noun);
    if (!is_empty (value))
      note (copy, "_unknown", "the cloud does not know it", f->name);
    json_object_del (json_object_get (copy, osm_field_section (f)), f->name);
  }
  refused = osm_json_str (copy, "_refused");
  unknown = osm_json_str (copy, "_unknown");
  *ret_dropped = !refused || !unknown ? osm_strdup (refused ? refused : unknown)
                                      : osm_asprintf ("%s; %s", refused, unknown);
  *ret = osm_take (copy);
  return 0;
}
