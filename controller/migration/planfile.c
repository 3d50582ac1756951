/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/planfile-internal.h"

#include <ctype.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"

/* ---- keys ---- */

#define TEXT OSM_PLANFILE_TEXT
#define ADDRESS OSM_PLANFILE_ADDRESS
#define CHOICE OSM_PLANFILE_CHOICE
#define BOOL OSM_PLANFILE_BOOL
#define REF OSM_PLANFILE_REF
#define FIXED OSM_PLANFILE_FIXED
#define NULLABLE OSM_PLANFILE_NULLABLE
#define AUTO OSM_PLANFILE_AUTO
#define NEEDED OSM_PLANFILE_NEEDED

static const struct osm_planfile_key volume_keys[] = {
  { .name = "id", .kind = TEXT, .flags = FIXED | NEEDED, .comment = "of the source" },
  { .name = "size_gb", .kind = OSM_PLANFILE_NUMBER, .flags = FIXED, .comment = "as at the source" },
  { .name = "new_size_gb",
    .kind = OSM_PLANFILE_NUMBER,
    .flags = AUTO,
    .comment = "of the copy; null: as large, or what its encryption needs more" },
  { .name = "device", .kind = TEXT, .flags = FIXED | NULLABLE, .comment = "as at the source" },
  { .name = "name", .kind = TEXT },
  { .name = "boot", .kind = BOOL, .comment = "true for the one that the server boots from" },
  { .name = "type",
    .kind = REF,
    .flags = AUTO,
    .what = "volume type",
    .comment = "null: the default" },
  { .name = "access",
    .kind = CHOICE,
    .choices = { "detach", "snapshot", "image" },
    .comment = "how it is read; detach may become snapshot" },
  { .name = "delete_on_termination", .kind = BOOL },
  { .name = "use",
    .kind = REF,
    .flags = NULLABLE,
    .what = "volume",
    .comment = "a volume of the destination to attach as it is, instead of a copy" },
  { 0 },
};

static const struct osm_planfile_key fixed_ip_keys[] = {
  { .name = "address", .kind = ADDRESS, .flags = AUTO, .comment = "null: the subnet gives one" },
  { .name = "subnet",
    .kind = REF,
    .flags = AUTO,
    .what = "subnet",
    .comment = "null: the one that holds the address" },
  { 0 },
};

static const struct osm_planfile_key port_keys[] = {
  { .name = "id", .kind = TEXT, .flags = FIXED | NEEDED, .comment = "of the source" },
  { .name = "name", .kind = TEXT },
  { .name = "mac_address", .kind = OSM_PLANFILE_MAC },
  { .name = "network", .kind = REF, .what = "network" },
  { .name = "fixed_ips", .kind = OSM_PLANFILE_OBJECTS, .what = "address", .keys = fixed_ip_keys },
  { .name = "security_groups", .kind = OSM_PLANFILE_REFS, .what = "security group" },
  { .name = "qos_policy", .kind = REF, .flags = NULLABLE, .what = "QoS policy" },
  { 0 },
};

static const struct osm_planfile_key floating_ip_keys[] = {
  { .name = "id", .kind = TEXT, .flags = FIXED | NEEDED, .comment = "of the source" },
  { .name = "address", .kind = ADDRESS, .flags = FIXED },
  { .name = "mode",
    .kind = CHOICE,
    .choices = { "auto", "keep", "existing", "new", "skip" },
    .comment = "keep, existing, new, auto or skip" },
  { .name = "network",
    .kind = REF,
    .flags = AUTO,
    .what = "network",
    .comment = "the external one that a new address is of" },
  { 0 },
};

