/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/type.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/strbuf.h"
#include "common/suggest.h"
#include "controller/cloud/network.h"
#include "controller/tenant/types.h"

const struct osm_tenant_type *const osm_tenant_types[] = {
  &osm_type_project,
  &osm_type_user,
  &osm_type_role_assignment,
  &osm_type_flavor,
  &osm_type_address_scope,
  &osm_type_subnet_pool,
  &osm_type_qos_policy,
  &osm_type_network,
  &osm_type_subnet,
  &osm_type_router,
  &osm_type_router_interface,
  &osm_type_address_group,
  &osm_type_security_group,
  &osm_type_security_group_rule,
  &osm_type_keypair,
  &osm_type_users_keypair,
  &osm_type_image,
  &osm_type_volume_qos,
  &osm_type_volume_type,
  &osm_type_quota,
  &osm_type_server_group,
  &osm_type_port,
  &osm_type_trunk,
  &osm_type_rbac_policy,
  /* Only referred to. */
  &osm_type_domain,
  &osm_type_role,
  &osm_type_segment,
  &osm_type_network_flavor,
  NULL,
};

const struct osm_tenant_type *
osm_tenant_type_find (const char *name)
{
  for (size_t i = 0; osm_tenant_types[i]; i++)
    if (osm_str_equal (osm_tenant_types[i]->name, name))
      return osm_tenant_types[i];
  return NULL;
}

const struct osm_tenant_type *
osm_tenant_type_of_yaml (const char *yaml_type)
{
  for (size_t i = 0; yaml_type && osm_tenant_types[i]; i++)
    if (osm_str_equal (osm_tenant_types[i]->yaml_type, yaml_type))
      return osm_tenant_types[i];
  return NULL;
}

const struct osm_tenant_type *
osm_tenant_type_of_file (const char *file)
{
  for (size_t i = 0; file && osm_tenant_types[i]; i++)
    if (osm_str_equal (osm_tenant_types[i]->file, file))
      return osm_tenant_types[i];
  return NULL;
}

const struct osm_field *
osm_tenant_field (const struct osm_tenant_type *type, const char *name)
{
  for (const struct osm_field *f = type->fields; f->name; f++)
    if (strcmp (f->name, name) == 0 && !(f->flags & OSM_FIELD_INFO))
      return f;
  return NULL;
}

bool
osm_tenant_type_is_of_project (const struct osm_tenant_type *type)
{
  return type->owner || type->of_project;
}

const char *
osm_field_section (const struct osm_field *field)
{
  return field->flags & OSM_FIELD_INFO     ? "_info"
         : field->flags & OSM_FIELD_BEYOND ? "_osm_params"
                                           : "params";
}

json_t *
osm_tenant_path (const json_t *object, const char *path)
{
  OSM_CLEANUP_STRV char **parts = osm_strv_split (path, '.');
  json_t *value = (json_t *)object;

  for (size_t i = 0; value && parts[i]; i++)
    value = json_object_get (value, parts[i]);
  return value;
}

static int
unknown_type (const char *name, struct osm_error *err)
{
  struct osm_suggestion s = osm_suggestion_for (name);
  OSM_STRBUF (known);

  osm_strbuf_add (&known, "all");
  for (size_t i = 0; osm_tenant_types[i]; i++) {
    if (!osm_tenant_types[i]->file)
      continue;
    osm_strbuf_addf (&known, ", %s", osm_tenant_types[i]->name);
    osm_suggestion_offer (&s, osm_tenant_types[i]->name);
  }
  osm_error_set (err, OSM_ERROR_USER, 0, "there is no type '%s'", name);
  return s.best ? osm_error_hint (err, "did you mean '%s'? The types are %s", s.best,
                                  osm_strbuf_str (&known))
                : osm_error_hint (err, "the types are %s", osm_strbuf_str (&known));
}

int
osm_tenant_types_parse (const char *const *names, size_t nr, const struct osm_tenant_type ***ret,
                        struct osm_error *err)
{
  const struct osm_tenant_type **types;
  size_t nr_types = 0;

  for (size_t i = 0; i < nr; i++) {
    const struct osm_tenant_type *type = osm_tenant_type_find (names[i]);

    if (strcmp (names[i], "all") != 0 && (!type || !type->file))
      return unknown_type (names[i], err);
  }
  types = osm_calloc (sizeof osm_tenant_types / sizeof osm_tenant_types[0], sizeof *types);
  for (size_t t = 0; osm_tenant_types[t]; t++) {
    const struct osm_tenant_type *type = osm_tenant_types[t];
    bool wanted = false;

    for (size_t i = 0; i < nr; i++)
      wanted = wanted || strcmp (names[i], type->name) == 0 ||
               (strcmp (names[i], "all") == 0 && !type->administrator);
    if (wanted && type->file)
      types[nr_types++] = type;
  }
  *ret = types;
  return 0;
}

int
osm_tenant_set_tags (const struct osm_change *change, const struct osm_tenant_type *type,
                     const char *id, const struct osm_field *field, const json_t *value,
                     const json_t *is, struct osm_error *err)
{
  const struct osm_collection c = { .service = type->service, .member_path = type->member_path };

  (void)field;
  (void)is;
  return osm_network_tag (change->cloud, &c, id, value, err);
}
