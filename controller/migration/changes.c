/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/changes.h"

#include <inttypes.h>
#include <stdarg.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/migration/marks.h"

static void __attribute__ ((format (printf, 2, 3)))
say (struct osm_strbuf *b, const char *format, ...)
{
  OSM_CLEANUP_FREE char *text = NULL;
  va_list args;

  va_start (args, format);
  text = osm_vasprintf (format, args);
  va_end (args);
  osm_strbuf_addf (b, "%s%s", b->len ? "; " : "", text);
}

static void
compare_server (struct osm_strbuf *b, const json_t *plan, const char *migration_id,
                const struct osm_source_now *now)
{
  const char *status = osm_json_str (now->server, "status"),
             *owner = osm_json_str (json_object_get (now->server, "metadata"), OSM_MARK_MIGRATION),
             *flavor = osm_json_str (json_object_get (now->server, "flavor"), "original_name"),
             *was = osm_json_str (json_object_get (plan, "server"), "flavor_name");

  if (!osm_str_equal (status, "SHUTOFF"))
    say (b, "it is %s: it ran after it was copied", status ? status : "in no known state");
  else if (now->starts > 0)
    say (b, "it ran after it was copied, and was stopped again");
  if (owner && !osm_str_equal (owner, migration_id))
    say (b, "migration %s has claimed it", owner);
  else if (!owner)
    say (b, "its mark %s is gone", OSM_MARK_MIGRATION);
  if (flavor && was && !osm_str_equal (flavor, was))
    say (b, "its flavor is '%s', was '%s'", flavor, was);
}

static void
compare_volumes (struct osm_strbuf *b, const json_t *plan, const struct osm_source_now *now)
{
  const json_t *planned = json_object_get (plan, "volumes"), *volume, *attachment;
  size_t i;

  json_array_foreach (planned, i, volume)
  {
    const char *id = osm_json_str (volume, "id"), *name = osm_json_str (volume, "name"),
               *device = osm_json_str (volume, "device"), *is;
    const char *label = name && *name ? name : id;
    const json_t *there = osm_json_find (now->volumes, "id", id);
    json_int_t size = json_integer_value (json_object_get (there, "size")),
               was = json_integer_value (json_object_get (volume, "size_gb"));

    /* The root disk that is no volume goes by the id of the server. */
    if (osm_str_equal (osm_json_str (volume, "access"), "image"))
      continue;
    attachment = osm_json_find (now->attachments, "volume_id", id);
    is = osm_json_str (attachment, "device");
    if (!there)
      say (b, "volume '%s' (%s) was deleted", label, id);
    else if (!attachment)
      say (b, "volume '%s' (%s) was detached from it", label, id);
    else if (device && is && !osm_str_equal (device, is))
      say (b, "volume '%s' is %s, was %s", label, is, device);
    if (there && size != was)
      say (b, "volume '%s' has %" JSON_INTEGER_FORMAT " GiB, had %" JSON_INTEGER_FORMAT, label,
           size, was);
  }
  json_array_foreach (now->attachments, i, attachment)
  {
    const char *id = osm_json_str (attachment, "volume_id");

    if (!osm_json_find (planned, "id", id) &&
        !osm_json_find (json_object_get (plan, "existing_volumes"), "id", id))
      say (b, "volume %s was attached to it", id ? id : "");
  }
}

static void
compare_ports (struct osm_strbuf *b, const json_t *plan, const struct osm_source_now *now)
{
  const json_t *planned = json_object_get (plan, "ports"), *port, *interface, *fixed_ip;
  size_t i, k;

  json_array_foreach (planned, i, port)
  {
    const char *id = osm_json_str (port, "id"), *was = osm_json_str (port, "addresses"),
               *mac = osm_json_str (json_object_get (port, "create"), "mac_address"), *its_mac;
    OSM_STRBUF (addresses);

    interface = osm_json_find (now->interfaces, "port_id", id);
    if (!interface) {
      say (b, "its port %s with %s is gone", id, was ? was : "no address");
      continue;
    }
    its_mac = osm_json_str (interface, "mac_addr");
    /* The new port may be planned to have another one. */
    if (osm_json_str (port, "source_mac"))
      mac = osm_json_str (port, "source_mac");
    json_array_foreach (json_object_get (interface, "fixed_ips"), k, fixed_ip)
        osm_strbuf_addf (&addresses, "%s%s", k ? ", " : "", osm_json_str (fixed_ip, "ip_address"));
    if (was && !osm_str_equal (was, osm_strbuf_str (&addresses)))
      say (b, "its port %s has address %s, had %s", id, osm_strbuf_str (&addresses), was);
    if (mac && its_mac && !osm_str_equal (mac, its_mac))
      say (b, "its port %s has MAC address %s, had %s", id, its_mac, mac);
  }
  json_array_foreach (now->interfaces, i, interface)
  {
    const char *id = osm_json_str (interface, "port_id");

    if (!osm_json_find (planned, "id", id))
      say (b, "port %s was added to it", id ? id : "");
  }
}

char *
osm_source_changes (const json_t *plan, const char *migration_id, const struct osm_source_now *now)
{
  OSM_STRBUF (b);

  if (!json_is_object (now->server))
    say (&b, "it was deleted");
  else {
    compare_server (&b, plan, migration_id, now);
    compare_volumes (&b, plan, now);
    compare_ports (&b, plan, now);
  }
  return b.len ? osm_strbuf_take (&b) : NULL;
}