const struct osm_planfile_key osm_planfile_server_keys[] = {
  { .name = "id", .kind = TEXT, .flags = FIXED | NEEDED, .comment = "of the source" },
  { .name = "name", .kind = TEXT, .comment = "of the new server" },
  { .name = "flavor", .kind = REF, .what = "flavor" },
  { .name = "availability_zone",
    .kind = TEXT,
    .flags = NULLABLE,
    .comment = "null: the destination chooses" },
  { .name = "key_pair", .kind = REF, .flags = NULLABLE, .what = "key pair" },
  { .name = "server_group", .kind = REF, .flags = NULLABLE, .what = "server group" },
  { .name = "user_data",
    .kind = OSM_PLANFILE_USER_DATA,
    .comment = "source, none, or the absolute path of a file" },
  { .name = "power",
    .kind = CHOICE,
    .choices = { "keep", "on", "off" },
    .comment = "of the new server: keep, on or off" },
  { .name = "compression",
    .kind = CHOICE,
    .choices = { "auto", "on", "off" },
    .comment = "auto, on or off" },
  { .name = "local_disks",
    .kind = CHOICE,
    .choices = { "refuse", "drop" },
    .comment = "ephemeral and swap disks: refuse or drop" },
  { .name = "boot_disk",
    .kind = CHOICE,
    .choices = { "copy", "image" },
    .comment = "of a server that booted from an image: copy it, or a fresh one (image)" },
  { .name = "volumes", .kind = OSM_PLANFILE_OBJECTS, .what = "volume", .keys = volume_keys },
  { .name = "ports",
    .kind = OSM_PLANFILE_OBJECTS,
    .what = "port",
    .comment = "in the order of the server's network cards",
    .keys = port_keys },
  { .name = "floating_ips",
    .kind = OSM_PLANFILE_OBJECTS,
    .what = "floating IP",
    .keys = floating_ip_keys },
  { 0 },
};

/* ---- writing ---- */

/* As it is, or in quotes where a parser of any version could take it for something else. */
static void
add_scalar (struct osm_strbuf *b, const char *s)
{
  static const char *const words[] = { "null", "true", "false", "yes", "no",
                                       "on",   "off",  "y",     "n",   NULL };
  OSM_CLEANUP_FREE char *quoted = NULL, *lower = osm_strdup (s);
  bool plain = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || *s == '/';

  for (char *p = lower; *p; p++) {
    *p = (char)tolower ((unsigned char)*p);
    plain &= (unsigned char)*p < 0x80 && (isalnum ((unsigned char)*p) || strchr ("-._/", *p));
  }
  if (plain && !osm_strv_contains ((char *const *)(void *)words, lower)) {
    osm_strbuf_add (b, s);
    return;
  }
  quoted = osm_quote_yaml (s);
  osm_strbuf_add (b, quoted);
}

/* Until the end of the line, whatever is in it. */
static void
add_comment (struct osm_strbuf *b, const char *text)
{
  OSM_CLEANUP_FREE char *quoted = osm_quote_yaml (text);
  size_t end = strlen (quoted) - 1;

  osm_strbuf_add (b, "# ");
  /* Quotes need no backslash here. */
  for (size_t i = 1; i < end; i++)
    if (quoted[i] != '\\' || quoted[i + 1] != '"' || i + 1 == end)
      osm_strbuf_add_mem (b, &quoted[i], 1);
}

static void
add_value (struct osm_strbuf *b, const json_t *value)
{
  if (json_is_string (value))
    add_scalar (b, json_string_value (value));
  else if (json_is_integer (value))
    osm_strbuf_addf (b, "%" JSON_INTEGER_FORMAT, json_integer_value (value));
  else if (json_is_boolean (value))
    osm_strbuf_add (b, json_is_true (value) ? "true" : "false");
  else if (json_is_object (value))
    add_value (b, json_object_get (value, "name"));
  else
    osm_strbuf_add (b, "null");
}

