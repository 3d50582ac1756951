/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The kinds of objects around a server, one table entry each: what they are called in files and in the APIs, what they consist
 * of, what they refer to, and what makes one the same as another. Everything else in this folder works from these entries.
 *
 *   const struct osm_tenant_type *type = osm_tenant_type_find ("networks");
 *   for (const struct osm_field *f = type->fields; f->name; f++) ...
 *
 * A new type is one file with its entry, and its line in types.c. */

#ifndef OSM_CONTROLLER_TENANT_TYPE_H
#define OSM_CONTROLLER_TENANT_TYPE_H

#include <jansson.h>
#include <stdbool.h>

#include "controller/cloud/cloud.h"

struct osm_change;
struct osm_filter;
struct osm_inventory;
struct osm_tenant_type;

enum osm_field_kind {
  OSM_FIELD_TEXT,
  OSM_FIELD_INTEGER,
  OSM_FIELD_REAL,
  OSM_FIELD_BOOL,
  OSM_FIELD_LIST,   /* its order means something */
  OSM_FIELD_SET,    /* it does not: sorted in files */
  OSM_FIELD_OBJECT, /* any keys */
  OSM_FIELD_REF,    /* the API has an id, the file {name, project_name, domain_name} */
  OSM_FIELD_REFS,   /* structure with such references inside; needs to_file and to_api */
};

enum osm_field_flag {
  OSM_FIELD_INFO = 1,      /* in _info: told, never sent, never compared */
  OSM_FIELD_BEYOND = 2,    /* unknown to OS Migrate: in _osm_params, and may be missing there */
  OSM_FIELD_FIXED = 4,     /* sent at creation only */
  OSM_FIELD_NULLABLE = 8,  /* null is a value of its own; elsewhere it says nothing */
  OSM_FIELD_SEPARATE = 16, /* not part of the object's request: tags, extra specs */
  OSM_FIELD_NO_EMPTY = 32, /* empty is not sent: some clouds know the attribute not at all */
  OSM_FIELD_LATE = 128,    /* set when everything else is there: routes need interfaces */
  OSM_FIELD_ADMIN = 256,   /* tenants may not ask for it: of the cloud, not of them */
  OSM_FIELD_CLOUD =
      512, /* how the cloud does it: shown to administrators, or good for nothing elsewhere */
  OSM_FIELD_RESTRICTS = 1024, /* without it the object allows more: it is not made then */
  OSM_FIELD_UNORDERED = 2048, /* OSM_FIELD_REFS without an order: sorted in files */
  OSM_FIELD_AS_TEXT = 64, /* the API has numbers and truth values as text (properties of images) */
};

struct osm_field {
  const char *name; /* in the file; NULL ends the table */
  enum osm_field_kind kind;
  unsigned flags;
  const char *api;       /* in the API, if it is another; dots lead into objects */
  const char *refers;    /* OSM_FIELD_REF: name of the type referred to */
  const char *sort_by;   /* OSM_FIELD_SET of objects: member that is looked at first */
  const char *extension; /* of Neutron, without which the cloud refuses it */
  const char *since;     /* the microversion that brought it */
  const char *group;     /* fields of one group are sent together: one member of the object */
  const char *with;      /* compared only where that field is the same */
  /* Instead of copying. *ret stays NULL: as if it were not there. */
  int (*to_file) (const struct osm_inventory *inventory, const json_t *object, json_t **ret,
                  struct osm_error *err);
  /* The value in the file to what is put into the request's body. */
  int (*to_api) (const struct osm_inventory *inventory, const json_t *value, json_t *body,
                 struct osm_error *err);
};
#define OSM_FIELD(field_name, field_kind, ...)                \
  {                                                           \
    .name = (field_name), .kind = (field_kind), ##__VA_ARGS__ \
  }
#define OSM_FIELDS_END \
  {                    \
    .name = NULL       \
  }

enum osm_ref_style {
  OSM_REF_OWNED,  /* project and domain of the owner, %auth% for one's own */
  OSM_REF_GLOBAL, /* the name alone */
  OSM_REF_DOMAIN, /* the name and its domain */
  OSM_REF_USER,   /* likewise; oneself is %auth% */
};

/* What a type's own list function works with. */
struct osm_listing {
  struct osm_cloud *cloud;
  const struct osm_inventory
      *inventory; /* with the lists of the types that have no such function */
};

/* Where the data of images comes from. */
struct osm_image_source {
  /* The source cloud, opened when it is needed first. Borrowed. */
  int (*open) (void *data, struct osm_cloud **ret, struct osm_error *err);
  /* Of the data of one; any thread. NULL: not wanted. phase: "copy", "done". */
  void (*progress) (void *data, unsigned index, const char *name, const char *phase,
                    uint64_t size_bytes, uint64_t done_bytes);
  const char *blobs; /* folder of OS Migrate with the data as files ID-NAME, or NULL */
  void *data;
};

/* One project of several, whose objects an administrator makes with a token of another one. */
struct osm_tenant_project {
  const char *id; /* NULL: what belongs to no project */
  bool portable;  /* without OSM_FIELD_CLOUD: as its own user would export it, for another cloud */
  /* A cloud with a token of that project, for what always belongs to the token's. Borrowed. */
  int (*open) (void *data, struct osm_cloud **ret, struct osm_error *err);
  /* What a project of that name and domain (may be NULL) in the files is called at this cloud: replaces them, or leaves them. */
  void (*rename) (void *data, char **domain, char **name);
  const json_t *
      pretended; /* in a dry run: projects that would be made, as the API would show them. NULL: none. Borrowed */
  void *data;
};

