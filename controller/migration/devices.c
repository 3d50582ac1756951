/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/devices.h"

#include <inttypes.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "controller/migration/plan-internal.h"

#define AGENT_TIMEOUT_MS 60000
#define GIB ((uint64_t)1 << 30)

/* ---- pure ---- */

static int
wrong_size (const json_t *volume, const char *what, uint64_t bytes, uint64_t wanted,
            struct osm_error *err)
{
  return osm_error_set (err, OSM_ERROR_USER, 0,
                        "volume '%s': the disk of %s has %" PRIu64
                        " bytes, the volume has %" PRIu64,
                        osm_volume_label (volume), what, bytes, wanted);
}

/* Of the copy, as it was asked for. */
static uint64_t
asked_bytes (const json_t *volume)
{
  json_int_t more =
      osm_plan_new_size (volume) - json_integer_value (json_object_get (volume, "size_gb"));

  return osm_volume_bytes (volume) + ((uint64_t)more << 30);
}

int
osm_devices_judge (const json_t *volume, const struct osm_device_sizes *sizes,
                   struct osm_error *err)
{
  uint64_t nominal = osm_volume_bytes (volume), asked = asked_bytes (volume);
  bool encrypted = json_is_true (json_object_get (volume, "encrypted"));

  /* A header has some MiB; backends may add some to make up for it. */
  if (encrypted
          ? sizes->source == 0 || sizes->source + GIB <= nominal || sizes->source >= nominal + GIB
          : sizes->source != nominal)
    return wrong_size (volume, "the source", sizes->source, nominal, err);
  if (sizes->destination < sizes->source) {
    osm_error_set (err, OSM_ERROR_USER, 0,
                   "volume '%s' does not fit into its copy: the disk of the source has %" PRIu64
                   " bytes, that of the copy %" PRIu64 ", because the encryption of its volume "
                   "type takes the rest",
                   osm_volume_label (volume), sizes->source, sizes->destination);
    return osm_error_hint (err,
                           "roll it back, and then either give the copy more room (new_size_gb in "
                           "a plan file, see osm-controller plan; of a volume by itself: "
                           "--new-size), or map its type to one without "
                           "encryption: map: { volume_types: { OLD: NEW } }");
  }
  if (sizes->destination == sizes->source || encrypted)
    return 0;
  /* One that was asked for with more, less its own header. */
  return asked > nominal && sizes->destination < asked + GIB
             ? 0
             : wrong_size (volume, "the copy", sizes->destination, asked, err);
}

/* ---- what is known ---- */

static struct osm_device_sizes *
sizes_of (const struct osm_migration *m, const json_t *volume)
{
  size_t i;
  const json_t *one;

  if (!m->sizes)
    return NULL;
  json_array_foreach (osm_migration_volumes (m), i, one)
  {
    if (one == volume)
      return &m->sizes[i];
  }
  return NULL;
}

static char *
fact_key (const json_t *volume)
{
  return osm_asprintf ("devices:%s", osm_json_str (volume, "id"));
}

int
osm_devices_load (struct osm_migration *m, struct osm_error *err)
{
  size_t i, n = json_array_size (osm_migration_volumes (m));
  const json_t *volume;

  if (!m->sizes)
    m->sizes = osm_calloc (n ? n : 1, sizeof *m->sizes);
  json_array_foreach (osm_migration_volumes (m), i, volume)
  {
    OSM_CLEANUP_FREE char *key = fact_key (volume);
    OSM_CLEANUP_JSON json_t *fact = NULL;

    if (osm_store_fact_get (m->context.store, m->row->id, key, &fact, err) == -1)
      return -1;
    m->sizes[i] =
        (struct osm_device_sizes){ .source = osm_json_uint (fact, "source_bytes"),
                                   .destination = osm_json_uint (fact, "destination_bytes") };
  }
  return 0;
}