/* id: of what a reference was found to be. */
static void
end_line (struct osm_strbuf *b, const json_t *value, const char *comment)
{
  const char *id = osm_json_str (value, "id");
  bool tell = id && !osm_str_equal (id, osm_json_str (value, "name"));
  OSM_CLEANUP_FREE char *text =
      tell ? osm_asprintf ("%s%s%s", id, comment ? "; " : "", comment ? comment : "") : NULL;

  if (json_is_object (value) && !id)
    comment = "not found at the destination";
  if (tell || comment) {
    osm_strbuf_add (b, "  ");
    add_comment (b, tell ? text : comment);
  }
  osm_strbuf_add (b, "\n");
}

static void add_object (struct osm_strbuf *b, const json_t *object,
                        const struct osm_planfile_key *keys, int indent, bool explain);

static void
add_list (struct osm_strbuf *b, const json_t *list, const struct osm_planfile_key *key, int indent,
          bool explain)
{
  const json_t *item;
  size_t i;

  if (json_array_size (list) == 0) {
    osm_strbuf_add (b, " []\n");
    return;
  }
  if (explain)
    end_line (b, NULL, key->comment);
  else
    osm_strbuf_add (b, "\n");
  json_array_foreach (list, i, item)
  {
    osm_strbuf_addf (b, "%*s- ", indent + 2, "");
    if (key->kind == OSM_PLANFILE_OBJECTS)
      add_object (b, item, key->keys, indent + 4, explain && i == 0);
    else {
      add_value (b, item);
      end_line (b, item, NULL);
    }
  }
}

/* The first line is begun. explain: with the comments of the keys. */
static void
add_object (struct osm_strbuf *b, const json_t *object, const struct osm_planfile_key *keys,
            int indent, bool explain)
{
  for (const struct osm_planfile_key *key = keys; key->name; key++) {
    const json_t *value = json_object_get (object, key->name);

    osm_strbuf_addf (b, "%*s%s:", key == keys ? 0 : indent, "", key->name);
    if (key->kind == OSM_PLANFILE_OBJECTS || key->kind == OSM_PLANFILE_REFS) {
      add_list (b, value, key, indent, explain);
      continue;
    }
    osm_strbuf_add (b, " ");
    add_value (b, value);
    end_line (b, value, explain ? key->comment : NULL);
  }
}

static void
add_findings (struct osm_strbuf *b, const json_t *plan)
{
  const json_t *finding;
  size_t i;

  json_array_foreach (json_object_get (plan, "findings"), i, finding)
  {
    const char *text = osm_json_str (finding, "text"), *id = osm_json_str (finding, "id"),
               *severity = osm_json_str (finding, "severity");
    OSM_CLEANUP_FREE char *line =
        osm_asprintf ("%s [%s]: %s", severity ? severity : "", id ? id : "", text ? text : "");

    osm_strbuf_add (b, "  ");
    add_comment (b, line);
    osm_strbuf_add (b, "\n");
  }
}

char *
osm_planfile_text (const json_t *plans, const char *source_cloud, const char *destination_cloud)
{
  OSM_STRBUF (b);
  const json_t *plan;
  size_t i;

  osm_strbuf_add (&b,
                  "# A plan of osm-controller. Change what is to be different, then:\n"
                  "#   osm-controller migrate-server --plan THIS-FILE [SERVER...]\n"
                  "# What belongs to the destination is a name or an id. A key that is taken out\n"
                  "# is decided by osm again. Comments after names are ids and explanations.\n"
                  "version: 1\n"
                  "source_cloud: ");
  add_scalar (&b, source_cloud);
  osm_strbuf_add (&b, "\ndestination_cloud: ");
  add_scalar (&b, destination_cloud);
  osm_strbuf_addf (&b, "\nservers:%s\n", json_array_size (plans) ? "" : " []");
  json_array_foreach (plans, i, plan)
  {
    OSM_CLEANUP_JSON json_t *entry = osm_planfile_describe (plan);

    add_findings (&b, plan);
    osm_strbuf_add (&b, "  - ");
    add_object (&b, entry, osm_planfile_server_keys, 4, i == 0);
  }
  return osm_strbuf_take (&b);
}