/* What the functions that change a cloud work with. */
struct osm_change {
  struct osm_cloud *cloud;
  const struct osm_inventory *inventory;
  const struct osm_image_source *images;
  const struct osm_filter *rules; /* names of groups whose rules come from files; NULL: of none */
};

/* Folder of the files of types that OS Migrate does not know: it refuses each unknown one in its own. */
#define OSM_OWN_FILES "osm/"

struct osm_tenant_type {
  const char *name; /* "networks": operand of commands, key of inventories */
  const char *noun; /* "network" */
  /* Of OS Migrate. NULL: objects of this type are referred to, and never in files. */
  const char *yaml_type; /* "openstack.network.Network" */
  const char *file;      /* "networks.yml" */
  bool administrator;    /* not part of a tenant: "all" leaves it out */
  bool privileged;       /* part of a tenant that only administrators may make */
  bool optional;         /* some clouds do not know it at all */
  enum osm_service service;
  const char *list_path;   /* with its query; "%s" is the project's id */
  const char *list_key;    /* "networks" */
  const char *item_key;    /* each item is {ITEM_KEY: object} */
  const char *member_path; /* GET of one; NULL: there is none */
  const char *member_key;  /* NULL: the answer is the object */
  bool list_by_id;         /* ?id=A&id=B works */
  const char *owner;       /* "project_id": only those of our project are exported; NULL: all */
  bool of_project;         /* they belong to a project even so */
  enum osm_ref_style ref_style;
  /* Identity in file and cloud: names of fields, which must be equal. NULL-terminated. */
  const char *const *match;
  bool by_content;       /* that is all there is to it: an edited one is another one */
  bool called_by_mac;    /* references to those without a name have their MAC address */
  bool nameless;         /* the name may be empty: the rest of match is enough */
  const char *filter_by; /* what --filter looks at, "security_group_ref.name"; NULL: "name" */
  const char
      *part_of; /* the field that refers to what contains it, "network_ref"; NULL: nothing does */
  const struct osm_field *fields;

  /* Its id, if that is not the member "id". Caller frees. */
  char *(*id) (const json_t *object);
  /* Instead of one GET of list_path. *ret: a new array. */
  int (*list) (const struct osm_listing *listing, json_t **ret, struct osm_error *err);
  /* Instead of osm_tenant_identity, where the cloud takes more for the same. Caller frees. */
  char *(*spelling) (const struct osm_tenant_type *type, const json_t *entry);
  /* Of the objects listed, is this one to be exported? Beside the rule of owner. */
  bool (*wanted) (const struct osm_inventory *inventory, const json_t *object);

  const char *never_made; /* why objects of this type cannot be made; NULL: they can */
  bool removable;         /* what is in no file is deleted when the files are to be exact */
  const char *
      bulk_by; /* one POST takes many of them in which this is equal, "security_group_id", and only objects for which doing it
                           * twice is refused; NULL: one each */
  bool patch;  /* changed by PATCH instead of PUT */
  bool cleanable; /* cleanup-source may delete it: a tenant's, whose users uses.c can tell */
  /* Instead of a POST of body. *ret: the object as the API shows it. */
  int (*create) (const struct osm_change *change, const json_t *entry, const json_t *body,
                 json_t **ret, struct osm_error *err);
  /* Instead of one request with body, which has the fields that differ. entry, is: in the file, and the same of the cloud's object. */
  int (*update) (const struct osm_change *change, const char *id, const json_t *body,
                 const json_t *entry, const json_t *is, struct osm_error *err);
  /* 1: that object of the cloud is one that osm began to make of the entry; it counts as created, and goes to finish. 0: it is not. -1: it
   * was begun for another one. */
  int (*unfinished) (const struct osm_inventory *inventory, const char *id, const json_t *entry,
                     struct osm_error *err);
  /* When all of the type are made: what those that are created still lack. rows: as osm_tenant_compare has them; failures go into their
   * results. -1 only if all ends here. */
  int (*finish) (const struct osm_change *change, json_t *rows, struct osm_error *err);
  /* Fields of OSM_FIELD_SEPARATE that the type has; is: what the cloud has now, or NULL. */
  int (*set) (const struct osm_change *change, const struct osm_tenant_type *type, const char *id,
              const struct osm_field *field, const json_t *value, const json_t *is,
              struct osm_error *err);
  /* Instead of a DELETE of member_path. object: as the API shows it. */
  int (*remove) (struct osm_cloud *cloud, const json_t *object, struct osm_error *err);
};

/* In the order in which they can be made; NULL at the end. Those without a file are last. */
extern const struct osm_tenant_type *const osm_tenant_types[];
const struct osm_tenant_type *osm_tenant_type_find (const char *name); /* or NULL */
const struct osm_tenant_type *osm_tenant_type_of_yaml (const char *yaml_type);
const struct osm_tenant_type *osm_tenant_type_of_file (const char *file);
const struct osm_field *osm_tenant_field (const struct osm_tenant_type *type, const char *name);
/* Do its objects belong to one project, and not to users or the whole cloud? */
bool osm_tenant_type_is_of_project (const struct osm_tenant_type *type);
/* "params", "_osm_params" or "_info". */
const char *osm_field_section (const struct osm_field *field);
/* Value at "a.b.c", or NULL. Borrowed. */
json_t *osm_tenant_path (const json_t *object, const char *path);
/* Operands of a command, "all" among them, to types in their order. An unknown one: USER error with the known ones. *ret is
 * NULL-terminated, caller frees. */
int osm_tenant_types_parse (const char *const *names, size_t nr,
                            const struct osm_tenant_type ***ret, struct osm_error *err);

#endif