uint64_t
osm_devices_bytes (const struct osm_migration *m, const json_t *volume)
{
  const struct osm_device_sizes *sizes = sizes_of (m, volume);

  return sizes && sizes->source ? sizes->source : osm_volume_bytes (volume);
}

void
osm_devices_add_larger (const struct osm_migration *m, const json_t *volume, json_t *params)
{
  const struct osm_device_sizes *sizes = sizes_of (m, volume);

  if (sizes && sizes->destination > sizes->source)
    json_object_set_new (params, "larger", json_true ());
}

/* ---- finding out ---- */

/* Agents of older versions are told the size, and say what is wrong. */
static bool
can_tell (const struct osm_migration *m, enum osm_side side)
{
  const json_t *one;
  size_t i;

  json_array_foreach (json_object_get (osm_link_hello (m->host[side]->link), "features"), i, one)
  {
    if (osm_str_equal (json_string_value (one), "any-size"))
      return true;
  }
  return false;
}

static int
volume_at (struct osm_migration *m, enum osm_side side, const json_t *volume, char **ret,
           struct osm_error *err)
{
  OSM_CLEANUP_FREE char *role = osm_role_of (OSM_ROLE_VOLUME, osm_json_str (volume, "id"));

  if ((side == OSM_SOURCE
           ? osm_source_exported_id (m, volume, ret, err)
           : osm_made_id (m, OSM_DESTINATION, OSM_MADE_VOLUME, role, ret, err)) == -1)
    return -1;
  return *ret ? 0
              : osm_error_set (err, OSM_ERROR_BUG, 0, "volume '%s' is not prepared at the %s",
                               osm_volume_label (volume), osm_side_name (side));
}

static int
find_at (struct osm_migration *m, enum osm_side side, const json_t *volume, uint64_t *ret,
         struct osm_error *err)
{
  OSM_CLEANUP_FREE char *id = NULL;
  OSM_CLEANUP_JSON json_t *answer = NULL, *params = NULL;
  bool told = can_tell (m, side);
  uint64_t expected = side == OSM_SOURCE ? osm_volume_bytes (volume) : asked_bytes (volume);

  if (volume_at (m, side, volume, &id, err) == -1)
    return -1;
  params = osm_json_pack ("{s:s, s:i}", "volume_id", id, "timeout_ms", OSM_DEVICE_TIMEOUT_MS);
  if (!told)
    json_object_set_new (params, "size_bytes", json_integer ((json_int_t)expected));
  if (osm_migration_agent (m, side, "device.find", osm_take (params),
                           OSM_DEVICE_TIMEOUT_MS + AGENT_TIMEOUT_MS, &answer, err) == -1)
    return -1;
  *ret = told ? osm_json_uint (answer, "size_bytes") : expected;
  return 0;
}

int
osm_devices_find (struct osm_migration *m, const json_t *volume, size_t index, bool destination,
                  struct osm_error *err)
{
  OSM_CLEANUP_FREE char *key = fact_key (volume);
  OSM_CLEANUP_JSON json_t *fact = NULL;
  struct osm_device_sizes sizes = m->sizes[index];

  if (find_at (m, OSM_SOURCE, volume, &sizes.source, err) == -1 ||
      (destination && find_at (m, OSM_DESTINATION, volume, &sizes.destination, err) == -1))
    return -1;
  /* Begun by a version that knew only disks of one size. */
  if (!sizes.destination)
    sizes.destination = sizes.source;
  if (osm_devices_judge (volume, &sizes, err) == -1)
    return -1;
  m->sizes[index] = sizes;
  if (sizes.source != osm_volume_bytes (volume))
    osm_debug ("volume '%s': %" PRIu64 " bytes at the source, %" PRIu64 " at the destination",
               osm_volume_label (volume), sizes.source, sizes.destination);
  fact = osm_json_pack ("{s:I, s:I}", "source_bytes", (json_int_t)sizes.source, "destination_bytes",
                        (json_int_t)sizes.destination);
  return osm_store_fact_set (m->context.store, m->row->id, key, fact, err);
}
